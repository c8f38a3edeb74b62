"""Files and folders: formats, encodings, names, what is passed over, and numbers that are none."""

import bz2
import gzip
import json
import os
import re

import numpy as np
import pytest
from ase import Atoms
from ase.db import connect
from ase.io import write
from ase.io.jsonio import encode
from ase.units import Bohr
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry

from aiida_pesfp.crystals.checks import sound
from aiida_pesfp.crystals.files import read_named_structures
from aiida_pesfp.crystals.formats import file_label, format_of, read_file
from aiida_pesfp.errors import DuplicateStructure, InvalidCell, StructureError, UnreadableStructure
from tests.helpers import servers
from tests.helpers.crystals import antifluorite, rock_salt

LICL, LI2O = rock_salt('Li', 'Cl', 5.13), antifluorite('Li', 'O', 4.62)
POSCAR = LICL.to(fmt='poscar')


def ase_database(folder):
    path = folder / 'rows.json'
    with connect(path, use_lock_file=False) as database:
        database.write(LICL.to_ase_atoms(), band_gap=6.2)
    return json.loads(path.read_text())


JARVIS = {'lattice_mat': LICL.lattice.matrix.tolist(), 'elements': ['Li', 'Cl'], 'props': ['', '']}


def with_sites(**others):
    first, *rest = LICL.as_dict()['sites']
    return LICL.as_dict() | {'sites': [first | others, *rest]}


OQMD = {
    'entry_id': 1, 'spacegroup': 'Fm-3m', 'natoms': 2, 'ntypes': 2, 'volume': 33.75, 'composition': 'Cl1 Li1',
    'unit_cell': LICL.lattice.matrix.tolist(), 'sites': ['Li @ 0 0 0', 'Cl @ 0.5 0.5 0.5'],
}  # fmt: skip
FRACTIONAL = {'coords': LICL.frac_coords.tolist(), 'cartesian': False}
DOCUMENTS = {
    'a structure': LICL.as_dict(),
    'a list': [LICL.as_dict()],
    'by name': {'LiCl': LICL.as_dict()},
    'with oxidation states': LICL.copy().add_oxidation_state_by_guess().as_dict(),
    'only parameters': LICL.as_dict() | {'lattice': {'a': LICL.lattice.a, 'b': LICL.lattice.b, 'c': LICL.lattice.c}
    | dict.fromkeys(('alpha', 'beta', 'gamma'), 60.0)},
    'summary': {'material_id': 'mp-22905', 'band_gap': 6.2, 'structure': LICL.as_dict(), 'nsites': 2},
    'answer': {'data': [{'material_id': 'mp-22905', 'structure': LICL.as_dict()}], 'meta': {'total_doc': 1}},
    'entry of ions': ComputedStructureEntry(LICL.copy().add_oxidation_state_by_guess(), -1.0).as_dict(),
    'entry': ComputedStructureEntry(LICL, -1.0, entry_id='mp-22905', data={'e_above_hull': 0.0}).as_dict(),
    'JARVIS': {'jid': 'JVASP-1', 'ehull': 'na', 'atoms': JARVIS | FRACTIONAL},
    'JARVIS, Cartesian': JARVIS | {'coords': LICL.cart_coords.tolist(), 'cartesian': True},
    'of a calculation': {
        'task_id': 'mp-1', 'input': {'structure': LI2O.as_dict()}, 'output': {'structure': LICL.as_dict()}},
    'JSON in JSON': {'material_id': 'mp-1', 'structure': json.dumps(LICL.as_dict())},
    'CIF in JSON': {'material_id': 'mp-1', 'cif': LICL.to(fmt='cif')},
    'NOMAD, in metres': {'structure_original': servers.optimade_document('1', LICL)['attributes'] | {
        'cell_volume': LICL.volume * 1e-30, 'lattice_vectors': (LICL.lattice.matrix * 1e-10).tolist(),
        'cartesian_site_positions': (LICL.cart_coords * 1e-10).tolist()}},
    'OQMD': {'data': [OQMD], 'meta': {}},
    'OPTIMADE': {'data': servers.optimade_document('1', LICL), 'meta': {}},
    'OPTIMADE, many': {'data': [servers.optimade_document('1', LICL)], 'links': {'next': None}},
}  # fmt: skip


