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
    """Directed edges, both directions of each.

    :param sources: (E,) atom at which an edge begins; in a batch, b N + atom for configuration b of cells of N atoms.
    :param targets: (E,) atom at which it ends.
    :param vectors: (E, 3) from source to target, A.
    """

    sources: np.ndarray
    targets: np.ndarray
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)


class FrozenGraph:
    """Edges no longer than ``cutoff`` (A) for any place of atom ``ion`` of a structure.

    :ivar fixed: the :class:`Edges` that do not depend on the place, ordered by source.
    """

    def __init__(self, structure: Structure, ion: int, cutoff: float):
        self.number_of_atoms, self.ion, self.cutoff = len(structure), ion, cutoff
        self._lattice = np.array(structure.lattice.matrix)
        sources, targets, images, _ = structure.get_neighbor_list(cutoff)
        fixed = (sources == ion) == (targets == ion)
        sources, targets, images = sources[fixed], targets[fixed], images[fixed]
        order = np.argsort(sources, kind='stable')
        coordinates = structure.cart_coords
        vectors = coordinates[targets] - coordinates[sources] + images @ self._lattice
        self.fixed = Edges(sources[order], targets[order], vectors[order])
        framework = np.delete(np.arange(len(structure)), ion)
        self._images, owners = images_around_cell(self._lattice, structure.frac_coords[framework], cutoff)
        self._atoms = framework[owners]

    @property
    def typical_edges(self) -> int:
        """Number of edges of one configuration, with the ion where the framework is as dense as on average."""
        density = (self.number_of_atoms - 1) / abs(np.linalg.det(self._lattice))
        return len(self.fixed) + int(2 * density * 4 / 3 * np.pi * self.cutoff**3) + 1

    def edges_to_ion(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Edges from the ion at (M, 3) ``positions`` (A) to the framework.

        :returns: (K,) index of the position, ordered; (K,) framework atom; (K, 3) vector from the ion to it, A.
        """
        wrapped = wrap(positions, self._lattice)
        squares = (wrapped**2).sum(axis=1)[:, None] + (self._images**2).sum(axis=1) - 2 * wrapped @ self._images.T
        # Expanding the square loses digits: take a margin here and decide below.
        which, image = np.nonzero(squares < self.cutoff**2 + 1e-6)
        vectors = self._images[image] - wrapped[which]
        inside = np.einsum('ij,ij->i', vectors, vectors) < self.cutoff**2
        return which[inside], self._atoms[image[inside]], vectors[inside]

    def moving(self, positions: np.ndarray) -> Edges:
        """Edges between ion and framework, both directions, with the ion at each of the (M, 3) ``positions``, A.

        Atoms of the configuration with number b are counted from b N.
        """
        which, atoms, vectors = self.edges_to_ion(positions)
        ions, atoms = which * self.number_of_atoms + self.ion, which * self.number_of_atoms + atoms
        return Edges(np.concatenate([ions, atoms]), np.concatenate([atoms, ions]), np.concatenate([vectors, -vectors]))

    def batch(self, positions: np.ndarray) -> Edges:
        """All edges with the ion at the (M, 3) ``positions``, A, as one graph of M N atoms."""
        offsets = (np.arange(len(positions)) * self.number_of_atoms)[:, None]
        moving = self.moving(positions)
        return Edges(
            np.concatenate([(offsets + self.fixed.sources).ravel(), moving.sources]),
            np.concatenate([(offsets + self.fixed.targets).ravel(), moving.targets]),
            np.concatenate([np.tile(self.fixed.vectors, (len(positions), 1)), moving.vectors]),
        )
