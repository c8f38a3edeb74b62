"""The neighbour graph of a crystal in which one ion moves and all else is frozen.

The graph has two parts. Edges between framework atoms, and between the ion and its own periodic images, which move
with it, are the same wherever the ion is. Edges between the ion and the framework are found for a batch of places at
once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from aiida_pesfp.crystals.periodic import images_around_cell, wrap


@dataclass(frozen=True)
class Edges:
    """Directed edges.

    :param sources: (E,) atom at which an edge begins; in a batch, b N + atom for configuration b of cells of N atoms.
    :param targets: (E,) atom at which it ends.
    :param vectors: (E, 3) from source to target, A.
    """

    sources: np.ndarray
    targets: np.ndarray
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, which: np.ndarray) -> Edges:
        return Edges(self.sources[which], self.targets[which], self.vectors[which])

    def reversed(self) -> Edges:
        """The same edges in the other direction."""
        return Edges(self.targets, self.sources, -self.vectors)

    def joined(self, other: Edges) -> Edges:
        """These edges and then the others."""
        return Edges(*(np.concatenate([mine, vars(other)[name]]) for name, mine in vars(self).items()))

    def repeated(self, times: int, number_of_atoms: int) -> Edges:
        """The same edges in each of several configurations."""
        first = (np.arange(times) * number_of_atoms)[:, None]
        vectors = np.tile(self.vectors, (times, 1))
        return Edges((first + self.sources).ravel(), (first + self.targets).ravel(), vectors)


def all_edges(structure: Structure, cutoff: float) -> Edges:
    """Edges no longer than ``cutoff`` (A), both directions of each."""
    sources, targets, images, _ = structure.get_neighbor_list(cutoff)
    places = structure.cart_coords
    return Edges(sources, targets, places[targets] - places[sources] + images @ np.array(structure.lattice.matrix))


class FrozenGraph:
    """Edges no longer than ``cutoff`` (A) for any place of atom ``ion`` of a structure.

    :ivar fixed: the :class:`Edges` that do not depend on the place, both directions of each, ordered by source.
    """

    def __init__(self, structure: Structure, ion: int, cutoff: float):
        self.number_of_atoms, self.ion, self.cutoff = len(structure), ion, cutoff
        self._lattice, edges = np.array(structure.lattice.matrix), all_edges(structure, cutoff)
        edges = edges[(edges.sources == ion) == (edges.targets == ion)]
        self.fixed = edges[np.argsort(edges.sources, kind='stable')]
        framework = np.delete(np.arange(len(structure)), ion)
        self._images, owners = images_around_cell(self._lattice, structure.frac_coords[framework], cutoff)
        self._atoms = framework[owners]

    @property
    def typical_edges(self) -> int:
        """Number of edges of one configuration, with the ion where the framework is as dense as on average."""
        density = (self.number_of_atoms - 1) / abs(np.linalg.det(self._lattice))
        return len(self.fixed) + int(2 * density * 4 / 3 * np.pi * self.cutoff**3) + 1

    def from_ion(self, positions: np.ndarray) -> Edges:
        """Edges from the ion at each of the (M, 3) ``positions`` (A) to the framework, ordered by position."""
        wrapped = wrap(positions, self._lattice)
        squares = (wrapped**2).sum(axis=1)[:, None] + (self._images**2).sum(axis=1) - 2 * wrapped @ self._images.T
        # Expanding the square loses digits: take a margin here and decide below.
        which, image = np.nonzero(squares < self.cutoff**2 + 1e-6)
        vectors = self._images[image] - wrapped[which]
        first_atoms = which * self.number_of_atoms
        edges = Edges(first_atoms + self.ion, first_atoms + self._atoms[image], vectors)
        return edges[np.einsum('ij,ij->i', vectors, vectors) < self.cutoff**2]

    def moving(self, positions: np.ndarray) -> Edges:
        """Edges between ion and framework, both directions, with the ion at each of the (M, 3) ``positions``, A."""
        edges = self.from_ion(positions)
        return edges.joined(edges.reversed())

    def batch(self, positions: np.ndarray) -> Edges:
        """All edges with the ion at the (M, 3) ``positions``, A, as one graph of M N atoms."""
        return self.fixed.repeated(len(positions), self.number_of_atoms).joined(self.moving(positions))
