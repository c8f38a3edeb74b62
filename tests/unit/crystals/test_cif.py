"""CIF: the crystal that a file describes is read, or nothing. Brucite, Mg(OH)2, and its kin are the examples."""

import re
import warnings

import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser

from aiida_pesfp.crystals.checks import check_crystal, check_distances
from aiida_pesfp.crystals.cif.atoms import _element
from aiida_pesfp.crystals.cif.reader import crystals_of
from aiida_pesfp.crystals.cif.symmetry import _plain, _settings
from aiida_pesfp.crystals.facts import Formula
from aiida_pesfp.errors import (
    AmbiguousSymmetry,
    InconsistentFile,
    InvalidCell,
    OverlappingAtoms,
    PartialOccupancy,
    UnreadableStructure,
)
from aiida_pesfp.text import read_text

BRUCITE = {
    '_space_group_name_H-M_alt': "'P -3 m 1'",
    '_space_group_IT_number': '164',
    '_chemical_formula_sum': "'H2 Mg O2'",
    '_cell_formula_units_Z': '1',
    '_cell_length_a': '3.142',
    '_cell_length_b': '3.142',
    '_cell_length_c': '4.766',
    '_cell_angle_alpha': '90',
    '_cell_angle_beta': '90',
    '_cell_angle_gamma': '120',
}
ATOMS = ['Mg1 Mg 0 0 0 1', 'O1 O 0.33333 0.66667 0.2203 1', 'H1 H 0.33333 0.66667 0.4303 1']
COLUMNS = ('label', 'type_symbol', 'fract_x', 'fract_y', 'fract_z', 'occupancy')
OPERATIONS = (
    *('x,y,z', '-y,x-y,z', '-x+y,-x,z', 'y,x,-z', 'x-y,-y,-z', '-x,-x+y,-z'),
    *('-x,-y,-z', 'y,-x+y,-z', 'x-y,x,-z', '-y,-x,z', '-x+y,y,z', 'x,x-y,z'),
)


def cif(atoms=ATOMS, operations=OPERATIONS, columns=COLUMNS, name='data_x', **changes):
    """A CIF of brucite with changes; ``None`` leaves an item out. ``-`` of a tag is written ``__`` in its keyword."""
    items = BRUCITE | {'_' + tag.replace('__', '-'): value for tag, value in changes.items()}
    lines = [name, *(f'{tag} {value}' for tag, value in items.items() if value is not None)]
    if operations:
        lines += ['loop_', '_space_group_symop_operation_xyz', *(f"'{one}'" for one in operations)]
    lines += ['loop_', *(f'_atom_site_{column}' for column in columns), *atoms, '']
    return '\n'.join(lines)


def settings_of(name):
    """All settings that a name can mean."""
    return _settings()[0].get(_plain(name), ())


def read(text):
    """The one crystal of a text, and the doubts."""
    [make] = crystals_of(text)
    return make()


def test_the_example_is_brucite_without_doubt():
    structure, doubts = read(cif())
    assert structure.composition.formula == 'Mg1 H2 O2'
    assert structure.density == pytest.approx(2.377, abs=0.01)
    assert doubts == ()


