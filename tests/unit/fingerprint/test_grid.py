"""The scan grid and the exclusion mask against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.fingerprint.grid import excluded_points, fractional_points, grid_shape, grid_vectors
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers.surfaces import skewed_cells

coordinates = st.floats(-1.5, 1.5, allow_nan=False)


@pytest.mark.parametrize(
    ('length', 'points'), [(4.0, 16), (4.0001, 17), (3.9999, 16), (0.2, 1), (0.25 * 3, 3), (5.000000000001, 20)]
)
def test_shape_is_the_smallest_that_keeps_the_spacing(length, points):
    assert grid_shape(np.eye(3) * length, 0.25) == (points,) * 3


@given(skewed_cells, st.floats(0.1, 1.0))
def test_no_step_is_larger_than_the_spacing_and_one_point_less_would_not_do(lattice, spacing):
    shape = np.array(grid_shape(lattice, spacing))
    assert (np.linalg.norm(grid_vectors(lattice, shape), axis=1) <= spacing + 1e-6).all()
    lengths = np.linalg.norm(lattice, axis=1)
    assert all(n == 1 or length / (n - 1) > spacing for n, length in zip(shape, lengths))


def test_points_begin_at_the_origin_and_leave_out_the_end():
    points = fractional_points(np.arange(24), (2, 3, 4))
    np.testing.assert_allclose(points[0], 0)
    np.testing.assert_allclose(points[-1], (1 / 2, 2 / 3, 3 / 4))
    np.testing.assert_allclose(points[1], (0, 0, 1 / 4))


@given(skewed_cells, st.lists(st.tuples(*[coordinates] * 3), min_size=0, max_size=3), st.floats(0.0, 2.5))
def test_excluded_are_the_points_close_to_any_image(lattice, framework, minimum_distance):
    shape = (5, 4, 6)
    framework = np.array(framework).reshape(-1, 3)
    mask = excluded_points(lattice, framework, shape, minimum_distance)
    # Enough images for the flattest of these cells: the distance of its lattice planes limits the reach.
    reach = np.ceil((minimum_distance + 3) * np.linalg.norm(np.linalg.inv(lattice), axis=0)).astype(int) + 3
    images = np.array(list(itertools.product(*(range(-r, r + 1) for r in reach)))) @ lattice
    for index in np.ndindex(shape):
        place = np.array(index) / shape
        nearest = min(
            (np.linalg.norm((place - atom) @ lattice - images, axis=1).min() for atom in framework), default=np.inf
        )
        if abs(nearest - minimum_distance) > 1e-9:
            assert mask[index] == (nearest < minimum_distance)


@pytest.mark.parametrize('values', [{'spacing': 0.0}, {'spacing': -0.1}, {'minimum_distance': -1.0}])
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match='should be greater than'):
        ScanSettings(**values)
