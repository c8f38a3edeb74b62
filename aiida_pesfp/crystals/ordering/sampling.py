"""Random arrangements of atoms on sites: Metropolis swaps, in whole numbers.

A swap exchanges what two sites of an orbit have, so the numbers of atoms stay. The energy is the number of pairs that
are too close, plus an electrostatic energy if one is given. Without it, all arrangements without such pairs are equally
probable among those that the chain visits, at any temperature. Taking a chain at every n-th of its visits to them is
again a chain of Metropolis, whose distribution is uniform over them.
"""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Problem:
    """What is arranged: sites with as many atoms of each species as their orbit gets.

    :param orbit_of: (sites,) the orbit of each site.
    :param numbers: (orbits, species) atoms of each species; 0 is the vacancy.
    """

    orbit_of: np.ndarray
    numbers: np.ndarray
    exclusion: Exclusion

    @property
    def allowed(self) -> np.ndarray:
        """(sites, species) which species a site may have."""
        return (self.numbers > 0)[self.orbit_of]

    @property
    def active(self) -> np.ndarray:
        """Indices of the sites with a choice."""
        return np.flatnonzero(self.allowed.sum(axis=1) > 1)

    @property
    def orbits(self) -> tuple[np.ndarray, np.ndarray]:
        """Sites by orbit, and where each orbit begins."""
        order = np.argsort(self.orbit_of, kind='stable')
        return order, np.searchsorted(self.orbit_of[order], np.arange(len(self.numbers) + 1))

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
        self._walk(self.temperature, steps=2**62, visits=APART * len(self.problem.active))
        return self.state.copy()

    def _anneal(self) -> bool:
        best, steps = None, SWEEPS * max(1, len(self.problem.active))
        for temperature in TEMPERATURES:
            visits = self._walk(temperature, steps, visits=2**62)
            if best is None and visits > VISITED * steps:
                best = temperature
        if self.problem.exclusion.count(self.state):
            return False
        self.temperature = best
        if best is None:
            self.start_from(self.state)
        return True

    def _walk(self, temperature: float, steps: int, visits: int) -> int:
        """Swap until so many steps, or visits to arrangements without close pairs; the number of visits."""
        sites, starts = self.problem.orbits
        exclusion = self.problem.exclusion
        arrays = self.problem.active, self.problem.orbit_of, sites, starts
        pairs = exclusion.starts, exclusion.neighbours, exclusion.forbidden
        close = exclusion.count(self.state)
        if not len(self.problem.active):
            return 0 if close else min(steps, visits)
        return walk(self.state, close, *arrays, *pairs, temperature, steps, visits, self.rng)


@numba.njit(cache=True)
def conflicts(state, site, starts, neighbours, forbidden):
    """How many close pairs a site has."""
    found = 0
    for pair in range(starts[site], starts[site + 1]):
        found += forbidden[pair, state[site], state[neighbours[pair]]]
    return found


@numba.njit(cache=True)
def walk(state, close, active, orbit_of, sites, orbits, starts, neighbours, forbidden, temperature, steps, visits, rng):
    """Metropolis swaps of ``state``, in place; the number of steps at whose end there was no close pair."""
    found = 0
    for _ in range(steps):
        first = active[rng.integers(0, len(active))]
        orbit = orbit_of[first]
        second = sites[rng.integers(orbits[orbit], orbits[orbit + 1])]
        if state[first] != state[second]:
            # The pair of both sites counts twice before and after, and is as close after as before.
            change = -conflicts(state, first, starts, neighbours, forbidden)
            change -= conflicts(state, second, starts, neighbours, forbidden)
            state[first], state[second] = state[second], state[first]
            change += conflicts(state, first, starts, neighbours, forbidden)
            change += conflicts(state, second, starts, neighbours, forbidden)
            if change > 0 and rng.random() >= np.exp(-change / temperature):
                state[first], state[second] = state[second], state[first]
            else:
                close += change
        if close == 0:
            found += 1
            if found >= visits:
                break
    return found
