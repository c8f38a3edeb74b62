"""Random arrangements of atoms on sites: Metropolis swaps, in whole numbers.

A swap exchanges what two sites of a class have, so the numbers of atoms stay. The energy is the number of pairs that
are too close, plus an electrostatic energy if one is given. Without it, all arrangements without such pairs are equally
probable among those that the chain visits, at any temperature. Taking a chain at every n-th of its visits to them is
again a chain of Metropolis, whose distribution is uniform over them.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from aiida_pesfp.crystals.ordering.exclusion import Exclusion

#: Temperatures at which arrangements without close pairs are looked for, in pairs.
TEMPERATURES = (2.0, 1.0, 0.7, 0.5, 0.4, 0.33, 0.28, 0.24, 0.2, 0.17, 0.14, 0.12, 0.1)
#: Here a chain hardly ever makes a close pair.
COLDEST = 0.03
#: Sweeps at each of them, and how often all are tried. A sweep tries as many swaps as there are sites.
SWEEPS, TRIES = 60, 3
#: The chain goes on at the highest temperature at which this part of its steps is without close pairs ...
VISITED = 0.05
#: ... and gives an arrangement after so many sweeps without.
APART = 20
#: A chain that takes so many times longer for them is at too high a temperature.
LOST = 20


class Moves(NamedTuple):
    """The swaps of a problem.

    :param active: sites with a choice.
    :param orbit_of: (sites,) the orbit of each site.
    :param sites: all sites by orbit; ``starts`` says where each orbit begins.
    """

    active: np.ndarray
    orbit_of: np.ndarray
    sites: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True)
class Problem:
    """What is arranged: sites with as many atoms of each species as their class gets.

    :param orbit_of: (sites,) the class of each site: an orbit, or the ligands of one group.
    :param numbers: (classes, species) atoms of each species; 0 is the vacancy.
    :param orbits: the first classes are so many orbits; the numbers of the others never change.
    """

    orbit_of: np.ndarray
    numbers: np.ndarray
    exclusion: Exclusion
    orbits: int

    @property
    def allowed(self) -> np.ndarray:
        """(sites, species) which species a site may have."""
        return (self.numbers > 0)[self.orbit_of]

    @functools.cached_property
    def active(self) -> np.ndarray:
        """Indices of the sites with a choice."""
        return np.flatnonzero(self.allowed.sum(axis=1) > 1)

    @functools.cached_property
    def moves(self) -> Moves:
        """The swaps of sites within each orbit."""
        order = np.argsort(self.orbit_of, kind='stable')
        starts = np.searchsorted(self.orbit_of[order], np.arange(len(self.numbers) + 1))
        return Moves(self.active, self.orbit_of, order, starts)

    def random_state(self, rng: np.random.Generator) -> np.ndarray:
        """(sites,) a random species for each site, whatever is too close."""
        state = np.zeros(len(self.orbit_of), dtype=np.int64)
        for orbit, numbers in enumerate(self.numbers):
            state[self.orbit_of == orbit] = rng.permutation(np.repeat(np.arange(len(numbers)), numbers))
        return state


class Sampler:
    """Draws arrangements without close pairs."""

    def __init__(self, problem: Problem, rng: np.random.Generator):
        self.problem, self.rng = problem, rng
        self.state, self.temperature = problem.random_state(rng), COLDEST

    @property
    def is_cold(self) -> bool:
        """Whether the chain hardly moves, as arrangements without close pairs are rare and far from each other."""
        return self.temperature < TEMPERATURES[-1] * 2

    def search(self) -> bool:
        """Look for an arrangement without close pairs by annealing, and for the temperature at which to go on."""
        return any(self._anneal() for _ in range(TRIES))

    def start_from(self, state: np.ndarray) -> None:
        """Go on from an arrangement without close pairs, at the highest temperature with enough of them."""
        self.temperature, steps = COLDEST, SWEEPS * max(1, len(self.problem.active))
        for temperature in reversed(TEMPERATURES):
            self.state = state.copy()
            if self._walk(temperature, steps, visits=2**62) < VISITED * steps:
                break
            self.temperature = temperature
        self.state = state.copy()

    def draw(self) -> np.ndarray:
        """(sites,) species of an arrangement without close pairs, some way from the last one."""
        visits, start = APART * len(self.problem.active), self.state.copy()
        while self._walk(self.temperature, round(LOST * visits / VISITED), visits) < visits:
            # The chain is lost among arrangements with close pairs, which are many more: go on where it is colder.
            self.state = start.copy()
            colder = [one for one in (*TEMPERATURES, COLDEST) if one < self.temperature]
            self.temperature = colder[0] if colder else self.temperature / 2
        return self.state.copy()

    def _anneal(self) -> bool:
        best, steps = None, SWEEPS * max(1, len(self.problem.active))
        for temperature in TEMPERATURES:
            visits = self._walk(temperature, steps, visits=2**62)
            if best is None and visits > VISITED * steps:
                best = temperature
        if self.problem.exclusion.close_pairs(self.state):
            return False
        self.temperature = best
        if best is None:
            self.start_from(self.state)
        return True

    def _walk(self, temperature: float, steps: int, visits: int) -> int:
        """Swap until so many steps, or visits to arrangements without close pairs; the number of visits."""
        problem = self.problem
        close = problem.exclusion.close_pairs(self.state)
        if not len(problem.active):
            return 0 if close else min(steps, visits)
        return walk(self.state, close, problem.moves, problem.exclusion, temperature, steps, visits, self.rng)


@numba.njit(cache=True)
def propose(moves, rng):
    """Two sites of an orbit."""
    first = moves.active[rng.integers(0, len(moves.active))]
    orbit = moves.orbit_of[first]
    return first, moves.sites[rng.integers(moves.starts[orbit], moves.starts[orbit + 1])]


@numba.njit(cache=True)
def conflicts(state, first, second, pairs):
    """In how many close pairs two sites are; a pair of both counts twice."""
    found = 0
    for site in (first, second):
        for pair in range(pairs.starts[site], pairs.starts[site + 1]):
            found += pairs.forbidden[pair, state[site], state[pairs.neighbours[pair]]]
    return found


@numba.njit(cache=True)
def walk(state, close, moves, pairs, temperature, steps, visits, rng):
    """Metropolis swaps of ``state``, in place; the number of steps at whose end there was no close pair.

    :param close: the number of close pairs at the start.
    """
    found = 0
    for _ in range(steps):
        first, second = propose(moves, rng)
        if state[first] != state[second]:
            # The pair of both sites is as close before as after.
            change = -conflicts(state, first, second, pairs)
            state[first], state[second] = state[second], state[first]
            change += conflicts(state, first, second, pairs)
            if change > 0 and rng.random() >= np.exp(-change / temperature):
                state[first], state[second] = state[second], state[first]
            else:
                close += change
        if close == 0:
            found += 1
            if found >= visits:
                break
    return found
