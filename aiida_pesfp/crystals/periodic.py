"""Periodic images of places in a crystal, and distances to them."""

import numpy as np
from pymatgen.core import Structure
from scipy.spatial import cKDTree


def integer_points(low, high) -> np.ndarray:
    """(n, 3) all integer points of the box between the corners ``low`` and ``high``, both included, in C order."""
    ranges = [np.arange(first, last + 1) for first, last in zip(low, high)]
    return np.stack(np.meshgrid(*ranges, indexing='ij'), axis=-1).reshape(-1, 3)


def fractional_reach(lattice: np.ndarray, radius: float) -> np.ndarray:
    """(..., 3) half the extent of a sphere (radius in A) along each lattice vector, in fractional coordinates.

    It is ``radius / h_i``, where ``h_i = V / |a_j x a_k|`` is the distance between the lattice planes.
    """
    return radius * np.linalg.norm(np.linalg.inv(lattice), axis=-2)


def wrap(positions: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """(n, 3) images inside the cell of Cartesian ``positions``, A."""
    return (positions @ np.linalg.inv(lattice) % 1.0) @ lattice


def minimum_image(displacements: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """(..., 3) Cartesian ``displacements`` (A) without their whole lattice vectors.

    This is the shortest image if that is shorter than half the distance between the lattice planes.
    """
    fractional = displacements @ np.linalg.inv(lattice)
    return (fractional - np.rint(fractional)) @ lattice


def images_around_cell(lattice: np.ndarray, fractional: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Periodic images of (n, 3) places that come within ``radius`` (A) of the cell.

    :returns: (m, 3) Cartesian coordinates of the images, A; and (m,) index of the place of each.
    """
    reach = fractional_reach(lattice, radius)
    shifts = integer_points(-np.ceil(reach), np.ceil(reach))
    images = (fractional[:, None] % 1.0 + shifts).reshape(-1, 3)
    near = ((images > -reach - 1e-9) & (images < 1 + reach + 1e-9)).all(axis=1)
    return images[near] @ lattice, np.repeat(np.arange(len(fractional)), len(shifts))[near]


def distances_within(
    structure: Structure, atoms: np.ndarray, positions: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of one of (n, 3) Cartesian places (A) and an image of an atom (an index) closer to it than ``radius`` (A).

    :returns: (k,) index of the place, (k,) index of the atom, (k,) distance, A.
    """
    lattice = structure.lattice.matrix
    images, owners = images_around_cell(lattice, structure.frac_coords[atoms], radius)
    tree = cKDTree(wrap(positions, lattice))
    pairs = tree.sparse_distance_matrix(cKDTree(images), radius, output_type='coo_matrix')
    return pairs.row, atoms[owners[pairs.col]], pairs.data
