"""Columns of the ranking table: value, text, and the node that each number comes from."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiida_pesfp.fingerprint.quantities import QUANTITIES, Quantity
from aiida_pesfp.report.content import Activation, Entry, Source, Transport
from aiida_pesfp.transport.arrhenius import ROOM_TEMPERATURE

SIGMA = '\N{GREEK SMALL LETTER SIGMA}'


@dataclass(frozen=True)
class Cell:
    """One number of the table, its text, the node it comes from, and whether a flag says not to trust it."""

    value: float | None = None
    text: str = ''
    source: Source | None = None
    flagged: bool = False

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
    """One quantity: its heading, its meaning in a sentence, and its cell for an entry."""

    title: str
    unit: str
    help: str
    cell: Callable[[Entry], Cell]


def columns(entries: Sequence[Entry]) -> list[Column]:
    """The columns for some entries: the descriptors that any of them has, and the results of each engine."""
    known = [one for one in QUANTITIES if any(entry.values.get(one.name) is not None for entry in entries)]
    headings = sorted({heading for entry in entries for heading in _dynamics(entry)})
    return [_descriptor(quantity) for quantity in known] + [
        Column(*heading[-3:], lambda entry, heading=heading: _dynamics(entry).get(heading, Cell()))
        for heading in headings
    ]


def _descriptor(quantity: Quantity) -> Column:
    def cell(entry: Entry) -> Cell:
        value = entry.values.get(quantity.name)
        return Cell(value, '' if value is None else format(value, quantity.format), entry.source)

    return Column(quantity.letter or quantity.symbol, quantity.unit, quantity.meaning, cell)


def _dynamics(entry: Entry) -> dict[tuple, Cell]:
    """The newest results of molecular dynamics, by what orders their columns, title, unit and help."""
    found, room = {}, f'{ROOM_TEMPERATURE:g} K'
    for one in sorted(entry.activations, key=lambda one: one.source.made):
        energy, error = 1000 * one.fit.activation_energy, 1000 * one.fit.activation_energy_error
        words = f'Activation energy by molecular dynamics with {one.engine}'
        heading = (0, one.engine, 0, f'E_A, {one.engine}', 'meV', words)
        found[heading] = _with_error(energy, error, '.0f', one)
        value, error = (1000 * number for number in one.fit.conductivity(ROOM_TEMPERATURE))
        words = f'Conductivity extrapolated to {room}, {one.engine}'
        heading = (0, one.engine, 1, f'{SIGMA}({room}), {one.engine}', 'mS/cm', words)
        found[heading] = _with_error(value, error, '.3g', one)
    for one in sorted(entry.transport, key=lambda one: one.source.made):
        words, temperature = f'Conductivity by molecular dynamics with {one.engine}', one['temperature']
        heading = (1, one.engine, temperature, f'{SIGMA}({temperature:g} K), {one.engine}', 'S/cm', words)
        found[heading] = _with_error(one['conductivity'], one['conductivity_error'], '.3g', one)
    return found


def _with_error(value: float, error: float | None, form: str, result: Activation | Transport) -> Cell:
    """A value with its error in two digits."""
    text = f'{value:{form}}' if error is None else f'{value:{form}} ± {error:{form.replace(".3g", ".2g")}}'
    return Cell(value, text, result.source, bool(result.flags))
