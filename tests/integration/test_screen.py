"""``pesfp.screen`` and the examples, as a user runs them."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiida.engine import BaseRestartWorkChain, run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import Dict, Int, QueryBuilder, StructureData, to_aiida_type
from pymatgen.core import Structure

from aiida_pesfp.assessment.models import RankingModel
from aiida_pesfp.calculations.descriptors import describe
from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.calculations.selection import reject
from aiida_pesfp.cli.results import print_ranking
from aiida_pesfp.data.assessment import RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.queries.ensembles import members_of, orderings_of, parent_of
from aiida_pesfp.queries.screening import unranked
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.workflows.scan import ScanBaseWorkChain
from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers import REPOSITORY
from tests.helpers.crystals import antifluorite, face_centred, rock_salt
from tests.helpers.graph import jobs_of
from tests.helpers.potentials import LENNARD_JONES
from tests.helpers.siesta_standin import write_launcher

COARSE = {'scan': {'parameters': {'spacing': 0.6}}}


@pytest.fixture
def builder_of(code, potential):
    """Makes a builder of ``pesfp.screen``."""

    def make(structures, properties=None, **overrides):
        builder = ScreenWorkChain.get_builder_from_protocol(
            code, structures, potential, 'fast', COARSE | {'reuse': False} | overrides
        )
        builder.properties = Dict(properties or {})
        return builder

    return make


@pytest.mark.parametrize('names', itertools.permutations('abc'))
def test_names_do_not_decide_which_of_several_is_scanned(aiida_profile, names):
    """Lengths of 100, 100.6 and 101.2 %: the outer ones are not the same; the densest of those that are is scanned."""
    salts = (StructureData(pymatgen=rock_salt('Li', 'I', 6.0 * scale)) for scale in (1, 1.006, 1.012))
    crystals = dict(zip(names, salts))
    rejected = reject(Dict({'duplicates': 'similar'}), Dict({}), Dict({}), **crystals)
    assert set(rejected.get_dict()) == {names[1]}
    known = {names[1]: {'energy_above_hull': 0.0}}
    assert set(reject(Dict({}), Dict(known), Dict({}), **crystals).get_dict()) == {names[0], names[2]}


def rejected_crystals():
    """Structures that the paper's selection or a look at the structure leaves out, with a word of the reason."""
    slab = StructureData(pymatgen=rock_salt('Li', 'Cl', 5.13))
    slab.pbc = (True, True, False)
    return {
        'NaCl': (StructureData(pymatgen=rock_salt('Na', 'Cl', 5.64)), 'no Li among its elements'),
        'LiFe': (StructureData(pymatgen=rock_salt('Li', 'Fe', 4.5)), 'transition metals (Fe)'),
        'LiH': (StructureData(pymatgen=rock_salt('Li', 'H', 4.08)), 'band gap of 0.3 eV, the limit is 0.5'),
        'LiF': (StructureData(pymatgen=rock_salt('Li', 'F', 4.03)), 'energy above hull of 0.2 eV/atom'),
        'slab': (slab, '2 of 3 lattice vectors'),
        'again': (StructureData(pymatgen=rock_salt('Li', 'Cl', 5.13)), 'the same structure as LiCl'),
    }


