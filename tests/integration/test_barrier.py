"""``pesfp.barrier`` and ``pesfp.barrier.base`` with the real program and a landscape that is known."""

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import Int, QueryBuilder, StructureData
from ase.io import read

from aiida_pesfp.calculations.barrier import BarrierCalculation, take_barrier
from aiida_pesfp.data.barrier import BarrierData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import WrongResults
from aiida_pesfp.workflows.barrier import BarrierBaseWorkChain
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
