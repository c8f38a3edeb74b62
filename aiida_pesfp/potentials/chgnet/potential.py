"""CHGNet through the ``chgnet`` package, energy only, on a frozen graph.

CHGNet keeps features of undirected bonds and of angles. An angle is an ordered pair of two different directed bonds
from the same atom, both shorter than 3 A. Features of bonds and angles between atoms that do not move are computed once
per ion; bonds and angles with the ion are made for a whole batch at once.

An atom without any neighbour within 6 A gets no messages, as in CHGNet's ASE calculator, which warns of it. The
network's cutoff is smooth, so the energy stays continuous there, and one such place of the ion costs no structure.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass, fields

import numpy as np
import torch
from pymatgen.core import Structure
from torch import Tensor

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import PotentialIdentity
from aiida_pesfp.potentials.batching import (
    MATERIALS_PROJECT_SYMBOLS,
    BatchedEvaluator,
    NetworkPotential,
    check_pickle,
)
from aiida_pesfp.potentials.frozen_graph import Edges

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # its dependencies warn about each other
    from chgnet.model import CHGNet, CHGNetCalculator
    from chgnet.model.model import BatchedGraph


class CHGNetPotential(NetworkPotential):
    """A CHGNet whose energy is a sum over atoms."""

    symbols = MATERIALS_PROJECT_SYMBOLS

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        super().__init__(identity, device, batch_size)
        try:
            network = self._load()
        except Exception as error:  # unpickling foreign or damaged files can raise anything
            raise PotentialError(f'{identity.path} is no CHGNet checkpoint that chgnet can load: {error}') from error
        if not (network.mlp_first and network.is_intensive):
            raise PotentialError(f'{identity.path} is a CHGNet without energies of atoms: take chgnet-0.3.0')
        self.element_references = network.composition_model.fc.weight.detach().numpy()[0].astype(float)
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.cutoff = float(network.graph_converter.atom_graph_cutoff)
        self.angle_cutoff = float(network.graph_converter.bond_graph_cutoff)

    def evaluator(self, structure: Structure) -> CHGNetEvaluator:
        return CHGNetEvaluator(self, structure)

    def calculator(self, structure: Structure) -> CHGNetCalculator:
        self.check_elements(structure)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            # A network of its own: that of the scan has no derivatives.
            return CHGNetCalculator(self._load(), use_device=str(self.device))

    def _load(self) -> CHGNet:
        check_pickle(self.identity.path)
        with contextlib.redirect_stdout(io.StringIO()):  # it reports its number of parameters
            return CHGNet.from_file(self.identity.path)


@dataclass
class ShortBonds:
    """Directed bonds between which there are angles, ordered by the atom at which they begin.

    :ivar centres: (S,) that atom.
    :ivar bonds: (S,) number of the undirected bond.
    :ivar vectors: (S, 3) from the atom at which a bond ends to its centre, which is how CHGNet counts, as unit vectors.
    """

    centres: np.ndarray
    bonds: np.ndarray
    vectors: np.ndarray

    @classmethod
    def among(cls, edges: Edges, cutoff: float, first: int = 0) -> ShortBonds:
        """Both directions of the undirected ``edges`` no longer than ``cutoff`` (A), numbered from ``first``."""
        lengths = np.linalg.norm(edges.vectors, axis=1)
        short = np.nonzero(lengths <= cutoff)[0]
        vectors = edges.vectors[short] / lengths[short, None]
        return cls(
            np.concatenate([edges.sources[short], edges.targets[short]]),
            np.tile(short + first, 2),
            np.concatenate([-vectors, vectors]),
        ).reordered()

    def repeated(self, times: int, number_of_atoms: int, number_of_bonds: int) -> ShortBonds:
        """The same bonds in each of several configurations."""
        steps = np.arange(times)[:, None]
        return ShortBonds(
            (steps * number_of_atoms + self.centres).ravel(),
            (steps * number_of_bonds + self.bonds).ravel(),
            np.tile(self.vectors, (times, 1)),
        )

    def joined(self, other: ShortBonds) -> ShortBonds:
        """These and the others."""
        return ShortBonds(
            *(np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self))
        ).reordered()

    def reordered(self) -> ShortBonds:
        """The same, ordered by centre."""
        order = np.argsort(self.centres, kind='stable')
        return ShortBonds(self.centres[order], self.bonds[order], self.vectors[order])

    def pairs(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All pairs of one of the (W,) bonds ``which`` and another bond with the same centre: (A,) and (A,) places."""
        begin = np.searchsorted(self.centres, self.centres[which], 'left')
        counts = np.searchsorted(self.centres, self.centres[which], 'right') - begin
        starts = np.cumsum(counts) - counts
        first = np.repeat(which, counts)
        second = np.arange(len(first)) + np.repeat(begin - starts, counts)
        different = first != second
        return first[different], second[different]


