"""``aiida-pesfp import`` in a real profile."""

import shutil
import uuid

import pytest
from aiida.orm import CalcFunctionNode, Dict, Group, QueryBuilder, Str, StructureData

from aiida_pesfp.calculations.orderings import order
from aiida_pesfp.data.record import RecordData
from aiida_pesfp.queries.structures import known_properties, records_of
from tests.helpers import servers
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.disordered import write_cif

LICL, LI2O = rock_salt('Li', 'Cl', 5.13), antifluorite('Li', 'O', 4.62)


@pytest.fixture
def label():
    """Of a group that no other test has."""
    return f'group-{uuid.uuid4().hex[:8]}'


@pytest.fixture
def folder(tmp_path):
    """Three good files, two of them the same crystal, a broken one, and a table."""
    LICL.to(tmp_path / 'LiCl.cif')
    rock_salt('Li', 'Cl', 5.1).to(tmp_path / 'halite.vasp', fmt='poscar')
    LI2O.to(tmp_path / 'Li2O.cif')
    (tmp_path / 'broken.cif').write_text('nonsense')
    (tmp_path / 'properties.csv').write_text('id,Eg,hull,mp_x\nLiCl,6.2,0.0,a\nLi2O.cif,5.0,0.01,b\nelsewhere,1,1,c\n')
    return tmp_path


def members(label):
    return {node.label: node for node in Group.collection.get(label=label).nodes}


def test_folder(aiida_pesfp, folder, label):
    command = ['import', 'folder', folder, '-G', label, '--table', folder / 'properties.csv', '--database', 'shelf']
    command += ['--band-gap-column', 'Eg', '--energy-above-hull-column', 'hull']
    assert "ignore them: --ignore 'mp_x'" in ' '.join(aiida_pesfp(*command, fails=True).split())
    command += ['--ignore', 'mp_*']
    output = aiida_pesfp(*command)
    assert 'ignored are the columns mp_x' in ' '.join(output.split())
    assert 'Warning: broken.cif: cannot be read' in output
    assert f'3 structures are in the group {label}: 3 new' in output
    assert 'is the same structure as LiCl<' in output
    assert '1 of the lines of' in output
    assert 'elsewhere' in output

    found = members(label)
    assert set(found) == {'LiCl', 'halite', 'Li2O'}
    # The way from the record to the structure, by a query on what the record says.
    query = QueryBuilder().append(
        RecordData,
        filters={'attributes.band_gap': {'>': 6.0}, 'attributes.database': 'shelf'},
        tag='record',
        project='*',
    )
    query.append(CalcFunctionNode, with_incoming='record', tag='function', project='attributes.process_label')
    query.append(StructureData, with_incoming='function', project='uuid')
    (record, function, _), *_ = [row for row in query.all() if row[2] == found['LiCl'].uuid]
    assert function == 'structure_of_record'
    assert (record['source'], record['id'], record['formula'], record['energy_above_hull']) == (
        'folder',
        'LiCl.cif',
        'LiCl',
        0.0,
    )
    assert record.base.repository.get_object_content('LiCl.cif') == (folder / 'LiCl.cif').read_text()
    assert known_properties(found) == {
        'LiCl': {'band_gap': 6.2, 'energy_above_hull': 0.0},
        'Li2O': {'band_gap': 5.0, 'energy_above_hull': 0.01},
    }

    number = QueryBuilder().append(RecordData).count()
    assert '3 structures' in (again := aiida_pesfp(*command))
    assert '0 new, 3 there before' in again
    assert QueryBuilder().append(RecordData).count() == number
    assert {node.uuid for node in members(label).values()} == {node.uuid for node in found.values()}
    elsewhere = shutil.copytree(folder, folder / 'elsewhere')  # the same files in another folder
    (elsewhere / 'notes.md').write_text('nothing')
    moved = aiida_pesfp(*[elsewhere if word == folder else word for word in command])
    assert '0 new, 3 there before' in moved
    assert 'passed over notes.md, properties.csv (no ending of a structure file)' in moved
    assert QueryBuilder().append(RecordData).count() == number


@pytest.mark.parametrize(('corrected', 'known'), [('LiCl,6.2', {'band_gap': 6.2}), ('LiCl,', None), (None, None)])
def test_what_a_corrected_table_says_takes_the_place_of_what_it_said_before(
    aiida_pesfp, tmp_path, label, corrected, known
):
    LICL.to(tmp_path / 'LiCl.cif')
    table = tmp_path / 'properties.csv'
    command = ['import', 'folder', tmp_path, '-G', label, '--table', table, '--band-gap-column', 'Eg']
    table.write_text('id,Eg\nLiCl,0.2\n')
    aiida_pesfp(*command)
    (first,) = Group.collection.get(label=label).nodes
    table.write_text(f'id,Eg\n{corrected}\n')
    output = aiida_pesfp(*(command[:5] if corrected is None else command))
    (second,) = Group.collection.get(label=label).nodes
    assert f'takes the place of LiCl<{first.pk}>, imported with other properties' in ' '.join(output.split())
    assert known_properties({'a': first, 'b': second}) == {'a': {'band_gap': 0.2}} | ({'b': known} if known else {})


