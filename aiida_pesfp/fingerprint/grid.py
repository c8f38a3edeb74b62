"""The scan grid: the points at which the mobile ion is evaluated (arXiv:2411.06804, Sec. II A)."""

import numpy as np

from aiida_pesfp.crystals.periodic import fractional_reach, integer_points
from aiida_pesfp.errors import GridTooLarge
from aiida_pesfp.memory import GIB, MORE_MEMORY, available_memory
from aiida_pesfp.settings.scan import ScanSettings

#: Tolerance of distances, A, so that rounding does not separate equivalent points.
ROUND_OFF = 1e-9
#: Most points of a grid. A cell of 10 A has as many at a spacing of 0.02 A; most potentials need weeks for them.
LARGEST_GRID = 10**8


def grid_shape(lattice: np.ndarray, spacing: float) -> tuple[int, int, int]:
    """Number of grid points along each lattice vector (A), ``N_i = ceil(|a_i| / spacing)``, end point excluded."""
    # The subtrahend absorbs the round-off of lengths that are multiples of the spacing.
    points = np.ceil(np.linalg.norm(lattice, axis=1) / spacing - 1e-8)
    return tuple(int(n) for n in np.maximum(points, 1))


def grid_vectors(lattice: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(3, 3) Cartesian steps of the grid as rows, A: g_i = a_i / N_i."""
    return np.asarray(lattice) / np.asarray(shape)[:, None]


def fractional_points(indices: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(n, 3) fractional coordinates of grid points with (n,) flat (C order) indices, from the cell's origin."""
    return np.stack(np.unravel_index(indices, shape), axis=-1) / np.asarray(shape)


def excluded_points(
    lattice: np.ndarray, framework: np.ndarray, shape: tuple[int, int, int], minimum_distance: float
) -> np.ndarray:
    """Mask, (N1, N2, N3) bool, of the points closer than ``minimum_distance`` (A) to an image of a framework atom.

    :param framework: (n, 3) fractional coordinates of all atoms but the mobile one.
    """
    mask = np.zeros(shape, dtype=bool)
    reach = fractional_reach(lattice, minimum_distance)
    for centre in framework:
        # The points around one image, not wrapped, stand for the points around all images.
        indices = integer_points(np.floor((centre - reach) * shape), np.ceil((centre + reach) * shape)).astype(int)
        distances = np.linalg.norm((indices / shape - centre) @ lattice, axis=-1)
        mask[tuple((indices[distances < minimum_distance - ROUND_OFF] % shape).T)] = True
    return mask


def check_size(lattice: np.ndarray, settings: ScanSettings, number_of_ions: int) -> None:
    """Raise :class:`~aiida_pesfp.errors.GridTooLarge` if a scan of a cell needs too many points or too much memory.

    This is known before anything is allocated.
    """
    lengths = np.linalg.norm(lattice, axis=1) / settings.spacing
    points = np.prod(np.maximum(np.ceil(lengths), 1))
    # Of the surface in double precision, and twice the level map's working arrays on the doubled grid.
    level_map = points * (8 * number_of_ions + 2 * 8 * 20)
    # Of the places in a box around the sphere of excluded points, with their distances.
    reach = fractional_reach(lattice, settings.minimum_distance)
    sphere = np.prod(2 * reach * np.maximum(lengths, 1) + 2) * 8 * 10
    needed, memory = max(level_map, sphere), available_memory()
    if points <= LARGEST_GRID and needed <= memory.free:
        return
    grid = f'a grid of {points:.3g} points (at most {LARGEST_GRID:.0e}) for each of {number_of_ions} ions'
    ways = 'choose a larger spacing or a smaller cell' + (f', or {MORE_MEMORY}' if points <= LARGEST_GRID else '')
    raise GridTooLarge(f'{grid} needs about {needed / GIB:.3g} GiB of memory, {memory}: {ways}')
