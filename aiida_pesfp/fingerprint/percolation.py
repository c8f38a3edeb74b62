"""Percolation in one, two and three dimensions, and the easiest path from a site to a periodic image of it.

Here the surface is periodic, without the borders of the level map. A region that leads from the lowest point to the
same point in another cell has a lattice translation. The translations of a region form a lattice, and its rank is the
number of dimensions in which the ion moves. Every path to an image crosses an outer face of the level map, so
MPE <= 1D <= 2D <= 3D for an ion. MPE < 1D if the region reaches a face but leads nowhere from there.

Neither converges with the size of the cell: one ion moves while all others keep their sites, and so it ends where it
could only be as an interstitial. What converges is the level map of all ions together, the lowest of theirs at each
place: where the regions of neighbouring ions meet, one ion can follow the other.
"""

import heapq
from dataclasses import dataclass

import numba
import numpy as np

from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import lowest_point, neighbour_steps
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface

#: Barrier / (k_B T) in the cost of a path; T is room temperature for a barrier of 0.5 eV.
BARRIER_OVER_THERMAL_ENERGY = 20.0
#: Number of regions for which there is room at first.
_FEW = 64


def percolation_barriers(
    energies: np.ndarray, steps: np.ndarray, start: tuple[int, int, int] | None = None
) -> tuple[float, float, float]:
    """Lowest energies (eV) at which the region around a point percolates in one, two and three dimensions.

    The region at an energy consists of all points that can be reached from the point without exceeding it, on the
    periodic grid. It percolates in d dimensions if it leads to images of its points by d linearly independent lattice
    vectors. The result is exact.

    :param energies: (N1, N2, N3) periodic surface, eV.
    :param steps: (k, 3) integer steps that a path may take.
    :param start: grid indices of the point; the lowest one by default.
    """
    return periodic_levels(energies, steps, start, stop_above=-np.inf)[1]


def periodic_levels(
    energies: np.ndarray, steps: np.ndarray, start: tuple[int, int, int] | None = None, stop_above: float = np.inf
) -> tuple[np.ndarray, tuple[float, float, float]]:
    """The level map on the periodic grid, without borders, and the :func:`percolation_barriers`.

    :param stop_above: levels above both this energy (eV) and the last barrier can be infinite. All others are exact.
    :returns: (N1, N2, N3) lowest barrier (eV) between the point and each other one or an image of it; the barriers.
    """
    values, ranks = np.unique(energies, return_inverse=True)
    first, shape = np.ravel_multi_index(start or lowest_point(energies), energies.shape), np.array(energies.shape)
    stop_rank = np.searchsorted(values, stop_above, side='right')
    levels, found = _flood_periodic(ranks.ravel(), len(values), first, shape, np.asarray(steps), stop_rank)
    infinite = np.asarray(np.inf, dtype=energies.dtype)
    levels = np.where(levels < 0, infinite, values[np.maximum(levels, 0)]).reshape(energies.shape)
    return levels, tuple(float(values[rank]) for rank in found)


@dataclass(frozen=True)
class Regions:
    """The regions of a surface below a rising energy, each from its minimum until it merges into an older one.

    Points are flat (C order) indices of the grid. Of the regions that merge at a point, the oldest one, with the lowest
    minimum, remains. Of points with equal energies, the first in C order comes first.

    :param minima: (n,) the lowest point of each region, in order.
    :param saddles: (n,) the point where it merges; that of the first, which does not merge, is -1.
    :param parents: (n,) number of the region into which it merges; that of the first is its own.
    :param ways: (n, 3) the points at whose energies what holds its minimum percolates in one, two and three dimensions.
    """

    minima: np.ndarray
    saddles: np.ndarray
    parents: np.ndarray
    ways: np.ndarray


def regions(energies: np.ndarray, steps: np.ndarray) -> Regions:
    """The merge tree of a periodic surface.

    Points join their neighbours in order of energy. The trees of joined points are those of B. A. Galler and M. J.
    Fischer, Commun. ACM 7, 301 (1964), with the cell of each point in its tree.

    :param energies: (N1, N2, N3) periodic surface, eV; ``steps`` as of :func:`percolation_barriers`.
    """
    order = np.argsort(energies, axis=None, kind='stable')
    found = _join(order, np.array(energies.shape), np.asarray(steps), False)
    minima, saddles, parents, ways = found
    return Regions(order[minima], np.where(saddles < 0, -1, order[saddles]), parents, order[ways])


