"""Columns of the ranking table: value, text, and the node that each number comes from.

The table shows results only: a run that is flagged as too short says so instead of a number, which the page of the
structure has.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiida_pesfp.fingerprint.quantities import IN_RANKINGS, Quantity, shown_in, stopped_early
from aiida_pesfp.report.content import Activation, Entry, Source, Transport
from aiida_pesfp.transport.arrhenius import ROOM_TEMPERATURE

SIGMA = '\N{GREEK SMALL LETTER SIGMA}'
TOO_SHORT = 'too short'
_SUPERSCRIPTS = str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹')


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
    """One quantity: its heading, its meaning in a sentence, the engine behind it, and its cell for an entry."""

    title: str
    unit: str
    help: str
    engine: str
    cell: Callable[[Entry], Cell]


@dataclass(frozen=True)
class Distinction:
    """A setting in which entries differ: the heading of its column, its text for an entry, and its name in the scan."""

    title: str
    text: Callable[[Entry], str]
    name: str = ''


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:g}'


#: In what entries can differ. A report shows a column for those in which they do, or which are unusual.
_DISTINCTIONS = (
    Distinction('Ion', lambda entry: entry.species),
    Distinction('Potential', lambda entry: entry.potential_name),
    Distinction('Cell', lambda entry: (entry.cell or '').replace('_', ' '), 'cell'),
    Distinction('Cell size / \N{ANGSTROM SIGN}', lambda entry: _number(entry.cell_size), 'cell_size'),
    Distinction('Others', lambda entry: entry.others or '', 'others'),
    Distinction('Spacing / \N{ANGSTROM SIGN}', lambda entry: _number(entry.spacing)),
    Distinction('Threshold / eV', lambda entry: f'{entry.settings.xi.threshold:g}'),
)


def distinctions(entries: Sequence[Entry]) -> list[Distinction]:
    """Those in which some entries differ, or have an unusual cell or surroundings."""
    unusual = {name for entry in entries for name in entry.unusual}
    return [one for one in _DISTINCTIONS if one.name in unusual or len({one.text(entry) for entry in entries}) > 1]


def columns(entries: Sequence[Entry]) -> list[Column]:
    """The columns for some entries: the descriptors that any of them has, barriers, and the results of each engine."""
    known = shown_in(entry.values for entry in entries)
    headings = sorted({heading for entry in entries for heading in _dynamics(entry)})
    relaxed = [_BARRIER] if any(entry.barriers for entry in entries) else []
    return (
        [_descriptor(quantity) for quantity in known]
        + relaxed
        + [
            Column(*heading[-3:], heading[0], lambda entry, heading=heading: _dynamics(entry).get(heading, Cell()))
            for heading in headings
        ]
    )


def _relaxed(entry: Entry) -> Cell:
    """The newest barrier with a relaxed framework."""
    if not entry.barriers:
        return Cell()
    newest = entry.barriers[0]
    return Cell(newest['barrier'], f'{newest["barrier"]:.3f}', newest.source, bool(newest.flags))


#: A column if any entry has it.
_BARRIER = Column('barrier', 'eV', 'Migration barrier with a relaxed framework', '', _relaxed)


def _descriptor(quantity: Quantity) -> Column:
    def cell(entry: Entry) -> Cell:
        value = entry.values.get(quantity.name)
        # Once for each structure.
        flagged = quantity is IN_RANKINGS[0] and (bool(entry.doubts) or stopped_early(entry.values))
        text = '' if value is None else format(value, quantity.format)
        if quantity is IN_RANKINGS[0] and None not in entry.interval:
            text += ' ({:.2f} to {:.2f})'.format(*entry.interval)
        return Cell(value, text, entry.source, flagged)

    return Column(quantity.letter or quantity.symbol, quantity.unit, quantity.meaning, '', cell)


def _dynamics(entry: Entry) -> dict[tuple, Cell]:
    """The newest results of molecular dynamics of each engine, by what orders their columns, title, unit and help.

    They are the activation energy, the conductivity at room temperature, and that at the highest temperature.
    """
    found, room = {}, f'{ROOM_TEMPERATURE:g} K'
    for one in sorted(entry.activations, key=lambda one: one.source.made):
        energy, error = 1000 * one.fit.activation_energy, 1000 * one.fit.activation_energy_error
        words = f'Activation energy by molecular dynamics with {one.engine}'
        found[one.engine, 0, 0, 'E\N{LATIN SUBSCRIPT SMALL LETTER A}', 'meV', words] = _cell(energy, error, one)
        value, error = (1000 * number for number in one.fit.conductivity(ROOM_TEMPERATURE))
        words = f'Conductivity extrapolated to {room}, {one.engine}'
        found[one.engine, 1, 0, f'{SIGMA}({room})', 'mS/cm', words] = _cell(value, error, one)
    highest = {}
    for one in sorted(entry.transport, key=lambda one: (one['temperature'], one.source.made)):
        highest[one.engine] = one
    for engine, one in highest.items():
        words, temperature = f'Conductivity by molecular dynamics with {engine}', one['temperature']
        heading = (engine, 2, temperature, f'{SIGMA}({temperature:g} K)', 'S/cm', words)
        found[heading] = _cell(one['conductivity'], one['conductivity_error'], one)
    return found


def _cell(value: float, error: float | None, result: Activation | Transport) -> Cell:
    """A value with its error, or that the run is too short for one."""
    if result.too_short:
        return Cell(None, TOO_SHORT, result.source, True)
    return Cell(value, with_error(value, error), result.source, bool(result.flags))


def with_error(value: float, error: float | None = None) -> str:
    """A value and its error in two significant digits of the error, or the value alone in three digits.

    Numbers below 0.001 and from 100000 on have a power of ten.
    """
    if not error or not math.isfinite(error):
        error = None
    size = max(abs(value), error or 0.0)
    if 0 < size < 1e-3 or 1e5 <= size < math.inf:
        power = math.floor(math.log10(size))
        text = with_error(value / 10**power, error and error / 10**power)
        brackets = '({})' if error else '{}'
        return f'{brackets.format(text)} × 10{str(power).translate(_SUPERSCRIPTS)}'  # noqa: RUF001
    if error is None:
        return f'{value:.3g}'
    digits = max(1 - math.floor(math.log10(error)), 0)
    return f'{value:.{digits}f} ± {error:.{digits}f}'
