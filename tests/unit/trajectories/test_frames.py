"""What frames of each format say: image flags, units, columns, compression, joined numbers; and faults of files."""

import bz2
import gzip
import lzma
import re

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import cell_to_cellpar, cellpar_to_cell
from ase.io import write
from ase.units import Bohr, _aut
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_pesfp import errors
from aiida_pesfp.trajectories.files import read_segment, read_trajectory
from aiida_pesfp.trajectories.frames import numbers
from tests.helpers.walks import CELL, brownian

INVERSE = np.linalg.inv(CELL)
ORIGIN = np.array([1.0, -2.0, 0.5])
LATTICE = ' '.join(f'{number:g}' for number in CELL.ravel())


@pytest.fixture(scope='module')
def walk():
    """Ions go farther between two frames than the shortest way could tell, so images are needed."""
    return brownian(np.random.default_rng(0), duration=60.0, time_step=1.0, coefficient=4.0)


@pytest.fixture(scope='module')
def slow():
    return brownian(np.random.default_rng(0), duration=3.0)


def assert_same(found, walk, tolerance=2e-5):
    moved = found.positions - found.positions[0]
    np.testing.assert_allclose(moved, walk.positions - walk.positions[0], atol=tolerance)
    np.testing.assert_allclose(found.cell, CELL, atol=1e-9)


