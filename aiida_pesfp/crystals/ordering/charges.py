"""Oxidation states of the elements of a crystal."""

import itertools
import math
from collections.abc import Mapping

from pymatgen.core import Element, Species, Structure
from pymatgen.core.composition import Composition

#: Where oxidation states come from.
GIVEN, GUESSED, UNKNOWN = 'file', 'guessed', 'unknown'
#: Largest charge that mobile ions may have to balance, as a part of that of all cations, as occupancies are inexact;
#: and how many powers of e of rarity of an oxidation state outweigh a charge of all cations.
IMBALANCE, OUTWEIGHED = 0.15, 30.0
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
    return {symbol: float(state) for symbol, state in zip(amounts, best)}, GUESSED


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
    return sorted(element.icsd_oxidation_states or element.common_oxidation_states)


def _merit(amounts: Mapping[str, float], states: tuple[float, ...]) -> float:
    """How usual states are, less what they leave unbalanced; minus infinity if that is too much."""
    charges = [amount * state for amount, state in zip(amounts.values(), states)]
    positive = sum(charge for charge in charges if charge > 0)
    imbalance = abs(sum(charges)) / positive if positive else math.inf
    if imbalance > IMBALANCE:
        return -math.inf
    return round(sum(map(_logarithm, amounts, states)) - OUTWEIGHED * imbalance, 9)


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
