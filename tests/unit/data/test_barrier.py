"""Barriers with a relaxed framework: the node, and where its numbers are shown."""

import csv
import io
import json

import numpy as np
import pytest
from aiida.common.exceptions import ValidationError
from aiida.orm import Dict, load_node
from ase.io import read

from aiida_pesfp.data.barrier import BarrierData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.report.collect import collect
from aiida_pesfp.report.drawings import of_entry
from aiida_pesfp.report.page import write_html
from aiida_pesfp.report.plots.plotly import draw
from aiida_pesfp.report.table import columns
from tests.helpers import graph
from tests.helpers.potentials import write_calculator

FIRST, NEWEST = {'barrier': 0.5, 'frozen_barrier': 0.7, 'flags': ['end_left']}, {'barrier': 0.3, 'frozen_barrier': 0.4}


@pytest.fixture(scope='module')
def scanned(aiida_profile, tmp_path_factory):
    """Descriptors of two structures by key; of LiI two barriers of Li and one of another ion."""
    path = write_calculator(tmp_path_factory.mktemp('potential') / 'lj.yaml', sigma=2.1)
    potential = PotentialData.from_spec(str(path)).store()
    chosen = {key: structure for key, structure in graph.structures().items() if key != 'Li2Te'}
    found = graph.scan_here(Dict({'spacing': 0.65}), potential, **chosen)['descriptors']
    for told in (FIRST, NEWEST | {'flags': []}, NEWEST | {'flags': [], 'barrier': 0.1, 'species': 'Na'}):
        graph.relax(chosen['LiI'], potential, Dict(told))
    return found


@pytest.fixture
def newest(scanned):
    """The newest barrier of Li in LiI."""
    [entry] = collect(scanned['LiI']).entries
    return load_node(entry.barriers[0].source.uuid)


def test_profiles_and_images_are_those_of_the_limiting_path(newest, tmp_path):
    assert (newest.barrier, newest.limiting) == (0.3, 1)
    profile = newest.profile()
    np.testing.assert_array_equal(profile['energies'], [0, 0.3, 0])
    np.testing.assert_array_equal(profile['frozen_lengths'], [0, 0.5, 1, 2])
    newest.export(str(tmp_path / 'path.extxyz'))
    images = read(tmp_path / 'path.extxyz', ':')
    assert [one.get_potential_energy() for one in images] == pytest.approx([0, 0.3, 0])
    assert [path.get('error') for path in newest.base.attributes.get('paths')] == ['no way', None]
    with pytest.raises(KeyError):
        newest.profile(0)


def test_an_incomplete_node_is_refused():
    with pytest.raises(ValidationError, match=r'needs picture.*from_results'):
        BarrierData().store()


def test_tables_have_the_newest_barrier_of_the_ion(aiida_pesfp, scanned):
    pks = [node.pk for node in scanned.values()]
    rows = {row['formula']: row for row in csv.DictReader(io.StringIO(aiida_pesfp('rank', *pks, '--format', 'csv')))}
    assert (rows['LiI']['relaxed_barrier'], rows['LiI']['frozen_barrier']) == ('0.3', '0.4')
    assert (rows['LiI']['barrier_method'], rows['LiI']['barrier_flags']) == ('pinned', '')
    assert rows['LiCl']['relaxed_barrier'] == ''
    found = json.loads(aiida_pesfp('rank', *pks, '--where', 'relaxed_barrier < 0.4', '--format', 'json'))
    assert [row['formula'] for row in found] == ['LiI']
    lines = aiida_pesfp('rank', scanned['LiI'].pk).splitlines()
    head = next(line for line in lines if 'Formula' in line)
    assert 'Barrier/eV' in head
    assert '3D' not in head.split()  # nobody knows it
    assert 'Barrier/eV' not in aiida_pesfp('rank', scanned['LiCl'].pk)


def test_show_lists_all_barriers(aiida_pesfp, scanned):
    output = aiida_pesfp('show', scanned['LiI'].pk)
    assert 'Li, vacancy, pinned, lj): 0.500 eV, back 0.500, 2D 0.500, frozen 0.700 (end_left)' in output
    assert output.count('0.300 eV') == 1


def test_images_are_exported(aiida_pesfp, newest, tmp_path):
    aiida_pesfp('export', 'barrier', newest.pk, '-o', tmp_path / 'path.extxyz')
    assert len(read(tmp_path / 'path.extxyz', ':')) == 3
    assert 'cannot be written' in aiida_pesfp(
        'export', 'barrier', newest.pk, '-o', tmp_path / 'other.extxyz', '--path', 0, fails=True
    )


def test_the_report_draws_both_profiles_in_one_picture(scanned, tmp_path):
    [entry] = collect(scanned['LiI']).entries
    assert [one['barrier'] for one in entry.barriers] == [0.3, 0.5]
    figure = draw(of_entry(entry)['barrier-1'])
    drawn = {trace.name.split()[0]: (list(trace.x), list(trace.y)) for trace in figure.data}
    assert drawn == {'frozen': ([0, 0.25, 0.5, 1], [0, 0.2, 0.4, 0]), 'relaxed': ([0, 0.5, 1], [0, 0.3, 0])}
    assert draw(of_entry(entry)['barrier-2']).layout.title.subtitle.text == 'end left'
    [column] = (column for column in columns([entry]) if column.title == 'barrier')
    assert column.cell(entry).text == '0.300'
    assert column.cell(entry).source == entry.barriers[0].source
    write_html(collect(scanned['LiI']), tmp_path / 'report.html')
    assert [one.title for one in columns(collect(scanned['LiCl']).entries) if one.title == 'barrier'] == []