@pytest.mark.parametrize('name', [*DOCUMENTS, 'rows of ASE', 'atoms of ASE'])
def test_every_document_is_the_same_crystal(tmp_path, name):
    if name == 'atoms of ASE':
        text = encode(LICL.to_ase_atoms())
    else:
        text = json.dumps(ase_database(tmp_path) if name == 'rows of ASE' else DOCUMENTS[name])
    path = tmp_path / 'a.json.gz'
    path.write_bytes(gzip.compress(text.encode()))
    (reading,) = read_file(path)
    assert reading.error is None
    found = reading.structure.remove_oxidation_states()
    assert found.matches(LICL)
    assert len(found) == 2


def test_identifiers_and_properties_come_along(tmp_path):
    numbers = {'band_gap': 2, 'energy_above_hull': 0}
    documents = [{'material_id': 'mp-1', 'structure': {'lattice': None}}]
    documents += [{'material_id': 'mp-2', 'structure': LICL.as_dict()} | numbers]
    (tmp_path / 'a.json').write_text(json.dumps([*documents, DOCUMENTS['entry'], OQMD | {'stability': -0.1}]))
    bad, good, entry, oqmd = read_file(tmp_path / 'a.json')
    assert 'is no structure of' in str(bad.error)
    assert (good.id, good.properties) == ('mp-2', numbers)
    assert (entry.id, entry.properties) == ('mp-22905', {'band_gap': None, 'energy_above_hull': 0.0})
    assert (oqmd.id, oqmd.properties) == ('1', {'band_gap': None, 'energy_above_hull': -0.1})


@pytest.mark.parametrize(
    ('document', 'words'),
    [
        ({'structure': LICL.as_dict(), 'formula_pretty': 'Li2Cl'}, 'says Li2Cl1, its sites give Li1Cl1'),
        ({'structure': LICL.as_dict(), 'density': 1.5}, 'the density is 1.5 g/cm3, its sites give 2.09'),
        ({'structure': LICL.as_dict(), 'volume': 70.0}, 'the cell has 70.00 A^3'),
        ({'structure': LICL.as_dict(), 'nelements': 3}, '3 elements, and has 2'),
        ({'structure': LICL.as_dict(), 'elements': ['Li', 'F']}, 'its elements are F, Li'),
        (ComputedStructureEntry(LICL, -1.0).as_dict() | {'composition': {'Li': 2, 'Cl': 1}}, 'says Li2Cl1'),
        ({'structure': LICL.as_dict(), 'nsites': 3}, '3 sites, and has 2'),
        (LICL.as_dict() | {'lattice': LICL.as_dict()['lattice'] | {'b': 36.3}}, 'says b = 36.3,'),
        (LICL.as_dict() | {'sites': [s | {'abc': [0.1, 0.2, 0.3]} for s in LICL.as_dict()['sites']]}, 'these differ'),
        (JARVIS | {'coords': FRACTIONAL['coords']}, 'does not say whether its coords are Cartesian'),
        (JARVIS | FRACTIONAL | {'abc': [3.9] * 3}, 'says a = 3.9,'),
        (JARVIS | FRACTIONAL | {'angles': [90] * 3}, 'says alpha = 90,'),
        ({'cif': 'data_x'}, 'describes 0 crystals'),
        ({'structure': LICL.as_dict(), 'chemsys': 'Br-Li'}, 'its elements are Br, Li'),
        *(
            ({'structure': LICL.as_dict(), key: 'A2B'}, 'says A2B, its sites give LiCl')
            for key in ('formula_anonymous', 'chemical_formula_anonymous')
        ),
        ({'structure': LICL.as_dict(), 'cif': LI2O.to(fmt='cif')}, 'its CIF and its structure are not the same'),
        (with_sites(abc=[0.1, 'x', 0.2]), 'abc of site 0: there are not 1 vectors of three numbers'),
        (with_sites(abc=LICL.lattice.matrix.sum(axis=0).tolist()), 'these differ'),
        *(
            (with_sites(species=[{'element': 'Li', 'occu': occu}]), f'site 0 has occu of {occu!r}')
            for occu in (0, -1, 2, '1', None, float('nan'))
        ),
        (with_sites(species=[{'element': 'Li'}]), 'site 0 has occu of None'),
        ({'some': 'thing'}, 'is no structure of pymatgen'),
        (OQMD | {'natoms': 3}, 'there are 3 sites, and has 2'),
        ({'unit_cell': OQMD['unit_cell'], 'sites': OQMD['sites'], 'name': 'Li2S'}, 'says Li2S1'),
        (OQMD | {'sites': ['Li @ 0 0 0', '(Cl,Br) @ 0.5 0.5 0.5']}, "'(Cl,Br)' is no element"),
        (OQMD | {'sites': ['Li @ 0 0 0', 'Vac @ 0.5 0.5 0.5']}, "'Vac' is no element"),
        (OQMD | {'sites': ['Li @ 0 0 0', 'Cl @ 0.5 0.5']}, 'sites: there are not 2 vectors'),
        ({'aurl': 'x:AFLOWDATA/LIB2', 'positions_fractional': [[0, 0, 0]]}, 'AFLOW: download its structure, CONTCAR'),
        ({'metadata': {}, 'results': {'material': {}}, 'run': []}, 'NOMAD: download its structure as a CIF'),
        ({'entry_id': 'x', 'archive': {'run': []}}, 'NOMAD: download its structure as a CIF'),
        ([], 'contains no structure'),
        ({'@class': 'Molecule', 'sites': []}, 'is no structure of pymatgen'),
    ],
)
def test_documents_that_contradict_themselves(tmp_path, document, words):
    (tmp_path / 'a.json').write_text(json.dumps(document))
    (reading,) = read_file(tmp_path / 'a.json')
    assert words in str(reading.error)
    assert 'database' not in str(reading.error)