def lowest_loop(energies: np.ndarray, steps: np.ndarray) -> float:
    """The lowest of the one-dimensional :func:`percolation_barriers` from all points, eV, without a flood from each.

    Points join their neighbours as in :func:`regions`, until a path closes around the crystal.
    """
    order = np.argsort(energies, axis=None, kind='stable')
    ways = _join(order, np.array(energies.shape), np.asarray(steps), True)[-1]
    return float(energies.flat[order[ways.max()]])


@dataclass(frozen=True)
class EnergyProfile:
    """The energy along a path from the lowest point of atom ``ion`` to a periodic image of it.

    :param fractional: (n, 3) fractional coordinates of its grid points, not wrapped into the cell; ``cartesian`` in A.
    :param length: (n,) length of the path up to each point, A.
    :param energy: (n,), eV, relative to the lowest point.
    """

    ion: int
    fractional: np.ndarray
    cartesian: np.ndarray
    length: np.ndarray
    energy: np.ndarray

    @property
    def barrier(self) -> float:
        """Highest energy on the path, eV: the barrier for percolation in one dimension."""
        return float(self.energy.max())

    @property
    def translation(self) -> tuple[int, int, int]:
        """Lattice vector from the start to the end of the path, in units of the cell's."""
        return tuple(int(n) for n in np.rint(self.fractional[-1] - self.fractional[0]))

    def save(self, path) -> None:
        """Write as a text table (.csv)."""
        table = np.column_stack([self.length, self.energy, self.fractional, self.cartesian])
        header = 'length_angstrom,energy_eV,a,b,c,x_angstrom,y_angstrom,z_angstrom'
        np.savetxt(path, table, fmt='%.6f', delimiter=',', header=header, comments='')


def energy_profile(surface: PotentialEnergySurface, position: int, neighbours: str = 'sqrt3') -> EnergyProfile:
    """Energy along the easiest path of the ion at ``position`` in ``surface.mobile_ions`` to a periodic image.

    See :func:`easiest_path_to_image`. If the ion may start from several points, it does from the best.
    """
    energies, shape, starts = surface.of_ion(position), np.array(surface.shape), surface.starts_of(position)
    vectors = grid_vectors(surface.lattice, surface.shape)
    if len(starts) > 1:
        steps = neighbour_steps(vectors, neighbours)
        starts = sorted(starts, key=lambda start: percolation_barriers(energies, steps, start)[0])
    points = easiest_path_to_image(energies, vectors, neighbours, starts[0])
    cartesian = points / shape @ surface.lattice
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(cartesian, axis=0), axis=1))])
    energy = energies[tuple((points % shape).T)].astype(float)
    return EnergyProfile(int(surface.mobile_ions[position]), points / shape, cartesian, length, energy)


def easiest_path_to_image(
    energies: np.ndarray, vectors: np.ndarray, neighbours: str = 'sqrt3', start: tuple[int, int, int] | None = None
) -> np.ndarray:
    """Grid points of the easiest path from a point, by default the lowest, to any periodic image of it.

    Among all paths with the lowest barrier, the one-dimensional one of :func:`percolation_barriers`, this is the path
    with the least integral of exp(20 E / barrier) over its length: low everywhere, not only at its highest point, and
    short where the surface is flat. It is the path of least resistance at k_B T = barrier / 20 (Berkowitz et al.,
    J. Chem. Phys. 79, 5563, 1983).

    :param energies: (N1, N2, N3) periodic surface, eV.
    :param vectors: (3, 3) grid vectors as rows, A; ``neighbours`` is the rule of
        :func:`~aiida_pesfp.fingerprint.levels.neighbour_steps`.
    :returns: (n, 3) integer indices, not wrapped: the last point is the first plus multiples of N1, N2, N3.
    """
    steps, shape = neighbour_steps(vectors, neighbours), np.array(energies.shape)
    start = start or lowest_point(energies)
    barrier = percolation_barriers(energies, steps, start)[0]
    allowed = (energies <= barrier).ravel()
    heights = energies.ravel()[allowed].astype(float) - energies.min()
    highest = heights.max() or 1.0  # on a flat surface only the length counts
    cost = np.full(energies.size, np.inf)
    cost[allowed] = np.exp(BARRIER_OVER_THERMAL_ENERGY * heights / highest)
    start = np.ravel_multi_index(start, energies.shape)
    lengths = np.linalg.norm(steps @ vectors, axis=1)
    parents, cells, end, other_end, step = _least_cost_loop(cost, start, shape, steps, lengths)

    def unwrapped(point: int) -> np.ndarray:
        """Points from ``point`` back to the start."""
        path = [point]
        while path[-1] != start:
            path.append(parents[path[-1]])
        return np.stack(np.unravel_index(path, energies.shape), axis=-1) + cells[path] * shape

    there, back = unwrapped(end)[::-1], unwrapped(other_end)
    return np.concatenate([there, back + (there[-1] + steps[step] - back[0])])


