"""``pesfp.md``, ``pesfp.md.base`` and ``pesfp.relax`` with the real programs."""

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import Dict, Int, StructureData
from pymatgen.core import Structure

from aiida_pesfp.calculations.md import MdCalculation
from aiida_pesfp.calculations.relax import RelaxCalculation
from aiida_pesfp.calculations.trajectories import ARRAYS
from aiida_pesfp.workflows.md import MdBaseWorkChain
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES

DYNAMICS = {'temperature': 300, 'steps': 24, 'stride': 4}
KILLED = 'tests.helpers.calculators.KilledAfter'


@pytest.fixture
def supercell():
    """16 atoms about as dense as the Lennard-Jones potential has them."""
    structure = rock_salt('Li', 'Cl', 4.6)
    structure.make_supercell(2)
    return StructureData(pymatgen=structure, label='LiCl').store()


@pytest.fixture
def builder_of(codes, potential, supercell):
    """Makes a builder of ``pesfp.md``."""
    code = codes['pesfp-md']

    def make(dynamics=DYNAMICS, **inputs):
        builder = MdCalculation.get_builder()
        defaults = {'code': code, 'structure': supercell, 'potential': potential, 'dynamics': Dict(dynamics)}
        for name, value in (defaults | inputs).items():
            setattr(builder, name, value)
        return builder

    return make


@pytest.fixture
def base_builder_of(codes, supercell):
    """Makes a builder of ``pesfp.md.base``."""
    code = codes['pesfp-md']

    def make(potential, max_steps_per_job=None, **dynamics):
        overrides = {'md': {'dynamics': {'steps': 24, 'stride': 4} | dynamics}}
        builder = MdBaseWorkChain.get_builder_from_protocol(
            code, supercell, 300, 'fast', overrides, potential=potential
        )
        if max_steps_per_job:
            builder.max_steps_per_job = Int(max_steps_per_job)
        return builder

    return make


def assert_same(found, expected):
    for name in ('steps', *ARRAYS):
        np.testing.assert_allclose(found.get_array(name), expected.get_array(name), atol=1e-10, rtol=0, err_msg=name)


def statuses(node):
    return [
        job.exit_status for job in sorted(node.called, key=lambda job: job.pk) if job.process_class is MdCalculation
    ]


def test_a_job_and_its_continuation_are_the_whole(builder_of, supercell):
    whole, node = run_get_node(builder_of())
    assert node.is_finished_ok, node.exit_message
    trajectory, parameters = whole['trajectory'], whole['output_parameters']
    np.testing.assert_array_equal(trajectory.get_stepids(), np.arange(0, 25, 4))
    # Zeros are zeros but for rounding, which depends on the processor.
    np.testing.assert_allclose(trajectory.get_positions()[0], [site.position for site in supercell.sites], atol=1e-12)
    np.testing.assert_allclose(trajectory.get_cells()[-1], supercell.cell)
    assert trajectory.base.attributes.get('symbols') == [site.kind_name for site in supercell.sites]
    expected = {'timestep_fs': 1.0, 'temperature': 300, 'stride': 4, 'engine': 'ml'}
    assert {name: trajectory.base.attributes.get(name) for name in expected} == expected
    assert (parameters['steps'], parameters['last_step']) == (24, 24)
    assert parameters['temperature_mean'] == pytest.approx(trajectory.get_array('temperatures').mean())
    assert 'results/structure_300K' not in node.outputs.retrieved.base.repository.list_object_names('results')

    # The first part ends between two stored steps.
    first, part = run_get_node(builder_of(DYNAMICS | {'steps': 10}))
    second, rest = run_get_node(builder_of(DYNAMICS | {'steps': 14}, parent_folder=part.outputs.remote_folder))
    assert rest.is_finished_ok, rest.exit_message
    assert (second['output_parameters']['steps'], second['output_parameters']['last_step']) == (14, 24)
    for name in ('steps', *ARRAYS):
        joined = np.concatenate([results['trajectory'].get_array(name) for results in (first, second)])
        np.testing.assert_allclose(joined, trajectory.get_array(name), atol=1e-10, rtol=0, err_msg=name)

    _, other = run_get_node(builder_of(DYNAMICS | {'timestep': 2}, parent_folder=part.outputs.remote_folder))
    assert other.exit_status == MdCalculation.exit_codes.ERROR_NOT_RESTARTED.status
    assert 'timestep 1.0, not 2.0' in other.exit_message

    with enable_caching():
        _, again = run_get_node(builder_of(device='cpu'))
        _, reseeded = run_get_node(builder_of(DYNAMICS | {'seed': 1}))
    assert again.base.caching.is_created_from_cache
    assert not reseeded.base.caching.is_created_from_cache


@pytest.mark.parametrize(
    ('dynamics', 'words'),
    [
        ({'temperature': 300}, "need 'steps'"),
        ({'temperature': -1, 'steps': 5}, 'temperature = -1: Input should be greater than'),
        ({'temperature': 300, 'steps': 5, 'nose_mass': 1}, 'unknown parameter'),
        ({'temperature': 300, 'steps': 2.5}, 'steps = 2.5: Input should be a valid integer'),
        ({'temperature': 300, 'steps': 5, 'seed': -1}, 'seed'),
    ],
)
def test_wrong_dynamics_are_refused_before_anything_runs(builder_of, dynamics, words):
    with pytest.raises(ValueError, match=words):
        run_get_node(builder_of(dynamics))


