"""CHGNet through the ``chgnet`` package, energy only, on a frozen graph.

CHGNet keeps features of undirected bonds and of angles. An angle is an ordered pair of two different directed bonds
from the same atom, both shorter than 3 A. Features of bonds and angles between atoms that do not move are computed once
per ion; those of bonds and angles with the ion, for a batch of places at once.

An atom without a neighbour within 6 A gets no messages, as in CHGNet's ASE calculator, which warns of it. The network's
cutoff is smooth, so the energy is continuous there, and the structure is evaluated nevertheless.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from pymatgen.core import Structure
from torch import Tensor

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import PotentialIdentity
from aiida_pesfp.potentials.batching import TRAINED_SYMBOLS, BatchedEvaluator, NetworkPotential, quiet
from aiida_pesfp.potentials.frozen_graph import Edges

with quiet():
    from chgnet.model import CHGNet, CHGNetCalculator
    from chgnet.model.model import BatchedGraph


class ShortBonds(NamedTuple):
    """Directed bonds that form angles, ordered by the atom at which they begin.

    :ivar centres: (S,) that atom.
    :ivar bonds: (S,) number of the undirected bond.
    :ivar vectors: (S, 3) unit vectors from the end of a bond to its centre, which is CHGNet's direction.
    """

    centres: np.ndarray
    bonds: np.ndarray
    vectors: np.ndarray

    @classmethod
    def among(cls, cutoff: float, *parts: Edges) -> ShortBonds:
        """Both directions of the undirected edges no longer than ``cutoff`` (A), which are numbered part after part."""
        columns, first = [], 0
        for edges in parts:
            lengths = np.linalg.norm(edges.vectors, axis=1)
            short = np.nonzero(lengths <= cutoff)[0]
            directed, lengths = edges[short].joined(edges[short].reversed()), np.tile(lengths[short], 2)
            columns.append((directed.sources, np.tile(short + first, 2), -directed.vectors / lengths[:, None]))
            first += len(edges)
        joined = [np.concatenate(column) for column in zip(*columns)]
        order = np.argsort(joined[0], kind='stable')
        return cls(*(column[order] for column in joined))

    def pairs(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All pairs of one of the (W,) bonds ``which`` and another bond with the same centre: (A,) and (A,) places."""
        begin, end = (np.searchsorted(self.centres, self.centres[which], side) for side in ('left', 'right'))
        counts = end - begin
        first = np.repeat(which, counts)
        second = np.arange(len(first)) + np.repeat(begin - np.cumsum(counts) + counts, counts)
        different = first != second
        return first[different], second[different]


