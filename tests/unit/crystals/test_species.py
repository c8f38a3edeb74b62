"""What a text means as an element, the same in every format."""

import json

import pytest
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.crystals.species import charge_of, element_of
from aiida_pesfp.errors import UnreadableStructure

SMALL = Structure(Lattice.cubic(2), ['Li', 'Cl'], [[0] * 3, [0.5] * 3])
SAME = ('Li', '7Li', 'LI', 'li', 'Li1', 'Li6', 'Li+', 'Li1+', 'Li+1', 'Li(1+)', 'Li0.9+', 'Li_sv', 'Li_sv/0a1b')
NONE = ('Va', 'X', 'Wat', 'O-H', 'Li-Na', 'CO', 'NH', '?', '3', '', 'Li Na', 'Lix')


@pytest.mark.parametrize('text', SAME)
def test_spellings_of_lithium(text):
    element, doubt = element_of(text)
    assert element == 'Li'
    assert bool(doubt) == (text in ('LI', 'li'))


@pytest.mark.parametrize('text', NONE)
def test_what_is_no_element_or_may_be_several(text):
    with pytest.raises(UnreadableStructure, match='no element|may be'):
        element_of(text)


def test_isotopes_of_hydrogen_and_what_the_formula_decides():
    assert [element_of(one)[0] for one in ('D', 'T', '2H')] == ['H', 'H', 'H']
    assert element_of('CO', {'Co', 'O'})[0] == 'Co'


CIF = (
    'data_x _cell_length_a 2 _cell_length_b 2 _cell_length_c 2 _space_group_name_H-M_alt "P 1" loop_ _atom_site_label '
    '_atom_site_type_symbol _atom_site_fract_x _atom_site_fract_y _atom_site_fract_z A1 SYMBOL 0 0 0 B1 Cl .5 .5 .5'
)
FORMATS = {
    'POSCAR': 'x\n2\n1 0 0\n0 1 0\n0 0 1\nSYMBOL Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n',
    'a.xyz': '2\nLattice="2 0 0 0 2 0 0 0 2"\nSYMBOL 0 0 0\nCl 1 1 1\n',
    'a.cif': CIF,
    'a.json': json.dumps(SMALL.as_dict()).replace('"element": "Li"', '"element": "SYMBOL"'),
}


@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize(('text', 'found'), [('7Li', 'Li1 Cl1'), ('D', 'H1 Cl1'), ('LI', 'Li1 Cl1'), ('Va', None)])
def test_every_format_reads_species_alike(tmp_path, name, text, found):
    (tmp_path / name).write_text(FORMATS[name].replace('SYMBOL', text))
    (reading,) = read_file(tmp_path / name)
    if found is None:
        assert "'Va' is no element" in str(reading.error)
    else:
        assert reading.structure.formula == found


@pytest.mark.parametrize(
    ('text', 'charge'),
    [('Li+', 1), ('Fe3+', 3), ('Fe(3+)', 3), ('O2-', -2), ('O-1.5', -1.5), ('7Li+1', 1), ('Li', None), ('Fe1+2', None)],
)
def test_charges_of_species(text, charge):
    assert charge_of(text) == charge
