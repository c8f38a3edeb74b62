"""Folders of files with a table of properties."""

import re
from pathlib import Path

import pytest

from aiida_pesfp.errors import SourceError
from aiida_pesfp.sources.folder import read_folder
from aiida_pesfp.sources.properties import Table
from tests.helpers.crystals import antifluorite, rock_salt


@pytest.fixture
def folder(tmp_path):
    """Two good files, one that is broken, one that is no structure file."""
    rock_salt('Li', 'Cl', 5.13).to(tmp_path / 'LiCl.cif')
    antifluorite('Li', 'O', 4.62).to(tmp_path / 'POSCAR_Li2O', fmt='poscar')
    (tmp_path / 'broken.cif').write_text('nonsense')
    (tmp_path / 'README.md').write_text('nothing')
    return tmp_path


def table_of(folder, text, **columns):
    path = folder / 'table.csv'
    path.write_text(text)
    return Table.load(path, **columns)


def test_a_bad_file_does_not_affect_others(folder):
    entries = {entry.id: entry for entry in read_folder([folder], database='mine', version='3')}
    assert set(entries) == {'LiCl.cif', 'POSCAR_Li2O', 'broken.cif'}
    assert 'cannot be read' in entries['broken.cif'].error
    good = entries['LiCl.cif']
    assert (good.name, good.database, good.database_version, good.error) == ('LiCl', 'mine', '3', None)
    assert good.structure.composition.reduced_formula == 'LiCl'
    assert good.content == (folder / 'LiCl.cif').read_bytes()
    assert entries['POSCAR_Li2O'].structure.composition.reduced_formula == 'Li2O'


def test_the_table_is_matched_by_name_or_stem(folder):
    table = table_of(folder, 'id,band_gap,energy_above_hull\nLiCl,6.2,0.0\nPOSCAR_Li2O,5,\nother,1,0.1\nbroken,1,1\n')
    entries = {entry.id: entry for entry in read_folder([folder], table)}
    assert (entries['LiCl.cif'].band_gap, entries['LiCl.cif'].energy_above_hull) == (6.2, 0.0)
    assert (entries['POSCAR_Li2O'].band_gap, entries['POSCAR_Li2O'].energy_above_hull) == (5.0, None)
    assert set(table.unused) == {'other', 'broken'}


def test_columns_have_any_name(folder):
    table = table_of(
        folder, 'file;name, Eg\n1;2,3\n'.replace(';', '_') + 'LiCl.cif,6.5\n', id_column='file_name', band_gap='Eg'
    )
    entries = {entry.id: entry for entry in read_folder([folder], table)}
    assert entries['LiCl.cif'].band_gap == 6.5


def test_a_line_that_is_broken_affects_itself(folder):
    table = table_of(folder, 'id;band_gap\nLiCl;6.2;1;2;3\nPOSCAR_Li2O;5\n')
    entries = {entry.id: entry for entry in read_folder([folder], table)}
    assert (entries['LiCl.cif'].band_gap, entries['POSCAR_Li2O'].band_gap) == (None, 5.0)
    assert table.problems[0].startswith('line 2: ')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('inf', "band_gap = 'inf' is not a number: correct it, or leave it out"),
        ('1e999', "band_gap = '1e999' is beyond all numbers"),
        ('large', "band_gap = 'large' is not a number"),
        ('6 Ry', "band_gap = '6 Ry' is not a number in a known unit: known are eV, meV"),
        ('>6', "band_gap = '>6' is not a number but a limit"),
        ('8700', "band_gap = '8700' is 8700 eV, not between 0 and 30 eV (check its unit): correct it, or leave it out"),
        ('-0.5', 'is -0.5 eV, not between'),
    ],
)
def test_what_is_no_band_gap_costs_its_structure(folder, text, words):
    table = table_of(folder, f'id,band_gap\nPOSCAR_Li2O,5\nLiCl,{text}\n')
    entries = {entry.id: entry for entry in read_folder([folder], table)}
    assert words in entries['LiCl.cif'].error
    assert entries['POSCAR_Li2O'].band_gap == 5.0