@pytest.mark.parametrize(
    ('stated', 'doubted'),
    [
        *[({'symmetry': {'number': 225}}, False), ({'symmetry': {'number': '225'}}, False)],
        *[({'symmetry': {'number': 216}}, True), ({'spacegroup': 'F-43m'}, True), ({'spacegroup': 'Fm-3m'}, False)],
        *[({'space_group_it_number': 216}, True), ({'space_group_it_number': 225}, False)],
        *[({'space_group_symbol_hermann_mauguin': 'F -4 3 m'}, True), ({'symmetry': {'symbol': 'unknown'}}, False)],
    ],
)
def test_the_group_of_a_document(tmp_path, stated, doubted):
    entry = servers.optimade_document('1', LICL)
    words = 'the file says that the space group is number 216, its sites have number 225'
    for document in (
        {'structure': LICL.as_dict(), 'density': 2.085, 'volume': 33.75} | stated,
        entry['attributes'] | stated,
    ):
        (tmp_path / 'a.json').write_text(json.dumps(document))
        (reading,) = read_file(tmp_path / 'a.json')
        assert reading.error is None
        assert reading.doubts == ((words,) if doubted else ())


def test_a_document_cannot_import_anything(tmp_path):
    """pymatgen makes objects of any class that a property of a site names."""
    document = LICL.as_dict()
    payload = {'@module': 'antigravity', '@class': 'anything', '@callable': 'geohash'}
    document['sites'][0]['properties'] = {'x': payload}
    document['properties'] = {'x': payload}
    (tmp_path / 'a.json').write_text(json.dumps(document))
    (reading,) = read_file(tmp_path / 'a.json')
    assert reading.structure == LICL
    assert 'x' not in reading.structure.site_properties


@pytest.mark.parametrize(
    ('name', 'format', 'label'),
    [
        *(('a.cif', 'cif', 'a'), ('A.CIF.GZ', 'cif', 'A'), ('a.cif.txt', 'cif', 'a'), ('a.mcif', 'cif', 'a')),
        *(('POSCAR', 'poscar', 'POSCAR'), ('CONTCAR.Li2O', 'poscar', 'CONTCAR_Li2O'), ('a.vasp.bz2', 'poscar', 'a')),
        *(('Li2S_POSCAR', 'poscar', 'Li2S_POSCAR'), ('a-contcar.xz', 'poscar', 'a-contcar')),
        *(('x.json.gz', 'json', 'x'), ('a.extxyz', 'xyz', 'a'), ('READ.me', None, 'READ'), ('a.txt', None, 'a')),
    ],
)  # fmt: skip
def test_formats_by_names(tmp_path, name, format, label):
    assert (format_of(tmp_path / name), file_label(tmp_path / name)) == (format, label)


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'latin-1'])
def test_encodings_of_any_format(tmp_path, encoding):
    (tmp_path / 'POSCAR').write_bytes(f'LiCl of Müller\n{POSCAR.split(chr(10), 1)[1]}'.encode(encoding))
    (tmp_path / 'a.json').write_bytes(json.dumps(LICL.as_dict()).encode(encoding))
    write(tmp_path / 'a.extxyz', LICL.to_ase_atoms())
    (tmp_path / 'a.extxyz').write_bytes((tmp_path / 'a.extxyz').read_text().encode(encoding))
    for name in ('POSCAR', 'a.json', 'a.extxyz'):
        (reading,) = read_file(tmp_path / name)
        assert reading.structure == LICL


