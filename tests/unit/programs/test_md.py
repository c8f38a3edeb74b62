"""``pesfp-md`` as a person calls it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from ase import units
from ase.io import Trajectory
from pymatgen.core import Lattice, Structure

from aiida_pesfp.trajectories.ours import CHECKPOINT, TRAJECTORY, count_frames, last_frame, read_frames
from tests.helpers import REPOSITORY
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES

RUN = 'LiCl_300K'
#: A step so long that atoms overlap within a few, and a thermostat too slow to hide it.
UNSTABLE = ('--timestep-fs', 12, '--thermostat-time', 1e5)


@pytest.fixture
def crystal(tmp_path):
    """16 atoms of rock salt, about as dense as the Lennard-Jones potential has it."""
    structure = rock_salt('Li', 'Cl', 4.6)
    structure.make_supercell(2)
    path = tmp_path / 'LiCl.json'
    structure.to(filename=str(path))
    return path


@pytest.fixture
def pesfp_md(invoke_program):
    """Run ``pesfp-md``, at 300 K unless told otherwise."""

    def run(*arguments, program=invoke_program, **options):
        temperature = () if '-T' in arguments else ('-T', 300)
        return program('md', *arguments, *temperature, '--json', **options)

    return run


def frames(folder, run=RUN):
    """The arrays of a trajectory."""
    return read_frames(folder / run / TRAJECTORY, 1.0)[1]


def assert_same(found, expected, tolerance=1e-10):
    assert set(found) == set(expected)
    np.testing.assert_array_equal(found['steps'], expected['steps'])
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=tolerance, rtol=0, err_msg=name)


def joined(*parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_the_thermostat_holds_the_temperature_and_conserves_its_energy(pesfp_md, tmp_path):
    structure = rock_salt('Li', 'Cl', 4.6)
    structure.make_supercell([2, 2, 1])
    structure.to(filename=str(tmp_path / 'LiCl.json'))
    options = ('--steps', 3000, '--stride', 5, '--thermostat-time', 40)
    process = pesfp_md(tmp_path / 'LiCl.json', '-o', tmp_path / 'out', *options)
    assert process.returncode == 0, process.stderr
    [found] = process.found
    assert (found['first_step'], found['last_step'], found['temperature']) == (0, 3000, 300)
    arrays = frames(tmp_path / 'out')
    np.testing.assert_array_equal(arrays['steps'], np.arange(0, 3001, 5))
    np.testing.assert_allclose(arrays['times'], arrays['steps'] / 1000)
    # Canonical: the kinetic energy of f degrees of freedom has the mean f/2 kT and the relative deviation sqrt(2/f).
    # Were 3 N and not 3 N - 3 of them in the thermostat, the mean would be 343 K.
    later = arrays['temperatures'][200:]
    assert later.mean() == pytest.approx(300, abs=12)
    assert later.std() == pytest.approx(300 * np.sqrt(2 / 21), rel=0.25)
    assert abs(arrays['conserved'] - arrays['conserved'][0]).max() < 5e-3
    assert abs(found['energy_drift']) < 1e-4
    assert found['temperature_mean'] == pytest.approx(arrays['temperatures'].mean())
    masses = np.array([site.specie.atomic_mass for site in structure])
    centre = np.einsum('snk,n->sk', arrays['positions'], masses) / masses.sum()
    assert abs(centre - centre[0]).max() < 1e-5  # the masses of two packages differ in their last digits


def test_the_first_velocities_are_drawn_by_the_seed(pesfp_md, crystal, tmp_path):
    for name, seed in (('a', 1), ('b', 1), ('c', 2)):
        assert pesfp_md(crystal, '-o', tmp_path / name, '--steps', 1, '--seed', seed).returncode == 0
    a, b, c = (frames(tmp_path / name) for name in 'abc')
    assert_same(a, b, 0)
    assert abs(a['velocities'] - c['velocities']).max() > 1
    first = last_frame_number(tmp_path / 'a' / RUN / TRAJECTORY, 0)
    assert abs(first.get_momenta().sum(axis=0)).max() < 1e-12
    # A/ps, not ASE's unit
    np.testing.assert_allclose(a['velocities'][0], first.get_velocities() * 1000 * units.fs)


def last_frame_number(path, number):
    with Trajectory(path) as trajectory:
        return trajectory[number]


@pytest.mark.parametrize('stride', [1, 4])
def test_in_parts_it_is_the_same_dynamics(pesfp_md, crystal, tmp_path, stride):
    options = ('--stride', stride)
    pesfp_md(crystal, '-o', tmp_path / 'whole', '--steps', 20, *options)
    whole = frames(tmp_path / 'whole')
    for steps in (10, 20):
        process = pesfp_md(crystal, '-o', tmp_path / 'again', '--steps', steps, *options)
        assert process.returncode == 0, process.stderr
    assert_same(frames(tmp_path / 'again'), whole)
    pesfp_md(crystal, '-o', tmp_path / 'first', '--steps', 10, *options)
    process = pesfp_md(
        crystal, '-o', tmp_path / 'second', '--steps', 10, '--continue-from', tmp_path / 'first', *options
    )
    assert process.returncode == 0, process.stderr
    assert (process.found[0]['first_step'], process.found[0]['last_step']) == (10, 20)
    assert_same(joined(frames(tmp_path / 'first'), frames(tmp_path / 'second')), whole)


def test_sevennet_in_parts_is_the_same_dynamics(pesfp_md, tmp_path):
    path = tmp_path / 'LiCl.json'
    rock_salt('Li', 'Cl', 5.13).to(filename=str(path))
    for folder, steps in (('whole', 20), ('parts', 10), ('parts', 20)):
        process = pesfp_md(path, '-o', tmp_path / folder, '--steps', steps, potential='sevennet-0')
        assert process.returncode == 0, process.stderr
    assert_same(frames(tmp_path / 'parts'), frames(tmp_path / 'whole'))


@pytest.mark.parametrize('signal_name', ['SIGTERM', 'SIGKILL'])
def test_a_kill_loses_no_stored_step(pesfp_md, run_program, crystal, tmp_path, signal_name):
    potential = tmp_path / 'killed.yaml'
    killed = {'calculator': 'tests.helpers.calculators.KilledAfter'}
    potential.write_text(yaml.safe_dump(killed | {'parameters': LENNARD_JONES | {'after': 38}}))
    options = ('--steps', 60, '--stride', 4)
    assert pesfp_md(crystal, '-o', tmp_path / 'whole', *options, potential=potential).returncode == 0
    command = (crystal, '-o', tmp_path / 'out', *options)
    process = pesfp_md(*command, program=run_program, potential=potential, environment={'PESFP_TEST_KILL': signal_name})
    stored = frames(tmp_path / 'out')
    np.testing.assert_array_equal(stored['steps'], np.arange(0, 37, 4))
    if signal_name == 'SIGTERM':
        assert process.returncode == 3
        assert last_frame(tmp_path / 'out' / RUN / CHECKPOINT).info['step'] == 37
        assert json.loads((tmp_path / 'out' / 'run.json').read_text())['stopped'] == 'terminated'
    else:
        assert process.returncode == -signal.SIGKILL
    process = pesfp_md(*command, potential=potential)
    assert process.returncode == 0, process.stderr
    assert_same(frames(tmp_path / 'out'), frames(tmp_path / 'whole'))


def frames_while_written(path):
    """Whole frames of a file; 0 while its header is being written."""
    try:
        return count_frames(path)
    except OSError:
        return 0


def test_killed_at_any_moment_the_trajectory_is_whole(crystal, lennard_jones, tmp_path):
    """SIGKILL from outside, again and again, so that it also falls into the writing of a frame."""
    command = [sys.executable, '-m', 'aiida_pesfp.programs.md', str(crystal), '-T', '300', '--steps', '100000', '-q']
    command += ['--potential', str(lennard_jones), '-o', str(tmp_path / 'out')]
    path, random, before = tmp_path / 'out' / RUN / TRAJECTORY, np.random.default_rng(0), 0
    for _ in range(4):
        process = subprocess.Popen(command, env=os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(REPOSITORY)})
        while frames_while_written(path) <= before:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2 * random.random())
        process.kill()
        process.wait()
        steps = frames(tmp_path / 'out')['steps']
        np.testing.assert_array_equal(steps, np.arange(len(steps)))
        assert len(steps) > before
        before = len(steps)


def test_a_frame_that_was_cut_off_is_dropped(pesfp_md, crystal, tmp_path):
    options = (crystal, '-o', tmp_path / 'out')
    pesfp_md(*options, '--steps', 10)
    path = tmp_path / 'out' / RUN / TRAJECTORY
    whole = path.read_bytes()
    pesfp_md(*options, '--steps', 11)
    torn = whole + path.read_bytes()[len(whole) :][:300]  # the header still counts 11 frames
    path.write_bytes(torn)
    assert pesfp_md(*options, '--steps', 20).returncode == 0
    pesfp_md(crystal, '-o', tmp_path / 'whole', '--steps', 20)
    assert_same(frames(tmp_path / 'out'), frames(tmp_path / 'whole'))


def test_out_of_time_it_goes_on_later(pesfp_md, crystal, tmp_path):
    options = (crystal, '-o', tmp_path / 'out', '--steps', 30, '--stride', 100)
    process = pesfp_md(*options, '--time-limit', 0)
    assert process.returncode == 3
    assert 'the same command goes on' in process.stderr
    assert pesfp_md(*options).returncode == 0
    assert last_frame(tmp_path / 'out' / RUN / CHECKPOINT).info['step'] == 30
    np.testing.assert_array_equal(frames(tmp_path / 'out')['steps'], [0])


def test_several_temperatures_and_structures_one_of_them_bad(pesfp_md, crystal, tmp_path):
    (tmp_path / 'bad.cif').write_text('nonsense')
    process = pesfp_md(crystal, tmp_path / 'bad.cif', '-T', 200, '-T', 400, '-o', tmp_path / 'out', '--steps', 3)
    assert process.returncode == 1
    assert [(entry['temperature'], entry['last_step']) for entry in process.found] == [
        (200, 3),
        (400, 3),
        (200, None),
        (400, None),
    ]
    assert 'bad.cif: cannot be read' in process.found[2]['error']
    assert len(frames(tmp_path / 'out', 'LiCl_400K')['steps']) == 4


def test_another_dynamics_in_the_folder_is_not_gone_on_with(pesfp_md, crystal, tmp_path):
    options = (crystal, '-o', tmp_path / 'out', '--steps', 3)
    assert pesfp_md(*options).returncode == 0
    process = pesfp_md(*options, '--timestep-fs', 2)
    assert process.returncode == 1
    assert 'timestep 1.0, not 2.0' in process.found[0]['error']
    assert len(frames(tmp_path / 'out')['steps']) == 4
    process = pesfp_md(crystal, '-o', tmp_path / 'other', '--steps', 3, '--continue-from', tmp_path / 'out', '-T', 400)
    assert process.returncode == 1
    assert 'no dynamics in' in process.found[0]['error']
    assert pesfp_md(*options, '--timestep-fs', 2, '--fresh').returncode == 0


def test_flying_atoms_end_the_run_and_what_was_good_stays(pesfp_md, crystal, tmp_path):
    process = pesfp_md(crystal, '-o', tmp_path / 'out', '--steps', 500, *UNSTABLE)
    assert process.returncode == 1
    error = process.found[0]['error']
    assert 'of the dynamics at 300 K atom' in error
    assert 'shorter time step' in error
    stored = frames(tmp_path / 'out')
    assert 1 < len(stored['steps']) < 500
    assert process.found[0]['last_step'] == stored['steps'][-1]
    assert np.isfinite(stored['positions']).all()
    assert stored['temperatures'].max() < 10_000


def test_a_potential_that_gives_no_number_ends_the_run(pesfp_md, crystal, tmp_path):
    potential = tmp_path / 'nan.yaml'
    description = {'calculator': 'tests.helpers.calculators.NotANumberAbove', 'parameters': LENNARD_JONES}
    potential.write_text(yaml.safe_dump(description))
    process = pesfp_md(crystal, '-o', tmp_path / 'out', '--steps', 5, potential=potential)
    assert process.returncode == 1
    assert 'not finite' in process.found[0]['error']
    assert not count_frames(tmp_path / 'out' / RUN / TRAJECTORY)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (('-T', '-5'), 'temperature = -5.0: Input should be greater than'),
        (('--timestep-fs', '0'), 'timestep = 0.0: Input should be greater than'),
        (('--seed', '-1'), 'seed = -1: Input should be greater than or equal to 0'),
        (('--stride', '0'), 'stride'),
    ],
)
def test_wrong_options_are_refused(pesfp_md, crystal, tmp_path, options, words):
    process = pesfp_md(crystal, '-o', tmp_path / 'out', '--steps', 5, *options)
    assert process.returncode == 2
    assert words in process.stderr


def test_a_single_atom_has_no_dynamics(pesfp_md, tmp_path):
    path = tmp_path / 'Li.json'
    Structure(Lattice.cubic(3.0), ['Li'], [[0, 0, 0]]).to(filename=str(path))
    process = pesfp_md(path, '-o', tmp_path / 'out', '--steps', 5)
    assert process.returncode == 1
    assert 'supercell' in process.found[0]['error']
