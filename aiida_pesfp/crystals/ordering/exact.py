"""Whether there is any arrangement without close pairs: an integer program finds one, or proves that there is none."""

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from aiida_pesfp.crystals.ordering.sampling import Problem

#: Longest time of a search, s.
SECONDS = 10.0


def solve(
    problem: Problem, *, loose: bool = False, most: int = 0, cost: np.ndarray | None = None
) -> tuple[np.ndarray | None, bool]:
    """(sites,) species of one arrangement without close pairs, or None; and whether it is certain that there is none.

    :param loose: atoms of a species may move to other orbits that it is on, as few as possible.
    :param most: with ``loose``, a species of which there may be fewer atoms, but as many as possible.
    :param cost: (sites, species) what an atom costs there; the arrangement that costs least is found.
    """
    allowed, orbit_of, numbers = problem.allowed, problem.orbit_of, problem.numbers
    sites, species = np.nonzero(allowed)
    index = np.full(allowed.shape, -1)
    index[sites, species] = np.arange(n := len(sites))
    slots = np.argwhere(numbers > 0)
    slot_of = np.zeros(numbers.shape, dtype=int)
    slot_of[tuple(slots.T)] = np.arange(len(slots))
    width = n + (len(slots) if loose else 0)

    def rows(row: np.ndarray, column: np.ndarray, count: int, values=1.0) -> coo_array:
        return coo_array((np.broadcast_to(values, row.shape), (row, column)), shape=(count, width))

    constraints = [LinearConstraint(rows(sites, np.arange(n), len(allowed)).tocsc(), 1, 1)]
    of_slot = rows(slot_of[orbit_of[sites], species], np.arange(n), len(slots)).tocsc()
    wanted = numbers[tuple(slots.T)]
    if loose:
        totals = rows(species, np.arange(n), numbers.shape[1]).tocsc()
        kept = np.isin(np.arange(numbers.shape[1]), [0, most] if most else [], invert=True)
        upper_totals = (
            np.where(np.arange(numbers.shape[1]) == 0, np.inf, numbers.sum(axis=0)) if most else numbers.sum(axis=0)
        )
        constraints.append(LinearConstraint(totals, np.where(kept, numbers.sum(axis=0), 0), upper_totals))
        off = rows(np.arange(len(slots)), n + np.arange(len(slots)), len(slots)).tocsc()
        constraints.append(LinearConstraint(off[slots[:, 0] >= problem.orbits], 0, 0))
        constraints += [
            LinearConstraint(of_slot - off, -np.inf, wanted),
            LinearConstraint(of_slot + off, wanted, np.inf),
        ]
    else:
        constraints.append(LinearConstraint(of_slot, wanted, wanted))
    if cliques := _cliques(problem, index):
        row = np.repeat(np.arange(len(cliques)), list(map(len, cliques)))
        constraints.append(LinearConstraint(rows(row, np.concatenate(cliques), len(cliques)).tocsc(), -np.inf, 1))
    upper = np.ones(width)
    upper[n:] = np.inf
    upper[_impossible(problem, index)] = 0
    costs = np.zeros(n) if cost is None else cost[sites, species]
    costs = costs - len(allowed) * ((species == most) & (most > 0))
    solution = milp(
        np.concatenate([costs, np.ones(width - n)]),
        constraints=constraints,
        bounds=Bounds(0, upper),
        integrality=np.arange(width) < n,
        options={'time_limit': SECONDS},
    )
    if solution.x is None:
        return None, solution.status == 2
    state = np.zeros(len(allowed), dtype=np.int64)
    chosen = np.rint(solution.x[:n]) == 1
    state[sites[chosen]] = species[chosen]
    return state, False


def _edges(problem: Problem, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of variables of which at most one can be 1, from both sides."""
    exclusion = problem.exclusion
    pair, one, other = np.nonzero(exclusion.forbidden)
    first = np.repeat(np.arange(len(exclusion.starts) - 1), np.diff(exclusion.starts))[pair]
    return index[first, one], index[exclusion.neighbours[pair], other]


def _impossible(problem: Problem, index: np.ndarray) -> np.ndarray:
    """Variables that are 0, as the atom would be too close to its own images."""
    first, second = _edges(problem, index)
    return first[first == second]


def _cliques(problem: Problem, index: np.ndarray) -> list[list[int]]:
    """Sets of variables of which at most one can be 1, that hold all pairs: much stronger than the pairs alone."""
    near: dict[int, set[int]] = {}
    for one, other in zip(*_edges(problem, index)):
        if one != other:
            near.setdefault(int(one), set()).add(int(other))
    left = {(one, other) for one, others in near.items() for other in others if one < other}
    cliques = []
    for one, other in sorted(left):
        if (one, other) not in left:
            continue
        clique, candidates = [one, other], sorted(near[one] & near[other])
        for candidate in candidates:
            if near[candidate].issuperset(clique):
                clique.append(candidate)
        left -= {(i, j) for i in clique for j in clique}
        cliques.append(clique)
    return cliques