def test_good_ones_are_ranked_and_every_other_has_its_reason(builder_of, structures):
    rejected = rejected_crystals()
    overlap = Structure(face_centred(5.13), ['Li', 'Cl', 'Li'], [[0, 0, 0], [0.5] * 3, [0.01, 0, 0]])
    candidates = structures | {key: node for key, (node, _) in rejected.items()}
    candidates['overlap'] = StructureData(pymatgen=overlap)
    split = Structure(
        face_centred(5.13), ['Li', 'Cl', 'Na', 'Na'], [[0] * 3, [0.5] * 3, [0.25] * 3, [0.27, 0.25, 0.25]]
    )
    split.replace_species({'Na': {'Na': 0.75}})
    candidates['split'] = StructureData(pymatgen=split)
    properties = {
        'LiH': {'band_gap': 0.3},
        'LiF': {'band_gap': 8.7, 'energy_above_hull': 0.2},
        'LiCl': {'band_gap': 6.2, 'energy_above_hull': 0.0},
    }
    builder = builder_of(candidates, properties, max_structures_per_job=2, max_concurrent_jobs=2)
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message

    rows = results['ranking']['rows']
    assert {row['key'] for row in rows} == set(structures) == set(results['pes']) == set(results['descriptors'])
    assert [row['xi'] for row in rows] == sorted((row['xi'] for row in rows), reverse=True)
    for row in rows:
        assert row['descriptors'] == results['descriptors'][row['key']].uuid
        assert row['structure'] == structures[row['key']].uuid

    reasons = results['rejected'].get_dict()
    assert set(reasons) == {*rejected, 'overlap', 'split'}
    for key, (structure, words) in rejected.items():
        assert reasons[key]['stage'] == 'filter'
        assert words in reasons[key]['reason']
        assert reasons[key]['uuid'] == structure.uuid
    assert reasons['overlap']['stage'] == 'scan'
    assert reasons['overlap']['error_type'] == 'OverlappingAtoms'
    assert reasons['split']['error_type'] == 'CannotOrder'
    assert 'Na:0.75 and Na:0.75' in reasons['split']['reason']
    # The provenance of the ranking leads to all descriptors.
    ranking = QueryBuilder().append(DescriptorsData, tag='descriptors', project='attributes.formula')
    ranking.append(Dict, filters={'uuid': results['ranking'].uuid}, with_ancestors='descriptors')
    assert set(ranking.all(flat=True)) == {'LiCl', 'Li2Te', 'LiI'}


def test_a_disordered_structure_is_ranked_by_the_mean_of_its_orderings(builder_of, structures, aiida_pesfp):
    mixed = antifluorite('Li', 'Te', 6.4)
    mixed.replace_species({'Te': {'Te': 0.5, 'Se': 0.5}})
    mixed = StructureData(pymatgen=mixed, label='mixed').store()
    builder = builder_of({'LiCl': structures['LiCl'], 'mixed': mixed}, ordering={'number': 2, 'most_atoms': 18})
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert {row['key'] for row in results['ranking']['rows']} == {'LiCl', 'mixed'}
    assert set(results['pes']) == {'LiCl', 'mixed_0', 'mixed_1'}
    ensemble = results['descriptors']['mixed']
    members = {key: results['descriptors'][key] for key in ('mixed_0', 'mixed_1')}
    assert members_of([ensemble]) == {ensemble.pk: members}
    assert ensemble.mpe == pytest.approx(sum(one.mpe for one in members.values()) / 2)
    assert ensemble.xi_low <= ensemble.xi <= ensemble.xi_high
    made = {one.get('structure_uuid') for one in members.values()}
    assert {one.uuid for one in orderings_of(mixed)} == made
    for one in orderings_of(mixed):
        assert one.get_pymatgen_structure().is_ordered
        assert one.get_pymatgen_structure().composition.reduced_formula == 'Li4TeSe'
        assert parent_of(one).uuid == mixed.uuid
    assert unranked(node) == []
    assert 'structures done   3 of 3' in aiida_pesfp('status', node.pk)
    table = aiida_pesfp('rank', node.pk)
    assert 'Orderings' in table
    assert 'mixed, ordering 0' not in table
    assert 'mixed, ordering 0' in aiida_pesfp('show', ensemble.pk)
    # The same seed gives the same orderings, so their scans come from the cache.
    with enable_caching(identifier='aiida.calculations:pesfp.scan'):
        _, again = run_get_node(builder)
    assert all(job.base.caching.is_created_from_cache for job in jobs_of(again))


