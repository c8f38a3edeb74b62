"""Columns of the ranking table: what is shown, by what it is sorted, and which node each number comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiida_pesfp.report.content import Activation, Candidate, Source, Transport

#: In place of an engine that a node does not name.
UNKNOWN_ENGINE = 'unknown engine'
SIGMA = '\N{GREEK SMALL LETTER SIGMA}'


@dataclass(frozen=True)
class Cell:
    """One number of the table.

    :param value: None if there is none.
    :param text: what is shown.
    :param source: where it comes from.
    :param flagged: not to be trusted without a look at the details.
    """

    value: float | None
    text: str
    source: Source | None
    flagged: bool = False

    @property
    def order(self) -> str:
        """What the table sorts by; missing values come last when it falls."""
        return repr(-math.inf) if self.value is None else repr(float(self.value))

    @property
    def search(self) -> str:
        """What a filter compares with."""
        return '' if self.value is None else repr(float(self.value))

    @property
    def origin(self) -> str:
        """The node and the commands that show its provenance."""
        flag = 'flagged: see the details\n' if self.flagged else ''
        return '' if self.source is None else flag + '\n'.join([str(self.source), *self.source.commands])


@dataclass(frozen=True)
class Column:
    """One quantity.

    :param help: what it is, in a sentence.
    :param cell: its cell for a candidate.
    """

    title: str
    unit: str
    help: str
    cell: Callable[[Candidate], Cell]


def columns(candidates: Sequence[Candidate]) -> list[Column]:
    """The columns for some candidates: descriptors, and for each engine of molecular dynamics what it gave."""
    found = [
        _descriptor('Ξ', '', 'Ranking descriptor of Eq. 4, between 0 and 1', '.4f', lambda one: one.xi),
        _descriptor('MPE', 'eV', 'Minimal percolation energy', '.3f', lambda one: one.mpe),
    ]
    if any(one.barriers for one in candidates):
        found += [
            _descriptor(
                f'{number}D',
                'eV',
                f'Barrier for percolation in {number} dimension{"s" if number > 1 else ""}',
                '.3f',
                lambda one, number=number: one.barriers and one.barriers[number - 1],
            )
            for number in (1, 2, 3)
        ]
    kinds = (('connected', lambda one: one.fv_connected), ('disconnected', lambda one: one.fv_disconnected))
    for kind, value in kinds:
        words = f'{kind.capitalize()} free volume at the threshold of Xi, percent of the cell'
        found.append(_descriptor(f'FV {kind}', '%', words, '.3f', lambda one, value=value: 100 * value(one)))
    for engine in sorted({engine_of(own) for one in candidates for own in one.activations}):
        found += _activation_columns(engine)
    runs = {(engine_of(own), own.attributes['temperature']) for one in candidates for own in one.transport}
    return found + [_transport_column(engine, temperature) for engine, temperature in sorted(runs)]


def engine_of(own: Activation | Transport) -> str:
    """The engine of molecular dynamics behind a result, with its potential if it has one."""
    values = vars(own) if isinstance(own, Activation) else own.attributes
    engine, potential = values.get('engine') or UNKNOWN_ENGINE, values.get('potential_name')
    return f'{engine} ({potential})' if potential else engine


def _descriptor(title: str, unit: str, words: str, form: str, value: Callable[[Candidate], float | None]) -> Column:
    def cell(candidate: Candidate) -> Cell:
        number = value(candidate)
        return Cell(number, '' if number is None else format(number, form), candidate.source)

    return Column(title, unit, words, cell)


def _activation_columns(engine: str) -> list[Column]:
    """Activation energy and conductivity at room temperature, of the latest fit of each candidate."""

    def latest(candidate: Candidate) -> Activation | None:
        own = [one for one in candidate.activations if engine_of(one) == engine]
        return max(own, key=lambda one: one.source.made, default=None)

    def energy(candidate: Candidate) -> Cell:
        own = latest(candidate)
        if own is None:
            return Cell(None, '', None)
        value, error = 1000 * own.fit.activation_energy, 1000 * own.fit.activation_energy_error
        return Cell(value, f'{value:.0f} ± {error:.0f}', own.source, bool(own.fit.remarks()))

    def room(candidate: Candidate) -> Cell:
        own = latest(candidate)
        if own is None:
            return Cell(None, '', None)
        value, error = (1000 * number for number in own.fit.conductivity(300.0))
        return Cell(value, f'{value:.3g} ± {error:.2g}', own.source, bool(own.fit.remarks()))

    return [
        Column(f'E_A, {engine}', 'meV', f'Activation energy by molecular dynamics with {engine}', energy),
        Column(f'{SIGMA}(300 K), {engine}', 'mS/cm', f'Conductivity extrapolated to 300 K, {engine}', room),
    ]


def _transport_column(engine: str, temperature: float) -> Column:
    def cell(candidate: Candidate) -> Cell:
        own = [
            one
            for one in candidate.transport
            if engine_of(one) == engine and one.attributes['temperature'] == temperature
        ]
        if not own:
            return Cell(None, '', None)
        latest = max(own, key=lambda one: one.source.made)
        value, error = latest.attributes['conductivity'], latest.attributes['conductivity_error']
        text = f'{value:.3g}' + ('' if error is None else f' ± {error:.2g}')
        return Cell(value, text, latest.source, bool(latest.flags))

    words = f'Conductivity by molecular dynamics with {engine}'
    return Column(f'{SIGMA}({temperature:g} K), {engine}', 'S/cm', words, cell)