@numba.njit(cache=True)
def _neighbour(i, j, k, step, shape):
    """Flat index of the point one step away from (i, j, k), and its cell relative to that of (i, j, k)."""
    i, j, k = i + step[0], j + step[1], k + step[2]
    a, b, c = i // shape[0], j // shape[1], k // shape[2]
    i, j, k = i - a * shape[0], j - b * shape[1], k - c * shape[2]
    return (i * shape[1] + j) * shape[2] + k, a, b, c


@numba.njit(cache=True)
def _flood_periodic(ranks, number_of_ranks, start, shape, steps, stop_rank):
    """Flood the periodic grid as ``levels._flood`` does; the levels, and those at which the translations gain a rank.

    A tree of paths from the start reaches each point in one certain cell. An edge between two points below the present
    level whose cells do not match closes a path around the crystal. Such edges span all translations of the region.
    """
    waiting = np.full(number_of_ranks, -1, np.int64)
    link = np.full(ranks.size, -1, np.int64)
    levels = np.full(ranks.size, -1, np.int64)
    cells = np.zeros((ranks.size, 3), np.int64)
    basis = np.zeros((2, 3), np.int64)
    found = np.zeros(3, np.int64)
    dimensions = 0
    level = ranks[start]
    levels[start] = level
    waiting[level] = start
    while level < number_of_ranks:
        if dimensions == 3 and level >= stop_rank:
            break
        while waiting[level] >= 0:
            point = waiting[level]
            waiting[level] = link[point]
            i, j, k = point // (shape[1] * shape[2]), point // shape[2] % shape[1], point % shape[2]
            for step in steps:
                other, a, b, c = _neighbour(i, j, k, step, shape)
                a, b, c = a + cells[point, 0], b + cells[point, 1], c + cells[point, 2]
                if levels[other] < 0:
                    rank = max(ranks[other], level)
                    levels[other] = rank
                    cells[other, 0], cells[other, 1], cells[other, 2] = a, b, c
                    link[other] = waiting[rank]
                    waiting[rank] = other
                elif dimensions < 3 and levels[other] <= level:
                    a, b, c = a - cells[other, 0], b - cells[other, 1], c - cells[other, 2]
                    if (a != 0 or b != 0 or c != 0) and _independent(basis, dimensions, a, b, c):
                        if dimensions < 2:
                            basis[dimensions, 0], basis[dimensions, 1], basis[dimensions, 2] = a, b, c
                        found[dimensions] = level
                        dimensions += 1
        level += 1
    return levels, found


@numba.njit(cache=True)
def _join(order, shape, steps, only_first_loop):
    """Join points, in an order, with their neighbours; :class:`Regions` with places in the order instead of points.

    With ``only_first_loop``, stop where a path closes around the crystal: the only one of the ways that is not -1.
    """
    parents = np.full(order.size, -1, np.int64)
    cells = np.zeros((order.size, 3), np.int64)
    region_of = np.empty(order.size, np.int64)  # of the root of each tree
    # Of the regions: there is room for some, and for more of them when it is needed.
    minima, saddles = np.empty(_FEW, np.int64), np.empty(_FEW, np.int64)
    merged, dimensions = np.empty(_FEW, np.int64), np.empty(_FEW, np.int64)
    ways, basis = np.empty((_FEW, 3), np.int64), np.empty((_FEW, 3, 3), np.int64)
    number = 0
    for place, point in enumerate(order):
        i, j, k = point // (shape[1] * shape[2]), point // shape[2] % shape[1], point % shape[2]
        for step in steps:
            other, a, b, c = _neighbour(i, j, k, step, shape)
            if parents[other] >= 0:
                parents[point], u, v, w = _root(parents, cells, other)
                cells[point, 0], cells[point, 1], cells[point, 2] = u - a, v - b, w - c
                break
        if parents[point] < 0:
            if number == len(minima):
                minima, saddles, merged = _doubled(minima), _doubled(saddles), _doubled(merged)
                dimensions, ways, basis = _doubled(dimensions), _doubled(ways), _doubled(basis)
            parents[point], region_of[point] = point, number
            minima[number], saddles[number], merged[number] = place, -1, number
            dimensions[number], ways[number] = 0, -1
            number += 1
        for step in steps:
            other, a, b, c = _neighbour(i, j, k, step, shape)
            if parents[other] < 0:
                continue
            root, x, y, z = _root(parents, cells, point)
            end, u, v, w = _root(parents, cells, other)
            a, b, c = a + x - u, b + y - v, c + z - w
            old, young = region_of[root], region_of[end]
            if root == end:
                if (a != 0 or b != 0 or c != 0) and _gains(basis, dimensions, old, a, b, c):
                    ways[old, dimensions[old] - 1] = place
                    if only_first_loop:
                        return minima[:number], saddles[:number], merged[:number], ways[:number]
                continue
            if old < young:
                parents[end] = root
                cells[end, 0], cells[end, 1], cells[end, 2] = a, b, c
            else:
                old, young = young, old
                parents[root] = end
                cells[root, 0], cells[root, 1], cells[root, 2] = -a, -b, -c
            saddles[young], merged[young] = place, old
            for n in range(dimensions[young]):
                a, b, c = basis[young, n]
                if _gains(basis, dimensions, old, a, b, c):
                    ways[old, dimensions[old] - 1] = place
    for region in range(number):  # those into which they merge come first
        if saddles[region] >= 0 and saddles[merged[region]] == saddles[region]:  # more than two merge there
            merged[region] = merged[merged[region]]
        for n in range(3):
            if ways[region, n] < 0:
                ways[region, n] = max(saddles[region], ways[merged[region], n])
    return minima[:number], saddles[:number], merged[:number], ways[:number]


