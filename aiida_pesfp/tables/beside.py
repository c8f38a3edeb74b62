"""What stands beside the columns that are read, and may give their numbers another meaning: it must not."""

import contextlib
import re

from aiida_pesfp.errors import ImplausibleValue, TableError
from aiida_pesfp.settings.units import MEASURES
from aiida_pesfp.tables.again import Again
from aiida_pesfp.tables.columns import Column
from aiida_pesfp.tables.heads import temperatures_in, try_head, units_in
from aiida_pesfp.tables.numbers import LONGEST, is_blank, plain
from aiida_pesfp.tables.table import Row

#: Most errors are smaller than so many times their values.
LARGE_ERROR = 10.0
_UNITS = re.compile(r'(?i:[\W_]*(?:in )?(?:units?|einheit(?:en)?)[\W_]*)')
_UNIT = re.compile(r'(?i:(?<![^\W\d_])units?(?![^\W\d_]))')
#: Names of columns with a part of each number, in lower case -> cells that change no number. Exp is experiment, too.
_PARTS = {
    r'exponent|power(?: of (?:10|ten))?|order of magnitude|x? ?10 ?\^ ?n?': r'[^0-9]*[+-]?0+(?:[.,]0*)?|[^0-9]*',
    r'factor|multiplier|scale|scaling(?: factor)?': '[^0-9]*1(?:[.,]0*)?|[^0-9]*',
    'exp': r'(?!-[0-9]+$).*',
}


def check_beside(
    names: list[str], rows: list[Row], units: dict[str, str], comments: dict[int, str], again: Again
) -> tuple[Again, list[str]]:
    """The columns that say again what is used, and a sentence that names the columns that are not used.

    :param names: the columns that are not used.
    :param units: column -> what a row of units has for it.
    :param comments: line -> text.
    :param again: the columns of numbers, as they are read.
    :raises TableError: if a column or comment has another unit, another temperature or another power of ten than the
        numbers are read with.
    """
    again = again.find(names, rows, units)
    for name in names:
        cells = [text for row in rows if not is_blank(text := row.cells.get(name, ''))]
        _check_units(name, cells, again.columns)
        _check_parts(name, cells, again.columns)
    if again.temperature is not None:
        _check_temperatures(rows, again)
    for line, text in comments.items():
        _check_comment(line, text, again.columns, again.temperature)
    return again, [f'not used are the columns {", ".join(names)}'] if names else []


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
    named = _UNITS.fullmatch(name) or (_UNIT.search(name) and any(try_head(name, measure) for measure in measures))
    short = [text for text in cells if len(text) <= LONGEST and text[0].isalpha()]
    written = [text for text in short if any(units_in(text, measure) for measure in measures)]
    used = {_unit(column) for column in columns.values()}
    for text in cells if named else written if len(written) > len(cells) / 2 else []:
        if not any((found := try_head(text, measure)) and found[0] in used for measure in measures):
            problem = f'the column {name!r} has {text!r}, but numbers are read in {", ".join(sorted(used))}'
            raise TableError(f"{problem}: write each unit behind its number, as '3 {text}', or take the column out")


def _check_parts(name: str, cells: list[str], columns: dict[str, Column]) -> None:
    """Powers of ten and factors in a column of their own are refused, unless they change nothing."""
    for part, harmless in _PARTS.items():
        rest, found = re.subn(rf'(?<![^\W\d_])(?:{part})(?![^\W_])', ' ', plain(name).lower())
        if found and any(try_head(rest, column.measure, column.is_error) for column in columns.values()):
            for text in cells:
                if not re.fullmatch(harmless, plain(text)):
                    problem = f'the column {name!r} has {text!r}, a part of numbers in other columns'
                    raise TableError(f'{problem}: multiply these by it, or take the column out')


def _check_temperatures(rows: list[Row], again: Again) -> None:
    """Temperatures that are not the one for all rows are refused."""
    for name, column in ((column.name, column) for role, column in again.found if role == 'temperature'):
        for row in rows:
            if again.agrees('temperature', column, row.cells) is False:
                problem = f'the column {name!r} has the temperature {row.cells[name]!r}, but {again.temperature:g} K'
                raise TableError(f'{problem} is given for all rows: name it as that of temperatures, or take it out')


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


def _unit(column: Column) -> str:
    return column.unit or MEASURES[column.measure].unit
