"""``aiida-pesfp drop grids``: what goes, what stays, and what is said of it."""

import datetime
import functools
import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
from aiida.manage import get_manager
from aiida.manage.caching import enable_caching
from aiida.manage.configuration import load_profile
from aiida.orm import Dict, Group, WorkChainNode, load_group, load_node
from aiida.storage.sqlite_temp import SqliteTempBackend
from aiida.tools.archive import create_archive, import_archive

from aiida_pesfp.calculations.descriptors import describe
from aiida_pesfp.calculations.program import as_json
from aiida_pesfp.calculations.scan import add_result, results_of, take_scan
from aiida_pesfp.cli.data import pes_show
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import GridDropped
from aiida_pesfp.fingerprint.descriptors import describe as describe_surface
from aiida_pesfp.fingerprint.merge_tree import MergeTree
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.queries.descriptors import surfaces_among, trees_of
from aiida_pesfp.report.collect import collect
from aiida_pesfp.settings.scan import FingerprintSettings
from tests.helpers import graph
from tests.helpers.potentials import LENNARD_JONES, PairPotential, write_calculator

SETTINGS = FingerprintSettings.from_dict({'spacing': 0.9})
_TIMES = itertools.count()
OTHER = {'thresholds': [0.3, 1.1], 'smearing': [-0.1, 0.0], 'xi': {'threshold': 0.7}}


@functools.cache
def surface_of(content):
    """The surface of a structure, once for all tests."""
    crystal = next(one for one in graph.structures().values() if as_json(one) == content).get_pymatgen_structure()
    return scan(crystal, PairPotential(crystal), 'Li', SETTINGS.scan)


class Scanned:
    """What a scan of three structures has left, as ``pesfp.scan.base`` leaves it but for the job.

    Each has energies of its own, so that what is freed is not kept by another test.
    """

    def __init__(self, potential):
        run = {name: SETTINGS.as_dict()[name] for name in ('species', 'cell', 'cell_size')}
        run |= {'scan_settings': SETTINGS.scan.as_dict(), 'descriptor_settings': SETTINGS.descriptors.as_dict()}
        self.results, self.structures = results_of(potential, run), graph.structures()
        factor = 1 + next(_TIMES) / 1000
        for key, structure in self.structures.items():
            surface = surface_of(as_json(structure))
            surface = replace(surface, energies=surface.energies * factor)
            found = describe_surface(surface, SETTINGS.descriptors).as_dict()
            add_result(self.results, key, as_json(structure), surface, found)
        self.results.store()
        self.taken = {key: take_scan(structure, self.results) for key, structure in self.structures.items()}
        self.group = Group(f'scanned-{self.results.pk}').store()
        self.group.add_nodes(list(self.structures.values()))

    def pes(self, key):
        """The surface, as the database has it now."""
        return load_node(self.taken[key]['pes'].pk)


@pytest.fixture
def scanned(tmp_path):
    return Scanned(PotentialData.from_spec(str(write_calculator(tmp_path / 'lj.yaml', **LENNARD_JONES))).store())


def links_of(node):
    links = node.base.links
    return [(one.node.uuid, one.link_label) for one in [*links.get_incoming().all(), *links.get_outgoing().all()]]


def maintained():
    """Keys of the objects in the repository, after its maintenance."""
    storage = get_manager().get_profile_storage()
    storage.maintain(full=False)
    return set(storage.get_repository().list_objects())


