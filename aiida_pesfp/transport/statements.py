"""What is said beside a table of conductivities of what their fit gives, and whether it does."""

import contextlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from aiida_pesfp.errors import ImplausibleValue, InconsistentFile, NoArrheniusFit
from aiida_pesfp.settings.units import MEASURES
from aiida_pesfp.tables.columns import CELSIUS, Column
from aiida_pesfp.tables.heads import in_words, temperatures_in, units_in, without_temperatures
from aiida_pesfp.tables.numbers import decimal_mark, read_number
from aiida_pesfp.transport.arrhenius import BOLTZMANN, ArrheniusFit, Point, fit_arrhenius

#: Reason to doubt a fit: its flag.
FLAG = 'contradicts_statement'
#: A fit is no worse than another if its chi2 is not larger by this: two points have none.
SLACK = 1e-6
#: What agrees lies within so many standard errors, this part of the value, and at a temperature so near, K.
ERRORS, PART, NEAR = 2.0, 0.01, 0.5
#: Measure -> its names. Up to its number follow words, brackets, and perhaps its unit.
_NAMES = {
    'activation_energy': r'(?<![^\W_])(?:[Ee]_?\{?[aA](?:ct)?\}?(?![^\W_])|(?i:activation energy|aktivierungsenergie))',
    'conductivity': r'(?i:sigma|conductivity|leitf\u00e4higkeit)',
}
_NUMBER = r'(?P<words>(?:\([^()]*\)|[^0-9=:~()]){0,40}?)[ =:~]*(?P<number>(?=[-+]?[.,]?[0-9]|\([^()]*\+-).*)'
#: Between two statements, and a unit before an uncertainty.
_END, _UNIT = re.compile(r'[;|]|[,.] (?=[^\W\d])| and '), re.compile(r'(?<=\d) ?[^\W\d][^\s+]*(?: mol-1)? ?(?=\+/?-)')
#: What is no conductivity of ions.
_OTHER = re.compile(r'(?i:(?<![^\W_])(?:ln|log|lg)|electronic|thermal)')
#: A trendline of a spreadsheet, and the axes that it may be in: logarithm -> ln of its base, abscissa -> times T, K.
_DIGITS = '[-+]? ?[0-9][0-9.,]*(?:[eE][-+]?[0-9]+)?'
_LINE = re.compile(rf'(?<![^\W_])y ?= ?(?:{_DIGITS} ?(?=[-+]))?(?P<slope>{_DIGITS}) ?[*\u00b7]? ?x(?![^\W_])')
_LOGARITHMS = {r'(?<![^\W_])ln': 1.0, r'(?<![^\W_])(?:log|lg)': math.log(10.0)}
_ABSCISSAS = {r'(?<!\d)1 ?/ ?T': 1.0, r'(?:1000|10\^3|1e3) ?/ ?T': 1e3, r'(?:10000|10\^4|1e4) ?/ ?T': 1e4}
#: A number has no more words.
_WORDS = 9


@dataclass(frozen=True)
class Statement:
    """An activation energy (eV), or the conductivity (S/cm) at a temperature.

    :param line: of the file; ``text`` is what stands there.
    :param bounds: that it lies between two of these.
    :param kelvins: between which temperatures; none for an activation energy.
    """

    line: int
    text: str
    bounds: tuple[tuple[float, float], ...]
    kelvins: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """For messages."""
        return f'line {self.line} says {self.text[:80]!r}'


def statements_in(cells: Iterable[str], line: int) -> list[Statement]:
    """What the cells of a line say, be it in sentences. Of a conductivity, they must say at what temperature."""
    whole = in_words(' '.join(filter(None, cells)))
    found = [Statement(line, whole.strip('# '), bounds) for bounds in map(_slopes, _LINE.finditer(whole)) if bounds]
    for text in _END.split(whole):
        told = temperatures_in(text)
        readings = [('activation_energy', text, ())]
        if told and not _OTHER.search(text):
            with contextlib.suppress(ValueError):
                kelvins = _bounds(Column('', 'temperature'), told[0])
                readings.append(('conductivity', without_temperatures(text), kelvins))
        for measure, rest, kelvins in readings:
            if (said := re.search(_NAMES[measure] + _NUMBER, rest)) and (bounds := _read(measure, said)):
                found.append(Statement(line, text.strip('# '), (bounds,), kelvins))
    return found


def _slopes(said: re.Match) -> tuple[tuple[float, float], ...]:
    """Between what lies the activation energy, eV, of a trendline, for each of the axes that it may be in."""
    with contextlib.suppress(ValueError):
        slope = read_number(said['slope'].replace(' ', ''), decimal_mark([said.string]))
        ends = [BOLTZMANN * abs(slope.value + sign * slope.rounding) for sign in (-1, 1)]
        axes = product(*(_told(ways, said.string) for ways in (_LOGARITHMS, _ABSCISSAS)))
        return tuple((factor * min(ends), factor * max(ends)) for factor in map(math.prod, axes)) if slope.value else ()
    return ()


def _told(ways: dict[str, float], text: str) -> list[float]:
    """The factors of those of which a text says that they are meant; all if it says none."""
    return [factor for way, factor in ways.items() if re.search(way, text)] or [*ways.values()]


