"""What a row says twice: a column that is not used, but is understood, must not contradict the one that is used."""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

from aiida_pesfp.errors import ImplausibleValue, TableError
from aiida_pesfp.settings.units import MEASURES, SCALED
from aiida_pesfp.tables.columns import SAME, Column
from aiida_pesfp.tables.heads import is_about, kinds_in
from aiida_pesfp.tables.numbers import Number, decimal_mark, is_blank
from aiida_pesfp.tables.table import Row

#: A statement lies within half a unit of its last digit, but for ties. It is not taken for more precise than this part,
#: for constants as 8.617e-5 eV/K and single precision, nor temperatures than this, K: many people add 273 to Celsius.
HALF, PRECISION, SHIFT = 1 - 1e-6, 1e-4, 0.08
_PERCENT = re.compile(r'(?i:(?:rel(?:ative|\.)?)?(.*?)(?:/ ?)?(?:%|per ?cent|pct)(.*))')
#: Words for temperatures that are alike, but not to the digit.
_ALIKE = {'mean', 'average', 'avg', 'set', 'setpoint', 'target', 'bath', 'nominal', 'thermostat'}
_UPPER = {'direct', 'indirect'}  # a gap is the smaller one of these
#: Kinds of errors: in percent, all are standard errors.
_SPREADS = {'std', 'stdev', 'stddev', 'sd', 'sem', 'se', 'stderr', 'standard', 'deviation', 'dev'}
_Said = tuple[str | None, float, float] | None


@dataclass(frozen=True)
class Again:
    """The columns of a table that say again what is used.

    :param columns: role -> column, as they are used.
    :param temperature: of all rows, K, if no column has it.
    :param found: the columns, each with the role in which it says again what is used.
    """

    columns: dict[str, Column]
    temperature: float | None = None
    found: tuple[tuple[str, Column], ...] = ()

    def find(self, names: list[str], rows: list[Row], units: dict[str, str]) -> 'Again':
        """The same with those that are found. One that names no unit has that with which it agrees best.

        :param names: the other columns.
        :param units: column -> what a row of units has for it.
        """
        value = self._value
        roles = [*dict.fromkeys(('temperature', *self.columns, 'error'))] if value else [*self.columns]
        found = [('error', replace(value, is_error=True))] if 'error' in self.columns else []
        for name in names:
            mark = decimal_mark(row.cells.get(name, '') for row in rows) or next(iter(self.columns.values())).mark
            for role in roles:
                used, column = self.columns.get(role), _column(name, units.get(name, ''), role, value)
                kinds = kinds_in(name) ^ kinds_in(used.name) if used else set()
                if column and not kinds - _alike(role, column, kinds):
                    ways = _ways(column, used or (value if column.is_error else None))
                    ways = [(role, replace(column, mark=mark, **way)) for way in ways]
                    agreed = [sum(self.agrees(*way, row.cells) is True for row in rows) for way in ways]
                    least = 1 if role == 'temperature' else 2  # one row may agree by chance in another unit
                    agreed = [number * (number >= least or not index) for index, number in enumerate(agreed)]
                    found.append(ways[agreed.index(max(agreed))])
                    break
        return replace(self, found=tuple(found))

    def check(self, cells: dict[str, str]) -> None:
        """Raise ValueError if a row contradicts itself."""
        for role, column in self.found:
            if self.agrees(role, column, cells) is False:
                used = self.columns.get(role)
                if column.is_error and (used is None or is_blank(cells[used.name])):
                    used = self.columns[column.measure]
                other = f'{used.name!r} has {cells[used.name][:40]!r}' if used else f'{self.temperature:g} K is given'
                text = f'the column {column.name!r} has {cells[column.name][:40]!r}, but {other}'
                raise ValueError(f'{text} (take one of them out if it is of something else)')

    def agrees(self, role: str, column: Column, cells: dict[str, str]) -> bool | None:
        """Whether a column agrees in a row with what is used; None if one of them says nothing."""
        try:
            if column.at:
                column.check_temperature(self.temperature_of(cells))
            said, again = self._used(role, cells), self.said(column, cells)
        except (ValueError, ImplausibleValue):  # not understood, or at another temperature
            return False if role == 'temperature' and self.temperature else None
        if said is None or again is None:
            return None
        (limit, low, high), (other, lowest, highest) = said, again
        if role == 'temperature' and kinds_in(column.name) & _ALIKE:
            low, high = low - SAME, high + SAME
        not_above, not_below = low <= highest, lowest <= high
        if limit != other:  # a value may be anywhere below its upper limit
            not_above, not_below = not_above or limit == '<' or other == '>', not_below or limit == '>' or other == '<'
        return not_above and not_below

    def compares(self, name: str, rows: list[Row]) -> bool:
        """Whether a column is compared with a used one in any row."""
        found = [one for one in self.found if one[1].name == name]
        return any(self.agrees(*one, row.cells) is not None for one in found for row in rows)

    def temperature_of(self, cells: dict[str, str]) -> float | None:
        """The temperature of a row, K."""
        used = self.columns.get('temperature')
        return used.read(cells[used.name]).value if used else self.temperature

    @property
    def _value(self) -> Column | None:
        """The column of conductivities or diffusion coefficients: it may have errors."""
        return next((column for role, column in self.columns.items() if role in SCALED), None)

    def _used(self, role: str, cells: dict[str, str]) -> _Said:
        if role == 'temperature' and role not in self.columns:
            return None, self.temperature - SAME, self.temperature + SAME
        said = self.said(self.columns[role], cells) if role in self.columns else None
        return said or (self.said(replace(self._value, is_error=True), cells) if role == 'error' else None)

    def said(self, column: Column, cells: dict[str, str]) -> _Said:
        """Limit, and between what the quantity in a cell lies, None if it is blank; raises what reading a cell does."""
        text, values = cells.get(column.name, ''), ()
        if is_blank(text):
            return None
        number = column.number(text)
        if column.is_error:
            value = self.columns[column.measure]
            if column.name == value.name:  # behind the value
                number = Number(number.error, unit=number.unit, rounding=number.error_rounding)
            of = self.said(value, cells)
            if of is None or number.value is None:
                return None
            values = of[1:]
        kelvins = (None, None, None) if column.times == 1.0 else self._used('temperature', cells)
        if kelvins is None:
            return None
        ends = [end for kelvin in kelvins[1:] for end in column.at_temperature(kelvin).bounds(number, values)]
        middle, half = (max(ends) + min(ends)) / 2, HALF * (max(ends) - min(ends)) / 2
        half = max(half, SHIFT if column.measure == 'temperature' else PRECISION * abs(middle))
        # The gap is at most a direct or indirect one, unless that is used for it.
        gap = self.columns.get('band_gap')
        is_upper = column.measure == 'band_gap' and gap and column.name != gap.name and kinds_in(column.name) & _UPPER
        return '<' if is_upper else number.limit, middle - half, middle + half


