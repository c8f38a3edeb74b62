"""Structures of a folder of files, with their properties from a table."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiida_pesfp.crystals.files import printable, read_files
from aiida_pesfp.crystals.formats import file_label
from aiida_pesfp.crystals.tables import open_table
from aiida_pesfp.errors import SourceError, StructureError, TableError
from aiida_pesfp.sources.entry import Entry, number

#: Units of energies other than eV, in the name of a column.
_OTHER_UNIT = re.compile(
    r'(?:^|[\s(\[/_])([mk\u00b5\u03bcu]eV|mev|k?J|kj|kcal|Ha|[Hh]artrees?|Ry|[Rr]ydbergs?|cm-1|nm)(?![a-zA-Z])'
)
_NOT_PER_ATOM = re.compile(r'(?:/|\bper) ?(f\.?u|cell|formula|unit|mol)', re.IGNORECASE)
PROPERTIES = ('band_gap', 'energy_above_hull')


@dataclass
class Table:
    """Rows of a CSV file by the name of the structure's file, with or without its ending.

    :param columns: property -> column that holds it.
    :param unused: identifiers without a file so far.
    :param problems: lines that cannot be read.
    """

    rows: dict[str, dict[str, str]]
    columns: dict[str, str]
    unused: set[str]
    problems: list[str]

    @classmethod
    def load(cls, path: Path, id_column: str = 'id', **columns: str | None) -> Self:
        """Read a CSV file with a header line.

        :param id_column: column of the name of the file, with or without its ending.
        :param columns: ``band_gap`` (eV) and ``energy_above_hull`` (eV/atom) -> their columns; by default the columns
            of these names.
        :raises SourceError: if the file cannot be read, a column is missing or an identifier occurs twice.
        """
        try:
            headers, lines = open_table(path)
        except TableError as error:
            raise SourceError(str(error)) from error
        chosen = {name: column for name, column in columns.items() if column is not None}
        for column in (id_column, *chosen.values()):
            if column not in headers:
                raise SourceError(f'the table {path} has no column {column!r}: it has {", ".join(headers)}')
        chosen |= {name: name for name in PROPERTIES if name not in chosen and name in headers}
        if not chosen:
            found = f'name them; it has {", ".join(headers)}'
            raise SourceError(f'the table {path} has neither a column band_gap nor energy_above_hull: {found}')
        for column in (id_column, *chosen.values()):
            if headers.count(column) > 1:
                raise SourceError(f'the table {path} has two columns {column!r}: rename one')
        for name, column in chosen.items():
            _check_unit(name, column, column)
        rows, problems = {}, []
        for line in lines:
            identifier = line.cells.get(id_column)
            if not identifier:  # some tables have a line of units below the header
                for name, column in chosen.items():
                    _check_unit(name, f'{column} ({line.cells.get(column, "")})', column)
            if identifier in rows:
                raise SourceError(f'the table {path} has two lines for {identifier!r}: remove one')
            if line.problem is not None:
                problems.append(f'line {line.line}: {line.problem}')
            elif identifier:
                rows[identifier] = line.cells
        return cls(rows, chosen, set(rows), problems)

    def properties_of(self, path: Path, identifier: str | None = None) -> dict[str, float]:
        """Properties of a structure; :class:`~aiida_pesfp.errors.UnreadableStructure` if one is not a number.

        :param identifier: that the file gives to the structure; it comes before the names of the file.
        """
        names = (identifier, path.name, path.stem, file_label(path))
        found = next((name for name in names if name in self.rows), None)
        if found is None:
            return {}
        self.unused.discard(found)
        return {name: number(self.rows[found][column], column) for name, column in self.columns.items()}


def _check_unit(property: str, text: str, column: str) -> None:
    """Raise :class:`~aiida_pesfp.errors.SourceError` if the name of a column has another unit than eV, or eV/atom."""
    found = _OTHER_UNIT.search(text) or (property == 'energy_above_hull' and _NOT_PER_ATOM.search(text))
    if found:
        unit = 'eV/atom' if property == 'energy_above_hull' else 'eV'
        raise SourceError(f'the column {column!r} is in {found[1]}, not in {unit}: convert it, then rename it')


def read_folder(
    paths: list[Path],
    table: Table | None = None,
    database: str | None = None,
    version: str | None = None,
    tell: Callable[[str], None] = print,
) -> Iterator[Entry]:
    """The structures in files, and in the structure files of folders, with the database that they come from.

    :param tell: is told which files were passed over.
    """
    for path, readings in read_files(paths, tell):
        where = {'database': database, 'database_version': version, 'url': path.resolve().as_uri()}
        names = [printable(name) for name in (path.name, file_label(path))]
        for index, reading in enumerate(readings):
            identifier, name = (one + (f'#{index}' if len(readings) > 1 else '') for one in names)
            name = reading.id or name
            try:
                if reading.error is not None:
                    raise reading.error
                known = reading.properties | ({} if table is None else table.properties_of(path, reading.id))
                known = {name: number(value, name) for name, value in known.items()}
            except StructureError as error:
                yield Entry('folder', identifier, error=str(error))
                continue
            yield Entry(
                'folder', identifier, name, reading.structure, names[0], path.read_bytes(), index,
                doubts=reading.doubts, **known, **where
            )  # fmt: skip