def _read(measure: str, said: re.Match) -> tuple[float, float] | None:
    """Between what lies the number behind a name, if it has a unit."""
    units = units_in(said['words'], measure)
    column, parts = (
        Column('', measure, unit=units.pop() if len(units) == 1 else None),
        _UNIT.sub(' ', said['number']).split(),
    )
    for end in range(min(_WORDS, len(parts)), 0, -1):
        text = ' '.join(parts[:end]).rstrip('.,')
        with contextlib.suppress(ValueError):
            if column.unit or column.number(text).unit:
                return _bounds(column, text)
    return None


def _bounds(column: Column, text: str) -> tuple[float, float]:
    number = column.number(text)
    return column.bounds(replace(number, rounding=number.rounding + ERRORS * (number.error or 0.0)))


def compare(
    statements: Iterable[Statement], fit: ArrheniusFit, unit: str | None = None, column: Column | None = None
) -> dict[str, str]:
    """Reasons to doubt a fit because of what was said: flag -> a sentence.

    :param unit: in which temperatures were read, ``K`` or ``C``; None if they are in no other one.
    :param column: of the conductivities, as they were read.
    :raises InconsistentFile: if the other unit, or the other logarithm, gives what was said.
    """
    wrong = [one for one in statements if not _agrees(one, fit)]
    for other, points, most in _other_readings(fit, unit, column) if wrong else ():
        with contextlib.suppress(NoArrheniusFit, ImplausibleValue):
            for point in points:
                MEASURES['temperature'].check(point.temperature)
            again = fit_arrhenius(points, fit.scale)
            for one in wrong:
                if again.chi2 < most and _agrees(one, again):
                    words = f'the fit gives {_value(one, fit)}, and {_value(one, again)} if {other}'
                    raise InconsistentFile(f'{one.name}: {words}: name the column accordingly, or take the line out')
    reasons = [f'{one.name}, but the fit gives {_value(one, fit)}' for one in wrong]
    return {FLAG: '; '.join(reasons)} if reasons else {}


def _other_readings(
    fit: ArrheniusFit, unit: str | None, column: Column | None
) -> Iterator[tuple[str, list[Point], float]]:
    """What people take for one another: words, the points if it is so, and below what chi2 of their fit it may be."""
    if unit:
        other, shift = ('degrees Celsius', CELSIUS) if unit == 'K' else ('kelvin', -CELSIUS)
        points = [replace(point, temperature=point.temperature + shift) for point in fit.points]
        yield f'temperatures are in {other}', points, fit.chi2 + SLACK
    if column and column.scale:
        points = []
        for point in fit.points:
            value = column.with_other_logarithm(point.conductivity, point.temperature)
            error = point.conductivity_error and value * point.conductivity_error / point.conductivity
            points.append(replace(point, conductivity=value, conductivity_error=error))
        other = 'natural ones, ln' if column.scale == 'log10' else 'decimal ones, log10'
        yield f'logarithms are {other}', points, math.inf  # residuals change as their errors would


def _agrees(said: Statement, fit: ArrheniusFit) -> bool:
    """Whether any fit that people make of the points, or a point, gives what was said."""
    ranges = []
    for values in zip(*(_values(fit, kelvin) for kelvin in said.kelvins or (None,))):
        ends = [value + sign * max(ERRORS * error, PART * abs(value)) for value, error in values for sign in (-1, 1)]
        ranges.append((min(ends), max(ends)))
    for point in fit.points if said.kelvins else ():
        if said.kelvins[0] - NEAR <= point.temperature <= said.kelvins[1] + NEAR:
            half = ERRORS * (point.conductivity_error or 0.0)
            ranges.append((point.conductivity - half, point.conductivity + half))
    return any(low <= end and start <= high for (low, high), (start, end) in product(ranges, said.bounds))


def _values(fit: ArrheniusFit, kelvin: float | None) -> list[tuple[float, float]]:
    """Activation energy, or conductivity at a temperature, with the errors of the fit: of the fit, and of lines through
    ln(sigma T) and ln(sigma) without weights.
    """
    used = [point for point in fit.points if point.excluded is None and point.conductivity > 0]
    temperatures, values = np.array([(point.temperature, point.conductivity) for point in used]).T
    value, error = fit.conductivity(kelvin) if kelvin else (fit.activation_energy, fit.activation_energy_error)
    found = [(value, error)]
    for power in (1, 0):
        energy, level = np.polyfit(-1 / (BOLTZMANN * temperatures), np.log(values * temperatures**power), 1)
        one = np.exp(level - energy / (BOLTZMANN * kelvin)) / kelvin**power if kelvin else energy
        found.append((float(one), error / value * float(one) if kelvin else error))
    return found


def _value(said: Statement, fit: ArrheniusFit) -> str:
    if not said.kelvins:
        return f'E_A = {fit.activation_energy:.3g} +- {fit.activation_energy_error:.1g} eV'
    kelvin = sum(said.kelvins) / 2
    value, error = fit.conductivity(kelvin)
    return f'sigma({kelvin:g} K) = {value:.2g} +- {error:.1g} S/cm'
