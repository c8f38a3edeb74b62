"""Supercells: properties that hold for every cell, and small cases done by hand."""

import itertools

import numpy as np
import pytest
from ase.geometry import minkowski_reduce as reduce_by_ase
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aiida_pesfp.crystals.cells import fill_supercell, interplanar_distances, minkowski_reduce, supercell_matrix

FACE_CENTRED = np.array([[0, 2.6, 2.6], [2.6, 0, 2.6], [2.6, 2.6, 0]])
HEXAGONAL = np.array([[4.5, 0, 0], [-2.25, 4.5 * np.sqrt(3) / 2, 0], [0, 0, 7.3]])

vectors = arrays(float, (3, 3), elements=st.floats(-7, 7, width=32))
cells = vectors.filter(
    lambda cell: (
        abs(np.linalg.det(cell)) > 25 and abs(np.linalg.det(cell)) > 0.1 * np.prod(np.linalg.norm(cell, axis=1))
    )
)


@pytest.mark.parametrize(
    ('cell', 'distance', 'determinant'),
    [
        (np.eye(3) * 6.5, 6.5, 1),
        (np.eye(3) * 6.49, 6.5, 2),  # face-centred, {111} planes 2 a / sqrt3 apart
        (np.eye(3) * 4.0, 6.5, 8),
        (np.diag([3.3, 7.0, 20.0]), 6.5, 2),
        (HEXAGONAL, 6.5, 3),  # sqrt3 x sqrt3; a diagonal matrix needs 4
    ],
)
def test_small_cases(cell, distance, determinant):
    assert round(np.linalg.det(supercell_matrix(cell, distance))) == determinant


def test_a_large_cell_stays_as_it_is():
    cell = np.array([[9.0, 0, 0], [3.0, 8.0, 0], [1.0, 2.0, 9.0]])
    np.testing.assert_array_equal(supercell_matrix(cell, 6.5), np.eye(3))


def test_a_cell_that_is_only_badly_chosen_needs_no_more_atoms():
    cell = np.array([[7.0, 0, 0], [14.0, 7.0, 0], [-7.0, 21.0, 7.0]])
    assert interplanar_distances(cell).min() < 2
    matrix = supercell_matrix(cell, 6.5)
    assert round(np.linalg.det(matrix)) == 1
    np.testing.assert_allclose(interplanar_distances(matrix @ cell), 7.0)


def test_the_diagonal_option_is_larger_and_diagonal():
    matrix = supercell_matrix(FACE_CENTRED, 6.5, diagonal=True)
    np.testing.assert_array_equal(matrix, np.diag([3, 3, 3]))
    assert round(np.linalg.det(supercell_matrix(FACE_CENTRED, 6.5))) == 12


@settings(deadline=None, max_examples=30)
@given(cell=cells)
def test_it_is_large_enough_and_nothing_smaller_is(cell):
    """Against a search that knows nothing of dual lattices: all small integer matrices of a smaller determinant."""
    matrix = supercell_matrix(cell, 6.5)
    determinant = round(np.linalg.det(matrix))
    assert determinant >= 1
    assert interplanar_distances(matrix @ cell).min() >= 6.5 * (1 - 1e-7)
    rows = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    lengths = np.linalg.norm(rows @ cell, axis=1)
    rows = rows[(lengths >= 6.5 * (1 - 1e-7)) & (lengths < 14)]
    triples = np.array(list(itertools.combinations(rows[:60], 3)))
    determinants = np.abs(np.rint(np.linalg.det(triples)))
    smaller = triples[(determinants >= 1) & (determinants < determinant)]
    if len(smaller):
        assert not (interplanar_distances(smaller @ cell).min(axis=1) >= 6.5).any()


@settings(deadline=None, max_examples=50)
@given(cell=cells, order=st.permutations(range(3)), sign=st.sampled_from([1, -1]), shear=st.integers(-3, 3))
def test_another_basis_of_the_lattice_gives_the_same_size(cell, order, sign, shear):
    other = sign * cell[list(order)]
    other[0] += shear * other[1]
    first, second = supercell_matrix(cell, 6.5), supercell_matrix(other, 6.5)
    if interplanar_distances(cell).min() >= 6.5 or interplanar_distances(other).min() >= 6.5:
        assert round(np.linalg.det(first)) == round(np.linalg.det(second)) == 1
    assert round(np.linalg.det(first)) == round(np.linalg.det(second))


@settings(deadline=None, max_examples=50)
@given(cell=cells)
def test_reduction_agrees_with_ase(cell):
    coefficients = minkowski_reduce(cell[None])[0]
    assert abs(round(np.linalg.det(coefficients))) == 1
    ours = np.linalg.norm(coefficients @ cell, axis=1)
    np.testing.assert_allclose(ours, np.sort(np.linalg.norm(reduce_by_ase(cell)[0], axis=1)), rtol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    cell=cells,
    matrix=arrays(int, (3, 3), elements=st.integers(-3, 3)).filter(lambda m: 0 < round(np.linalg.det(m)) < 60),
    fractions=arrays(float, (3, 3), elements=st.floats(-1, 2, width=32)),
)
def test_atoms_fill_the_supercell_once(cell, matrix, fractions):
    positions, sites = fill_supercell(cell, fractions @ cell, matrix)
    determinant = round(np.linalg.det(matrix))
    assert positions.shape == (3 * determinant, 3)
    np.testing.assert_array_equal(np.bincount(sites), [determinant] * 3)
    # Every atom is a lattice translation away from its site ...
    translations = (positions - (fractions @ cell)[sites]) @ np.linalg.inv(cell)
    np.testing.assert_allclose(translations, np.rint(translations), atol=1e-6)
    # ... no two translations of one site are the same in the supercell, and all atoms are inside of it.
    places = np.rint(translations).astype(int)
    inverse = np.rint(np.linalg.inv(matrix) * determinant).astype(int)
    classes = {(site, *place) for site, place in zip(sites.tolist(), ((places @ inverse) % determinant).tolist())}
    assert len(classes) == len(sites)
    inside = positions @ np.linalg.inv(matrix @ cell)
    assert inside.min() > -1e-8
    assert inside.max() < 1 + 1e-8


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ((np.zeros((3, 3)), 6.5), 'has no volume'),
        ((np.eye(3), 0.0), 'must be positive'),
        ((np.eye(3), float('inf')), 'must be positive'),
        ((np.eye(3), 1e300), 'at most 100 A'),
        ((3 * np.eye(3), 99.0), 'has 35937 cells or more, 500 are the limit'),
        ((3 * np.eye(3), 99.0, True), 'has 35937 cells or more, 500 are the limit'),
    ],
)
def test_nonsense_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        supercell_matrix(*arguments)


def test_a_matrix_that_inverts_space_is_refused():
    with pytest.raises(ValueError, match='positive determinant'):
        fill_supercell(np.eye(3), np.zeros((1, 3)), -np.eye(3, dtype=int))
