"""Which structures are the same."""

import pytest
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.duplicates import KnownStructures
from tests.helpers.crystals import antifluorite, rock_salt, wurtzite
from tests.helpers.disordered import ELECTROLYTES


def test_the_same_crystal_is_recognised_in_any_cell_and_size():
    known = KnownStructures()
    primitive = rock_salt('Li', 'Cl', 5.13)
    conventional = Structure.from_spacegroup('Fm-3m', Lattice.cubic(5.1), ['Li', 'Cl'], [[0] * 3, [0.5] * 3])
    assert known.add('first', primitive) is None
    assert known.add('second', conventional) == 'first'
    assert known.add('third', primitive.copy().translate_sites([0, 1], [0.1] * 3)) == 'first'


def test_others_are_others():
    known = KnownStructures()
    assert known.add('LiCl', rock_salt('Li', 'Cl', 5.13)) is None
    assert known.add('NaCl', rock_salt('Na', 'Cl', 5.13)) is None
    assert known.add('rock salt', rock_salt('Li', 'I', 6.0)) is None
    assert known.add('wurtzite', wurtzite('Li', 'I', 4.514, 7.311, 0.375)) is None


@pytest.mark.parametrize(('scale', 'same'), [(0.94, False), (0.99, False), (0.994, True), (1.006, True), (1.02, False)])
def test_another_volume_is_another_landscape(scale, same):
    known = KnownStructures()
    known.add('LiI', rock_salt('Li', 'I', 6.0))
    assert (known.add('other', rock_salt('Li', 'I', 6.0 * scale)) == 'LiI') == same


@pytest.mark.parametrize('name', ELECTROLYTES)
def test_a_disordered_crystal_is_known_in_any_cell(name):
    crystal, known = ELECTROLYTES[name], KnownStructures()
    moved = crystal.get_primitive_structure()
    moved.translate_sites(range(len(moved)), [0.1, 0.25, 0.3])
    assert known.add('first', crystal) is None
    assert known.add('again', moved) == 'first'


def test_other_occupancies_are_other_crystals():
    known, shared = KnownStructures(), antifluorite('Li', 'Te', 6.4)
    for name, part in (('half', 0.5), ('less', 0.4)):
        shared = antifluorite('Li', 'Te', 6.4)
        shared.replace_species({'Te': {'Te': part, 'Se': 1 - part}})
        assert known.add(name, shared) is None
    assert known.add('larger', shared * [2, 1, 1]) == 'less'
    assert known.add('ordered', antifluorite('Li', 'Te', 6.4)) is None
