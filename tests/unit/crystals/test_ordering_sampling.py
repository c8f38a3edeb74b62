"""Arrangements of atoms are drawn, found and excluded as an enumeration of all of them says."""

import itertools
from collections import Counter

import numpy as np
import pytest
from ase.units import kB
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from scipy.stats import chi2, chisquare

from aiida_pesfp.crystals.ordering.arrange import prepare
from aiida_pesfp.crystals.ordering.counts import count
from aiida_pesfp.crystals.ordering.electrostatics import Electrostatics
from aiida_pesfp.crystals.ordering.exact import solve
from aiida_pesfp.crystals.ordering.exclusion import Exclusion
from aiida_pesfp.crystals.ordering.order import order
from aiida_pesfp.crystals.ordering.parent import Parent
from aiida_pesfp.crystals.ordering.sampling import Problem, Sampler
from aiida_pesfp.crystals.ordering.swaps import sample
from aiida_pesfp.settings.ordering import OrderingSettings
from tests.helpers.crystals import rock_salt

#: Eight Li sites, 1.53 A apart, around the fourfold axis, three of them full; two sites that Cl and Br share.
SPLIT = Structure.from_spacegroup(
    'P4/mmm',
    Lattice.tetragonal(9.0, 5.0),
    [{'Li': 3 / 8}, {'Cl': 0.5, 'Br': 0.5}, 'Cl'],
    [[2 * np.cos(np.pi / 8) / 9, 2 * np.sin(np.pi / 8) / 9, 0], [0, 0.5, 0.5], [0.5, 0.5, 0.5]],
)
STATES = {'Li': 1, 'Cl': -1, 'Br': -1}


def prepared(structure, cells, states=STATES, seed=0):
    """A task and its sampler."""
    parent = Parent.of(structure)
    counts = count(parent, 'Li', states, cells)
    return prepare(parent, counts, 'Li', (states, 'file'), OrderingSettings(seed=seed))


def all_states(task):
    """Every arrangement with the numbers of atoms of the task and no two Li closer than 1.92 A."""
    problem = task.problem
    orbits = [np.flatnonzero(problem.orbit_of == orbit) for orbit in range(len(problem.numbers))]
    fillings = [np.repeat(np.arange(len(numbers)), numbers).tolist() for numbers in problem.numbers]
    sites = Structure(Lattice(task.supercell.lattice), ['H'] * len(problem.orbit_of), task.supercell.fractions)
    close = (sites.distance_matrix < 1.92) & ~np.eye(len(sites), dtype=bool)
    lithium = task.parent.species.index('Li')
    found = []
    for filling in itertools.product(*(set(itertools.permutations(one)) for one in fillings)):
        state = np.zeros(len(sites), dtype=int)
        for orbit, species in zip(orbits, filling):
            state[orbit] = species
        ions = np.flatnonzero(state == lithium)
        if not close[np.ix_(ions, ions)].any():
            found.append(tuple(state.tolist()))
    return found


def test_arrangements_on_split_sites_are_equally_probable():
    """Of 56 x 2 arrangements, the 16 x 2 without neighbouring Li; a chi-square test of 2,000 samples."""
    task, sampler = prepared(SPLIT, 1)
    states = all_states(task)
    assert len(states) == 32
    drawn = Counter(tuple(sampler.draw().tolist()) for _ in range(2000))
    assert set(drawn) <= set(states)
    assert chisquare([drawn[state] for state in states]).pvalue > 1e-3


def test_a_search_that_begins_with_one_arrangement_reaches_all():
    task, _ = prepared(SPLIT, 1)
    sampler = Sampler(task.problem, np.random.default_rng(1))
    state, _ = solve(task.problem)
    sampler.start_from(state)
    drawn = Counter(tuple(sampler.draw().tolist()) for _ in range(2000))
    assert chisquare([drawn[state] for state in all_states(task)]).pvalue > 1e-3


def test_shares_on_each_site_are_the_occupancies():
    """2,000 samples of 16 cells without conflicts; (m - 1)/m of the usual statistic, as numbers of atoms are fixed."""
    structure = Structure(
        rock_salt('Li', 'Cl', 5).lattice, [{'Li': 0.5, 'Na': 0.25}, {'Cl': 0.75}], [[0, 0, 0], [0.5] * 3]
    )
    task, sampler = prepared(structure, 16, {'Li': 1, 'Na': 1, 'Cl': -1})
    species = len(task.parent.species)
    drawn = np.array([sampler.draw() for _ in range(2000)])
    for orbit, shares in enumerate(task.parent.shares):
        sites = drawn[:, task.problem.orbit_of == orbit]
        m, kinds = sites.shape[1], np.flatnonzero(shares)
        counts = np.stack([(sites == kind).sum(axis=0) for kind in range(species)])[kinds]
        expected = 2000 * shares[kinds, None]
        statistic = (m - 1) / m * ((counts - expected) ** 2 / expected).sum()
        assert chi2.sf(statistic, (m - 1) * (len(kinds) - 1)) > 1e-3
        assert (counts > 0).all()


