"""Readers of SIESTA's files, on genuine ones, and on files cut, spoilt and rewritten."""

import re
import shutil
import tracemalloc

import numpy as np
import pytest

from aiida_pesfp.trajectories.siesta import (
    CorruptFile,
    read_ani,
    read_md,
    read_mde,
    read_messages,
    read_nose_restart,
    read_out,
    read_struct_out,
    read_xv,
)
from aiida_pesfp.trajectories.siesta_dynamics import BOHR, bohr_of, read_dynamics, restart_is_exact
from tests.helpers import DATA
from tests.helpers.siesta_files import write_energies, write_frames

MD_RUNS = ('01_nose_md', '02a_cont20', '02b_first10', '02c_restart10', '02e_noNose', '14_li2s_alias', '15_xml_walltime')


@pytest.fixture
def runs():
    return DATA / 'siesta'


def printed_positions(folder):
    """Positions of every step as the text output prints them, A: the only place where SIESTA itself pairs them."""
    text = (folder / 'siesta.out').read_text()
    cell = read_xv(folder / 'siesta.XV').cell * BOHR
    frames = []
    for block in re.findall(r'outcoor: Atomic coordinates \((\w+)\):\s*\n((?:.+\n)+)', text):
        rows = np.array([line.split()[:3] for line in block[1].splitlines()], dtype=float)
        frames.append(rows @ cell if block[0] in ('fractional', 'scaled') else rows)
    return np.array(frames)


def read_run(folder, first=None, **options):
    """A run with the positions of its first step as the output prints them."""
    labels = read_mde(folder / 'siesta.MDE').steps
    first = printed_positions(folder)[0] / BOHR if first is None else first
    return read_dynamics(folder / 'siesta.MD', labels, first, **{'timestep': 1.0} | options)


def harmonic(steps, atoms=2):
    """A first position, and frames as SIESTA writes them with the velocities of Verlet's algorithm."""
    times = np.arange(-1, steps + 1)[:, None, None]
    path = np.sin(0.1 * times + np.arange(3 * atoms).reshape(atoms, 3))
    frames = [(k, path[k + 1], (path[k + 1] - path[k - 1]) / 2) for k in range(1, steps + 1)]
    return path[1], frames


@pytest.mark.parametrize('run', MD_RUNS)
def test_positions_belong_to_their_step(runs, run):
    """Every digit that the text output prints, for every step."""
    printed = printed_positions(runs / run)
    trajectory = read_run(runs / run)
    assert trajectory.completed == len(read_mde(runs / run / 'siesta.MDE').steps) == len(trajectory.positions)
    np.testing.assert_allclose(trajectory.positions, printed[: trajectory.completed], atol=1.2e-7)
    assert trajectory.problem is None


@pytest.mark.parametrize('run', MD_RUNS)
def test_velocities_belong_to_their_step(runs, run):
    """Verlet's own relation, to the last digit; and the kinetic energy gives the temperature that .MDE has."""
    trajectory = read_run(runs / run)
    central = (trajectory.positions[2:] - trajectory.positions[:-2]) / 0.002
    np.testing.assert_allclose(trajectory.velocities[2:-1], central[1:], atol=1e-9)
    masses = np.array([{3: 6.94, 53: 126.9, 16: 32.06}[z] for z in read_xv(runs / run / 'siesta.XV').numbers])
    # SIESTA 4 has 0.009579038 for an eV in amu (A/fs)^2, where CODATA gives 0.00964853; and 8.617e-5 eV/K.
    kinetic = 0.5 * (masses[:, None] * trajectory.velocities**2).sum(axis=(1, 2)) / 0.009579038e6
    temperatures = kinetic / (0.5 * (3 * len(masses) - 3) * 8.617e-5)
    np.testing.assert_allclose(temperatures, read_mde(runs / run / 'siesta.MDE').temperatures, rtol=2e-4)


