"""What no crystal is: atoms closer than their elements can be."""

import numpy as np
import pytest
from ase.io import write
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.checks import check_crystal, check_packing, check_structure, doubts_of_occupancies, sound
from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.errors import InvalidCell, OverlappingAtoms, UnreadableStructure
from tests.helpers.crystals import antifluorite, perovskite, rock_salt


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


#: Li1.5TiO3 of rock salt type whose occupancies were lost: Li and Ti on one site each, both full.
LOST = Structure.from_spacegroup(
    'Fm-3m', Lattice.cubic(6.5), ['Li', 'Ti', 'O'], [[0.25] * 3, [0, 0, 0], [0.5, 0, 0]]
).get_primitive_structure()


@pytest.mark.parametrize(
    'name', ['POSCAR', 'a.xyz', 'a.extxyz', 'a.xsf', 'a.cell', 'a.json', 'ase.json', 'a.cif', 'b.cif']
)
def test_lost_occupancies_are_doubted_in_every_format(tmp_path, name):
    path = tmp_path / name
    if name in ('a.json', 'a.cif', 'POSCAR'):
        LOST.to(path, fmt={'a.json': 'json', 'a.cif': 'cif', 'POSCAR': 'poscar'}[name])
    elif name == 'b.cif':  # without a formula
        path.write_text('\n'.join(line for line in LOST.to(fmt='cif').splitlines() if '_formula_' not in line))
    else:
        kinds = {'a.xyz': 'extxyz', 'a.extxyz': 'extxyz', 'a.xsf': 'xsf', 'a.cell': 'castep-cell', 'ase.json': 'json'}
        write(path, LOST.to_ase_atoms(), format=kinds[name])
    (reading,) = read_file(path)
    assert reading.structure.formula == LOST.formula
    assert reading.doubts == ('no usual oxidation states balance Li2Ti1O1: are all occupancies given?',)


@pytest.mark.parametrize(
    ('structure', 'words'),
    [
        (rock_salt('Li', 'Cl', 5.13), None),
        (antifluorite('Li', 'O', 4.62), None),
        (couple('LiAl', 2.6), None),  # a metal has no oxidation states
        (couple('LiLi', 2.05), 'two Li are 2.05 A apart, closer than in most crystals'),
        (couple('LiLi', 2.3), None),
        (rock_salt('Ca', 'Cl', 5.5), 'balance Ca1Cl1'),
    ],
)
def test_doubts_of_occupancies(structure, words):
    doubts = doubts_of_occupancies(structure)
    assert (doubts == ()) if words is None else (words in doubts[0])


#: NaLiTe of the PbFCl type.
LAYERED = Structure(
    Lattice.tetragonal(4.7, 7.7),
    ['Li', 'Li', 'Na', 'Na', 'Te', 'Te'],
    [[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.65], [0.5, 0, 0.35], [0, 0.5, 0.22], [0.5, 0, 0.78]],
)


@pytest.mark.parametrize(
    ('structure', 'order', 'doubted'),
    [
        (LAYERED, {}, False),
        (LAYERED, {'Na': 'Te', 'Te': 'Na'}, True),
        (rock_salt('Li', 'Cl', 5.13), {}, False),
        (rock_salt('Li', 'Cl', 5.13), {'Li': 'Cl', 'Cl': 'Li'}, False),  # the same crystal
        (antifluorite('Li', 'O', 4.62), {}, False),
        (perovskite('Sr', 'Ti', 'O', 3.9), {}, False),
    ],
)
def test_elements_in_a_wrong_order(structure, order, doubted):
    mixed = structure.copy()
    mixed.replace_species(order)
    doubts = doubts_of_occupancies(mixed)
    assert len(doubts) == doubted
    if doubted:
        assert 'each cation of Na1Li1Te1 is nearer to a cation than to any anion' in doubts[0]