@pytest.mark.parametrize(
    ('atoms', 'changes', 'error', 'words'),
    [
        (ATOMS[:2], {}, InconsistentFile, r'says Mg1H2O2 \(Z = 1\), its sites give Mg1O2: add the sites of H'),
        ([*ATOMS[:2], 'H1 H ? ? ? 1'], {}, UnreadableStructure, 'H1 .* has no position'),
        ([*ATOMS[:2], 'H1 H 1e11 0 0 1'], {}, UnreadableStructure, 'no position .1e11, 0, 0'),
        ([*ATOMS[:2], 'H1 H . . . .'], {}, UnreadableStructure, r'atom H1 \(H\) has no position'),
        ([ATOMS[0], 'O1 O-H 0.33333 0.66667 0.2203 1'], {}, UnreadableStructure, "atom O1: .* 'O-H' is no element"),
        ([ATOMS[0], 'O1 Wat 0.33333 0.66667 0.2203 1'], {}, UnreadableStructure, 'Wat'),
        (ATOMS, {'cell_formula_units_Z': '2'}, InconsistentFile, r'\(Z = 2\), its sites give Mg1H2O2'),
        (ATOMS, {'chemical_formula_sum': "'H2 Zn O2'"}, InconsistentFile, 'add the sites of Zn'),
        (ATOMS, {'chemical_formula_sum': "'H2 Mg2 O2'"}, InconsistentFile, 'Mg2H2O2'),
        (ATOMS, {'cell_volume': '81.5'}, InconsistentFile, r'81\.50 A\^3, its lengths and angles give 40\.7'),
        (
            ATOMS[:2],
            {'chemical_formula_sum': None, 'exptl_crystal_density_diffrn': '2.377(2)'},
            InconsistentFile,
            r'density is 2\.377 g/cm3, its sites give 2\.29',
        ),
        (
            ATOMS[:2],
            {'chemical_formula_sum': '?', 'chemical_formula_weight': '58.32'},
            InconsistentFile,
            'formula weight is 58.32, its sites give 56.30 for this Z',
        ),
        (ATOMS[:2], {'chemical_formula_sum': None, 'chemical_formula_structural': 'Mg(OH)2'}, InconsistentFile, 'H'),
        (ATOMS, {'cell_angle_gamma': '90'}, InconsistentFile, 'the cell does not have the symmetry of its 12 listed'),
        (ATOMS, {'cell_angle_alpha': '20', 'cell_angle_beta': '20'}, InvalidCell, 'the cell has a volume of'),
        (ATOMS, {'cell_angle_beta': '190'}, InvalidCell, '_cell_angle_beta is missing or impossible'),
        (ATOMS, {'cell_length_c': '?'}, InvalidCell, '_cell_length_c is missing'),
        ([*ATOMS, 'Li1 Li 0 0 0 1'], {}, OverlappingAtoms, r'several atoms \(Mg, Li\) share one site'),
        ([ATOMS[0], 'O1 O 0.33333 0.66667 0.2203 1.5', ATOMS[2]], {}, UnreadableStructure, 'an occupancy of 1.5'),
        (
            ATOMS[:2],
            {'chemical_formula_sum': None, 'chemical_formula_moiety': "'Mg 2+, 2(O H 1-)'"},
            InconsistentFile,
            'add the sites of H',
        ),
        (ATOMS, {'chemical_formula_sum': "'H2 Mg O2 . 2(H2 O)'"}, InconsistentFile, 'the file says Mg1H6O4'),
        *[
            (ATOMS, {tag: value}, UnreadableStructure, 'modulated')
            for tag, value in {
                'cell_modulation_dimension': '1', 'cell_wave_vector_x': '0.31', 'space_group_ssg_name': 'P2(0b0)',
                'atom_site_displace_Fourier_axis': 'x', 'atom_site_Fourier_wave_vector_seq_id': '1',
                'atom_site_occ_Fourier_atom_site_label': 'Mg1', 'atom_site_displace_special_func_sawtooth_ax': '.1',
            }.items()
        ],
        (ATOMS, {'cell_length_c': '4.766\n_cell_length_c 4.667'}, UnreadableStructure, 'gives _cell_length_c twice'),
        (
            [*ATOMS[:2], 'H1 H 0.33333 0.66667 0.4303 0'],
            {'chemical_formula_sum': None},
            UnreadableStructure,
            'H1 has an occupancy of 0, so no H is left',
        ),
        ([ATOMS[0], 'O1 O 0.3333 0.6767 0.2203 1', ATOMS[2]], {}, OverlappingAtoms, 'O1 are within .* more digits'),
        (
            ATOMS[:2],
            {'chemical_formula_sum': None, 'exptl_crystal_F_000': '30'},
            InconsistentFile,
            'the cell has 30 electrons .*, its sites give 28',
        ),
        (ATOMS, {'chemical_formula_sum': "'H4 Mg2 O4'"}, InconsistentFile, 'the file says Mg2H4O4'),
        (
            ATOMS,
            {'chemical_formula_sum': "'H4 Mg2 O4'", 'cell_formula_units_Z': None},
            InconsistentFile,
            'the file says Mg2H4O4',
        ),
    ],
)  # fmt: skip
def test_what_contradicts_the_file_is_refused(atoms, changes, error, words):
    with pytest.raises(error, match=words):
        read(cif(atoms, **changes))


@pytest.mark.parametrize(
    ('atoms', 'changes', 'doubt'),
    [
        ([line.rsplit(' ', 1)[0] + ' .' for line in ATOMS], {}, None),
        ([line.rsplit(' ', 1)[0] + ' ?' for line in ATOMS], {}, None),
        ([*ATOMS, 'Li1 Li 0.1 0.2 0.5 .'], {}, 'Li1: without an occupancy, taken for absent'),
        ([*ATOMS, 'Li1 Li 0.1 0.2 0.5 0'], {}, None),
        (['Mg1 Mg2+ 0 0 0 1', 'O1 O2- 0.33333 0.66667 0.2203 1', ATOMS[2]], {}, None),
        (['Mg1 24Mg 0 0 0 1', *ATOMS[1:]], {}, None),
        ([*ATOMS[:2], 'D1 D 0.33333 0.66667 0.4303 1'], {'chemical_formula_sum': "'D2 Mg O2'"}, 'D1: taken for H'),
        ([*ATOMS[:2], 'D1 D 0.33333 0.66667 0.4303 1'], {'exptl_crystal_density_diffrn': '2.46'}, 'D1: taken for H'),
        (['MG1 MG 0 0 0 1', *ATOMS[1:]], {}, 'MG1: taken for Mg'),
        ([ATOMS[0], 'O1 O 0.333 0.667 0.2203 1', 'H1 H 0.33 0.67 0.4303 1'], {}, 'O1: put at a special position'),
        ([ATOMS[0], 'O1 O 1/3 2/3 0.2203 1', ATOMS[2]], {}, None),
        (['Mg1 Mg 0 0 0 0.9999', *ATOMS[1:]], {}, 'Mg1: its occupancy of 0.9999 was taken for 1'),
        (['Mg1 Mg 0 0 0 1.02', *ATOMS[1:]], {}, 'Mg1: its occupancy of 1.02 was taken for 1'),
        (ATOMS, {'chemical_formula_sum': "'MG1 O2 H2'"}, None),
        (ATOMS, {'chemical_formula_sum': None, 'chemical_formula_moiety': "'Mg 2+, 2(O H 1-)'"}, None),
        (ATOMS, {'cell_volume': '40.75(3)', 'exptl_crystal_density_diffrn': '2.376'}, None),
        (ATOMS, {'cell_angle_alpha': None, 'cell_angle_beta': None}, None),
        (ATOMS, {'cell_volume': '40.75', 'exptl_crystal_density_diffrn': '2.7'}, 'the density is 2.7 g/cm3, its sites'),
        (ATOMS, {'cell_volume': '40.75', 'chemical_formula_weight': '56.3'}, 'the formula weight is 56.3, its sites'),
        (ATOMS, {'space_group_name_H__M_alt': 'P -3 m 1'}, 'has no quotes'),
        (ATOMS, {'space_group_name_H__M_alt': "'P -3 m q'"}, "the space group 'P -3 m q' is not known"),
        (ATOMS, {'pd_phase_name': 'LiCl'}, None),  # the formula counts
        (ATOMS, {'publ_author_name': "'M\u00fcller \u2013 M\u00f8ller'"}, None),
    ],
)  # fmt: skip
def test_odd_but_right_files_are_read(atoms, changes, doubt):
    structure, doubts = read(cif(atoms, **changes))
    assert same_sites(structure, read(cif())[0])
    assert doubts == () if doubt is None else doubt in doubts[0]


