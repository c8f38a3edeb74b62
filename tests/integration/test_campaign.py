"""``pesfp.campaign``: every structure of a group has exactly one result or a reason, however often it is begun."""

import json
import time
from collections import Counter

import pytest
from aiida.engine import run_get_node
from aiida.orm import Group, StructureData

from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.queries.campaigns import compositions_of, progress_of, shards_of
from aiida_pesfp.workflows.campaign import CampaignWorkChain
from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers.crystals import rock_salt
from tests.helpers.graph import jobs_of
from tests.helpers.load import Profile, crystals, import_crystals
from tests.helpers.potentials import LENNARD_JONES

SCREEN = {'scan': {'parameters': {'spacing': 0.9}}, 'criteria': {'allow_transition_metals': True}}
SCREEN |= {'max_structures_per_job': 4, 'max_concurrent_jobs': 2}


@pytest.fixture
def group_of():
    """Makes a group of crystals."""

    def make(named):
        group = Group(label=f'group {time.monotonic_ns()}').store()
        group.add_nodes([StructureData(pymatgen=crystal, label=name).store() for name, crystal in named])
        return group

    return make


@pytest.fixture
def campaign(code, potential):
    """Runs a campaign of a group in shards of four; the node."""

    def run(group, potential=potential, most=4, **screen):
        overrides = {'screen': SCREEN | screen, 'max_structures_per_shard': most}
        builder = CampaignWorkChain.get_builder_from_protocol(code, group, potential, 'fast', overrides)
        return run_get_node(builder)[1]

    return run


def own_scans(node):
    """The scan jobs of a process, and how many structures they have scanned."""
    jobs = [job for job in jobs_of(node) if job.process_class is ScanCalculation]
    return len(jobs), sum(job.outputs.output_parameters['structures_done'] for job in jobs)


def test_a_group_is_screened_in_shards_and_given_more(campaign, group_of, aiida_pesfp):
    named = list(crystals(9))
    group = group_of(named[:7])
    first = campaign(group)
    assert first.is_finished_ok, first.exit_message
    assert own_scans(first)[1] == 7
    shards = shards_of([first.pk])
    assert sorted(len(shard.inputs.structures) for shard in shards) == [3, 4]
    assert len(first.outputs.ranking['rows']) == 7
    # One screening of all gives the same.
    whole = campaign(group, most=100, reuse=False)
    rows = [{name: one[name] for name in one if name != 'descriptors'} for one in whole.outputs.ranking['rows']]
    assert rows == [{name: one[name] for name in one if name != 'descriptors'} for one in first.outputs.ranking['rows']]
    # More structures, one of them the same as another one of an earlier shard.
    again = named[0][1].copy()
    again.scale_lattice(again.volume * 1.001)
    group.add_nodes([StructureData(pymatgen=one, label=name).store() for name, one in (*named[7:], ('again', again))])
    second = campaign(group)
    assert second.is_finished_ok, second.exit_message
    assert own_scans(second)[1] == 2
    rows = second.outputs.ranking['rows']
    assert len(rows) == len({row['structure'] for row in rows}) == 9
    assert second.outputs.rejected['again']['reason'] == f'the same structure as {named[0][0]}'
    progress = progress_of(second)
    assert (progress.total, progress.done, progress.rejected, progress.failed) == (10, 9, 1, 0)
    told = aiida_pesfp('status', second.pk)
    assert '9 of 9' in told
    assert '1 of 10 given' in told
    listed = json.loads(
        aiida_pesfp('rank', f'{group.label}/descriptors', '--format', 'json').partition('\n]')[0] + '\n]'
    )
    assert len({row['structure_uuid'] for row in listed}) == 9


