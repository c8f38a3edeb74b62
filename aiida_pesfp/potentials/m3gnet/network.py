"""The M3GNet of TensorFlow m3gnet 0.2.4 in PyTorch (Chen and Ong, doi:10.1038/s43588-022-00349-3).

It is the network of the paper's potential, ``MP-2021.2.8-EFS``. matgl's M3GNet of the same name is another network with
other weights, and no substitute.

Units are A and eV. A graph is a list of directed bonds, both directions of each, grouped in any order: bond k goes from
atom ``centres[k]`` to the image of atom ``neighbours[k]`` that lies at ``vectors[k]`` from it, no farther than
:data:`CUTOFF`. An atom can be bonded to images of itself.

One step differs from the original, with the same result. The original sums the three-body term over all pairs of bonds
of an atom. By the addition theorem of spherical harmonics, P_l(cos) of the angle between two bonds is a sum over m of
products of one harmonic of each. So we sum over the second bond once per atom: the cost grows with the number of bonds,
not of pairs, and no list of pairs is needed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot, silu

#: Range of bonds and of the three-body term, A.
CUTOFF, THREE_BODY_CUTOFF = 5.0, 4.0
BLOCKS = 3
UNITS = 64

# The n-th positive zero of the spherical Bessel function j_l: row l, column n.
_BESSEL_ZEROS = (
    (math.pi, 2 * math.pi, 3 * math.pi),
    (4.493409457909064, 7.725251836937707, 10.904121659428899),
    (5.763459196894550, 9.095011330476355, 12.322940970566582),
)
# The three-body features of a bond are the products of radial function (l, n) and harmonic (l, m) with the same l.
RADIAL_OF_FEATURE = (0, 1, 2) + (3,) * 3 + (4,) * 3 + (5,) * 3 + (6,) * 5 + (7,) * 5 + (8,) * 5
_HARMONIC_OF_FEATURE = (0,) * 3 + (1, 2, 3) * 3 + (4, 5, 6, 7, 8) * 3


def radial_basis(r: Tensor) -> Tensor:
    """(E, 3) smooth radial functions of the (E,) bond lengths; they vanish with two derivatives at the cutoff."""
    waves = [torch.sinc(k * r / CUTOFF) for k in (1, 2, 3, 4)]
    functions, d = [], 1.0
    for n in range(3):
        scale = (-1) ** n * math.sqrt(2) * math.pi / CUTOFF**1.5 * (n + 1) * (n + 2) / math.hypot(n + 1, n + 2)
        function = scale * (waves[n] + waves[n + 1])
        if n > 0:
            e = n**2 * (n + 2) ** 2 / (4 * (n + 1) ** 4 + 1)
            d_next = 1 - e / d
            function = (function + math.sqrt(e / d) * functions[-1]) / math.sqrt(d_next)
            d = d_next
        functions.append(function)
    return torch.stack(functions, dim=-1)


def three_body_radial(r: Tensor) -> Tensor:
    """(E, 9) spherical Bessel functions j_l (l slow, n fast) of the (E,) bond lengths, normalised with that of Y_l0."""
    functions = []
    for degree, zeros in enumerate(_BESSEL_ZEROS):
        for zero in zeros:
            at_next = abs(_spherical_bessel(degree + 1, torch.tensor(zero, dtype=torch.float64)).item())
            norm = math.sqrt(2 / CUTOFF**3) / at_next * math.sqrt((2 * degree + 1) / (4 * math.pi))
            functions.append(norm * _spherical_bessel(degree, zero * r / CUTOFF))
    return torch.stack(functions, dim=-1)


def envelope(r: Tensor) -> Tensor:
    """(E,) weight of bonds in the three-body term; it vanishes with two derivatives at that term's cutoff."""
    t = (r / THREE_BODY_CUTOFF).clamp(max=1.0)
    return 1 - t**3 * (10 - 15 * t + 6 * t**2)


def harmonics(directions: Tensor) -> Tensor:
    """(E, 9) real harmonics of (E, 3) unit vectors for l = 0, 1, 2, such that their products sum to P_l over m."""
    x, y, z = directions.unbind(-1)
    q = math.sqrt(3)
    quadrupole = (q * x * y, q * y * z, q * x * z, q / 2 * (x**2 - y**2), (3 * z**2 - 1) / 2)
    return torch.stack((torch.ones_like(x), x, y, z, *quadrupole), dim=-1)


