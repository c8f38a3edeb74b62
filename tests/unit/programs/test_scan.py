"""``pesfp-scan`` as a person calls it."""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.io.cube import read_cube_data
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.vasp import Poscar

from aiida_pesfp.assessment import calibrated
from aiida_pesfp.assessment.calibrated import Calibration
from aiida_pesfp.crystals.canonical import canonical_cell
from aiida_pesfp.crystals.files import read_named_structures
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.potentials.ase.potential import AsePotential
from aiida_pesfp.programs.scan import ScanRequest
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.settings.scan import FingerprintSettings
from tests.helpers import brute_force as reference
from tests.helpers.crystals import antifluorite, rock_salt, wurtzite
from tests.helpers.potentials import LENNARD_JONES

KEYS = {
    'structure',
    'formula',
    'doubts',
    'error',
    *NAMES,
    'stopped_early',
    'spectrum',
    'ions',
    'evaluations',
    'seconds',
}
KEYS |= {'atoms_scanned', 'parent', 'weight'}
COARSE = ('--spacing', '0.6')

ROCK_SALT = rock_salt('Li', 'Cl', 5.13)


def brute_force(structure, spacing):
    """Energies of every lithium on the whole grid, a calculator call a point; NaN closer than 1.2 A to another atom."""
    lattice = structure.lattice.matrix
    shape = [int(np.ceil(np.linalg.norm(vector) / spacing)) for vector in lattice]
    grids = []
    for ion in range(len(structure)):
        if structure[ion].specie.symbol != 'Li':
            continue
        grid = np.full(shape, np.nan)
        atoms = Atoms(structure.atomic_numbers, positions=structure.cart_coords, cell=lattice, pbc=True)
        atoms.calc = LennardJones(**LENNARD_JONES)
        others = [index for index in range(len(structure)) if index != ion]
        for index in np.ndindex(*shape):
            place = np.array(index) / shape
            to_others = structure.lattice.get_all_distances(place, structure.frac_coords[others])
            if to_others.min() >= 1.2:
                atoms.positions[ion] = place @ lattice
                grid[index] = atoms.get_potential_energy()
        grids.append(grid)
    return np.array(grids)


def test_a_scan_stops_by_the_cuts_that_were_made_for_its_potential(monkeypatch):
    """Only if it may stop at all, and if the user names no others."""
    own, named = XiParameters(connected_cut=-2.5), XiParameters(connected_cut=-3.0)
    content = {'parameters': own.as_dict(), 'species': 'Li', 'potential_sha256': 'a' * 64}
    monkeypatch.setattr(calibrated, 'shipped', lambda: (Calibration('mine', content),))

    def stops_by(sha256, **settings):
        chosen = FingerprintSettings.from_dict(settings)
        request = ScanRequest([], ProgramSettings(potential='mine'), chosen)
        identity = SimpleNamespace(sha256=sha256, name='mine')
        request.potential = SimpleNamespace(identity=identity, is_parallel=False)
        return request.reported_settings()['scan_settings']['stop_xi']

    assert stops_by('a' * 64, stop_below=0.25) == own.as_dict()
    assert stops_by('a' * 64, stop_below=0.25, stop_xi=named.as_dict()) == named.as_dict()
    published = XiParameters().as_dict()
    assert stops_by('a' * 64) == published
    assert stops_by('b' * 64, stop_below=0.25) == published
    assert stops_by('a' * 64, stop_below=0.25, species='Na') == published


