"""A rolling window of processes: as soon as one has ended, the next begins; and what each of them gets."""

import heapq
from collections.abc import Mapping
from math import ceil

from aiida.engine import Awaitable, ProcessState
from aiida.orm import ProcessNode, load_node

from aiida_pesfp.queries.nodes import jobs_of


def equal_batches(costs: Mapping[str, float], most: int) -> list[list[str]]:
    """Batches of about the same cost, the costliest first: so the last ones end at about the same time.

    What costs more than an equal share is alone. The others are distributed, the costliest first, each to the cheapest
    batch that has room (R. L. Graham, SIAM J. Appl. Math. 17, 416, 1969).

    :param costs: key -> cost in any unit.
    :param most: keys of one batch.
    """
    left, alone, total = sorted(costs, key=costs.get, reverse=True), [], sum(costs.values())
    while left and costs[left[0]] * ceil(len(left) / most) > total:
        alone.append([left.pop(0)])
        total -= costs[alone[-1][0]]
    shared = [[] for _ in range(ceil(len(left) / most))]
    totals = [0.0] * len(shared)
    with_room = [(0.0, number) for number in range(len(shared))]
    for key in left:
        _, cheapest = heapq.heappop(with_room)
        shared[cheapest].append(key)
        totals[cheapest] += costs[key]
        if len(shared[cheapest]) < most:
            heapq.heappush(with_room, (totals[cheapest], cheapest))
    return alone + [batch for _, batch in sorted(zip(totals, shared), key=lambda pair: pair[0], reverse=True)]


class RollingWindow:
    """Part of a workchain that goes on as soon as one of the processes in its window has ended, and not all of them.

    For those that do not belong to the window, it waits as every workchain does.
    """

    #: Begin of the keys by which AiiDA knows what is awaited in the window.
    _WINDOW = 'window_'

    def wait_for_any(self, pks: list[int]) -> None:
        """Let the next step begin when one of some processes has ended, or one of the jobs that it has left running."""
        for key in [key for key in self.ctx if key.startswith(self._WINDOW)]:
            del self.ctx[key]
        for node in (one for pk in pks for one in self.unfinished(pk)):
            self.to_context(**{f'{self._WINDOW}{node.pk}': node})

    def unfinished(self, pk: int) -> list[ProcessNode]:
        """A process that has not ended; or those of its jobs, if it was lost while they ran.

        What such jobs finish is not computed again.
        """
        node = load_node(pk)
        if not node.is_terminated:
            return [node]
        jobs = [] if node.is_finished else jobs_of(node)
        return [job for job in jobs if not job.is_terminated and job.process_state is not ProcessState.CREATED]

    def _on_awaitable_finished(self, awaitable: Awaitable) -> None:
        # Each step waits anew for what has not ended, so one end is told as often as was waited for it.
        if not any(one is awaitable for one in self._awaitables):
            return
        super()._on_awaitable_finished(awaitable)
        if awaitable.key.startswith(self._WINDOW) and self.state == ProcessState.WAITING:
            self.resume()
