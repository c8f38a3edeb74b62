"""The M3GNet of TensorFlow m3gnet 0.2.4 in PyTorch (Chen and Ong, doi:10.1038/s43588-022-00349-3).

It is the network of the paper's potential, ``MP-2021.2.8-EFS``. matgl's M3GNet of the same name is another network with
other weights; neither can stand in for the other.

Units are A and eV. A graph is a list of directed bonds, both directions of each, grouped in any order: bond k goes from
atom ``centres[k]`` to the image of atom ``neighbours[k]`` that lies at ``vectors[k]`` from it, no farther than
:data:`CUTOFF`. An atom can be bonded to images of itself.

One thing is done differently from the original, with the same result. It sums the three-body term over all pairs of
bonds of an atom. By the addition theorem of spherical harmonics, P_l(cos) of the angle between two bonds is a sum over
m of products of one harmonic of each, so the sum over the second bond can be taken once per atom: the cost grows with
the number of bonds, not with that of pairs, and no list of pairs is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

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
    """(E,) weight of bonds in the three-body term; vanishes with two derivatives at its cutoff."""
    t = (r / THREE_BODY_CUTOFF).clamp(max=1.0)
    return 1 - t**3 * (10 - 15 * t + 6 * t**2)


def harmonics(directions: Tensor) -> Tensor:
    """(E, 9) real harmonics of (E, 3) unit vectors for l = 0, 1, 2, such that their products sum to P_l over m."""
    x, y, z = directions.unbind(-1)
    q = math.sqrt(3)
    quadrupole = (q * x * y, q * y * z, q * x * z, q / 2 * (x**2 - y**2), (3 * z**2 - 1) / 2)
    return torch.stack((torch.ones_like(x), x, y, z, *quadrupole), dim=-1)


def _spherical_bessel(degree: int, x: Tensor) -> Tensor:
    sin, cos = torch.sin(x), torch.cos(x)
    match degree:
        case 0:
            return sin / x
        case 1:
            return sin / x**2 - cos / x
        case 2:
            return (3 / x**3 - 1 / x) * sin - 3 * cos / x**2
        case 3:
            return (15 / x**4 - 6 / x**2) * sin - (15 / x**3 - 1 / x) * cos
    raise ValueError(f'degree {degree}')


@dataclass
class Bonds:
    """Directed bonds of a graph and all that depends on their geometry alone.

    :ivar centres: (E,) atom at which each bond begins.
    :ivar neighbours: (E,) atom at which it ends.
    :ivar radial: (E, 3) :func:`radial_basis`.
    :ivar short: (S,) bonds that take part in the three-body term. All below is of these:
    :ivar short_envelope: (S, 1) :func:`envelope`.
    :ivar short_radial: (S, 9) :func:`three_body_radial` times the envelope.
    :ivar short_harmonics: (S, 27) :func:`harmonics`, for each feature that of its own (l, m).
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
        angular = harmonics(vectors[short] / r_short[:, None])
        of_short = (weight, three_body_radial(r_short) * weight, angular[:, list(_HARMONIC_OF_FEATURE)])
        return cls(centres, neighbours, radial_basis(r), short, *of_short)

    def repeated(self, times: int, number_of_atoms: int) -> Bonds:
        """The same bonds in each of several configurations of ``number_of_atoms`` atoms."""

        def shifted(index: Tensor, step: int) -> Tensor:
            return (torch.arange(times, device=index.device)[:, None] * step + index).reshape(-1)

        return Bonds(
            shifted(self.centres, number_of_atoms),
            shifted(self.neighbours, number_of_atoms),
            self.radial.repeat(times, 1),
            shifted(self.short, len(self.centres)),
            *(table.repeat(times, 1) for table in (self.short_envelope, self.short_radial, self.short_harmonics)),
        )

    def selected(self, which: Tensor) -> Bonds:
        """Those bonds for which the (E,) mask ``which`` is true."""
        numbers = torch.cumsum(which, 0) - 1
        short = which[self.short]
        return Bonds(
            *(table[which] for table in (self.centres, self.neighbours, self.radial)),
            numbers[self.short[short]],
            *(table[short] for table in (self.short_envelope, self.short_radial, self.short_harmonics)),
        )

    def joined(self, other: Bonds) -> Bonds:
        """These bonds and then the others."""
        joint = Bonds(*(torch.cat([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self)))
        joint.short[len(self.short) :] += len(self.centres)
        return joint

    @property
    def short_centres(self) -> Tensor:
        """(S,) centres of the short bonds."""
        return self.centres[self.short]

    @property
    def short_neighbours(self) -> Tensor:
        """(S,) neighbours of the short bonds."""
        return self.neighbours[self.short]


def _silu(x: Tensor) -> Tensor:
    """x sigmoid(x), in place where no derivatives will be asked for."""
    return silu(x, inplace=not torch.is_grad_enabled())


class GatedPair(nn.Module):
    """Two dense layers, core and gate side by side, of [h_i, h_j, e] (192 wide), as in blocks (b) and (c).

    The first layer is linear in its parts, so those of the atoms are computed once per atom, not once per bond.
    """

    def __init__(self, weights: dict[str, Tensor], prefix: str):
        super().__init__()
        core, gate = f'{prefix}.core', f'{prefix}.gate'
        first = torch.cat([weights[f'{core}.0.kernel'], weights[f'{gate}.0.kernel']], dim=1)
        # (64, 256): for an atom as centre and as neighbour of a bond, core and gate each.
        self.register_buffer('atom', torch.cat([first[:UNITS], first[UNITS : 2 * UNITS]], dim=1))
        self.register_buffer('bond', first[2 * UNITS :].contiguous())
        bias = torch.cat([weights[f'{core}.0.bias'], weights[f'{gate}.0.bias']])
        self.register_buffer('atom_bias', torch.cat([bias, torch.zeros_like(bias)]))
        for name in ('core', 'gate'):
            self.register_buffer(f'{name}_kernel', weights[f'{prefix}.{name}.1.kernel'])
            self.register_buffer(f'{name}_bias', weights[f'{prefix}.{name}.1.bias'])

    def forward(self, h: Tensor, e: Tensor, bonds: Bonds) -> Tensor:
        of_atoms = torch.addmm(self.atom_bias, h, self.atom)
        as_centre, as_neighbour = of_atoms[:, : 2 * UNITS], of_atoms[:, 2 * UNITS :]
        hidden = as_centre.index_select(0, bonds.centres)
        hidden += as_neighbour.index_select(0, bonds.neighbours)
        hidden = _silu(hidden.addmm_(e, self.bond))
        core = _silu(torch.addmm(self.core_bias, hidden[:, :UNITS], self.core_kernel))
        core *= torch.addmm(self.gate_bias, hidden[:, UNITS:], self.gate_kernel).sigmoid_()
        return core


class Block(nn.Module):
    """One of the three blocks: three-body update of the bonds, update of the bonds, update of the atoms."""

    def __init__(self, weights: dict[str, Tensor], prefix: str):
        super().__init__()
        for name in ('three.atom.kernel', 'three.atom.bias', 'bond.rbf.kernel', 'atom.rbf.kernel'):
            self.register_buffer(name.replace('.', '_'), weights[f'{prefix}.{name}'])
        for name in ('core', 'gate'):
            self.register_buffer(f'three_{name}', weights[f'{prefix}.three.bond.{name}.0.kernel'])
        self.bond_update = GatedPair(weights, f'{prefix}.bond')
        self.atom_update = GatedPair(weights, f'{prefix}.atom')
        sums = torch.zeros(len(RADIAL_OF_FEATURE), 9, dtype=self.three_core.dtype)
        sums[range(len(RADIAL_OF_FEATURE)), RADIAL_OF_FEATURE] = 1
        self.register_buffer('sum_over_m', sums)

    def three_body(self, h: Tensor, bonds: Bonds) -> Tensor:
        """(S, 64) update of the short bonds: sum over the other short bonds of the same atom."""
        of_ends = torch.sigmoid(torch.addmm(self.three_atom_bias, h, self.three_atom_kernel))
        radial = bonds.short_radial * of_ends.index_select(0, bonds.short_neighbours)
        features = (radial @ self.sum_over_m.T) * bonds.short_harmonics
        of_centres = features.new_zeros(len(h), features.shape[1]).index_add(0, bonds.short_centres, features)
        sums = (of_centres.index_select(0, bonds.short_centres) * bonds.short_harmonics) @ self.sum_over_m
        # A bond makes no angle with itself: its own term, where P_l = 1, is taken out again.
        moments = bonds.short_envelope * (sums - radial)
        return _silu(moments @ self.three_core) * torch.sigmoid(moments @ self.three_gate)

    def summed_updates(self, h: Tensor, e: Tensor, bonds: Bonds) -> tuple[Tensor, Tensor]:
        """(N, 64) sum of the messages to each atom, and (E, 64) new bond features.

        They depend on bonds with the same centre only, so some centres can be computed without the others.
        """
        e = e.index_add(0, bonds.short, self.three_body(h, bonds))
        e = torch.addcmul(e, self.bond_update(h, e, bonds), bonds.radial @ self.bond_rbf_kernel)
        messages = self.atom_update(h, e, bonds) * _silu(bonds.radial @ self.atom_rbf_kernel)
        return torch.zeros_like(h).index_add(0, bonds.centres, messages), e

    def forward(self, h: Tensor, e: Tensor, bonds: Bonds) -> tuple[Tensor, Tensor]:
        sums, e = self.summed_updates(h, e, bonds)
        return h + sums, e


class M3GNetNetwork(nn.Module):
    """Atomic energies from a graph, for the 80 tensors of the published weights by their names in the .npz file."""

    def __init__(self, weights: dict[str, Tensor], scale: float):
        """:param scale: what the network's output is multiplied with, eV."""
        super().__init__()
        self.scale = scale
        self.register_buffer('atom_embedding', weights['atom_embedding'])
        self.register_buffer('bond_embedding', weights['bond_embedding.kernel'])
        self.blocks = nn.ModuleList(Block(weights, f'block{b}') for b in range(BLOCKS))
        for name in ('core', 'gate'):
            for layer in range(3):
                self.register_buffer(f'readout_{name}_{layer}', weights[f'readout.{name}.{layer}.kernel'])
                self.register_buffer(f'readout_{name}_{layer}_bias', weights[f'readout.{name}.{layer}.bias'])

    def initial_bonds(self, bonds: Bonds) -> Tensor:
        """(E, 64) bond features before the first block."""
        return silu(bonds.radial @ self.bond_embedding)

    def readout(self, h: Tensor) -> Tensor:
        """(N,) energies of atoms, eV, without the reference energies of the elements."""
        core, gate = self._dense('core', h), torch.sigmoid(self._dense('gate', h))
        return self.scale * (core * gate).squeeze(-1)

    def forward(self, numbers: Tensor, bonds: Bonds) -> Tensor:
        """(N,) energies of atoms with the (N,) atomic numbers, eV, without the reference energies of the elements."""
        h, e = self.atom_embedding[numbers], self.initial_bonds(bonds)
        for block in self.blocks:
            h, e = block(h, e, bonds)
        return self.readout(h)

    def _dense(self, name: str, h: Tensor) -> Tensor:
        for layer in range(3):
            h = torch.addmm(getattr(self, f'readout_{name}_{layer}_bias'), h, getattr(self, f'readout_{name}_{layer}'))
            h = silu(h) if layer < 2 else h
        return h