def test_orderings_are_added_until_there_are_enough(builder_of, structures, aiida_pesfp):
    """Two at a time, up to three; the second round scans the new one only."""
    mixed = antifluorite('Li', 'Te', 6.4)
    mixed.replace_species({'Te': {'Te': 0.5, 'Se': 0.5}})
    mixed = StructureData(pymatgen=mixed, label='mixed again').store()
    ordering = {'auto': True, 'number': 2, 'most_orderings': 3, 'largest_error': 1e-6, 'most_atoms': 18}
    scan = {'parameters': {'spacing': 1.0}}
    results, node = run_get_node(builder_of({'LiCl': structures['LiCl'], 'a': mixed}, scan=scan, ordering=ordering))
    assert node.is_finished_ok, node.exit_message
    assert set(results['pes']) == {'LiCl', 'a_0', 'a_1', 'a_2'}
    assert [set(one.inputs.structures) for one in node.called if one.process_label == 'ScanBaseWorkChain'] == [
        {'LiCl', 'a_0', 'a_1'},
        {'a_2'},
    ]
    ensemble = results['descriptors']['a']
    assert ensemble.orderings == 3
    assert any('allow more orderings' in doubt for doubt in ensemble['doubts'])
    assert len({one.base.caching.get_hash() for one in orderings_of(mixed)}) == 3
    assert 'structures done   4 of 4' in aiida_pesfp('status', node.pk)
    enough = builder_of({'a': mixed}, scan=scan, ordering=ordering | {'largest_error': 5.0})
    assert run_get_node(enough)[0]['descriptors']['a'].orderings == 2


def test_orderings_with_the_potential_are_made_by_jobs(code, order_code, potential, structures, aiida_pesfp):
    """Swaps, and relaxed ions. A structure that cannot be ordered costs only itself."""
    mixed = antifluorite('Li', 'Te', 6.4)
    mixed.replace_species({'Te': {'Te': 0.5, 'Se': 0.5}})
    mixed = StructureData(pymatgen=mixed, label='mixed').store()
    charged = rock_salt('Li', 'Cl', 5.13)
    charged.replace_species({'Cl': {'Cl': 0.9, 'S': 0.1}})
    given = {'LiCl': structures['LiCl'], 'mixed': mixed, 'charged': StructureData(pymatgen=charged, label='charged')}
    ordering = {'number': 2, 'choice': 'monte_carlo', 'sweeps': 1, 'relax': 'mobile', 'most_atoms': 12}
    overrides = {'scan': {'parameters': {'spacing': 1.0}}, 'ordering': ordering, 'reuse': False}
    builder = ScreenWorkChain.get_builder_from_protocol(code, given, potential, 'fast', overrides)
    own = builder.pop('order')
    assert own.code.uuid == order_code.uuid
    with pytest.raises(ValueError, match='give it as order.code'):
        run_get_node(builder)
    builder.order = own
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert {row['key'] for row in results['ranking']['rows']} == {'LiCl', 'mixed'}
    assert results['rejected']['charged']['error_type'] == 'CannotOrder'
    assert 'no number of Li balances' in results['rejected']['charged']['reason']
    made = orderings_of(mixed)
    assert 1 <= len(made) <= 2
    [job] = {one.creator.uuid: one.creator for one in made}.values()
    assert job.process_label == 'OrderCalculation'
    assert job.inputs.potential.uuid == potential.uuid
    assert job.inputs.structure.uuid == mixed.uuid
    assert job.inputs.parameters['seed'] == 0
    assert [one.label for one in made] == [f'mixed, ordering {number}' for number in range(len(made))]
    about = job.outputs.about.get_dict()
    assert sum(one['weight'] for one in about.values()) == pytest.approx(1)
    assert all(isinstance(one['energy'], float) for one in about.values())
    assert results['descriptors']['mixed']['weights'] == pytest.approx(
        {f'mixed_{number}': about[f'ordering_{number}']['weight'] for number in range(len(made))}
    )
    assert f'structures done   {1 + len(made)} of' in aiida_pesfp('status', node.pk)
    assert 'no number of Li balances' in aiida_pesfp('show', 'charged', fails=True)


