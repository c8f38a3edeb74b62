"""``pesfp.screen_and_validate`` with the real programs and the stand-in of SIESTA."""

import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import Dict, Str, StructureData, load_node, to_aiida_type

from aiida_pesfp.queries.ensembles import likeliest, parent_of
from aiida_pesfp.report.collect import collect
from aiida_pesfp.workflows.screen_and_validate import ScreenAndValidateWorkChain
from tests.helpers.crystals import rock_salt
from tests.helpers.dynamics import ANALYSIS, OVERRIDES
from tests.helpers.graph import jobs_of

EXIT = ScreenAndValidateWorkChain.exit_codes
SCREEN = {'scan': {'parameters': {'spacing': 0.8}}, 'reuse': False}
SIESTA_OVERRIDES = OVERRIDES | {'md': {'dynamics': {'steps': 60, 'stride': 1}}}


@pytest.fixture
def builder_of(code, codes, potential):
    """Makes a builder of the screening and the stage of ML dynamics."""

    def make(structures, siesta=None, **ml):
        stage = {
            'code': codes['pesfp-md'], 'potential': potential, 'candidates': 2,
            'overrides': OVERRIDES | {'temperatures': [300, 600], 'analysis': ANALYSIS},
        }  # fmt: skip
        return ScreenAndValidateWorkChain.get_builder_from_protocol(
            code,
            structures,
            potential,
            ml=stage | ml,
            siesta=siesta,
            protocol='fast',
            overrides={'screen': SCREEN, 'select': 'xi > -1'},
        )

    return make


def test_screen_then_dynamics_then_the_same_from_the_cache(builder_of, structures):
    """A candidate that cannot be treated stands in the table with its reason."""
    structures = {key: structures[key] for key in ('LiCl', 'Li2Te')}
    results, node = run_get_node(builder_of(structures))
    assert node.is_finished_ok, node.exit_message
    ranked = [row['key'] for row in results['screen']['ranking']['rows']]
    rows = results['candidates']['rows']
    assert [row['key'] for row in rows] == ranked
    for row in rows:
        assert row['xi'] == next(r['xi'] for r in results['screen']['ranking']['rows'] if r['key'] == row['key'])
        found = results['ml'][row['key']]
        assert row['ml_highest_temperature'] == 600
        assert row['ml_highest_conductivity'] == found['T600K'].conductivity
        assert row['siesta_conductivity_300K'] is None
        assert set(row['nodes']['ml']) == {data.uuid for data in found.values()}
        assert load_node(row['structure']).uuid == structures[row['key']].uuid
        assert row['flags']['ml']['600'] == found['T600K'].flags

    with enable_caching():
        again, second = run_get_node(builder_of(structures))
    assert second.is_finished_ok, second.exit_message
    assert len(jobs_of(second)) == len(jobs_of(node)) == 1 + 2 * 2
    assert all(job.base.caching.is_created_from_cache for job in jobs_of(second))
    for one, other in zip(rows, again['candidates']['rows']):
        assert one['ml_highest_conductivity'] == other['ml_highest_conductivity']


def test_the_best_go_on_to_siesta_and_one_that_fails_costs_no_other(builder_of, siesta_code, siesta_pseudos):
    """There is no pseudopotential for bromine."""
    structures = {
        'LiI': StructureData(pymatgen=rock_salt('Li', 'I', 6.0)),
        'LiBr': StructureData(pymatgen=rock_salt('Li', 'Br', 6.0)),
    }
    siesta = {
        'code': siesta_code, 'pseudo_family': 'stand-in', 'candidates': 2, 'rank_by': 'ml_highest_conductivity',
        'overrides': SIESTA_OVERRIDES | {'temperatures': [300], 'analysis': ANALYSIS}, 'options': {'withmpi': False},
    }  # fmt: skip
    builder = builder_of(structures, siesta, overrides=OVERRIDES | {'temperatures': [500], 'analysis': ANALYSIS})
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    rows = {row['key']: row for row in results['candidates']['rows']}
    assert rows['LiI']['problems'] == {}
    assert rows['LiI']['siesta_highest_temperature'] == 300
    assert set(results['siesta']) == {'LiI'}
    assert 'Br' in rows['LiBr']['problems']['siesta']
    assert rows['LiBr']['ml_highest_conductivity'] is not None


def test_dynamics_of_a_disordered_structure_are_those_of_its_likeliest_ordering(builder_of):
    mixed = rock_salt('Li', 'Cl', 5.3)
    mixed.replace_species({'Cl': {'Cl': 0.5, 'Br': 0.5}})
    parent = StructureData(pymatgen=mixed, label='mixed').store()
    wanted = OVERRIDES | {'temperatures': [600], 'analysis': ANALYSIS}
    results, node = run_get_node(builder_of({'mixed': parent}, overrides=wanted))
    assert node.is_finished_ok, node.exit_message
    [row] = results['candidates']['rows']
    assert row['structure'] == parent.uuid
    ensemble = results['screen']['descriptors']['mixed']
    member = likeliest(ensemble)
    assert parent_of(member).uuid == parent.uuid
    simulated = [one for one in node.called_descendants if one.process_label == 'ConductivityWorkChain']
    assert [one.inputs.structure.uuid for one in simulated] == [member.uuid]
    [entry] = collect(node).entries
    assert [one['temperature'] for one in entry.transport] == [600]


def test_if_dynamics_of_all_fail_so_does_the_workchain(builder_of, structures):
    wrong = OVERRIDES | {'temperatures': [300], 'analysis': ANALYSIS, 'supercell': {'minimum_distance': 60.0}}
    results, node = run_get_node(builder_of({'LiCl': structures['LiCl']}, overrides=wrong))
    assert node.exit_status == EXIT.ERROR_ALL_CANDIDATES_FAILED.status
    assert 'LiCl' in node.exit_message
    assert 'ml' in results['candidates']['rows'][0]['problems']
    assert 'ranking' in results['screen']


def test_a_host_without_the_ion_has_no_dynamics_and_a_reason(builder_of):
    builder = builder_of({'NaCl': StructureData(pymatgen=rock_salt('Na', 'Cl', 5.64)).store()})
    parameters = builder.screen.scan.parameters.get_dict() | {'others': 'interstitial'}
    builder.screen.scan.parameters = Dict(parameters)
    results, node = run_get_node(builder)
    assert node.exit_status == EXIT.ERROR_ALL_CANDIDATES_FAILED.status
    assert 'NaCl: no Li among its elements moves by itself' in node.exit_message
    assert [row['key'] for row in results['screen']['ranking']['rows']] == ['NaCl']


def test_without_candidates_there_is_a_ranking_all_the_same(builder_of, structures):
    builder = builder_of({'LiCl': structures['LiCl']})
    builder.select = Str('xi > 2')
    results, node = run_get_node(builder)
    assert node.is_finished_ok
    assert 'ranking' in results['screen']
    assert 'candidates' not in results


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'select': 'xi >'}, 'not an expression'),
        ({'select': 'sigma > 1'}, 'sigma'),
        ({'max_concurrent_candidates': 0}, 'greater than 0'),
    ],
)
def test_wrong_inputs_are_refused_before_anything_runs(builder_of, structures, change, words):
    builder = builder_of({'LiCl': structures['LiCl']})
    with pytest.raises(ValueError, match=words):
        for name, value in change.items():
            setattr(builder, name, to_aiida_type(value))
        run_get_node(builder)
