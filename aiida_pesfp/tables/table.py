"""Tables that people made, in any encoding and with any separator; and tables of which no spreadsheet runs a cell."""

import csv
import re
import sys
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from aiida_pesfp.errors import TableError
from aiida_pesfp.text import read_text

SEPARATORS = ',;\t|'
_RULE = re.compile(r'\s*:?-{3,}:?\s*')
#: A spreadsheet takes a cell that begins so for a formula, after blanks too, and wide forms of these signs.
_FORMULA = '=+-@'


@dataclass(frozen=True)
class Row:
    """One row of a table.

    :param line: line of the file on which it begins, from 1.
    :param cells: column -> text, without blanks around it.
    :param problem: why it cannot be used, if so; ``cells`` is then empty.
    :param is_short: whether it has fewer cells than there are columns, of which the last ones are then empty.
    """

    line: int
    cells: dict[str, str]
    problem: str | None = None
    is_short: bool = False


def open_table(path: Path, needed: Collection[str]) -> tuple[list[str], list[Row], dict[int, str]]:
    """Columns, rows, and comments by line, of a table with a header, separated by commas, semicolons, tabs or bars.

    The separator is the one with which the header has the needed columns. Comments begin with ``#``; the last one above
    the data may be the header. Empty lines, rules as ``|---|`` and a line ``sep=;`` are passed over. A broken row has a
    ``problem``; the others are kept.

    :param needed: columns without which the table is of no use; without any, the first line that is no comment is the
        header.
    :raises TableError: naming the file, if it cannot be read, a needed column is missing or there twice, or no row
        follows the header.
    """
    path = Path(path)
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise TableError(f'the table {path.name} cannot be read: {error}') from error
    if not text.strip():
        raise TableError(f'the table {path.name} is empty')
    lines = [line + '\n' for line in text.split('\n')]
    found = [(separator, *_header(lines, separator, set(needed))) for separator in SEPARATORS]
    separator, end, columns = max(found, key=lambda one: (set(needed) <= set(one[2]), len(one[2])))
    for column in needed:
        if (number := columns.count(column)) != 1:
            count = f'{number} columns' if number else 'no column'
            known = f'it has {", ".join(columns)[:500]}. Its first line is the header: begin titles above that with #'
            if any(set(needed) <= set(line.lstrip('# ').split()) for line in lines):
                known = 'its columns are separated by blanks: put commas or tabs between them'
            raise TableError(f'the table {path.name} has {count} {column!r}: {known}')
    records = list(_records(lines, separator, end, len(columns)))
    rows = [_row(*record, columns, separator == ',') for record in records]
    if not rows:
        raise TableError(f'the table {path.name} has no row below its header (lines with # are left out)')
    _check_rows(rows, columns)
    known = {end}.union(*(range(first, last + 1) for first, last, _ in records))
    comments = {number: line.strip() for number, line in enumerate(lines, 1) if number not in known}
    return columns, rows, {number: text for number, text in comments.items() if text.lstrip('" ').startswith('#')}


def _check_rows(rows: list[Row], columns: list[str]) -> None:
    """Raise :class:`TableError` for a second header of other columns, or if most rows do not fit the header."""
    for row in rows:
        heads = [text for text in row.cells.values() if text in columns]
        if len(heads) >= 2 and any(text != name for name, text in row.cells.items()):
            raise TableError(f'line {row.line} has the names of columns again, and others: split the table there')
    wide = [row for row in rows if not row.cells and 'cells for' in row.problem]
    if len(wide) >= 3 and len(wide) > len(rows) / 2:
        way_out = 'does a head lack, or are decimal commas not in quotation marks?'
        raise TableError(f'most lines have more cells than the header, such as line {wide[0].line}: {way_out}')