@pytest.mark.parametrize(('numbers', 'right'), [('122', True), ('266', False), ('234', False), ('1266', True)])
def test_numbers_of_atoms_that_the_symmetry_does_not_give(numbers, right):
    """Some programs write the order of the site for the number of atoms: 12, 6 and 6."""
    numbers = ['12', '6', '6'] if numbers == '1266' else list(numbers)
    columns, unsure = (*COLUMNS, 'symmetry_multiplicity'), {'chemical_formula_sum': None}
    text = cif([f'{atom} {number}' for atom, number in zip(ATOMS, numbers)], columns=columns, **unsure)
    if right:
        assert same_sites(read(text)[0], read(cif())[0])
    else:
        with pytest.raises(InconsistentFile, match='the file says that the cell has . atoms'):
            read(text)


#: Vectors of the cell of brucite along axes of our own: a along y, c along x.
AXES = np.array([[0, 3.142, 0], [0, -1.571, 2.72105], [4.766, 0, 0]])


@pytest.mark.parametrize(
    ('matrix', 'words'),
    [(AXES, None), (None, 'along unknown axes'), (AXES[[0, 2, 1]], 'along unknown axes'), (AXES * 1.1, 'unknown axes')],
)
def test_cartesian_coordinates_alone(matrix, words):
    columns = ('label', 'type_symbol', 'Cartn_x', 'Cartn_y', 'Cartn_z', 'occupancy')
    atoms = []
    for label, symbol, *place, fill in map(str.split, ATOMS):
        atoms.append(' '.join([label, symbol, *(f'{x:.4f}' for x in np.array(place, float) @ AXES), fill]))
    # A vector is a column.
    numbers = {} if matrix is None else {f'{i + 1}{j + 1}': matrix[j][i] for i in range(3) for j in range(3)}
    tags = {f'atom_sites_Cartn_tran_matrix_{key}': str(number) for key, number in numbers.items()}
    if words is None:
        assert same_sites(read(cif(atoms, columns=columns, **tags))[0], read(cif())[0])
        origin = {'atom_sites_Cartn_tran_vector_1': '4.766'}
        assert same_sites(read(cif(atoms, columns=columns, **tags, **origin))[0], read(cif())[0])
        inverse = np.linalg.inv(AXES)
        tags = {f'atom_sites_fract_tran_matrix_{i + 1}{j + 1}': str(inverse[j, i]) for i in range(3) for j in range(3)}
        assert same_sites(read(cif(atoms, columns=columns, **tags))[0], read(cif())[0])
        origin = {'atom_sites_fract_tran_vector_3': '-1'}
        assert same_sites(read(cif(atoms, columns=columns, **tags, **origin))[0], read(cif())[0])
    else:
        with pytest.raises(UnreadableStructure, match=words):
            read(cif(atoms, columns=columns, **tags))


def test_cartesian_coordinates_in_a_cell_of_right_angles():
    atoms = ['Li1 Li 0 0 0', 'Cl1 Cl 1.25 1.50 2.0']
    cell = {'cell_length_a': '2.5', 'cell_length_b': '3', 'cell_length_c': '4', 'cell_angle_gamma': '90'}
    unnamed = {'space_group_name_H__M_alt': None, 'space_group_IT_number': None}
    columns = ('label', 'type_symbol', 'Cartn_x', 'Cartn_y', 'Cartn_z')
    found, _ = read(cif(atoms, ['x,y,z'], columns, chemical_formula_sum="'Li Cl'", **cell, **unnamed))
    np.testing.assert_allclose(sorted(found.frac_coords.tolist()), [[0] * 3, [0.5] * 3])


@pytest.mark.parametrize(
    ('fractions', 'words'),
    [('? ? ?', None), ('1/2 1/2 1/2', None), ('1/2 0.5 ?', 'no position'), ('0.5 0.5 0.6', 'contra')],
)
def test_both_kinds_of_coordinates(fractions, words):
    atoms = [f'Li1 Li 0 0 0 {"0 0 0" if fractions[0] != "?" else fractions}', f'Cl1 Cl 1.25 1.50 2.0 {fractions}']
    cell = {'cell_length_a': '2.5', 'cell_length_b': '3', 'cell_length_c': '4', 'cell_angle_gamma': '90'}
    unnamed = {'space_group_name_H__M_alt': None, 'space_group_IT_number': None}
    columns = ('label', 'type_symbol', *(f'{kind}_{axis}' for kind in ('Cartn', 'fract') for axis in 'xyz'))
    text = cif(atoms, ['x,y,z'], columns, chemical_formula_sum="'Li Cl'", **cell, **unnamed)
    if words is None:
        np.testing.assert_allclose(sorted(read(text)[0].frac_coords.tolist()), [[0] * 3, [0.5] * 3])
    else:
        with pytest.raises(UnreadableStructure, match=words):
            read(text)


