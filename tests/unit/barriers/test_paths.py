"""The easiest path through a frozen crystal."""

import itertools

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from aiida_pesfp import errors
from aiida_pesfp.barriers import paths
from aiida_pesfp.fingerprint.levels import level_map
from tests.helpers.calculators import gated_crystal


class Hill:
    """A hill in the middle of a hop along x, 4 A long, with a pass beside it. Counts what it evaluates."""

    points_per_call, evaluated = 64, 0

    def energies(self, ion, positions):
        self.evaluated += len(positions)
        x, y, z = positions.T
        ridge = np.exp(-((x - 2) ** 2))
        return ridge * (1 - 0.7 * np.exp(-((y - 1.2) ** 2) / 0.1 - z**2 / 0.1)) + 0.01 * (y**2 + z**2)


@pytest.fixture
def crystal():
    return Structure(Lattice.cubic(9.0), ['Li', 'Cl'], [[0, 0, 0], [4 / 9, 4 / 9, 0]])


def path_over(hill, crystal, end=(4.0, 0, 0), **changes):
    settings = {'spacing': 0.25, 'minimum_distance': 1.2} | changes
    return paths.path_of_hop(hill, crystal, 0, np.array(end), **settings)


def test_the_path_leads_over_the_pass(crystal):
    hill = Hill()
    path = path_over(hill, crystal)
    assert path.barrier == pytest.approx(0.3, abs=0.05)
    assert path.places[path.saddle][:2] == pytest.approx([2, 1.2], abs=0.25)
    assert path.places[[0, -1]] == pytest.approx(np.array([[0, 0, 0], [4, 0, 0]]))
    assert path.lengths[-1] > 4.0


def test_it_is_that_of_all_places(crystal, monkeypatch):
    """Evaluating only what may be on the path, it finds the barrier of the whole grid."""
    fields = []
    monkeypatch.setattr(
        paths, '_easiest', lambda field, *ends, own=paths._easiest: (fields.append(field), own(field, *ends))[1]
    )
    hill = Hill()
    path = path_over(hill, crystal)
    shape = np.array(fields[0].shape)
    axes = paths._axes(crystal, 0, np.zeros(3), np.array([4.0, 0, 0])) * 0.25
    grid = np.array(list(itertools.product(*map(range, shape)))) - [0, shape[1] // 2, shape[1] // 2]
    every = Hill().energies(0, grid @ axes).reshape(shape) - Hill().energies(0, np.zeros((1, 3)))
    every[fields[0] >= 1e6] = 1e6
    middle = shape[1] // 2
    levels = level_map(every, (0, middle, middle), paths._ALL_NEIGHBOURS)
    assert path.energies.max() == pytest.approx(levels[-1, middle, middle], abs=1e-9)
    assert hill.evaluated < (fields[0] < 1e6).sum()


def test_a_path_that_is_none(crystal):
    with pytest.raises(errors.NoPath, match='begins and ends at the same place'):
        path_over(Hill(), crystal, end=(0.3, 0, 0))
    wall = [[4.5 / 9, y / 9, z / 9] for y in np.arange(0, 9, 1.5) for z in np.arange(0, 9, 1.5)]
    closed = Structure(crystal.lattice, ['Li', *['Cl'] * len(wall)], [[0, 0, 0], *wall])
    with pytest.raises(errors.NoPath, match=r'all ways of ion 0 to a place 7.00 A away lead within 1.2 A of an atom'):
        path_over(Hill(), closed, end=(7.0, 0, 0))


def test_given_images():
    """The ion that moves most is followed through the faces of the cell; between two images the way is straight."""
    images = [gated_crystal(place) for place in (0.0, 0.4, -0.2)]  # 0, 2.8 and 5.6 A
    path = paths.path_of_images(images, lambda atoms: atoms.positions[0, 0] % 7, 3)
    assert path.ion == 0
    assert path.places[:, 0] == pytest.approx([0, 2.8, 5.6])
    assert path.energies == pytest.approx([0, 2.8, 5.6])
    straight = paths.path_of_images(images[:2], lambda atoms: 0.0, 3)
    assert straight.places[:, 0] == pytest.approx([0, 0.7, 1.4, 2.1, 2.8])


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        ([gated_crystal(0)], 'one structure is no path'),
        ([gated_crystal(0), gated_crystal(0.01)], 'begins and ends at the same place'),
        ([gated_crystal(0), gated_crystal(0, 0.5)], r'image 1 .* has not the atoms of the first'),
        ([gated_crystal(0), gated_crystal(0.5).apply_strain(0.1)], 'image 1 has another cell'),
    ],
)
def test_given_images_that_are_no_path(images, message):
    with pytest.raises(errors.NoPath, match=message):
        paths.path_of_images(images, lambda atoms: 0.0, 3)


def test_other_atoms_are_where_the_images_have_them():
    """Between two images on a straight line; a part of the path is the same path."""
    places = [[0, 0, 0], [1, 0, 0], [3, 0, 0]]
    cell = Lattice.cubic(10.0)
    images = [
        Structure(cell, ['Li', 'F'], [one, [5, y, 5]], coords_are_cartesian=True) for one, y in zip(places, (5, 6, 5))
    ]
    path = paths.path_of_images(images, lambda atoms: 0.0, 5)
    for length, expected in ((0, 5), (0.5, 5.5), (1, 6), (2, 5.5), (3, 5)):
        assert path.positions_at(length) == pytest.approx(np.array([[length, 0, 0], [5, expected, 5]]))
    assert path.part(1, 2).positions_at(1.0) == pytest.approx(path.positions_at(2.0))
    assert path.end == pytest.approx(images[-1].cart_coords)
