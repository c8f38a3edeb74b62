"""What no crystal is: atoms closer than their elements can be."""

import pytest
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.checks import check_crystal, check_structure
from aiida_pesfp.errors import OverlappingAtoms


@pytest.mark.parametrize(
    ('pair', 'distance'),
    [
        *[('LiLi', 1.4), ('NaNa', 1.8), ('LiO', 1.1), ('OO', 0.75), ('HH', 0.45), ('KK', 2.2)],
        *[('LiNa', 1.6), ('ClCl', 1.1), ('LiCl', 1.3)],
    ],
)
def test_lost_occupancies_of_split_sites_are_refused(pair, distance):
    with pytest.raises(OverlappingAtoms, match=rf'0 \(.*1 \(.* are {distance}.* A apart.*occupancies'):
        check_crystal(couple(pair, distance))


@pytest.mark.parametrize(
    ('pair', 'distance'),
    [
        *[('LiLi', 2.0), ('HH', 0.74), ('OH', 0.95), ('CO', 1.12), ('NN', 1.09), ('CC', 1.20), ('LiH', 1.6)],
        *[('TiO', 1.49), ('LiO', 1.5), ('BH', 1.1), ('PO', 1.18), ('UO', 1.76), ('CrCr', 1.75), ('MnMn', 2.2)],
    ],
)
def test_the_shortest_bonds_there_are_pass(pair, distance):
    check_crystal(couple(pair, distance))


def couple(pair, distance):
    """Two atoms in a large cell."""
    first = pair[: next(i for i in range(1, len(pair)) if pair[i].isupper())]
    return Structure(Lattice.cubic(8), [first, pair[len(first) :]], [[0, 0, 0], [0, 0, distance / 8]])


def test_alkali_ions_on_half_full_sites_are_not_scanned():
    split = couple('LiLi', 1.87)
    check_crystal(split)  # a moment of dynamics may be like this
    with pytest.raises(OverlappingAtoms, match='two Li are 1.87 A apart, as on sites that are half full'):
        check_structure(split, 'Li')
    check_structure(couple('LiLi', 2.05), 'Li')
