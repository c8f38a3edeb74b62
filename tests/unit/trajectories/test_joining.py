"""The order of files, frames that two files share, and frames that none has."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from aiida_pesfp import errors
from aiida_pesfp.trajectories.files import read_trajectory
from aiida_pesfp.trajectories.joining import Segment, in_order
from aiida_pesfp.trajectories.stamps import Clock
from tests.helpers.walks import CELL, brownian

RIGHT = np.arange(61)


@pytest.fixture(scope='module')
def walk():
    return brownian(np.random.default_rng(0), duration=6.0, coefficient=0.1)


def write_part(path, walk, frames, steps=None, shift=0.0):
    """Frames of a walk, wrapped; ``steps`` gives the number that frame k has in the file."""
    images = []
    for place, k in enumerate(frames):
        atoms = Atoms(walk.symbols, positions=walk.positions[k] + shift, cell=walk.cell, pbc=True)
        atoms.wrap()
        if steps is not None:
            atoms.info['step'] = steps(k, place)
        images.append(atoms)
    write(path, images)
    return path


def by_number(k, place):
    return 50 * k


def assert_right(found, walk, frames=RIGHT):
    moved = found.positions - found.positions[0]
    np.testing.assert_allclose(moved, walk.positions[frames] - walk.positions[frames[0]], atol=1e-6)
    assert found.time_step == pytest.approx(0.1)


def part(name, **stamps):
    stamps = {Clock(clock, clock): np.array([value]) for clock, value in stamps.items()}
    return Segment(name, ('Li',), np.zeros((1, 1, 3)), CELL[None], stamps)


@pytest.mark.parametrize(
    ('given', 'taken'),
    [
        ('f_0 f_1 f_10 f_2', 'f_0 f_1 f_2 f_10'),
        ('frame10.vasp frame1.vasp frame2.vasp', 'frame1.vasp frame2.vasp frame10.vasp'),
        ('run_1/X run_10/X run_9/X', 'run_1/X run_9/X run_10/X'),
        ('first again', 'first again'),
        ('run continued', 'run continued'),
        ('X.2 X.1 X', 'X.2 X.1 X'),
        ('X_0100 X_020', 'X_020 X_0100'),
        ('a1-10.xyz a1_2.xyz', 'a1_2.xyz a1-10.xyz'),
        ('f_2 f_0 f_10', 'f_2 f_0 f_10'),
        ('md.traj md2.traj', 'md.traj md2.traj'),
        ('md2.traj md.traj', 'md.traj md2.traj'),
        ('run.xyz run1.xyz run10.xyz run2.xyz', 'run.xyz run1.xyz run2.xyz run10.xyz'),
        ('md.xyz.gz md_restart.xyz.gz', 'md.xyz.gz md_restart.xyz.gz'),
        ('app.dump app2.dump', 'app.dump app2.dump'),
        ('2024/md.traj 2024/md2.traj', '2024/md.traj 2024/md2.traj'),
        ('XDATCAR XDATCAR2 XDATCAR_1', 'XDATCAR XDATCAR_1 XDATCAR2'),
        ('XDATCAR XDATCAR.1 XDATCAR.10 XDATCAR.2', 'XDATCAR XDATCAR.1 XDATCAR.2 XDATCAR.10'),
        (
            'dump.0.lammpstrj dump.100.lammpstrj dump.50.lammpstrj',
            'dump.0.lammpstrj dump.50.lammpstrj dump.100.lammpstrj',
        ),
        ('prod-1.xyz prod-10.xyz prod-2.xyz', 'prod-1.xyz prod-2.xyz prod-10.xyz'),
        ('md.part0002.traj md.part0010.traj md.traj', 'md.traj md.part0002.traj md.part0010.traj'),
        ('md.part0002.traj md.part0010.traj', 'md.part0002.traj md.part0010.traj'),
        ('run_part1 run_part10 run_part2', 'run_part1 run_part2 run_part10'),
        ('segment-00001 segment-00002', 'segment-00001 segment-00002'),
    ],
)
def test_a_shell_sorts_by_letters_and_people_count(given, taken):
    assert [one.source for one in in_order([part(name) for name in given.split()])] == taken.split()


def test_the_order_that_is_given_counts_where_steps_agree():
    given = [part('f_1', step=0), part('f_10', step=500), part('f_2', step=900)]
    assert in_order(given) == given
    assert [one.source for one in in_order([part(one.source, step=0) for one in given])] == ['f_1', 'f_2', 'f_10']


@pytest.mark.parametrize(('suffix', 'steps'), [('xyz', by_number), ('xyz', None), ('vasp', None), ('cif', None)])
def test_files_of_one_frame_each(walk, tmp_path, suffix, steps):
    paths = [write_part(tmp_path / f'frame_{k}.{suffix}', walk, [k], steps) for k in RIGHT]
    found, notes = read_trajectory(sorted(paths), 2.0, 50)
    moved = found.positions - found.positions[0]
    np.testing.assert_allclose(moved, walk.positions - walk.positions[0], atol=1e-3)
    assert 'in the order of their numbers, frame_0' in notes[0]
    assert read_trajectory(paths, 2.0, 50)[1] == []
    if steps is None:
        assert 'are taken for those of steps' in read_trajectory(paths, 2.0)[1][-1]


def test_files_of_one_frame_in_disorder_are_refused(tmp_path):
    slow = brownian(np.random.default_rng(1), duration=12.0, coefficient=0.05)
    for name, steps in (('a', None), ('b', by_number)):
        paths = [write_part(tmp_path / f'{name}_{k}.xyz', slow, [k], steps) for k in range(120)]
        disorder = [*paths[60:], *paths[:60]]
        with pytest.raises(errors.InvalidTrajectory, match='in their order'):
            read_trajectory(disorder, 2.0, 50)
        with pytest.raises(errors.InvalidTrajectory, match='frames are missing'):
            read_trajectory([path for path in paths if path.stem != f'{name}_17'], 2.0, 50)


def test_a_file_to_which_two_runs_were_written(walk, tmp_path):
    """As a restarted program appends: the same steps again, or counted anew."""
    again = [*range(41), *range(30, 61)]
    found, notes = read_trajectory([write_part(tmp_path / 'again.xyz', walk, again, by_number)], 2.0)
    assert_right(found, walk)
    assert notes == []
    anew = write_part(tmp_path / 'anew.xyz', walk, RIGHT, lambda k, _: 50 * (k if k < 40 else k - 40))
    assert_right(read_trajectory([anew], 2.0)[0], walk)
    twice = write_part(tmp_path / 'twice.xyz', walk, [*range(31), *range(30, 61)], by_number)
    assert_right(read_trajectory([twice], 2.0)[0], walk)


def test_a_repeated_frame_counts_once_without_numbers_too(walk, tmp_path):
    path = write_part(tmp_path / 'run.xyz', walk, [*range(31), *range(30, 50), *range(49, 61)])
    found, _ = read_trajectory([path], 2.0, 50)
    assert_right(found, walk)
    heads = [write_part(tmp_path / f'{k}.xyz', walk, part) for k, part in enumerate((range(31), range(30, 61)))]
    joined = tmp_path / 'cat.xyz'
    joined.write_bytes(b''.join(path.read_bytes() for path in heads))
    assert_right(read_trajectory([joined], 2.0, 50)[0], walk)


OVERLAPS = [
    [range(41), range(30, 61)],
    [range(41), range(30, 50), range(45, 61)],
    [range(41), range(30, 50), range(20, 61)],
    [RIGHT, range(20, 40)],
    [RIGHT, RIGHT],
]


@pytest.mark.parametrize('parts', OVERLAPS)
@pytest.mark.parametrize('form', ['traj', 'xyz', 'one file', 'steps anew'])
def test_frames_that_come_again_are_found_by_their_positions(walk, tmp_path, parts, form):
    """A program that restarts from its last checkpoint writes the frames since then again."""
    steps = (lambda _, place: 50 * place) if form == 'steps anew' else None
    paths = [tmp_path / f'{k}.{"traj" if form == "traj" else "xyz"}' for k in range(len(parts))]
    for path, frames in zip(paths, parts):
        write_part(path, walk, frames, steps)
    if form == 'one file':
        paths[0].write_bytes(b''.join(path.read_bytes() for path in paths))
        paths = paths[:1]
    found, notes = read_trajectory(paths, 2.0, 50)
    assert_right(found, walk)
    assert form == 'steps anew' or 'count once' in notes[-1]


def test_after_a_restart_without_numbers_too_two_runs_part(walk, tmp_path):
    other = type(walk)(walk.symbols, walk.positions.copy(), walk.times, walk.cell)
    other.positions[31:] += np.linspace(0, 1, 30)[:, None, None]
    paths = [write_part(tmp_path / 'a.xyz', walk, range(41)), write_part(tmp_path / 'b.xyz', other, range(30, 61))]
    found, notes = read_trajectory(paths, 2.0, 50)
    assert_right(found, other)
    assert any('from frame 2 on' in note and 'replaces' in note for note in notes)


def test_a_file_that_is_given_twice_or_lies_within_another(walk, tmp_path):
    whole = write_part(tmp_path / 'a.xyz', walk, RIGHT, by_number)
    copy = write_part(tmp_path / 'b.xyz', walk, RIGHT, by_number)
    inner = write_part(tmp_path / 'c.xyz', walk, range(20, 40), by_number)
    for paths in ([whole, whole], [whole, copy], [whole, inner], [whole, inner, copy]):
        assert_right(read_trajectory(paths, 2.0)[0], walk)


def test_the_later_file_goes_on_from_the_frame_that_both_have(walk, tmp_path):
    """After a restart, chaos parts the two runs: the frames of the first after it are no part of the path."""
    first = write_part(tmp_path / 'a.xyz', walk, range(41), by_number)
    other = type(walk)(walk.symbols, walk.positions.copy(), walk.times, walk.cell)
    other.positions[31:] += np.linspace(0, 1, 30)[:, None, None]
    second = write_part(tmp_path / 'b.xyz', other, range(30, 61), by_number)
    found, notes = read_trajectory([first, second], 2.0)
    assert_right(found, other)
    assert len(notes) == 1
    assert 'from step 1600 on' in notes[0]


@pytest.mark.parametrize(
    ('parts', 'words'),
    [
        ([(range(41), 0), (range(30, 61), 0.3)], 'different positions at step 1500'),
        ([(range(30), 0), (range(31, 61), 0)], 'frames are missing between them'),
        ([(range(30, 61), 0), (range(30), 0)], 'in their order|does not begin'),
        ([(range(21), 0), (range(21, 41), 0), (range(50, 61), 0)], 'frames are missing between them'),
    ],
    ids=['other positions', 'a frame is missing', 'order', 'third file'],
)
def test_steps_that_do_not_fit_are_refused(walk, tmp_path, parts, words):
    paths = [write_part(tmp_path / f'{k}.xyz', walk, *part[:1], by_number, part[1]) for k, part in enumerate(parts)]
    with pytest.raises(errors.InvalidTrajectory, match=words) as caught:
        read_trajectory(paths, 2.0)
    assert paths[-1].name in str(caught.value)


def test_two_runs_from_one_frame_are_not_one(walk, tmp_path):
    other = brownian(np.random.default_rng(7), duration=6.0)
    other.positions[:] += walk.positions[0] - other.positions[0]
    first = write_part(tmp_path / 'hot.xyz', walk, RIGHT, by_number)
    second = write_part(tmp_path / 'cold.xyz', other, RIGHT, by_number)
    with pytest.raises(errors.InvalidTrajectory, match='two runs from one frame'):
        read_trajectory([first, second], 2.0)


def test_positions_that_are_not_wrapped_go_on_in_the_cell_where_they_were(walk, tmp_path):
    """A restarted program may count the cells that its ions have left anew."""
    rng = np.random.default_rng(4)
    anew = rng.integers(-9, 9, (len(walk.symbols), 3)) @ CELL
    for name, frames, shift in (('a', range(31), 0.0), ('b', range(31, 61), 0.0), ('c', range(31, 61), anew)):
        images = [Atoms(walk.symbols, positions=walk.positions[k] + shift, cell=CELL, pbc=True) for k in frames]
        write(tmp_path / f'{name}.xyz', images)
    found, _ = read_trajectory([tmp_path / 'a.xyz', tmp_path / 'b.xyz'], 2.0, 50, unwrapped=True)
    assert_right(found, walk)
    found, notes = read_trajectory([tmp_path / 'a.xyz', tmp_path / 'c.xyz'], 2.0, 50, unwrapped=True)
    assert_right(found, walk)
    assert any('c.xyz has atoms in other cells' in note for note in notes)
    images = [Atoms(walk.symbols, positions=walk.positions[k] + anew / 7, cell=CELL, pbc=True) for k in range(31, 61)]
    write(tmp_path / 'd.xyz', images)
    with pytest.raises(errors.InvalidTrajectory, match='d.xyz does not begin where .*a.xyz ends'):
        read_trajectory([tmp_path / 'a.xyz', tmp_path / 'd.xyz'], 2.0, 50, unwrapped=True)
