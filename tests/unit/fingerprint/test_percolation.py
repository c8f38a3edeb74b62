"""Percolation barriers and energy profiles against slow, plain twins, and where they are known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import level_map, lowest_point, neighbour_steps, percolation_energy, tile_around
from aiida_pesfp.fingerprint.percolation import (
    easiest_path_to_image,
    energy_profile,
    lowest_loop,
    percolation_barriers,
    periodic_levels,
)
from aiida_pesfp.settings.descriptors import NEIGHBOUR_RULES
from tests.helpers import brute_force as reference
from tests.helpers.surfaces import make_surface, skewed_cells


@st.composite
def fields(draw, smallest=1):
    """A random periodic field of a few points: rough, or with many equal values."""
    shape = tuple(draw(st.tuples(*[st.integers(smallest, 4)] * 3)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    field = random.gamma(2.0, size=shape)
    return np.round(field, 1) if draw(st.booleans()) else field


@given(fields(), skewed_cells, st.sampled_from(NEIGHBOUR_RULES))
@settings(max_examples=60, deadline=None)
def test_barriers_are_those_counted_on_a_periodic_supercell(field, vectors, rule):
    """On a torus of 5 x 5 x 5 cells, a region with d independent translations holds 5^d of the 125 images of the site.

    (Unless a translation is five times another place, which such small fields have no way long enough for.)
    """
    prime = 5
    steps = list(reference.neighbours(vectors, rule))
    torus = np.tile(field, (prime,) * 3)
    levels = reference.periodic_minimax(torus, lowest_point(field), steps)
    offsets = np.array(lowest_point(field))
    cells = np.array(list(np.ndindex(*(prime,) * 3)))
    of_images = np.sort(levels[tuple((offsets + cells * field.shape).T)])
    expected = tuple(of_images[[1, prime, prime**2]])
    assert percolation_barriers(field, neighbour_steps(vectors, rule)) == expected


@given(fields(), skewed_cells, st.sampled_from(NEIGHBOUR_RULES), st.floats(0, 3), st.integers(0, 63))
@settings(max_examples=60, deadline=None)
def test_levels_of_the_periodic_grid_are_those_of_the_plain_twin(field, vectors, rule, stop_above, start):
    start = tuple(int(i) for i in np.unravel_index(start % field.size, field.shape))
    expected = reference.periodic_minimax(field, start, list(reference.neighbours(vectors, rule)))
    steps = neighbour_steps(vectors, rule)
    np.testing.assert_array_equal(periodic_levels(field, steps, start)[0], expected)
    found, barriers = periodic_levels(field, steps, start, stop_above)
    needed = expected <= max(stop_above, barriers[2])
    np.testing.assert_array_equal(found[needed], expected[needed])
    assert (found[~needed] >= expected[~needed]).all()


@given(fields(), skewed_cells, st.sampled_from(NEIGHBOUR_RULES))
@settings(max_examples=100, deadline=None)
def test_barriers_rise_with_the_dimension_and_mpe_is_below_all(field, vectors, rule):
    steps = neighbour_steps(vectors, rule)
    barriers = percolation_barriers(field, steps)
    mpe = percolation_energy(level_map(tile_around(field, lowest_point(field)), field.shape, steps))
    assert field.min() <= mpe <= barriers[0] <= barriers[1] <= barriers[2] <= field.max()


@given(fields(), skewed_cells, st.tuples(*[st.integers(0, 3)] * 3), st.permutations(range(3)))
@settings(max_examples=50, deadline=None)
def test_barriers_depend_neither_on_the_origin_nor_on_the_order_of_axes(field, vectors, shift, axes):
    field.flat[0] = -1  # one lowest point only, for another would be another site
    barriers = percolation_barriers(field, neighbour_steps(vectors))
    assert percolation_barriers(np.roll(field, shift, (0, 1, 2)), neighbour_steps(vectors)) == barriers
    assert percolation_barriers(field.transpose(axes), neighbour_steps(vectors[list(axes)])) == barriers


@given(fields(), skewed_cells, st.sampled_from(NEIGHBOUR_RULES))
@settings(max_examples=100, deadline=None)
def test_the_lowest_loop_is_that_of_the_best_of_all_points(field, vectors, rule):
    steps = neighbour_steps(vectors, rule)
    barriers = [percolation_barriers(field, steps, point)[0] for point in np.ndindex(field.shape)]
    assert lowest_loop(field, steps) == min(barriers)


def channels(shape, *ways):
    """A field of 9 eV with straight channels from the origin: (direction, energy of all its points but the first)."""
    field = np.full(shape, 9.0)
    for direction, energy in ways:
        point = np.zeros(3, dtype=int)
        while True:
            point = (point + direction) % shape
            if not point.any():
                break
            field[tuple(point)] = min(energy, field[tuple(point)])
    field[0, 0, 0] = 0.0
    return field


def test_known_barriers():
    """A chain along c, a plane with diagonal channels, and a last way along a + b + c."""
    steps = neighbour_steps(np.eye(3), '26')
    one = channels((6, 6, 6), ((0, 0, 1), 0.2))
    assert percolation_barriers(one, steps) == (0.2, 9.0, 9.0)
    three = channels((6, 6, 6), ((0, 0, 1), 0.2), ((0, 1, 1), 0.4), ((1, 1, 1), 0.7))
    assert percolation_barriers(three, steps) == (0.2, 0.4, 0.7)
    # The third channel is a sum of the other two: still a plane.
    plane = channels((6, 6, 6), ((0, 0, 1), 0.2), ((0, 1, 0), 0.3), ((0, 1, 1), 0.4))
    assert percolation_barriers(plane, steps) == (0.2, 0.3, 9.0)


def test_a_skew_channel_percolates_in_one_dimension():
    """It goes (1, 0, 2) cells before it meets its like, and through no two neighbouring cells along an axis."""
    helix = channels((4, 4, 4), ((1, 0, 2), 0.3))
    assert percolation_barriers(helix, np.array([[1, 0, 2], [-1, 0, -2], *neighbour_steps(np.eye(3), '6')])) == (
        0.3,
        9.0,
        9.0,
    )


def test_a_region_that_reaches_a_face_of_the_level_map_need_not_percolate():
    """A blind alley as long as the cell, along a skew direction: MPE is low, and the ion goes nowhere."""
    field = np.full((6, 6, 6), 5.0)
    for k in range(7):
        field[k % 6, k // 2, 0] = 0.1
    field[0, 0, 0] = 0.0
    steps = neighbour_steps(np.eye(3), '26')
    levels = level_map(tile_around(field, (0, 0, 0)), field.shape, steps)
    assert percolation_energy(levels) == 0.1
    assert percolation_barriers(field, steps) == (5.0, 5.0, 5.0)


def cost_of(path, field, vectors):
    """The integral that the path has the least of, by the words of its definition."""
    barrier = max(field[tuple(point % field.shape)] for point in path)
    scale = (barrier - field.min()) or 1.0
    costs = [np.exp(20 * (field[tuple(point % field.shape)] - field.min()) / scale) for point in path]
    lengths = np.linalg.norm(np.diff(path, axis=0) @ vectors, axis=1)
    return sum(length * (a + b) / 2 for length, a, b in zip(lengths, costs, costs[1:]))


def least_cost(field, vectors, steps, barrier, cells):
    """Least cost of a path to an image, by Dijkstra's algorithm on so many cells on either side, without wrapping."""
    tiled = np.tile(field, (2 * cells + 1,) * 3)
    scale = (barrier - field.min()) or 1.0
    cost = np.where(tiled <= barrier, np.exp(20 * np.minimum(tiled - field.min(), scale) / scale), np.inf)
    index = np.arange(tiled.size).reshape(tiled.shape)
    rows, columns, weights = [], [], []
    for step in steps:
        here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, tiled.shape))
        there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, tiled.shape))
        weight = np.linalg.norm(step @ vectors) * (cost[here] + cost[there]).ravel() / 2
        good = np.isfinite(weight)
        rows.append(index[here].ravel()[good])
        columns.append(index[there].ravel()[good])
        weights.append(weight[good])
    graph = coo_matrix((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), (tiled.size,) * 2)
    seed = np.array(lowest_point(field))
    images = [seed + field.shape * np.array(cell) for cell in np.ndindex(*(2 * cells + 1,) * 3)]
    images = np.ravel_multi_index(tuple(np.array(images).T), tiled.shape)
    start = len(images) // 2
    distances = dijkstra(graph.tocsr(), indices=images[start])[images]
    return np.delete(distances, start).min()


