"""``pesfp.barrier`` and ``pesfp.barrier.base`` with the real program and a landscape that is known."""

import time

import numpy as np
import pytest
import yaml
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import Int, QueryBuilder, StructureData, load_node
from aiida.tools.archive.abstract import get_format
from ase.io import read

from aiida_pesfp.calculations.barrier import BarrierCalculation, take_barrier
from aiida_pesfp.data.barrier import BarrierData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import WrongResults
from aiida_pesfp.queries.nodes import stored
from aiida_pesfp.workflows.barrier import BarrierBaseWorkChain
from aiida_pesfp.workflows.stages import BARRIER
from tests.helpers.calculators import Gated, gated_crystal
from tests.helpers.graph import jobs_of

GATED = Gated(period=3.5)
CODES = BarrierCalculation.exit_codes
STATUS = {name: getattr(CODES, f'ERROR_{name}').status for name in ('INTERRUPTED', 'NOT_CONVERGED', 'OUT_OF_WALLTIME')}


@pytest.fixture
def gated(potential_of, with_test_calculators):
    """The potential of :class:`Gated`."""
    return potential_of('tests.helpers.calculators.Gated', period=3.5).store()


@pytest.fixture
def crystal():
    return StructureData(pymatgen=gated_crystal(0, 1, period=3.5), label='gated').store()


@pytest.fixture
def builder_of(codes, crystal, gated):
    """Makes a builder of ``pesfp.barrier.base``."""

    def make(structure=crystal, potential=gated, options=None, **parameters):
        overrides = {'barrier': {'parameters': {'cell': 'as_given', 'fmax': 0.002, 'path_spacing': 0.25} | parameters}}
        return BarrierBaseWorkChain.get_builder_from_protocol(
            codes['pesfp-barrier'], structure, 'fast', overrides, options, potential=potential
        )

    return make


def statuses(node):
    return [job.exit_status for job in jobs_of(node)]


def test_a_barrier_is_that_of_the_landscape_and_is_there_to_query(builder_of, crystal, gated, tmp_path):
    results, node = run_get_node(builder_of())
    assert node.is_finished_ok, node.exit_message
    found = results['barrier']
    assert found.barrier == pytest.approx(GATED.height, abs=0.01)
    assert found.frozen_barrier == pytest.approx(GATED.frozen, abs=0.02)
    filters = {'attributes.barrier': {'<': 0.41}, 'attributes.method': 'pinned', 'attributes.converged': True}
    filters |= {'attributes.structure_uuid': crystal.uuid, 'attributes.potential_sha256': gated.sha256}
    assert QueryBuilder().append(BarrierData, filters=filters).one() == [found]
    told = found.base.attributes.all
    assert (told['species'], told['formula'], found.flags) == ('Li', 'Li2HI', [])
    assert told['settings']['path_spacing'] == 0.25
    assert told['barrier_2d'] is None
    assert results['output_parameters']['calls'] == told['calls'] > 0

    profile = found.profile()
    assert profile['energies'].max() == pytest.approx(found.barrier)
    assert profile['frozen_energies'].max() == pytest.approx(found.frozen_barrier)
    assert [len(found.images()), len(found.images()[0])] == [3, 3]
    found.export(str(tmp_path / 'path.extxyz'))
    images = read(tmp_path / 'path.extxyz', ':')
    np.testing.assert_allclose([one.get_potential_energy() for one in images], profile['energies'], atol=1e-6)

    ancestors = QueryBuilder().append(BarrierData, filters={'id': found.pk}, tag='own')
    ancestors.append((StructureData, PotentialData), with_descendants='own')
    assert {node.pk for node in ancestors.all(flat=True)} == {crystal.pk, gated.pk}


def test_from_the_cache_a_barrier_names_its_own_structure(builder_of, crystal):
    first, _ = run_get_node(builder_of())
    with enable_caching():
        other = StructureData(pymatgen=gated_crystal(0, 1, period=3.5), label='gated').store()
        second, node = run_get_node(builder_of(other))
    assert all(job.base.caching.is_created_from_cache for job in jobs_of(node))
    assert second['barrier'].barrier == first['barrier'].barrier
    assert [one['barrier'].structure_uuid for one in (first, second)] == [crystal.uuid, other.uuid]