BOHR = 1.8897
CRYSTALS = {
    'ionic': rock_salt('Li', 'Cl', 5.13),
    'large ions': rock_salt('Li', 'I', 6.03),
    'metal': Structure(Lattice.cubic(3.51), ['Li', 'Li'], [[0] * 3, [0.5] * 3]),
    'covalent': Structure.from_spacegroup('Fd-3m', Lattice.cubic(3.567), ['C'], [[0] * 3]),
    'molecular': Structure.from_spacegroup('Pa-3', Lattice.cubic(6.0), ['H', 'Cl'], [[0.054] * 3, [0.177] * 3]),
    'layered': Structure.from_spacegroup('R-3m', Lattice.hexagonal(3.41, 17.9), ['Ti', 'S'], [[0] * 3, [0, 0, 0.254]]),
    'mixed': Structure(Lattice.cubic(2.9), [{'Li': 0.5, 'Na': 0.5}, 'Cl'], [[0] * 3, [0.5] * 3]),
}


@pytest.mark.parametrize('name', CRYSTALS)
def test_lengths_in_bohr_are_refused(name):
    crystal = CRYSTALS[name]
    assert check_packing(crystal) == ()
    supercell = crystal * (2, 2, 2)
    lattice = Lattice(BOHR * supercell.lattice.matrix)
    with pytest.raises(InvalidCell, match='no two atoms touch: even .* A apart. If the lengths are in Bohr'):
        check_packing(Structure(lattice, supercell.species_and_occu, supercell.frac_coords))
    with pytest.raises(InvalidCell, match='a layer of .* A .* give the crystal, its cell in Angstrom'):
        check_packing(Structure(lattice, supercell.species_and_occu, supercell.cart_coords, coords_are_cartesian=True))


@pytest.mark.parametrize('shape', [(1, 0, 0), (0, 1, 1), (1, 1, 1)])
@pytest.mark.parametrize('matrix', [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 1, 0], [0, 1, 1], [0, 0, 1]]])
def test_slabs_wires_and_clusters_in_vacuum_are_refused(shape, matrix):
    bulk = Structure.from_spacegroup('Fm-3m', Lattice.cubic(5.13), ['Li', 'Cl'], [[0] * 3, [0.5] * 3])
    cell = np.array(matrix) @ np.diag(5.13 + 9 * np.array(shape))
    with pytest.raises(InvalidCell, match='a layer of 11.[56] A along .* has no atoms, as in slabs and clusters'):
        check_packing(Structure(cell, bulk.species, bulk.cart_coords, coords_are_cartesian=True))


def test_holes_of_frameworks_are_doubted():
    edge = np.arange(0, 13, 2.0)
    net = [[x, y, z] for x in edge for y in edge for z in edge if [x, y, z].count(0) >= 2]
    found = check_packing(Structure(Lattice.cubic(14), ['Si'] * len(net), np.array(net) / 14))
    assert found == ('it has a hole with a radius of more than 4 A: is it whole, and a crystal?',)


@pytest.mark.parametrize(
    'crystal', [rock_salt('Li', 'Cl', 5.13), rock_salt('Li', 'F', 4.03), antifluorite('Li', 'O', 4.62)]
)
def test_lengths_are_not_taken_for_fractions(crystal):
    for whole in (crystal, crystal.to_conventional(), crystal * 2):
        words = 'taken as Angstrom fit its cell'
        with pytest.raises(UnreadableStructure, match=words):
            sound(Structure(whole.lattice, whole.species, whole.cart_coords))
        with pytest.raises(UnreadableStructure, match=words):
            sound(Structure(whole.lattice, whole.species, whole.cart_coords - whole.cart_coords.mean(axis=0)))


@pytest.mark.parametrize('crystal', [rock_salt('Li', 'Cl', 5.13), antifluorite('Li', 'O', 4.62)])
def test_paths_through_other_cells_are_fractions(crystal):
    generator = np.random.default_rng(0)
    for whole in (crystal, crystal.to_conventional(), crystal * 2):
        for farthest in (1, 2, 5):
            shifts = generator.integers(-farthest, farthest, endpoint=True, size=(len(whole), 3))
            for noise in (0.0, 0.02) if len(whole) > 3 else (0.0,):  # dynamics have many atoms
                places = whole.frac_coords + shifts + generator.normal(0, noise, shifts.shape)
                sound(Structure(whole.lattice, whole.species, places))
