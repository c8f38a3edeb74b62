"""``pesfp.conductivity`` from a structure to an activation energy, with the real programs."""

import pytest
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.orm import Dict, List, StructureData

from aiida_pesfp.crystals.cells import interplanar_distances
from aiida_pesfp.errors import InvalidTrajectory
from aiida_pesfp.workflows.conductivity import ConductivityWorkChain
from tests.helpers.crystals import rock_salt
from tests.helpers.dynamics import ANALYSIS, OVERRIDES
from tests.helpers.potentials import LENNARD_JONES

EXIT = ConductivityWorkChain.exit_codes


@pytest.fixture
def builder_of(codes, potential):
    """Makes a builder."""

    def make(temperatures, relax=False, **overrides):
        builder = ConductivityWorkChain.get_builder_from_protocol(
            codes['pesfp-md'],
            StructureData(pymatgen=rock_salt('Li', 'Cl', 4.6), label='LiCl'),
            relax_code=codes['pesfp-relax'] if relax else None,
            potential=potential,
            protocol='fast',
            overrides=OVERRIDES | {'temperatures': temperatures} | overrides,
        )
        builder.analysis = Dict(ANALYSIS)
        return builder

    return make


def called(node):
    """Processes that a workchain called, by their link labels."""
    return {
        link.link_label: link.node
        for link in node.base.links.get_outgoing(link_type=(LinkType.CALL_CALC, LinkType.CALL_WORK))
    }


def test_from_a_structure_to_its_activation_energy(builder_of):
    results, node = run_get_node(builder_of([300, 900.5], relax=True))
    assert node.is_finished_ok, node.exit_message
    keys = {'T300K', 'T900_5K'}
    assert set(results['trajectories']) == set(results['conductivities']) == keys
    # Each step takes what the one before it has made.
    steps = called(node)
    assert steps['make_supercell'].inputs.structure.uuid == results['relaxed_structure'].uuid
    assert results['relaxed_structure'].uuid == steps['relax'].outputs.structure.uuid
    for key in keys:
        dynamics = steps[f'dynamics_{key}']
        assert dynamics.inputs.md.structure.uuid == results['supercell'].uuid
        assert steps[f'conductivity_{key}'].inputs.trajectory.uuid == dynamics.outputs.trajectory.uuid
        assert results['conductivities'][key].base.attributes.get('windows') == 2
    assert results['conductivities']['T900_5K'].temperature == 900.5
    assert min(interplanar_distances(results['supercell'].cell)) >= 4.0
    assert results['supercell_matrix']['determinant'] * 2 == len(results['supercell'].sites)
    if 'arrhenius' in results:
        assert {point['uuid'] for point in results['arrhenius']['points']} == {
            found.uuid for found in results['conductivities'].values()
        }
    else:
        assert 'no Arrhenius fit' in messages(node)


def messages(node):
    """The reports of a workchain."""
    from aiida.orm import Log

    return '\n'.join(log.message for log in Log.collection.get_logs_for(node))


def test_a_single_temperature_gives_no_fit_and_says_so(builder_of):
    results, node = run_get_node(builder_of([600]))
    assert node.is_finished_ok, node.exit_message
    assert set(results['conductivities']) == {'T600K'}
    assert 'arrhenius' not in results
    assert 'relaxed_structure' not in results
    assert 'conductivity at one temperature only' in messages(node)


def test_a_temperature_that_fails_costs_the_other_nothing(builder_of, potential_of, with_test_calculators):
    builder = builder_of([300, 4000])
    builder.ml.md.potential = potential_of('tests.helpers.calculators.NotANumberWhenHot', **LENNARD_JONES)
    results, node = run_get_node(builder)
    assert node.exit_status == EXIT.ERROR_TEMPERATURES_MISSING.status
    assert 'T4000K: its dynamics failed' in node.exit_message
    assert set(results['conductivities']) == {'T300K'}


def test_what_cannot_be_analysed_is_no_conductivity(builder_of, monkeypatch):
    def refuse(*_):
        raise InvalidTrajectory('ions move too fast')

    monkeypatch.setattr('aiida_pesfp.calculations.transport.analyse', refuse)
    results, node = run_get_node(builder_of([300]))
    assert node.exit_status == EXIT.ERROR_NO_CONDUCTIVITY.status
    assert 'T300K' in node.exit_message
    assert 'T300K' in results['trajectories']


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'temperatures': []}, 'temperatures = .* at least 1 item'),
        ({'analysis': ANALYSIS | {'species': 'Na'}}, r'no Na in the structure \(Cl, Li\): correct analysis.species'),
        ({'analysis': ANALYSIS | {'charge': 2}}, 'charge = 2: ions of Li have'),
        ({'temperatures': [300, -5]}, 'temperatures.1 = -5: '),
        ({'temperatures': [300, 1e30]}, 'temperatures.1 = 1e.30: '),
        ({'temperatures': [25]}, '25 degrees Celsius are 298.15 K'),
        ({'temperatures': [300, '400']}, "temperatures.1 = '400': "),
        ({'analysis': {'window_ps': 15.0}}, 'a run of 60 steps of 1 fs has no window of 15 ps after 5 ps'),
        ({'analysis': ANALYSIS | {'fit_start_ps': 0.019}}, 'too few for a fit: choose a smaller stride'),
        ({'analysis': ANALYSIS | {'temperature': 300}}, 'leave out analysis.temperature'),
        ({'temperatures': [300, 300.0]}, 'there twice'),
        ({'analysis': {'window': 3}}, "unknown parameter 'window'"),
        ({'ml': None}, 'exactly one engine must be given'),
    ],
)
def test_wrong_inputs_are_refused_before_anything_runs(builder_of, change, words):
    builder = builder_of([300])
    with pytest.raises(ValueError, match=words):
        for name, value in change.items():
            if value is None:
                builder.pop(name)
            else:
                setattr(builder, name, List(value) if isinstance(value, list) else Dict(value))
        run_get_node(builder)


def test_protocols_say_what_is_run(codes, potential):
    structure = StructureData(pymatgen=rock_salt('Li', 'Cl', 4.6))
    builder = ConductivityWorkChain.get_builder_from_protocol(codes['pesfp-md'], structure, potential=potential)
    assert builder.temperatures.get_list() == [500, 1000]
    assert builder.ml.md.dynamics['steps'] == 100_000
    assert builder.analysis['equilibration_ps'] == 5
    assert builder.supercell['minimum_distance'] == 6.5