def test_base_joins_segments_and_goes_on_after_a_kill(base_builder_of, potential_of, with_test_calculators):
    """SIGKILL between two stored steps: of those that are stored, not one is lost or doubled."""
    potential = potential_of(KILLED, after=15, **LENNARD_JONES)
    expected, whole = run_get_node(base_builder_of(potential))
    assert whole.is_finished_ok, whole.exit_message
    assert statuses(whole) == [0]

    with_test_calculators.setenv('PESFP_TEST_KILL', 'SIGKILL')
    results, node = run_get_node(base_builder_of(potential, max_steps_per_job=17))
    assert node.is_finished_ok, node.exit_message
    interrupted = MdCalculation.exit_codes.ERROR_INTERRUPTED.status
    assert statuses(node) == [interrupted, 0]
    first = min(node.called, key=lambda job: job.pk)
    # Killed in step 14: what was stored is there, and the next job goes on from there.
    np.testing.assert_array_equal(first.outputs.trajectory.get_stepids(), [0, 4, 8, 12])
    assert_same(results['trajectory'], expected['trajectory'])
    assert results['output_parameters']['steps'] == 24
    assert results['remote_folder'].creator.exit_status == 0


def test_base_goes_on_when_the_time_is_over(base_builder_of, potential_of, with_test_calculators):
    with_test_calculators.setenv('PESFP_TEST_KILL', 'SIGTERM')
    potential = potential_of(KILLED, after=15, **LENNARD_JONES)
    results, node = run_get_node(base_builder_of(potential))
    assert node.is_finished_ok, node.exit_message
    assert statuses(node) == [MdCalculation.exit_codes.ERROR_OUT_OF_WALLTIME.status, 0]
    first, second = (job for job in sorted(node.called, key=lambda job: job.pk) if job.process_class is MdCalculation)
    # SIGTERM is heeded after the step: nothing is done twice.
    assert first.outputs.output_parameters['last_step'] == 14
    assert second.outputs.output_parameters['steps'] == 10
    np.testing.assert_array_equal(results['trajectory'].get_stepids(), np.arange(0, 25, 4))


def test_dynamics_that_do_not_conserve_their_energy_are_an_error(builder_of, potential_of, with_test_calculators):
    potential = potential_of('tests.helpers.calculators.Stirs', **LENNARD_JONES)
    results, node = run_get_node(builder_of({'temperature': 300, 'steps': 300, 'stride': 10}, potential=potential))
    assert node.exit_status == MdCalculation.exit_codes.ERROR_ENERGY_DRIFT.status
    assert results['output_parameters']['energy_drift'] > 0.2
    assert len(results['trajectory'].get_stepids()) == 31


def test_diverged_dynamics_are_not_repeated_and_keep_what_was_good(base_builder_of, potential):
    results, node = run_get_node(base_builder_of(potential, steps=400, timestep=12, stride=1, thermostat_time=1e5))
    assert node.exit_status == MdBaseWorkChain.exit_codes.ERROR_JOB_FAILED.status
    assert statuses(node) == [MdCalculation.exit_codes.ERROR_DIVERGED.status]
    assert 'shorter time step' in node.exit_message
    assert 1 < len(results['trajectory'].get_stepids()) < 400


def test_a_structure_is_relaxed_and_keeps_its_kinds(codes, potential):
    structure = StructureData(cell=rock_salt('Li', 'Cl', 4.9).lattice.matrix.tolist(), label='LiCl')
    structure.append_atom(position=(0.03, 0, 0), symbols='Li', name='Li1')
    structure.append_atom(position=(2.45, 2.45, 2.45), symbols='Cl')
    builder = RelaxCalculation.get_builder()
    builder.code, builder.potential, builder.structure = codes['pesfp-relax'], potential, structure
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results['output_parameters']['converged']
    relaxed = results['structure']
    assert [site.kind_name for site in relaxed.sites] == ['Li1', 'Cl']
    assert relaxed.get_cell_volume() == pytest.approx(results['output_parameters']['volume'])
    assert relaxed.get_cell_volume() != pytest.approx(structure.get_cell_volume(), rel=0.01)
    found = relaxed.get_pymatgen_structure().get_distance(0, 1)
    assert found == pytest.approx((4 * relaxed.get_cell_volume()) ** (1 / 3) / 2, abs=1e-2)

    builder.parameters = Dict({'steps': 1, 'smax': 1e-6})
    results, node = run_get_node(builder)
    assert node.exit_status == RelaxCalculation.exit_codes.ERROR_NOT_CONVERGED.status
    assert isinstance(results['structure'].get_pymatgen_structure(), Structure)
    with pytest.raises(ValueError, match='steps = 0: Input should be greater than 0'):
        builder.parameters = Dict({'steps': 0})