def write_dump(path, walk, columns, unit=None, length=1.0, time=None, general=False):
    """A LAMMPS dump of a triclinic box with any columns of positions, atoms in changing order."""
    (a, _, _), (xy, b, _), (xz, yz, c) = CELL * length
    low = ORIGIN * length + [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high = ORIGIN * length + [a + max(0, xy, xz, xy + xz), b + max(0, yz), c]
    box = [f'{lo} {hi} {tilt}\n' for lo, hi, tilt in zip(low, high, (xy, xz, yz))]
    if general:
        box = ['{} {} {} {}\n'.format(*row, o) for row, o in zip(CELL * length, ORIGIN * length)]
    rng = np.random.default_rng(1)
    with path.open('w') as file:
        for k, places in enumerate(walk.positions):
            scaled = (places - ORIGIN) @ INVERSE
            images = np.floor(scaled)
            values = {
                **dict(zip(('x', 'y', 'z'), ((scaled - images) @ CELL + ORIGIN).T * length)),
                **dict(zip(('xu', 'yu', 'zu'), places.T * length)),
                **dict(zip(('xs', 'ys', 'zs'), (scaled - images).T)),
                **dict(zip(('xsu', 'ysu', 'zsu'), scaled.T)),
                **dict(zip(('ix', 'iy', 'iz'), images.astype(int).T)),
                'vx': np.zeros(len(places)),
            }
            if unit and not k:
                file.write(f'ITEM: UNITS\n{unit}\n')
            file.write(f'ITEM: TIMESTEP\n{500 * k}\n')
            if time is not None:
                file.write(f'ITEM: TIME\n{time * k:.10g}\n')
            kind = 'abc origin' if general else 'xy xz yz'
            file.write(f'ITEM: NUMBER OF ATOMS\n{len(places)}\nITEM: BOX BOUNDS {kind} pp pp pp\n')
            file.writelines([*box, f'ITEM: ATOMS id type mass {columns}\n'])
            for i in rng.permutation(len(places)):
                kind = '1 6.94' if walk.symbols[i] == 'Li' else '2 32.06'
                file.write(f'{i + 1} {kind} ' + ' '.join(f'{values[name][i]:.12g}' for name in columns.split()) + '\n')
    return path


@pytest.mark.parametrize(
    'columns',
    ['xu yu zu', 'x y z xu yu zu', 'xsu ysu zsu', 'x y z ix iy iz', 'ix iy iz vx zs ys xs', 'xs ys zs xsu ysu zsu'],
)
@pytest.mark.parametrize('general', [False, True])
def test_a_dump_says_how_often_ions_have_left_the_cell(walk, tmp_path, columns, general):
    path = write_dump(tmp_path / 'run.lammpstrj', walk, columns, general=general)
    for types in (None, ['Li', 'S']):
        found, notes = read_trajectory([path], 2.0, types=types)
        assert_same(found, walk)
        assert found.time_step == pytest.approx(1.0)
        assert notes == []
        assert found.symbols == walk.symbols


def test_a_dump_that_does_not_say_it_is_refused(walk, slow, tmp_path):
    for columns in ('x y z', 'xs ys zs'):
        path = write_dump(tmp_path / 'run.lammpstrj', walk, columns)
        with pytest.raises(errors.InvalidTrajectory, match='Store frames more often'):
            read_trajectory([path], 2.0)
        with pytest.raises(errors.InvalidTrajectory, match='they are wrapped, do not say that they are not'):
            read_trajectory([path], 2.0, unwrapped=True)
        assert_same(read_trajectory([write_dump(path, slow, columns)], 2.0)[0], slow)
    whole, wrapped = (write_dump(tmp_path / f'{name[:2]}.dump', slow, name) for name in ('xu yu zu', 'x y z'))
    with pytest.raises(
        errors.InvalidTrajectory, match='only one of .*xu.dump and .*x .dump has positions that are not wrapped'
    ):
        read_trajectory([whole, wrapped], 2.0)


@pytest.mark.parametrize(
    ('unit', 'length', 'time'),
    [('metal', 1, 1.0), ('real', 1, 1000.0), ('electron', 1 / Bohr, 1000.0), ('si', 1e-10, 1e-12), (None, 1, 1.0)],
)
def test_units_of_lammps(walk, tmp_path, unit, length, time):
    path = write_dump(tmp_path / 'run.lammpstrj', walk, 'xu yu zu', unit, length, time)
    assert_same(read_trajectory([path], 2.0)[0], walk, 1e-4)
    with pytest.raises(
        errors.InvalidTrajectory, match='should be the time of 500 steps.* In steps of 1 fs .* 1000 if it is in'
    ):
        read_trajectory([path], 1.0)


def test_faults_of_dumps_are_named(slow, tmp_path):
    path = write_dump(tmp_path / 'run.lammpstrj', slow, 'xu yu zu')
    text = path.read_text()
    rows = text.split('\n')
    second = len(rows) // len(slow.times)
    atom = rows[second + 9].split()
    faults = {
        'units of Lennard-Jones': 'ITEM: UNITS\nlj\n' + text,
        'has no positions': text.replace('xu yu zu', 'fx fy fz'),
        'no column id': text.replace('ATOMS id', 'ATOMS c_id'),
        'two atoms of the dump have the same id': text.replace('\n7 1 6.94', '\n8 1 6.94'),
        'frame 1 cannot be read .*6 columns are named': text.replace(rows[second + 9], ' '.join(atom[:-1])),
        'other ids than the first': text.replace(rows[second + 9], ' '.join(['99', *atom[1:]])),
        'frame 1 cannot be read': text.replace(rows[second + 9], ' '.join([*atom[:-1], '******'])),
        'no element has the mass 100000 u': text.replace('6.94', '1e5'),
        'frame 1 cannot be read .*where an item should begin': text.replace('ITEM: TIMESTEP\n500\n', '500\n'),
    }
    for words, content in faults.items():
        path.write_text(content)
        with pytest.raises(errors.InvalidTrajectory, match=words):
            read_trajectory([path], 2.0)
    path.write_text(text)
    with pytest.raises(errors.InvalidTrajectory, match='which element type 2 is'):
        read_trajectory([path], 2.0, types=['Li'])
    path.write_text(text.replace('type mass', 'type element').replace(' 6.94 ', ' Li ').replace(' 32.06 ', ' S '))
    assert read_trajectory([path], 2.0, types=['Li', 'S'])[0].symbols == slow.symbols
    with pytest.raises(errors.InvalidTrajectory, match='the given types .* do not'):
        read_trajectory([path], 2.0, types=['S', 'Li'])


@pytest.mark.parametrize(('lithium', 'sulphur'), [('6.94', '32.06'), ('6.015', '33.97'), ('1e-26', '5e-26')])
def test_masses_of_a_dump_fit_the_elements(slow, tmp_path, lithium, sulphur):
    text = write_dump(tmp_path / 'run.lammpstrj', slow, 'xu yu zu').read_text()
    heavy = sulphur == '33.97'
    for types, head in ((['Li', 'S'], 'type mass'), (['S', 'Li'], 'type mass'), (None, 'element mass')):
        path = tmp_path / 'other.lammpstrj'
        named = text.replace('type mass', head).replace(' 6.94 ', f' {lithium} ').replace(' 32.06 ', f' {sulphur} ')
        if types is None:
            named = named.replace(f' 1 {lithium} ', f' S {lithium} ').replace(f' 2 {sulphur} ', f' Li {sulphur} ')
        path.write_text(named)
        if lithium == '1e-26' or (types == ['Li', 'S'] and not heavy):
            assert len(read_trajectory([path], 2.0, types=types)[0].times) == len(slow.times)
            continue
        with pytest.raises(errors.InvalidTrajectory, match='other.lammpstrj: the dump has atoms of .* u, which is no'):
            read_trajectory([path], 2.0, types=types)


def write_xyz(path, walk, comment, factor=1.0, labels=None, extra=''):
    labels = labels or {symbol: symbol for symbol in walk.symbols}
    with path.open('w') as file:
        for k, places in enumerate(walk.positions * factor):
            rows = [f'{labels[s]} {extra}{x:.8f} {y:.8f} {z:.8f}\n' for s, (x, y, z) in zip(walk.symbols, places)]
            file.writelines([f'{len(rows)}\n{comment(k)}\n', *rows])
    return path


def test_names_of_types_in_dumps(slow, tmp_path):
    """Also with the ends of lines of Windows, and under a name without a suffix."""
    text = write_dump(tmp_path / 'run', slow, 'xu yu zu').read_text()
    for head, lithium, sulphur in (('type', 'Li', 'S'), ('typelabel', 'Li+', 'S2-'), ('element', 'LI', 'S')):
        named = text.replace('type mass', head).replace(' 1 6.94 ', f' {lithium} ').replace(' 2 32.06 ', f' {sulphur} ')
        (tmp_path / 'run').write_text(named, newline='\r\n')
        assert read_trajectory([tmp_path / 'run'], 2.0)[0].symbols == slow.symbols
    (tmp_path / 'run').write_text(named.replace(' LI ', ' cation '))
    with pytest.raises(errors.InvalidTrajectory, match="'cation' is no element: .*--types"):
        read_trajectory([tmp_path / 'run'], 2.0)


def test_heads_without_elements(slow, tmp_path):
    """XDATCAR of VASP 4, and MD_CAR of SIESTA, which has a head before each frame and no number."""
    path = write_xdatcar(tmp_path / 'XDATCAR', slow, every=50)
    text = path.read_text()
    path.write_text(text.replace('Li S\n', ''))
    with pytest.raises(
        errors.InvalidTrajectory, match='XDATCAR: the file does not say which element type 1 is: .*--types'
    ):
        read_trajectory([path], 2.0)
    assert_same(read_trajectory([path], 2.0, types=['Li', 'S'])[0], slow, 1e-6)
    path.write_text(text.replace('Direct configuration=', 'Konfig='))
    assert_same(read_trajectory([path], 2.0)[0], slow, 1e-6)
    path.write_text(text)
    with pytest.raises(errors.InvalidTrajectory, match='the elements are Li,S, and S,Li are given'):
        read_trajectory([path], 2.0, types=['S', 'Li'])
    path.write_text(' 24 24 50\n 0.1E+02 0.12E-08\n 300.0\n  CAR\n walk\n\n 0.1 0.2 0.3\n')
    with pytest.raises(errors.InvalidTrajectory, match='of VASP 4 and has no cell: convert it'):
        read_trajectory([path], 2.0)
    lines = write_xdatcar(tmp_path / 'run.MD_CAR', slow, repeat=True).read_text().replace('Li S\n', '').splitlines()
    lines = ['Direct' if 'configuration' in line else line for line in lines]
    (tmp_path / 'run.MD_CAR').write_text('\n'.join(lines) + '\n')
    found, notes = read_trajectory([tmp_path / 'run.MD_CAR'], 2.0, 50, types=['Li', 'S'])
    assert_same(found, slow, 1e-6)
    assert notes == []


def write_pdb(path, walk, title, model=lambda k: k + 1, cell=True, end='ENDMDL\n', last='END\n'):
    """``title``: lines before the cell of frame k."""
    crystal = 'CRYST1{:9.3f}{:9.3f}{:9.3f}{:7.2f}{:7.2f}{:7.2f} P 1           1\n'.format(*cell_to_cellpar(CELL))
    with path.open('w') as file:
        for k, places in enumerate(walk.positions):
            number = '' if model(k) is None else f'MODEL {model(k):8d}\n'
            file.write(title(k) + (crystal if cell or not k else '') + number)
            for i, (symbol, place) in enumerate(zip(walk.symbols, places)):
                name = f'ATOM  {i + 1:5d} {symbol.upper():>4s} LIS     1    '
                file.write(name + '{:8.3f}{:8.3f}{:8.3f}  1.00  0.00\n'.format(*place))
            file.write(f'TER\n{end}')
        file.write(last)
    return path


GROMACS = 'TITLE     NVT run of Li2S t= {:9.5f} step= {}\nREMARK    THIS IS A SIMULATION BOX\n'
MDANALYSIS = 'HEADER    \nTITLE     MDANALYSIS FRAMES FROM 0, STEP 1: Created by PDBWriter\nREMARK 285 UNITCELL\n'


@pytest.mark.parametrize(
    ('options', 'stride'),
    [
        ({'title': lambda k: GROMACS.format(0.1 * k, 50 * k), 'last': ''}, None),
        ({'title': lambda k: f'REMARK    Step {50 * k}, E = -17.1\n', 'model': lambda k: None, 'end': 'END\n'}, None),
        ({'title': lambda k: MDANALYSIS * (not k), 'cell': False}, 50),
        ({'title': lambda k: '', 'model': lambda k: 50 * k}, None),
    ],
    ids=['GROMACS', 'CP2K', 'MDAnalysis', 'steps as models'],
)
def test_pdb_files_say_their_steps(slow, tmp_path, options, stride):
    path = write_pdb(tmp_path / 'run.pdb', slow, **options)
    found, _ = read_trajectory([path], 2.0, stride)
    assert found.time_step == pytest.approx(0.1)
    assert found.symbols == slow.symbols
    np.testing.assert_allclose(found.positions, slow.positions, atol=2e-3)
    if options['title'](1) or stride:  # numbers of models are whatever the user says
        with pytest.raises(errors.InvalidTrajectory, match='--stride'):
            read_trajectory([path], 2.0, None if stride else 40)
    if 't=' in options['title'](1):
        with pytest.raises(errors.InvalidTrajectory, match='should be the time of 50 steps'):
            read_trajectory([path], 1.0)
    text = path.read_text()
    path.write_text(text[: text.rindex('ATOM')])
    assert 'left out frame 30, which is incomplete' in read_trajectory([path], 2.0, stride)[1][0]


def write_history(path, walk, classic=False, level=0):
    with path.open('w') as file:
        count = len(walk.symbols)
        file.write(
            f'Li2S\n{level:10d}         3{count:10d}' + (f'{len(walk.times):21d}{9:21d}\n' if not classic else '\n')
        )
        for k, places in enumerate(walk.positions @ np.linalg.inv(CELL) % 1 @ CELL - CELL.sum(axis=0) / 2):
            file.write(f'timestep  {50 * k:9d}{count:10d}{level:10d}         3    0.002000')
            file.write('\n' if classic else f'    {0.1 * k:.6f}\n')
            file.writelines('{:20.10f}{:20.10f}{:20.10f}\n'.format(*vector) for vector in CELL)
            for i in np.random.default_rng(k).permutation(count):
                file.write(f'{walk.symbols[i]}{"+" if i < 16 else ""}      {i + 1:10d}    6.94    1.0    0.0\n')
                file.writelines(('{:20.8e}{:20.8e}{:20.8e}\n'.format(*places[i]), *['0. 0. 0.\n'] * level))
    return path


@pytest.mark.parametrize('classic', [False, True])
@pytest.mark.parametrize('level', [0, 2])
def test_histories_of_dl_poly(slow, tmp_path, classic, level):
    path = write_history(tmp_path / ('HISTORY' if classic else 'run.his'), slow, classic, level)
    assert_same(read_trajectory([path], 2.0)[0], slow, 1e-6)
    with pytest.raises(errors.InvalidTrajectory, match='50 steps of 2 fs apart .* and 10 are given'):
        read_trajectory([path], 2.0, 10)
    with pytest.raises(errors.InvalidTrajectory, match='timestep = 0.002, and 1 fs are given'):
        read_trajectory([path], 1.0)
    text = path.read_text()
    path.write_text(text[:-30])
    assert 'left out frame 30, which is incomplete' in read_trajectory([path], 2.0)[1][0]
    path.write_text(text.replace('         3    0.002', '         0    0.002'))
    with pytest.raises(errors.InvalidTrajectory, match='is no timestep of a periodic cell'):
        read_trajectory([path], 2.0)


def test_times_of_castep(slow, tmp_path):
    frames = [Atoms(slow.symbols, positions=places, cell=CELL, pbc=True) for places in slow.positions]
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, free_energy=0.0, forces=np.zeros((len(atoms), 3)))
        atoms.set_velocities(np.zeros((len(atoms), 3)))
    write(tmp_path / 'run.md', frames)
    rows = (tmp_path / 'run.md').read_text().splitlines()
    count, wanted = 0, 100 / (_aut * 1e15)
    for k, row in enumerate(rows):
        if len(row.split()) == 1 and '<--' not in row:
            rows[k], count = f'  {wanted * count:.16E}', count + 1
    (tmp_path / 'run.md').write_text('\n'.join(rows) + '\n')
    for stride in (None, 50):
        found, notes = read_trajectory([tmp_path / 'run.md'], 2.0, stride)
        assert (found.time_step, notes) == (pytest.approx(0.1), [])
        np.testing.assert_allclose(found.positions, slow.positions, atol=1e-6)
    with pytest.raises(errors.InvalidTrajectory, match='--stride'):
        read_trajectory([tmp_path / 'run.md'], 2.0, 5)