class CHGNetEvaluator(BatchedEvaluator):
    """Energies of one structure by a CHGNet."""

    # Throughput changes little around this number.
    edges_in_cache = 6000
    # Estimated from the widths of the layers, angles included.
    bytes_per_edge = 8_000

    def __init__(self, potential: CHGNetPotential, structure: Structure):
        super().__init__(potential, structure)
        self._reference = float(potential.element_references[np.array(structure.atomic_numbers) - 1].sum())

    def batch_energies(self, positions: np.ndarray) -> np.ndarray:
        energies = self.potential.network._compute(self._batch(positions), return_site_energies=True)['site_energies']
        return torch.stack(energies).double().sum(dim=1).cpu().numpy() + self._reference

    def freeze(self) -> None:
        self._fixed = one_direction(self.graph.fixed)
        self._radial = self._radial_bases(self._fixed.vectors)
        self._short = short = ShortBonds.among(self._fixed, self.potential.angle_cutoff)
        first, second = short.pairs(np.arange(len(short.centres)))
        self._angles = np.stack([short.centres[first], short.bonds[first], short.bonds[second]], axis=1)
        self._angular = self._angular_basis(short.vectors[first], short.vectors[second])

    def _batch(self, positions: np.ndarray) -> BatchedGraph:
        size, number, fixed = len(positions), len(self.structure), len(self._fixed)
        device, steps = self.potential.device, np.arange(len(positions))[:, None]
        moving = self.graph.moving(positions)
        half = len(moving) // 2  # from the ion; the other half is the same the other way round
        moving = Edges(moving.sources[:half], moving.targets[:half], moving.vectors[:half])
        sources = np.concatenate([(steps * number + self._fixed.sources).ravel(), moving.sources])
        targets = np.concatenate([(steps * number + self._fixed.targets).ravel(), moving.targets])
        directed = np.stack([np.concatenate([sources, targets]), np.concatenate([targets, sources])], axis=1)
        radial = [
            torch.cat([of_fixed.repeat(size, 1), of_moving])
            for of_fixed, of_moving in zip(self._radial, self._radial_bases(moving.vectors))
        ]
        moving_angles, moving_angular = self._moving_angles(moving, size)
        fixed_angles = (self._angles + steps[:, :, None] * np.array([number, fixed, fixed])).reshape(-1, 3)
        return BatchedGraph(
            atomic_numbers=self.numbers.repeat(size),
            bond_bases_ag=radial[0],
            bond_bases_bg=radial[1],
            angle_bases=torch.cat([self._angular.repeat(size, 1), moving_angular]),
            batched_atom_graph=torch.tensor(directed, device=device),
            batched_bond_graph=torch.tensor(np.concatenate([fixed_angles, moving_angles]), device=device),
            atom_owners=torch.arange(size, device=device).repeat_interleave(number),
            directed2undirected=torch.arange(len(sources), device=device).repeat(2),
            atom_positions=(),
            strains=(),
            volumes=(),
        )

    def _moving_angles(self, moving: Edges, size: int) -> tuple[np.ndarray, Tensor]:
        """(A, 3) centre and the two bonds, and (A, R) basis, of angles with at least one moving bond."""
        fixed = size * len(self._fixed)
        short = self._short.repeated(size, len(self.structure), len(self._fixed)).joined(
            ShortBonds.among(moving, self.potential.angle_cutoff, fixed)
        )
        moves = short.bonds >= fixed
        first, second = short.pairs(np.nonzero(moves)[0])
        mixed = ~moves[second]  # of these, the pair in the other order is still missing
        first, second = np.concatenate([first, second[mixed]]), np.concatenate([second, first[mixed]])
        angles = np.stack([short.centres[first], short.bonds[first], short.bonds[second]], axis=1)
        return angles, self._angular_basis(short.vectors[first], short.vectors[second])

    def _radial_bases(self, vectors: np.ndarray) -> tuple[Tensor, Tensor]:
        """Radial functions of bonds with the cutoff of bonds and with that of angles."""
        expansion = self.potential.network.bond_basis_expansion
        lengths = self._to_device(np.linalg.norm(vectors, axis=1))
        return expansion.rbf_expansion_ag(lengths), expansion.rbf_expansion_bg(lengths)

    def _angular_basis(self, one: np.ndarray, other: np.ndarray) -> Tensor:
        """Fourier functions of the angles between unit vectors."""
        return self.potential.network.angle_basis_expansion(self._to_device(one), self._to_device(other))

    def _to_device(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self.potential.device)


def one_direction(edges: Edges) -> Edges:
    """Of the two directions of each edge, that to the atom of larger index, or to the image farther along x, y, z."""
    x, y, z = edges.vectors.T
    along = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    kept = (edges.sources < edges.targets) | ((edges.sources == edges.targets) & along)
    return Edges(edges.sources[kept], edges.targets[kept], edges.vectors[kept])