def test_a_broken_frame_costs_itself(tmp_path):
    write(tmp_path / 'a.extxyz', [LICL.to_ase_atoms(), LI2O.to_ase_atoms(), LICL.to_ase_atoms()])
    lines = (tmp_path / 'a.extxyz').read_text().splitlines()
    assert lines[4] == '3'
    (tmp_path / 'a.extxyz').write_text('\n'.join([*lines[:6], 'Li nan 0 0', *lines[7:]]))
    assert [reading.error is None for reading in read_file(tmp_path / 'a.extxyz')] == [True, False, True]
    (tmp_path / 'a.extxyz').write_text('\n'.join(lines[:-1]))
    assert 'it has 1 of the 2 atoms of a frame' in str(read_file(tmp_path / 'a.extxyz')[-1].error)
    (tmp_path / 'a.extxyz').write_text('\n'.join([*lines[:4], '2', *lines[5:]]))  # a count that is wrong
    assert [reading.error is None for reading in read_file(tmp_path / 'a.extxyz')] == [True, False]


def test_one_document_a_line(tmp_path):
    lines = [json.dumps(DOCUMENTS['summary']), '{"broken":', '', json.dumps(LI2O.as_dict())]
    (tmp_path / 'a.jsonl').write_text('\n'.join(lines))
    first, broken, last = read_file(tmp_path / 'a.jsonl')
    assert (first.id, first.structure, last.structure) == ('mp-22905', LICL, LI2O)
    assert 'not JSON' in str(broken.error)


FRAME = '2\nLattice="0 2.565 2.565 2.565 0 2.565 2.565 2.565 0"{}\nLi 0 0 0{}\nCl 2.565 2.565 2.565{}\n'


@pytest.mark.parametrize(
    ('columns', 'values', 'words'),
    [
        ('', ('', ''), None),
        (' Properties=species:S:1:pos:R:3:forces:R:3', (' 0 0 0', ' 0 0 0'), None),
        (' Properties=species:S:1:pos:R:99999999999', ('', ''), 'do not give columns'),
        ('', (' 0.5', ' 1'), "line 3 must have 4 columns, not 'Li 0 0 0 0.5'"),
        (' Properties=species:S:1:pos:R:3:occ:R:1', (' 0.5', ' 1'), 'partly occupied'),
        (' Properties=species:S:1:pos:R:3:occ:R:1', (' 1', ' 1'), None),
        (' Properties=pos:R:3:name:S:1', ('', ''), 'do not give columns of species and pos'),
        (' pbc="T T F"', ('', ''), 'along 2 of 3'),
        (' pbc=[T, T, F]', ('', ''), 'along 2 of 3'),
        (' pbc="x y z"', ('', ''), 'is not understood'),
        (' Properties=species:S:1:pos:R:3:sof:R:1', (' 0.5', ' 1'), 'partly occupied'),
        (' Properties=species:S:1:pos:R:3:weights:R:1', (' 0.5', ' 1'), 'partly occupied'),
        (' Properties=species:S:1:pos:R:3:weight:R:1', (' 6.94', ' 35.45'), None),
        (' properties=species:S:1:pos:R:3:site_occupancy:R:1', (' 0.5', ' 1'), 'partly occupied'),
        (' Properties=element:S:1:positions:R:3', ('', ''), None),
        (' Properties=numbers:I:1:pos:R:3', ('', ''), "'Li' is no atomic number"),
        (' Properties=species:S:1:pos:R:3:Z:I:1', (' 3', ' 17'), None),
        (' Properties=species:S:1:pos:R:3:Z:I:1', (' 11', ' 17'), 'species and the atomic number of line 3 contradict'),
    ],
)
def test_each_column_of_a_frame_is_known(tmp_path, columns, values, words):
    (tmp_path / 'a.xyz').write_text(FRAME.format(columns, *values))
    (reading,) = read_file(tmp_path / 'a.xyz')
    if words is None:
        assert reading.structure.matches(LICL)
    else:
        assert words in str(reading.error)