def other_potentials(potential_of, number):
    """Lennard-Jones potentials of other depths."""
    return [potential_of(**LENNARD_JONES | {'epsilon': 0.3 - 0.1 * one}) for one in range(1, number + 1)]


def test_several_potentials_rank_together(builder_of, structures, potential_of, capsys, aiida_pesfp, tmp_path):
    builder = builder_of(structures)
    builder.further_potentials = dict(zip(('first', 'names'), other_potentials(potential_of, 2)))
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    ranking = results['ranking'].get_dict()
    further = [one for one in node.called if one.process_label == 'ScreenWorkChain']
    assert {one.inputs.scan.potential.sha256 for one in further} == {
        one.sha256 for one in builder.further_potentials.values()
    }
    assert len(set(ranking['potentials'])) == 3
    for row in ranking['rows']:
        places = [row[f'{name}:place'] for name in ranking['potentials']]
        assert row['mean_place'] == pytest.approx(sum(places) / 3)
        assert row['xi'] == row[f'{ranking["potentials"][0]}:xi']
    for name, one in zip(ranking['potentials'][1:], further):
        theirs = {row['key']: row for row in one.outputs.ranking['rows']}
        own = next(key for key in ranking['potentials'] if key.endswith(one.inputs.scan.potential.sha256[:8]))
        assert all(row[f'{own}:xi'] == theirs[row['key']]['xi'] for row in ranking['rows']), name
    assert [row['mean_place'] for row in ranking['rows']] == sorted(row['mean_place'] for row in ranking['rows'])
    print_ranking(node)
    printed = capsys.readouterr().out
    assert sum('LiCl' in line for line in printed.splitlines()) == 1
    assert 'By the mean of the places by' in printed
    assert 'By the mean of the places by' in aiida_pesfp('rank', node.pk)
    status = aiida_pesfp('status', node.pk)
    assert status.count(f'structures done   {len(structures)} of {len(structures)}') == 3
    aiida_pesfp('report', node.pk, '-o', tmp_path / 'report.html')
    assert 'missing' not in aiida_pesfp('rank', node.pk)


def test_only_what_is_left_open_is_confirmed(builder_of, structures, potential_of):
    builder = builder_of(structures, confirm=True)
    origin = {'species': 'Li', 'potential_sha256': builder.scan.potential.sha256}
    builder.model = RankingModelData.from_model(RankingModel.from_xi(XiParameters()), **origin)
    builder.further_potentials = {'b': other_potentials(potential_of, 1)[0]}
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    (further,) = (one for one in node.called if one.process_label == 'ScreenWorkChain')
    rows = results['ranking']['rows']
    left = {row['key'] for row in rows if row['xi'] > 0.25}
    assert set(further.inputs.structures) == left
    assert 0 < len(left) < len(structures)
    assert {row['key'] for row in rows if row['mean_place']} == left == {row['key'] for row in rows[: len(left)]}


def test_without_cuts_of_the_potential_nothing_is_left_to_confirm(builder_of, structures, potential_of):
    builder = builder_of(structures, confirm=True)
    builder.further_potentials = {'b': other_potentials(potential_of, 1)[0]}
    with pytest.raises(ValueError, match='no cuts of Xi are known for calculator'):
        run_get_node(builder)


def test_a_further_potential_that_fails_costs_no_other_its_ranking(
    builder_of, structures, potential_of, with_test_calculators
):
    builder = builder_of(structures)
    builder.further_potentials = {'b': potential_of('tests.helpers.calculators.NotANumberAbove', atoms=0)}
    results, node = run_get_node(builder)
    assert node.exit_status == ScreenWorkChain.exit_codes.ERROR_FURTHER_POTENTIAL_FAILED.status
    assert {row['key'] for row in results['ranking']['rows']} == set(structures)


