"""``pesfp.scan`` and ``pesfp.scan.base`` with the real program."""

import json
import os

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import Dict, InstalledCode, StructureData
from ase.data import chemical_symbols
from ase.io.cube import read_cube_data
from pymatgen.core import Structure

from aiida_pesfp.calculations.descriptors import describe
from aiida_pesfp.calculations.scan import ScanCalculation, batch_of, keys_of
from aiida_pesfp.calculations.selection import rank
from aiida_pesfp.errors import StoppedEarly
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.settings.scan import ScanSettings
from aiida_pesfp.workflows.scan import ScanBaseWorkChain
from tests.helpers.crystals import antifluorite, face_centred, rock_salt
from tests.helpers.graph import jobs_of
from tests.helpers.potentials import SKEWED

COARSE = {'spacing': 0.6, 'cell': 'as_given'}
KILLED = 'tests.helpers.calculators.KilledAfter'


@pytest.fixture
def builder_of(code, potential, structures):
    """Makes a builder of ``pesfp.scan``."""

    def make(structures=structures, **inputs):
        builder = ScanCalculation.get_builder()
        defaults = {'code': code, 'batch': batch_of(structures), 'potential': potential, 'parameters': Dict(COARSE)}
        for name, value in (defaults | inputs).items():
            setattr(builder, name, value)
        return builder

    return make


@pytest.fixture
def base_of(code, potential, structures):
    """Makes a builder of ``pesfp.scan.base``."""

    def make(structures=structures, potential=potential, **scan):
        overrides = {'scan': {'parameters': COARSE} | scan}
        return ScanBaseWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', overrides)

    return make


def test_each_structure_has_its_own_outputs(base_of, potential, structures):
    results, node = run_get_node(base_of())
    assert node.is_finished_ok, node.exit_message
    assert set(results['pes']) == set(results['descriptors']) == set(structures)
    assert not {'failures', 'scanned'} & set(results)
    for key, descriptors in results['descriptors'].items():
        assert descriptors['formula'] == descriptors.label == key
        assert descriptors['structure_uuid'] == structures[key].uuid
        assert descriptors['potential_sha256'] == potential.sha256
    # The surface is that of the functions called directly with the same calculator.
    surface = results['pes']['LiCl'].to_surface()
    (job,) = jobs_of(node)
    assert job.outputs.output_parameters['evaluations'] == sum(
        p.to_surface().evaluations for p in results['pes'].values()
    )
    structure = structures['LiCl'].get_pymatgen_structure()
    with potential.base.repository.as_path() as folder:
        evaluator = load_potential(str(folder)).evaluator(structure)
        expected = scan(structure, evaluator, settings=ScanSettings(spacing=COARSE['spacing']))
    np.testing.assert_allclose(surface.energies, expected.energies, atol=1e-5)
    np.testing.assert_allclose(surface.reference_energies, expected.reference_energies, atol=1e-9)


def test_the_cell_that_was_scanned_is_kept_if_it_is_not_the_given_one(base_of):
    primitive = rock_salt('Li', 'Cl', 5.13)
    given = {'conventional': StructureData(pymatgen=primitive.to_conventional()).store()}
    results, node = run_get_node(base_of(structures=given, parameters={'spacing': 0.6, 'cell': 'primitive'}))
    assert node.is_finished_ok, node.exit_message
    scanned, descriptors = results['scanned']['conventional'], results['descriptors']['conventional']
    assert len(scanned.sites) == len(primitive) < len(given['conventional'].sites)
    assert scanned.creator.uuid == descriptors.creator.uuid
    assert descriptors['cell'] == 'primitive'
    assert descriptors['structure_uuid'] == given['conventional'].uuid
    np.testing.assert_allclose(results['pes']['conventional'].get_array('lattice'), scanned.cell)


def test_a_supercell_is_scanned_where_an_ion_must_be_far_from_its_images(base_of):
    given = {'LiCl': StructureData(pymatgen=rock_salt('Li', 'Cl', 5.13)).store()}
    parameters = {'spacing': 0.6, 'cell': 'size_consistent', 'cell_size': 4.5}
    results, node = run_get_node(base_of(structures=given, parameters=parameters))
    assert node.is_finished_ok, node.exit_message
    scanned, descriptors = results['scanned']['LiCl'], results['descriptors']['LiCl']
    assert (len(scanned.sites), len(descriptors.ions)) == (8, 4)
    assert {ion['equivalent_to'] for ion in descriptors.ions} == {0}
    assert descriptors.barrier_joint < descriptors.barrier_1d
    for attributes in (descriptors, results['pes']['LiCl'].base.attributes.all):
        assert (attributes['cell'], attributes['cell_size']) == ('size_consistent', 4.5)