@pytest.mark.parametrize(
    ('lattice', 'words'),
    [
        ('lattice="0 2.565 2.565 2.565 0 2.565 2.565 2.565 0"', None),
        ('Lattice=[[0, 2.565, 2.565], [2.565, 0, 2.565], [2.565, 2.565, 0]]', None),
        ("Lattice = '0 2.565 2.565 2.565 0 2.565 2.565 2.565 0'", None),
        ('Lattice="5.13 5.13 5.13"', 'not nine numbers'),
        ('Lattice="0 2.565 2.565 2.565 0 2.565 2.565 nan 0"', 'not nine numbers'),
        ('Lattice="0 0 0 0 0 0 0 0 0"', 'no crystal'),
    ],
)
def test_each_way_to_write_a_lattice(tmp_path, lattice, words):
    (tmp_path / 'a.xyz').write_text(re.sub('Lattice="[^"]*"', lattice, FRAME.format('', '', '')))
    (reading,) = read_file(tmp_path / 'a.xyz')
    assert words in str(reading.error) if words else reading.structure.matches(LICL)


QUANTUM_ESPRESSO = """&SYSTEM
 ibrav=0, nat=2, ntyp=2, {}
/
ATOMIC_SPECIES
 Li 6.94 Li.upf
 Cl 35.45 Cl.upf
CELL_PARAMETERS alat
0 0.5 0.5
0.5 0 0.5
0.5 0.5 0
ATOMIC_POSITIONS alat
Li 0 0 0
Cl 0.5 0.5 0.5
"""


@pytest.mark.parametrize(
    'parameter',
    [
        *('celldm(1)=9.6943', 'A = 5.13', 'a=0.513d1, ecutwfc=50', 'ecutwfc=50 A = 5.13 ecutrho = 300'),
        *('! A = 4.9, as in "a" paper\n celldm(1)=9.6943 ! celldm(1)=9', "prefix='A = 4.9! celldm(1)=9', A = 5.13"),
    ],
)
def test_lattice_parameters_of_quantum_espresso(tmp_path, parameter):
    (tmp_path / 'a.pwi').write_text(QUANTUM_ESPRESSO.format(parameter))
    (reading,) = read_file(tmp_path / 'a.pwi')
    assert reading.structure.matches(LICL)
    assert reading.structure.volume == pytest.approx(LICL.volume, rel=1e-4)


