"""The level map against a minimum spanning tree: each neighbour rule, skewed cells, grids that are not cubic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import reconstruction

from aiida_pesfp.fingerprint.levels import (
    easiest_path,
    level_map,
    lowest_point,
    neighbour_steps,
    percolation_energy,
    tile_around,
)
from aiida_pesfp.settings.descriptors import NEIGHBOUR_RULES
from tests.helpers import brute_force as reference
from tests.helpers.surfaces import skewed_cells


@st.composite
def fields(draw):
    """A random field of random shape: rough, or with many equal values."""
    shape = tuple(draw(st.tuples(*[st.integers(1, 7)] * 3)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    field = random.normal(size=shape)
    return np.round(field, 1) if draw(st.booleans()) else field


@given(fields(), skewed_cells, st.sampled_from(NEIGHBOUR_RULES), st.randoms())
@settings(max_examples=200, deadline=None)
def test_level_map_is_the_minimax_over_all_paths(field, vectors, rule, random):
    steps = neighbour_steps(vectors, rule)
    assert {tuple(step) for step in steps} == set(reference.neighbours(vectors, rule))
    seed = tuple(random.randrange(n) for n in field.shape)
    levels = level_map(field, seed, steps)
    np.testing.assert_array_equal(levels, reference.minimax(field, seed, steps))


def test_level_map_equals_morphological_reconstruction():
    """The levels are the reconstruction by erosion of the field from a marker that is low at the seed only."""
    field = np.random.default_rng(1).normal(size=(21, 13, 17))
    seed = lowest_point(field)
    marker = np.full_like(field, field.max())
    marker[seed] = field[seed]
    expected = reconstruction(marker, field, method='erosion', footprint=np.ones((3, 3, 3)))
    np.testing.assert_array_equal(level_map(field, seed, neighbour_steps(np.eye(3), '26')), expected)


@given(fields(), st.floats(-2, 2))
@settings(max_examples=100, deadline=None)
def test_stopping_early_changes_nothing_that_is_of_interest(field, stop):
    seed, steps = lowest_point(field), neighbour_steps(np.eye(3))
    full = level_map(field, seed, steps)
    early = level_map(field, seed, steps, stop_above=stop)
    assert percolation_energy(early) == percolation_energy(full)
    np.testing.assert_array_equal(early[full <= stop], full[full <= stop])
    assert ((early == full) | np.isinf(early)).all()


def test_in_a_rectangular_cell_all_26_are_neighbours_and_in_a_skewed_one_not():
    assert len(neighbour_steps(np.diag([0.2, 0.25, 0.22]), 'sqrt3')) == 26
    hexagonal = np.array([[0.25, 0, 0], [-0.125, 0.2165, 0], [0, 0, 0.25]])
    # a - b is as long as the diagonal, sqrt(3) x 0.25 A, and still one; +-(a - b) +- c are 0.5 A long and are not.
    missing = {(1, -1, 1), (1, -1, -1), (-1, 1, 1), (-1, 1, -1)}
    all_steps = {tuple(step) for step in neighbour_steps(hexagonal, '26')}
    assert {tuple(step) for step in neighbour_steps(hexagonal, 'sqrt3')} == all_steps - missing
    with pytest.raises(ValueError, match='unknown neighbour rule'):
        neighbour_steps(np.eye(3), '18')


def test_tiling_puts_the_centre_in_the_middle_and_its_replicas_on_the_faces():
    grid = np.random.default_rng(0).normal(size=(3, 4, 2))
    centre = lowest_point(grid)
    tiled = tile_around(grid, centre)
    assert tiled.shape == (7, 9, 5)
    for replica in np.ndindex(3, 3, 3):
        assert tiled[tuple(np.array(replica) * grid.shape)] == grid.min()
    np.testing.assert_array_equal(tiled[:-1, :-1, :-1][:3, :4, :2], tiled[3:6, 4:8, 2:4])


def test_a_barrier_of_known_height():
    """A channel along z through a wall of 5 eV, with a bottleneck of 0.3 eV, has that as its percolation energy."""
    grid = np.full((5, 5, 6), 5.0)
    grid[2, 2] = [0.0, 0.1, 0.3, 0.2, 0.3, 0.05]
    levels = level_map(tile_around(grid, (2, 2, 0)), grid.shape, neighbour_steps(np.eye(3), '6'))
    assert percolation_energy(levels) == 0.3
    assert levels[0, 0, 0] == 5.0


@given(st.integers(0, 2**32 - 1), skewed_cells, st.sampled_from(NEIGHBOUR_RULES))
@settings(max_examples=50, deadline=None)
def test_the_easiest_path_has_the_percolation_energy_as_its_barrier(seed, vectors, rule):
    grid = np.random.default_rng(seed).gamma(2.0, size=(4, 5, 3))
    steps = neighbour_steps(vectors, rule)
    path, barrier = easiest_path(grid, steps)
    assert barrier == percolation_energy(level_map(tile_around(grid, lowest_point(grid)), grid.shape, steps))
    assert grid.ravel()[path].max() == barrier
    indices = np.stack(np.unravel_index(path, grid.shape), axis=-1)
    assert tuple(indices[0]) == lowest_point(grid)
    allowed = {tuple(step % grid.shape) for step in steps}
    assert all(tuple(step % grid.shape) in allowed for step in np.diff(indices, axis=0))