def test_an_ion_is_added_also_to_a_host_without_it(base_of):
    given = {'NaCl': rock_salt('Na', 'Cl', 5.64), 'Li2Te': antifluorite('Li', 'Te', 6.517)}
    given = {key: StructureData(pymatgen=crystal).store() for key, crystal in given.items()}
    results, node = run_get_node(base_of(structures=given, parameters={'spacing': 0.8, 'others': 'interstitial'}))
    assert node.is_finished_ok, node.exit_message
    for key, atoms in (('NaCl', 3), ('Li2Te', 4)):
        descriptors, surface = results['descriptors'][key], results['pes'][key].to_surface()
        assert descriptors['others'] == 'interstitial'
        assert [ion['index'] for ion in descriptors.ions] == [atoms - 1]
        assert len(surface.starts) >= 1
        assert len(results['scanned'][key].sites) == atoms
        symbol = chemical_symbols[surface.atomic_numbers[atoms - 1]]
        assert (symbol, descriptors['formula']) == ('Li', key)


def test_the_command_can_be_repeated_by_hand(builder_of):
    builder = builder_of(batch_size=7)
    builder.metadata.options.max_wallclock_seconds = 1000
    builder.metadata.options.max_memory_kb = 4_000_000
    builder.metadata.options.prepend_text = 'echo of the user'
    _, node = run_get_node(builder)
    script = node.base.repository.get_object_content('_aiidasubmit.sh')
    for words in ("'structures'", "'--spacing=0.6'", "'--species=Li'", "'--potential=potential'", "'--batch-size=7'"):
        assert words in script
    assert "'--time-limit=900'" in script
    # The direct scheduler holds no limit. What the user prepends comes later, and so can change it.
    assert 0 < script.index('export PESFP_MAX_MEMORY_KB=4000000') < script.index('echo of the user')
    assert json.loads(node.inputs.batch.base.repository.get_object_content('LiCl.json'))['@class'] == 'Structure'
    assert 'Li2Te' in node.outputs.retrieved.base.repository.get_object_content('pesfp-scan.out')
    assert node.outputs.retrieved.base.repository.list_object_names('results') == ['run.json']


def test_a_bad_structure_costs_the_others_nothing(base_of, structures):
    bad = Structure(face_centred(5.13), ['Li', 'Cl', 'Li'], [[0, 0, 0], [0.5] * 3, [0.01, 0, 0]])
    structures |= {
        'overlap': StructureData(pymatgen=bad),
        'NaCl': StructureData(pymatgen=rock_salt('Na', 'Cl', 5.64)),
        'again': StructureData(pymatgen=rock_salt('Li', 'Cl', 5.13)),
    }
    results, node = run_get_node(base_of(structures=structures))
    assert node.is_finished_ok, node.exit_message
    assert set(results['descriptors']) == {'LiI', 'Li2Te', 'LiCl'}
    failures = results['failures'].get_dict()
    types = {key: failure['error_type'] for key, failure in failures.items()}
    assert types == {'overlap': 'OverlappingAtoms', 'NaCl': 'NoMobileSpecies', 'again': 'DuplicateStructure'}
    assert 'A apart' in failures['overlap']['error']


@pytest.mark.parametrize('make', ['builder_of', 'base_of'])
def test_if_all_fail_so_does_the_calculation(make, request):
    structures = {'NaCl': StructureData(pymatgen=rock_salt('Na', 'Cl', 5.64))}
    results, node = run_get_node(request.getfixturevalue(make)(structures=structures))
    assert node.exit_status == ScanCalculation.exit_codes.ERROR_ALL_STRUCTURES_FAILED.status
    assert 'NaCl' in results['failures'].get_dict()


def test_a_potential_that_the_compute_node_has_otherwise_is_refused(builder_of, potential):
    potential.base.attributes.set('sha256', '0' * 64)
    _, node = run_get_node(builder_of(potential=potential))
    assert node.exit_status == ScanCalculation.exit_codes.ERROR_POTENTIAL_UNUSABLE.status
    assert '0' * 64 in node.exit_message