CENTRINGS = {
    'P': [[0, 0, 0]],
    'I': [[0, 0, 0], [0.5, 0.5, 0.5]],
    'C': [[0, 0, 0], [0.5, 0.5, 0]],
    'F': [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
}
CUBE, TALL, BRICK = np.diag([4.0, 4, 4]), np.diag([4.0, 4, 5]), np.diag([4.0, 4.5, 5])
#: Number of the lattice, its centring, its conventional vectors (A), and what is given of them.
BRAVAIS = [
    *[(1, 'P', CUBE, ''), (2, 'F', CUBE, ''), (3, 'I', CUBE, '')],
    *[(4, 'P', [[4, 0, 0], [-2, 12**0.5, 0], [0, 0, 5]], 'c'), (6, 'P', TALL, 'c'), (7, 'I', TALL, 'c')],
    *[(number, kind, BRICK, 'bc') for number, kind in {8: 'P', 9: 'C', 10: 'F', 11: 'I'}.items()],
]


@pytest.mark.parametrize('style', ['celldm', 'A'])
@pytest.mark.parametrize(('number', 'kind', 'vectors', 'given'), BRAVAIS, ids=[str(one[0]) for one in BRAVAIS])
def test_lattices_that_quantum_espresso_knows_by_number(tmp_path, number, kind, vectors, given, style):
    """The atoms are at the same places of the conventional cell, which spans the lattice with its centrings."""
    names = {'b': (2, 'B', 4.5), 'c': (3, 'C', 5.0)}
    items = [f'celldm(1)={4 / Bohr!r}'] if style == 'celldm' else ['A=4']
    for index, name, value in map(names.get, given):
        items.append(f'celldm({index})={value / 4!r}' if style == 'celldm' else f'{name} = {value!r}')
    lattice = Lattice(vectors)
    place = lattice.get_cartesian_coords([0.35, 0.3, 0.3])
    text = QUANTUM_ESPRESSO.replace('ibrav=0', f'ibrav= {number}').replace('0.5 0.5 0.5', ' '.join(map(str, place / 4)))
    text = re.sub(r'CELL_PARAMETERS alat(\n.*){3}', '', text.format(', '.join(items)))
    (tmp_path / 'a.pwi').write_text(text)
    (reading,) = read_file(tmp_path / 'a.pwi')
    centrings = np.array(CENTRINGS[kind])
    assert reading.error is None
    assert len(reading.structure) == 2
    assert reading.structure.volume == pytest.approx(lattice.volume / len(centrings))
    inside = lattice.get_fractional_coords(reading.structure.lattice.matrix)
    steps = inside[:, None] - centrings  # each vector of the lattice is one of the centred cell
    assert np.abs(steps - np.rint(steps)).max(axis=-1).min(axis=-1).max() < 1e-6
    np.testing.assert_allclose(reading.structure.cart_coords[1] - reading.structure.cart_coords[0], place, atol=1e-6)


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('ibrav=0', 'ibrav=2', 'gives its lattice twice'),
        ('ntyp=2', 'ntyp=2, celldm(1)=9.7', 'gives its lattice twice'),
        ('RS alat', 'RS (alat= 9.5)', 'gives its lattice twice'),
        ('ibrav=0', 'ibrav=5', 'ibrav = 5 is not read'),
        ('ibrav=0', 'ibrav=4', 'ibrav = 4 is not read, or lacks one of A, B and C'),
        ('POSITIONS alat', 'POSITIONS crystal_sg', 'up to symmetry'),
        ('ntyp=2', 'ntyp=2, space_group = 225', 'up to symmetry'),
    ],
)
def test_lattices_of_quantum_espresso_that_are_not_read(tmp_path, old, new, words):
    text = QUANTUM_ESPRESSO.format('A = 5.13').replace(old, new)
    if 'twice' not in words:
        text = re.sub(r'CELL_PARAMETERS alat(\n.*){3}', '', text)
    (tmp_path / 'a.pwi').write_text(text)
    assert words in str(read_file(tmp_path / 'a.pwi')[0].error)


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('nat=2', 'nat=1', 'lists 2 atoms, its count is 1'),
        ('Cl.upf', 'Cl.upf\n Na 22.99 Na.upf', 'has no atoms of its species Na'),
        ('0.5 0.5 0.5', '1/2 1/2 0.5 0 0 0', None),
        ('Cl 0.5', '\n! no atom\nCl 0.5', None),
        ('RS alat', 'RS (alat= 9.6943)', None),
        ('Cl 0.5 0.5 0.5', 'Cl 0.5 0.5 0.5\nK_POINTS automatic\n2 2 2 0 0 0', None),
    ],
)
def test_all_atoms_of_quantum_espresso_are_read(tmp_path, old, new, words):
    assert old in QUANTUM_ESPRESSO
    (tmp_path / 'a.pwi').write_text(QUANTUM_ESPRESSO.format('A = 5.13').replace(old, new))
    (reading,) = read_file(tmp_path / 'a.pwi')
    assert words in str(reading.error) if words else reading.structure.matches(LICL)


def test_doubts_about_many_atoms_are_short(tmp_path):
    """One for each kind, with the names of a few atoms."""
    places = [f'LI{number} LI {number / 20} 0 0' for number in range(20)]
    head = ['data_x', *(f'_cell_length_{axis} {length}' for axis, length in zip('abc', (55, 2.7, 2.7)))]
    columns = [f'_atom_site_{name}' for name in ('label', 'type_symbol', 'fract_x', 'fract_y', 'fract_z')]
    symmetry = ['loop_', '_symmetry_equiv_pos_as_xyz', 'x,y,z', 'loop_']
    (tmp_path / 'a.cif').write_text('\n'.join([*head, *symmetry, *columns, *places]))
    (reading,) = read_file(tmp_path / 'a.cif')
    assert 'LI0, LI1, LI2, LI3, LI4 and 15 more: taken for Li' in reading.doubts
    assert all(len(doubt) <= 200 for doubt in reading.doubts)
    long = {'structure': LICL.as_dict(), 'formula': '?' * 999}
    (tmp_path / 'a.json').write_text(json.dumps(long))
    (reading,) = read_file(tmp_path / 'a.json')
    (doubt,) = reading.doubts
    assert len(doubt) == 200