@pytest.mark.parametrize(
    ('structure', 'spacing'),
    [
        (ROCK_SALT, 0.25),
        (wurtzite('Li', 'Cl', 3.925, 6.357, 0.378), 0.4),
        (antifluorite('Li', 'Te', 6.517), 0.35),
    ],
    ids=['rock-salt LiCl', 'wurtzite LiCl', 'Li2Te'],
)
@pytest.mark.parametrize('symmetry', ['--symmetry', '--no-symmetry'])
def test_agrees_with_a_brute_force_loop(pesfp_scan, tmp_path, structure, spacing, symmetry):
    structure.to(filename=str(tmp_path / 'crystal.json'))
    process = pesfp_scan(tmp_path / 'crystal.json', '-o', tmp_path / 'out', '--spacing', spacing, symmetry, '--json')
    assert process.returncode == 0, process.stderr
    [found] = process.found
    structure = canonical_cell(structure)
    expected = brute_force(structure, spacing)
    surface = PotentialEnergySurface.load(tmp_path / 'out' / 'crystal' / 'pes.npz')
    for position, grid in enumerate(expected):
        absolute = surface.on_grid(position) + surface.reference_energies[surface.representatives[position]]
        np.testing.assert_array_equal(np.isnan(absolute), np.isnan(grid))
        np.testing.assert_allclose(absolute, grid, atol=1e-5, rtol=0)
    points = np.isfinite(expected).sum()
    assert found['evaluations'] == points if symmetry == '--no-symmetry' else found['evaluations'] < points / 4

    # The surface is kept in single precision, so that is what the free volumes of both have to be counted on.
    lowest = np.nanmin(expected, axis=(1, 2, 3), keepdims=True)
    relative = (expected - lowest).astype(np.float32).astype(np.float64)
    vectors = structure.lattice.matrix / np.array(expected.shape[1:])[:, None]
    mpe, connected, disconnected = reference.descriptors(relative, vectors, found['spectrum']['thresholds'])
    assert found['mpe'] == pytest.approx(mpe, abs=1e-6)
    assert found['spectrum']['connected'] == pytest.approx(connected, abs=1e-12)
    assert found['spectrum']['disconnected'] == pytest.approx(disconnected, abs=1e-12)


def test_on_a_gpu_an_adaptive_scan_evaluates_all_points_and_says_so(invoke_program, tmp_path, monkeypatch):
    antifluorite('Li', 'Te', 6.517).to(filename=str(tmp_path / 'crystal.json'))

    def run(name, *options):
        request = ('scan', tmp_path / 'crystal.json', '-o', tmp_path / name, '--spacing', '0.1', *options, '--json')
        [found] = invoke_program(*request).found
        settings = json.loads((tmp_path / name / 'run.json').read_text())['scan_settings']
        return found['evaluations'], settings['adaptive']

    points, _ = run('full')
    evaluated, is_adaptive = run('on-cpu', '--adaptive')
    assert evaluated < points / 2
    assert is_adaptive
    monkeypatch.setattr(AsePotential, 'is_parallel', True)
    assert run('on-gpu', '--adaptive') == (points, False)


@pytest.mark.parametrize(('others', 'formula', 'atoms'), [('removed', 'Li Te', 2), ('interstitial', 'Li3 Te', 4)])
def test_what_surrounds_the_ion_can_be_chosen(pesfp_scan, tmp_path, others, formula, atoms):
    antifluorite('Li', 'Te', 6.517).to(filename=str(tmp_path / 'crystal.json'))
    request = (tmp_path / 'crystal.json', '-o', tmp_path / 'out', '--others', others, *COARSE, '--json')
    process = pesfp_scan(*request)
    assert process.returncode == 0, process.stderr
    [found] = process.found
    assert found['atoms_scanned'] == atoms
    assert found['formula'] == 'Li2Te'
    [ion] = found['ions']
    assert ion['index'] == ion['equivalent_to'] == atoms - 1
    cell = Structure.from_file(tmp_path / 'out' / 'crystal' / 'cell.cif')
    assert cell.composition.formula.replace('1', '') == formula.replace('1', '')
    assert ion['fractional_coordinates'] in np.round(cell.frac_coords, 9).tolist()
    run = json.loads((tmp_path / 'out' / 'run.json').read_text())
    assert run['scan_settings']['others'] == others
    again = pesfp_scan(*request)
    assert again.found == process.found
    # Other surroundings are another scan: nothing is taken from the folder.
    fixed = pesfp_scan(*request[:3], *COARSE, '--json')
    assert len(fixed.found[0]['ions']) == 2


