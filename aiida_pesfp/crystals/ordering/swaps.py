"""Swap Monte Carlo at a temperature with any energies of whole structures, many of them in one batch."""

from collections.abc import Callable, Sequence

import numpy as np
from ase.units import kB
from pymatgen.core import Structure

from aiida_pesfp.crystals.ordering.sampling import Problem, Sampler, propose

#: Total energies of ordered structures of one cell, eV, in their order.
Evaluate = Callable[[Sequence[Structure]], Sequence[float]]
#: So many pairs of equal species are passed over before a chain keeps what it has.
ATTEMPTS = 20


def sample(
    sampler: Sampler, chains: range, temperature: float, sweeps: int, energies: Callable[[list[np.ndarray]], np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray]:
    """The last arrangement of each of some chains of Metropolis swaps, and their energies, eV.

    All chains try one swap at a time, so that the energies of all are computed at once. Each has random numbers of its
    own, so it does not depend on the others.

    :param chains: their numbers among all chains of the sampler, which is a fresh one.
    :param temperature: K.
    :param sweeps: swaps of each chain for each site with a choice.
    :param energies: of arrangements, eV.
    """
    problem, own = sampler.problem, sampler.rng.spawn(chains.stop)[chains.start :]
    states = [sampler.draw() for _ in range(chains.stop)][chains.start :]
    current = np.asarray(energies(states), dtype=float)
    for _ in range(sweeps * len(problem.active)):
        swapped = [swap(problem, state, rng) for state, rng in zip(states, own)]
        new = np.asarray(energies(swapped), dtype=float)
        chances = np.exp(np.minimum(0.0, (current - new) / (kB * temperature)))
        accepted = np.array([rng.random() for rng in own]) < chances
        states = [one if yes else other for one, other, yes in zip(swapped, states, accepted)]
        current = np.where(accepted, new, current)
    return states, current


def swap(problem: Problem, state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An arrangement in which two sites of an orbit have exchanged what they have, without a close pair.

    Which swap is tried does not depend on whether it is possible: if it is not, the state stays as it is. Only swaps of
    equal species are tried again, as often in either direction.
    """
    for _ in range(ATTEMPTS):
        first, second = propose(problem.moves, rng)
        if state[first] != state[second]:
            new = state.copy()
            new[[first, second]] = state[[second, first]]
            return state if problem.exclusion.close_pairs(new) else new
    return state
