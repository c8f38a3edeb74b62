"""Structures of a folder of files, with their properties from a table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiida_pesfp.crystals.files import printable, read_files
from aiida_pesfp.crystals.formats import file_label
from aiida_pesfp.errors import ImplausibleValue, SourceError, StructureError, TableError, UnreadableStructure
from aiida_pesfp.settings.screen import Properties
from aiida_pesfp.sources.entry import Entry, number
from aiida_pesfp.tables.again import Again
from aiida_pesfp.tables.beside import check_beside
from aiida_pesfp.tables.columns import read_heads
from aiida_pesfp.tables.heads import find_column
from aiida_pesfp.tables.numbers import is_blank
from aiida_pesfp.tables.table import open_table


@dataclass
class Table:
    """Properties by the name of the structure's file, with or without its ending.

    :param rows: name -> cells.
    :param again: how they are read.
    :param unused: identifiers without a file so far.
    :param problems: lines that cannot be read, columns that are not used or have names of their own.
    """

    rows: dict[str, dict[str, str]]
    again: Again
    unused: set[str]
    problems: list[str]

    @classmethod
    def load(cls, path: Path, id_column: str = 'id', **columns: str | None) -> Self:
        """Read a table with a header line, in any usual form, see :func:`~aiida_pesfp.tables.table.open_table`.

        :param id_column: column of the name of the file, with or without its ending.
        :param columns: ``band_gap`` and ``energy_above_hull`` -> their columns; by default those whose heads tell it.
            Without a unit in their names they are in eV and eV/atom.
        :raises SourceError: if the file cannot be read, a column is missing or not understood, or an identifier occurs
            twice.
        """
        given = {name: column for name, column in columns.items() if column is not None}
        try:
            headers, lines, comments = open_table(path, [id_column, *given.values()])
            others = [header for header in headers if header not in (id_column, *given.values())]
            chosen = given | {name: find_column(name, others) for name in Properties.known() if name not in given}
            chosen = {name: column for name, column in chosen.items() if column is not None}
            if not chosen:
                raise TableError(
                    f'{path} has no column {" or ".join(Properties.known())}: name some of {", ".join(headers)}'
                )
            found, lines, units = read_heads(chosen, lines, [id_column])
            for column in found.values():
                column.check(lines)
            unused = [header for header in others if header not in chosen.values()]
            again, notes = check_beside(unused, lines, units, comments, Again(found))
        except TableError as error:
            raise SourceError(str(error)) from error
        rows = {}
        own = sorted((name, column) for name, column in chosen.items() - given.items() if column != name)
        problems = [f'the column {column!r} is the {name}' for name, column in own]
        problems += notes
        for line in lines:
            identifier = line.cells.get(id_column)
            if identifier in rows:
                raise SourceError(f'the table {path} has two lines for {identifier!r}: remove one')
            if line.problem is not None:
                problems.append(f'line {line.line}: {line.problem}')
            elif identifier:
                rows[identifier] = line.cells
        return cls(rows, again, set(rows), problems)

    def properties_of(self, path: Path, identifier: str | None = None) -> dict[str, float]:
        """Properties of a structure; :class:`~aiida_pesfp.errors.UnreadableStructure` if one is not a number.

        :param identifier: that the file gives to the structure.
        """
        found = {identifier, path.name, path.stem, file_label(path)} & self.rows.keys()
        self.unused -= found
        if not found:
            return {}
        lines = {tuple(self.rows[name][column.name] for column in self.again.columns.values()) for name in found}
        if len(lines) > 1:
            lines_of = ' and '.join(sorted(map(repr, found)))
            raise UnreadableStructure(f'the lines of the table for {lines_of} differ: remove all but one')
        for name in found:
            try:
                self.again.check(self.rows[name])
            except ValueError as what:
                raise UnreadableStructure(f'in the line of the table for {name!r} {what}') from None
        properties = {}
        for (name, column), text in zip(self.again.columns.items(), *lines):
            try:
                properties[name] = None if is_blank(text) else column.read(text).value
            except (ValueError, ImplausibleValue) as what:
                raise UnreadableStructure(f'{name} = {text!r} is {what}: correct it, or leave it out') from None
        return properties


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