@given(fields(smallest=2), skewed_cells, st.sampled_from(NEIGHBOUR_RULES))
@settings(max_examples=40, deadline=None)
def test_the_path_is_the_cheapest_of_all_with_the_least_barrier(field, vectors, rule):
    steps, shape, cells = neighbour_steps(vectors, rule), np.array(field.shape), 2
    path = easiest_path_to_image(field, vectors, rule)
    barrier = percolation_barriers(field, steps)[0]
    assert field[tuple((path % shape).T)].max() == barrier
    assert tuple(path[0]) == lowest_point(field)
    travelled = path[-1] - path[0]
    assert travelled.any()
    assert not (travelled % shape).any()
    assert {tuple(step) for step in np.diff(path, axis=0)} <= {tuple(step) for step in steps}
    cost, least = cost_of(path, field, vectors), least_cost(field, vectors, steps, barrier, cells)
    assert cost <= least * (1 + 1e-9)
    if (path >= -cells * shape).all() and (path < (cells + 1) * shape).all():
        assert cost == pytest.approx(least, rel=1e-9)


def test_the_path_is_low_everywhere_not_only_at_its_highest_point():
    """Behind a pass that all ways share, the low way round is taken although a short one stays below the barrier."""
    field = np.full((8, 8, 8), 5.0)
    field[0, 0] = [0.0, 0.2, 0.5, 0.2, 0.1, 0.45, 0.1, 0.05]
    field[1, 0, 4:7] = 0.1
    surface = make_surface([field], np.diag([2.0, 2.0, 2.0]))
    profile = energy_profile(surface, 0, '6')
    assert profile.translation in ((0, 0, 1), (0, 0, -1))
    assert profile.barrier == pytest.approx(0.5)
    np.testing.assert_allclose(np.sort(profile.energy)[-3:], [0.2, 0.2, 0.5], atol=1e-6)
    np.testing.assert_allclose(profile.length, 0.25 * np.arange(11))


