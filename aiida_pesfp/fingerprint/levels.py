"""The level map: the lowest barrier from the ion's site to any other place (arXiv:2411.06804, Eq. 1 and 2).

The map is an exact minimax over paths on the grid. As in the paper, the surface is tiled to 2N+1 points along each axis
with the ion's lowest point in the centre. Its 26 replicas lie on the outer faces, and paths do not go beyond these.
"""

import itertools

import numba
import numpy as np

from aiida_pesfp.settings.descriptors import NEIGHBOUR_RULES


def neighbour_steps(vectors: np.ndarray, rule: str = 'sqrt3') -> np.ndarray:
    """(k, 3) integer steps from a grid point to its neighbours.

    :param vectors: (3, 3) grid vectors as rows, A.
    :param rule: ``'sqrt3'``, those of the 26 surrounding points that are no farther than the diagonal of a rectangular
        voxel with the same edges, sqrt(g1^2 + g2^2 + g3^2) + 1e-4 A; ``'26'``, all surrounding points; ``'6'``,
        the points along the grid vectors only; ``ValueError`` for another rule.
    """
    if rule not in NEIGHBOUR_RULES:
        raise ValueError(f'unknown neighbour rule {rule!r}: take one of {", ".join(NEIGHBOUR_RULES)}')
    steps = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)])
    if rule == 'sqrt3':
        return steps[np.linalg.norm(steps @ vectors, axis=1) <= np.sqrt((np.asarray(vectors) ** 2).sum()) + 1e-4]
    return steps[np.abs(steps).sum(axis=1) == 1] if rule == '6' else steps


def tile_around(energies: np.ndarray, centre: tuple[int, int, int]) -> np.ndarray:
    """(2N1+1, 2N2+1, 2N3+1) periodic continuation of an (N1, N2, N3) grid with the point ``centre`` in the middle."""
    indices = [(c + np.arange(-n, n + 1)) % n for c, n in zip(centre, energies.shape)]
    return energies[np.ix_(*indices)]


#: Energies this close to the lowest count as lowest, eV: more than the noise of single-precision networks.
DEGENERACY = 1e-4


def lowest_point(energies: np.ndarray) -> tuple[int, int, int]:
    """Grid indices of the lowest energy (eV): the seed of the level map.

    A site off the symmetry elements has several equivalent lowest points, which differ by noise only, and the level map
    around each ends at other faces. The first of them in C order wins, so that noise does not decide.
    """
    first = np.flatnonzero(energies.ravel() <= energies.min() + DEGENERACY)[0]
    return tuple(int(i) for i in np.unravel_index(first, energies.shape))


def level_map(field: np.ndarray, seeds, steps: np.ndarray, stop_above: float = np.inf) -> np.ndarray:
    """Minimax of a ``field`` of finite energies, eV, over all paths from a seed within the array, Eq. 1.

    :param seeds: (3,) indices of the seed, or (n, 3) of several: all count as low as the lowest.
    :param steps: (k, 3) integer steps that a path may take.
    :param stop_above: levels above this energy (eV) are not needed once an outer face has been reached: points with
        higher levels can be infinite in the result. All other values are exact.
    """
    values, ranks = np.unique(field, return_inverse=True)
    padded_shape = tuple(n + 2 for n in field.shape)
    ranks_padded = np.zeros(padded_shape, dtype=np.int32)
    inner = (slice(1, -1),) * 3
    ranks_padded[inner] = ranks.reshape(field.shape)
    # A wall around the array replaces tests for its border. The flood can stop once it has reached a face.
    state = np.full(padded_shape, _WALL, dtype=np.int32)
    state[inner] = _UNTOUCHED_FACE
    state[(slice(2, -2),) * 3] = _UNTOUCHED
    strides = np.array([padded_shape[1] * padded_shape[2], padded_shape[2], 1])
    starts = np.unique((np.atleast_2d(seeds) + 1) @ strides)
    stop_rank = np.searchsorted(values, stop_above, side='right')
    _flood(ranks_padded.ravel(), state.ravel(), len(values), starts, np.asarray(steps) @ strides, stop_rank)
    levels = state[inner]
    return np.where(levels < 0, np.asarray(np.inf, dtype=field.dtype), values[np.maximum(levels, 0)])