def test_structures_that_a_further_potential_lost_come_last(
    builder_of, structures, potential_of, with_test_calculators, aiida_pesfp
):
    builder = builder_of(structures)
    builder.further_potentials = {'b': potential_of('tests.helpers.calculators.NotANumberAbove', atoms=2)}
    results, node = run_get_node(builder)
    rows = results['ranking']['rows']
    lost = {row['key'] for row in rows if row['mean_place'] is None}
    assert 0 < len(lost) < len(structures)
    assert {row['key'] for row in rows[-len(lost) :]} == lost
    assert 'not ranked by' in aiida_pesfp('rank', node.pk)


@pytest.mark.parametrize(
    ('same', 'confirm', 'words'),
    [(True, False, 'two of the potentials are the same'), (False, True, 'no further potential')],
)
def test_potentials_that_confirm_nothing_are_refused(builder_of, structures, potential_of, same, confirm, words):
    builder = builder_of(structures, confirm=confirm)
    if same:
        builder.further_potentials = {'b': potential_of(**LENNARD_JONES)}
    with pytest.raises(ValueError, match=words):
        run_get_node(builder)


def test_a_missing_property_means_what_the_user_says(builder_of, structures):
    criteria = {'missing_properties': 'reject'}
    results, node = run_get_node(builder_of(structures, {'LiI': {'band_gap': 5.0}}, criteria=criteria))
    assert node.exit_status == ScreenWorkChain.exit_codes.ERROR_ALL_REJECTED.status
    assert results['rejected']['LiCl']['reason'] == 'its band gap is not known'
    assert results['rejected']['LiI']['reason'] == 'its energy above hull is not known'
    criteria |= {'minimum_band_gap': None, 'maximum_energy_above_hull': None}
    results, node = run_get_node(builder_of({'LiCl': structures['LiCl']}, criteria=criteria))
    assert node.is_finished_ok


def test_hosts_without_the_ion_are_screened_if_one_is_added(code, structures, potential):
    hosts = {'LiCl': structures['LiCl'], 'NaCl': StructureData(pymatgen=rock_salt('Na', 'Cl', 5.64)).store()}
    for others, keys in (('interstitial', {'LiCl', 'NaCl'}), ('removed', {'LiCl'})):
        overrides = {'scan': {'parameters': {'spacing': 0.9, 'others': others}}}
        builder = ScreenWorkChain.get_builder_from_protocol(code, hosts, potential, 'fast', overrides)
        results, node = run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        assert {row['key'] for row in results['ranking']['rows']} == keys
        for key in hosts.keys() - keys:
            assert 'no Li among its elements' in results['rejected'][key]['reason']


def test_a_job_that_fails_costs_no_other_its_results(code, structures, potential_of, monkeypatch):
    """One structure per job; the program dies at every attempt at the largest."""
    monkeypatch.setenv('PYTHONPATH', str(REPOSITORY))
    potential = potential_of('tests.helpers.calculators.KilledAbove', atoms=2, sigma=2.1)
    overrides = {'scan': {'parameters': {'spacing': 0.6, 'symmetry': False}}, 'max_structures_per_job': 1}
    overrides['reuse'] = False
    chosen = {key: structures[key] for key in ('LiCl', 'LiI')}
    builder = ScreenWorkChain.get_builder_from_protocol(code, chosen, potential, 'fast', overrides)
    builder.max_iterations = Int(2)
    results, node = run_get_node(builder)
    assert [row['key'] for row in results['ranking']['rows']] == ['LiCl']
    assert results['rejected']['LiI']['error_type'] == 'JobLost'
    assert 'for an unknown reason' in results['rejected']['LiI']['reason']
    assert node.exit_status == ScreenWorkChain.exit_codes.ERROR_STRUCTURES_LOST.status
    assert node.exit_message.startswith('1 of 2 structures are missing in the ranking')