def test_only_the_energies_go(scanned, aiida_pesfp, tmp_path):
    pes, descriptors = scanned.pes('LiI'), scanned.taken['LiI']['descriptors']
    content = pes.base.repository.get_object_content(PesData.GRID, 'rb')
    attributes, links, cell = pes.base.attributes.all, links_of(pes), pes.get_array('lattice')
    expected = describe(pes, Dict(OTHER))
    aiida_pesfp('export', 'pes', pes.pk, '-o', tmp_path / 'before.cube')

    printed = aiida_pesfp('drop', 'grids', scanned.group.label, '--force')
    assert '3 grids with' in printed
    assert '3 merge trees, 3 of which are made first' in printed
    assert 'verdi storage maintain --full' in printed
    assert hashlib.sha256(content).hexdigest() not in maintained()

    pes = scanned.pes('LiI')
    assert pes.base.attributes.all == attributes
    assert set(links_of(pes)) > set(links)
    assert (pes.get_array('lattice') == cell).all()
    told, tree = pes.base.extras.get(PesData.DROPPED), trees_of([pes.pk])[pes.pk]
    assert told['time'][:10] == datetime.datetime.now(datetime.UTC).date().isoformat()
    assert (told['bytes'], told['sha256']) == (len(content), hashlib.sha256(content).hexdigest())
    assert told['tree'] == tree.uuid
    assert tree.creator.inputs.surface.uuid == pes.uuid
    # Other descriptors follow from the tree, to the last digit.
    found = describe(tree, Dict(OTHER))
    assert found.get_dict() == expected.get_dict()
    assert f'{descriptors.xi:.4f}' in aiida_pesfp('show', descriptors.pk)
    assert f'{found.xi:.4f}' in aiida_pesfp('show', tree.pk)
    assert 'LiI' in aiida_pesfp('rank', scanned.group.label)
    report = collect(scanned.group)
    assert {one.label for one in report.entries} == {'LiI', 'LiCl', 'Li2Te'}
    assert [one.surface for one in report.entries] == [None] * len(report.entries)
    assert all(one.potential is not None for one in report.entries)
    assert any('No grid is stored for' in note and 'no 3D view and no profile' in note for note in report.notes)
    aiida_pesfp('report', scanned.group.label, '-o', tmp_path / 'report.html')
    assert 'number_of_scanned_ions' in aiida_pesfp(pes.pk, command=pes_show)


def test_reading_a_dropped_grid_says_when_it_went_and_what_to_do(scanned, aiida_pesfp, tmp_path):
    aiida_pesfp('drop', 'grids', scanned.taken['LiI']['pes'].pk, '--force')
    pes = scanned.pes('LiI')
    words = (f'LiI<{pes.pk}>', datetime.datetime.now(datetime.UTC).date().isoformat())
    for read in (pes.to_surface, lambda: pes.get_array('energies'), lambda: describe(pes, Dict()), pes.drop_grid):
        with pytest.raises(GridDropped) as raised:
            read()
        assert all(
            word in str(raised.value) for word in (*words, trees_of([pes.pk])[pes.pk].uuid, 'scan the structure')
        )
    printed = aiida_pesfp('export', 'pes', pes.pk, '-o', tmp_path / 'after.cube', fails=True)
    assert all(word in printed for word in words)
    assert not (tmp_path / 'after.cube').exists()
    assert scanned.pes('LiCl').to_surface().stopped_early is False


def test_nothing_is_dropped_twice(scanned, aiida_pesfp):
    aiida_pesfp('drop', 'grids', scanned.structures['LiI'].pk, '--force')
    told = scanned.pes('LiI').base.extras.get(PesData.DROPPED)
    printed = aiida_pesfp('drop', 'grids', scanned.group.label, '--force')
    assert '1 grids were dropped before' in printed
    assert '2 grids with' in printed
    printed = aiida_pesfp('drop', 'grids', scanned.group.label, '--force')
    assert '3 grids were dropped before' in printed
    assert 'there are no grids to drop' in printed
    assert scanned.pes('LiI').base.extras.get(PesData.DROPPED) == told
    assert len(trees_of([scanned.pes('LiI').pk])) == 1


def test_only_what_is_asked_for_is_dropped(scanned, aiida_pesfp):
    values = {key: one['descriptors']['xi_upper'] for key, one in scanned.taken.items()}
    best = max(values, key=values.get)
    command = ('drop', 'grids', scanned.group.label, '--below', values[best])
    assert '2 grids with' in aiida_pesfp(*command, '--dry-run')
    assert all(scanned.pes(key).has_grid for key in values)
    assert not trees_of(scanned.pes(key).pk for key in values)
    aiida_pesfp(*command, fails=True)  # nobody answers
    assert all(scanned.pes(key).has_grid for key in values)
    aiida_pesfp(*command, '--force')
    assert {key for key in values if scanned.pes(key).has_grid} == {best}
    aiida_pesfp('drop', 'grids', scanned.group.label, '--force', '--without-trees')
    assert not scanned.pes(best).has_grid
    assert len(trees_of(scanned.pes(key).pk for key in values)) == 2