class CHGNetEvaluator(BatchedEvaluator):
    """Energies of one structure by a CHGNet."""

    # Throughput changes little around this number.
    edges_in_cache = 6000
    bytes_per_edge = 8_000  # estimated from the widths of the layers, angles included

    def batch_energies(self, positions: np.ndarray) -> Tensor:
        found = self.potential.network._compute(self.batch_graph(positions), return_site_energies=True)
        return torch.stack(found['site_energies'])

    def freeze(self) -> None:
        self._fixed = one_direction(self.graph.fixed)
        self._radial = self._radial_bases(self._fixed.vectors)
        short = ShortBonds.among(self.potential.angle_cutoff, self._fixed)
        self._angles, self._angular = self._angles_between(short, *short.pairs(np.arange(len(short.centres))))

    def batch_graph(self, positions: np.ndarray) -> BatchedGraph:
        """CHGNet's graph of the configurations with the ion at each of the (M, 3) ``positions``, A."""
        size, number, to_device = len(positions), len(self.structure), self.potential.tensor
        fixed, moving = self._fixed.repeated(size, number), self.graph.from_ion(positions)
        edges = fixed.joined(moving)
        directed = edges.joined(edges.reversed())
        radial = [
            torch.cat([of_fixed.repeat(size, 1), of_moving])
            for of_fixed, of_moving in zip(self._radial, self._radial_bases(moving.vectors))
        ]
        moving_angles, moving_angular = self._moving_angles(fixed, moving)
        steps = np.array([number, len(self._fixed), len(self._fixed)])
        fixed_angles = (self._angles + np.arange(size)[:, None, None] * steps).reshape(-1, 3)
        return BatchedGraph(
            atomic_numbers=self.numbers.repeat(size),
            bond_bases_ag=radial[0],
            bond_bases_bg=radial[1],
            angle_bases=torch.cat([self._angular.repeat(size, 1), moving_angular]),
            batched_atom_graph=to_device(np.stack([directed.sources, directed.targets], axis=1)),
            batched_bond_graph=to_device(np.concatenate([fixed_angles, moving_angles])),
            atom_owners=to_device(np.arange(size).repeat(number)),
            directed2undirected=to_device(np.tile(np.arange(len(edges)), 2)),
            atom_positions=(),
            strains=(),
            volumes=(),
        )

    def _moving_angles(self, fixed: Edges, moving: Edges) -> tuple[np.ndarray, Tensor]:
        """As :meth:`_angles_between`, for all angles with at least one moving bond."""
        short = ShortBonds.among(self.potential.angle_cutoff, fixed, moving)
        moves = short.bonds >= len(fixed)
        first, second = short.pairs(np.nonzero(moves)[0])
        mixed = ~moves[second]  # of these, the pair in the other order is still missing
        first, second = np.concatenate([first, second[mixed]]), np.concatenate([second, first[mixed]])
        return self._angles_between(short, first, second)

    def _angles_between(self, short: ShortBonds, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """(A, 3) centre and the two bonds, and (A, R) Fourier functions, of the angles between pairs of short bonds."""
        vectors = (self.potential.tensor(short.vectors[which]) for which in (first, second))
        angles = np.stack([short.centres[first], short.bonds[first], short.bonds[second]], axis=1)
        return angles, self.potential.network.angle_basis_expansion(*vectors)

    def _radial_bases(self, vectors: np.ndarray) -> tuple[Tensor, Tensor]:
        """Radial functions of bonds with the cutoff of bonds and with that of angles."""
        expansion = self.potential.network.bond_basis_expansion
        lengths = self.potential.tensor(np.linalg.norm(vectors, axis=1))
        return expansion.rbf_expansion_ag(lengths), expansion.rbf_expansion_bg(lengths)


class CHGNetPotential(NetworkPotential):
    """A CHGNet whose energy is a sum over atoms."""

    evaluator_class, symbols = CHGNetEvaluator, TRAINED_SYMBOLS

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        super().__init__(identity, device, batch_size)
        network = self.load(_read)
        if not (network.mlp_first and network.is_intensive):
            raise PotentialError(f'{identity.path} is a CHGNet without energies of atoms: take chgnet-0.3.0')
        references = network.composition_model.fc.weight.detach().numpy()[0].astype(float)  # from hydrogen on
        self.element_references = np.concatenate([[np.nan], references])
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.cutoff = float(network.graph_converter.atom_graph_cutoff)
        self.angle_cutoff = float(network.graph_converter.bond_graph_cutoff)

    def calculator(self, structure: Structure) -> CHGNetCalculator:
        self.check_elements(structure)
        network = self.load(_read)  # that of the scan has no derivatives
        with quiet():
            return CHGNetCalculator(network, use_device=str(self.device))


def _read(path: str) -> CHGNet:
    try:
        return CHGNet.from_file(path)
    except RuntimeError:  # 0.2.0 and those before it have biases more, which their arguments do not tell
        return CHGNet.from_file(path, mlp_out_bias=True)


def one_direction(edges: Edges) -> Edges:
    """One direction of each edge: to the atom of larger index, or to the image farther along x, y, z."""
    x, y, z = edges.vectors.T
    along = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    return edges[(edges.sources < edges.targets) | ((edges.sources == edges.targets) & along)]