def test_orderings_are_all_that_differ_by_more_than_symmetry():
    """The symmetry of the parent has 16 operations; an orbit is what they make of an arrangement."""
    task, _ = prepared(SPLIT, 1)
    permutations = task.supercell.permutations()
    assert len(permutations) == 8  # those that mirror along the axis move no site
    orbits = {min(tuple(np.array(state)[p].tolist()) for p in permutations) for state in all_states(task)}
    found = order(SPLIT, OrderingSettings(number=len(orbits), most_atoms=8), given=STATES)
    assert len(found) == len(orbits)
    more = order(SPLIT, OrderingSettings(number=len(orbits) + 1, most_atoms=8), given=STATES)
    assert len(more) == len(orbits)
    assert any('different orderings' in doubt for doubt in more[0].doubts)


def test_lowest_electrostatic_energy_of_all():
    task, sampler = prepared(SPLIT, 1)
    model = Electrostatics(task.supercell, task.parent.species, STATES)
    energies = sorted(model.energy(np.array(state)) for state in all_states(task))
    lowest = model.lowest(sampler)
    assert model.energy(lowest[0]) == energies[0]
    assert [model.energy(state) for state in lowest] == sorted(model.energy(state) for state in lowest)


def test_swaps_at_a_temperature_are_distributed_by_boltzmann():
    task, sampler = prepared(SPLIT, 1)
    states = all_states(task)
    energy = {state: 0.05 * np.cos(3.0 * index) for index, state in enumerate(states)}

    def energies(some):
        return np.array([energy[tuple(state.tolist())] for state in some])

    ends, found = sample(sampler, range(400), 600.0, 15, energies)
    assert np.array_equal(energies(ends), found)
    factors = np.exp(-np.array(list(energy.values())) / (kB * 600.0))
    probabilities = factors / factors.sum()
    mean = probabilities @ list(energy.values())
    spread = np.sqrt(probabilities @ (np.array(list(energy.values())) - mean) ** 2)
    assert abs(np.mean(found) - mean) < 4 * spread / np.sqrt(400)
    assert abs(np.mean(list(energy.values()))) < 0.1 * spread  # so all temperatures are not the same
    assert mean < -0.3 * spread


def cycle(sites, ions):
    """Sites around a ring, of which neighbours exclude each other."""
    first = np.repeat(np.arange(sites), 2)
    second = np.stack([(np.arange(sites) - 1) % sites, (np.arange(sites) + 1) % sites], axis=1).ravel()
    forbidden = np.zeros((2 * sites, 2, 2), dtype=bool)
    forbidden[:, 1, 1] = True
    pairs = Exclusion(np.searchsorted(first, np.arange(sites + 1)), second, forbidden, np.ones(2 * sites))
    return Problem(np.zeros(sites, dtype=int), np.array([[sites - ions, ions]]), pairs, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 24), st.data())
def test_whether_there_is_an_arrangement_is_certain(sites, data):
    ions = data.draw(st.integers(1, sites - 1))
    problem = cycle(sites, ions)
    state, impossible = solve(problem)
    assert impossible == (ions > sites // 2)
    found = Sampler(problem, np.random.default_rng(0)).search()
    assert found == (not impossible)
    if state is not None:
        assert state.sum() == ions
        assert problem.exclusion.close_pairs(state) == 0
    most, _ = solve(problem, loose=True, most=1)
    assert most.sum() == min(ions, sites // 2)


def test_a_ring_in_which_ions_can_only_turn_together():
    """Two arrangements, half of the ring apart: found by a search, and drawn equally often."""
    problem = cycle(12, 6)
    sampler = Sampler(problem, np.random.default_rng(0))
    assert sampler.search()
    drawn = Counter(tuple(sampler.draw().tolist()) for _ in range(300))
    assert set(drawn) <= {(0, 1) * 6, (1, 0) * 6}


def test_atoms_move_to_other_orbits_if_they_must():
    """Four ions on a ring of six sites, of which three have room: the fourth goes to the other orbit."""
    ring = cycle(6, 4)
    starts = np.append(ring.exclusion.starts, [12, 12])
    pairs = Exclusion(starts, ring.exclusion.neighbours, ring.exclusion.forbidden, ring.exclusion.distances)
    problem = Problem(np.array([0] * 6 + [1] * 2), np.array([[2, 4], [1, 1]]), pairs, 2)
    assert solve(problem) == (None, True)
    state, _ = solve(problem, loose=True)
    assert state[:6].sum() == 3
    assert state[6:].sum() == 2


@pytest.mark.parametrize('seed', [0, 1])
def test_arrangements_depend_on_the_seed_alone(seed):
    first, second = (prepared(SPLIT, 2, seed=seed)[1] for _ in range(2))
    assert all(np.array_equal(first.draw(), second.draw()) for _ in range(5))