def test_structures_of_one_composition_are_compared_in_whatever_shard_they_are(campaign, group_of):
    """Six salts, of which each is the same as the one two steps before: three are left, as in one screening."""
    sizes = (5.0, 5.4, 5.005, 5.405, 5.8, 5.805)
    group = group_of((f'salt-{number}', rock_salt('Li', 'Cl', size)) for number, size in enumerate(sizes))
    node = campaign(group, most=2)
    assert node.is_finished_ok, node.exit_message
    assert {row['key'] for row in node.outputs.ranking['rows']} == {'salt_0', 'salt_1', 'salt_4'}
    assert set(node.outputs.rejected.get_dict()) == {'salt_2', 'salt_3', 'salt_5'}
    # If all are to be kept, all are scanned, also those that are equal to the last digit.
    group.add_nodes([StructureData(pymatgen=rock_salt('Li', 'Cl', 5.0), label='salt-0').store()])
    kept = campaign(group, most=2, criteria={'duplicates': 'keep'})
    rows = kept.outputs.ranking['rows']
    assert len(rows) == len({row['structure'] for row in rows}) == len({row['key'] for row in rows}) == 7
    assert own_scans(kept)[1] == 3


def test_what_was_left_out_for_another_is_screened_when_that_one_is_gone(campaign, group_of):
    group = group_of((f'salt-{number}', rock_salt('Li', 'Cl', size)) for number, size in enumerate((5.1, 5.105)))
    assert [row['key'] for row in campaign(group, most=1).outputs.ranking['rows']] == ['salt_0']
    group.remove_nodes([node for node in group.nodes if node.label == 'salt-0'])
    node = campaign(group, most=1)
    assert node.is_finished_ok, node.exit_message
    assert [row['key'] for row in node.outputs.ranking['rows']] == ['salt_1']
    assert not node.outputs.rejected.get_dict()


def test_several_potentials_rank_all_shards_together(code, potential, potential_of, group_of):
    group, other = group_of(list(crystals(5))), potential_of(**LENNARD_JONES | {'sigma': 2.2})
    rows = []
    for most in (3, 100):
        overrides = {'screen': SCREEN, 'max_structures_per_shard': most}
        arguments = (code, group, potential, 'fast', overrides, None, [other])
        _, node = run_get_node(CampaignWorkChain.get_builder_from_protocol(*arguments))
        assert node.is_finished_ok, node.exit_message
        rows.append(node.outputs.ranking['rows'])
        # Shards of the same group are taken.
        nodes, group = list(group.nodes), Group(label=f'{group.label} again').store()
        group.add_nodes(nodes)
    assert len(rows[0]) == 5
    assert [row['mean_place'] for row in rows[0]] == [row['mean_place'] for row in rows[1]]
    assert [row['structure'] for row in rows[0]] == [row['structure'] for row in rows[1]]


def test_only_the_same_question_is_not_asked_again(campaign, group_of, potential_of):
    group = group_of(list(crystals(3)))
    first = campaign(group)
    for change in (
        {'scan': {'parameters': {'spacing': 0.8}}},
        {'potential': potential_of(**LENNARD_JONES | {'sigma': 2.3})},
    ):
        assert own_scans(campaign(group, **change))[1] == 3
    # Other criteria make other shards, whose scans are there.
    other = campaign(
        group, criteria={'allow_transition_metals': True, 'missing_properties': 'keep', 'minimum_band_gap': 0.1}
    )
    assert own_scans(other) == (0, 0)
    assert len(shards_of([other.pk])) == 1
    again = campaign(group)
    assert not shards_of([again.pk])
    assert again.outputs.ranking['rows'] == first.outputs.ranking['rows']


def test_a_shard_that_is_lost_is_begun_anew_and_then_given_up(campaign, group_of, monkeypatch):
    begin = ScreenWorkChain.begin_orderings

    def fail(self):
        if 'antifluorite_H_20' in self.inputs.structures:
            raise RuntimeError('no luck')
        return begin(self)

    monkeypatch.setattr(ScreenWorkChain, 'begin_orderings', fail)
    named = list(crystals(22))
    group = group_of([*named[:2], *named[20:22]])
    node = campaign(group, most=2)
    assert node.exit_status == CampaignWorkChain.exit_codes.ERROR_STRUCTURES_LOST.status
    rejected = node.outputs.rejected.get_dict()
    assert 'no luck' in rejected['antifluorite_H_20']['reason']
    assert set(rejected) == {'antifluorite_H_20'}
    ranked = {row['key'] for row in node.outputs.ranking['rows']}
    assert ranked == {'rocksalt_H_0', 'rocksalt_N_1', 'antifluorite_N_21'}
    tries = [shard for shard in shards_of([node.pk]) if 'antifluorite_H_20' in shard.inputs.structures]
    assert len(tries) == 3
    # The next campaign tries again.
    monkeypatch.setattr(ScreenWorkChain, 'begin_orderings', begin)
    assert len(campaign(group, most=2).outputs.ranking['rows']) == 4