@pytest.mark.parametrize('suffix', ['pdb', 'xsf', 'json'])
def test_formats_whose_steps_are_not_read_need_a_stride(slow, tmp_path, suffix):
    frames = [Atoms(slow.symbols, positions=places, cell=CELL, pbc=True) for places in slow.positions]
    write(tmp_path / f'run.{suffix}', frames)
    with pytest.raises(errors.InvalidTrajectory, match='only counts frames: say how many .*--stride'):
        read_trajectory([tmp_path / f'run.{suffix}'], 2.0)
    assert read_trajectory([tmp_path / f'run.{suffix}'], 2.0, 50)[0].time_step == pytest.approx(0.1)


def test_a_time_step_or_a_length_in_another_unit_is_refused(slow, tmp_path):
    path = write_xyz(tmp_path / 'run.xyz', slow, lambda k: f'step={k}')
    for timestep in (0.002, 2e-15, 2000.0, float('nan')):
        with pytest.raises(errors.InvalidTrajectory, match='is not a time step of a molecular dynamics: give it in fs'):
            read_trajectory([path], timestep, cell=CELL)
    path = write_xyz(tmp_path / 'run.xyz', slow, lambda k: f'Lattice="{LATTICE}" step={k}', factor=0.1)
    with pytest.raises(errors.InvalidTrajectory, match='within . % of the cell vectors: .* in the same unit'):
        read_trajectory([path], 2.0)