def _spherical_bessel(degree: int, x: Tensor) -> Tensor:
    """j_0 to j_3."""
    sin, cos = torch.sin(x), torch.cos(x)
    match degree:
        case 0:
            return sin / x
        case 1:
            return sin / x**2 - cos / x
        case 2:
            return (3 / x**3 - 1 / x) * sin - 3 * cos / x**2
        case _:
            return (15 / x**4 - 6 / x**2) * sin - (15 / x**3 - 1 / x) * cos


class Bonds(NamedTuple):
    """Directed bonds of a graph and all that depends on their geometry alone.

    :ivar centres: (E,) atom at which each bond begins.
    :ivar neighbours: (E,) atom at which it ends.
    :ivar radial: (E, 3) :func:`radial_basis`.
    :ivar short: (S,) numbers of the bonds in the three-body term, the short ones.
    :ivar short_envelope: (S, 1) :func:`envelope` of the short bonds.
    :ivar short_radial: (S, 9) :func:`three_body_radial` of the short bonds times the envelope.
    :ivar short_harmonics: (S, 27) :func:`harmonics` of the short bonds, for each feature that of its own (l, m).
    """

    centres: Tensor
    neighbours: Tensor
    radial: Tensor
    short: Tensor
    short_envelope: Tensor
    short_radial: Tensor
    short_harmonics: Tensor

    @classmethod
    def from_vectors(cls, centres: Tensor, neighbours: Tensor, vectors: Tensor) -> Bonds:
        """From the (E, 3) ``vectors``, A, from centres to neighbours."""
        r = vectors.norm(dim=-1)
        short = torch.nonzero(r < THREE_BODY_CUTOFF).squeeze(-1)
        r_short = r[short]
        weight = envelope(r_short)[:, None]
        angular = harmonics(vectors[short] / r_short[:, None])[:, list(_HARMONIC_OF_FEATURE)]
        return cls(centres, neighbours, radial_basis(r), short, weight, three_body_radial(r_short) * weight, angular)

    def selected(self, which: Tensor) -> Bonds:
        """Those bonds for which the (E,) mask ``which`` is true."""
        *of_all, short, envelope, radial, angular = self
        kept, numbers = which[short], torch.cumsum(which, 0) - 1
        return Bonds(
            *(table[which] for table in of_all),
            numbers[short[kept]],
            *(table[kept] for table in (envelope, radial, angular)),
        )

    def joined(self, other: Bonds) -> Bonds:
        """These bonds and then the others."""
        joint = Bonds(*map(torch.cat, zip(self, other)))
        joint.short[len(self.short) :] += len(self.centres)
        return joint

    @property
    def short_centres(self) -> Tensor:
        """(S,) centres of the short bonds."""
        return self.centres[self.short]


def _silu(x: Tensor) -> Tensor:
    """x sigmoid(x), in place if no derivatives are needed."""
    return silu(x, inplace=not torch.is_grad_enabled())