def test_an_ion_is_added_to_a_crystal_without_it_only_if_asked(pesfp_scan, tmp_path):
    rock_salt('Na', 'Cl', 5.64).to(filename=str(tmp_path / 'NaCl.json'))
    antifluorite('Li', 'Te', 6.517).to(filename=str(tmp_path / 'Li2Te.json'))
    names = (tmp_path / 'NaCl.json', tmp_path / 'Li2Te.json')
    removed, added = (pesfp_scan(*names, '--others', one, *COARSE, '--json') for one in ('removed', 'interstitial'))
    assert removed.returncode == 1
    assert 'add one ion (--others interstitial)' in removed.found[0]['error']
    assert removed.found[1]['error'] is None
    assert added.returncode == 0, added.stderr
    crowded = pesfp_scan(names[0], '--others', 'interstitial', '--minimum-distance', '3', *COARSE)
    assert crowded.returncode == 1
    words = 'NaCl.json: NoAllowedPoint: no grid point is 3.0 A or more away from all atoms, for one Li: check the cell'
    assert words in crowded.stdout


@pytest.mark.parametrize(
    ('species', 'options', 'words'),
    [
        (
            ['Li', 'Li'],
            ['--others', 'removed'],
            'NoFramework: without Li nothing is left of Li2: scan it with',
        ),
        (
            ['Li', 'Cl'],
            ['--cell', 'size_consistent', '--cell-size', '80'],
            'StructureError: LiCl: a supercell with 80 A between its faces has 13027 cells or more, 500 are the limit: '
            'take a smaller distance (cell_size)',
        ),
    ],
)
def test_what_cannot_be_scanned_is_named_with_the_way_out(pesfp_scan, tmp_path, species, options, words):
    Structure(Lattice.cubic(3.4), species, [[0, 0, 0], [0.5] * 3]).to(filename=str(tmp_path / 'crystal.json'))
    process = pesfp_scan(tmp_path / 'crystal.json', *options, *COARSE)
    assert process.returncode == 1
    assert f'crystal.json: {words}' in process.stdout


def test_json_is_one_list_with_the_promised_keys_and_nothing_else(pesfp_scan, tmp_path):
    ROCK_SALT.to(filename=str(tmp_path / 'LiCl.cif'))
    process = pesfp_scan(tmp_path / 'LiCl.cif', *COARSE, '--json')
    assert process.returncode == 0, process.stderr
    [found] = json.loads(process.stdout)
    assert set(found) == KEYS
    assert found['structure'] == str(tmp_path / 'LiCl.cif')
    assert found['formula'] == 'LiCl'
    assert found['error'] is None
    assert found['spectrum']['connected'][4] == found['fv_connected']
    assert list(tmp_path.iterdir()) == [tmp_path / 'LiCl.cif']


def test_every_ion_is_described_and_drawn(pesfp_scan, tmp_path):
    """Two inequivalent lithium in one cell: the better is the structure's, and files say which it is."""
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0, 0, 0.5]]
    crystal = Structure(Lattice.tetragonal(4.1, 5.9), ['Li', 'Li', 'O', 'Cl'], places)
    crystal.to(filename=str(tmp_path / 'crystal.json'))
    request = (tmp_path / 'crystal.json', '--spacing', '0.5', '--cell', 'as_given', '--json')
    exports = ('--export', 'cube', '--export', 'profile', '-o', tmp_path / 'out')
    process = pesfp_scan(*request, *exports)
    assert process.returncode == 0, process.stderr
    [found] = process.found
    assert [(ion['index'], ion['equivalent_to']) for ion in found['ions']] == [(0, 0), (1, 1)]
    assert [ion['fractional_coordinates'] for ion in found['ions']] == places[:2]
    for name in ('mpe', 'barrier_1d', 'barrier_2d', 'barrier_3d'):
        assert found[name] == min(ion[name] for ion in found['ions'])
    for name in ('fv_connected', 'fv_disconnected'):
        assert found[name] >= max(ion[name] for ion in found['ions'])
    stored = json.loads((tmp_path / 'out' / 'crystal' / 'descriptors.json').read_text())
    assert stored['ions'] == found['ions']

    folder = tmp_path / 'out' / 'crystal'
    np.testing.assert_allclose(Structure.from_file(folder / 'cell.cif').frac_coords[:2], places[:2], atol=1e-8)
    values, atoms = read_cube_data(str(folder / 'level.cube'))
    surface = PotentialEnergySurface.load(folder / 'pes.npz')
    assert values.shape == tuple(2 * n for n in surface.shape)
    assert atoms.get_chemical_formula() == 'Cl8Li16O8'
    [table] = folder.glob('profile-ion*.csv')
    profile = np.genfromtxt(table, delimiter=',', names=True)
    assert profile['energy_eV'].max() == pytest.approx(found['barrier_1d'], abs=1e-6)
    again = pesfp_scan(*request, '--export', 'xsf', '--export-per-ion', '-o', tmp_path / 'out')
    assert {**again.found[0], 'seconds': 0} == {**found, 'seconds': 0}
    assert {path.name for path in folder.glob('*.xsf')} == {
        f'{what}-ion{ion}.xsf' for what in ('energy', 'level') for ion in (0, 1)
    }
    refused = pesfp_scan(*request, '--export', 'xsf')
    assert refused.returncode == 2
    assert '--output' in refused.stderr