@pytest.fixture
def locked_at():
    """Lets the database be locked when links of a type are made, from a given one on and so often."""
    from aiida.manage import get_manager
    from sqlalchemy import event
    from sqlalchemy.exc import OperationalError

    engine, listeners = get_manager().get_profile_storage().get_session().get_bind(), []

    def lock(link_type, begin, times):
        count = itertools.count()

        def refuse(_connection, _cursor, statement, parameters, *_):
            is_meant = 'INSERT INTO db_dblink' in statement and link_type in str(parameters)
            if is_meant and begin <= next(count) < begin + times:
                raise OperationalError(statement, parameters, Exception('database is locked'))

        event.listen(engine, 'before_cursor_execute', refuse)
        listeners.append(refuse)

    yield lock
    for listener in listeners:
        event.remove(engine, 'before_cursor_execute', listener)


def assert_each_was_scanned_once(results, node, structures):
    """The workchain around the job was lost, and the job was not: what it has finished is not scanned again."""
    assert [scan.is_excepted for scan in node.called if 'Scan' in scan.process_label] == [True]
    assert len(jobs_of(node)) == 1
    assert node.is_finished_ok, node.exit_message
    assert {row['key'] for row in results['ranking']['rows']} == set(structures) == set(results['pes'])
    assert sum(one.process_label == 'take_scan' for one in node.called_descendants) == len(structures)
    for key, descriptors in results['descriptors'].items():
        assert descriptors.get('structure_uuid') == structures[key].uuid


def test_scans_that_have_finished_are_recovered_from_a_lost_workchain(builder_of, structures, locked_at):
    """The workchain around the job cannot pass on its first result."""
    locked_at('return', 0, 1)
    assert_each_was_scanned_once(*run_get_node(builder_of(structures, max_structures_per_job=3)), structures)


@pytest.mark.parametrize(
    ('workchain', 'step', 'before'),
    [
        (BaseRestartWorkChain, 'run_process', False),
        (ScanBaseWorkChain, '_take', True),
        (ScanBaseWorkChain, '_take', False),
    ],
    ids=['the job runs', 'the job has ended', 'its results are taken'],
)
def test_scans_are_recovered_whenever_their_workchain_is_lost(
    builder_of, structures, monkeypatch, workchain, step, before
):
    original = getattr(workchain, step)

    def lost(*arguments):
        if not before:
            original(*arguments)
        raise RuntimeError('the machine is lost')

    monkeypatch.setattr(workchain, step, lost)
    assert_each_was_scanned_once(*run_get_node(builder_of(structures, max_structures_per_job=3)), structures)


def test_the_cells_that_were_scanned_are_recovered_too(builder_of, structures, locked_at):
    crystal = structures['LiCl'].get_pymatgen_structure()
    crystal.make_supercell([1, 1, 2])
    locked_at('return', 0, 1)
    results, node = run_get_node(builder_of({'twice': StructureData(pymatgen=crystal)}))
    assert node.is_finished_ok, node.exit_message
    assert len(results['scanned']['twice'].sites) == 2


def test_scans_that_were_lost_are_repeated(builder_of, structures, locked_at):
    """The first workchain loses its job before that has run."""
    locked_at('call_calc', 1, 1)  # the first calculation that is called is the selection
    results, node = run_get_node(builder_of(structures, max_structures_per_job=3))
    scans = [scan for scan in node.called if 'Scan' in scan.process_label]
    assert len(scans) == 2
    assert node.is_finished_ok, node.exit_message
    assert {row['key'] for row in results['ranking']['rows']} == set(structures)


def test_the_second_time_nothing_is_scanned(builder_of, structures):
    run_get_node(builder_of(structures))
    with enable_caching():
        results, node = run_get_node(builder_of(structures))
    assert node.is_finished_ok
    jobs = [called for called in node.called_descendants if called.process_class is ScanCalculation]
    assert jobs
    assert all(job.base.caching.is_created_from_cache for job in jobs)
    assert len(results['ranking']['rows']) == 3