def test_a_code_that_does_not_run_leaves_its_last_words(builder_of, aiida_computer_local):
    code = InstalledCode(
        computer=aiida_computer_local(label='localhost'), filepath_executable='/no/such/program'
    ).store()
    _, node = run_get_node(builder_of(code=code))
    assert node.exit_status == ScanCalculation.exit_codes.ERROR_NO_OUTPUT.status
    assert '/no/such/program' in node.exit_message


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'spacin': 0.2}, "unknown parameter 'spacin'"),
        ({'spacing': -1}, 'spacing = -1: Input should be greater than'),
        ({'species': 'Xx'}, 'not the symbol'),
        ({'xi': {'treshold': 0.5}}, 'treshold'),
        ({'neighbours': '18'}, "neighbours = '18': Input should be 'sqrt3', '26' or '6'"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(builder_of, parameters, words):
    with pytest.raises(ValueError, match=words):
        run_get_node(builder_of(parameters=Dict(parameters)))


def test_no_structures_are_refused(builder_of, base_of):
    with pytest.raises(ValueError, match='batch is empty'):
        run_get_node(builder_of(structures={}))
    with pytest.raises(ValueError, match='list of structures is empty'):
        run_get_node(base_of(structures={}))


def test_caching_looks_at_what_matters(builder_of, potential_of, structures):
    one = {'LiCl': structures['LiCl']}
    _, first = run_get_node(builder_of(structures=one))
    with enable_caching():
        _, again = run_get_node(builder_of(structures=one))
        _, elsewhere = run_get_node(builder_of(structures=one, batch_size=3, device='cpu'))
        _, other = run_get_node(builder_of(structures=one, potential=potential_of(sigma=2.2)))
        _, finer = run_get_node(builder_of(structures=one, parameters=Dict({'spacing': 0.5})))
    for cached in (again, elsewhere):
        assert cached.base.caching.is_created_from_cache
        assert cached.base.caching.get_hash() == first.base.caching.get_hash()
    assert not other.base.caching.is_created_from_cache
    assert not finer.base.caching.is_created_from_cache


def test_a_scan_that_stops_early_is_marked_and_ranks_below_all_others(base_of, structures, aiida_pesfp, tmp_path):
    given = {'LiCl': structures['LiCl'], 'skewed': StructureData(pymatgen=SKEWED).store()}
    fine = {'spacing': 0.25, 'cell': 'primitive', 'adaptive': True, 'stop_below': 0.7}
    with enable_caching(identifier='aiida.calculations:pesfp.scan'):
        exact, _ = run_get_node(base_of(structures=given, parameters=fine | {'stop_below': None}))
        results, node = run_get_node(base_of(structures=given, parameters=fine))
        _, other = run_get_node(base_of(structures=given, parameters=fine | {'stop_probability': 0.9}))
    assert [job.base.caching.is_created_from_cache for one in (node, other) for job in jobs_of(one)] == [False, False]
    found, marked = results['descriptors'], results['pes']['skewed']
    assert found['skewed'].get('stopped_early')
    assert marked.base.attributes.get('stopped_early')
    assert exact['descriptors']['skewed'].xi <= found['skewed'].xi_upper < 0.7
    assert found['LiCl'].xi_upper == found['LiCl'].xi == exact['descriptors']['LiCl'].xi
    ranking = rank.run(**found)['rows']
    assert [row['key'] for row in ranking] == ['LiCl', 'skewed']
    assert 'stopped early     1, as soon as' in aiida_pesfp('status', node.pk)
    output = aiida_pesfp('rank', node.pk)
    assert 'Xi <=' in output
    assert 'upper bound of Xi is certain' in aiida_pesfp('show', found['skewed'].pk)
    for pes, is_warned in ((marked, True), (results['pes']['LiCl'], False)):
        written = aiida_pesfp('export', 'pes', pes.pk, '-o', tmp_path / f'{pes.pk}.cube')
        assert ('most of these energies are estimates' in written) == is_warned
    with pytest.raises(StoppedEarly, match='scan again without stop_below'):
        describe.run(marked, Dict())


def test_new_descriptors_from_a_stored_surface(base_of):
    results, _ = run_get_node(base_of())
    pes, descriptors = results['pes']['Li2Te'], results['descriptors']['Li2Te']
    same = describe(pes, Dict())
    other = describe(pes, Dict({'thresholds': [0.3, 1.2], 'xi': {'threshold': 0.3, 'connected_cut': -3.0}}))
    for key in (*NAMES, 'spectrum', 'formula', 'potential_sha256', 'ions'):
        assert same[key] == descriptors[key]
    assert other['spectrum']['thresholds'] == [0.3, 1.2]
    assert other.mpe == descriptors.mpe
    assert other['settings']['xi']['connected_cut'] == -3.0


def test_a_computed_surface_is_exported(base_of, structures, tmp_path):
    results, _ = run_get_node(base_of(structures={'Li2Te': structures['Li2Te']}))
    pes = results['pes']['Li2Te']
    pes.export(str(tmp_path / 'levels.cube'), kind='level')
    levels, atoms = read_cube_data(str(tmp_path / 'levels.cube'))
    assert levels.shape == tuple(2 * n for n in pes.base.attributes.get('shape'))
    crystal = structures['Li2Te'].get_ase()
    np.testing.assert_allclose(atoms.cell.array, 2 * crystal.cell.array, atol=1e-4)
    assert atoms.get_chemical_formula() == crystal.repeat(2).get_chemical_formula()
    # Each lithium is at home where the level is lowest, to within a step of the grid.
    lithium = atoms.get_scaled_positions()[atoms.numbers == 3]
    assert (levels[tuple((np.rint(lithium * levels.shape).astype(int) % levels.shape).T)] < 0.2).all()


def base_builder(code, structures, potential, **scan):
    # Without symmetry there are enough evaluations to be killed among.
    overrides = {'scan': {'parameters': COARSE | {'symmetry': False}, **scan}}
    return ScanBaseWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', overrides)


def test_a_killed_job_goes_on_and_gives_the_same_numbers(code, structures, potential_of, with_test_calculators):
    """SIGKILL in the middle, as by a machine that runs out of memory: the next job has smaller batches."""
    structures = {key: structures[key] for key in ('LiCl', 'LiI')}
    potential = potential_of(KILLED, after=1600, sigma=2.1, epsilon=0.3)
    expected, whole = run_get_node(base_builder(code, structures, potential))
    assert whole.is_finished_ok
    assert len(jobs_of(whole)) == 1

    with_test_calculators.setenv('PESFP_TEST_KILL', 'SIGKILL')
    killed = base_builder(code, structures, potential)
    killed.max_iterations = 2
    results, node = run_get_node(killed)
    first, second = jobs_of(node)
    assert first.exit_status == ScanCalculation.exit_codes.ERROR_INTERRUPTED.status
    assert keys_of(first.outputs.results) == ['LiCl']
    assert keys_of(second.outputs.results) == ['LiI']
    assert second.inputs.parent_folder.uuid == first.outputs.remote_folder.uuid
    assert "'--batch-size=8'" in second.base.repository.get_object_content('_aiidasubmit.sh')
    # The second job does not evaluate anew what the first did: with the same limit, it gets to the end.
    assert node.is_finished_ok, node.exit_message
    for key in structures:
        assert results['descriptors'][key]['spectrum'] == expected['descriptors'][key]['spectrum']
        np.testing.assert_array_equal(
            results['pes'][key].get_array('energies'), expected['pes'][key].get_array('energies')
        )


def test_a_job_out_of_time_goes_on(code, structures, potential_of, with_test_calculators):
    """SIGTERM, which schedulers send before the end: the job writes its checkpoint and says so."""
    with_test_calculators.setenv('PESFP_TEST_KILL', 'SIGTERM')
    potential = potential_of(KILLED, after=200, sigma=2.1, epsilon=0.3)
    results, node = run_get_node(base_builder(code, {'LiCl': structures['LiCl']}, potential))
    assert node.is_finished_ok, node.exit_message
    statuses = [job.exit_status for job in jobs_of(node)]
    assert statuses == [ScanCalculation.exit_codes.ERROR_OUT_OF_WALLTIME.status, 0]
    assert set(results['descriptors']) == {'LiCl'}


def test_what_is_done_is_kept_when_the_end_is_not_reached(code, structures, potential_of, with_test_calculators):
    with_test_calculators.setenv('PESFP_TEST_KILL', 'SIGKILL')
    structures = {key: structures[key] for key in ('LiCl', 'LiI')}
    builder = base_builder(code, structures, potential_of(KILLED, after=1600, sigma=2.1, epsilon=0.3))
    builder.max_iterations = 1
    results, node = run_get_node(builder)
    assert not node.is_finished_ok
    assert set(results['descriptors']) == {'LiCl'}
    assert os.environ['PESFP_TEST_KILL'] == 'SIGKILL'
