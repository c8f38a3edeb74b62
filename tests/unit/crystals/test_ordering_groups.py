"""Groups of atoms in several orientations stay whole."""

from collections import Counter

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.stats import binomtest

from aiida_pesfp.crystals.ordering.groups import find_groups
from aiida_pesfp.crystals.ordering.order import order
from aiida_pesfp.crystals.ordering.parent import Parent
from aiida_pesfp.settings.ordering import OrderingSettings

A, X = 4.2, 1.22 / np.sqrt(3) / 4.2
#: BH4 around the corners of a cell, in two orientations: the eight corners of a cube around each B are half full.
BOROHYDRIDE = Structure.from_spacegroup(
    'Pm-3m', Lattice.cubic(A), ['Li', 'B', {'H': 0.5}], [[0.5, 0.5, 0.5], [0, 0, 0], [X, X, X]]
)


def bonded(structure, centre, ligand, longest):
    """For each centre its ligands: vectors, A."""
    sites = [site for site in structure if site.specie.symbol == centre]
    neighbours = [structure.get_neighbors(site, longest) for site in sites]
    return [
        [one.coords - site.coords for one in some if one.specie.symbol == ligand]
        for site, some in zip(sites, neighbours)
    ]


@pytest.mark.parametrize('share', [0.5, 0.495])
def test_each_borohydride_is_a_tetrahedron(share):
    structure = BOROHYDRIDE.copy()
    structure.replace_species({'H': {'H': share / 0.5}})
    found = order(structure, OrderingSettings(number=5, most_atoms=60))
    assert len(found) == 5
    for one in found:
        assert one.structure.composition.reduced_formula == 'LiBH4'
        for ligands in bonded(one.structure, 'B', 'H', 1.4):
            assert len(ligands) == 4
            assert np.allclose(np.sum(ligands, axis=0), 0, atol=1e-6)  # three of one orientation do not balance


def test_both_orientations_are_equally_probable():
    found = order(BOROHYDRIDE, OrderingSettings(number=40, most_atoms=100))
    signs = [np.sign(np.prod(vectors[0])) for one in found for vectors in bonded(one.structure, 'B', 'H', 1.4)]
    counts = Counter(signs)
    assert binomtest(counts[1.0], len(signs)).pvalue > 1e-3


def test_groups_are_found_by_their_centres():
    """Vacancies of the framework are no groups, nor are ions around an anion."""
    parent, [groups] = find_groups(Parent.of(BOROHYDRIDE), 'Li')
    assert parent.species[groups.species] == 'H'
    vacant = Structure(Lattice.cubic(5), [{'Li': 0.8}, 'P', {'S': 0.9}], [[0.5, 0.5, 0.5], [0, 0, 0], [0.4, 0, 0]])
    assert find_groups(Parent.of(vacant), 'Li')[1] == []
    assert find_groups(Parent.of(BOROHYDRIDE), 'H')[1] == []


def test_an_oxygen_on_two_sites_is_on_one_of_them():
    """Three O of a phosphate are full; the fourth is split over two sites 0.5 A apart, a third and two thirds."""
    places = [[0, 0, 0.5], [0, 0, 0], [0.21, 0, -0.07], [-0.1, 0.19, -0.07], [-0.1, -0.19, -0.07]]
    structure = Structure(
        Lattice.orthorhombic(7, 7, 7),
        ['Li', 'P', 'O', 'O', 'O', {'O': 0.33}, {'O': 0.67}],
        [*places, [0.035, 0, 0.21], [-0.035, 0, 0.21]],
    )
    for one in order(structure, OrderingSettings(number=4, most_atoms=36), given={'Li': 3, 'P': 5, 'O': -2}):
        assert [len(ligands) for ligands in bonded(one.structure, 'P', 'O', 1.8)] == [4] * (len(one.structure) // 6)
