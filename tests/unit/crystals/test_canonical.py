"""One crystal has one cell, whatever basis, origin, orientation, supercell or order of atoms describes it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from aiida_pesfp.crystals.canonical import canonical_cell, cell_to_scan, doubts_of_cell
from aiida_pesfp.crystals.cells import interplanar_distances, minkowski_reduce, supercell_matrix
from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.symmetry import crystal_operations, on_grid
from tests.helpers.crystals import antifluorite, perovskite, rock_salt, wurtzite

SKEWED = Lattice.from_parameters(4.1, 5.3, 6.2, 83, 97, 104)
CRYSTALS = {
    'rock salt': rock_salt('Li', 'Cl', 5.13),
    'antifluorite': antifluorite('Li', 'Te', 6.517),
    'perovskite': perovskite('La', 'Ti', 'O', 3.9),
    'polar, hexagonal': wurtzite('Li', 'I', 4.514, 7.311, 0.375),
    'P1': Structure(SKEWED, ['Li', 'Li', 'O', 'Cl'], [[0.1, 0.2, 0.3], [0.6, 0.15, 0.72], [0.33, 0.7, 0.1], [0.8] * 3]),
    'P-1': Structure.from_spacegroup('P-1', SKEWED, ['Li', 'S'], [[0.1, 0.2, 0.3], [0.4, 0.7, 0.1]]),
    # Without a point of any site symmetry, and chiral.
    'P2_12_12_1': Structure.from_spacegroup(
        'P2_12_12_1', Lattice.orthorhombic(5.1, 6.3, 7.7), ['Li', 'Cl'], [[0.05, 0.2, 0.3], [0.4, 0.7, 0.1]]
    ),
    # Chiral, with a screw axis of three steps.
    'P3_121': Structure.from_spacegroup(
        'P3_121', Lattice.hexagonal(4.9, 5.4), ['Si', 'O'], [[0.47, 0, 1 / 3], [0.41, 0.27, 0.21]]
    ),
    'R3c, polar': Structure.from_spacegroup(
        'R3c', Lattice.hexagonal(5.148, 13.863), ['Li', 'Nb', 'O'], [[0, 0, 0.279], [0, 0, 0], [0.048, 0.343, 0.064]]
    ),
    'body-centred': Structure.from_spacegroup(
        'I4/mmm', Lattice.tetragonal(3.8, 12.9), ['Li', 'O'], [[0, 0, 0.35], [0, 0, 0.15]]
    ),
    'pseudo-cubic': Structure.from_spacegroup(
        'Pmmm', Lattice.orthorhombic(4, 4, 4), ['Li', 'O', 'S'], [[0, 0, 0], [0.5, 0.5, 0.1], [0.5, 0, 0.5]]
    ),
}


@st.composite
def descriptions(draw, crystal: Structure) -> Structure:
    """The same crystal in another cell."""
    matrix = np.eye(3, dtype=int)
    for row, column, factor in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-2, 2)), max_size=4)
    ):
        if row != column:
            matrix[row] += factor * matrix[column]
    supercell = np.diag(draw(st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 3, 1), (1, 2, 2)])))
    found = crystal.copy()
    found.make_supercell(supercell @ matrix)
    origin = draw(st.tuples(*[st.floats(0, 1)] * 3))
    turn = Rotation.random(random_state=draw(st.integers(0, 1000))).as_matrix()
    order = draw(st.permutations(range(len(found))))
    places = (found.frac_coords - origin)[order]
    return Structure(found.lattice.matrix @ turn.T, [found[index].specie for index in order], places)


@pytest.mark.parametrize('name', CRYSTALS)
def test_every_description_of_a_crystal_has_the_same_cell(name):
    cells = {'primitive': canonical_cell(CRYSTALS[name])}
    cells['size_consistent'] = cell_to_scan(CRYSTALS[name], 'size_consistent', 6.5)[0]

    @settings(max_examples=25, deadline=None)
    @given(descriptions(CRYSTALS[name]))
    def same(described):
        for cell, expected in cells.items():
            found = cell_to_scan(described, cell, 6.5)[0]
            np.testing.assert_allclose(found.lattice.matrix, expected.lattice.matrix, atol=1e-6)
            assert found.species == expected.species
            apart = found.frac_coords - expected.frac_coords
            np.testing.assert_allclose(apart - np.rint(apart), 0, atol=1e-6)

    same()


@pytest.mark.parametrize('name', CRYSTALS)
def test_the_cell_is_primitive_and_compact_and_the_crystal_the_same(name):
    given, found = CRYSTALS[name], canonical_cell(CRYSTALS[name])
    assert found.volume == pytest.approx(given.get_primitive_structure().volume)
    assert StructureMatcher(primitive_cell=True, scale=False, ltol=1e-3, stol=1e-3, angle_tol=0.1).fit(given, found)
    lengths = np.linalg.norm(minkowski_reduce(found.lattice.matrix[None])[0] @ found.lattice.matrix, axis=1)
    np.testing.assert_allclose(sorted(found.lattice.abc), sorted(lengths), rtol=1e-6)
    assert np.linalg.det(found.lattice.matrix) > 0


@pytest.mark.parametrize('name', CRYSTALS)
@pytest.mark.parametrize('size', [4.0, 6.5, 9.0])
def test_a_size_consistent_cell_is_the_smallest_supercell_that_is_large_enough(name, size):
    primitive = canonical_cell(CRYSTALS[name])
    found, doubts = cell_to_scan(CRYSTALS[name], 'size_consistent', size)
    assert doubts == ()
    assert interplanar_distances(found.lattice.matrix).min() > size - 1e-6
    assert len(found) % len(primitive) == 0
    assert round(np.linalg.det(supercell_matrix(primitive.lattice.matrix, size))) == len(found) // len(primitive)
    assert StructureMatcher(primitive_cell=True, scale=False, ltol=1e-3, stol=1e-3, angle_tol=0.1).fit(primitive, found)


@pytest.mark.parametrize('name', CRYSTALS)
def test_a_cell_as_given_is_told_from_the_canonical_one(name):
    """Descriptors depend on the origin, not on the order and direction of the vectors or of the atoms."""
    cell = canonical_cell(CRYSTALS[name])
    turned = Structure(-cell.lattice.matrix[[1, 2, 0]], cell.species[::-1], -cell.frac_coords[::-1][:, [1, 2, 0]])
    assert cell_to_scan(turned, 'as_given', 6.5) == (turned, ())
    shifted = Structure(cell.lattice, cell.species, cell.frac_coords + np.array([0.1, 0.05, 0.13]))
    assert 'or has another origin' in cell_to_scan(shifted, 'as_given', 6.5)[1][0]
    assert 'as given' in cell_to_scan(cell * (2, 1, 1), 'as_given', 6.5)[1][0]


@pytest.mark.parametrize(
    ('crystal', 'words'),
    [
        (
            CRYSTALS['rock salt'],
            r'LiCl: a supercell with 60 A .* 500 are the limit: take a smaller .* \(cell_size\)',
        ),
        (
            Structure(Lattice.cubic(20), ['Li'] * 200, np.random.default_rng(0).random((200, 3))),
            r'Li: a supercell with 60 A .* has 5400 atoms, 5000 are the limit: take a smaller distance \(cell_size\)',
        ),
    ],
)
def test_a_cell_that_would_be_far_too_large_is_refused(crystal, words):
    with pytest.raises(StructureError, match=words):
        cell_to_scan(crystal, 'size_consistent', 60.0)


def test_a_mirror_image_is_another_crystal():
    crystal = CRYSTALS['P3_121']
    mirrored = Structure(crystal.lattice, crystal.species, -crystal.frac_coords)
    found = canonical_cell(mirrored)
    assert not np.allclose(found.frac_coords, canonical_cell(crystal).frac_coords, atol=1e-3)
    assert found.get_space_group_info() == ('P3_221', 154)


def test_small_errors_of_a_file_do_not_count():
    crystal = CRYSTALS['R3c, polar'].copy()
    expected = canonical_cell(crystal)
    crystal.perturb(1e-3)
    found = canonical_cell(crystal)
    assert len(found) == len(expected)
    assert np.abs(found.lattice.matrix - expected.lattice.matrix).max() < 5e-3


@pytest.mark.parametrize('name', ['rock salt', 'antifluorite', 'perovskite', 'P2_12_12_1', 'R3c, polar'])
def test_the_origin_is_one_at_which_the_grid_has_the_symmetry_of_the_crystal(name):
    crystal = canonical_cell(CRYSTALS[name])
    known = crystal_operations(crystal)
    shape = 12 * np.ones(3, dtype=int)
    assert len(on_grid(known, crystal.lattice.matrix, shape)) == len(known)


@pytest.mark.parametrize('name', ['rock salt', 'perovskite', 'R3c, polar'])
def test_supercells_with_noise_are_doubted(name):
    canonical = canonical_cell(CRYSTALS[name])
    assert doubts_of_cell(canonical) == ()
    noisy = canonical * (2, 2, 1)
    noisy.perturb(0.02)
    (doubt,) = doubts_of_cell(canonical_cell(noisy))
    assert doubt.startswith(
        f'it has {len(noisy)} atoms, and {len(canonical)} if atoms may be off their places by 0.1 A'
    )