def test_a_lattice_in_json(slow, tmp_path):
    path = write_xyz(tmp_path / 'run.xyz', slow, lambda k: f'Lattice={CELL.tolist()} energy=-3e-1 step={k}')
    assert_same(read_trajectory([path], 100.0)[0], slow)


def test_columns_labels_and_units_of_xyz(slow, tmp_path):
    path = tmp_path / 'run.xyz'
    columns = 'species:S:1:mass:R:1:pos:R:3'
    for comment, options in (
        (f'Lattice="{LATTICE}" Properties={columns}', {'extra': '6.94 '}),
        (f'lattice="{LATTICE}" properties={columns}', {'extra': '6.94 '}),
        (f'Lattice="{LATTICE}" Properties=Z:I:1:pos:R:3', {'labels': {'Li': 3, 'S': 16}}),
        (f'Lattice="{LATTICE}" Properties=species:S:1:pos:R:3:unwrapped_position:R:3', {'extra': '0.5 0.5 0.5 '}),
        ('', {'labels': {'Li': 'LI', 'S': 'S1'}}),
        ('', {'labels': {'Li': '7Li', 'S': 's'}}),
    ):
        write_xyz(path, slow, lambda k, comment=comment: f'{comment} step={k}', **options)
        assert_same(read_trajectory([path], 100.0, cell=CELL)[0], slow)
    write_xyz(path, slow, lambda k: f'Atoms. Timestep: {k}', labels={'Li': 1, 'S': 2})
    with pytest.raises(errors.InvalidTrajectory, match=r'does not say which element type 1 is: .*--types'):
        read_trajectory([path], 100.0, cell=CELL)
    assert_same(read_trajectory([path], 100.0, cell=CELL, types=['Li', 'S'])[0], slow)