def _layer(weights: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Bias and kernel of a dense layer."""
    return weights[f'{name}.bias'], weights[f'{name}.kernel']


def dense(layer: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    """A dense layer, of its bias and kernel, without activation."""
    return torch.addmm(layer[0], x, layer[1])


class GatedPair:
    """Two dense layers, core and gate side by side, of [h_i, h_j, e] (192 wide), as in blocks (b) and (c).

    The first layer is a sum over these three parts, so those of the atoms are computed once per atom, not per bond.

    :ivar atom: bias and (64, 256) kernel of the first layer for an atom, as centre and neighbour, core and gate each.
    :ivar bond: (64, 128) kernel of the first layer for a bond.
    :ivar core: bias and (64, 64) kernel of the second layer.
    :ivar gate: the same of the gate.
    """

    def __init__(self, weights: dict[str, Tensor], prefix: str):
        layers = (_layer(weights, f'{prefix}.{half}.0') for half in ('core', 'gate'))
        bias, kernel = (torch.cat(parts, dim=-1) for parts in zip(*layers))
        of_centres, of_neighbours, of_bonds = kernel.split(UNITS)
        self.atom = torch.cat([bias, torch.zeros_like(bias)]), torch.cat([of_centres, of_neighbours], dim=1)
        self.bond = of_bonds.contiguous()
        self.core, self.gate = (_layer(weights, f'{prefix}.{half}.1') for half in ('core', 'gate'))

    def __call__(self, h: Tensor, e: Tensor, bonds: Bonds) -> Tensor:
        as_centre, as_neighbour = dense(self.atom, h).split(2 * UNITS, dim=1)
        hidden = as_centre.index_select(0, bonds.centres)
        hidden += as_neighbour.index_select(0, bonds.neighbours)
        hidden = _silu(hidden.addmm_(e, self.bond))
        core = _silu(dense(self.core, hidden[:, :UNITS]))
        core *= dense(self.gate, hidden[:, UNITS:]).sigmoid_()
        return core


class Block:
    """One of the three blocks: three-body update of the bonds, update of the bonds, update of the atoms."""

    def __init__(self, weights: dict[str, Tensor], prefix: str):
        self.three_atom = _layer(weights, f'{prefix}.three.atom')
        self.three_core, self.three_gate = (weights[f'{prefix}.three.bond.{x}.0.kernel'] for x in ('core', 'gate'))
        self.bond_update, self.atom_update = (GatedPair(weights, f'{prefix}.{kind}') for kind in ('bond', 'atom'))
        self.bond_rbf, self.atom_rbf = (weights[f'{prefix}.{kind}.rbf.kernel'] for kind in ('bond', 'atom'))
        self.sum_over_m = one_hot(torch.tensor(RADIAL_OF_FEATURE)).to(self.three_core)

    def three_body(self, h: Tensor, bonds: Bonds) -> Tensor:
        """(S, 64) update of the short bonds: sum over the other short bonds of the same atom."""
        of_ends = torch.sigmoid(dense(self.three_atom, h))
        radial = bonds.short_radial * of_ends.index_select(0, bonds.neighbours[bonds.short])
        features = (radial @ self.sum_over_m.T) * bonds.short_harmonics
        of_centres = features.new_zeros(len(h), features.shape[1]).index_add(0, bonds.short_centres, features)
        sums = (of_centres.index_select(0, bonds.short_centres) * bonds.short_harmonics) @ self.sum_over_m
        # A bond makes no angle with itself: subtract its own term, where P_l = 1.
        moments = bonds.short_envelope * (sums - radial)
        return _silu(moments @ self.three_core) * torch.sigmoid(moments @ self.three_gate)

    def summed_updates(self, h: Tensor, e: Tensor, bonds: Bonds) -> tuple[Tensor, Tensor]:
        """(N, 64) sum of the messages to each atom, and (E, 64) new bond features.

        They depend on bonds with the same centre only, so some centres can be computed without the others.
        """
        e = e.index_add(0, bonds.short, self.three_body(h, bonds))
        e = torch.addcmul(e, self.bond_update(h, e, bonds), bonds.radial @ self.bond_rbf)
        messages = self.atom_update(h, e, bonds) * _silu(bonds.radial @ self.atom_rbf)
        return torch.zeros_like(h).index_add(0, bonds.centres, messages), e

    def __call__(self, h: Tensor, e: Tensor, bonds: Bonds) -> tuple[Tensor, Tensor]:
        sums, e = self.summed_updates(h, e, bonds)
        return h + sums, e


class M3GNetNetwork:
    """Atomic energies from a graph, for the 80 tensors of the published weights by their names in the .npz file."""

    def __init__(self, weights: dict[str, Tensor], scale: float):
        """:param scale: factor of the network's output, eV."""
        self.scale, self.atom_embedding = scale, weights['atom_embedding']
        self.bond_embedding = weights['bond_embedding.kernel']
        self.blocks = [Block(weights, f'block{b}') for b in range(BLOCKS)]
        self._readout = [[_layer(weights, f'readout.{half}.{n}') for n in range(3)] for half in ('core', 'gate')]

    def initial_bonds(self, bonds: Bonds) -> Tensor:
        """(E, 64) bond features before the first block."""
        return silu(bonds.radial @ self.bond_embedding)

    def readout(self, h: Tensor) -> Tensor:
        """(N,) energies of atoms, eV, without the reference energies of the elements."""
        core, gate = (dense(last, silu(dense(second, silu(dense(first, h))))) for first, second, last in self._readout)
        return self.scale * (core * torch.sigmoid(gate)).squeeze(-1)

    def __call__(self, numbers: Tensor, bonds: Bonds) -> Tensor:
        """(N,) energies of atoms with the (N,) atomic numbers, eV, without the reference energies of the elements."""
        h, e = self.atom_embedding[numbers], self.initial_bonds(bonds)
        for block in self.blocks:
            h, e = block(h, e, bonds)
        return self.readout(h)
