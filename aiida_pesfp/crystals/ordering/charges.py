"""Oxidation states of the elements of a crystal."""

import itertools
import math
from collections.abc import Iterable, Mapping

from pymatgen.core import Element, Species, Structure
from pymatgen.core.composition import Composition

#: Where oxidation states come from.
GIVEN, GUESSED, UNKNOWN = 'file', 'guessed', 'unknown'
#: Largest charge that mobile ions may have to balance, as a part of that of all cations, as occupancies are inexact;
#: and how many powers of e of rarity of an oxidation state outweigh a charge of all cations.
IMBALANCE, OUTWEIGHED = 0.5, 15.0
#: States of less than this part of an element's entries of the ICSD are not tried, but of these elements, which have
#: several at once: their mean balances the charge if it is off by more than a rounding.
RARE, ROUNDING = 0.03, 0.01
MIXED_VALENT = ('V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Mo')
#: Most combinations of states that are tried.
MOST_COMBINATIONS = 200_000


def oxidation_states(
    amounts: Mapping[str, float], given: Mapping[str, float] | None = None
) -> tuple[dict[str, float], str]:
    """Oxidation state of each element of a crystal, and where they come from; none if they are unknown.

    Given ones count. Else they are guessed: of the states that pymatgen's table of the ICSD has for the elements, those
    that are most usual and balance the crystal best; within :data:`IMBALANCE`, as occupancies are measured.

    :param amounts: atoms of each element in the cell.
    :param given: what a file says.
    """
    if given and set(amounts) <= set(given):
        return {symbol: float(given[symbol]) for symbol in amounts}, GIVEN
    choices = [[given[symbol]] if given and symbol in given else _usual_states(symbol) for symbol in amounts]
    if not all(choices) or math.prod(map(len, choices)) > MOST_COMBINATIONS:
        return {}, UNKNOWN
    best = max(itertools.product(*choices), key=lambda states: _merit(amounts, states))
    if _merit(amounts, best) == -math.inf:
        return {}, UNKNOWN
    return _with_mixed_valence(amounts, {symbol: float(state) for symbol, state in zip(amounts, best)}), GUESSED


def _with_mixed_valence(amounts: Mapping[str, float], states: dict[str, float]) -> dict[str, float]:
    """The states with that of the one mixed-valent element, if there is one, such that it balances the charge."""
    elements = [symbol for symbol in amounts if symbol in MIXED_VALENT]
    charge = sum(amounts[symbol] * states[symbol] for symbol in amounts)
    positive = sum(max(0.0, amounts[symbol] * states[symbol]) for symbol in amounts)
    if len(elements) != 1 or abs(charge) <= ROUNDING * positive:
        return states
    [symbol] = elements
    mean = round(states[symbol] - charge / amounts[symbol], 4)
    known = _usual_states(symbol)
    return states | {symbol: mean} if min(known) <= mean <= max(known) else states


def stated_states(structure: Structure) -> dict[str, float]:
    """Oxidation states of elements that a structure has, by its species or, as one from a CIF, by its properties."""
    amounts: dict[str, list[tuple[float, float]]] = {}
    for species, amount in structure.composition.items():
        if getattr(species, 'oxi_state', None) is not None:
            amounts.setdefault(species.symbol, []).append((float(species.oxi_state), amount))
    found = {symbol: sum(q * n for q, n in some) / sum(n for _, n in some) for symbol, some in amounts.items()}
    return structure.properties.get('oxidation_states', {}) | found


def _usual_states(symbol: str) -> list[int]:
    element = Element(symbol)
    states = sorted(element.icsd_oxidation_states or element.common_oxidation_states)
    least = -math.inf if symbol in MIXED_VALENT else math.log(RARE)
    return [state for state in states if _logarithm(symbol, state) > least] or states


def _merit(amounts: Mapping[str, float], states: tuple[float, ...]) -> float:
    """How usual states are, less what they leave unbalanced; minus infinity if that is too much."""
    charges = [amount * state for amount, state in zip(amounts.values(), states)]
    positive = sum(charge for charge in charges if charge > 0)
    imbalance = abs(sum(charges)) / positive if positive else math.inf
    if imbalance > IMBALANCE or _is_reversed(amounts, states):
        return -math.inf
    return round(sum(map(_logarithm, amounts, states)) - OUTWEIGHED * imbalance, 9)


def _is_reversed(symbols: Iterable[str], states: tuple[float, ...]) -> bool:
    """Whether a cation is more electronegative than an anion; hydrogen may be either."""
    signed = [(Element(symbol).X, state) for symbol, state in zip(symbols, states) if symbol != 'H']
    return max((x for x, q in signed if q > 0), default=-1.0) > min((x for x, q in signed if q < 0), default=9.0)


def _logarithm(symbol: str, state: float) -> float:
    """Logarithm of the part of an element's entries of the ICSD that have a state."""
    counts = _occurrences().get(symbol, {})
    return math.log((counts.get(state, 0) + 1) / (sum(counts.values()) + 10))


def _occurrences() -> dict[str, dict[float, int]]:
    if not _OCCURRENCES:
        if Composition.oxi_prob is None:
            Composition('LiF').oxi_state_guesses()  # loads the table
        for species, count in Composition.oxi_prob.items():
            if isinstance(species, Species):
                _OCCURRENCES.setdefault(species.symbol, {})[species.oxi_state] = count
    return _OCCURRENCES


_OCCURRENCES: dict[str, dict[float, int]] = {}
