"""Columns of the ranking table: value, text, and the node that each number comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aiida_pesfp.fingerprint.quantities import QUANTITIES, Quantity
from aiida_pesfp.report.content import Activation, Entry, Source, Transport
from aiida_pesfp.report.drawings import ROOM_TEMPERATURE

SIGMA = '\N{GREEK SMALL LETTER SIGMA}'


@dataclass(frozen=True)
class Cell:
    """One number of the table.

    :param value: None if there is none.
    :param text: what the table shows.
    :param source: the node it comes from.
    :param flagged: a flag says not to trust it; the details say why.
    """

    value: float | None = None
    text: str = ''
    source: Source | None = None
    flagged: bool = False

    @classmethod
    def with_error(cls, value: float, error: float | None, form: str, source: Source, flagged: bool) -> Cell:
        """A value with its error in two digits."""
        text = f'{value:{form}}' if error is None else f'{value:{form}} ± {error:{form.replace(".3g", ".2g")}}'
        return cls(value, text, source, flagged)

    @property
    def order(self) -> str:
        """What the table sorts by; missing values come last in descending order."""
        return repr(-math.inf if self.value is None else float(self.value))

    @property
    def search(self) -> str:
        """What a filter compares with."""
        return '' if self.value is None else repr(float(self.value))

    @property
    def origin(self) -> str:
        """The node and the commands that show its provenance."""
        if self.source is None:
            return ''
        return '\n'.join([*['flagged: see the details'] * self.flagged, str(self.source), *self.source.commands])


@dataclass(frozen=True)
class Column:
    """One quantity.

    :param help: its meaning, in a sentence.
    :param cell: its cell for an entry.
    """

    title: str
    unit: str
    help: str
    cell: Callable[[Entry], Cell]


def columns(entries: Sequence[Entry]) -> list[Column]:
    """The columns for some entries: the descriptors that any of them has, and the results of each engine."""
    found = [
        _descriptor(quantity)
        for quantity in QUANTITIES
        if any(entry.values.get(quantity.name) is not None for entry in entries)
    ]
    for engine in sorted({one.engine for entry in entries for one in entry.activations}):
        found += _activation_columns(engine)
    runs = {(one.engine, one['temperature']) for entry in entries for one in entry.transport}
    return found + [_transport_column(engine, temperature) for engine, temperature in sorted(runs)]


def _descriptor(quantity: Quantity) -> Column:
    def cell(entry: Entry) -> Cell:
        value = entry.values.get(quantity.name)
        return Cell(value, '' if value is None else format(value, quantity.format), entry.source)

    return Column(quantity.letter or quantity.symbol, quantity.unit, quantity.meaning, cell)


def _newest(results: Iterable[Activation | Transport]) -> Activation | Transport | None:
    return max(results, key=lambda one: one.source.made, default=None)


def _activation_columns(engine: str) -> list[Column]:
    """Activation energy and conductivity at room temperature of the newest fit."""

    def energy(entry: Entry) -> Cell:
        one = _newest(one for one in entry.activations if one.engine == engine)
        if one is None:
            return Cell()
        value, error = 1000 * one.fit.activation_energy, 1000 * one.fit.activation_energy_error
        return Cell.with_error(value, error, '.0f', one.source, bool(one.fit.remarks()))

    def room(entry: Entry) -> Cell:
        one = _newest(one for one in entry.activations if one.engine == engine)
        if one is None:
            return Cell()
        value, error = (1000 * number for number in one.fit.conductivity(ROOM_TEMPERATURE))
        return Cell.with_error(value, error, '.3g', one.source, bool(one.fit.remarks()))

    title, words = f'{SIGMA}({ROOM_TEMPERATURE:g} K), {engine}', f'extrapolated to {ROOM_TEMPERATURE:g} K, {engine}'
    return [
        Column(f'E_A, {engine}', 'meV', f'Activation energy by molecular dynamics with {engine}', energy),
        Column(title, 'mS/cm', f'Conductivity {words}', room),
    ]


def _transport_column(engine: str, temperature: float) -> Column:
    def cell(entry: Entry) -> Cell:
        runs = (one for one in entry.transport if (one.engine, one['temperature']) == (engine, temperature))
        one = _newest(runs)
        if one is None:
            return Cell()
        return Cell.with_error(one['conductivity'], one['conductivity_error'], '.3g', one.source, bool(one.flags))

    words = f'Conductivity by molecular dynamics with {engine}'
    return Column(f'{SIGMA}({temperature:g} K), {engine}', 'S/cm', words, cell)