@numba.njit(cache=True)
def _doubled(array):
    """An array with as many rows more, which hold anything."""
    return np.concatenate((array, np.empty_like(array)))


@numba.njit(cache=True)
def _gains(basis, dimensions, region, a, b, c):
    """Add a translation to those of a region; whether it is independent of them."""
    known = dimensions[region]
    if known == 3 or not _independent(basis[region], known, a, b, c):
        return False
    basis[region, known, 0], basis[region, known, 1], basis[region, known, 2] = a, b, c
    dimensions[region] += 1
    return True


@numba.njit(cache=True)
def _root(parents, cells, point):
    """The root of the tree of a point, and the cell of the point relative to that of the root. Shortens the way."""
    a = b = c = 0
    while parents[point] != point:
        parent = parents[point]
        cells[point] += cells[parent]
        parents[point] = parents[parent]
        a, b, c = a + cells[point, 0], b + cells[point, 1], c + cells[point, 2]
        point = parents[point]
    return point, a, b, c


@numba.njit(cache=True)
def _independent(basis, dimensions, a, b, c):
    """Whether the nonzero (a, b, c) is linearly independent of the first vectors of the basis."""
    if dimensions == 0:
        return True
    u, v = basis[0], basis[1]
    if dimensions == 1:
        return u[1] * c != u[2] * b or u[2] * a != u[0] * c or u[0] * b != u[1] * a
    x, y, z = u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]
    return x * a + y * b + z * c != 0


@numba.njit(cache=True)
def _least_cost_loop(cost, start, shape, steps, lengths):
    """Cheapest closed path through ``start`` that ends in another cell: two branches of Dijkstra's tree and one edge.

    No other is cheaper: any loop is the sum, over its edges, of such loops, none of which is more expensive. ``cost``
    is per length at each point, infinite where the path must not go. Returns parents in the tree, the cell in which
    each point is reached, both ends of the edge, and its step.
    """
    parents = np.full(cost.size, -1, np.int64)
    cells = np.zeros((cost.size, 3), np.int64)
    distances = np.full(cost.size, np.inf)
    done = np.zeros(cost.size, np.bool_)
    distances[start] = 0.0
    heap = [(0.0, start)]
    best, end, other_end, best_step = np.inf, start, start, -1
    while len(heap) > 0:
        distance, point = heapq.heappop(heap)
        if done[point]:
            continue
        done[point] = True
        i, j, k = point // (shape[1] * shape[2]), point // shape[2] % shape[1], point % shape[2]
        for s in range(len(steps)):
            other, a, b, c = _neighbour(i, j, k, steps[s], shape)
            if cost[other] == np.inf:
                continue
            a, b, c = a + cells[point, 0], b + cells[point, 1], c + cells[point, 2]
            longer = distance + lengths[s] * 0.5 * (cost[point] + cost[other])
            if done[other]:
                elsewhere = a != cells[other, 0] or b != cells[other, 1] or c != cells[other, 2]
                if elsewhere and longer + distances[other] < best:
                    best, end, other_end, best_step = longer + distances[other], point, other, s
            elif longer < distances[other]:
                distances[other] = longer
                parents[other] = point
                cells[other, 0], cells[other, 1], cells[other, 2] = a, b, c
                heapq.heappush(heap, (longer, other))
    return parents, cells, end, other_end, best_step