@pytest.mark.parametrize('unit', ['angstrom', 'atomic_unit'])
def test_units_of_ipi(slow, tmp_path, unit):
    length = {'angstrom': 1.0, 'atomic_unit': 1 / Bohr}[unit]
    parameters = cell_to_cellpar(CELL)
    box = ' '.join(f'{value:.8f}' for value in [*parameters[:3] * length, *parameters[3:]])
    comment = f'# CELL(abcABC): {box}  Step: {{}}  Bead: 0 positions{{{{{unit}}}}}  cell{{{{{unit}}}}}'
    path = write_xyz(tmp_path / 'run.xyz', slow, lambda k: comment.format(50 * k), length)
    found, _ = read_trajectory([path], 2.0)
    np.testing.assert_allclose(found.positions, slow.positions, atol=1e-6)
    np.testing.assert_allclose(found.cell, cellpar_to_cell(parameters), atol=1e-6)
    path.write_text(path.read_text().replace('positions{', 'forces{'))
    with pytest.raises(errors.InvalidTrajectory, match='no known units of positions and cell'):
        read_trajectory([path], 2.0)


def write_xdatcar(path, walk, kind='Direct', title='walk', scale=1.0, names='Li S', every=1, repeat=False):
    head = f'{title}\n{scale}\n' + ''.join('{:.9f} {:.9f} {:.9f}\n'.format(*row) for row in CELL / scale)
    head += f'{names}\n16 8\n'
    with path.open('w', encoding='latin-1') as file:
        for k, places in enumerate(walk.positions):
            scaled = places @ INVERSE
            inside = scaled - np.floor(scaled) if kind == 'Direct' else places / scale
            file.write((head if repeat or not k else '') + f'{kind} configuration={every * (k + 1):6d}\n')
            file.writelines('{:12.8f}{:12.8f}{:12.8f}\n'.format(*row) for row in inside)
    return path


