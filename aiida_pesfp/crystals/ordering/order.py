"""Orderings of a disordered crystal: each step from its occupancies to ordered structures."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.cells import compact_supercell
from aiida_pesfp.crystals.ordering.charges import UNKNOWN, oxidation_states
from aiida_pesfp.crystals.ordering.counts import Counts, count, make_counts, possible_counts
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
from aiida_pesfp.crystals.ordering.parent import Parent, Supercell
from aiida_pesfp.crystals.ordering.sampling import Problem, Sampler
from aiida_pesfp.errors import CannotOrder
from aiida_pesfp.settings.ordering import OrderingSettings

#: Draws for each ordering that is still missing, before a larger cell is tried; and how many larger cells are.
DRAWS, LARGER = 20, 3


@dataclass(frozen=True)
class Ordering:
    """An ordered structure made of a disordered one, and how.

    :param structure: the ordered crystal.
    :param supercell: rows are the vectors of its cell in units of those of the parent's canonical primitive cell.
    :param counts: for each orbit of sites what it has by its occupancies, and what it has here.
    :param composition_deviation: the largest difference of the atomic fraction of an element from the parent's.
    :param charge: e; None if the oxidation states are unknown.
    :param oxidation_states: by element; ``oxidation_source`` is ``file``, ``guessed`` or ``unknown``.
    :param contacts: which hard cores it keeps, of ``exclusion.CONTACTS``, with the distances by pair of elements, A.
    :param weight: those of all orderings of a parent sum to 1.
    :param energy: eV, of the choice or the weights; None for a random choice.
    """

    structure: Structure
    supercell: list[list[int]]
    counts: list[dict]
    composition_deviation: float
    charge: float | None
    oxidation_states: dict[str, float]
    oxidation_source: str
    contacts: dict
    seed: int
    weight: float
    energy: float | None = None
    doubts: tuple[str, ...] = ()

    def provenance(self) -> dict:
        """All but the structure, as plain JSON types."""
        found = asdict(replace(self, structure=None))
        del found['structure']
        return found | {'doubts': list(self.doubts)}


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

    def structure(self, state: np.ndarray) -> Structure:
        """The ordered structure of (sites,) species."""
        atoms = np.flatnonzero(state)
        symbols = [self.parent.species[kind] for kind in state[atoms]]
        lattice = Lattice.from_parameters(*Lattice(self.supercell.lattice).parameters)
        return Structure(lattice, symbols, self.supercell.fractions[atoms]).get_sorted_structure()

    def orbits(self) -> list[dict]:
        """The numbers of atoms on each orbit, for the provenance."""
        rows = []
        for orbit, (shares, numbers) in enumerate(zip(self.parent.shares, self.counts.numbers)):
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


def order(
    structure: Structure,
    settings: OrderingSettings = OrderingSettings(),
    mobile: str = 'Li',
    given: Mapping[str, float] | None = None,
) -> list[Ordering]:
    """Ordered structures of a disordered one, different up to symmetry; fewer than asked for if there are no more.

    :param mobile: symbol of the mobile ion, whose number balances the charge.
    :param given: oxidation states by element, as the file gives them; those of the structure's properties by default.
    :raises OrderedStructure: if the structure is not disordered.
    :raises CannotOrder: if it has no ordering that fits; the message names the sites and the way out.
    """
    parent = Parent.of(structure)
    amounts = dict(zip(parent.species[1:], parent.amounts[1:].tolist()))
    states, source = oxidation_states(amounts, given or structure.properties.get('oxidation_states'))
    choices = possible_counts(parent, mobile, states, settings.most_atoms, settings.deviation)
    best: tuple[Task, list[np.ndarray]] | None = None
    failure = None
    for counts in choices[: 1 + LARGER]:
        try:
            task, sampler = _prepare(parent, counts, mobile, (states, source), settings)
        except CannotOrder as error:
            failure = failure or error
            continue
        found = _different(task, sampler, settings.number)
        if best is None or len(found) > len(best[1]):
            best = task, found
        if len(found) >= settings.number:
            break
    if best is None and (counts := _with_fewer_ions(parent, choices[0], mobile, states, settings)):
        with contextlib.suppress(CannotOrder):
            task, sampler = _prepare(parent, counts, mobile, (states, source), settings)
            best = task, _different(task, sampler, settings.number)
    if best is None:
        raise _explained(structure, failure, mobile, states, settings)
    return _orderings(*best, settings)


def _prepare(
    parent: Parent, counts: Counts, mobile: str, charges: tuple[dict[str, float], str], settings: OrderingSettings
) -> tuple[Task, Sampler]:
    """A supercell with its numbers of atoms, and a sampler that has an arrangement of them without close pairs.

    If there is none, atoms move to other orbits of their species; then smaller hard cores are tried.

    :raises CannotOrder: if there is none.
    """
    supercell = Supercell.of(parent, compact_supercell(parent.cell.lattice.matrix, counts.cells))
    rng = np.random.default_rng([settings.seed, counts.cells])
    certain = True
    every = {one: hard_cores(parent.species, charges[0], mobile, settings.hard_core, one) for one in CONTACTS}
    for contacts, limits in every.items():
        floor = every[LEAST] if contacts == USUAL else limits
        for loose in (False, True):
            numbers = counts.numbers
            exclusion = Exclusion.of(supercell, (numbers > 0)[supercell.orbit_of], limits, floor)
            problem = Problem(supercell.orbit_of, numbers, exclusion)
            sampler = Sampler(problem, rng)
            if loose or not sampler.search():
                state, impossible = solve(problem, loose=loose)
                certain &= impossible
                if state is None:
                    continue
                numbers = np.zeros_like(numbers)
                np.add.at(numbers, (supercell.orbit_of, state), 1)
                problem = Problem(supercell.orbit_of, numbers, exclusion)
                sampler = Sampler(problem, rng)
                sampler.start_from(state)
            counts = make_counts(parent, numbers, counts.cells, charges[0])
            return Task(parent, supercell, problem, counts, *charges, limits, contacts), sampler
    raise CannotOrder('proven' if certain else 'none was found in time')


def _with_fewer_ions(
    parent: Parent, counts: Counts, mobile: str, states: dict[str, float], settings: OrderingSettings
) -> Counts | None:
    """Counts with no more mobile ions than have room on their sites, as measured occupancies can be too large."""
    if mobile not in parent.species:
        return None
    ion = parent.species.index(mobile)
    limits = hard_cores(parent.species, states, mobile, settings.hard_core, CLOSEST)
    supercell = Supercell.of(parent, compact_supercell(parent.cell.lattice.matrix, counts.cells))
    exclusion = Exclusion.of(supercell, (counts.numbers > 0)[supercell.orbit_of], limits, limits)
    state, _ = solve(Problem(supercell.orbit_of, counts.numbers, exclusion), loose=True, most=ion)
    if state is None:
        return None
    room = int((state == ion).sum())
    choices = (count(parent, mobile, states, counts.cells, loose, room) for loose in (False, True))
    return next((one for one in choices if one is not None), None)


def _different(task: Task, sampler: Sampler, number: int) -> list[np.ndarray]:
    """So many arrangements that no symmetry of the parent makes of each other, or as many as are found."""
    permutations, found, seen = task.supercell.permutations(), [], set()
    for state in itertools.chain((sampler.draw() for _ in range(DRAWS * number)), _restarts(sampler, 2 * number)):
        if (key := _key(state, permutations)) not in seen:
            seen.add(key)
            found.append(state)
            if len(found) == number:
                break
    return found


def _restarts(sampler: Sampler, number: int) -> Iterator[np.ndarray]:
    """Arrangements without close pairs that no chain leads to: each costs least by random costs."""
    problem = sampler.problem
    for _ in range(number if sampler.is_cold else 0):
        state, _ = solve(problem, cost=sampler.rng.integers(0, 1000, size=problem.allowed.shape))
        if state is not None:
            yield state


def _key(state: np.ndarray, permutations: np.ndarray) -> bytes:
    """The same for all arrangements that the permutations make of one."""
    return min(image.tobytes() for image in state.astype(np.uint8)[permutations])


def _orderings(task: Task, states: list[np.ndarray], settings: OrderingSettings) -> list[Ordering]:
    doubts = _doubts(task, len(states), settings)
    counts, distances = task.orbits(), task.distances()
    return [
        Ordering(
            structure=task.structure(state),
            supercell=task.supercell.matrix.tolist(),
            counts=counts,
            composition_deviation=task.counts.composition_deviation,
            charge=task.counts.charge,
            oxidation_states=task.states,
            oxidation_source=task.source,
            contacts={'kind': task.contacts, 'distances': distances},
            seed=settings.seed,
            weight=1 / len(states),
            doubts=doubts,
        )
        for state in states
    ]


def _doubts(task: Task, found: int, settings: OrderingSettings) -> tuple[str, ...]:
    """What a person should know of the orderings of one parent."""
    doubts = []
    if task.source == UNKNOWN:
        doubts.append('its oxidation states are unknown, so the charge is not balanced: give them in the file')
    deviation = task.counts.composition_deviation
    if deviation > settings.deviation:
        doubts.append(f'its orderings have a composition that is off by {100 * deviation:.1f} % of all atoms')
    if task.contacts == LEAST:
        doubts.append('some of its ions of one sign are closer than in most crystals in every ordering')
    if task.contacts == CLOSEST:
        doubts.append('some of its mobile ions are too close for a scan in every ordering: relax them first')
    if found < settings.number:
        doubts.append(f'it has {found} different orderings in {settings.most_atoms} atoms, or more are hard to find')
    return tuple(doubts)


def _explained(
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
    way_out = 'correct the occupancies, allow more atoms (--most-atoms), or a smaller --hard-core'
    return CannotOrder(
        f'{failure}: no arrangement has its occupancies without atoms that are too close{which}. {way_out}'
    )
