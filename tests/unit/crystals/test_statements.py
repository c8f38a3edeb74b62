"""What rows of tables tell of crystals: refused, doubted or equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure

from aiida_pesfp.crystals.formats import plain_name
from aiida_pesfp.crystals.statements import check_row, kind_of, read_formula, read_group
from aiida_pesfp.errors import InconsistentFile
from tests.helpers.crystals import rock_salt, wurtzite


def crystal(formula):
    """Atoms of a formula, anywhere."""
    symbols = [str(element) for element, count in Composition(formula).items() for _ in range(round(count))]
    return Structure(
        Lattice.cubic(20), symbols, [[0.618 * n % 1, 0.414 * n % 1, 0.732 * n % 1] for n in range(len(symbols))]
    )


@pytest.mark.parametrize(
    ('text', 'formula'),
    [
        *((text, text) for text in ('Li7P3S11', 'Li(BH4)', 'Li3.25Ge0.25P0.75S4', 'Li1.3Al0.3Ti1.7(PO4)3')),
        *((text, 'Li3PS4') for text in ('β-Li3PS4', 'beta-Li3PS4', 'Li3PS4 (beta)', 'Li3PS4-β', 'HT-Li3PS4', 'Li₃PS₄')),
        *((text, 'Li3N') for text in ('Li<sub>3</sub>N', 'Li$_{3}$N', 'Li_3N', "{'Li': 3.0, 'N': 1.0}", 'Li 3 N 1')),
        *((text, 'LiI(H2O)4') for text in ('LiI-4H2O', 'LiI·4H2O', 'LiI.4H2O', 'LiI - 4 H2O')),
        ('75Li2S-25P2S5', 'Li150P50S200'),
        *((text, None) for text in ('LLZO', 'NASICON', 'Li7-xLa3Zr2O12', 'LiCoO2-x', 'LiCoO2-δ', 'Li0.5-1CoO2')),
        *((text, None) for text in ('xLi2S-(1-x)P2S5', 'Li3PS4*', '1234', 'Li' * 300)),
    ],
)  # fmt: skip
def test_formulas_as_people_write_them(text, formula):
    found = read_formula(text)
    assert (found and Composition(found.counts).reduced_formula) == (formula and Composition(formula).reduced_formula)


@pytest.mark.parametrize(
    ('text', 'number'),
    [
        *(('225', 225), ('225.0', 225), ('Fm-3m', 225), ('F m -3 m', 225), ('Fm-3m (No. 225)', 225), ('P2_1/c', 14)),
        *(('P 21/n', 14), ('P42/nmcZ', 137), ('R-3m:H', 166), ('0', None), ('231', None), ('cubic', None)),
        ('R-3m (225)', None),
    ],
)
def test_space_groups_as_people_write_them(text, number):
    assert read_group(text) == number


@pytest.mark.parametrize(
    ('head', 'kind'),
    [
        *((head, 'formula') for head in ('Formula', 'formula_pretty', 'Reduced Composition', 'unit cell formula')),
        *((head, 'formula') for head in ('StructuredFormula', 'SumFormula', 'Formel', 'Summenformel')),
        *((head, 'group') for head in ('Space group #', 'Space Group Symbol', 'spacegroup_relax', 'SG')),
        *((head, 'group') for head in ('HMS', 'Raumgruppe')),
        *((head, 'density') for head in ('ASTM density calculated', 'Dichte (g/cm3)', 'Dichte')),
        *((head, 'volume') for head in ('CellVolume', 'volume_cell', 'Zellvolumen (A^3)')),
        *((head, 'sites') for head in ('Sites', 'nsites', 'Number of atoms', 'nat')),
        *((head, 'mass') for head in ('Formula weight', 'molar mass (g/mol)', 'Molecular weight', 'MolMass')),
        *((head, 'lattice') for head in ('a', 'b (Å)', 'c_A', 'lattice parameter a', 'alpha', 'gamma (deg)', 'β')),
        *((head, None) for head in ('formula_anonymous', 'Formula units', 'Z', 'E/atom', 'A', 'C', 'mass', 'x')),
    ],
)  # fmt: skip
def test_heads(head, kind):
    assert kind_of(head) == kind


@pytest.mark.parametrize(
    ('formula', 'own', 'outcome'),
    [
        *(('Li4F4', 'LiF', 'same'), ('LiF', 'Li8F8', 'same'), ('Li2O2', 'LiO', 'same'), ('Li2O', 'LiO2', 'refused')),
        *(('LiF', 'LiCl', 'refused'), ('Li3PS4', 'Li7P3S11', 'refused'), ('LiCl(H2O)', 'LiCl', 'refused')),
        # Ordered approximants of disordered crystals, and formulas of more than the cell.
        *(('Li3.25Ge0.25P0.75S4', 'Li13GeP3S16', 'same'), ('Li3.25Ge0.25P0.75S4', 'Li10GeP2S12', 'doubt')),
        *(('Li6.99La3Zr2O12', 'Li56La24Zr16O96', 'doubt'), ('Li6.4La3Zr2O12', 'Li56La24Zr16O96', 'refused')),
        *(('Li7P3S11', 'Li27P12S44', 'doubt'), ('Li9.54Si1.74P1.44S11.7Cl0.3', 'Li38Si7P6S47Cl', 'doubt')),
        *(('Li3.96Cl4', 'LiCl', 'doubt'), ('Li0.5CoO2', 'LiCoO2', 'refused'), ('Li7-xLa3Zr2O12', 'LiF', 'doubt')),
    ],
)
def test_formulas_are_compared(formula, own, outcome):
    if outcome == 'refused':
        with pytest.raises(InconsistentFile, match=r'the file says .* its sites give .*: is it the row of another'):
            check_row([('Formula', formula)], crystal(own))
    else:
        assert len(check_row([('Formula', formula)], crystal(own))) == (outcome == 'doubt')


COUNTS = st.dictionaries(st.sampled_from(['Li', 'Na', 'P', 'S', 'O', 'Cl']), st.integers(1, 30), min_size=1)


@given(COUNTS, st.integers(1, 4))
def test_a_formula_fits_its_own_crystal_and_none_with_another_element(counts, factor):
    text = ''.join(f'{element}{count * factor}' for element, count in counts.items())
    own = crystal(''.join(f'{element}{count}' for element, count in counts.items()))
    assert check_row([('formula', text)], own) == []
    with pytest.raises(InconsistentFile):
        check_row([('formula', f'{text}Zr1')], own)


@pytest.mark.parametrize(
    ('head', 'text', 'outcome'),
    [
        # LiI of rock salt, a = 6.0 A: 4.12 g/cm3, four formulas in 216 A^3.
        *(('Density (g/cm3)', text, outcome) for text, outcome in (('4.1', 0), ('4.5', 1), ('3.8', 1), ('5.5', None))),
        *(
            ('density_kg_m3', '4116', 0),
            ('Volume (A3)', '54', 0),
            ('volume', '216', 0),
            ('Volume (\u00c5\u00b3)', '60', 1),
        ),
        *(('unit_cell_volume', '80', None), ('density', 'high', 1), ('relative density', '93', 0)),
        *(('chemsys', 'I-Li', 0), ('elements', '[Element I, Element Li]', 0), ('elements', "['Li', 'O']", None)),
        # Of the cubic cell, of the primitive one, and of another crystal. Two formulas have twice the mass.
        *(('a (Å)', text, outcome) for text, outcome in (('6.0', 0), ('6.02(1)', 0), ('4.24', 0), ('5.5', None))),
        *((head, text, 0) for head, text in (('alpha', '90'), ('gamma (deg)', '60'), ('b', '6'), ('c', 'long'))[:3]),
        *(('alpha', '120', 0), ('beta', '101', None), ('c', 'long', 1)),
        *(('molar mass (g/mol)', text, outcome) for text, outcome in (('133.85', 0), ('267.7', 0), ('86.85', None))),
        *((('nelements', '2', 0), ('number of elements', '2.0', 0), ('ntypes', '3', None))),
        *(('crystal_system', 'Cubic', 0), ('Crystal System', 'hexagonal', 1), ('crystal system', 'amorphous', 1)),
    ],
)
def test_sizes_elements_and_systems(head, text, outcome):
    salt = rock_salt('Li', 'I', 6.0)
    if outcome is None:
        with pytest.raises(InconsistentFile, match='the file says'):
            check_row([(head, text)], salt)
    else:
        assert len(check_row([(head, text)], salt)) == outcome


def test_groups_are_doubts_and_impossible_numbers_of_atoms_are_refused():
    salt, other = rock_salt('Li', 'I', 6.0), wurtzite('Li', 'I', 4.514, 7.311, 0.375)
    for cells, doubts in (
        ([('sg', '225'), ('nsites', '8')], [0, 1]),
        ([('sg', 'P6_3mc'), ('Space group #', '186')], [1, 0]),  # told once
        ([('sg', 'hexagonal')], [1, 1]),
        ([('colour', 'red'), ('sg', 'n.a.')], [0, 0]),
    ):
        assert [len(check_row(cells, one)) for one in (salt, other)] == doubts
    with pytest.raises(InconsistentFile, match='the file says 7 atoms, no multiple of the 2'):
        check_row([('Sites', '7')], salt)


def test_a_lattice_of_another_setting_is_a_doubt_where_the_volume_fits():
    cells = [('a', '4.24'), ('c', '10.39'), ('Volume', '162')]
    assert len(check_row(cells, rock_salt('Li', 'I', 6.0))) == 1
    with pytest.raises(InconsistentFile, match='c = 10.39, its cells have 4.243, 6: is it the row of another crystal'):
        check_row(cells[:2], rock_salt('Li', 'I', 6.0))


@pytest.mark.parametrize(
    ('name', 'plain'),
    [
        *((name, 'lif') for name in ('./c/LiF.cif', 'C:\\data\\LiF.cif', 'LIF.CIF.gz', 'cifs/LiF', 'LiF/LiF.cif')),
        *((name, '1234') for name in ('001234', '1234.0', '1234.', '001234.cif', '1234')),
        *(('1234.50', '1234_50'), ('Li1.5Al0.5', 'li1_5al0_5'), ('POSCAR.Li2O', 'poscar_li2o'), ('***', '')),
        ('Al2O3/LiI', 'al2o3_lii'),  # two phases, not a file in a folder
    ],
)  # fmt: skip
def test_names_of_files_in_tables(name, plain):
    assert plain_name(name) == plain