def _column(name: str, below: str, role: str, value: Column | None) -> Column | None:
    """How a column is read if it says again what that of a role says; None if not, or if it is not understood."""
    head, is_error = f'{name} {below}', role == 'error'
    if not is_about(head, role):
        return None
    percent = is_error and _PERCENT.fullmatch(head)
    text, below = (' '.join(percent.groups()), '') if percent else (name, below)
    with suppress(TableError):
        column = Column.of(text, value.measure if is_error else role, is_error, below)
        return replace(column, name=name, scale='%' if percent else column.scale)
    return None


def _alike(role: str, column: Column, kinds: set[str]) -> set[str]:
    """Those of the kinds of values in which a column and that of its role differ that do not matter."""
    if column.scale == '%':
        return _SPREADS
    if role == 'band_gap':
        return _UPPER | {'fundamental'} if kinds & _UPPER else set()
    return _ALIKE if role == 'temperature' else set()


def _ways(column: Column, used: Column | None) -> list[dict]:
    """The units and scales in which the numbers of a column may be, the likely first: its own if it has one."""
    measure = MEASURES[column.measure]
    if column.unit or column.over or column.scale == '%':
        return [{}]
    if not used:  # one temperature is given for all
        return [{'unit': measure.unit}]
    units = dict.fromkeys([used.unit or measure.unit, *(measure.units if column.times == 1.0 else [measure.unit])])
    scales = dict.fromkeys([column.scale] if column.scale else [used.scale, None])
    return [{'unit': unit, 'scale': scale} for unit, scale in product(units, scales)]
