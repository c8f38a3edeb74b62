"""Columns of numbers: how their cells are read. What is not understood to its end is refused."""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Self

from aiida_pesfp.errors import ImplausibleValue, TableError
from aiida_pesfp.settings.units import MEASURES, SCALED
from aiida_pesfp.tables.heads import (
    in_words,
    over_temperature,
    read_head,
    tells_unit,
    tokens_of,
    units_in,
    without_temperature,
)
from aiida_pesfp.tables.numbers import LONGEST, Number, decimal_mark, is_blank, is_plain_number, plain, read_number
from aiida_pesfp.tables.table import Row

#: An attempt to write a number; but 1/(ohm cm) is a unit.
_NUMBER = re.compile(r'(?i:(?:[<>=~+ -]|ca\.?|approx\.?|about|\((?=.*\+-))*(?:[.,]?\d(?! ?/)|inf\b))')
#: Names of a row of units.
_UNITS = re.compile(r'(?i:[\W_]*(?:in )?(?:units?|dimensions?|einheit(?:en)?)?[\W_]*)')

#: A smaller number in a column of logarithms is the value itself.
SMALLEST_LOGARITHM = 0.01
#: A plain number that is not larger than this, in whatever unit, is a logarithm.
SURELY_LOGARITHM = -1.0
#: A lower temperature in a column that names no unit may be one in degrees Celsius, K.
SURELY_KELVIN = 273.0
#: Degrees Celsius at 0 K.
CELSIUS = 273.15
_BASES = {'log10': 10.0, 'ln': math.e}
_ROOM = re.compile(r'(?i:(?:s_)?r\.?t\.?|room[ _]?temp(?:erature|\.)?)')
HIGHEST = MEASURES['temperature'].highest
#: Room temperature, K, and how far two temperatures of one measurement may be apart: it is from 20 °C to 302 K.
ROOM, SAME = 297.0, 5.0


