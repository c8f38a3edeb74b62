"""Structures of a folder of files, with their properties from a table."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiida_pesfp.crystals.files import file_label, read_structures, structure_files
from aiida_pesfp.errors import SourceError, StructureError
from aiida_pesfp.sources.entry import Entry, number

PROPERTIES = ('band_gap', 'energy_above_hull')


@dataclass
class Table:
    """Rows of a CSV file by the name of the structure's file, with or without its ending.

    :param columns: property -> column that holds it.
    :param unused: identifiers without a file so far.
    """

    rows: dict[str, dict[str, str]]
    columns: dict[str, str]
    unused: set[str]

    @classmethod
    def load(cls, path: Path, id_column: str = 'id', **columns: str | None) -> Self:
        """Read a CSV file with a header line.

        :param id_column: column of the name of the file, with or without its ending.
        :param columns: ``band_gap`` (eV) and ``energy_above_hull`` (eV/atom) -> their columns; by default the columns
            of these names.
        :raises SourceError: if the file cannot be read, a column is missing or an identifier occurs twice.
        """
        try:
            with open(path, newline='', encoding='utf-8-sig') as stream:
                reader = csv.DictReader(stream, skipinitialspace=True)
                headers, lines = reader.fieldnames or [], list(reader)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise SourceError(f'the table {path} cannot be read: {error}') from error
        chosen = {name: column for name, column in columns.items() if column is not None}
        for column in (id_column, *chosen.values()):
            if column not in headers:
                raise SourceError(f'the table {path} has no column {column!r}: it has {", ".join(headers)}')
        chosen |= {name: name for name in PROPERTIES if name not in chosen and name in headers}
        if not chosen:
            found = f'name them; it has {", ".join(headers)}'
            raise SourceError(f'the table {path} has neither a column band_gap nor energy_above_hull: {found}')
        rows = {}
        for line in lines:
            if line[id_column] in rows:
                raise SourceError(f'the table {path} has two lines for {line[id_column]!r}: remove one')
            rows[line[id_column]] = line
        return cls(rows, chosen, set(rows))

    def properties_of(self, path: Path) -> dict[str, float]:
        """Properties of a file; :class:`~aiida_pesfp.errors.UnreadableStructure` if one is not a number."""
        identifier = next((one for one in (path.name, path.stem) if one in self.rows), None)
        if identifier is None:
            return {}
        self.unused.discard(identifier)
        return {name: number(self.rows[identifier][column], column) for name, column in self.columns.items()}


def read_folder(
    paths: list[Path], table: Table | None = None, database: str | None = None, version: str | None = None
) -> Iterator[Entry]:
    """The structures in files, and in the structure files of folders, with the database that they come from."""
    for path in structure_files(paths):
        try:
            structures = read_structures(path)
            known = {} if table is None else table.properties_of(path)
        except StructureError as error:
            yield Entry('folder', path.name, error=str(error))
            continue
        known |= {'database': database, 'database_version': version, 'url': path.resolve().as_uri()}
        content = path.read_bytes()
        for index, structure in enumerate(structures):
            names = [name + (f'#{index}' if len(structures) > 1 else '') for name in (path.name, file_label(path))]
            yield Entry('folder', *names, structure, path.name, content, index, **known)