@pytest.mark.parametrize('drop', [None, 'H2', 'O2'])
def test_all_atoms_of_a_named_group_without_its_operations(drop):
    """With all atoms of the cell, the one operation that is listed is enough; with some of them, it is not."""
    atoms = [*ATOMS, 'O2 O 0.66667 0.33333 0.7797 1', 'H2 H 0.66667 0.33333 0.5697 1']
    text = cif([one for one in atoms if one[:2] != drop], ['x,y,z'], chemical_formula_sum=None)
    if drop is None:
        assert same_sites(read(text)[0], read(cif())[0])
    else:
        with pytest.raises(InconsistentFile, match='its symmetry may be'):
            read(text)


def test_atoms_that_are_an_eighth_of_a_named_cell_are_not_whole():
    """Scaled, a simple cubic lattice is another one; its operations make eight atoms of one."""
    cube = dict.fromkeys(('cell_length_a', 'cell_length_b', 'cell_length_c'), '6.72') | {'cell_angle_gamma': '90'}
    named = {'space_group_name_H__M_alt': "'F m -3 c'", 'space_group_IT_number': '226', 'chemical_formula_sum': None}
    with pytest.raises(InconsistentFile, match='its symmetry may be'):
        read(cif(['Po1 Po 0 0 0 1'], ['x,y,z'], **cube, **named))


def test_occupancies_of_some_atoms_only():
    """Such a statement names the atoms without, a few of them; if no atom has any, they are all full."""
    some, none = (
        [f'{line.rsplit(" ", 1)[0]} {"1" if line.startswith(full) else "?"}' for line in ATOMS] for full in ('Mg', 'X')
    )
    unsure = {'chemical_formula_sum': None, 'cell_formula_units_Z': None}
    assert read(cif(none, **unsure))[1] == ()
    assert read(cif(some, **unsure))[1] == tuple(
        f'{one}: without an occupancy, unlike others, taken for full' for one in ('O1', 'H1')
    )


def test_an_operation_with_a_wrong_translation_is_not_a_symmetry():
    wrong = tuple(one.replace('-y,-x,z', '-y,-x,z+1/2') for one in OPERATIONS)
    with pytest.raises(InconsistentFile, match='are not a group'):
        read(cif(operations=wrong, space_group_name_H__M_alt=None, space_group_IT_number=None))


def test_several_cells_in_a_loop():
    text = cif().replace('_cell_length_c 4.766', 'loop_ _cell_length_c 4.766 4.9\n_a b')
    with pytest.raises(UnreadableStructure, match='2 cells in a loop'):
        read(text)


def test_alternatives_in_disorder_are_not_both_there():
    columns, unsure = (*COLUMNS, 'disorder_assembly', 'disorder_group'), {'chemical_formula_sum': None}
    both = [f'{ATOMS[0]} . .', f'{ATOMS[1]} A 1', f'{ATOMS[2]} A 2']
    with pytest.raises(UnreadableStructure, match='O1 and H1 are alternatives'):
        read(cif(both, columns=columns, **unsure))
    one = [f'{ATOMS[0]} . .', f'{ATOMS[1]} A 1', f'{ATOMS[2]} A 1']
    structure, doubts = read(cif(one, columns=columns, **unsure))
    assert same_sites(structure, read(cif())[0])
    assert doubts == tuple(f'{label}: there, though in a group of disorder' for label in ('O1', 'H1'))


def test_labels_without_types():
    columns, atoms = (
        COLUMNS[:1] + COLUMNS[2:],
        ['Mg1A 0 0 0 1', 'OW1 0.33333 0.66667 0.2203 1', 'Hdot1 0.33333 0.66667 0.4303 1'],
    )
    structure, doubts = read(cif(atoms, columns=columns))
    assert same_sites(structure, read(cif())[0])
    assert doubts == ('OW1: taken for O', 'Hdot1: taken for H')


@pytest.mark.parametrize(
    ('label', 'symbol', 'formula', 'element'),
    [
        ('CA1', '?', 'CH', 'C'),
        ('CA1', '?', ['Ca', 'O'], 'Ca'),
        ('Ca1', '?', '', 'Ca'),
        ('HO1', '?', 'HO', 'H'),
        ('Na(1)', '?', '', 'Na'),
        ('X', 'CO', ['Co', 'O'], 'Co'),
        ('Fe1', 'Fe+3', '', 'Fe'),
        ('CA1', '?', '', None),
        ('X', 'NH', '', None),
        ('M1', '?', '', None),
        ('T1', '?', '', None),
        ('Wat', '?', 'HO', None),
        ('Wat', '?', 'WO', 'W'),
        ('Oa', '?', '', 'O'),
        ('O1', 'OH', '', None),
    ],
)
def test_the_element_of_an_atom(label, symbol, formula, element):
    if element is None:
        with pytest.raises(UnreadableStructure):
            _element(label, symbol, set(formula))
    else:
        assert _element(label, symbol, set(formula))[0] == element


