"""What stands beside the columns that are read, and may give their numbers another meaning: it must not."""

import contextlib
import re
from collections.abc import Iterable

from aiida_pesfp.errors import ImplausibleValue, TableError
from aiida_pesfp.settings.units import MEASURES
from aiida_pesfp.tables.heads import Column, read_head, temperatures_in, units_in
from aiida_pesfp.tables.numbers import LONGEST, is_blank
from aiida_pesfp.tables.table import Row

#: Most errors are smaller than so many times their values.
LARGE_ERROR = 10.0
_UNITS = re.compile(r'(?i:[\W_]*(?:in )?(?:units?|einheit(?:en)?)[\W_]*)')
_UNIT = re.compile(r'(?i:(?<![^\W\d_])units?(?![^\W\d_]))')
_TEMPERATURE = re.compile(r'(?i:(?<![^\W\d_])t(?:emp[a-z]*)?(?![^\W\d_]))')


def check_beside(
    names: Iterable[str],
    rows: list[Row],
    comments: dict[int, str],
    columns: dict[str, Column],
    temperature: float | None = None,
) -> list[str]:
    """A sentence that names the other columns of a table.

    :param names: the other columns.
    :param comments: line -> text.
    :param columns: the columns of numbers, as they are read.
    :param temperature: of all rows, K.
    :raises TableError: if a column or comment has another unit or another temperature than the numbers are read with.
    """
    names = list(names)
    for name in names:
        cells = [text for row in rows if not is_blank(text := row.cells.get(name, ''))]
        _check_units(name, cells, columns)
        if temperature is not None:
            _check_temperatures(name, cells, temperature)
    for line, text in comments.items():
        _check_comment(line, text, columns, temperature)
    return [f'not used are the columns {", ".join(names)}'] if names else []


def check_errors(errors: Column, values: Column, rows: list[Row]) -> None:
    """Raise :class:`~aiida_pesfp.errors.TableError` if most errors are far larger than their values."""
    large = []
    for row in rows:
        with contextlib.suppress(ValueError, ImplausibleValue):  # costs its row only
            value, error = (column.read(row.cells.get(column.name, '')) for column in (values, errors))
            if value.value:
                large.append(errors.plain_error_of(value, error) > LARGE_ERROR * abs(value.value))
    if sum(large) > len(large) / 2:
        problem = f'most errors of the column {errors.name!r} are more than {LARGE_ERROR:g} times their values'
        raise TableError(f'{problem}: are they in percent? Write each as 10 %')


def _check_units(name: str, cells: list[str], columns: dict[str, Column]) -> None:
    """Units in a column of their own are refused, unless each is the one that is used."""
    measures = {column.measure for column in columns.values()}
    named = _UNITS.fullmatch(name) or (_UNIT.search(name) and any(_head(name, measure) for measure in measures))
    short = [text for text in cells if len(text) <= LONGEST and text[0].isalpha()]
    written = [text for text in short if any(units_in(text, measure) for measure in measures)]
    used = {_unit(column) for column in columns.values()}
    for text in cells if named else written if len(written) > len(cells) / 2 else []:
        if not any((found := _head(text, measure)) and found[0] in used for measure in measures):
            problem = f'the column {name!r} has {text!r}, but numbers are read in {", ".join(sorted(used))}'
            raise TableError(f"{problem}: write each unit behind its number, as '3 {text}', or take the column out")


def _check_temperatures(name: str, cells: list[str], temperature: float) -> None:
    """A column of temperatures is refused where one is given for all, unless it says the same."""
    found = _head(name, 'temperature')
    if not found or not (units_in(name, 'temperature') or _TEMPERATURE.search(name)):  # c may be a length
        return
    column = Column(name, 'temperature', unit=found[0])
    for text in cells:
        try:
            Column(name, 'temperature', at=(f'{column.read(text).value} K',)).check_temperature(temperature)
        except (ValueError, ImplausibleValue, TableError):
            problem = f'the column {name!r} has the temperature {text!r}, but {temperature:g} K is given for all rows'
            raise TableError(f'{problem}: name it as the column of temperatures, or take it out') from None


def _check_comment(line: int, text: str, columns: dict[str, Column], temperature: float | None) -> None:
    used, where = {_unit(column) for column in columns.values()}, f'line {line}, {text[:80]!r}, '
    for column in columns.values():
        found = set() if column.measure == 'temperature' and column.unit else units_in(text, column.measure)
        if found - used and _unit(column) not in found:
            problem = f'{where}has {", ".join(sorted(found - used))}, but {column.name!r} is read in {_unit(column)}'
            raise TableError(f'{problem}: change one of them, or take the line out')
    if temperature is None or not (told := temperatures_in(text)):
        return
    for one in told:
        try:
            return Column(where, 'temperature', at=(one,)).check_temperature(temperature)
        except (ValueError, ImplausibleValue):
            continue
    raise TableError(f'{where}has {told[0]}, but {temperature:g} K is given: change one of them, or take the line out')


def _head(text: str, measure: str) -> tuple | None:
    """What a head tells, None if it is not understood."""
    try:
        return read_head(text, measure)
    except TableError:
        return None


def _unit(column: Column) -> str:
    return column.unit or MEASURES[column.measure].unit