def test_every_format_gives_the_same_numbers(pesfp_scan, tmp_path):
    structure = wurtzite('Li', 'I', 4.514, 7.311, 0.375)
    atoms = AseAtomsAdaptor.get_atoms(structure)
    structure.to(filename=str(tmp_path / 'a.cif'))
    Poscar(structure).write_file(tmp_path / 'POSCAR_b')
    atoms.write(tmp_path / 'c.extxyz')
    (tmp_path / 'd.json').write_text(json.dumps(structure.as_dict()))
    atoms.write(tmp_path / 'e.json')
    found = []
    for path in sorted(tmp_path.iterdir()):
        process = pesfp_scan(path, '--spacing', '0.5', '--json')
        assert process.returncode == 0, process.stderr
        found += process.found
    assert len(found) == 5
    for other in found[1:]:
        assert other['formula'] == found[0]['formula'] == 'LiI'
        assert other['mpe'] == pytest.approx(found[0]['mpe'], abs=1e-5)
        assert other['spectrum']['disconnected'] == pytest.approx(found[0]['spectrum']['disconnected'], abs=1e-3)


def test_a_folder_and_a_file_of_several_structures(pesfp_scan, tmp_path):
    folder = tmp_path / 'many'
    folder.mkdir()
    ROCK_SALT.to(filename=str(folder / 'LiCl.cif'))
    frames = [AseAtomsAdaptor.get_atoms(rock_salt('Li', anion, a)) for anion, a in (('I', 6.00), ('Br', 5.50))]
    (folder / 'notes.txt').write_text('not a structure')
    for number, frame in enumerate(frames):
        frame.write(folder / 'two.extxyz', append=number > 0)
    process = pesfp_scan(folder, *COARSE, '-o', tmp_path / 'out')
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1].endswith('find them with `aiida-pesfp calibrate`')
    assert [line.split()[0] for line in process.stdout.splitlines()[2:-1]] == sorted(
        ['LiCl', 'two_0', 'two_1'], key=lambda name: process.stdout.index(name)
    )
    states = json.loads((tmp_path / 'out' / 'run.json').read_text())['structures']
    assert {name: entry['state'] for name, entry in states.items()} == dict.fromkeys(states, 'done')
    assert set(states) == {'LiCl', 'two_0', 'two_1'}