@pytest.mark.parametrize('name', ['a.xsf', 'a.XV', 'a.STRUCT_OUT'])
def test_a_count_of_too_few_atoms_is_told(tmp_path, name):
    whole = LICL * 2
    if name == 'a.xsf':
        write(tmp_path / name, whole.to_ase_atoms())
        lines = (tmp_path / name).read_text().splitlines()
    else:  # in Bohr and fractional
        cell = whole.lattice.matrix / (Bohr if name == 'a.XV' else 1)
        places = whole.cart_coords / Bohr if name == 'a.XV' else whole.frac_coords
        lines = [f'{" ".join(map(str, vector))} 0 0 0'[: None if name == 'a.XV' else -6] for vector in cell] + ['16']
        rest = ' 0 0 0' if name == 'a.XV' else ''
        lines += [f'1 {site.specie.Z} {" ".join(map(str, place))}{rest}' for site, place in zip(whole, places)]
    row = next(index for index, line in enumerate(lines) if line.split()[:1] == ['16'])
    for count in (16, 9):
        lines[row] = lines[row].replace('16', str(count))
        (tmp_path / name).write_text('\n'.join(lines) + '\n')
        (reading,) = read_file(tmp_path / name)
        assert reading.structure.matches(LICL) if count == 16 else 'count' in str(reading.error)


def test_the_next_step_of_fhi_aims_is_read(tmp_path):
    write(tmp_path / 'geometry.in', LICL.to_ase_atoms())
    (tmp_path / 'geometry.in').rename(tmp_path / 'geometry.in.next_step')
    assert read_file(tmp_path / 'geometry.in.next_step')[0].structure.matches(LICL)


def test_what_is_no_atom_or_not_in_bohr_is_refused(tmp_path):
    cell = '9 0 0 0 0 0\n0 9 0 0 0 0\n0 0 9 0 0 0\n2\n'
    (tmp_path / 'a.XV').write_text(f'{cell}1 3 0 0 0 0 0 0\n2 -17 4.5 4.5 4.5 0 0 0\n')
    assert 'ghosts or dummies' in str(read_file(tmp_path / 'a.XV')[0].error)
    (tmp_path / 'a.cube').write_text('x\ny\n1 0 0 0\n-1 3 0 0\n-1 0 3 0\n-1 0 0 3\n3 3 0 0 0\n1\n')
    assert 'lengths in Angstrom' in str(read_file(tmp_path / 'a.cube')[0].error)


def test_mixtures_of_castep_are_not_overlooked(tmp_path):
    write(tmp_path / 'a.cell', LICL.to_ase_atoms())
    text = (tmp_path / 'a.cell').read_text()
    assert read_file(tmp_path / 'a.cell')[0].structure.matches(LICL)
    (tmp_path / 'a.cell').write_text(re.sub(r'(?m)^(Li .*)$', r'\1 MIXTURE:(1 0.5)', text))
    assert 'mixtures' in str(read_file(tmp_path / 'a.cell')[0].error)


def test_results_of_ours_are_passed_over(tmp_path):
    LICL.to(tmp_path / 'a.cif')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / '.pesfp').touch()
    for path in (tmp_path / 'run.json', tmp_path / 'out' / 'cell.cif'):
        path.write_text('{}')
    told = []
    paths = [tmp_path, tmp_path / 'out', tmp_path / 'run.json', tmp_path / 'a.cif']
    assert [one.name for one in read_named_structures(paths, told.append)] == ['a', 'a_2']
    passed = 'passed over (results of an earlier run)'
    assert told[0] == f'{tmp_path}: passed over out, run.json (results of an earlier run)'
    assert told[1:] == [f'{tmp_path / "out"}: {passed}', f'{tmp_path / "run.json"}: {passed}']
    assert read_named_structures([tmp_path / 'out' / 'cell.cif'])[0].error is not None  # by its name, it is read


def test_a_folder_tells_what_it_passes_over(tmp_path, capsys):
    LICL.to(tmp_path / 'a.cif')
    (tmp_path / 'b.cif.bz2').write_bytes(bz2.compress(LI2O.to(fmt='cif').encode()))
    (tmp_path / 'README.md').write_text('nothing')
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'gone.cif').symlink_to(tmp_path / 'nowhere')
    os.mkfifo(tmp_path / 'pipe.cif')
    told = []
    found = {one.name: one for one in read_named_structures([tmp_path, tmp_path / 'x.cif'], told.append)}
    assert {name for name, one in found.items() if one.error is None} == {'a', 'b'}
    assert 'no such file' in str(found['gone'].error)
    assert 'no such file' in str(found['x'].error)
    assert 'not a regular file' in str(found['pipe'].error)
    assert told == [
        f'{tmp_path}: passed over README.md (no ending of a structure file)',
        f'{tmp_path}: passed over sub (folders: name them too)',
    ]