@given(st.integers(0, 2**32 - 1), skewed_cells)
@settings(max_examples=20, deadline=None)
def test_a_profile_is_consistent(seed, lattice):
    field = np.random.default_rng(seed).gamma(2.0, size=(4, 5, 3))
    surface = make_surface([field], lattice)
    profile = energy_profile(surface, 0)
    assert (
        profile.barrier
        == percolation_barriers(surface.of_ion(0), neighbour_steps(grid_vectors(lattice, surface.shape)))[0]
    )
    assert profile.energy[0] == profile.energy[-1] == 0
    assert any(profile.translation)
    np.testing.assert_allclose(profile.cartesian, profile.fractional @ lattice, atol=1e-12)
    pieces = np.linalg.norm(np.diff(profile.cartesian, axis=0), axis=1)
    np.testing.assert_allclose(np.diff(profile.length), pieces)
    indices = np.rint(profile.fractional * surface.shape).astype(int) % surface.shape
    np.testing.assert_array_equal(profile.energy, surface.of_ion(0)[tuple(indices.T)])


def test_a_profile_as_a_table(tmp_path):
    profile = energy_profile(make_surface([channels((4, 4, 4), ((0, 0, 1), 0.2))]), 0)
    profile.save(tmp_path / 'profile.csv')
    found = np.genfromtxt(tmp_path / 'profile.csv', delimiter=',', names=True)
    np.testing.assert_allclose(found['energy_eV'], profile.energy, atol=1e-6)
    np.testing.assert_allclose(found['c'], profile.fractional[:, 2], atol=1e-6)
    np.testing.assert_allclose(found['length_angstrom'], [0, 0.25, 0.5, 0.75, 1.0])