def test_bad_structures_are_named_with_the_reason_and_cost_the_others_nothing(pesfp_scan, tmp_path):
    def write(name, structure):
        (tmp_path / name).write_text(json.dumps(structure.as_dict()))

    write('good.json', ROCK_SALT)
    write('sodium.json', rock_salt('Na', 'Cl', 5.64))
    write('partial.json', Structure(ROCK_SALT.lattice, [{'Li': 0.5}, 'Cl'], ROCK_SALT.frac_coords))
    write('overlap.json', Structure(ROCK_SALT.lattice, ['Li', 'Cl', 'Li'], [[0, 0, 0], [0.5] * 3, [0.01, 0, 0]]))
    write(
        'slab.json',
        Structure(Lattice(ROCK_SALT.lattice.matrix, pbc=(True, True, False)), ['Li', 'Cl'], [[0] * 3, [0.5] * 3]),
    )
    flat = ROCK_SALT.as_dict()
    flat['lattice']['matrix'] = [[4, 0, 0], [0, 4, 0], [4, 4, 0]]
    (tmp_path / 'flat.json').write_text(json.dumps(flat))
    write('again.json', ROCK_SALT)
    (tmp_path / 'broken.cif').write_text('data_\n_cell_length_a 4.0\nloop_\n_atom_site_label\n')
    names = ['good', 'sodium', 'partial', 'overlap', 'slab', 'flat', 'again', 'broken', 'missing']
    files = [tmp_path / f'{name}.{"cif" if name in ("broken", "missing") else "json"}' for name in names]
    process = pesfp_scan(*files, *COARSE, '--json', '-o', tmp_path / 'out')
    assert process.returncode == 1
    reasons = dict(zip(names, (found['error'] for found in process.found)))
    assert reasons.pop('good') is None
    for name, reason in reasons.items():
        assert f'{name}.' in reason
    for name, words in {
        'sodium': 'no Li among its elements',
        'partial': 'ordered approximant',
        'overlap': 'A apart',
        'slab': '2 of 3 lattice vectors',
        'flat': 'volume of 0 A^3',
        'again': 'same structure as',
        'broken': 'contains no structure',
        'missing': 'no such file',
    }.items():
        assert words in reasons[name], reasons[name]
    types = {
        n: entry['error_type'] for n, entry in json.loads((tmp_path / 'out/run.json').read_text())['structures'].items()
    }
    assert types['overlap'] == 'OverlappingAtoms'
    alone = pesfp_scan(files[0], *COARSE, '--json')
    assert process.found[0]['xi'] == alone.found[0]['xi']


CIF = """data_x
_cell_length_a 5.13
_cell_length_b 5.13
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_space_group_symop_operation_xyz
'x, y, z'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Li1 Li 0 0 0
X1 {second} 0 0 0
Cl1 Cl 0.5 {y} 0.5
"""


def test_a_folder_is_scanned_into_itself_twice(pesfp_scan, tmp_path):
    ROCK_SALT.to(filename=str(tmp_path / 'LiCl.cif'))
    for _ in range(2):
        process = pesfp_scan(tmp_path, '-o', tmp_path, *COARSE, '--json')
        assert process.returncode == 0
        assert [one['structure'] for one in json.loads(process.stdout)] == [str(tmp_path / 'LiCl.cif')]
    assert 'passed over LiCl, run.json (results of an earlier run)' in process.stderr


@pytest.mark.parametrize(
    ('changes', 'error_type', 'words'),
    [
        ({'second': 'Li'}, 'OverlappingAtoms', 'several atoms (Li) share one site'),
        ({'second': 'Na'}, 'OverlappingAtoms', 'several atoms (Li, Na) share one site'),
        ({'c': 0.0, 'second': 'Li'}, 'InvalidCell', '_cell_length_c is missing or impossible'),
        ({'y': 'half'}, 'UnreadableStructure', 'atom Cl1 (Cl) has no position (0.5, half, 0.5)'),
    ],
)
def test_faults_of_a_cif_are_named(tmp_path, changes, error_type, words):
    path = tmp_path / 'faulty.cif'
    path.write_text(CIF.format(**{'c': 5.13, 'second': 'Br', 'y': 0.5} | changes))
    [record] = read_named_structures([path])
    assert type(record.error).__name__ == error_type
    assert words in str(record.error)


def test_a_grid_beyond_memory_is_an_error_of_its_structure(pesfp_scan, tmp_path):
    (ROCK_SALT * 5).to(filename=str(tmp_path / 'LiCl.cif'))
    process = pesfp_scan(tmp_path / 'LiCl.cif', '--spacing', '0.03', '--cell', 'as_given', '--json')
    assert process.returncode == 1
    assert 'larger spacing' in process.found[0]['error']


@pytest.mark.parametrize(
    ('calculator', 'words'), [('NotANumberAbove', 'nan eV with ion 0'), ('BreaksOnIodine', 'the tables end')]
)
def test_a_potential_that_fails_on_one_structure(pesfp_scan, tmp_path, calculator, words):
    potential = tmp_path / 'faulty.yaml'
    potential.write_text(yaml.safe_dump({'calculator': f'tests.helpers.calculators.{calculator}'}))
    wurtzite('Li', 'I', 4.514, 7.311, 0.375).to(filename=str(tmp_path / 'LiI.json'))
    ROCK_SALT.to(filename=str(tmp_path / 'LiCl.json'))
    process = pesfp_scan(tmp_path / 'LiI.json', tmp_path / 'LiCl.json', *COARSE, '--json', potential=potential)
    assert process.returncode == 1
    bad, good = process.found
    assert 'LiI.json' in bad['error']
    assert words in bad['error']
    assert good['error'] is None


