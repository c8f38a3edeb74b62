"""In which supercells a crystal is ordered, and how many atoms of each species each orbit gets there."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from aiida_pesfp.crystals.ordering.parent import Parent
from aiida_pesfp.errors import CannotOrder

#: What one atom of the framework that is too many or too few costs, if that of an ion costs 1; and how many times more
#: it costs in the sum over all orbits.
FRAMEWORK, TOTAL = 10.0, 2.0
#: Of two choices that cost the same, the earlier one costs so much less.
FIRST = 1e-5
#: A cell is not taken for a gain in composition below this, as a part of all atoms.
GAIN = 0.005
#: Most cells of a supercell.
MOST_CELLS = 64


@dataclass(frozen=True)
class Counts:
    """The numbers of atoms in a supercell.

    :param cells: primitive cells of the supercell.
    :param numbers: (orbits, species) atoms on each orbit; the first column are vacancies.
    :param charge: of the supercell, e; None if oxidation states are unknown.
    :param composition_deviation: of the atomic fraction of an element from that by the occupancies, the largest.
    :param orbit_deviation: of the number of a species on an orbit, as a part of all atoms, the largest.
    """

    cells: int
    numbers: np.ndarray
    charge: float | None
    composition_deviation: float
    orbit_deviation: float


def possible_counts(
    parent: Parent, mobile: str, states: Mapping[str, float], most_atoms: int, deviation: float
) -> list[Counts]:
    """The numbers of atoms in supercells, the best first: the smallest that is close enough to the occupancies.

    If none is close enough to ``deviation``, the closest counts, but for :data:`GAIN`.

    :param mobile: symbol of the ion whose number balances the charge.
    :param states: oxidation states of all elements, or nothing.
    :raises CannotOrder: if there is none with up to ``most_atoms`` atoms.
    """
    atoms = parent.amounts.sum()
    largest = min(MOST_CELLS, int((most_atoms + 0.5) / atoms))
    if largest < 1:
        way_out = 'allow more (--most-atoms)'
        raise CannotOrder(f'its primitive cell has {atoms:.4g} atoms, more than the limit of {most_atoms}: {way_out}')
    tried = (
        count(parent, mobile, states, cells) or count(parent, mobile, states, cells, loose=True)
        for cells in range(1, largest + 1)
    )
    found = [one for one in tried if one is not None]
    if not found:
        charges = ', '.join(f'{symbol} {state:+g}' for symbol, state in states.items())
        way_out = 'correct the occupancies, give oxidation states in the file, or allow more atoms (--most-atoms)'
        raise CannotOrder(
            f'no number of {mobile} balances the charges ({charges}) in up to {most_atoms} atoms: {way_out}'
        )
    limits = [
        max(deviation, min(getattr(one, kind) for one in found) + GAIN)
        for kind in ('composition_deviation', 'orbit_deviation')
    ]

    def rank(one: Counts) -> tuple:
        close = one.composition_deviation <= limits[0], one.orbit_deviation <= limits[1]
        return not close[0], not close[1], one.cells if all(close) else one.orbit_deviation

    return sorted(found, key=rank)


def count(
    parent: Parent,
    mobile: str,
    states: Mapping[str, float],
    cells: int,
    loose: bool = False,
    most_mobile: float = np.inf,
) -> Counts | None:
    """The numbers of atoms closest to the occupancies in so many primitive cells, without a net charge.

    Species of the framework are rounded up or down (by largest remainder, where nothing else counts), and mobile ions
    balance the charge. None if they cannot.

    :param loose: those that share their sites may balance the charge too.
    :param most_mobile: as many ions have room; then a rare species may be left out.
    """
    expected = cells * parent.multiplicities[:, None] * parent.shares
    allowed = (expected > 0) | ((parent.shares[:, [_index(parent, mobile)]] > 0) & (np.arange(expected.shape[1]) == 0))
    orbits, species = np.nonzero(allowed)
    q = np.round(expected[orbits, species], 6)
    ions = (species == 0) | (species == _index(parent, mobile))
    has_ions = allowed[orbits, _index(parent, mobile)] & ions
    sites = (cells * parent.multiplicities)[orbits]
    free = has_ions | (loose & (q < sites))
    low = np.where(free, 0, np.floor(q))
    high = np.where(free, sites, np.ceil(q))
    n, kinds = len(q), expected.shape[1]
    of_orbit = (orbits == np.arange(len(expected))[:, None]).astype(float)
    of_species = (species == np.arange(kinds)[:, None]).astype(float)
    # Variables: numbers, what each is off, what each species is off in all.
    totals = of_species @ q
    least = np.minimum(1, np.ceil(totals)) if np.isinf(most_mobile) else np.zeros(kinds)
    most = np.where((ion := _index(parent, mobile)) == np.arange(kinds), most_mobile if ion else np.inf, np.inf)
    rows = [
        LinearConstraint(_wide(of_orbit, n, n + kinds), *[cells * parent.multiplicities] * 2),
        LinearConstraint(_wide(of_species, n, n + kinds), np.where(np.arange(kinds) > 0, least, 0), most),
    ]
    for matrix, target, offset in ((np.eye(n), q, n), (of_species, totals, 2 * n)):
        for sign in (1, -1):  # off >= sign (number - target)
            one = _wide(-sign * matrix, n, n + kinds)
            one[np.arange(len(one)), offset + np.arange(len(one))] = 1
            rows.append(LinearConstraint(one, -sign * target, np.inf))
    charges = np.array([0.0, *(states.get(symbol, 0.0) for symbol in parent.species[1:])])
    if states:
        rows.append(LinearConstraint(_wide(charges[species][None], n, n + kinds), -0.499, 0.499))
    weights = np.where(ions, 1.0, FRAMEWORK) * (species > 0)
    of_totals = TOTAL * np.array([0.0, *(1.0 if one == mobile else FRAMEWORK for one in parent.species[1:])])
    cost = np.concatenate([FIRST * np.arange(n) / n, weights, of_totals])
    bounds = Bounds(np.concatenate([low, np.zeros(n + kinds)]), np.concatenate([high, np.full(n + kinds, np.inf)]))
    integer = np.concatenate([np.ones(n), np.zeros(n + kinds)])
    solution = milp(cost, constraints=rows, bounds=bounds, integrality=integer, options={'time_limit': 10.0})
    if solution.x is None:
        return None
    numbers = np.zeros(expected.shape, dtype=int)
    numbers[orbits, species] = np.rint(solution.x[:n])
    return make_counts(parent, numbers, cells, states)


def make_counts(parent: Parent, numbers: np.ndarray, cells: int, states: Mapping[str, float]) -> Counts:
    """The counts of (orbits, species) numbers of atoms."""
    expected = cells * parent.multiplicities[:, None] * parent.shares
    charges = np.array([0.0, *(states.get(symbol, 0.0) for symbol in parent.species[1:])])
    own, wanted = numbers[:, 1:].sum(axis=0), expected[:, 1:].sum(axis=0)
    composition = float(np.abs(own / own.sum() - wanted / wanted.sum()).max())
    orbit = float(np.abs(numbers - expected)[:, 1:].max() / wanted.sum())
    return Counts(cells, numbers, float(numbers.sum(axis=0) @ charges) if states else None, composition, orbit)


def _index(parent: Parent, symbol: str) -> int:
    """The index of a species; that of none if the crystal has no such."""
    return parent.species.index(symbol) if symbol in parent.species else 0


def _wide(matrix: np.ndarray, width: int, more: int) -> np.ndarray:
    """A matrix with columns of zeros for the other variables."""
    return np.hstack([matrix, np.zeros((len(matrix), width + more - matrix.shape[1]))])