@pytest.mark.parametrize(
    ('text', 'options', 'gap', 'hull'),
    [
        ('id;band_gap;energy_above_hull\nLiCl;6,25;0,01\n', {}, 6.25, 0.01),
        ('# of a colleague\nid\tband_gap\tenergy_above_hull\nLiCl\t6.25\t0.01 eV/atom\n', {}, 6.25, 0.01),
        ('id,band_gap,energy_above_hull\nunit,eV,meV/atom\nLiCl,6.25,10\n', {}, 6.25, 0.01),
        ('id,Eg (meV),hull\n,,\nLiCl,6250,n.a.\n', {'band_gap': 'Eg (meV)', 'energy_above_hull': 'hull'}, 6.25, None),
        ('id,Band_Gap (meV),e_above_hull,sites\nLiCl,6250,0.01,8\n', {}, 6.25, 0.01),
        ('id,bandgap,Ehull (meV/atom)\nLi2O,metal,1\nLiCl,6.25,10\n', {}, 6.25, 0.01),
        ('id,E_hull\nLiCl,-0.3\n', {}, None, -0.3),
        ('Material ID,Band Gap,Is Metal\nLiCl,6.25,False\n', {'id_column': 'Material ID'}, 6.25, None),
        ('id,Eg,mp_gap,mp_x\nLiCl,6.25,8,1\n', {'band_gap': 'Eg', 'ignore': ['mp_*']}, 6.25, None),
        ('id,Band Gap,hull,Is Metal,x [A]\nLiCl,6.25,0.01,1,2\n', {'ignore': ['*']}, 6.25, 0.01),
        ('# id,Egap,Egap_type\nLiCl,6.25,insulator\n', {}, 6.25, None),
        ('# gaps in eV\nid,band_gap,unit,hull\nLiCl,6.25,eV,0.01\n', {}, 6.25, 0.01),
        *((f'id,band_gap\nLiCl,{blank}\n', {}, None, None) for blank in ('', '-', '--', 'nan', 'N/A', 'null')),
    ],
)
def test_tables_as_people_write_them(folder, text, options, gap, hull):
    entries = {entry.id: entry for entry in read_folder([folder], table_of(folder, text, **options))}
    found = entries['LiCl.cif']
    assert (found.error, found.band_gap, found.energy_above_hull) == (None, gap, hull)


def test_what_is_not_used_is_told(folder):
    table = table_of(folder, 'id,Eg (eV),cbm,is_metal,x [A]\nLiCl,6,1,0,2\n', ignore=['cbm', 'x [*'])
    used = "the column 'Eg (eV)' is the band_gap"
    assert table.problems == [used, 'not used are the columns is_metal', 'ignored are the columns cbm, x [A]']


def test_two_columns_of_one_property_agree(folder):
    head = 'id,band_gap,Eg (meV),HSE gap,energy_above_hull,E hull / meV'
    for gap, hull, right in (('6250', '12', True), ('625', '12', False), ('6250', '0.012', False), ('', '', True)):
        table = table_of(folder, f'{head}\nLiCl,6.25,{gap},8.1,0.0123,{hull}\nPOSCAR_Li2O,5,5000,7,0,0\n')
        entries = {entry.id: entry for entry in read_folder([folder], table)}
        assert entries['POSCAR_Li2O'].band_gap == 5.0
        assert entries['LiCl.cif'].band_gap == (6.25 if right else None)
        assert right or "line 2 of the table: the column '" in entries['LiCl.cif'].error