@dataclass(frozen=True)
class Column:
    """How the numbers of a column are read.

    :param measure: of :data:`~aiida_pesfp.settings.units.MEASURES`; values are in the first of its units.
    :param mark: decimal mark.
    :param unit: of the cells without their own; None for the first one of the measure, and if K or C may be meant.
    :param scale: ``log10`` or ``ln`` for logarithms.
    :param at: temperatures in its name.
    :param is_error: whether they are the errors of this measure: they stay as they are for :meth:`error_of`.
    :param over: if not 0, the numbers are this divided by those of the measure, as in ``1000/T``.
    :param times: the numbers are so many times those of the measure; those of ``sigma*T`` the highest temperature, K,
        before :meth:`at_temperature` tells that of a row.
    """

    name: str
    measure: str
    mark: str | None = None
    unit: str | None = None
    scale: str | None = None
    at: tuple[str, ...] = ()
    is_error: bool = False
    over: float = 0.0
    times: float = 1.0

    @classmethod
    def of(cls, name: str, measure: str, is_error: bool = False, below: str = '') -> Self:
        """The column of a head, ``1000/T`` and ``sigma*T`` among them, as :func:`read_head` does.

        :raises TableError: as it does.
        """
        head = f'{name} {below}'
        if measure == 'temperature' and (over := over_temperature(head)):
            return cls(name, measure, unit='K', over=over)
        if measure == 'conductivity' and (rest := without_temperature(head, is_error)):
            return cls(name, measure, None, *read_head(rest, measure, is_error), is_error, times=HIGHEST)
        return cls(name, measure, None, *read_head(name, measure, is_error, below), is_error)

    def at_temperature(self, temperature: float | None) -> Self:
        """The same for a row at a temperature, K, if it is known."""
        return replace(self, times=temperature) if temperature and self.times != 1.0 else self

    def read(self, text: str) -> Number:
        """The number in a cell.

        :raises ValueError: if it is none, with the reason.
        :raises ImplausibleValue: if it cannot be right.
        :raises TableError: if its unit may be K or C.
        """
        number, scaled = self.number(text), self.measure in SCALED
        if number.limit and (self.is_error or not scaled):
            raise ValueError('not a number but a limit')
        if self.is_error:
            return number
        if self.scale and 0 < abs(number.value) < SMALLEST_LOGARITHM:
            raise ImplausibleValue('hardly a logarithm')
        if scaled and not self.scale and number.value <= SURELY_LOGARITHM:
            raise ImplausibleValue(f"a logarithm among plain numbers: if all are, give the unit 'log10 {self.unit}'")
        value = self._in_first_unit(number)
        if value <= 0 and (number.limit or self.scale):
            raise ValueError('without a meaning')
        MEASURES[self.measure].check(value)
        error = Number(number.error, unit=number.unit) if scaled and number.error is not None else None
        number = replace(number, value=value)
        return replace(number, error=error and self.error_of(number, error))

    def number(self, text: str) -> Number:
        """What is written in a cell, with its unit as the measure has it; raises ValueError as :meth:`read` does."""
        if self.measure == 'temperature' and not self.over and _ROOM.fullmatch(text):
            return Number(ROOM, unit='K', rounding=SAME)
        number = read_number(text, self.mark)
        if not number.unit or (self.is_error and number.unit == '%'):
            return number
        tokens, units = tokens_of(self.measure)
        found = tokens.fullmatch(in_words(number.unit).strip('()[]'))
        if self.scale or self.over or found is None or found.lastgroup not in units:
            raise ValueError(f'not a number in a known unit: known are {", ".join(MEASURES[self.measure].units)}')
        return replace(number, unit=units[found.lastgroup])

    def bounds(self, number: Number, values: Iterable[float] = ()) -> tuple[float, float]:
        """Between what, in the first unit, a quantity lies that was rounded to a number.

        :param values: the bounds of the value of which it is the error.
        """
        number = replace(number, unit=number.unit or self.unit or MEASURES[self.measure].unit)
        ends = [replace(number, value=number.value + half) for half in (-number.rounding, number.rounding)]
        found = [self.plain_error_of(Number(value, unit=number.unit), end) for value in values for end in ends]
        found = found if self.is_error else [self._in_first_unit(end) for end in ends]
        return min(found), max(found)

    def check(self, rows: list[Row]) -> None:
        """Raise :class:`~aiida_pesfp.errors.TableError` if most numbers cannot be right, or one is another head."""
        texts, wrong = [text for row in rows if not is_blank(text := row.cells.get(self.name, ''))], []
        for text in texts:
            try:
                self.read(text)
            except ImplausibleValue as reason:
                wrong.append(f'{text[:40]!r} is {reason}')
            except ValueError:  # costs its row only
                if text != self.name and tells_unit(text, self.measure):
                    problem = f'the column {self.name!r} has {text!r} among its numbers: split the table'
                    raise TableError(problem) from None
        if len(wrong) > len(texts) / 2:
            raise TableError(f'most numbers of the column {self.name!r} cannot be right: {wrong[0]}')

    def check_temperature(self, temperature: float) -> None:
        """Raise ValueError if the name of the column tells another temperature (K)."""
        for text in self.at:
            at = Column(self.name, 'temperature').read(text).value
            if abs(at - temperature) > SAME:
                raise ValueError(f'the column {self.name!r} is of {at:g} K, not of {temperature:g} K')

    def error_of(self, value: Number, error: Number) -> float:
        """The standard error of a value of :meth:`read`, in its unit. That of a logarithm is a part of the value.

        :raises ValueError: if it may be in the unit of the column or in that of the other cell.
        :raises ImplausibleValue: if it cannot be right.
        """
        found = self.plain_error_of(value, error)
        if found < 0:
            raise ImplausibleValue(f'its error of {found:g} is negative')
        MEASURES[self.measure].check(found, 'its error is ')
        return found

    def plain_error_of(self, value: Number, error: Number) -> float:
        """The same, whether it can be right or not."""
        if '%' in (error.unit, self.scale):
            return abs(value.value) * error.value / 100
        if self.scale:
            return error.value * math.log(_BASES[self.scale]) * value.value
        if bool(value.unit) != bool(error.unit) and self._factor(value.unit) != self._factor(error.unit):
            raise ValueError(f'either value or error is in {value.unit or error.unit}: give the other one a unit too')
        return error.value * self._factor(error.unit)

    def with_other_logarithm(self, value: float, kelvin: float) -> float:
        """What a value would be if the logarithms of the column were natural instead of decimal, or the reverse."""
        factor = self.at_temperature(kelvin)._factor(None)
        return factor * (value / factor) ** (math.log(10.0) ** (1 if self.scale == 'ln' else -1))

    def _in_first_unit(self, number: Number) -> float:
        unit = number.unit or self.unit
        if unit is None and self.measure == 'temperature' and number.value < SURELY_KELVIN:
            doubt = f'the column {self.name!r} has {number.value:g} without a unit: kelvin or degrees Celsius?'
            raise TableError(f"{doubt} Give temperature_unit (--temperature-unit) 'K' or 'C', or put it into the name")
        if self.over:
            return self.over / number.value if number.value > 0 else math.inf
        if unit == 'C':
            return number.value + CELSIUS
        return self._factor(unit) * (_BASES[self.scale] ** min(number.value, 300.0) if self.scale else number.value)

    def _factor(self, unit: str | None) -> float:
        return MEASURES[self.measure].factor(unit or self.unit or MEASURES[self.measure].unit) / self.times


def read_heads(
    columns: dict[str, str], rows: list[Row], names: Collection[str] = (), of: str = ''
) -> tuple[dict[str, Column], list[Row], dict[str, str]]:
    """How each column of numbers is read, the rows below the heads, and what the row of units has for each column.

    The first row belongs to the heads if it has a unit without a number, or no name: it holds units.

    :param columns: measure, or ``error``, -> name of its column.
    :param names: columns that name what a row is about.
    :param of: the measure of which ``error`` is the error.
    :raises TableError: as :func:`read_head`.
    """
    first = {role: rows[0].cells.get(name, '') for role, name in columns.items()}
    below = {columns[role]: text for role, text in first.items() if not is_blank(text)}
    told = [rows[0].cells.get(name, '') for name in names]
    no_name = told and all(map(_UNITS.fullmatch, told))
    is_unit = any(
        not _NUMBER.match(plain(text[:LONGEST])) and (tells_unit(text, measure) or units_in(text[:LONGEST], measure))
        for measure, text in ((of if role == 'error' else role, text) for role, text in first.items())
    )
    below = below if no_name or is_unit else {}
    units, rows, found = (rows[0].cells, rows[1:], {}) if below else ({}, rows, {})
    mark = decimal_mark(row.cells.get(name, '') for row in rows for name in columns.values())
    others = (text for row in rows for head, text in row.cells.items() if head not in names)
    mark = mark or decimal_mark(text for text in others if is_plain_number(text))
    for role, name in columns.items():
        measure, is_error = (of, True) if role == 'error' else (role, False)
        found[role] = replace(Column.of(name, measure, is_error, below.get(name, '')), mark=mark)
    if 'error' in found and not found['error'].unit:
        found['error'] = replace(found['error'], times=found[of].times)
    return found, rows, units