@pytest.mark.parametrize(
    'options',
    [
        {'title': 'Lösung'},
        {'title': '', 'repeat': True},
        {'scale': 2.0},
        {'kind': 'Cartesian', 'scale': 2.0},
        {'names': 'Li_sv/0a1b2c S/3d4e5f'},
        {'every': 50},
    ],
    ids=lambda options: ' '.join(options),
)
def test_heads_of_xdatcar(slow, tmp_path, options):
    path = write_xdatcar(tmp_path / 'XDATCAR', slow, **options)
    found, notes = read_trajectory([path], 2.0, 50)
    assert_same(found, slow, 1e-6)
    assert found.time_step == pytest.approx(0.1)
    assert notes == []


@pytest.mark.parametrize(('suffix', 'module'), [('gz', gzip), ('bz2', bz2), ('xz', lzma)])
@pytest.mark.parametrize('form', ['XDATCAR', 'run.xyz', 'run.lammpstrj'])
def test_compressed_files(slow, tmp_path, suffix, module, form):
    path = tmp_path / form
    if form == 'XDATCAR':
        write_xdatcar(path, slow, every=50)
    elif form == 'run.xyz':
        write_xyz(path, slow, lambda k: f'step={50 * k}')
    else:
        write_dump(path, slow, 'x y z')
    whole = module.compress(path.read_bytes())
    packed = tmp_path / f'{form}.{suffix}'
    packed.write_bytes(whole)
    found, expected = (read_trajectory([one], 2.0, cell=CELL)[0] for one in (packed, path))
    np.testing.assert_array_equal(found.positions, expected.positions)
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(errors.InvalidTrajectory, match=f'{packed.name}: .*cannot be read'):
        read_trajectory([packed], 2.0, cell=CELL)


