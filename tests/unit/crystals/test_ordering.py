"""Orderings of disordered crystals: known electrolytes, bad input, charges, numbers of atoms."""

import itertools

import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.cells import compact_supercell
from aiida_pesfp.crystals.checks import check_structure
from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.crystals.ordering.charges import oxidation_states
from aiida_pesfp.crystals.ordering.counts import count, possible_counts
from aiida_pesfp.crystals.ordering.order import order
from aiida_pesfp.crystals.ordering.parent import Parent, Supercell
from aiida_pesfp.errors import CannotOrder, OrderedStructure, UnreadableStructure
from aiida_pesfp.settings.ordering import OrderingSettings
from tests.helpers.crystals import rock_salt
from tests.helpers.disordered import ARGYRODITE, ELECTROLYTES, LGPS, LLZO, write_cif

STATES = {
    'Li': 1,
    'Na': 1,
    'Mg': 2,
    'Al': 3,
    'La': 3,
    'Y': 3,
    'Zr': 4,
    'Ti': 4,
    'Ge': 4,
    'P': 5,
    'O': -2,
    'S': -2,
    'Cl': -1,
}


def mixed(cations: dict, anions: dict, a: float = 5.0) -> Structure:
    """A rock salt whose sites are shared."""
    return Structure(rock_salt('Li', 'Cl', a).lattice, [cations, anions], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize('name', ELECTROLYTES)
def test_known_electrolytes_from_their_files(tmp_path, name):
    """Five different neutral orderings, with the composition, and no atoms too close for a scan."""
    [reading] = read_file(write_cif(tmp_path / 'parent.cif', ELECTROLYTES[name]))
    assert reading.error is None
    found = order(reading.structure)
    assert len(found) == 5
    own = ELECTROLYTES[name].composition.fractional_composition
    for one in found:
        check_structure(one.structure, 'Li')
        assert sum(STATES[site.specie.symbol] for site in one.structure) == 0
        fractions = one.structure.composition.fractional_composition
        assert max(abs(fractions[element] - own[element]) for element in own) == pytest.approx(
            one.composition_deviation
        )
        assert one.composition_deviation < 0.005
        assert one.contacts['kind'] == 'usual'
        assert one.oxidation_source == 'guessed'
        assert sum(part['count'] for orbit in one.counts for part in orbit['species'].values()) == len(one.structure)
    assert sum(one.weight for one in found) == pytest.approx(1)
    matcher = StructureMatcher(primitive_cell=False, scale=False, ltol=0.01, stol=0.01)
    assert not any(itertools.starmap(matcher.fit, itertools.combinations([one.structure for one in found], 2)))


def test_the_seed_decides_and_the_description_does_not():
    """The same crystal in another cell, with another origin and order of its atoms."""
    other = LGPS.copy()
    other.translate_sites(range(len(other)), [0.1, 0.2, 0.3])
    other = Structure.from_sites(list(other)[::-1]) * [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    first, second, third = order(LGPS), order(other), order(LGPS, OrderingSettings(seed=1))
    assert [one.counts for one in first] == [one.counts for one in second]
    matcher = StructureMatcher(primitive_cell=False, scale=False)
    assert all(matcher.fit(one.structure, two.structure) for one, two in zip(first, second))
    assert [one.structure for one in first] == [one.structure for one in order(LGPS)]
    assert not any(matcher.fit(one.structure, two.structure) for one, two in zip(first, third))


#: A single ordering in 4 cells, and four in 8.
FEW = mixed({'Li': 1.0}, {'Cl': 0.75, 'Br': 0.25})


@pytest.mark.parametrize(
    ('structure', 'choice'),
    [(LLZO, 'random'), (ARGYRODITE, 'electrostatic'), (FEW, 'random'), (FEW, 'electrostatic')],
)
def test_more_orderings_begin_with_the_same_ones(structure, choice):
    def made(number, skip=0):
        found = order(structure, OrderingSettings(number=number, skip_orderings=skip, choice=choice))
        return [one.structure for one in found]

    every = made(7)
    assert len(every) >= 4  # FEW has no more
    assert all(made(number) == every[:number] for number in (1, 3, 5))
    assert made(2, skip=3) == every[3:5]


def test_chains_of_swaps_do_not_depend_on_each_other():
    """Ends of chains with one energy, of the distances of bromine, are one ordering that counts so often."""

    def energies(structures):
        heavy = [Structure.from_sites([site for site in one if site.specie.symbol == 'Br']) for one in structures]
        return [round(float(np.exp(-one.get_neighbor_list(12.0)[3]).sum()), 9) for one in heavy]

    def made(number, skip=0):
        settings = OrderingSettings(number=number, skip_orderings=skip, choice='monte_carlo', sweeps=1)
        found = order(FEW, settings, evaluate=energies)
        assert [one.weight for one in found] == pytest.approx([one.count / number for one in found])
        return sorted(one.energy for one in found for _ in range(one.count))

    every = made(7)
    assert len(set(every)) > 1
    assert sorted(made(3) + made(4, skip=3)) == pytest.approx(every)


def test_lowest_in_electrostatic_energy_by_the_sum_of_ewald():
    found = order(ARGYRODITE, OrderingSettings(choice='electrostatic', weights='boltzmann', temperature=20_000))
    for one in found:
        charged = one.structure.copy()
        charged.add_oxidation_state_by_element(one.oxidation_states)
        assert one.energy == pytest.approx(EwaldSummation(charged).total_energy, abs=1e-3)
    energies = [one.energy for one in found]
    assert energies == sorted(energies)
    random = order(ARGYRODITE, OrderingSettings(number=20))
    for one in random:
        one.structure.add_oxidation_state_by_element(one.oxidation_states)
    assert energies[0] < min(EwaldSummation(one.structure).total_energy for one in random)
    ratio = np.exp(-(energies[1] - energies[0]) / (8.617333e-5 * 20_000))
    assert found[1].weight / found[0].weight == pytest.approx(ratio, rel=1e-5)


def test_oxidation_states_of_a_cif_count(tmp_path):
    """Ti3+ in the file, although Ti4+ is usual: so there are more ions than the occupancies say."""
    structure = mixed({'Li': 0.45, 'Ti': 0.5}, {'O': 1.0})
    text = write_cif(tmp_path / 'a.cif', structure).read_text()
    for element, state in (('Li', 'Li+'), ('Ti', 'Ti3+'), ('O', 'O2-')):
        text = text.replace(f'\n  {element}  ', f'\n  {state}  ')
    (tmp_path / 'a.cif').write_text(text)
    [reading] = read_file(tmp_path / 'a.cif')
    assert reading.error is None, reading.error
    [first, *_] = order(reading.structure)
    assert first.oxidation_source == 'file'
    assert first.oxidation_states == {'Li': 1, 'Ti': 3, 'O': -2}
    amounts = first.structure.composition
    assert amounts['Li'] + 3 * amounts['Ti'] == 2 * amounts['O']
    structure.add_oxidation_state_by_element({'Li': 1, 'Ti': 3, 'O': -2})
    assert order(structure)[0].oxidation_source == 'file'


def test_guessed_states_are_the_usual_ones_that_balance():
    assert oxidation_states({'Li': 25.4, 'Si': 1.4, 'P': 2.6, 'S': 20, 'Br': 4})[0] == {
        'Li': 1,
        'Si': 4,
        'P': 5,
        'S': -2,
        'Br': -1,
    }
    assert oxidation_states({'Li': 1, 'Fe': 1, 'P': 1, 'O': 4})[0]['Fe'] == 2
    assert oxidation_states({'Fe': 1, 'P': 1, 'O': 4})[0]['Fe'] == 3
    assert oxidation_states({'Li': 1, 'Cl': 3}) == ({}, 'unknown')


def test_the_hard_core_of_ions_can_be_chosen():
    """Argyrodites have Li sites 1.87 A apart, which both are full in some orderings if they may be."""
    closest = {}
    for hard_core in (None, 1.5):
        found = order(ARGYRODITE, OrderingSettings(hard_core=hard_core))
        ions = [[site for site in one.structure if site.specie.symbol == 'Li'] for one in found]
        pairs = (pair for some in ions for pair in itertools.combinations(some, 2))
        closest[hard_core] = min(one.distance(other) for one, other in pairs)
        assert closest[hard_core] > found[0].contacts['distances']['Li-Li']
    assert closest[None] > 1.92
    assert closest[1.5] == pytest.approx(1.87, abs=0.01)


def test_ions_on_sites_of_the_framework_are_told():
    [one, *_] = order(mixed({'Li': 0.5, 'Mg': 0.25}, {'O': 0.5}))
    assert any('shares sites with others: Li 0.5 + Mg 0.25 (1 sites)' in doubt for doubt in one.doubts)
    assert {site.specie.symbol for site in one.structure} == {'Li', 'Mg', 'O'}


def test_unknown_charges_are_told():
    [one, *_] = order(mixed({'Li': 0.5}, {'Cl': 1.0}))
    assert one.charge is None
    assert any('oxidation states are unknown' in doubt for doubt in one.doubts)


def test_mobile_ions_balance_the_charge_and_the_framework_is_rounded():
    """Li and Mg share a site that is not full: 8 cells of Li0.5 Mg0.2 O0.45."""
    parent = Parent.of(mixed({'Li': 0.55, 'Mg': 0.2}, {'O': 0.45}))
    assert parent.species == ('', 'Li', 'Mg', 'O')
    states = {'Li': 1, 'Mg': 2, 'O': -2}
    found = count(parent, 'Li', states, 8)
    by_species = dict(zip(parent.species, found.numbers.sum(axis=0)))
    assert by_species['Mg'] == 2  # of 1.6
    assert by_species['O'] == 4  # of 3.6
    assert by_species['Li'] == 4  # of 4.4
    assert found.charge == 0
    without = count(parent, 'Li', {}, 8)
    assert without.charge is None
    assert without.numbers.sum(axis=0)[1] == 4


def test_smallest_cell_that_is_close_enough_to_the_occupancies():
    parent = Parent.of(mixed({'Li': 1.0}, {'Cl': 0.75, 'Br': 0.25}))
    states = {'Li': 1, 'Cl': -1, 'Br': -1}
    found = possible_counts(parent, 'Li', states, 200, 0.02)
    assert found[0].cells == 4
    assert found[0].composition_deviation == found[0].orbit_deviation == 0
    assert possible_counts(parent, 'Li', states, 200, 0.13)[0].cells == 2
    deviation = abs(1 / 4 - 1 / 8)  # Br of LiCl0.75Br0.25 and of Li2ClBr, in all atoms
    assert possible_counts(parent, 'Li', states, 5, 0.02)[0].composition_deviation == pytest.approx(deviation)


@pytest.mark.parametrize('total', [1.0001, 0.9998])
def test_occupancies_that_sum_to_nearly_one_are_full_sites(tmp_path, total):
    path = write_cif(tmp_path / 'a.cif', mixed({'Li': 1.0}, {'Cl': 0.5, 'Br': 0.4998}))
    text = path.read_text()
    assert '0.4998' in text
    path.write_text(text.replace('0.4998', f'{total - 0.5:.4f}'))
    [reading] = read_file(path)
    [first, *_] = order(reading.structure)
    amounts = first.structure.composition
    assert amounts['Li'] == amounts['Cl'] + amounts['Br']
    assert first.composition_deviation < 1e-3


def test_sites_that_differ_only_by_an_occupancy_are_kept_apart():
    """A body-centred lattice, if the occupancies were the same."""
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    parent = Parent.of(Structure(Lattice.tetragonal(4, 6), [{'Li': 0.5}, {'Li': 0.6}, 'Cl'], places))
    assert sorted(parent.shares[:, parent.species.index('Li')].tolist()) == [0, 0.5, 0.6]


def test_isotopes_are_hydrogen(tmp_path):
    path = write_cif(tmp_path / 'a.cif', mixed({'Li': 1.0}, {'H': 0.5, 'F': 0.5}, a=4.1))
    path.write_text(path.read_text().replace('  H  H', '  D  D').replace('H0.5', 'D0.5').replace(' H2 ', ' D2 '))
    assert '  D  D' in path.read_text()
    [reading] = read_file(path)
    assert reading.error is None, reading.error
    [first, *_] = order(reading.structure)
    assert first.structure.composition['H'] == first.structure.composition['F']


def test_supercells_and_their_symmetry():
    """Each operation takes each site to an equivalent one, and all distances stay."""
    parent = Parent.of(ARGYRODITE)
    supercell = Supercell.of(parent, compact_supercell(parent.cell.lattice.matrix, 2))
    sites = Structure(Lattice(supercell.lattice), ['H'] * len(supercell.fractions), supercell.fractions)
    assert sites.volume == pytest.approx(2 * parent.cell.volume)
    permutations = supercell.permutations()
    assert (np.sort(permutations, axis=1) == np.arange(len(sites))).all()
    assert len(permutations) > 2
    distances = sites.distance_matrix
    for permutation in permutations:
        assert (supercell.orbit_of[permutation] == supercell.orbit_of).all()
        assert np.allclose(distances[np.ix_(permutation, permutation)], distances, atol=1e-3)


def ring(symbol: str, other: object) -> Structure:
    """Three half-full sites 0.70 A apart around each of the corners of a cell, and something between."""
    places = [[0.044, 0.088, 0], [1 / 3, 2 / 3, 0.5]]
    return Structure.from_spacegroup('P3', Lattice.hexagonal(5.3, 5), [{symbol: 0.5}, other], places)


@pytest.mark.parametrize(
    ('structure', 'options', 'error', 'words'),
    [
        (rock_salt('Li', 'Cl', 5.1), {}, OrderedStructure, 'all its sites are full.*use it as it is'),
        (mixed({'Li': 1.0}, {'Bk': 0.5, 'Cl': 0.5}), {}, CannotOrder, 'site 1 at .*radius of Bk is not known'),
        (LLZO, {'most_atoms': 50}, CannotOrder, r'primitive cell has 96\.03 atoms, more than the limit of 50'),
        (mixed({'Li': 1.0}, {'Cl': 0.95, 'S': 0.05}), {}, CannotOrder, r'no number of Li balances the charges \(Cl -1'),
        (
            ring('O', 'Al'),
            {},
            CannotOrder,
            r'too close: O:0\.5 and O:0\.5 at \(.*0\.70 A apart.*Correct the occupancies',
        ),
    ],
    ids=['full', 'radius', 'large', 'charge', 'close'],
)
def test_bad_input_is_named_with_the_way_out(structure, options, error, words):
    with pytest.raises(error, match=words):
        order(structure, OrderingSettings(**options))


@pytest.mark.parametrize('occupancy', ['1.2', '-0.3'])
def test_impossible_occupancies_are_refused_by_the_file(tmp_path, occupancy):
    path = write_cif(tmp_path / 'a.cif', mixed({'Li': 0.75}, {'Cl': 1.0}))
    path.write_text(path.read_text().replace('0.75', occupancy))
    [reading] = read_file(path)
    assert isinstance(reading.error, UnreadableStructure)
    assert 'must be between 0 and 1' in str(reading.error)


def test_ions_without_room_are_left_out_and_told():
    """Three sites around a point for one ion: an occupancy of 0.5 is too large."""
    [one, *_] = order(ring('Na', {'Cl': 0.5, 'S': 0.5}), OrderingSettings(number=1), mobile='Na')
    assert one.structure.composition.reduced_formula == 'NaCl'
    assert one.charge == 0
    assert one.composition_deviation > 0.1
    assert [doubt for doubt in one.doubts if 'have no S' in doubt]
    assert [doubt for doubt in one.doubts if 'off by 30.0 %' in doubt]


def test_settings_must_fit_together():
    with pytest.raises(ValueError, match='needs energies'):
        OrderingSettings(weights='boltzmann')
    with pytest.raises(CannotOrder, match='no electrostatic energies'):
        order(mixed({'Li': 0.5}, {'Cl': 1.0}), OrderingSettings(choice='electrostatic'))
