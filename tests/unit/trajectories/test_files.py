"""The same trajectory from every format, wrapped or not, in one file or several."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from aiida_pesfp import errors
from aiida_pesfp.trajectories.files import read_segment, read_trajectory
from tests.helpers import DATA
from tests.helpers.walks import CELL, brownian

#: A lower triangular cell, as LAMMPS has it.
LAMMPS_CELL = np.array([[12.0, 0, 0], [2.0, 11.0, 0], [-1.0, 1.5, 13.0]])


@pytest.fixture(scope='module')
def walk():
    return brownian(np.random.default_rng(0), duration=20.0, coefficient=0.5)


def frames(trajectory, wrap=True, **info):
    for step, positions in enumerate(trajectory.positions):
        atoms = Atoms(trajectory.symbols, positions=positions, cell=trajectory.cell, pbc=True)
        if wrap:
            atoms.wrap()
        atoms.info = {name: value(step) for name, value in info.items()}
        yield atoms


def write_dump(path, trajectory, columns='id element x y z', stride=100, first=0):
    """A LAMMPS text dump of a triclinic box, its atoms in changing order as LAMMPS writes them."""
    (a, _, _), (xy, b, _), (xz, yz, c) = trajectory.cell
    low = [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high = [a + max(0, xy, xz, xy + xz), b + max(0, yz), c]
    types = {'Li': 1, 'S': 2}
    rng = np.random.default_rng(1)
    with path.open('w') as file:
        for k, atoms in enumerate(frames(trajectory)):
            file.write(f'ITEM: TIMESTEP\n{first + k * stride}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n')
            file.write('ITEM: BOX BOUNDS xy xz yz pp pp pp\n')
            for lo, hi, tilt in zip(low, high, (xy, xz, yz)):
                file.write(f'{lo} {hi} {tilt}\n')
            file.write(f'ITEM: ATOMS {columns}\n')
            for i in rng.permutation(len(atoms)):
                symbol = atoms[i].symbol
                kind = symbol if 'element' in columns else types[symbol]
                file.write(f'{i + 1} {kind} {atoms[i].x:.8f} {atoms[i].y:.8f} {atoms[i].z:.8f}\n')


def write_xdatcar(path, trajectory, repeat_head=False):
    head = 'walk\n1.0\n' + ''.join('{:.9f} {:.9f} {:.9f}\n'.format(*vector) for vector in trajectory.cell)
    head += 'Li S\n16 8\n'
    with path.open('w') as file:
        for k, atoms in enumerate(frames(trajectory)):
            if k == 0 or repeat_head:
                file.write(head)
            file.write(f'Direct configuration= {k + 1:5d}\n')
            for scaled in atoms.get_scaled_positions():
                file.write('   {:.8f}  {:.8f}  {:.8f}\n'.format(*scaled))


def write_siesta(folder, trajectory):
    """``.ANI`` and the ``.XV`` beside it, as SIESTA writes them."""
    with (folder / 'run.ANI').open('w') as file:
        for atoms in frames(trajectory, wrap=False):
            file.write(f'{len(atoms):5d}\n\n')
            for atom in atoms:
                file.write(f'{atom.symbol:2s}{atom.x:12.6f}{atom.y:12.6f}{atom.z:12.6f}\n')
    with (folder / 'run.XV').open('w') as file:
        for vector in trajectory.cell / 0.529177249:
            file.write(' '.join(f'{x:18.9f}' for x in [*vector, 0, 0, 0]) + '\n')
        file.write(f'{len(trajectory.symbols)}\n')
        for symbol, place in zip(trajectory.symbols, trajectory.positions[-1] / 0.529177249):
            number = {'Li': 3, 'S': 16}[symbol]
            file.write(f'1 {number} ' + ' '.join(f'{x:18.9f}' for x in [*place, 0, 0, 0]) + '\n')


def assert_same(found, walk, tolerance=2e-6):
    assert found.symbols == walk.symbols
    np.testing.assert_allclose(found.times - found.times[0], walk.times, atol=1e-9)
    np.testing.assert_allclose(found.cell, walk.cell, atol=1e-5)
    moved, expected = (one.positions - one.positions[0] for one in (found, walk))
    np.testing.assert_allclose(moved, expected, atol=tolerance)


@pytest.mark.parametrize(
    'form', ['extxyz', 'extxyz unwrapped', 'XDATCAR', 'XDATCAR with heads', 'ANI', 'dump', 'dump of types', 'traj']
)
def test_every_format_gives_the_same_path(walk, tmp_path, form):
    options = {'timestep': 1.0, 'stride': 100}
    if form.startswith('extxyz'):
        path = tmp_path / 'run.extxyz'
        write(path, list(frames(walk, wrap=form == 'extxyz')))
    elif form.startswith('XDATCAR'):
        path = tmp_path / 'XDATCAR'
        write_xdatcar(path, walk, form.endswith('heads'))
    elif form == 'ANI':
        write_siesta(tmp_path, walk)
        path = tmp_path / 'run.ANI'
    elif form.startswith('dump'):
        path = tmp_path / 'run.lammpstrj'
        write_dump(path, walk, 'id type x y z' if 'types' in form else 'id element x y z')
        options = {'timestep': 1.0, 'types': ['Li', 'S'] if 'types' in form else None}
    else:
        path = tmp_path / 'run.traj'
        write(path, list(frames(walk, wrap=False, step=lambda k: 100 * k)))
        options = {'timestep': 1.0}
    found, notes = read_trajectory([path], **options)
    assert notes == []
    assert_same(found, walk)


def test_steps_in_the_file_give_the_time_and_a_stride_has_to_fit(walk, tmp_path):
    write(tmp_path / 'run.extxyz', list(frames(walk, step=lambda k: 7000 + 50 * k)))
    for stride in (None, 50):
        assert read_trajectory([tmp_path / 'run.extxyz'], 2.0, stride)[0].time_step == pytest.approx(0.1)
    with pytest.raises(errors.InvalidTrajectory, match=r'50 steps of 2 fs apart .* and 10 are given \(--stride\)'):
        read_trajectory([tmp_path / 'run.extxyz'], 2.0, stride=10)
    write(tmp_path / 'uneven.extxyz', list(frames(walk, step=lambda k: 50 * k + 25 * (k > 60))))
    with pytest.raises(errors.InvalidTrajectory, match='0.1 ps at first and 0.15 ps from frame 60 to 61'):
        read_trajectory([tmp_path / 'uneven.extxyz'], 2.0)


def part(walk, begin, end):
    """Some frames of a walk, as an object that the writers above take."""
    return type(walk)(walk.symbols, walk.positions[begin:end], walk.times[begin:end], walk.cell)


@pytest.mark.parametrize('second', [101, 100, 80], ids=['goes on', 'first frame again', 'overlap'])
@pytest.mark.parametrize('numbered', ['on', 'anew', 'not'])
def test_parts_of_a_restarted_run_become_one(walk, tmp_path, second, numbered):
    paths = []
    for begin, end in ((0, 101), (second, 201)):
        first = begin if numbered == 'on' else (begin == second and second == 101)
        step = {} if numbered == 'not' else {'step': lambda k, first=first: 100 * (int(first) + k)}
        paths.append(tmp_path / f'{begin}.extxyz')
        write(paths[-1], list(frames(part(walk, begin, end), **step)))
    found, _ = read_trajectory(paths, 1.0, None if numbered != 'not' else 100)
    assert_same(found, walk)


def test_parts_that_do_not_belong_together_are_refused(walk, tmp_path):
    for name, begin, end in (('a', 0, 100), ('b', 100, 201)):
        write(tmp_path / f'{name}.extxyz', list(frames(part(walk, begin, end), wrap=False)))
        write(tmp_path / f'{name}_steps.extxyz', list(frames(part(walk, begin, end), step=lambda k: 10 * k)))
    other = brownian(np.random.default_rng(9), duration=5.0, atoms=15)
    write(tmp_path / 'other.extxyz', list(frames(other)))
    write(tmp_path / 'b_strided.extxyz', list(frames(part(walk, 100, 201), step=lambda k: 1000 + 20 * k)))

    def read(*names):
        return read_trajectory([tmp_path / f'{name}.extxyz' for name in names], 1.0)

    with pytest.raises(errors.InvalidTrajectory, match='a.extxyz does not begin where .*b.extxyz ends.*in their order'):
        read('b', 'a')
    with pytest.raises(errors.InvalidTrajectory, match='other.extxyz has other atoms'):
        read('a', 'other')
    with pytest.raises(errors.InvalidTrajectory, match='step does not stand in all files'):
        read('a_steps', 'b')
    with pytest.raises(errors.InvalidTrajectory, match='0.01 ps at first and 0.02 ps from frame 100'):
        read('a_steps', 'b_strided')


def test_a_frame_that_was_cut_off_is_left_out_with_a_note(walk, tmp_path):
    write_dump(tmp_path / 'run.lammpstrj', walk)
    text = (tmp_path / 'run.lammpstrj').read_text()
    in_head = len(text) - text.rindex('BOX BOUNDS')
    for lost in (3, 200, in_head):
        (tmp_path / 'run.lammpstrj').write_text(text[:-lost])
        found, notes = read_trajectory([tmp_path / 'run.lammpstrj'], 1.0)
        assert len(found.times) == 200
        assert len(notes) == 1
        assert 'left out frame 200, which is incomplete' in notes[0]
    write_xdatcar(tmp_path / 'XDATCAR', walk)
    text = (tmp_path / 'XDATCAR').read_text()
    for lost in (3, 30, len(text) - text.rindex('configuration') - 20):
        (tmp_path / 'XDATCAR').write_text(text[:-lost])
        found, notes = read_trajectory([tmp_path / 'XDATCAR'], 1.0)
        assert len(found.times) == 200
        assert 'left out frame 200, which is incomplete' in notes[0]


def test_faults_are_named_with_the_file_and_the_way_out(walk, tmp_path):
    (tmp_path / 'junk.extxyz').write_text('this is not\na trajectory\n')
    (tmp_path / 'empty.extxyz').write_text('')
    (tmp_path / 'strange.abc').write_text('neither this')
    write_dump(tmp_path / 'types.lammpstrj', part(walk, 0, 3), 'id type x y z')
    write(tmp_path / 'molecule.xyz', [Atoms('LiS', [[0, 0, 0], [0, 0, 2]])] * 3)
    several = list(frames(part(walk, 0, 3)))
    several[2] = several[2][::-1]
    write(tmp_path / 'order.extxyz', several)
    for name, words in {
        'missing.extxyz': 'no such file',
        'junk.extxyz': 'cannot be read as a trajectory',
        'empty.extxyz': 'cannot be read|holds no frame|unknown format',
        'strange.abc': 'unknown format',
        'types.lammpstrj': 'does not say which element type 1 is.*--types',
        'molecule.xyz': 'has no cell: give it',
        'order.extxyz': 'frame 2 has other atoms, or in another order',
    }.items():
        with pytest.raises(errors.InvalidTrajectory, match=words) as caught:
            read_segment(tmp_path / name)
        assert name in str(caught.value)
    assert len(read_segment(tmp_path / 'molecule.xyz', cell=CELL).positions) == 3


def test_nan_and_a_variable_cell_in_files(walk, tmp_path):
    bad = list(frames(part(walk, 0, 5), wrap=False))
    bad[3].positions[1] = np.nan
    write(tmp_path / 'nan.extxyz', bad)
    with pytest.raises(errors.InvalidTrajectory, match='atom 1 in frame 3 is not a number'):
        read_trajectory([tmp_path / 'nan.extxyz'], 1.0)
    swelling = list(frames(part(walk, 0, 5), wrap=False))
    for k, atoms in enumerate(swelling):
        atoms.set_cell(CELL * (1 + 0.001 * k))
    write(tmp_path / 'npt.extxyz', swelling)
    with pytest.raises(errors.InvalidTrajectory, match='until frame 4'):
        read_trajectory([tmp_path / 'npt.extxyz'], 1.0)


def test_genuine_siesta_restart():
    """Twenty steps in one run, and as ten and ten."""
    runs = DATA / 'siesta'
    whole, _ = read_trajectory([runs / '02a_cont20' / 'siesta.ANI'], 1.0)
    joined, _ = read_trajectory([runs / name / 'siesta.ANI' for name in ('02b_first10', '02c_restart10')], 1.0)
    np.testing.assert_array_equal(joined.positions, whole.positions)
    np.testing.assert_allclose(joined.times, whole.times)
    np.testing.assert_allclose(np.diag(whole.cell), 6.03, atol=1e-4)