def test_results_of_a_job_are_taken_whatever_process_has_called_it(code, potential, campaign, group_of):
    named = list(crystals(4))
    structures = {name.replace('-', '_'): StructureData(pymatgen=crystal).store() for name, crystal in named[:3]}
    alone = {'scan': {'parameters': {'spacing': 0.85}}}  # of this test
    builder = ScreenWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', SCREEN | alone)
    results, _ = run_get_node(builder)
    node = campaign(group_of(named), **alone)
    assert own_scans(node)[1] == 1
    xi = {row['structure']: row['xi'] for row in node.outputs.ranking['rows']}
    assert len(xi) == 4
    assert not xi.keys() & {structure.uuid for structure in structures.values()}
    assert not Counter(row['xi'] for row in results['ranking']['rows']) - Counter(xi.values())


def test_formulas_of_stored_structures(aiida_profile):
    mixed = rock_salt('Li', 'Cl', 5.1)
    mixed.replace_species({'Cl': {'Cl': 0.5, 'Br': 0.5}})
    nodes = [StructureData(pymatgen=one).store() for one in (rock_salt('Li', 'Cl', 5.1) * 2, mixed)]
    assert list(compositions_of(node.pk for node in nodes).values()) == ['LiCl', 'Br-Cl-Li']


@pytest.fixture
def profile(tmp_path_factory):
    """A profile with two workers of the daemon."""
    profile = Profile(tmp_path_factory.mktemp('campaign'), workers=2)
    yield profile
    profile.stop()


def launch(profile, group, *options, fails=False):
    overrides = profile.folder / 'coarse.yaml'
    overrides.write_text('scan: {parameters: {spacing: 0.7}}\n')
    options = ('--potential', 'lj', '--overrides', overrides, '--transition-metals', '--jobs', 2, *options)
    shards = ('--structures-per-shard', 6, '--structures-per-job', 3, '--submit')
    return profile.run('aiida-pesfp', 'launch', 'screen', group, *options, *shards, fails=fails)


def wait_until(condition, seconds=300):
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds
        time.sleep(1)


def test_a_campaign_is_killed_resumed_and_extended(profile):
    """By the daemon, with the commands of the docs: each structure has one result, and none was computed twice."""
    group = import_crystals(profile, 16)
    pk = int(launch(profile, group).split('CampaignWorkChain<')[1].split('>')[0])
    refused = launch(profile, group, fails=True)
    assert f'CampaignWorkChain<{pk}> screens the group' in refused
    done = "QueryBuilder().append(Node, filters={'node_type': {'like': '%descriptors%'}}).count()"
    wait_until(lambda: profile.ask(done) >= 3)
    profile.run('verdi', 'process', 'kill', '--timeout', 60, pk)
    wait_until(lambda: profile.ask(f'load_node({pk}).is_terminated'))
    assert profile.ask(done) < 16
    second = int(launch(profile, group).split('CampaignWorkChain<')[1].split('>')[0])
    more = import_crystals(profile, 20)
    profile.ask(f'load_group({group!r}).add_nodes(list(load_group({more!r}).nodes))')
    wait_until(lambda: profile.ask(f'load_node({second}).is_terminated'))
    assert profile.ask(f'load_node({second}).exit_status') == 0, profile.run('verdi', 'process', 'report', second)
    rows = profile.ask(f'load_node({second}).outputs.ranking["rows"]')
    assert len(rows) == len({row['structure'] for row in rows}) == profile.ask(f'load_group({group!r}).count()') == 20
    assert profile.ask(done) == 20
    assert '20 of 20' in profile.run('aiida-pesfp', 'status', second)