@pytest.mark.parametrize('name', ['SIGKILL', 'SIGTERM'])
def test_a_killed_scan_goes_on_and_gives_the_same_numbers(pesfp_scan, tmp_path, name):
    potential = tmp_path / 'killed.yaml'
    content = {
        'calculator': 'tests.helpers.calculators.KilledAfter',
        'parameters': {'after': 1500, **LENNARD_JONES},
    }
    potential.write_text(yaml.safe_dump(content))
    files = [tmp_path / 'LiCl.json', tmp_path / 'LiI.json']
    ROCK_SALT.to(filename=str(files[0]))
    wurtzite('Li', 'I', 4.514, 7.311, 0.375).to(filename=str(files[1]))
    request = (*files, '--spacing', '0.45', '--no-symmetry', '--json', '--checkpoint-interval', '0')
    whole = pesfp_scan(*request, '-o', tmp_path / 'whole', potential=potential)
    assert whole.returncode == 0, whole.stderr

    killed = pesfp_scan(*request, '-o', tmp_path / 'out', potential=potential, environment={'PESFP_TEST_KILL': name})
    assert killed.returncode == {'SIGKILL': -9, 'SIGTERM': 3}[name]
    states = json.loads((tmp_path / 'out' / 'run.json').read_text())
    assert [entry['state'] for entry in states['structures'].values()] == ['done', 'pending']
    assert not states['complete']
    with np.load(tmp_path / 'out' / 'LiI' / 'checkpoint.npz') as checkpoint:
        finished = len(checkpoint['energies'])
    assert 0 < finished < whole.found[1]['evaluations']

    resumed = pesfp_scan(*request, '-o', tmp_path / 'out', potential=potential)
    assert resumed.returncode == 0, resumed.stderr
    for one, other in zip(whole.found, resumed.found):
        assert {**one, 'seconds': 0} == {**other, 'seconds': 0}
    for structure in ('LiCl', 'LiI'):
        with (
            np.load(tmp_path / 'whole' / structure / 'pes.npz') as a,
            np.load(tmp_path / 'out' / structure / 'pes.npz') as b,
        ):
            np.testing.assert_array_equal(a['energies'], b['energies'])
    assert not (tmp_path / 'out' / 'LiI' / 'checkpoint.npz').exists()


def test_the_time_limit_stops_with_a_status_of_its_own(pesfp_scan, tmp_path):
    ROCK_SALT.to(filename=str(tmp_path / 'LiCl.cif'))
    process = pesfp_scan(tmp_path / 'LiCl.cif', '-o', tmp_path / 'out', '--time-limit', '0', '--json')
    assert process.returncode == 3
    assert json.loads((tmp_path / 'out' / 'run.json').read_text())['stopped'] == 'time limit'
    assert 'goes on from here' in process.stderr


def test_what_a_checkpoint_of_another_scan_holds_is_not_taken(pesfp_scan, tmp_path):
    ROCK_SALT.to(filename=str(tmp_path / 'LiCl.cif'))
    first = pesfp_scan(tmp_path / 'LiCl.cif', '-o', tmp_path / 'out', '--spacing', '0.6', '--json')
    second = pesfp_scan(tmp_path / 'LiCl.cif', '-o', tmp_path / 'out', '--spacing', '0.5', '--json')
    fresh = pesfp_scan(tmp_path / 'LiCl.cif', '--spacing', '0.5', '--json')
    assert second.found[0]['spectrum'] == fresh.found[0]['spectrum'] != first.found[0]['spectrum']