@pytest.mark.parametrize(
    ('text', 'counts'),
    [
        ('C12 H22 O11', {'C': 12, 'H': 22, 'O': 11}),
        ('LiCl', {'Li': 1, 'Cl': 1}),
        ('Li6.75(2) La3 Zr1.75 O12', {'Li': 6.75, 'La': 3, 'Zr': 1.75, 'O': 12}),
        ('LI2 S', {'Li': 2, 'S': 1}),
        ('Li (Al Cl4)', {'Li': 1, 'Al': 1, 'Cl': 4}),
        ('D2 O', {'H': 2, 'O': 1}),
        ('SI1 O2', None),  # silica or sulfur, iodine and oxygen
        ('2(C6 H6), Cl', {'C': 12, 'H': 12, 'Cl': 1}),
        ('Li Cl . 1.5H2O', {'Li': 1, 'Cl': 1, 'H': 3, 'O': 1.5}),
        ('CaSO4.2H2O', {'Ca': 1, 'S': 1, 'O': 6, 'H': 4}),
        ('Li O H . (H2 O)', {'Li': 1, 'O': 2, 'H': 3}),
        ('Li6.4 La3 Zr2 O12', {'Li': 6.4, 'La': 3, 'Zr': 2, 'O': 12}),
        ('Li +, H O -', {'Li': 1, 'H': 1, 'O': 1}),
        ('unknown', None),
    ],
)
def test_formulas(text, counts):
    found = Formula.read(text)
    assert (found and found.counts) == counts


def test_the_names_of_newer_dictionaries_have_a_dot():
    dotted = re.sub(r'_(cell|space_group_symop|space_group|chemical_formula|atom_site)_(?=[a-zIH])', r'_\1.', cif())
    assert '_cell.length_a' in dotted
    assert '_space_group_symop.operation_xyz' in dotted
    assert same_sites(read(dotted)[0], read(cif())[0])
    with pytest.raises(InconsistentFile, match='says Mg2H2O2'):
        read(dotted.replace('H2 Mg O2', 'H2 Mg2 O2'))


@pytest.mark.parametrize(('counts', 'right'), [('1 2 2', True), ('1 2 1', False)])
def test_the_atoms_of_the_cell_by_their_types(counts, right):
    rows = ''.join(f'{one} {count}\n' for one, count in zip(('Mg2+', 'O2-', 'H'), counts.split()))
    loop = f'loop_\n_atom_type_symbol\n_atom_type_number_in_cell\n{rows}'
    text = cif(chemical_formula_sum=None).replace('loop_', f'{loop}loop_', 1)
    if right:
        assert same_sites(read(text)[0], read(cif())[0])
    else:
        with pytest.raises(InconsistentFile, match='the cell has Mg1H1O2, its sites give Mg1H2O2'):
            read(text)


def test_a_column_of_occupancies_with_another_name():
    with pytest.raises(UnreadableStructure, match='_atom_site_occ is not known: name the occupancies'):
        read(cif(columns=(*COLUMNS[:-1], 'occ')))


def test_a_formula_that_is_not_understood_is_told():
    assert read(cif(chemical_formula_sum="'Brucite'"))[1] == ("the formula 'Brucite' is not understood",)


def test_partly_occupied_sites_are_compared_within_their_digits():
    atoms = ['Mg1 Mg 0 0 0 0.67', 'Zn1 Zn 0 0 0 0.33', *ATOMS[1:]]
    structure, _ = read(cif(atoms, chemical_formula_sum="'H2 Mg0.667 O2 Zn0.333'"))
    assert not structure.is_ordered
    with pytest.raises(InconsistentFile):
        read(cif(atoms, chemical_formula_sum="'H2 Mg0.5 O2 Zn0.5'"))


def test_blocks_without_atoms_are_skipped_and_one_that_is_wrong_harms_no_other():
    global_ = "data_global\n_journal_name_full 'A journal'\n"
    text = global_ + cif(name='data_a') + cif(ATOMS[:2], name='data_b') + cif(name='data_c') + 'data_end\n_a 1\n'
    first, second, third = crystals_of(text)
    with pytest.raises(InconsistentFile):
        second()
    assert same_sites(first()[0], third()[0])
    assert crystals_of(global_) == []


def test_a_displaced_line_is_refused_by_its_number():
    text = cif().replace('_cell_length_c 4.766', 'H2 H 0.1 0.2 0.3 1')
    with pytest.raises(UnreadableStructure, match='line 8'):
        crystals_of(text)


def test_a_group_without_operations_or_with_the_identity_alone():
    for operations in ((), ('x,y,z',), ('x, y, z', '-x, -y, -z')):
        structure, doubts = read(cif(operations=operations))
        assert same_sites(structure, read(cif())[0])
        assert bool(doubts) == (operations == ('x,y,z',))  # inversion alone gives the same crystal
    with pytest.raises(InconsistentFile, match=r'x,y,z.* or P -3 m 1.*list all symmetry operations'):
        read(cif(operations=('x,y,z',), cell_formula_units_Z=None))


