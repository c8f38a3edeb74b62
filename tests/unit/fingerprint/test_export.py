"""Files of energies and levels, read back by ASE."""

from dataclasses import replace

import numpy as np
import pytest
from ase.io.cube import read_cube
from ase.io.xsf import read_xsf
from hypothesis import example, given, settings

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.export import FORMATS, KINDS, export, volume, write_volume
from aiida_pesfp.fingerprint.levels import DEGENERACY, lowest_point
from tests.helpers.surfaces import make_surface, surfaces


def read(path):
    """Values without end points, cell, origin, and the atoms of a file."""
    with open(path) as stream:
        if path.suffix == '.cube':
            found = read_cube(stream)
            return found['data'], found['atoms'].cell.array, found['origin'], found['atoms']
        values, origin, spanned, atoms = read_xsf(stream, read_data=True)
    for axis in range(3):
        np.testing.assert_array_equal(values.take(0, axis), values.take(-1, axis))
    return values[:-1, :-1, :-1], spanned, origin, atoms


@pytest.mark.parametrize('ending', FORMATS)
@pytest.mark.parametrize('kind', KINDS)
@given(surface=surfaces())
@settings(max_examples=10, deadline=None)
def test_a_file_read_back_is_what_was_written(tmp_path_factory, surface, kind, ending):
    places = np.random.default_rng(0).random(surface.fractional_coordinates.shape)
    surface = replace(surface, fractional_coordinates=places)
    path = tmp_path_factory.mktemp('volume') / f'volume.{ending}'
    write_volume(path, *volume(surface, kind))
    values, cell, origin, atoms = read(path)
    repeats = {'energy': 1, 'level': 2}[kind]
    assert values.shape == tuple(repeats * n for n in surface.shape)
    np.testing.assert_allclose(cell, repeats * surface.lattice, atol=1e-4)
    np.testing.assert_allclose(atoms.cell.array, repeats * surface.lattice, atol=1e-4)
    np.testing.assert_array_equal(origin, 0)
    assert len(atoms) == repeats**3 * len(surface.atomic_numbers)
    inside = atoms.get_positions() @ np.linalg.inv(surface.lattice)
    for place in surface.fractional_coordinates:
        images = [place + cell for cell in np.ndindex(*[repeats] * 3)]
        for image in images:
            assert np.abs(inside - image).max(axis=1).min() < 1e-3
    if kind == 'energy':
        expected = np.min([surface.of_ion(position) for position in range(len(surface.mobile_ions))], axis=0)
        np.testing.assert_allclose(values, expected, atol=2e-6)
    else:
        # Counted below the thresholds, the levels of the file are the connected free volume.
        found = describe(surface)
        for threshold in (0.5, 2.0):
            counted = np.mean([(values < threshold + offset).mean() for offset in (-0.04, -0.02, 0.0, 0.02, 0.04)])
            at = found.spectrum['thresholds'].index(threshold)
            assert counted == pytest.approx(found.spectrum['connected'][at], abs=1e-3)


@given(surface=surfaces())
@example(surface=make_surface(np.array([[[[0.5, 8e-5, 0.7], [0.3, 0.9, 0.0]]]])))
@settings(max_examples=10, deadline=None)
def test_levels_lie_where_the_energies_do(surface):
    """The lowest level is the energy it starts from, and none is below the energy at its place: nothing is shifted."""
    for position in range(len(surface.mobile_ions)):
        _, energies = volume(surface, 'energy', [position])
        _, levels = volume(surface, 'level', [position])
        assert (levels >= np.tile(energies, (2, 2, 2))).all()
        # Not always zero: of several lowest points, equal but for noise, the first is taken.
        assert levels.min() == energies[lowest_point(energies)] <= DEGENERACY
        united = volume(surface, 'level')[1]
        assert (united <= levels).all()


def test_other_endings_and_quantities_are_refused(tmp_path):
    surface = make_surface(np.random.default_rng(0).random((1, 3, 3, 3)))
    with pytest.raises(ValueError, match=r'levels\.vasp.*cube, xsf'):
        write_volume(tmp_path / 'levels.vasp', *volume(surface))
    with pytest.raises(ValueError, match="'force'.*energy, level"):
        volume(surface, 'force')


def test_one_file_for_all_ions_or_for_each(tmp_path):
    surface = make_surface(np.random.default_rng(0).random((2, 3, 4, 5)), ions=[3, 7])
    surface = replace(surface, fractional_coordinates=np.zeros((8, 3)), atomic_numbers=np.full(8, 3))
    export(surface, tmp_path / 'all', ('cube', 'xsf', 'profile'))
    export(surface, tmp_path / 'each', ('xsf', 'profile'), per_ion=True)
    names = {path.name for path in (tmp_path / 'all').iterdir()}
    best = min(describe(surface).ions, key=lambda ion: ion.barrier_1d)
    volumes = {'energy.cube', 'level.cube', 'energy.xsf', 'level.xsf'}
    assert names == volumes | {f'profile-ion{best.index}.csv'}
    names = {path.name for path in (tmp_path / 'each').iterdir()}
    assert names == {f'{what}-ion{ion}.xsf' for what in KINDS for ion in (3, 7)} | {
        'profile-ion3.csv',
        'profile-ion7.csv',
    }
    np.testing.assert_allclose(read(tmp_path / 'each' / 'energy-ion7.xsf')[0], surface.of_ion(1), atol=1e-6)
