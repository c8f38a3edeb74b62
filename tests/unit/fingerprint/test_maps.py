"""The maps of equivalent ions: those with other axes are those computed anew."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.levels import neighbour_steps
from aiida_pesfp.fingerprint.maps import ion_maps
from aiida_pesfp.settings.descriptors import NEIGHBOUR_RULES
from tests.helpers.surfaces import make_surface, skewed_cells

CUBIC = [np.eye(3, dtype=int)[list(order)] for order in ((0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1))]
#: A sixfold axis takes a to a + b, and neither neighbour steps nor outer faces of the level map onto themselves.
SIXFOLD = np.array([[1, -1, 0], [1, 0, 0], [0, 0, 1]])
HEXAGONAL = np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, 1]])


@st.composite
def symmetric_surfaces(draw):
    """A random surface of one ion, and of three more by operations of a cubic or a hexagonal lattice."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 5))
    energies = random.gamma(2.0, size=(1, n, n, n))
    if draw(st.booleans()):
        energies = np.round(energies)  # with several lowest points
    hexagonal = draw(st.booleans())
    signs = st.tuples(*[st.sampled_from([-1, 1])] * 3)
    rotations = [np.eye(3, dtype=int)]
    for _ in range(3):
        if hexagonal:
            rotations.append(draw(st.sampled_from([-np.eye(3, dtype=int), SIXFOLD, -SIXFOLD])))
        else:
            rotations.append(np.diag(draw(signs)) @ draw(st.sampled_from(CUBIC)))
    shifts = np.array([[0, 0, 0], *(draw(st.tuples(*[st.integers(0, n - 1)] * 3)) for _ in range(3))])
    surface = make_surface(energies, (HEXAGONAL if hexagonal else np.eye(3)) * n)
    return replace(
        surface,
        mobile_ions=np.arange(4),
        representatives=np.zeros(4, dtype=int),
        rotations=np.array(rotations),
        translations=shifts / n,
        fractional_coordinates=random.random((4, 3)),
        atomic_numbers=np.full(4, 3),
    )


def without_symmetry(surface):
    """The same surface, each ion scanned by itself."""
    every = make_surface([surface.on_grid(position) for position in range(4)], surface.lattice)
    return replace(every, fractional_coordinates=surface.fractional_coordinates)


@given(symmetric_surfaces(), st.sampled_from(NEIGHBOUR_RULES), st.none() | skewed_cells)
@settings(max_examples=100, deadline=None)
def test_maps_of_equivalent_ions_are_exact(surface, rule, vectors):
    """Also with the steps of a cell that is less symmetric, as one is that is symmetric to a tolerance only."""
    steps = neighbour_steps(surface.lattice if vectors is None else vectors, rule)
    for found, expected in zip(ion_maps(surface, steps), ion_maps(without_symmetry(surface), steps)):
        assert (found.mpe, found.barriers, found.centre) == (expected.mpe, expected.barriers, expected.centre)
        np.testing.assert_array_equal(found.levels, expected.levels)
        np.testing.assert_array_equal(found.periodic, expected.periodic)
    few, every = describe(surface), describe(without_symmetry(surface))
    assert (few.values, few.spectrum) == (every.values, every.spectrum)
    for found, expected in zip(few.ions, every.ions):
        assert replace(found, equivalent_to=found.index) == expected
        assert found.equivalent_to == 0


def test_what_is_known_is_not_computed_again():
    """Maps with other axes are views of those of the representative."""
    surface = make_surface(np.random.default_rng(0).random((1, 4, 4, 4)))
    surface = replace(
        surface,
        mobile_ions=np.arange(2),
        representatives=np.zeros(2, dtype=int),
        rotations=np.array([np.eye(3, dtype=int), -CUBIC[2]]),
        translations=np.array([[0, 0, 0], [0.25, 0, 0.5]]),
    )
    first, second = ion_maps(surface, neighbour_steps(np.eye(3)))
    assert np.shares_memory(first.levels, second.levels)
    assert first.centre != second.centre
