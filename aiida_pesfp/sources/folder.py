"""Structures of a folder of files, with their properties from a table."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from aiida_pesfp.crystals.files import printable, read_files, structure_files
from aiida_pesfp.crystals.formats import file_label
from aiida_pesfp.errors import (
    StructureError,
)
from aiida_pesfp.sources.entry import Entry, number
from aiida_pesfp.sources.properties import Table, names_of


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
    files = defaultdict(list)
    for path in structure_files(paths, lambda _: None):
        for name in names_of(path):
            files[name].append(path)
    for path, readings in read_files(paths, tell):
        where = {'database': database, 'database_version': version, 'url': path.resolve().as_uri()}
        names = [printable(name) for name in (path.name, file_label(path))]
        for index, reading in enumerate(readings):
            identifier, name = (one + (f'#{index}' if len(readings) > 1 else '') for one in names)
            name = reading.id or name
            try:
                if reading.error is not None:
                    raise reading.error
                known = {name: number(value, name) for name, value in reading.properties.items()}
                found, doubts = {}, []
                if table is not None:
                    own, others = (reading.id, files) if len(readings) == 1 else (name, {})
                    found, doubts = table.properties_of(path, reading.structure, own, others)
                for what, value in found.items():
                    if known.get(what, value) != value and value is not None:
                        doubts.append(f'its own {what} is {known[what]}: that of the table, {value}, is taken')
                    known[what] = known.get(what) if value is None else value
            except (StructureError, OSError) as error:
                yield Entry('folder', identifier, error=str(error))
                continue
            yield Entry(
                'folder', identifier, name, reading.structure, names[0], path.read_bytes(), index,
                doubts=(*reading.doubts, *doubts), **known, **where
            )  # fmt: skip