def test_names_are_safe_and_unique(tmp_path):
    others = ['..cif', '...cif', 'a__b.cif', 'run.json.cif', 'β-Li.cif', '1.cif']
    others += [os.fsdecode(b'\xff\n.cif')]
    for number, name in enumerate(others):
        rock_salt('Li', 'Cl', 5 + number / 10).to(fmt='cif', filename=str(tmp_path / 'x.cif'))
        (tmp_path / 'x.cif').rename(tmp_path / name)
    found = read_named_structures([tmp_path])
    assert all(one.error is None for one in found)
    assert {one.name for one in found} == {'s', 's_2', 'a__b', 'run_json', 'beta-Li', '1', 's_3'}
    assert all(one.source.isprintable() for one in found)


def test_the_same_file_from_two_folders_is_one_structure(tmp_path):
    for name in ('one', 'two'):
        (tmp_path / name).mkdir()
        LICL.to(tmp_path / name / 'LiCl.cif')
    first, second = read_named_structures([tmp_path / 'one', tmp_path / 'two'])
    assert (first.name, first.error) == ('LiCl', None)
    assert isinstance(second.error, DuplicateStructure)


numbers = st.floats(allow_nan=True, allow_infinity=True)


@settings(deadline=2000)
@given(matrix=st.lists(numbers, min_size=9, max_size=9), places=st.lists(numbers, min_size=6, max_size=6))
def test_any_numbers_are_refused_or_sound_at_once(matrix, places):
    try:
        with np.errstate(all='ignore'):
            found = sound(Structure(np.reshape(matrix, (3, 3)), ['Li', 'Cl'], np.reshape(places, (2, 3))))
    except (StructureError, np.linalg.LinAlgError):
        return
    assert np.isfinite(found.cart_coords).all()
    assert 1 <= found.volume / 2 <= 1000


@pytest.mark.parametrize(
    ('length', 'place', 'error', 'words'),
    [
        (4.0, np.nan, UnreadableStructure, r'site 1 \(Cl\) is at \(nan'),
        (4.0, 1e8, UnreadableStructure, 'correct its coordinates'),
        (np.nan, 0.5, InvalidCell, 'nan A long'),
        (1e5, 0.5, InvalidCell, 'not up to 1000 A'),
        (100.0, 0.5, InvalidCell, 'A\\^3 an atom'),
        (1.2, 0.5, InvalidCell, 'A\\^3 an atom'),
    ],
)
def test_absurd_numbers_are_named(length, place, error, words):
    structure = Structure(np.eye(3) * length, ['Li', 'Cl'], [[0, 0, 0], [place, 0.5, 0.5]])
    with pytest.raises(error, match=words):
        sound(structure)


def test_atoms_far_away_come_back_and_others_stay(tmp_path):
    far = Structure(Lattice.cubic(4), ['Li', 'Cl'], [[0, 0, 0], [12.5, -3.5, 0.5]])
    np.testing.assert_allclose(sound(far).frac_coords[1], [0.5, 0.5, 0.5])
    near = Structure(Lattice.cubic(4), ['Li', 'Cl'], [[0, 0, 0], [1.5, -0.5, 0.5]])
    assert sound(near) is near


def test_what_other_formats_may_lack_is_not_taken_for_whole(tmp_path):
    """A PDB with the asymmetric unit alone, a dump without elements, and occupancies beside the atoms."""
    (tmp_path / 'a.pdb').write_text(
        'CRYST1    5.130    5.130    5.130  90.00  90.00  90.00 F m -3 m\n'
        'ATOM      1 LI   MOL     1       0.000   0.000   0.000  1.00  0.00          LI\n'
    )
    frame = 'ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 5\n'
    (tmp_path / 'b.lammpstrj').write_text(f'{frame}ITEM: ATOMS id type x y z\n1 3 0 0 0\n')
    atoms = Atoms('LiCl', scaled_positions=[[0, 0, 0], [0.5] * 3], cell=2.6 * (1 - np.eye(3)), pbc=True)
    for name, fill in (('c', 0.5), ('d', 1.0)):
        atoms.info['occupancy'] = {'0': {'Li': fill}, '1': {'Cl': 1.0}}
        atoms.write(tmp_path / f'{name}.extxyz')
    files = [tmp_path / name for name in ('a.pdb', 'b.lammpstrj', 'c.extxyz', 'd.extxyz')]
    found = {one.name: one for one in read_named_structures(files)}
    assert 'may lack symmetry' in str(found['a'].error)
    assert 'may lack symmetry' in str(found['b'].error)
    assert 'partly occupied' in str(found['c'].error)
    assert found['d'].error is None