@pytest.mark.parametrize('run', MD_RUNS)
def test_energies_are_read_to_every_digit(runs, run):
    energies = read_mde(runs / run / 'siesta.MDE')
    lines = [line for line in (runs / run / 'siesta.MDE').read_text().splitlines() if not line.startswith('#')]
    columns = (energies.temperatures, energies.energies, energies.conserved, energies.volumes, energies.pressures)
    for line, step, *values in zip(lines, energies.steps, *columns):
        assert line == '{:6d} {:9.2f} {:13.5f} {:13.5f} {:11.3f} {:11.3f}'.format(step, *values)
    printed = re.findall(r'siesta: E_KS\(eV\) = *(\S+)', (runs / run / 'siesta.out').read_text())
    np.testing.assert_allclose(energies.energies, np.array(printed[: len(lines)], dtype=float), atol=5.1e-5)


@pytest.mark.parametrize('run', MD_RUNS)
def test_the_animation_holds_the_same_frames(runs, run):
    atoms = len(read_xv(runs / run / 'siesta.XV').positions)
    for (_, positions, _), animated in zip(
        read_md(runs / run / 'siesta.MD', atoms), read_ani(runs / run / 'siesta.ANI', atoms), strict=True
    ):
        np.testing.assert_allclose(positions * BOHR, animated, atol=5.1e-7)
    labels = read_mde(runs / run / 'siesta.MDE').steps
    first = printed_positions(runs / run)[0] / BOHR
    coarse = read_dynamics(runs / run / 'siesta.ANI', labels, first, timestep=1.0)
    np.testing.assert_allclose(coarse.positions, read_run(runs / run).positions, atol=5.1e-7)
    fine = read_run(runs / run)
    np.testing.assert_allclose(coarse.velocities[1:], fine.velocities[1:], atol=6e-4)


@pytest.mark.parametrize('run', MD_RUNS)
def test_a_restart_follows_the_last_step(runs, run):
    restart = read_xv(runs / run / 'siesta.XV')
    thermostat = read_nose_restart(runs / run / 'siesta.NOSE_RESTART')
    trajectory = read_run(runs / run)
    assert restart_is_exact(restart, thermostat, trajectory)
    np.testing.assert_allclose(restart.velocities, trajectory.velocities[-1] / BOHR / 1000, atol=5.1e-10)
    assert thermostat.timestep == 1.0
    # Killed after .XV was written and before .MD was: going on would lose a step.
    labels = read_mde(runs / run / 'siesta.MDE').steps[:-1]
    first = printed_positions(runs / run)[0] / BOHR
    assert not restart_is_exact(
        restart, thermostat, read_dynamics(runs / run / 'siesta.MD', labels, first, timestep=1.0)
    )


def test_two_runs_are_one_run(runs):
    """10 + 10 steps are 20 steps: the first step of the second run is the eleventh."""
    whole, first = read_run(runs / '02a_cont20'), read_run(runs / '02b_first10')
    restart = read_xv(runs / '02b_first10' / 'siesta.XV')
    second = read_run(runs / '02c_restart10', first=restart.positions)
    joined = np.concatenate([first.positions, second.positions])
    np.testing.assert_allclose(joined, whole.positions, atol=1e-7)
    np.testing.assert_allclose(np.concatenate([first.velocities, second.velocities]), whole.velocities, atol=1e-4)


def test_a_run_begun_anew_in_its_folder_is_one_run(runs, tmp_path):
    """A queue that starts a job again: everything is appended, and the header of .MDE repeats."""
    first = printed_positions(runs / '02b_first10')[0] / BOHR
    trajectory = read_run(runs / '02d_samedir', first=first)
    assert trajectory.completed == 20
    np.testing.assert_allclose(trajectory.positions, read_run(runs / '02a_cont20').positions, atol=1e-7)
    # Without the tenth step, the second ten do not follow.
    lines = (runs / '02d_samedir' / 'siesta.MDE').read_text().splitlines(keepends=True)
    (tmp_path / 'siesta.MDE').write_text(''.join(lines[:10] + lines[11:]))
    frames = list(read_md(runs / '02d_samedir' / 'siesta.MD', 8))
    write_frames(tmp_path / 'siesta.MD', frames[:9] + frames[10:])
    labels = read_mde(tmp_path / 'siesta.MDE').steps
    broken = read_dynamics(tmp_path / 'siesta.MD', labels, first, timestep=1.0)
    assert broken.completed == 9
    assert 'a step is missing' in broken.problem