def test_other_descriptors_of_a_finished_scan_cost_no_evaluation(pesfp_scan, tmp_path):
    potential = tmp_path / 'killed.yaml'
    potential.write_text(
        yaml.safe_dump(
            {'calculator': 'tests.helpers.calculators.KilledAfter', 'parameters': {'after': 1, **LENNARD_JONES}}
        )
    )
    ROCK_SALT.to(filename=str(tmp_path / 'LiCl.cif'))
    request = (tmp_path / 'LiCl.cif', '-o', tmp_path / 'out', *COARSE, '--json')
    assert pesfp_scan(*request, potential=potential).returncode == 0
    # Any evaluation would kill this second run.
    again = pesfp_scan(
        *request, '--thresholds', '0.3,2', potential=potential, environment={'PESFP_TEST_KILL': 'SIGKILL'}
    )
    assert again.returncode == 0, again.stderr
    assert again.found[0]['spectrum']['thresholds'] == [0.3, 0.5, 2.0]
    # ... as it does when the earlier results are discarded.
    assert (
        pesfp_scan(*request, '--fresh', potential=potential, environment={'PESFP_TEST_KILL': 'SIGKILL'}).returncode
        == -9
    )


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--species', 'Xx'), 'not the symbol of a chemical element'),
        (('--spacing', '-1'), 'spacing = -1.0: Input should be greater than'),
        (('--thresholds', '0.1,x'), 'comma-separated list of numbers'),
        (('--neighbours', '18'), "'18' is not one of"),
    ],
)
def test_wrong_usage_is_refused(pesfp_scan, tmp_path, arguments, words):
    ROCK_SALT.to(filename=str(tmp_path / 'LiCl.cif'))
    process = pesfp_scan(tmp_path / 'LiCl.cif', *arguments)
    assert process.returncode == 2
    assert words in process.stderr


def test_no_structure_at_all_is_refused(pesfp_scan, tmp_path):
    assert pesfp_scan().returncode == 2
    process = pesfp_scan(tmp_path)
    assert process.returncode == 2
    assert 'no structure file' in process.stderr


def test_an_unusable_potential_ends_the_run_and_says_why(pesfp_scan, tmp_path):
    ROCK_SALT.to(filename=str(tmp_path / 'LiCl.cif'))
    process = pesfp_scan(tmp_path / 'LiCl.cif', '--json', '-o', tmp_path / 'out', potential='no-such-potential')
    assert process.returncode == 2
    assert 'no-such-potential' in process.stderr
    assert 'no-such-potential' in process.found[0]['error']
    assert 'no-such-potential' in json.loads((tmp_path / 'out' / 'run.json').read_text())['fatal']


def test_the_same_anywhere_in_the_table(pesfp_scan, tmp_path):
    """The mobile ion is an input like any other."""
    rock_salt('Na', 'Cl', 5.64).to(filename=str(tmp_path / 'salt.cif'))
    for species in ('Na', 'Cl'):
        process = pesfp_scan(tmp_path / 'salt.cif', *COARSE, '--species', species, '--json')
        assert process.returncode == 0, process.stderr
        assert process.found[0]['evaluations'] > 0


@pytest.mark.skipif(sys.platform != 'linux', reason='other systems do not enforce this limit')
def test_a_grid_beyond_the_limit_of_the_job_is_refused_and_the_others_are_scanned(run_program, tmp_path):
    """A machine with more memory than the job got lets it begin, and kills it."""
    folder = tmp_path / 'structures'
    folder.mkdir()
    ROCK_SALT.to(str(folder / 'small.cif'))
    (ROCK_SALT * (6, 6, 6)).to(str(folder / 'large.cif'))
    arguments = ('scan', folder, '--json', '--spacing', '0.13', '--cell', 'as_given')
    process = run_program(*arguments, most_kb=4 * 2**20)
    by_name = {one['structure'].split('/')[-1].split('.')[0]: one for one in process.found}
    assert by_name['small']['error'] is None, process.stderr
    words = r'needs about .* GiB of memory, .* GiB are free of the 4 GiB of ulimit -v: choose a larger .*max_memory_kb'
    assert re.search(words, str(by_name['large']['error']))
    assert 'Traceback' not in process.stderr
    assert process.returncode == 1


def test_a_job_knows_what_it_asked_for_where_no_scheduler_enforces_it(run_program, tmp_path):
    ROCK_SALT.to(str(tmp_path / 'LiCl.cif'))
    small = {'PESFP_MAX_MEMORY_KB': '10000'}
    process = run_program('scan', tmp_path / 'LiCl.cif', *COARSE, environment=small)
    assert '0 GiB are free of the 0.00954 GiB of PESFP_MAX_MEMORY_KB' in process.stdout