def test_bad_folders(aiida_pesfp, folder, label):
    assert 'does not exist' in aiida_pesfp('import', 'folder', folder / 'nowhere', fails=True)
    empty = folder / 'empty'
    empty.mkdir()
    assert 'no structure was found' in aiida_pesfp('import', 'folder', empty, '-G', label, fails=True)
    assert not Group.collection.find({'label': label})
    table = ['--table', folder / 'properties.csv']
    (folder / 'properties.csv').write_text('id,energy\nLiCl,1\n')
    assert 'name some of id, energy' in aiida_pesfp('import', 'folder', folder, '-G', label, *table, fails=True)


def test_materials_project(aiida_pesfp, label, monkeypatch):
    pytest.importorskip('mp_api')
    documents = [
        {
            'material_id': name,
            'structure': structure.as_dict(),
            'elements': elements,
            'band_gap': gap,
            'energy_above_hull': 0.0,
        }
        for name, structure, elements, gap in (
            ('mp-22905', LICL, ['Li', 'Cl'], 6.25),
            ('mp-1960', LI2O, ['Li', 'O'], 0.2),
            ('mp-1', rock_salt('Li', 'Fe', 4.5), ['Li', 'Fe'], 1.0),
        )
    ]
    command = ['import', 'mp', '-G', label]
    monkeypatch.delenv('MP_API_KEY', raising=False)
    with servers.serve(servers.materials_project(documents)) as url:
        assert 'export MP_API_KEY' in aiida_pesfp(*command, '--endpoint', url, fails=True)
        monkeypatch.setenv('MP_API_KEY', 'c' * 32)
        assert 'refuses the key' in aiida_pesfp(*command, '--endpoint', url, fails=True)
        monkeypatch.setenv('MP_API_KEY', servers.KEY)
        output = aiida_pesfp(*command, '--endpoint', url)
    assert '1 structures are in the group' in output
    record = records_of(list(members(label).values()))[members(label)['mp-22905'].uuid]
    assert (record['id'], record['database'], record['database_version'], record['band_gap']) == (
        'mp-22905',
        'Materials Project',
        '2025.09.25',
        6.25,
    )


def test_optimade(aiida_pesfp, label):
    pytest.importorskip('optimade')
    documents = [
        servers.optimade_document('a', LICL, _test_gap=6.2),
        {'id': 'b'},
        servers.optimade_document('c', LI2O, _test_gap=5.0),
    ]
    with servers.serve(servers.optimade(documents)) as url:
        output = aiida_pesfp('import', 'optimade', url, '-G', label, '--band-gap-field', '_test_gap')
        assert 'not a filter of OPTIMADE' in aiida_pesfp('import', 'optimade', url, '--filter', 'lithium!', fails=True)
    assert '2 structures are in the group' in output
    assert '1 entries could not be read' in output
    assert known_properties(members(label)) == {'a': {'band_gap': 6.2}, 'c': {'band_gap': 5.0}}


def test_a_provider_that_breaks_off_keeps_what_came(aiida_pesfp, label):
    pytest.importorskip('optimade')
    good = servers.optimade([servers.optimade_document(str(number), LICL) for number in range(4)], page=1)

    def answer(path, query, headers):
        return (200, '<html>') if 'page_offset' in query else good(path, query, headers)

    with servers.serve(answer) as url:
        output = aiida_pesfp('import', 'optimade', url, '-G', label, fails=True)
    assert 'its answer is not JSON' in output
    assert set(members(label)) == {'0'}


def test_oxidation_states_of_a_file_count_for_its_orderings(aiida_pesfp, tmp_path, label):
    """Ti3+ in the file, although Ti4+ is usual: a StructureData does not hold it, the record does."""
    mixed = rock_salt('Li', 'O', 5.0)
    mixed.replace_species({'Li': {'Li': 0.45, 'Ti': 0.5}})
    text = write_cif(tmp_path / 'mixed.cif', mixed).read_text()
    for element, state in (('Li', 'Li+'), ('Ti', 'Ti3+'), ('O', 'O2-')):
        text = text.replace(f'\n  {element}  ', f'\n  {state}  ')
    (tmp_path / 'mixed.cif').write_text(text)
    aiida_pesfp('import', 'folder', tmp_path / 'mixed.cif', '-G', label)
    [structure] = Group.collection.get(label=label).nodes
    assert structure.get_pymatgen_structure().composition.almost_equals(mixed.composition)
    inputs, record = (structure, Str('Li'), Dict({'number': 1})), records_of([structure])[structure.uuid]
    assert order(*inputs)['about']['ordering_0']['oxidation_source'] == 'guessed'
    found = order(*inputs, record=record)
    assert found['about']['ordering_0']['oxidation_states'] == {'Li': 1, 'Ti': 3, 'O': -2}
    assert found['ordering_0'].get_pymatgen_structure().is_ordered