@pytest.mark.parametrize('marker', ['<i', '>i', '<q', '>q'])
def test_any_record_marker_and_endianness(tmp_path, marker):
    first, frames = harmonic(7, atoms=3)
    write_frames(tmp_path / 'a.MD', frames, marker)
    trajectory = read_dynamics(tmp_path / 'a.MD', np.arange(1, 8), first, timestep=1.0, bohr=1.0)
    np.testing.assert_array_equal(trajectory.positions[1:], [frame[1] for frame in frames[:-1]])
    np.testing.assert_array_equal(trajectory.positions[0], first)
    np.testing.assert_array_equal(trajectory.velocities, 1000 * np.array([frame[2] for frame in frames]))


def test_wherever_a_file_is_cut_the_whole_steps_remain(tmp_path):
    first, frames = harmonic(4, atoms=1)
    write_frames(tmp_path / 'whole.MD', frames)
    write_energies(tmp_path / 'whole.MDE', range(1, 5))
    content, lines = (tmp_path / 'whole.MD').read_bytes(), (tmp_path / 'whole.MDE').read_bytes()
    labels = read_mde(tmp_path / 'whole.MDE').steps
    record = len(content) // 4
    for size in range(len(content) + 1):
        (tmp_path / 'a.MD').write_bytes(content[:size])
        trajectory = read_dynamics(tmp_path / 'a.MD', labels, first, timestep=1.0)
        assert trajectory.completed == size // record
        assert trajectory.problem is None
    for size in range(len(lines) + 1):
        (tmp_path / 'a.MDE').write_bytes(lines[:size])
        assert len(read_mde(tmp_path / 'a.MDE').steps) == max(0, lines[:size].count(b'\n') - 1)


@pytest.mark.parametrize('stride', [1, 2, 3, 7, 50])
@pytest.mark.parametrize('offset', [0, 10, 13])
def test_a_stride_counts_from_the_start_of_the_whole(tmp_path, stride, offset):
    first, frames = harmonic(20)
    write_frames(tmp_path / 'a.MD', frames)
    options = {'timestep': 1.0, 'bohr': 1.0, 'offset': offset}
    full = read_dynamics(tmp_path / 'a.MD', np.arange(1, 21), first, **options)
    few = read_dynamics(tmp_path / 'a.MD', np.arange(1, 21), first, stride=stride, **options)
    expected = [k for k in range(20) if (offset + k) % stride == 0]
    assert few.indices.tolist() == expected
    assert few.completed == 20
    np.testing.assert_array_equal(few.positions, full.positions[expected])
    np.testing.assert_array_equal(few.last_positions, full.last_positions)


def test_spoilt_files_are_named_and_what_precedes_is_kept(tmp_path):
    first, frames = harmonic(6)
    write_frames(tmp_path / 'a.MD', frames)
    content = bytearray((tmp_path / 'a.MD').read_bytes())
    record = len(content) // 6
    content[4 * record - 4] ^= 1  # length after the fourth record
    (tmp_path / 'a.MD').write_bytes(content)
    trajectory = read_dynamics(tmp_path / 'a.MD', np.arange(1, 7), first, timestep=1.0)
    assert trajectory.completed == 3
    assert 'has no record of' in trajectory.problem
    write_frames(tmp_path / 'a.MD', frames[:2] + frames[3:])
    trajectory = read_dynamics(tmp_path / 'a.MD', np.arange(1, 7), first, timestep=1.0)
    assert trajectory.completed == 2
    assert 'step 4 of the trajectory stands where the energies have step 3' in trajectory.problem
    with pytest.raises(CorruptFile, match='does not begin with a record of 5 atoms'):
        list(read_md(tmp_path / 'a.MD', 5))
    (tmp_path / 'a.MD').write_bytes(b'')
    assert list(read_md(tmp_path / 'a.MD', 2)) == []
    write_energies(tmp_path / 'a.MDE', [1, 2])
    (tmp_path / 'b.MDE').write_text((tmp_path / 'a.MDE').read_text() + '     3  1.00  2.00\n')
    with pytest.raises(CorruptFile, match='3 columns'):
        read_mde(tmp_path / 'b.MDE')


