"""Supercells for molecular dynamics: the smallest in which an ion is far enough from its images."""

import itertools
from collections.abc import Iterator

import numpy as np
from pymatgen.util.coord import lattice_points_in_supercell

from aiida_pesfp.crystals.periodic import fractional_reach
from aiida_pesfp.settings.md import LARGEST_DISTANCE, MOST_CELLS

#: Relative tolerance of lengths.
TOLERANCE = 1e-8
#: Permutations and signs of three vectors that keep their orientation.
_SIGNED_PERMUTATIONS = np.array(
    [
        matrix
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1, -1), repeat=3)
        if np.linalg.det(matrix := np.diag(signs)[list(order)]) > 0
    ]
)
#: Changes between short bases of a lattice, but for the order and signs of their vectors.
_UNIMODULAR = np.array(
    [
        rows
        for rows in itertools.combinations(
            [row for row in itertools.product((0, 1, -1), repeat=3) if row > (0, 0, 0)], 3
        )
        if abs(round(np.linalg.det(rows))) == 1
    ]
)
_SHIFTS = np.array(list(itertools.product((-1, 0, 1), repeat=2)))


def interplanar_distances(cell: np.ndarray) -> np.ndarray:
    """(..., 3) for each vector of (..., 3, 3) cells the distance between the faces that it connects, A."""
    return 1 / fractional_reach(cell, 1.0)


def supercell_matrix(cell: np.ndarray, minimum_distance: float, diagonal: bool = False) -> np.ndarray:
    """Smallest integer matrix whose supercell has three inter-planar distances of at least a given size.

    The rows of the matrix are the vectors of the supercell in units of those of the cell: ``matrix @ cell``. Among
    matrices with the smallest determinant the most compact wins (smallest sum of squared vector lengths, then largest
    inter-planar distance). Hermite normal forms enumerate all sublattices of a determinant. Inter-planar distances are
    the inverse lengths of the dual basis, so Minkowski reduction of the dual basis decides without a search whether a
    sublattice has a basis with large distances.

    :param minimum_distance: smallest inter-planar distance, A. The paper (Sec. II C) has 6.5 A.
    :param diagonal: allow only multiples of the lattice vectors.
    :raises ValueError: if the cell has no volume, the distance is not positive, or it needs too many cells.
    """
    cell = np.asarray(cell, dtype=float)
    volume = abs(np.linalg.det(cell))
    if not volume > 1e-8 * np.prod(np.linalg.norm(cell, axis=1)):
        raise ValueError(f'the cell {cell.tolist()} has no volume: it must be periodic in three dimensions')
    if not 0 < minimum_distance <= LARGEST_DISTANCE:
        raise ValueError(
            f'the minimum distance {minimum_distance!r} A must be positive, at most {LARGEST_DISTANCE:g} A'
        )
    wanted = minimum_distance * (1 - TOLERANCE)
    diagonal_matrix = np.diag(np.maximum(1, np.ceil(wanted / interplanar_distances(cell)))).astype(int)
    largest = round(np.prod(np.diag(diagonal_matrix)))
    # A cell with such distances between its faces has at least the volume of a cube with this edge.
    smallest = max(1, int(np.ceil(wanted**3 / volume * (1 - TOLERANCE))))
    cells = largest if diagonal else smallest
    if cells > MOST_CELLS:
        raise ValueError(
            f'a supercell with {minimum_distance:g} A between its faces has {cells} cells or more, {MOST_CELLS} are '
            'the limit: take a smaller distance'
        )
    if diagonal or largest == 1:
        return diagonal_matrix

    for determinant in range(smallest, largest + 1):
        forms = np.array(list(_hermite_normal_forms(determinant)))
        dual = np.swapaxes(np.linalg.inv(forms @ cell), -1, -2)
        coefficients = minkowski_reduce(dual)
        distances = 1 / np.linalg.norm(coefficients @ dual, axis=-1)
        suitable = distances.min(axis=1) >= wanted
        if not suitable.any():
            continue
        # Round-off must not decide between bases with the same distances.
        every = _UNIMODULAR @ coefficients[suitable][:, None]
        lengths = np.sort(np.linalg.norm(every @ dual[suitable][:, None], axis=-1), axis=-1)
        same = np.isclose(lengths, lengths.min(axis=1, keepdims=True), rtol=1e-6, atol=0).all(axis=-1)
        # The dual of a basis change is its inverse transpose, an integer matrix again.
        changes = np.rint(np.swapaxes(np.linalg.inv(every[same]), -1, -2)).astype(int)
        return _most_compact(changes @ forms[suitable][np.nonzero(same)[0]], cell)
    raise AssertionError('the diagonal matrix is large enough')


def compact_supercell(cell: np.ndarray, cells: int) -> np.ndarray:
    """The integer matrix of the supercell with so many cells whose smallest inter-planar distance is the largest.

    Its rows are the vectors of the supercell in units of those of the (3, 3) cell.
    """
    forms = np.array(list(_hermite_normal_forms(cells)))
    bases = minkowski_reduce(forms @ cell) @ forms
    distances = interplanar_distances(bases @ cell).min(axis=1)
    return _most_compact(bases[distances > distances.max() - 1e-6], cell)