@settings(deadline=None, max_examples=300)
@given(
    values=st.lists(st.tuples(*[st.floats(-99, 99)] * 3), min_size=1, max_size=5),
    form=st.sampled_from(['{:12.8f}', '{:.6f}', '{:16.8E}']),
)
def test_numbers_without_a_blank_between_them(values, form):
    """As Fortran prints them: a sign tells where the next begins. Without one, the line is refused."""
    lines = [''.join(form.format(value) for value in row) + '\n' for row in values]
    joined = any(re.search(r'\d[^-]*\.[^-]*\.', word) for line in lines for word in line.split())
    if joined:
        with pytest.raises(ValueError, match='expected|convert'):
            numbers(lines, count=3)
    else:
        expected = [[float(form.format(value)) for value in row] for row in values]
        np.testing.assert_allclose(numbers(lines, count=3), expected)


def test_no_frame_is_left_out_in_silence(slow, tmp_path):
    """A fault within a file is an error with the number of the frame, in every format."""
    for form in ('XDATCAR', 'run.xyz'):
        path = tmp_path / form
        write_xdatcar(path, slow) if form == 'XDATCAR' else write_xyz(path, slow, lambda k: f'step={k}')
        rows = path.read_text().split('\n')
        head, length = (7, 25) if form == 'XDATCAR' else (0, 26)
        place = head + 20 * length + 3
        for words, changed in {
            'frame 20 cannot be read': [*rows[:place], rows[place][:-12] + ' *********', *rows[place + 1 :]],
            'atom 1 in frame 20 is not a number|atom 2 in frame 20': [
                *rows[:place], ' '.join([*rows[place].split()[:-1], 'nan']), *rows[place + 1 :]
            ],
            'frame 2[01] cannot be read': [*rows[:place], *rows[place + 1 :]],
            'frame 2[01] cannot be read|frame 20 has other atoms': [*rows[:place], rows[place], *rows[place:]],
            'frames are missing': [*rows[: head + 20 * length], *rows[head + 21 * length :]],
            'ends within its first frame': rows[:20],
        }.items():  # fmt: skip
            path.write_text('\n'.join(changed))
            with pytest.raises(errors.InvalidTrajectory, match=words):
                read_trajectory([path], 100.0, cell=CELL)
        path.write_text('\n'.join(rows))
        assert_same(read_trajectory([path], 100.0, cell=CELL)[0], slow, 1e-6)


def test_other_atoms_in_a_later_frame_are_refused(slow, tmp_path):
    path = write_xyz(tmp_path / 'run.xyz', slow, lambda k: f'step={k}')
    text = path.read_text()
    place = text.index('\nS ')
    path.write_text(text[:place] + text[place:].replace('\nS ', '\nO ', 9))
    with pytest.raises(errors.InvalidTrajectory, match='frame 1 has other atoms'):
        read_segment(path, cell=CELL)
    with pytest.raises(errors.InvalidTrajectory, match='is a folder'):
        read_segment(tmp_path)