def test_stars_are_not_numbers(tmp_path):
    (tmp_path / 'a.MDE').write_text('     1    300.00 ************* -9.00000  100.000  1.000\n' * 1)
    assert np.isnan(read_mde(tmp_path / 'a.MDE').energies).tolist() == [True]


def test_half_written_restarts_are_refused(runs, tmp_path):
    for name, reader in (
        ('siesta.XV', read_xv),
        ('siesta.NOSE_RESTART', read_nose_restart),
        ('siesta.STRUCT_OUT', read_struct_out),
    ):
        content = (runs / '14_li2s_alias' / name).read_bytes()
        reader(shutil.copy(runs / '14_li2s_alias' / name, tmp_path))
        for size in (0, 10, 200, len(content) - 30, len(content) - 1):
            (tmp_path / name).write_bytes(content[:size])
            with pytest.raises(CorruptFile, match='not complete'):
                reader(tmp_path / name)


def test_messages(runs):
    def messages(run):
        return read_messages((runs / run / 'MESSAGES').read_text().splitlines())

    assert messages('01_nose_md').completed
    assert messages('08_scf_nonconv').unconverged == ((1, 0.00217), (2, 0.000012), (3, 0.000011))
    assert messages('08_scf_nonconv').completed
    assert 'SCF_NOT_CONV' in messages('09_scf_mustconv').fatal[0]
    assert messages('15_xml_walltime').out_of_time
    assert not messages('15_xml_walltime').completed
    assert messages('05_abort_splitnorm').fatal == ('See manual for new split options',)


def test_summary_of_the_output(runs):
    def summary(run):
        with (runs / run / 'siesta.out').open() as stream:
            return read_out(stream)

    assert summary('01_nose_md').version == '4.1.5'
    assert summary('01_nose_md').seconds == 44.653
    assert summary('03_vcrelax').unrelaxed
    assert not summary('01_nose_md').unrelaxed
    assert not summary('15_xml_walltime').completed
    assert [summary(run).thermostat_read for run in ('02b_first10', '02c_restart10', '02e_noNose')] == [
        False,
        True,
        False,
    ]


def test_the_length_of_a_bohr():
    cell = np.array([[6.03, 0, 0], [0.1, 5, 0], [0, 0, 7]])
    assert bohr_of(cell, cell / 0.529177) == 0.529177
    assert bohr_of(cell, cell / 0.529177210903) == 0.529177210903
    with pytest.raises(CorruptFile, match='not the cell of the structure'):
        bohr_of(cell, cell / 0.529177 * 1.01)


def test_records_of_nothing(tmp_path):
    (tmp_path / 'a').write_bytes(b'')
    assert list(read_md(tmp_path / 'a', 2)) == []


def test_long_files_are_streamed(tmp_path):
    """With a stride, memory is that of the steps that are kept, not that of the file of 19 MB."""
    _, frames = harmonic(2, atoms=40)
    write_frames(tmp_path / 'a.MD', ((k, *frames[0][1:]) for k in range(1, 10001)))
    labels = np.arange(1, 10001)
    assert (tmp_path / 'a.MD').stat().st_size > 19e6
    tracemalloc.start()
    trajectory = read_dynamics(tmp_path / 'a.MD', labels, frames[0][1], timestep=1.0, stride=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert trajectory.completed == 10000
    assert len(trajectory.positions) == 100
    assert peak < 1e6
