"""The supercell, the numbers of atoms and the hard cores with which a crystal can be ordered."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.cells import compact_supercell
from aiida_pesfp.crystals.ordering.counts import Counts, count, make_counts
from aiida_pesfp.crystals.ordering.exact import solve
from aiida_pesfp.crystals.ordering.exclusion import (
    CLOSEST,
    CONTACTS,
    LEAST,
    USUAL,
    Exclusion,
    closest_pairs,
    hard_cores,
)
from aiida_pesfp.crystals.ordering.groups import Groups, classes, find_groups
from aiida_pesfp.crystals.ordering.parent import Parent, Supercell
from aiida_pesfp.crystals.ordering.sampling import Problem, Sampler
from aiida_pesfp.errors import CannotOrder
from aiida_pesfp.settings.ordering import OrderingSettings

#: Ions of one sign that are farther apart than this are not looked for, A.
FARTHEST_ALIKE = 4.0


@dataclass(frozen=True)
class Task:
    """What all orderings of one parent in one supercell share."""

    parent: Parent
    supercell: Supercell
    problem: Problem
    counts: Counts
    states: dict[str, float]
    source: str
    limits: np.ndarray
    contacts: str
    groups: list[Groups]

    def structure(self, state: np.ndarray) -> Structure:
        """The ordered structure of (sites,) species."""
        atoms = np.flatnonzero(state)
        symbols = [self.parent.species[kind] for kind in state[atoms]]
        lattice = Lattice.from_parameters(*Lattice(self.supercell.lattice).parameters)
        return Structure(lattice, symbols, self.supercell.fractions[atoms]).get_sorted_structure()

    def closest_alike(self, states: list[np.ndarray]) -> str:
        """The closest pair of ions of one sign in some arrangements: ``Li-Li 1.55 A apart``."""
        first, second, distances = closest_pairs(self.supercell.lattice, self.supercell.fractions, FARTHEST_ALIKE)
        signs = np.sign([0.0, *(self.states.get(symbol, 0.0) for symbol in self.parent.species[1:])])
        pairs = []
        for state in states:
            alike = np.flatnonzero(signs[state[first]] * signs[state[second]] > 0)
            if len(alike):
                one = alike[np.argmin(distances[alike])]
                symbols = sorted((self.parent.species[state[first[one]]], self.parent.species[state[second[one]]]))
                pairs.append((float(distances[one]), '-'.join(symbols)))
        distance, symbols = min(pairs, default=(FARTHEST_ALIKE, 'ions'))
        return f'{symbols} {distance:.2f} A apart'

    def orbits(self, state: np.ndarray) -> list[dict]:
        """The numbers of atoms on each orbit, for the provenance."""
        rows = []
        for orbit, (shares, numbers) in enumerate(zip(self.parent.shares, _numbers(self.supercell, state))):
            sites = int(self.counts.cells * self.parent.multiplicities[orbit])
            species = {
                symbol: {'expected': round(float(sites * share), 4), 'count': int(number)}
                for symbol, share, number in zip(self.parent.species, shares, numbers)
                if symbol and (share > 0 or number > 0)
            }
            rows.append({'sites': sites, 'species': species})
        return rows

    def distances(self) -> dict[str, float]:
        """Hard cores by pair of elements, A."""
        symbols = self.parent.species
        pairs = ((i, j) for i in range(1, len(symbols)) for j in range(i, len(symbols)))
        return {f'{symbols[i]}-{symbols[j]}': round(float(self.limits[i, j]), 3) for i, j in pairs}


def prepare(
    parent: Parent, counts: Counts, mobile: str, charges: tuple[Mapping[str, float], str], settings: OrderingSettings
) -> tuple[Task, Sampler]:
    """A supercell with its numbers of atoms, and a sampler that has an arrangement of them without close pairs.

    If there is none, atoms move to other orbits of their species; then smaller hard cores are tried.

    :param charges: oxidation states, and where they come from.
    :raises CannotOrder: if there is none.
    """
    supercell = Supercell.of(parent, compact_supercell(parent.cell.lattice.matrix, counts.cells))
    _, groups = find_groups(parent, mobile)
    rng = np.random.default_rng([settings.seed, counts.cells])
    certain = True
    every = {one: hard_cores(parent.species, charges[0], mobile, settings.hard_core, one) for one in CONTACTS}
    for contacts, limits in every.items():
        floor = every[LEAST] if contacts == USUAL else limits
        for loose in (False, True):
            problem = _problem(supercell, counts.numbers, groups, limits, floor)
            sampler = Sampler(problem, rng)
            if loose or not sampler.search():
                state, impossible = solve(problem, loose=loose)
                certain &= impossible
                if state is None:
                    continue
                numbers = np.zeros_like(problem.numbers)
                np.add.at(numbers, (problem.orbit_of, state), 1)
                problem = replace(problem, numbers=numbers)
                sampler = Sampler(problem, rng)
                sampler.start_from(state)
            counts = make_counts(parent, _numbers(supercell, sampler.state), counts.cells, charges[0])
            return Task(parent, supercell, problem, counts, *charges, limits, contacts, groups), sampler
    words = 'no arrangement keeps its occupancies and its charge without atoms that are too close'
    raise CannotOrder(words if certain else f'{words}, or it was not found in time')


def with_fewer_ions(
    parent: Parent, counts: Counts, mobile: str, states: dict[str, float], settings: OrderingSettings
) -> Counts | None:
    """Counts with no more mobile ions than have room on their sites, as measured occupancies can be too large."""
    if mobile not in parent.species:
        return None
    ion = parent.species.index(mobile)
    limits = hard_cores(parent.species, states, mobile, settings.hard_core, CLOSEST)
    supercell = Supercell.of(parent, compact_supercell(parent.cell.lattice.matrix, counts.cells))
    problem = _problem(supercell, counts.numbers, find_groups(parent, mobile)[1], limits, limits)
    state, _ = solve(problem, loose=True, most=ion)
    if state is None:
        return None
    room = int((state == ion).sum())
    choices = (count(parent, mobile, states, counts.cells, loose, room) for loose in (False, True))
    return next((one for one in choices if one is not None), None)


def _problem(
    supercell: Supercell, numbers: np.ndarray, groups: list[Groups], limits: np.ndarray, floor: np.ndarray
) -> Problem:
    class_of, of_classes = classes(supercell, numbers, groups)
    exclusion = Exclusion.of(supercell, (of_classes > 0)[class_of], limits, floor)
    return Problem(class_of, of_classes, exclusion, len(numbers))


def _numbers(supercell: Supercell, state: np.ndarray) -> np.ndarray:
    """(orbits, species) how many atoms of each an arrangement has."""
    numbers = np.zeros(supercell.parent.shares.shape, dtype=int)
    np.add.at(numbers, (supercell.orbit_of, state), 1)
    return numbers


def explained(
    structure: Structure, failure: CannotOrder, mobile: str, states: dict[str, float], settings: OrderingSettings
) -> CannotOrder:
    """The error that says which sites are too close to each other to have what their occupancies say."""
    symbols = ('', *sorted(one.symbol for one in structure.composition.element_composition))
    limits = hard_cores(symbols, states, mobile, settings.hard_core, CLOSEST)
    first, second, distances = closest_pairs(structure.lattice.matrix, structure.frac_coords, float(limits.max()))
    species = [[symbols.index(one.symbol) for one in site.species.element_composition] for site in structure]
    named = {}
    for i, j, distance in sorted(zip(first, second, distances), key=lambda pair: pair[2]):
        close = [(a, b) for a in species[i] for b in species[j] if distance < limits[a, b]]
        words = tuple(sorted((structure[i].species_string, structure[j].species_string)))
        if close and words not in named:
            places = (f'({", ".join(f"{x:.3f}" for x in structure[k].frac_coords)})' for k in (i, j))
            named[words] = f'{" and ".join(words)} at {" and ".join(places)}, {distance:.2f} A apart'
    which = f': {"; ".join(list(named.values())[:3])}' if named else ''
    way_out = 'Correct the occupancies, allow more atoms (--most-atoms), or a smaller --hard-core'
    return CannotOrder(f'{failure}{which}. {way_out}')