def test_a_file_that_lists_all_atoms_beside_the_name_of_their_group():
    atoms = ['Mg1 Mg 0 0 0 1']
    atoms += [f'{e}{k} {e} {x}' for e, z in (('O', 0.2203), ('H', 0.4303)) for k, x in enumerate(
        (f'0.333333 0.666667 {z} 1', f'0.666667 0.333333 {1 - z} 1'))]  # fmt: skip
    structure, doubts = read(cif(atoms, operations=('x,y,z',)))
    assert same_sites(structure, read(cif())[0])
    assert doubts == ()


def test_names_that_exclude_each_other_and_no_symmetry_at_all():
    with pytest.raises(InconsistentFile, match='exclude each other: P -3 m 1, number 166'):
        read(cif(space_group_IT_number='166'))
    nameless = {'space_group_name_H__M_alt': None, 'space_group_IT_number': None}
    with pytest.raises(InconsistentFile):
        read(cif(operations=(), **nameless))


def test_the_axes_of_r_and_of_monoclinic_groups_follow_from_the_cell():
    changes = {
        'space_group_name_H__M_alt': "'R -3 m'",
        'space_group_IT_number': None,
        'chemical_formula_sum': "'Ni O2'",
    }
    atoms = ['Ni1 Ni 0 0 0 1', 'O1 O 0 0 0.27 1']
    hexagonal, _ = read(cif(atoms, (), **changes, cell_formula_units_Z='3', cell_length_c='14.0'))
    cell = {f'cell_length_{axis}': '5.009' for axis in 'abc'} | {
        f'cell_angle_{angle}': '36.552' for angle in ('alpha', 'beta', 'gamma')
    }
    atoms = ['Ni1 Ni 0 0 0 1', 'O1 O 0.27 0.27 0.27 1']
    rhombohedral, _ = read(cif(atoms, (), **changes, **cell))
    assert hexagonal.composition == 3 * rhombohedral.composition
    assert hexagonal.volume == pytest.approx(3 * rhombohedral.volume, rel=2e-3)


def test_two_readers_that_disagree_are_told_when_nothing_decides():
    """OH2 is oxygen by its first letter, and no element for the other reader."""
    columns, nameless = COLUMNS[:1] + COLUMNS[2:], {'chemical_formula_sum': None, 'cell_formula_units_Z': None}
    with pytest.raises(InconsistentFile, match='two readers find different crystals'):
        read(cif(['Mg1 0 0 0 1', 'OH2 0.333333 0.666667 0.25 1'], columns=columns, **nameless))
    # A reader that keeps dummies, or does not join images of rounded places, says nothing.
    with_dummy = cif(['Mg1 Mg 0 0 0 1 Uiso', 'X1 X 0 0 0.5 1 dum'], columns=(*COLUMNS, 'calc_flag'), **nameless)
    assert read(with_dummy)[0].composition.formula == 'Mg1'
    structure, _ = read(cif(['Mg1 Mg 0 0 0 1', 'O1 O 0.333 0.666667 0.25 1'], **nameless))
    assert structure.composition.formula == 'Mg1 O2'