def leave_out(
    names: list[str], rows: list[Row], ignore: Collection[str], used: Collection[str]
) -> tuple[list[str], list[Row], list[str]]:
    """Columns and rows without what is to be ignored, and a note that names it.

    :param ignore: columns, or patterns such as ``mp_*``, which take none of those that are ``used``.
    :raises TableError: if one fits no column, or is used.
    """
    if wrong := [name for name in ignore if name in used]:
        raise TableError(f'the columns {", ".join(sorted(wrong))} are used and cannot be ignored')
    if missing := [one for one in ignore if not any(_fits(name, one) for name in names)]:
        raise TableError(f'there is no column {", ".join(missing)} to ignore')
    out = [name for name in names if name not in used and any(_fits(name, one) for one in ignore)]
    kept = [name for name in names if name not in out]
    rows = [replace(row, cells={name: row.cells[name] for name in kept if row.cells}) for row in rows] if out else rows
    return kept, rows, [f'ignored are the columns {", ".join(out)}'] if out else []


def _fits(name: str, pattern: str) -> bool:
    """Brackets are those of units."""
    return re.fullmatch(re.escape(pattern).replace(r'\*', '.*'), name) is not None


def _header(lines: list[str], separator: str, needed: set[str]) -> tuple[int, list[str]]:
    """Number of lines up to the end of the header, and the columns."""
    above = len(lines), []
    for line, end, cells in _records(lines, separator):
        columns = [unicodedata.normalize('NFC', ' '.join(cell.split())) for cell in cells or [lines[line - 1]]]
        if (needed and needed <= set(columns)) or not columns[0].lower().startswith(('#', 'sep=')):
            return above if needed <= set(above[1]) and not needed <= set(columns) else (end, columns)
        above = end, [columns[0].lstrip('# '), *columns[1:]]
    return above


def _records(
    lines: list[str], separator: str, start: int = 0, width: int | None = None
) -> Iterator[tuple[int, int, list[str] | None]]:
    """First line (from 1), last line, and cells of each record; None if quotation marks do not match.

    Empty ones are passed over, and comments below the header: nothing stands beside them. Quoted cells may hold line
    breaks. But a record of several lines that has not ``width`` cells was opened by a stray quotation mark: only its
    first line is given up.
    """
    csv.field_size_limit(sys.maxsize)  # a structure is longer than the default limit
    while start < len(lines):
        following = (lines[number] for number in range(start, len(lines)))
        reader = csv.reader(following, delimiter=separator, skipinitialspace=True, strict=True)
        try:
            cells, used = next(reader), reader.line_num
        except csv.Error:
            cells, used = None, 1
        if cells is not None and used > 1 and width not in (None, len(cells)):
            cells, used = None, 1
        filled = [cell for cell in cells or () if cell.strip()]
        is_comment = width is not None and cells and cells[0].startswith('#')
        if cells is None or (filled and not is_comment and not all(map(_RULE.fullmatch, filled))):
            yield start + 1, start + used, cells
        start += used


def _row(line: int, _end: int, cells: list[str] | None, columns: list[str], commas: bool) -> Row:
    if cells is None:
        return Row(line, {}, 'its quotation marks do not match')
    # A blank cell too many may come from a decimal comma.
    if len(cells) > len(columns) and (commas or any(cell.strip() for cell in cells[len(columns) :])):
        number = f'it has {len(cells)} cells for {len(columns)} columns'
        return Row(line, {}, f'{number}: put a cell that holds the separator into quotation marks')
    cells = [cell.strip() for cell in cells]
    return Row(line, dict(zip_longest(columns, cells, fillvalue='')), is_short=1 < len(cells) < len(columns))


def write_table(rows: list[dict], output) -> None:
    """Write rows as CSV with a line of headers to a path or stream.

    A text that a spreadsheet would run gets a ``'`` in front. The columns are those of all rows, in the order
    in which they come up.
    """
    from pandas import DataFrame

    harmless = [{_harmless(column): _harmless(cell) for column, cell in row.items()} for row in rows]
    DataFrame(harmless, dtype=object).to_csv(output, index=False, lineterminator='\n')


def _harmless(cell):
    if not isinstance(cell, str):
        return cell
    first = unicodedata.normalize('NFKC', cell.lstrip()[:1])
    return f"'{cell}" if first and first in _FORMULA else cell