def test_a_band_goes_on_where_its_steps_ended(builder_of):
    """Its steps are not enough; the next job begins where the last one ended, and does not repeat it."""
    whole, node = run_get_node(builder_of(method='neb', images=3))
    assert statuses(node) == [0]
    builder = builder_of(method='neb', images=3, steps=10)
    builder.max_iterations = Int(20)
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    *before, last = statuses(node)
    assert (set(before), last) == ({STATUS['NOT_CONVERGED']}, 0)
    assert results['barrier'].barrier == pytest.approx(whole['barrier'].barrier, abs=1e-3)
    calls = [job.outputs.output_parameters['calls'] for job in jobs_of(node)]
    assert calls == sorted(calls)
    assert calls[-1] < 2 * whole['output_parameters']['calls']


def test_what_has_not_converged_at_the_end_is_there_with_its_flag(builder_of):
    builder = builder_of(steps=1)
    builder.max_iterations = Int(1)
    results, node = run_get_node(builder)
    assert node.exit_status == BarrierBaseWorkChain.exit_codes.ERROR_MAXIMUM_ITERATIONS_EXCEEDED.status
    assert not results['barrier'].converged
    assert 'not_converged' in results['barrier'].flags


def test_a_killed_job_goes_on(builder_of, potential_of, with_test_calculators, tmp_path):
    """SIGKILL in the middle of a band: all but the last calls are not repeated."""
    whole, _ = run_get_node(builder_of(method='neb', images=3))
    with_test_calculators.setenv('PESFP_TEST_MARK', str(tmp_path / 'killed'))
    killed = potential_of('tests.helpers.calculators.KilledGated', period=3.5)
    results, node = run_get_node(builder_of(potential=killed, method='neb', images=3))
    assert node.is_finished_ok, node.exit_message
    assert statuses(node) == [STATUS['INTERRUPTED'], 0]
    assert results['barrier'].barrier == pytest.approx(whole['barrier'].barrier, abs=1e-3)
    assert results['output_parameters']['calls'] < whole['output_parameters']['calls'] + 15


def test_what_cannot_be_a_barrier_says_why(builder_of):
    results, node = run_get_node(builder_of(longest_hop=2.0))
    assert node.exit_status == BarrierBaseWorkChain.exit_codes.ERROR_JOB_FAILED.status
    assert 'allow longer ones' in node.exit_message
    assert 'barrier' not in results


def test_results_of_another_potential_are_refused(builder_of, crystal, potential):
    _, node = run_get_node(builder_of())
    with pytest.raises(WrongResults, match='not of Li2HI with'):
        take_barrier(crystal, potential.store(), jobs_of(node)[0].outputs.retrieved)


