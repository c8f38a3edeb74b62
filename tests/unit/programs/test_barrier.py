"""``pesfp-barrier`` as a person calls it, with a landscape whose barriers are known."""

import ase.io
import numpy as np
import pytest

from aiida_pesfp.programs.request import EXIT_FAILED, EXIT_STOPPED
from tests.helpers.calculators import Gated, gated_crystal
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator

QUICK = ('--json', '--quiet', '--fmax', 0.01)
KEYS = {'structure', 'method', 'barrier_eV', 'reverse_barrier_eV', 'frozen_barrier_eV', 'converged', 'flags', 'calls'}
KEYS |= {'seconds', 'error'}


@pytest.fixture
def gated(tmp_path):
    """Description of a calculator with sites 3.5 A apart, of which every second one is higher by 0.1 eV."""
    return write_calculator(tmp_path / 'gated.yaml', 'tests.helpers.calculators.Gated', period=3.5, tilt=0.1)


@pytest.fixture
def pair(tmp_path):
    """Two ions on neighbouring sites."""
    gated_crystal(0, 1, period=3.5).to(filename=str(tmp_path / 'pair.json'))
    return tmp_path / 'pair.json'


@pytest.fixture
def pesfp_barrier(invoke_program, gated):
    return lambda *words, potential=gated: invoke_program('barrier', *words, *QUICK, potential=potential)


def test_a_hop_between_two_sites(pesfp_barrier, pair, tmp_path):
    process = pesfp_barrier(pair, '--sites', 0, 1, '-o', tmp_path / 'out')
    assert process.returncode == 0, process.stderr
    [found] = process.found
    assert found.keys() >= KEYS
    assert (found['method'], found['flags'], found['error'], found['converged']) == ('pinned', [], None, True)
    saddle = max(Gated(period=3.5, tilt=0.1).relaxed(np.linspace(0, 3.5, 100)))
    assert found['barrier_eV'] == pytest.approx(saddle, abs=0.01)
    assert found['barrier_eV'] - found['reverse_barrier_eV'] == pytest.approx(0.1, abs=0.01)
    assert found['frozen_barrier_eV'] == pytest.approx(0.81, abs=0.02)
    [images] = (tmp_path / 'out' / 'pair').glob('images-*.extxyz')
    energies = [image.get_potential_energy() for image in ase.io.read(images, ':')]
    assert max(energies) - energies[0] == pytest.approx(found['barrier_eV'], abs=1e-6)


def test_another_method_uses_what_is_there(pesfp_barrier, pair, tmp_path):
    """Also after a stop: the same command goes on, and what is done is not done again."""
    words = (pair, '--sites', 0, 1, '-o', tmp_path / 'out')
    assert pesfp_barrier(*words, '--time-limit', 0).returncode == EXIT_STOPPED
    [pinned] = pesfp_barrier(*words).found
    assert pesfp_barrier(*words).found[0]['calls'] == pinned['calls']
    [band] = pesfp_barrier(*words, '--method', 'neb').found
    [alone] = pesfp_barrier(pair, '--sites', 0, 1, '--method', 'neb').found
    assert band['calls'] == alone['calls'] > 2 * pinned['calls']
    assert band['barrier_eV'] == pytest.approx(alone['barrier_eV'], abs=1e-6)
    assert band['barrier_eV'] == pytest.approx(pinned['barrier_eV'], abs=0.01)
    [other] = pesfp_barrier(pair, '--sites', 1, 0, '-o', tmp_path / 'out').found  # another hop begins anew
    assert other['barrier_eV'] == pytest.approx(pinned['reverse_barrier_eV'], abs=0.01)