def test_trees_are_kept_or_grids_are_dropped_later(builder_of, structures, aiida_pesfp):
    def screened(keep):
        scan = {'parameters': {'spacing': 0.7, **keep}}
        results, node = run_get_node(builder_of(structures, scan=scan, reuse=True))
        assert node.is_finished_ok, node.exit_message
        return results, node, jobs_of(node)

    kept, _, _ = screened({'keep': 'merge-tree'})
    xi = sorted(one.xi for one in kept['descriptors'].values())
    assert ('pes' in kept, set(kept['trees'])) == (False, set(structures))
    mixed, node, jobs = screened({'keep': 'descriptors', 'full_above': (xi[-2] + xi[-1]) / 2})
    assert len(jobs) > 0  # trees are less than a grid
    assert ('trees' in mixed, len(mixed['pes'])) == (False, 1)
    assert set(mixed['descriptors']) == set(structures)
    full, node, jobs = screened({})
    assert len(jobs) > 0
    assert set(full['pes']) == set(structures)
    settings = {'thresholds': [0.3, 1.2], 'xi': {'threshold': 0.4}}
    for key, tree in kept['trees'].items():
        values = full['descriptors'][key].get_dict()
        assert kept['descriptors'][key].get_dict() == mixed['descriptors'][key].get_dict() == values
        assert describe(tree, Dict(settings)).get_dict() == describe(full['pes'][key], Dict(settings)).get_dict()
        assert tree.base.attributes.get('potential_sha256') == values['potential_sha256']
    # A grid is more than a tree or descriptors, so nothing is scanned again for these.
    for keep in ('merge-tree', 'descriptors'):
        again, _, jobs = screened({'keep': keep})
        assert jobs == []
        assert set(again['descriptors']) == set(structures)

    assert '3 grids with' in aiida_pesfp('drop', 'grids', node.pk, '--force')
    assert 'LiI' in aiida_pesfp('rank', node.pk)
    again, _, jobs = screened({'keep': 'descriptors'})
    assert jobs == []
    with enable_caching():
        again, _, jobs = screened({})
    assert len(jobs) > 0
    assert not any(job.base.caching.is_created_from_cache for job in jobs)
    assert all(pes.has_grid and pes.to_surface() for pes in again['pes'].values())


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'structures': {}}, 'list of structures is empty'),
        ({'criteria': {'band_gap': 1}}, "unknown parameter 'band_gap'"),
        (
            {'criteria': {'missing_properties': 'perhaps'}},
            "'perhaps': Input should be 'keep' or 'reject'",
        ),
        ({'max_concurrent_jobs': 0}, 'greater than 0'),
    ],
)
def test_wrong_inputs_are_refused_before_anything_runs(builder_of, structures, change, words):
    builder = builder_of(structures)
    with pytest.raises(ValueError, match=words):
        for name, value in change.items():
            setattr(builder, name, value if name == 'structures' else to_aiida_type(value))
        run_get_node(builder)


def test_the_daemon_does_it_too(builder_of, structures, submit_and_await):
    node = submit_and_await(builder_of({'LiCl': structures['LiCl']}), timeout=180)
    assert node.is_finished_ok, node.exit_message
    assert [row['key'] for row in node.outputs.ranking['rows']] == ['LiCl']


