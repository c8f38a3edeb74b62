"""Which arrangements of one task become orderings: the first so many of a sequence, however many there are."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from aiida_pesfp.crystals.ordering.arrange import Task
from aiida_pesfp.crystals.ordering.electrostatics import Electrostatics
from aiida_pesfp.crystals.ordering.exact import solve
from aiida_pesfp.crystals.ordering.sampling import Sampler
from aiida_pesfp.crystals.ordering.swaps import Evaluate, sample
from aiida_pesfp.settings.ordering import OrderingSettings

#: After so many draws, or restarts, in a row that give nothing new there is nothing new.
DRAWS, RESTARTS = 100, 10


class Chosen(NamedTuple):
    """An arrangement that becomes an ordering.

    :param state: (sites,) species.
    :param energy: eV, if the choice needs it.
    :param count: how many chains of swaps end in it.
    """

    state: np.ndarray
    energy: float | None = None
    count: int = 1


class Different:
    """Tells arrangements apart that no symmetry of the parent makes of each other."""

    def __init__(self, task: Task):
        self._permutations, self._seen = task.supercell.permutations(), set()

    def among(self, states: Iterable[np.ndarray], patience: int | None = None) -> Iterator[np.ndarray]:
        """Those that differ from all earlier ones, until so many in a row do not."""
        in_vain = 0
        for state in states:
            in_vain += 1
            if (key := self.key(state)) not in self._seen:
                self._seen.add(key)
                in_vain = 0
                yield state
            if in_vain == patience:
                return

    def key(self, state: np.ndarray) -> bytes:
        """The same for all arrangements that the symmetry makes of one."""
        return min(image.tobytes() for image in state.astype(np.uint8)[self._permutations])


def drawn(task: Task, sampler: Sampler) -> Iterator[np.ndarray]:
    """Random arrangements, all of them different."""
    different = Different(task)
    yield from different.among((sampler.draw() for _ in itertools.count()), DRAWS)
    if sampler.is_cold:
        yield from different.among(_restarts(sampler), RESTARTS)


def choose(
    task: Task, sampler: Sampler, at_random: Iterator[np.ndarray], settings: OrderingSettings, evaluate: Evaluate | None
) -> list[Chosen]:
    """So many arrangements that no symmetry of the parent makes of each other, or as many as are found.

    Of swaps, these are the ends of so many chains, which need not differ.

    :param sampler: a fresh one.
    :param at_random: those of :func:`drawn`.
    """
    begin, end = settings.skip_orderings, settings.skip_orderings + settings.number
    if settings.choice == 'random':
        return [Chosen(state) for state in itertools.islice(at_random, begin, end)]
    different = Different(task)
    if settings.choice == 'electrostatic':
        model = Electrostatics(task.supercell, task.parent.species, task.states)
        lowest = itertools.islice(different.among(model.lowest(sampler)), begin, end)
        return [Chosen(state, model.in_ev(model.energy(state))) for state in lowest]

    def energies(states: list[np.ndarray]) -> np.ndarray:
        return np.asarray(evaluate([task.structure(state) for state in states]), dtype=float)

    ends, found = sample(sampler, range(begin, end), settings.temperature, settings.sweeps, energies)
    keys = [different.key(state) for state in ends]
    counts = Counter(keys)
    return [Chosen(ends[keys.index(key)], float(found[keys.index(key)]), count) for key, count in counts.items()]


def _restarts(sampler: Sampler) -> Iterator[np.ndarray]:
    """Arrangements without close pairs that no chain leads to: each costs least by random costs."""
    problem = sampler.problem
    for _ in itertools.count():
        state, _ = solve(problem, cost=sampler.rng.integers(0, 1000, size=problem.allowed.shape))
        if state is None:
            return
        yield state