@pytest.mark.parametrize('hall_number', range(1, 531))
def test_the_operations_of_each_setting_are_those_of_spglib(hall_number):
    row = spglib.get_spacegroup_type(hall_number)
    name = row.international_full + (f':{row.choice}' if row.choice else '')
    expected = spglib.get_symmetry_from_database(hall_number)
    wanted = {operation_key(*pair) for pair in zip(expected['rotations'], expected['translations'], strict=True)}
    assert wanted in [
        {operation_key(np.array(one.rot) // one.DEN, np.array(one.tran) / one.DEN) for one in setting.operations}
        for setting in settings_of(name)
    ]


def operation_key(rotation, translation):
    return tuple(rotation.ravel().tolist()), tuple((np.rint(translation * 24).astype(int) % 24).tolist())


@pytest.mark.parametrize('first', range(1, 11))
def test_no_setting_is_read_wrong_from_its_name_alone(first):
    """Each tenth of the 530 settings, by its names: right, or refused where the name has several meanings."""
    for hall_number in range(first, 531, 10):
        crystal, place = generic(hall_number)
        row = spglib.get_spacegroup_type(hall_number)
        choice = f':{row.choice}' if row.choice in ('1', '2', 'H', 'R') else ''
        full, short = row.international_full, row.international.split(' = ')[-1]
        if 3 <= row.number <= 15:
            short = ' '.join(part for part in full.split() if part != '1')
        for name in {full + choice, short.replace(' ', '').replace('_', '') + choice, short}:
            cell = dict(zip(list(BRUCITE)[4:], crystal.lattice.parameters, strict=True))
            cell = {tag[1:]: f'{number:.6f}' for tag, number in cell.items()}
            atom = 'Li1 Li ' + ' '.join(f'{x:.6f}' for x in place) + ' 1'
            text = cif([atom], (), space_group_name_H__M_alt=f"'{name}'", space_group_IT_number=None,
                       chemical_formula_sum='Li', cell_formula_units_Z=len(crystal), **cell)  # fmt: skip
            try:
                structure, _ = read(text)
            except AmbiguousSymmetry:
                meant = settings_of(name)
                assert len(meant) > 1, (hall_number, name)
            else:
                assert same_sites(structure, crystal, 1e-3), (hall_number, name)


def generic(hall_number):
    """A crystal of one atom in a general position of a setting, and the position."""
    symmetry = spglib.get_symmetry_from_database(hall_number)
    metric = 6 * np.array([[64, 3.1, -5.3], [3.1, 81, 4.7], [-5.3, 4.7, 110]])
    metric = np.mean([rotation.T @ metric @ rotation for rotation in symmetry['rotations']], axis=0)
    lattice = Lattice(np.linalg.cholesky(metric))
    random = np.random.default_rng(hall_number)
    crystals = []
    for place in np.round(random.random((40, 3)), 6):
        places = (symmetry['rotations'] @ place + symmetry['translations']) % 1
        apart = places[1:] - places[0]
        distance = np.linalg.norm((apart - np.rint(apart)) @ lattice.matrix, axis=-1).min(initial=9.0)
        crystals.append((distance, place.tolist(), Structure(lattice, ['Li'] * len(places), places)))
    distance, place, crystal = max(crystals, key=lambda one: one[0])
    assert distance > 1.6
    return crystal, place


@pytest.mark.parametrize(
    ('name', 'numbers'),
    [
        ('P2(1)/c', {14}),
        ('P 21/n', {14}),
        ('B 2/m', {12}),
        ('C m c a', {64}),
        ('F m 3 m', {225}),
        ('Fd-3m:2', {227}),
        ('F d -3 m Z', {227}),
        ('R -3 m H', {166}),
        ('P6_3/mmc', {194}),
        ('C -1', {2}),
        ('F 4/m m m', {139}),
        ('P 1 21/q 1', set()),
    ],
)
def test_names_of_groups(name, numbers):
    assert {one.number for one in settings_of(name)} == numbers


def test_every_name_means_one_group():
    several = {name for name, meant in _settings()[0].items() if len({one.number for one in meant}) > 1}
    assert several == set()


def same_sites(first, second, tolerance=0.02):
    """Whether two structures have the same cell and atoms, compared one by one."""
    if first.composition != second.composition or not np.allclose(
        first.lattice.parameters, second.lattice.parameters, atol=1e-3
    ):
        return False
    for element in first.symbol_set:
        places = [np.array([s.frac_coords for s in one if s.specie.symbol == element]) for one in (first, second)]
        apart = places[0][:, None] - places[1][None]
        if np.linalg.norm((apart - np.rint(apart)) @ first.lattice.matrix, axis=-1).min(axis=1).max() > tolerance:
            return False
    return True


@pytest.mark.parametrize(
    ('file', 'outcome'),
    [
        *[(f'cif_formula_disagrees/lioh_{name}', 'cif_formula_disagrees/lioh_right') for name in ('right', 'occdotH')],
        ('cif_formula_disagrees/lioh_noH', InconsistentFile),
        ('cif_formula_disagrees/lioh_attachedH', UnreadableStructure),
        ('cif_formula_disagrees/lioh_Hdot1', UnreadableStructure),
        ('cif_symmetry_disagrees/lioh_noops_2', 'cif_formula_disagrees/lioh_right'),
        ('cif_symmetry_disagrees/lialcl4_n', 'cif_symmetry_disagrees/lialcl4_n_ops'),
        ('cif_symmetry_disagrees/lialcl4_n_full', 'cif_symmetry_disagrees/lialcl4_n_ops'),
        *[
            (f'cif_valid_but_refused/{name}', 'cif_valid_but_refused/li3n_6')
            for name in ('global_first', 'global_last', 'powder', 'bom', 'occ_over', 'li3n_3')
        ],
        *[(f'cif_valid_but_refused/lioh_{name}', 'cif_formula_disagrees/lioh_right') for name in ('occdot', 'isotope')],
        ('cif_valid_but_refused/lioh_Hquestion', UnreadableStructure),
        ('split_sites/lii_split_lost', OverlappingAtoms),
        ('split_sites/lii_split', PartialOccupancy),
        ('hostile/lost_site', UnreadableStructure),
    ],
)
def test_the_cases_of_public_reports(shared, file, outcome):
    def crystal(name):
        structure, _ = read(read_text(shared / 'cases' / f'{name}.cif'))
        check_crystal(structure)
        return structure

    if isinstance(outcome, str):
        assert same_sites(crystal(file), crystal(outcome), 0.005)
    else:
        with pytest.raises(outcome):
            crystal(file)


def test_no_real_crystal_is_refused(shared):
    """Neither by its file nor, if it is ordered, by its closest distances."""
    files = sorted([*shared.glob('structures/*/*.cif'), *shared.glob('oracle/*.cif')])[::3]
    assert len(files) > 90
    for path in files:
        structure, doubts = read(read_text(path))
        assert doubts == (), path
        with warnings.catch_warnings(action='ignore'):
            [other] = CifParser(path, occupancy_tolerance=1.1).parse_structures()  # an independent reader
        content, others = (one.composition.element_composition for one in (structure, other))
        assert content.almost_equals(others, rtol=1e-3, atol=1e-2), path
        assert structure.volume == pytest.approx(other.volume, rel=1e-4), path
        if structure.is_ordered:
            check_distances(structure)


@pytest.mark.parametrize(('text', 'counts'), [('6Li Cl', {'Li': 1, 'Cl': 1}), ('7Li3 11B', {'Li': 3, 'B': 1})])
def test_mass_numbers_are_no_factors(text, counts):
    formula = Formula.read(text)
    assert (formula.counts, formula.isotopes) == (counts, True)
    assert Formula.read('2(H2 O)').counts == {'H': 4, 'O': 2}


@pytest.mark.parametrize('quotes', ["'''", '"""'])
def test_texts_of_cif_2(quotes):
    title = f'_publ_section_title {quotes}A \'study\'\n; of "brucite" {quotes}'
    (read,) = crystals_of('#\\#CIF_2.0\n' + cif().replace('data_x', f'data_x\n{title}'))
    assert read()[0].formula == 'Mg1 H2 O2'


NAMELESS = {'chemical_formula_sum': None, 'cell_formula_units_Z': None}


def loop(*columns_and_rows):
    return '\n'.join(['loop_', *columns_and_rows, ''])


def bonds(*rows):
    return loop(*(f'_geom_bond_{one}' for one in ('atom_site_label_1', 'atom_site_label_2', 'distance')), *rows)


@pytest.mark.parametrize(
    ('more', 'without', 'with_formula'),
    [
        (loop('_atom_site_aniso_label', '_atom_site_aniso_U_11', 'Mg1 0.01', 'Li1 0.01'), 'it names Li1,', 'Li1'),
        (loop('_geom_angle_atom_site_label_2', 'H1', 'H2_555', 'H3'), 'it names H2_555, H3,', 'H2_555, H3'),
        (bonds('O1 H9 0.95'), 'it names H9,', 'H9'),
        (loop('_atom_type_symbol', 'Mg2+', 'O', 'H', 'Li1+'), 'it names Li,', 'Li'),
        (loop('_atom_type_symbol', 'Mg2+', 'O', 'D', 'Vac', '?'), None, None),
        (loop('_atom_site_aniso_label', 'mg(1)', 'O1#2', 'H1_655', '?', 'H4'), None, None),
        (bonds('Mg1 O1 2.097(3)', 'O1 H(1)_555 1.00', 'O1 O1 3.14', 'Mg1 O1 9.9', 'H1 O1 ?', 'Mg1 O1 900'), None, None),
    ],
)
def test_lists_that_name_atoms_which_the_crystal_lacks(more, without, with_formula):
    """Without a formula, those may be lost; H4 is listed, though it is not there."""
    atoms = [*ATOMS, 'H4 H 0.1 0.2 0.5 0']
    text = cif(atoms, **NAMELESS) + more
    if without is None:
        structure, doubts = read(text)
        assert same_sites(structure, read(cif())[0])
        assert doubts == ()
    else:
        with pytest.raises(InconsistentFile, match=f'{without} which the list of its atoms lacks: add these atoms'):
            read(text)
    _, doubts = read(cif(atoms) + more)
    doubt = f'it names {with_formula}, which the list of its atoms lacks and its formula does not need'
    assert doubts == ((doubt,) if with_formula else ())


@pytest.mark.parametrize('changes', [{}, NAMELESS])
def test_bonds_that_are_no_distances_of_the_crystal(changes):
    """Where an axis has a wrong length, for instance. One slip of the authors is none of the crystal."""
    right, wrong = ['Mg1 O1 2.097', 'O1 H1 1.001'], ['Mg1 O1 2.3', 'Mg1 Mg1 4.0', 'O1 H1 1.2']
    assert same_sites(read(cif(**changes) + bonds(*right, *wrong[:2]))[0], read(cif())[0])
    with pytest.raises(
        InconsistentFile, match=r'most bonds that it lists .* \(Mg1-O1 2.3 A, Mg1-Mg1 4 A, O1-H1 1.2 A\)'
    ):
        read(cif(**changes) + bonds(*right, *wrong))


@pytest.mark.parametrize(
    ('tag', 'name', 'doubtful'),
    [
        ('chemical_name_common', "'Mg0.5(OH)2'", True),
        ('chemical_name_mineral', 'Brucite', False),
        ('chemical_name_systematic', "'Magnesium hydroxide'", False),
        ('pd_phase_name', "'Mg (O H)2'", False),
        ('pd_phase_name', 'MgO', True),
        ('chemical_name_structure_type', 'CdI2', False),
    ],
)
def test_a_name_that_is_another_formula_is_a_doubt(tag, name, doubtful):
    structure, doubts = read(cif(**NAMELESS, **{tag: name}))
    assert same_sites(structure, read(cif())[0])
    name = name.strip("'")
    assert doubts == ((f'its name is {name!r}, its sites give Mg1 H2 O2',) if doubtful else ())


def test_old_ends_joints_and_operations_without_quotes():
    first, second = crystals_of(cif() + '\ufeff' + cif(name='data_y') + '\x1a')
    assert same_sites(first()[0], second()[0])
    for operations in ([one.replace(',', ', ') for one in OPERATIONS], [one.upper() for one in OPERATIONS]):
        text = cif(operations=operations, **NAMELESS).replace("'\n", '\n').replace("\n'", '\n')
        text = text.replace("_space_group_name_H-M_alt 'P -3 m 1", "_space_group_name_H-M_alt 'P -3 m 1'")
        assert same_sites(read(text)[0], read(cif())[0])
    numbered = ''.join(f'{k} {one.replace(",", ", ")}\n' for k, one in enumerate(OPERATIONS, 1))
    text = cif(operations=(), **NAMELESS)
    text += f'loop_\n_space_group_symop_id\n_space_group_symop_operation_xyz\n{numbered}'
    structure, doubts = read(text)
    assert same_sites(structure, read(cif())[0])
    assert doubts == ('a name, formula or operation with blanks has no quotes',)