@pytest.mark.parametrize('parameters', [{'picture': 'given'}, {'species': 'Xx'}, {'steps': 0}, {'fmx': 1}])
def test_wrong_parameters_are_refused_before_anything_runs(builder_of, parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        run_get_node(builder_of(**parameters))


@pytest.fixture
def launching(machine_with, gated, tmp_path):
    """Options of a launch: codes of this environment, the potential, overrides."""
    machine = machine_with('scan', 'md', 'barrier')
    gated.label = f'gated-{tmp_path.name}'
    given = {'cell': 'as_given'}
    stages = {'ml': {'overrides': {'md': {'dynamics': {'stride': 1}}, 'supercell': {'minimum_distance': 4.0}}}}
    stages['barrier'] = {'overrides': {'barrier': {'parameters': given}}}
    path = tmp_path / 'overrides.yaml'
    path.write_text(yaml.safe_dump({'screen': {'scan': {'parameters': given | {'spacing': 0.8}}}, 'stages': stages}))
    return ('--code', f'pesfp-scan@{machine}', '--potential', gated.label, '--overrides', path)


def test_screen_barrier_and_dynamics_from_one_command(aiida_pesfp, launching, crystal, patient_daemon, tmp_path):
    """Under the daemon. A candidate without a barrier has dynamics all the same; the archive has the barrier."""
    lonely = StructureData(pymatgen=gated_crystal(0), label='lonely').store()  # no hop is shorter than 5 A
    printed = aiida_pesfp(
        'launch', 'screen-and-validate', crystal.pk, lonely.pk, *launching, '--protocol', 'fast', '--submit',
        '--select', 'xi > -1', '--barrier-candidates', '2', '--ml-candidates', '2', '--no-relax',
        '--picoseconds', '0.06', '-t', '600',
    )  # fmt: skip
    node = load_node(int(printed.split('submitted ScreenAndValidateWorkChain<')[1].split('>')[0]))
    end = time.monotonic() + 500
    while not node.is_terminated and time.monotonic() < end:
        time.sleep(1)
    assert node.is_finished_ok, aiida_pesfp('status', node.pk)
    rows = {load_node(row['structure']).label: row for row in node.outputs.candidates['rows']}
    assert rows['gated']['relaxed_barrier'] == pytest.approx(GATED.height, abs=0.03)
    assert 'allow longer ones' in rows['lonely']['problems']['barrier']
    assert rows['lonely']['relaxed_barrier'] is None
    assert {row['ml_highest_temperature'] for row in rows.values()} == {600}, [row['problems'] for row in rows.values()]
    status = aiida_pesfp('status', node.pk)
    assert f'gated, barrier: {rows["gated"]["relaxed_barrier"]:.3f} eV, finished' in status
    assert 'lonely, barrier: finished, job 1' in status
    [found] = rows['gated']['nodes']['barrier']
    assert load_node(found).pk == node.outputs.barrier.gated.barrier.pk

    assert f'{rows["gated"]["relaxed_barrier"]:.3f}' in aiida_pesfp('rank', node.pk)
    aiida_pesfp('export', 'archive', node.pk, '-o', tmp_path / 'shared.aiida')
    with get_format().open(tmp_path / 'shared.aiida', 'r') as reader:
        query = reader.querybuilder().append(BarrierData, filters={'attributes.barrier': {'<': 0.5}}, project='uuid')
        assert query.all(flat=True) == [found]


@pytest.mark.parametrize('lacking', [(), ('b',), ('a', 'b', 'c')])
@pytest.mark.parametrize('flags', ['', 'end_left, not_converged'])
def test_those_with_a_barrier_change_places_among_themselves(lacking, flags):
    """Who has none, or one that has not converged, keeps its place."""
    barriers = {'a': 0.5, 'b': 0.1, 'c': 0.4}
    rows = {key: {'relaxed_barrier': barriers[key], 'barrier_flags': flags * (key in lacking)} for key in barriers}
    found = [key for key in barriers if flags or key not in lacking]
    expected = {(): ['b', 'c', 'a'], ('b',): ['c', 'b', 'a'], ('a', 'b', 'c'): ['a', 'b', 'c']}
    assert BARRIER.passed(['a', 'b', 'c'], rows, found) == expected[lacking]


def test_launch_prints_the_barrier_and_where_to_look(aiida_pesfp, launching, crystal, tmp_path):
    code = launching[1].replace('scan', 'barrier')
    overrides = tmp_path / 'barrier.yaml'
    overrides.write_text(yaml.safe_dump({'barrier': {'parameters': {'cell': 'as_given'}}}))
    options = ('--code', code, '--potential', launching[3], '--overrides', overrides, '--protocol', 'fast')
    printed = aiida_pesfp('launch', 'barrier', crystal.pk, *options, '--path-spacing', '0.25')
    found, process = (stored(kind)[-1] for kind in (BarrierData, BarrierBaseWorkChain))
    assert f'{found.barrier:.3f}' in printed
    assert f'aiida-pesfp export barrier {found.pk}' in printed
    assert f'gated, barrier: {found.barrier:.3f} eV' in aiida_pesfp('status', process.pk)
    assert 'runs pesfp.scan, not pesfp.barrier' in ' '.join(
        aiida_pesfp('launch', 'barrier', crystal.pk, *launching[:4], fails=True).split()
    )
