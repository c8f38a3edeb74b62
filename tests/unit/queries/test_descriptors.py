"""Which of several results of a structure counts."""

import pytest
from aiida.orm import StructureData
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.cli.rank import print_table
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.queries.descriptors import newest, rows_of
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.settings.scan import SCAN_SETTINGS
from tests.helpers.crystals import rock_salt


def descriptors(structure, xi=0.5, potential='a', settings=None, **scan):
    content = {'xi': xi, 'mpe': 0.1, 'fv_connected': 0.1, 'fv_disconnected': 0.2, 'formula': 'LiCl', 'species': 'Li'}
    content |= {'spectrum': {'thresholds': [0.5], 'connected': [0.1], 'disconnected': [0.2]}}
    content |= {'structure_uuid': structure.uuid, 'potential_name': potential, 'potential_sha256': potential}
    content |= {'spacing': 0.25, 'minimum_distance': 1.2, 'grid': 'paper'} | scan
    node = DescriptorsData(content | {'settings': DescriptorSettings.from_dict(settings or {}).as_dict()})
    node.label = structure.label
    return node.store()


@pytest.fixture(scope='module')
def structures(aiida_profile):
    """Two files, the first from two folders."""
    crystals = (('one', 5.13), ('one', 5.13), ('other', 5.2))
    return [StructureData(pymatgen=rock_salt('Li', 'Cl', a), label=label).store() for label, a in crystals]


def test_the_newest_of_the_same_and_all_that_differ(structures):
    one, again, other = structures
    old, new = descriptors(one, 0.1), descriptors(again, 0.2)
    different = [
        descriptors(one, potential='b'),
        descriptors(one, spacing=0.5),
        descriptors(one, minimum_distance=1.0),
        descriptors(one, grid='symmetric'),
        descriptors(one, species='Na'),
        descriptors(one, settings={'xi': {'threshold': 0.4}}),
        descriptors(other),
    ]
    assert newest([*different, new, old]) == [new, *different]


@pytest.fixture(scope='module')
def twelve(structures):
    """Two results of each structure at either spacing, in another order each: origin and node."""
    origins = [(index, spacing) for index in range(3) for spacing in (0.25, 0.5)]
    made = [(index, spacing, descriptors(structures[index], spacing=spacing)) for index, spacing in origins * 2]
    return [((structures[index].label, spacing), node) for index, spacing, node in made]


@given(st.lists(st.integers(0, 11), unique=True))
def test_each_origin_once_and_none_lost(twelve, chosen):
    kept = newest(twelve[number][1] for number in chosen)
    last = dict(twelve[number] for number in sorted(chosen))
    assert kept == sorted(last.values(), key=lambda node: node.pk)
    assert newest(kept) == kept


def test_tables_show_the_settings_that_differ(structures, capsys):
    first = descriptors(structures[0])
    changes = {
        'Spacing/A': descriptors(structures[0], spacing=0.5),
        'Grid': descriptors(structures[0], grid='symmetric'),
        'R_min/A': descriptors(structures[0], minimum_distance=0.9),
        'Ion': descriptors(structures[0], species='Na'),
        'Settings': descriptors(structures[0], settings={'xi': {'threshold': 0.4}, 'neighbours': '6'}),
    }
    for head, node in changes.items():
        print_table(rows_of([first, node]))
        heads = capsys.readouterr().out.splitlines()[0].split()
        assert [name for name in heads if name in changes] == [head]
    assert rows_of([changes['Settings']])[0]['settings'] == 'neighbours=6 xi.threshold=0.4'
    assert set(SCAN_SETTINGS) <= set(rows_of([first])[0])