def test_the_collective_picture(pesfp_barrier, tmp_path):
    """The cell of the scan, as given: over both sites to the image, with two saddles on the way."""
    gated_crystal(0).to(filename=str(tmp_path / 'one.json'))
    words = ('--picture', 'collective', '--cell', 'as_given', '--spacing', 0.5, '--no-symmetry')
    [pinned] = pesfp_barrier(tmp_path / 'one.json', *words).found
    [band] = pesfp_barrier(tmp_path / 'one.json', *words, '--method', 'neb').found
    saddle = max(Gated(period=3.5, tilt=0.1).relaxed(np.linspace(0, 3.5, 100)))
    assert pinned['barrier_eV'] == pytest.approx(saddle, abs=0.02)
    assert band['barrier_eV'] == band['reverse_barrier_eV'] == pytest.approx(saddle, abs=0.005)
    energies = np.array(band['paths'][0]['energies_eV'])
    assert energies[len(energies) // 2] == pytest.approx(0.1, abs=0.005)  # the higher site, between the saddles
    assert sum((energies[1:-1] > energies[:-2]) & (energies[1:-1] > energies[2:])) == 2


@pytest.fixture
def band(tmp_path):
    """Writes images of a crystal with three sites, of which the second ion keeps the third; the potential's path."""

    def write(*places):
        for number, place in enumerate(places):
            gated_crystal(place, 2, period=7 / 3).to(filename=str(tmp_path / f'{number}.json'))
        paths = [tmp_path / f'{number}.json' for number in range(len(places))]
        return paths, write_calculator(tmp_path / 'three.yaml', 'tests.helpers.calculators.Gated', period=7 / 3)

    return write


def test_images_that_are_given(pesfp_barrier, band):
    paths, potential = band(0, 1)
    process = pesfp_barrier(*paths, '--picture', 'given', '--method', 'neb', potential=potential)
    [found] = process.found
    assert found['error'] is None
    assert found['barrier_eV'] == pytest.approx(0.4, abs=0.005)


def test_one_bad_structure_does_not_stop_the_others(pesfp_barrier, pair, tmp_path):
    rock_salt('Na', 'Cl', 5.64).to(filename=str(tmp_path / 'NaCl.json'))
    process = pesfp_barrier(tmp_path / 'NaCl.json', pair, '--sites', 0, 1)
    assert process.returncode == EXIT_FAILED
    bad, good = process.found
    assert 'no Li among its elements' in bad['error']
    assert bad['barrier_eV'] is None
    assert bad.keys() == good.keys()
    assert good['barrier_eV'] > 0.4


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--sites', 0, 2), 'atoms 0 and 2 are Li and H: name two sites of one species'),
        (('--sites', 0, 1, '--species', 'H'), 'atoms 0 and 1 are Li, not H: add --species Li'),
        (('--sites', 1, 1), 'begins and ends at the same place'),
        (('--picture', 'given'), 'one structure is no path'),
        (('--picture', 'given', '--supercell-distance', 8), 'the cell has 7.00 A between its faces'),
        (('--longest-hop', 3), 'hops of Li up to 3 A lead nowhere'),
    ],
)
def test_what_is_no_path(pesfp_barrier, pair, words, message):
    process = pesfp_barrier(pair, *words)
    assert process.returncode == EXIT_FAILED
    assert message in process.found[0]['error']
    assert 'pair.json' in process.found[0]['error']


def test_an_end_that_is_no_minimum(pesfp_barrier, band):
    """Both ends are in one well: there is no barrier between them, and so no number."""
    paths, potential = band(0, 0.4)
    [found] = pesfp_barrier(*paths, '--picture', 'given', potential=potential).found
    assert 'both ends relax to the same minimum' in found['error']
    assert found['barrier_eV'] is None


def test_a_potential_without_forces(pesfp_barrier, pair, tmp_path):
    name = 'tests.helpers.calculators.WithoutForces'
    potential = write_calculator(tmp_path / 'energies.yaml', name, **LENNARD_JONES)
    [found] = pesfp_barrier(pair, '--sites', 0, 1, potential=potential).found
    assert 'WithoutForces gives no forces' in found['error']


def test_an_unfinished_relaxation_is_flagged(pesfp_barrier, pair):
    [found] = pesfp_barrier(pair, '--sites', 0, 1, '--steps', 2).found
    assert not found['converged']
    assert 'not_converged' in found['flags']