def percolation_energy(levels: np.ndarray) -> float:
    """Lowest level on any outer face of a level map, eV (Eq. 2), relative to the energy of the seed."""
    return float(min(levels.take(end, axis=axis).min() for axis in range(3) for end in (0, -1)))


def easiest_path(energies: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, float]:
    """The path with the fewest steps among those of the lowest barrier from the lowest point to an outer face.

    :param energies: (N1, N2, N3) periodic surface, eV; ``steps`` are those of :func:`level_map`.
    :returns: (n,) flat grid indices of its points, from the lowest point on, and the percolation energy, eV.
    """
    centre = lowest_point(energies)
    field = tile_around(energies, centre)
    barrier = percolation_energy(level_map(field, energies.shape, steps, stop_above=-np.inf))
    padded = np.pad(field <= barrier, 1)
    strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
    face = np.zeros(field.shape, dtype=bool)
    face[[0, -1]] = face[:, [0, -1]] = face[:, :, [0, -1]] = True
    start = int((np.array(energies.shape) + 1) @ strides)
    points = _shortest(padded.ravel(), np.pad(face, 1).ravel(), start, steps @ strides)
    indices = np.stack(np.unravel_index(points, padded.shape)) - 1
    shape = np.array(energies.shape)[:, None]
    return np.ravel_multi_index(tuple((indices + np.array(centre)[:, None] - shape) % shape), energies.shape), barrier


@numba.njit(cache=True)
def _shortest(allowed, goal, start, offsets):
    """Breadth-first search over allowed points; the points from ``start`` to the first goal, in order."""
    parent = np.full(allowed.size, -1, np.int64)
    queue = np.empty(allowed.size, np.int64)
    queue[0] = start
    parent[start] = start
    head, tail = 0, 1
    while head < tail:
        point = queue[head]
        head += 1
        if goal[point]:
            path = [point]
            while path[-1] != start:
                path.append(parent[path[-1]])
            return np.array(path)[::-1]
        for offset in offsets:
            neighbour = point + offset
            if allowed[neighbour] and parent[neighbour] < 0:
                parent[neighbour] = point
                queue[tail] = neighbour
                tail += 1
    return np.empty(0, np.int64)


_WALL, _UNTOUCHED, _UNTOUCHED_FACE = -1, -2, -3


@numba.njit(cache=True)
def _flood(ranks, state, number_of_ranks, starts, offsets, stop_rank):
    """Flood from ``starts`` with a rising level; write each point's level (a rank) into ``state``.

    A touched point gets its final level at once, because it has a neighbour that the present level has reached: the
    present level if that is higher, else its own energy. Points above the present level wait in a list of their rank.
    Nothing is ever added below the present level, so going up finds the next point: a queue without a heap.
    """
    waiting = np.full(number_of_ranks + 1, -1, np.int32)
    link = np.empty(ranks.size, np.int32)
    level = ranks[starts].min()
    reached_face = False
    for start in starts:
        reached_face |= state[start] == -3
        state[start] = level
        link[start] = waiting[level]
        waiting[level] = start
    while level < number_of_ranks:
        if reached_face and level >= stop_rank:
            return
        while waiting[level] >= 0:
            point = waiting[level]
            waiting[level] = link[point]
            for offset in offsets:
                neighbour = point + offset
                touched = state[neighbour]
                if touched >= -1:
                    continue
                rank = max(ranks[neighbour], level)
                if touched == -3 and rank == level:
                    reached_face = True
                state[neighbour] = rank
                link[neighbour] = waiting[rank]
                waiting[rank] = neighbour
        level += 1