@pytest.mark.parametrize(
    ('head', 'cells', 'kept'),
    [
        *(('E_VBM (eV),E_CBM (eV)', cells, True) for cells in ('-1.05,5.20', '-1.1,5.2', '-1.05,', '-,-')),
        *(('VBM,CBM', cells, False) for cells in ('-1.05,4.2', '0,0.625')),
        *(('HOMO,LUMO', cells, cells[0] == '-') for cells in ('-7.3,-1.05', '3.05,1.05')),
        # A gap is the smaller one of those.
        *(('direct gap (eV),indirect gap (meV)', cells, cells[0] != '4') for cells in ('6.4,6250', '7,-', '4.98,6250')),
        *(('Egap_type', cells, True) for cells in ('insulator-direct', 'unknown', '')),
        *(('Egap_type', cells, False) for cells in ('metal', 'half-metal', 'spin-polarized half-metal')),
    ],
)
def test_what_else_tells_the_gap_agrees(folder, head, cells, kept):
    table = table_of(folder, f'id,band_gap,{head}\nLiCl,6.25,{cells}\n')
    found = {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif']
    assert (found.band_gap, found.error is None) == ((6.25, True) if kept else (None, False))


@pytest.mark.parametrize(
    ('head', 'text', 'hull', 'kept'),
    [
        *((f'energy_per_atom,{hull}', '-3.7,-3.704', 0.004, True) for hull in ('hull_energy_per_atom', 'Hull energy')),
        *(
            (f'energy_per_atom,{hull}', '-2.89,-3.01', 0.012, False)
            for hull in ('hull_energy_per_atom', 'energy of hull')
        ),
        *(('E_form (eV/atom),hull formation energy', text, 0.0, True) for text in ('-2,-2', '-2,-', '-2.1,-2')),
        *(
            ('energy_per_atom,formation_energy_per_atom,hull_energy_per_atom', '-5.00,-1.00,-1.10', hull, hull == 0.1)
            for hull in (0.1, 0.2)
        ),
        *(('E hull / meV', text, 0.12, text == '120') for text in ('120', '12')),
        *(('stability', 'stable', hull, hull < 0.1) for hull in (0.0, 0.02, 0.3)),
        *(('Stability', text, 0.3, True) for text in ('unstable', 'metastable', '1.0', '-0.12', '')),
        *(('is_stable', 'True', hull, hull < 0.1) for hull in (0.0, 0.3)),
        *(('is_stable', 'False', hull, True) for hull in (0.0, 0.001, 0.3)),
        *(('is_stable', text, 0.3, text in ('f', 'N', '✗', '')) for text in ('t', 'f', 'Y', 'N', '✓', '✗', 'oui', '')),
        *(('is_metal', text, 0.3, text in ('t', 'oui')) for text in ('t', 'oui')),
        *(('stability', text, 0.0, text != 'decomposes') for text in ('0.0', 'unstable', 'decomposes')),
    ],
)
def test_what_else_tells_the_stability_agrees(folder, head, text, hull, kept):
    table = table_of(folder, f'id,energy_above_hull,{head}\nLiCl,{hull},{text}\n')
    found = {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif']
    assert (found.energy_above_hull, found.error is None) == ((hull, True) if kept else (None, False))


@pytest.mark.parametrize('text', ['False', 'no', '0', 'f', 'unstable', 'metastable'])
def test_an_unstable_crystal_on_the_hull_is_doubtful(folder, text):
    table = table_of(folder, f'id,energy_above_hull,is_stable\nLiCl,0.0,{text}\n')
    found = {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif']
    words = f'line 2 of the table: is_stable = {text}, but energy_above_hull = 0: is it rounded, or not known?'
    assert words in found.doubts


@pytest.mark.parametrize(
    ('head', 'texts', 'kept'),
    [
        *((head, ('-0.31', '-0.21'), False) for head in ('Hull energy (eV/atom)', 'E_hull')),
        *((head, ('-0.31', '-0.21'), True) for head in ('hull distance', 'energy above hull')),
        ('E_hull', ('-0.31', '0.21'), True),
        ('E_hull', ('-0.31', '0\nLiF,-0.4'), False),
        ('E_hull', ('-0.31', ''), True),
    ],
)
def test_energies_of_the_hull_are_all_negative(folder, head, texts, kept):
    content = f'id,{head}\nLiCl,{texts[0]}\nPOSCAR_Li2O,{texts[1]}\n'
    if not kept:
        with pytest.raises(SourceError, match='are below zero, half are below -0.[23][16] eV/atom: rename it'):
            table_of(folder, content, energy_above_hull=head)
        return
    entries = {entry.id: entry for entry in read_folder([folder], table_of(folder, content, energy_above_hull=head))}
    assert entries['LiCl.cif'].energy_above_hull == -0.31


@pytest.mark.parametrize(
    ('text', 'doubt'),
    [
        *((text, True) for text in ('metastable', '85 meV/atom above the hull', 'decomposes to Li + S', 'insulator')),
        *((text, True) for text in ('unstable, see SI', 'gap of HSE')),
        *((text, True) for text in ('wurtzite', 'gemessen', 'value from the database, relaxed again')),
        *((text, False) for text in ('', 'n/a', 'checked', 'OK')),
    ],
)
def test_remarks_are_told_unless_they_fit(folder, text, doubt):
    table = table_of(folder, f'id,Eg (eV),Ehull,Remarks\nLiCl,6.25,0,"{text}"\nPOSCAR_Li2O,5,0,\n')
    found = {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif']
    assert any(f'line 2 of the table: Remarks = {text!r}' in one for one in found.doubts) == doubt


def test_a_remark_on_all_rows_is_told_once(folder):
    table = table_of(folder, 'id,Eg (eV),Comment\nLiCl,6.25,PBE+U\nPOSCAR_Li2O,5,PBE+U\n')
    assert "all lines have Comment = 'PBE+U': does it fit?" in table.problems
    assert not any(entry.doubts for entry in read_folder([folder], table) if entry.band_gap)


@pytest.mark.parametrize('text', ['Ehull 0.03', 'Ehull 0.03 eV/atom', 'hull energy 0.050'])
def test_a_remark_with_another_number_costs_its_row(folder, text):
    table = table_of(folder, f'id,Eg (eV),Ehull,Remarks\nLiCl,6.25,0.01,"{text}"\n')
    assert 'says 0.0' in {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif'].error


@pytest.mark.parametrize('text', ['hull distances per formula unit', 'VASP, E_hull per f.u.', 'energies per cell'])
def test_energies_of_cells_are_not_those_of_atoms(folder, text):
    with pytest.raises(SourceError, match='per '):
        table_of(folder, f'# PBE, {text}\nid,Eg,Ehull\nLiCl,6.25,0.024\n')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        *((text, 'the file says Li1Br1, its sites give Li1Cl1') for text in ('LiBr (mp-1)', 'calc/LiBr/relax/run.out')),
        *((text, 'romid') for text in ('lithium bromide', 'Lithiumbromid')),
        *((text, 'hlorid') for text in ('sodium chloride', 'Natriumchlorid')),
        *((f'lithium {name}', f'is lithium {name} LiCl?') for name in ('perchlorate', 'azide', 'hydroxide')),
        *(
            (text, None)
            for text in (
                'Lithium chloride',
                'two lithium sites, sodium deposits, lithium rates, lithium halides',
                'mp-22905',
                'ICSD, PBE, VASP',
                'LiCl in Li6PS5Cl and LiPON',
                'Nature Physics',
                'oxidation',
            )
        ),
    ],
)
def test_the_name_of_another_crystal_is_told(folder, text, words):
    table = table_of(folder, f'id,source,Eg (eV)\nLiCl,"{text}",6\nPOSCAR_Li2O,Li2O (mp-2),5\n')
    entries = {entry.id: entry for entry in read_folder([folder], table)}
    assert any(words in one for one in entries['LiCl.cif'].doubts) if words else entries['LiCl.cif'].doubts == ()
    assert entries['POSCAR_Li2O'].doubts == ()


def test_energies_without_a_unit_that_are_large_are_refused(folder):
    with pytest.raises(SourceError, match='above 2.15 eV/atom: write their unit into its name'):
        table_of(folder, 'id,Ehull\nLiCl,1.2\nPOSCAR_Li2O,3.1\n')
    table = table_of(folder, 'id,Ehull (meV/atom)\nLiCl,1.2\nPOSCAR_Li2O,3.1\n')
    assert {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif'].energy_above_hull == 0.0012


def test_rows_of_words_are_like_comments(folder):
    with pytest.raises(SourceError, match='line 2, .* has .*per f.u., but'):
        table_of(folder, 'id,Eg (eV),Ehull (eV)\nComments,PBE0,per f.u.\nLiCl,6.25,0.024\n')


@pytest.mark.parametrize(('a', 'doubt'), [('5.13', False), ('5.20', False), ('5.35', True)])
def test_a_lattice_parameter_that_is_a_little_off_is_told(folder, a, doubt):
    table = table_of(folder, f'id,Eg (eV),a (A)\nLiCl,6.25,{a}\n')
    found = {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif']
    assert (found.band_gap, any(f'a (A) = {float(a):g}' in one for one in found.doubts)) == (6.25, doubt)


@pytest.mark.parametrize('text', ['placeholder until the run ends', 'copied from LiBr', 'SCF not converged'])
def test_a_row_that_does_not_count_is_refused(folder, text):
    table = table_of(folder, f'id,Eg (eV),Notes\nLiCl,6.25,{text}\n')
    assert 'does not count' in {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif'].error


def test_a_gap_of_almost_zero_is_none(folder):
    with pytest.raises(SourceError, match='almost zero'):
        table_of(folder, 'id,band_gap\nLiCl,1.0094e-18\nPOSCAR_Li2O,1.3e-18\n')


@pytest.mark.parametrize('used', ['direct_gap', 'indirect_gap'])
def test_the_gap_is_the_smaller_of_direct_and_indirect(folder, used):
    content = 'id,indirect_gap,direct_gap\nLiCl,6.3,5.1\nPOSCAR_Li2O,5.0,5.0\n'
    entries = {entry.id: entry for entry in read_folder([folder], table_of(folder, content, band_gap=used))}
    assert entries['POSCAR_Li2O'].band_gap == 5.0
    if used == 'direct_gap':
        assert entries['LiCl.cif'].band_gap == 5.1
    else:
        assert 'direct_gap' in entries['LiCl.cif'].error


def test_the_energy_of_the_hull_is_not_that_above_it(folder):
    head = 'id,energy_per_atom,hull_energy_per_atom'
    table = table_of(folder, f'{head},e_above_hull\nLiCl,-2.890,-3.010,0.012\nPOSCAR_Li2O,-4.012,-4.042,0.030\n')
    entries = {entry.id: entry for entry in read_folder([folder], table)}
    words = 'e_above_hull = 0.012, but energy_per_atom - hull_energy_per_atom = 0.12 eV'
    assert words in entries['LiCl.cif'].error
    assert entries['POSCAR_Li2O'].energy_above_hull == 0.03
    assert table.problems == ["the column 'e_above_hull' is the energy_above_hull"]
    table = table_of(folder, f'{head},band_gap\nLiCl,-2.890,-2.902,6.25\n')
    assert table.problems == ['not used are the columns energy_per_atom, hull_energy_per_atom']


def test_an_insulator_has_a_gap(folder):
    table = table_of(folder, 'id,band_gap,Egap_type\nLiCl,0,insulator-indirect\nPOSCAR_Li2O,0,metal\n')
    entries = {entry.id: entry for entry in read_folder([folder], table)}
    assert 'Egap_type = insulator-indirect, but band_gap = 0' in entries['LiCl.cif'].error
    assert entries['POSCAR_Li2O'].band_gap == 0.0


def test_a_metal_costs_its_own_line_wherever_it_stands(folder):
    for lines in ('LiCl,metal\nPOSCAR_Li2O,5\n', 'POSCAR_Li2O,5\nLiCl,metal\n'):
        table = table_of(folder, f'id,band_gap\n{lines}')
        entries = {entry.id: entry for entry in read_folder([folder], table)}
        assert "band_gap = 'metal' is not a number" in entries['LiCl.cif'].error
        assert entries['POSCAR_Li2O'].band_gap == 5.0


def test_two_lines_for_one_file(folder):
    for name, second, gap in (('LiCl', 5, None), ('LiCl.cif', 5, None), ('LiCl', 6, 6.0), ('licl.CIF', '6.0', 6.0)):
        table = table_of(folder, f'id,band_gap\nLiCl,6\n{name},{second}\n')
        found = {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif']
        assert found.band_gap == gap
        assert (gap is None) == (f"lines 2 ('LiCl') and 3 ('{name}') of the table differ" in (found.error or ''))
        assert not table.unused


def test_a_phase_far_below_or_above_the_hull_is_refused(folder):
    for value in (-1.2, 45):
        table = table_of(folder, f'id,energy_above_hull\nother,0\nLiCl,{value}\n')
        entries = {entry.id: entry for entry in read_folder([folder], table)}
        assert f'is {value} eV/atom, not between -0.9 and 5 eV/atom' in entries['LiCl.cif'].error


@pytest.mark.parametrize(
    ('text', 'columns', 'words'),
    [
        ('name,band_gap\nLiCl,6\n', {}, "no column 'id': it has name, band_gap"),
        ('My gaps,\nid,band_gap\nLiCl,6\n', {}, 'first line is the header: begin titles above that with #'),
        ('id,energy\nLiCl,6\n', {}, 'no column band_gap or energy_above_hull: name some of id, energy'),
        ('id,gap_type\nLiCl,6\n', {}, 'no column band_gap or energy_above_hull: name some of id, gap_type'),
        ('id,band_gap,unit\nLiCl,6,eV\nx,6000,meV\n', {}, "column 'unit' has 'meV', but numbers are read in eV: write"),
        ('# gaps in meV\nid,band_gap\nLiCl,6\n', {}, "line 1, '# gaps in meV', has meV, but 'band_gap' is read in eV"),
        ('# gaps in eV, hulls in meV/atom\nid,band_gap,hull\nLiCl,6,1\n', {}, "but 'hull' is read in eV/atom"),
        ('id,gap\nLiCl,6\n', {'band_gap': 'Eg'}, "no column 'Eg'"),
        *(
            (f'# {text}\nid,gap,hull\nLiCl,6,1\n', {}, f'line 1, .* has {unit}, but')
            for text, unit in (
                *(('E_hull in kJ/mol', 'kJ'), ('hulls in eV/f.u.', 'eV/f.u.'), ('gaps in hartree', 'hartree')),
                ('E_hull (eV per Li)', 'eV per Li'),
            )
        ),
        ('id,hull\nLiCl,0.8\nE_hull in meV/atom,\n', {}, "line 3, 'E_hull in meV/atom', has meV/atom"),
        ('id,hull,deprecated\nLiCl,0,False\nx,0,True\n', {}, "'deprecated' has 'True', remove such rows"),
        ('id,E_hull (eV) per Li\nLiCl,1\n', {}, "not understood from 'per Li' on"),
        ('id,band_gap\nLiCl,6\n', {'ignore': ['mp_*', 'id', 'x']}, 'the columns id are used and cannot be ignored'),
        ('id,band_gap\nLiCl,6\n', {'ignore': ['mp_*', 'id*']}, r'there is no column mp_\* to ignore'),
        ('id,Eg,vbm,cbm\nLiCl,6,0,6\n', {'ignore': ['v*']}, "the columns 'cbm' may give"),
        ('', {}, 'is empty'),
        ('id,gap_Ry\nLiCl,0.4\n', {'band_gap': 'gap_Ry'}, "'gap_Ry' is not understood from 'Ry' on"),
        ('id,band_gap\n,10 eV\nLiCl,6\n', {}, "'band_gap', with '10 eV' in its first row, is not understood"),
        ('id,band_gap\nname,gap\n,meV\nLiCl,6\n', {}, "'band_gap' has 'meV' among its numbers: split the table"),
        ('id,band_gap\nunits,Hartree\nLiCl,6\n', {}, "'band_gap', with 'Hartree' in its first row, is not understood"),
        ('id,hull (eV/f.u.)\nLiCl,1\n', {'energy_above_hull': 'hull (eV/f.u.)'}, "not understood from '/f.u."),
        ('id,energy_above_hull\nLiCl,12\nPOSCAR_Li2O,0\nx,30\n', {}, "most numbers .* '12' is 12 eV/atom, not between"),
        ('id,band_gap,band_gap\nLiCl,1,2\n', {}, 'columns band_gap, band_gap may be the band_gap'),
    ],
)
def test_a_table_that_does_not_fit_is_refused(folder, text, columns, words):
    with pytest.raises(SourceError, match=words):
        table_of(folder, text, **columns)


UNKNOWN = [
    # What may tell of another crystal, gap or energy, but is not compared: of readers, and of databases.
    *('Pearson symbol', 'prototype', 'Li (wt%)', 'Vm (cm3/mol)', 'magnetic_ordering', 'is_gap_direct', 'gap_up (eV)'),
    *('E_HOMO (Ha)', 'formation_energy_per_atom', 'decomposes_to', 'decomposition_enthalpy', 'E_form_hull (eV/atom)'),
    *('efermi', 'cbm', 'Egap_fit', 'delta_e', 'spillage', 'Total Magnetization', 'T (K)', 'factor', 'offset', 'mag'),
    *('absorption edge (nm)', '\u03bb [nm]', 'gap (cm^-1)', 'Egap_THz', 'gap / J', 'energy cutoff (eV)', 'IP (eV)'),
    *('hull (kJ/mol/atom)', 'E_hull (mRy/atom)', 'cell', 'method', 'functional', 'supercell', 'energy'),
]


@pytest.mark.parametrize('head', UNKNOWN)
def test_a_column_that_nothing_knows_is_refused_unless_it_is_ignored(tmp_path, head):
    text = f'id,band_gap,energy_above_hull,{head}\nLiCl,6.25,0.01,4\n'
    words = f'the columns {head!r} may give numbers or rows another meaning: take them out, or ignore them: --ignore'
    with pytest.raises(SourceError, match=re.escape(words)):
        table_of(tmp_path, text)
    assert table_of(tmp_path, text, ignore=[head]).problems == [f'ignored are the columns {head}']


def test_several_structures_of_one_file(tmp_path):
    from ase.io import write

    path = tmp_path / 'many.extxyz'
    write(path, [rock_salt('Li', anion, a).to_ase_atoms() for anion, a in (('Cl', 5.13), ('Br', 5.5))], format='extxyz')
    entries = list(read_folder([path]))
    assert [(entry.id, entry.name, entry.index) for entry in entries] == [
        ('many.extxyz#0', 'many#0', 0),
        ('many.extxyz#1', 'many#1', 1),
    ]


SALTS = {'LiF': ('F', 4.03), 'LiCl': ('Cl', 5.13)}


@pytest.mark.parametrize(
    ('files', 'text', 'expected'),
    [
        # Of the Materials Project, with all that its pages export; rows that were mixed up.
        (['LiF.cif', 'LiCl.cif'], 'id,Formula,SG,Sites,Is Metal\nLiF,LiF,225,2,No\nLiCl,LiCl,225,8,0\n', [8, 6]),
        (['LiF.cif', 'LiCl.cif'], 'id,Formula\nLiF,LiCl\nLiCl,Li4Cl4\n', ['says Li1Cl1, its sites give Li1F1', 6]),
        (['LiF.cif', 'LiCl.cif'], 'id,nsites\nLiF,2\nLiCl,5\n', [8, 'line 3 of the table: the file says 5 atoms']),
        (['LiF.cif', 'LiCl.cif'], 'id,is_metal\nLiF,True\nLiCl,False\n', ['is_metal = True, but band_gap = 8', 6]),
        (['LiF.cif', 'LiCl.cif'], 'id,density\nLiF,2.6\nLiCl,2.64\n', [8, 'line 3 of the table: the file says dens']),
        (['LiF.cif', 'LiCl.cif'], 'id,chemsys\nLiF,F-Li\nLiCl,Li-O-P\n', [8, 'its elements are Li, O, P']),
        (['LiF.cif', 'LiCl.cif'], 'id,note\nLiF,PBE\nLiCl,meV\n', [8, "the column 'note', 'meV', has meV"]),
        # Names.
        (['LiF.cif', 'LiCl.cif'], 'id\n./c/LiF.cif\nC:\\data\\licl.CIF\n', [8, 6]),
        (['1234.cif', 'LiCl.cif'], 'id\n001234.0\ncifs/LiCl\n', [8, 6]),
        (['a/LiF.cif', 'b/LiF.cif'], 'id\na/LiF.cif\nb/LiF.cif\n', [8, 6]),
        (['a/LiF.cif', 'b/LiF.cif'], 'id\nb/LiF\nother\n', [None, 8]),
        (['a/LiF.cif', 'b/LiF.cif'], 'id\nLiF.cif\nother\n', ['line 2 of the table may be that', 'b/LiF.cif: write']),
        (['LiF.cif', 'LiF.vasp'], 'id\nLiF\nother\n', ['LiF.cif or', 'LiF.vasp: write the whole name']),
        (['LiF.cif', 'LiF.vasp'], 'id\nLiF.vasp\nx/LiF.cif\n', [6, 8]),
    ],
)  # fmt: skip
def test_a_line_is_that_of_its_crystal_alone(tmp_path, files, text, expected):
    """The first line has a gap of 8 eV, the second one of 6 eV."""
    for name, (anion, a) in zip(files, SALTS.values()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        rock_salt('Li', 'F' if 'LiF' in name else anion, a).to(
            tmp_path / name, fmt='poscar' if 'vasp' in name else 'cif'
        )
    head, first, second = text.splitlines()
    table = table_of(tmp_path, f'{head},band_gap\n{first},8\n{second},6\n')
    for found, value in zip(read_folder([tmp_path / name for name in files], table), expected, strict=True):
        assert value in found.error if isinstance(value, str) else (found.error, found.band_gap) == (None, value)
    assert table.missing == [Path(name).name for name, value in zip(files, expected) if value is None]
    assert ('other' in table.unused) == ('other' in text)


def test_another_space_group_and_a_formula_that_is_not_understood_are_told(folder):
    table = table_of(folder, 'id,compound,sg,band_gap\nLiCl,LLZO,Pnma,6\nPOSCAR_Li2O,beta-Li2O,Fm-3m,5\n')
    entries = {entry.id: entry for entry in read_folder([folder], table)}
    first, second = entries['LiCl.cif'].doubts
    assert "line 2 of the table: compound = 'LLZO' is not understood" in first
    assert 'the space group is number 62, its sites have number 225' in second
    assert entries['POSCAR_Li2O'].doubts == ()


def test_a_line_is_not_that_of_all_structures_of_a_file(tmp_path):
    from ase.io import write

    path = tmp_path / 'many.extxyz'
    write(path, [rock_salt('Li', anion, a).to_ase_atoms() for anion, a in SALTS.values()], format='extxyz')
    table = table_of(tmp_path, 'id,band_gap\nmany,8\nmany#1,6\n')
    assert [entry.band_gap for entry in read_folder([path], table)] == [None, 6.0]
    assert set(table.unused) == {'many'}


def test_what_a_document_says_stays_where_the_table_is_blank(tmp_path):
    import json

    documents = [
        {'material_id': f'mp-{n}', 'structure': rock_salt('Li', 'Cl', 5.13).as_dict(), 'band_gap': 6.0}
        for n in (1, 2, 3)
    ]
    (tmp_path / 'mp.json').write_text(json.dumps(documents))
    table = table_of(tmp_path, 'id,band_gap\nmp-1,\nmp-2,6\nMP_3.cif,8\n')
    entries = list(read_folder([tmp_path / 'mp.json'], table))
    assert [entry.band_gap for entry in entries] == [6.0, 6.0, 8.0]
    assert [entry.doubts for entry in entries[:2]] == [(), ()]
    assert entries[2].doubts == ('its own band_gap is 6.0: that of the table, 8.0, is taken',)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (
            'LiCl,6.25,0\nid,energy_above_hull,band_gap,notes\nPOSCAR_Li2O,0,5\n',
            'line 3 has the names of columns again',
        ),
        ('LiCl,6,25,0,\nPOSCAR_Li2O,5,1,0,\nother,4,1,0,01\n', 'most lines have more cells than the header'),
    ],
)
def test_two_tables_in_one_and_heads_that_do_not_fit_are_refused(folder, text, words):
    with pytest.raises(SourceError, match=words):
        table_of(folder, f'id,band_gap,energy_above_hull,notes\n{text}')


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('LiCl,6.25,0.0,E_hull = 0.085 eV/atom after update', 'says 0.085 eV/atom, the column'),
        ('LiCl,6.25,0.0,Eg: 4 eV by another group', 'says 4 eV, the column'),
        ('LiCl,6.25,-1,', 'is -1 eV/atom, not between'),
        ('LiCl,6.25,0.085,E_hull = 0.085 eV/atom after update', None),
        ('LiCl,6.25,0.0,see the file of Eg', None),
    ],
)
def test_remarks_and_marks_of_missing_values_are_no_numbers_of_the_row(folder, line, words):
    table = table_of(folder, f'id,band_gap,energy_above_hull,notes\n{line}\nPOSCAR_Li2O,5,0,\n')
    entry = {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif']
    assert (entry.error is None) == (words is None)
    assert words is None or words in entry.error


def test_what_was_read_is_shown(folder):
    table = table_of(folder, 'id,Eg (eV),ref,Structure\nLiCl,6.25,[1],wurtzite\nPOSCAR_Li2O,5,[2],\nother,1,[3],\n')
    assert len(list(read_folder([folder], table))) == 3
    shown = [
        {'structure': 'LiCl.cif', 'line': 2, 'band_gap': 6.25, 'beside it': 'ref = [1]; Structure = wurtzite'},
        {'structure': 'POSCAR_Li2O', 'line': 3, 'band_gap': 5.0, 'beside it': 'ref = [2]'},
    ]
    assert sorted(table.taken, key=lambda one: one['line']) == shown
    assert table.unused == {'other': 'other; 1; [3]'}


@pytest.mark.parametrize(
    ('text', 'doubt'),
    [
        ('id,hull distance (eV/atom)\nLiCl,-0.062\nPOSCAR_Li2O,0', 'energy_above_hull = -0.062 eV/atom: is its sign'),
        ('id,band_gap,E_hull (eV/atom)\nLiCl,0.012,4.31\nPOSCAR_Li2O,5,0', 'energy_above_hull = 4.31 eV/atom'),
        ('id,Eg (eV),Structure\nLiCl,6,wurtzite\nPOSCAR_Li2O,5,', "Structure = 'wurtzite'"),
    ],
)
def test_doubtful_lines_are_told(folder, text, doubt):
    entries = {entry.id: entry for entry in read_folder([folder], table_of(folder, f'{text}\n'))}
    assert [f'line 2 of the table: {doubt}' in one for one in entries['LiCl.cif'].doubts] == [True]
    assert not entries['POSCAR_Li2O'].doubts


def test_what_stands_in_no_cell_of_a_crystal_is_shown(folder):
    text = 'id,Eg (eV),ref,"Hinweis: je Formeleinheit"\nP20GPa/LiCl.cif,6.25,%s LiBr,\n,PBE + 1.0,per f.u.,\n' % (
        'A. Smith, ' * 20
    )
    table = table_of(folder, text.replace('A. Smith, ', 'A. Smith; '))
    list(read_folder([folder], table))
    assert "empty are the columns 'Hinweis: je Formeleinheit'" in table.problems
    assert 'line 3: it names no file: PBE + 1.0; per f.u.' in table.problems
    [taken] = table.taken
    assert taken['beside it'].startswith('id = P20GPa/LiCl.cif; ref = A. Smith; ')
    assert taken['beside it'].endswith('A. Smith;  LiBr')


def test_a_line_that_is_too_short_is_not_read(folder):
    table = table_of(folder, 'id\tmp-id\tEg (eV)\tE_hull (eV/atom)\nLiCl\t4.3\t0.031\n')
    assert 'line 2: it has fewer cells than the header: LiCl; 4.3; 0.031: it is not clear which' in table.problems[-1]


def test_a_decimal_comma_elsewhere_makes_points_doubtful(folder):
    table = table_of(folder, 'id;Eg (meV);Dichte\nLiCl;6.250;2,07\n')
    words = 'is 6.250 or 6250: write it without a mark of thousands'
    assert words in {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif'].error


def test_a_second_number_in_a_cell_is_told(folder):
    table = table_of(folder, 'id,Eg (eV),Ehull (eV/atom)\nLiCl,6.25 (13.6),0.0\n')
    found = {entry.id: entry for entry in read_folder([folder], table)}['LiCl.cif']
    assert found.doubts == ("line 2 of the table: band_gap = '6.25 (13.6)' is read with an uncertainty of 13.6",)


def test_flags_are_no_energies(folder):
    with pytest.raises(SourceError, match='has nothing but 0 and 1: ignore it if these are flags'):
        table_of(folder, 'id,gap,hull\nLiCl,6.25,1\nPOSCAR_Li2O,5,0\n')