def test_atoms_of_xyz_in_changing_order_are_told_by_their_ids(slow, tmp_path):
    rng, path = np.random.default_rng(3), tmp_path / 'run.xyz'
    with path.open('w') as file:
        for k, places in enumerate(slow.positions):
            rows = ['{} {} {} {} {}\n'.format(i + 7, slow.symbols[i], *row) for i, row in enumerate(places)]
            comment = f'Lattice="{LATTICE}" Properties=id:I:1:species:S:1:pos:R:3 Timestep={50 * k}'
            file.writelines([f'{len(rows)}\n{comment}\n', *rng.permutation(rows)])
    assert_same(read_trajectory([path], 2.0)[0], slow)


@pytest.mark.parametrize('places', [[(12, 5)], [(3, 5), (9, 20), (15, 7), (21, 22)]], ids=['one', 'four'])
def test_a_leap_within_a_file_is_told(slow, tmp_path, places):
    damaged = type(slow)(slow.symbols, slow.positions.copy(), slow.times, slow.cell)
    for frame, atom in places:
        damaged.positions[frame, atom, 0] += 3.0
    path = write_xyz(tmp_path / 'run.xyz', damaged, lambda k: f'step={k}')
    _, notes = read_trajectory([path], 100.0, cell=CELL)
    assert len(notes) == 1
    assert any(f'from frame {k - 1} to {k}' in notes[0] or f'from frame {k} to {k + 1}' in notes[0] for k, _ in places)
    assert 'a hop, or a fault of the file' in notes[0]


@pytest.mark.parametrize('factor', [0.95, 1.03])
def test_a_cell_a_few_percent_off(tmp_path, factor):
    walk = brownian(np.random.default_rng(0))
    inside = walk.positions - np.floor(walk.positions @ INVERSE) @ CELL
    path = write_xyz(tmp_path / 'run.xyz', type(walk)(walk.symbols, inside, walk.times, CELL), lambda k: f'step={k}')
    assert_same(read_trajectory([path], 100.0, cell=CELL)[0], walk)
    with pytest.raises(errors.InvalidTrajectory, match='return on the other as in a cell with vectors of 1'):
        read_trajectory([path], 100.0, cell=CELL * factor)


def test_configurations_beyond_six_digits(slow, tmp_path):
    path = write_xdatcar(tmp_path / 'XDATCAR', slow, every=50_000)
    text = path.read_text()
    late = re.sub(r'=\d{7}', '=******', text)
    assert late.count('******') > 2
    path.write_text(late)
    for stride in (None, 50_000):
        found, notes = read_trajectory([path], 1.0, stride)
        assert_same(found, slow, 1e-6)
        assert found.time_step == pytest.approx(50.0)
        assert notes == []
    path.write_text(text.replace('=150000', '=******'))
    with pytest.raises(errors.InvalidTrajectory, match='frame 2 has no configuration, other frames have'):
        read_trajectory([path], 1.0, 50_000)


def test_a_cell_that_is_not_the_one_of_the_dynamics(slow, tmp_path):
    inside = slow.positions - np.floor(slow.positions @ INVERSE) @ CELL
    wrapped = type(slow)(slow.symbols, inside, slow.times, slow.cell)
    wrong = CELL + np.array([[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0]])
    path = write_xyz(tmp_path / 'run.xyz', wrapped, lambda k: f'step={k}')
    assert read_trajectory([path], 100.0, cell=CELL)[1] == []
    assert 'is the cell the one of the dynamics' in read_trajectory([path], 100.0, cell=wrong)[1][0]
    path = write_xyz(tmp_path / 'run.xyz', wrapped, lambda k: f'Lattice="{LATTICE}" step={k}')
    assert read_trajectory([path], 100.0, cell=CELL)[1] == []
    with pytest.raises(errors.InvalidTrajectory, match='which is not the given one'):
        read_trajectory([path], 100.0, cell=wrong)
