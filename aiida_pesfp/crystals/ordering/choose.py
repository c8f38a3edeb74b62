"""Which arrangements of one task become orderings."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from aiida_pesfp.crystals.ordering.arrange import Task
from aiida_pesfp.crystals.ordering.electrostatics import Electrostatics
from aiida_pesfp.crystals.ordering.exact import solve
from aiida_pesfp.crystals.ordering.sampling import Sampler
from aiida_pesfp.crystals.ordering.swaps import Evaluate, sample
from aiida_pesfp.settings.ordering import OrderingSettings

#: Draws for each ordering.
DRAWS = 20
#: Rounds of chains of swaps, until there are enough different ends.
ROUNDS = 3


def choose(
    task: Task, sampler: Sampler, settings: OrderingSettings, evaluate: Evaluate | None
) -> tuple[list[np.ndarray], list[float] | None]:
    """So many arrangements that no symmetry of the parent makes of each other, or as many as are found.

    :returns: (sites,) species of each, and their energies, eV, if the choice needs them.
    """
    if settings.choice == 'random':
        draws = (sampler.draw() for _ in range(DRAWS * settings.number))
        return _different(task, itertools.chain(draws, _restarts(sampler, 2 * settings.number)), settings.number), None
    if settings.choice == 'electrostatic':
        model = Electrostatics(task.supercell, task.parent.species, task.states)
        chosen = _different(task, model.lowest(sampler, settings.number), settings.number)
        return chosen, [model.in_ev(model.energy(state)) for state in chosen]

    def energies(states: list[np.ndarray]) -> np.ndarray:
        return np.asarray(evaluate([task.structure(state) for state in states]), dtype=float)

    found: list[np.ndarray] = []
    for _ in range(ROUNDS):
        ends, _ = sample(sampler, settings.number, settings.temperature, settings.sweeps, energies)
        found = _different(task, [*found, *ends], settings.number)
        if len(found) == settings.number:
            break
    return found, energies(found).tolist()


def _different(task: Task, states: Iterable[np.ndarray], number: int) -> list[np.ndarray]:
    """The first of some arrangements that no symmetry of the parent makes of each other."""
    permutations, found, seen = task.supercell.permutations(), [], set()
    for state in states:
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