def minkowski_reduce(bases: np.ndarray) -> np.ndarray:
    """Minkowski reduction of (m, 3, 3) lattices at once: the shortest possible basis of each, shortest vector first.

    Greedy reduction of P. Q. Nguyen and D. Stehle, ACM Trans. Algorithms 5, 46 (2009), DOI 10.1145/1597036.1597050.

    :return: (m, 3, 3) unimodular integer matrices; ``matrices @ bases`` are reduced.
    """
    coefficients = np.broadcast_to(np.eye(3), bases.shape).copy()
    lengths = np.full(bases.shape[:2], np.inf)
    while True:
        reduced = coefficients @ bases
        new_lengths = np.linalg.norm(reduced, axis=-1)
        order = np.argsort(new_lengths, axis=1, kind='stable')
        coefficients = np.take_along_axis(coefficients, order[:, :, None], axis=1)
        new_lengths = np.take_along_axis(new_lengths, order, axis=1)
        if not (new_lengths.sum(axis=1) < lengths.sum(axis=1) * (1 - 1e-10)).any():
            return np.rint(coefficients).astype(int)
        lengths = new_lengths
        first, second, third = np.moveaxis(coefficients @ bases, 1, 0)
        c_first, c_second, c_third = np.moveaxis(coefficients, 1, 0)
        shift = np.rint(_dot(first, second) / _dot(first, first))[:, None]
        second, c_second = second - shift * first, c_second - shift * c_first
        # The lattice point of the plane nearest to the third vector is near the rounded foot of its perpendicular.
        gram = np.stack([_dot(first, first), _dot(first, second), _dot(first, second), _dot(second, second)], axis=-1)
        feet = np.stack([_dot(first, third), _dot(second, third)], axis=-1)
        nearest = np.rint(np.linalg.solve(gram.reshape(-1, 2, 2), feet[..., None])[..., 0])[:, None] + _SHIFTS
        rest = third[:, None] - nearest @ np.stack([first, second], axis=1)
        best = np.argmin(np.round(np.linalg.norm(rest, axis=-1) / new_lengths[:, 2:], 10), axis=1)
        chosen = np.take_along_axis(nearest, best[:, None, None], axis=1)
        c_third = c_third - (chosen @ np.stack([c_first, c_second], axis=1))[:, 0]
        coefficients = np.stack([c_first, c_second, c_third], axis=1)


def fill_supercell(cell: np.ndarray, positions: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cartesian positions (A) inside the supercell ``matrix @ cell`` of (n, 3) sites, and the index of each one's site.

    The images of one site are consecutive.

    :raises ValueError: if the determinant of the matrix is not positive.
    """
    matrix = np.asarray(matrix)
    determinant = round(np.linalg.det(matrix))
    if determinant < 1:
        raise ValueError(f'the supercell matrix {matrix.tolist()} must have a positive determinant')
    translations = np.rint(lattice_points_in_supercell(matrix) @ matrix)
    supercell = matrix @ cell
    everywhere = (np.asarray(positions)[:, None] + (translations @ cell)[None]).reshape(-1, 3)
    fractions = everywhere @ np.linalg.inv(supercell)
    # Rounding keeps a site on its face of the cell.
    everywhere -= np.floor(np.round(fractions, 9)) @ supercell
    return everywhere, np.repeat(np.arange(len(positions)), determinant)


def _hermite_normal_forms(determinant: int) -> Iterator[list[list[int]]]:
    """All sublattices of an index: the upper triangular integer matrices of this determinant."""
    divisors = [a for a in range(1, determinant + 1) if determinant % a == 0]
    for a in divisors:
        for b in (b for b in divisors if (determinant // a) % b == 0):
            c = determinant // (a * b)
            for x, y, z in itertools.product(range(b), range(c), range(c)):
                yield [[a, x, y], [0, b, z], [0, 0, c]]


def _most_diagonal(matrix: np.ndarray) -> np.ndarray:
    """The same three vectors in the order and with the signs closest to the vectors of the cell."""
    if np.linalg.det(matrix) < 0:
        matrix = -matrix
    return max(_SIGNED_PERMUTATIONS @ matrix, key=lambda choice: (np.trace(choice), choice.tolist()))


def _most_compact(matrices: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Of (m, 3, 3) matrices that with the shortest vectors, then the largest distances, then the most diagonal one."""
    for size in (lambda cells: (cells**2).sum(axis=(1, 2)), lambda cells: -interplanar_distances(cells).min(axis=1)):
        sizes = size(matrices @ cell)
        matrices = matrices[sizes < sizes.min() + 1e-6]
    choices = [_most_diagonal(matrix) for matrix in matrices]
    return min(choices, key=lambda matrix: (-np.trace(matrix), matrix.tolist()))


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.einsum('ij,ij->i', first, second)
