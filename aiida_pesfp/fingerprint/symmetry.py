"""Symmetry of a scan: equivalent ions, and equivalent grid points of one ion.

An operation x' = W x + w (fractional coordinates) that maps the crystal onto itself maps the surface of an ion onto
that of its image. The scan uses the operations that also map the grid onto itself. Operations that leave an ion in
place, its site stabiliser, make points of its own surface equivalent. Only the tolerance is an approximation.
"""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
import spglib
from pymatgen.core import Structure

from aiida_pesfp.crystals.periodic import integer_points
from aiida_pesfp.fingerprint.grid import grid_shape

#: Largest displacement, A, of an atom by a symmetry operation. With the steepest slopes on a grid at least 1.2 A away
#: from all atoms (some eV/A), energies stay within about 1e-4 eV of those of the full scan.
TOLERANCE = 1e-4
#: What is so near to a grid point is on it, in steps of the grid.
ON_POINT = 0.01


@dataclass(frozen=True)
class Operations:
    """A group of operations x' = W x + w: (n, 3, 3) integer ``rotations`` W, (n, 3) fractional ``translations`` w."""

    rotations: np.ndarray
    translations: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations)

    def __getitem__(self, selection) -> Self:
        return Operations(self.rotations[selection], self.translations[selection])

    @classmethod
    def identity(cls) -> Self:
        """The group of the identity alone."""
        return cls(np.eye(3, dtype=int)[None], np.zeros((1, 3)))


def crystal_operations(structure: Structure, tolerance: float = TOLERANCE) -> Operations:
    """All operations that map a crystal onto itself within a tolerance (A), from spglib."""
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    found = spglib.get_symmetry(cell, symprec=tolerance)
    # spglib fails for some unusual cells
    return Operations(found['rotations'].astype(int), found['translations']) if found else Operations.identity()


def on_grid(operations: Operations, lattice: np.ndarray, shape, tolerance: float = TOLERANCE) -> Operations:
    """The operations that map a grid onto itself, with translations rounded to it (by less than ``tolerance``, A)."""
    shape = np.asarray(shape)
    integral = (operations.rotations * shape[:, None] % shape == 0).all(axis=(1, 2))
    steps = operations.translations * shape
    moved = (np.rint(steps) - steps) / shape @ lattice
    selected = integral & (np.linalg.norm(moved, axis=1) < tolerance)
    return Operations(operations.rotations[selected], (np.rint(steps) / shape % 1.0)[selected])


def ion_images(structure: Structure, ion: int, operations: Operations) -> np.ndarray:
    """(n,) index of the atom onto which each operation maps atom ``ion``."""
    places = operations.rotations @ structure.frac_coords[ion] + operations.translations
    same = np.flatnonzero(np.array(structure.atomic_numbers) == structure.atomic_numbers[ion])
    distances = structure.lattice.get_all_distances(places, structure.frac_coords[same])
    return same[np.argmin(distances, axis=1)]


def images_of_point(operations: Operations, point, energies: np.ndarray) -> np.ndarray:
    """(n, 3) indices of the grid points that are images of a ``point`` (grid indices), each once, itself the first.

    For an image between grid points, it is the one of those around it with the lowest of the (N1, N2, N3) ``energies``.
    """
    shape = np.array(energies.shape)
    # Images that differ by a translation stand together.
    order = np.lexsort(operations.rotations.reshape(-1, 9).T)
    images = (operations.rotations[order] @ (point / shape) + operations.translations[order]) * shape
    low, high = np.floor(images + ON_POINT).astype(int), np.ceil(images - ON_POINT).astype(int)
    corners = np.where(integer_points([0] * 3, [1] * 3)[:, None] == 1, high, low) % shape
    best = energies[tuple(np.moveaxis(corners, -1, 0))].argmin(axis=0)
    found = np.concatenate([np.asarray(point)[None], corners[best, np.arange(len(images))]])
    return found[np.sort(np.unique(found, axis=0, return_index=True)[1])]


def irreducible_points(operations: Operations, shape) -> np.ndarray:
    """(N1 N2 N3,) flat index of each grid point's representative: the first of its equivalent points."""
    shape = np.asarray(shape)
    points = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape))
    first = np.arange(points.shape[1])
    for rotation, translation in zip(operations.rotations, operations.translations):
        on_indices = np.rint(rotation * shape[:, None] / shape).astype(int)
        images = (on_indices @ points + np.rint(translation * shape).astype(int)[:, None]) % shape[:, None]
        np.minimum(first, np.ravel_multi_index(tuple(images), shape), out=first)
    return first


def with_translations(operations: Operations, shape) -> tuple[int, int, int]:
    """The shape with so many points more that the translations of a crystal, if its cell is not primitive, map the grid
    onto itself: so all of its ions that are images of each other have the same surface."""
    pure = operations.translations[(operations.rotations == np.eye(3, dtype=int)).all(axis=(1, 2))]
    parts = [math.lcm(*(Fraction(t).limit_denominator(len(pure)).denominator for t in along)) for along in pure.T]
    return tuple(-(-n // part) * part for n, part in zip(shape, parts))


def symmetric_shape(structure: Structure, spacing: float, tolerance: float = TOLERANCE) -> tuple[int, int, int]:
    """The grid with at most this spacing (A) that has the fewest points for its number of operations.

    A screw axis or a glide plane needs an even number of points, a threefold screw axis a multiple of three, coupled
    axes the same number: a few more points can make many of them equivalent.
    """
    operations, lattice = crystal_operations(structure, tolerance), structure.lattice.matrix

    def inequivalent(shape):
        return np.prod(shape) / len(on_grid(operations, lattice, shape, tolerance)), shape

    # The cost is that of all combinations.
    ranges = (range(n, n + max(6, min(n // 4, 24)) + 1) for n in grid_shape(lattice, spacing))
    return min(itertools.product(*ranges), key=inequivalent)