def test_a_grid_of_which_no_tree_can_be_made_stays(scanned, aiida_pesfp, monkeypatch):
    of = MergeTree.of.__func__

    def fail(cls, surface, *arguments):
        if 53 in surface.atomic_numbers:
            raise ValueError('not today')
        return of(cls, surface, *arguments)

    monkeypatch.setattr(MergeTree, 'of', classmethod(fail))
    printed = aiida_pesfp('drop', 'grids', scanned.group.label, '--force', fails=True)
    assert f'there is no merge tree of LiI<{scanned.pes("LiI").pk}>: ' in printed
    assert 'not today' in printed
    assert '1 grids stay' in printed
    assert [key for key in scanned.taken if scanned.pes(key).has_grid] == ['LiI']
    scanned.pes('LiI').to_surface()


def test_a_surface_with_the_same_bytes_is_not_broken(scanned, aiida_pesfp):
    copy = scanned.pes('LiI').clone().store()
    key = copy.base.repository.metadata['o'][PesData.GRID]['k']
    assert key == scanned.pes('LiI').base.repository.metadata['o'][PesData.GRID]['k']
    aiida_pesfp('drop', 'grids', scanned.pes('LiI').pk, '--force')
    assert key in maintained()
    assert np.nanmin(load_node(copy.pk).to_surface().energies) == 0
    aiida_pesfp('drop', 'grids', copy.pk, '--force')
    assert key not in maintained()


def test_results_without_a_grid_give_descriptors_only(scanned, aiida_pesfp):
    aiida_pesfp('drop', 'grids', scanned.structures['LiI'].pk, '--force')
    results = load_node(scanned.results.pk)
    assert PesData.GRID not in results.base.repository.list_object_names('LiI')
    assert PesData.GRID in results.base.repository.list_object_names('LiCl')
    again = take_scan(scanned.structures['LiI'], results)
    assert set(again) == {'descriptors'}
    assert again['descriptors'].get_dict() == scanned.taken['LiI']['descriptors'].get_dict()


def test_a_surface_computed_again_is_no_copy_of_a_dropped_one(scanned, aiida_pesfp):
    surface = scanned.pes('LiI').to_surface()
    aiida_pesfp('drop', 'grids', scanned.pes('LiI').pk, '--force')
    with enable_caching():
        pes = scanned.pes('LiI')
        names = ('shape', 'number_of_mobile_ions', 'number_of_scanned_ions', 'evaluations', 'stopped_early')
        attributes = pes.base.attributes.all.items()
        own = {name: one for name, one in attributes if name not in names and not name.startswith('array|')}
        again = PesData.from_surface(surface, **own).store()
    assert again.base.attributes.all == pes.base.attributes.all
    again.to_surface()


def test_an_archive_without_grids_is_whole(scanned, aiida_pesfp, aiida_profile, tmp_path):
    aiida_pesfp('drop', 'grids', scanned.group.label, '--force')
    maintained()
    uuids, label = {key: one['pes'].uuid for key, one in scanned.taken.items()}, scanned.group.label
    xi = scanned.taken['LiI']['descriptors'].xi
    create_archive([scanned.group], filename=tmp_path / 'salts.aiida', input_calc_forward=True, create_backward=True)
    load_profile(SqliteTempBackend.create_profile('elsewhere'), allow_switch=True)
    try:
        import_archive(tmp_path / 'salts.aiida')
        pes = load_node(uuids['LiI'])
        with pytest.raises(
            GridDropped, match=r'was dropped on \d{4}-\d\d-\d\d: descriptors follow from its merge tree'
        ):
            pes.to_surface()
        tree = trees_of([pes.pk])[pes.pk]
        assert describe_surface(tree.to_tree(), SETTINGS.descriptors).xi == pytest.approx(xi, rel=1e-12)
        assert not any(one.has_grid for one in surfaces_among(load_group(label).nodes))
    finally:
        load_profile(aiida_profile, allow_switch=True)


def test_what_still_runs_is_left_alone(aiida_pesfp):
    process = WorkChainNode().store()
    process.set_process_state('running')
    assert 'has not finished' in aiida_pesfp('drop', 'grids', process.pk, '--force', fails=True)