class TestExamples:
    """``verdi`` as in the README, in a fresh profile of its own, with real SevenNet-0 weights."""

    @pytest.fixture(scope='class')
    def verdi(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp('examples')
        environment = os.environ | {'AIIDA_PATH': str(folder), 'PYTHONWARNINGS': 'ignore'}
        programs = Path(sys.executable).parent

        def run(*arguments, program='verdi'):
            command = [str(programs / program), *map(str, arguments)]
            process = subprocess.run(
                command, capture_output=True, text=True, env=environment, cwd=REPOSITORY, timeout=400, check=False
            )
            assert process.returncode == 0, process.stdout + process.stderr
            return process.stdout

        run('presto', '--use-zeromq', '--non-interactive', '--profile-name', 'first')
        run('setup', '--siesta', write_launcher(folder / 'siesta'), program='aiida-pesfp')
        run.folder = folder
        structures = folder / 'structures'
        structures.mkdir()
        for name in ('LiF', 'Li2O'):
            (structures / f'{name}.cif').write_text((REPOSITORY / f'examples/structures/{name}.cif').read_text())
        run.structures = structures
        return run

    def test_screen_then_query_then_archive(self, verdi):
        (verdi.structures / 'broken.cif').write_text('nonsense')
        printed = verdi('run', 'examples/screen.py', '--folder', verdi.structures)
        assert 'broken.cif' in printed
        assert 'Traceback' not in printed
        table = [line.split() for line in printed.splitlines() if line.strip().startswith(('1 ', '2 '))]
        assert [row[1] for row in table] == ['LiF', 'Li2O']
        answers = verdi('run', 'examples/query.py')
        assert 'none yet' in answers  # neither has a Xi above 0.25

        script = verdi.folder / 'ask.py'
        script.write_text(
            'import sys; sys.path.insert(0, "examples")\n'
            'from query import of_composition, origin, best_structures\n'
            'rows = best_structures(-1)\n'
            'print([(row[1], round(row[2], 4)) for row in rows])\n'
            'print([origin(row[0])[0] for row in rows], [origin(row[0])[3] for row in rows])\n'
            'print(len(of_composition("Li2O")))\n'
        )
        found = verdi('run', script)
        assert [row[0] for row in eval(found.splitlines()[0])] == ['LiF', 'Li2O']
        assert all(f'{row[1]:.4f}' in printed for row in eval(found.splitlines()[0]))
        assert found.splitlines()[1:] == ["['sevennet-0', 'sevennet-0'] ['LiF', 'Li2O']", '1']

        archive = verdi.folder / 'screening.aiida'
        verdi('archive', 'create', '--all', archive)
        verdi('presto', '--use-zeromq', '--non-interactive', '--profile-name', 'second')
        verdi('-p', 'second', 'archive', 'import', archive)
        assert verdi('-p', 'second', 'run', script) == found

    def test_dropped_grids_free_their_room(self, verdi):
        """In the profile of the screening, with the maintenance of AiiDA, and in an archive."""

        def size():
            verdi('-p', 'first', 'storage', 'maintain', '--full', '--force')
            packed = verdi.folder.glob('**/container/*/**/*')  # of all profiles, without the indices
            return sum(file.stat().st_size for file in packed if file.is_file())

        # Of so few points, a tree takes more room than the grid.
        before, command = size(), ('drop', 'grids', 'Li2O', '--force', '--without-trees')
        assert '1 grids with' in verdi('-p', 'first', *command, program='aiida-pesfp')
        assert size() < before
        archive = verdi.folder / 'dropped.aiida'
        verdi('-p', 'first', 'archive', 'create', '--all', archive)
        verdi('presto', '--use-zeromq', '--non-interactive', '--profile-name', 'third')
        verdi('-p', 'third', 'archive', 'import', archive)
        printed = verdi('-p', 'third', 'drop', 'grids', 'Li2O', '--force', program='aiida-pesfp')
        assert '1 grids were dropped before' in printed
        assert 'Li2O' in verdi('-p', 'third', 'show', 'Li2O', program='aiida-pesfp')

    def test_setup_can_be_repeated(self, verdi):
        printed = verdi('-p', 'first', 'setup', '--siesta', verdi.folder / 'siesta', program='aiida-pesfp')
        for words in ('computer localhost exists', 'code pesfp-scan@localhost exists', 'potential sevennet-0',
                      'code siesta@localhost exists', 'it runs: SIESTA 4.1.5, without MPI'):  # fmt: skip
            assert words in printed
        assert 'made' not in printed
        assert 'sevennet-0' in verdi('-p', 'first', 'potential', 'list', program='aiida-pesfp')
        assert 'sha256' in verdi('-p', 'first', 'potential', 'show', 'sevennet-0', program='aiida-pesfp')
