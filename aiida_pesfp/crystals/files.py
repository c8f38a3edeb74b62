"""The structures of files and folders, each with a name of its own."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pymatgen.core import Structure

from aiida_pesfp.crystals.duplicates import KnownStructures
from aiida_pesfp.crystals.formats import file_label, format_of, read_file
from aiida_pesfp.crystals.names import unique_names
from aiida_pesfp.crystals.reading import Reading
from aiida_pesfp.crystals.worker import Worker, WorkerDied
from aiida_pesfp.errors import DuplicateStructure, StructureError, UnreadableStructure, some_of

#: The file in each folder that a program has made for results; the file beside such folders that says how far it got.
MARKER, RUN = '.pesfp', 'run.json'


@dataclass(frozen=True)
class NamedStructure:
    """One structure of a request, or the reason why there is none or it cannot be used.

    :param name: unique in the request and safe; names the results.
    :param source: the file as given, with ``#k`` for the k-th structure of a file that holds several.
    :param doubts: what may be wrong with the structure.
    :param parent: name of the disordered structure of which this is an ordering, with this ``weight`` among all;
        ``ordering`` says how it was made.
    """

    name: str
    source: str
    structure: Structure | None
    error: StructureError | None = None
    doubts: tuple[str, ...] = ()
    parent: str | None = None
    weight: float = 1.0
    ordering: dict | None = None


def read_named_structures(paths: list[Path], tell: Callable[[str], None] = print) -> list[NamedStructure]:
    """All structures in the files, and in the structure files of the folders, in the order given.

    A file that cannot be read and a structure that is identical to an earlier one are in the list with an error.

    :param tell: is told what was passed over.
    """
    found, known = [], KnownStructures(identical=True)
    for path, readings in read_files(paths, tell):
        for (label, source), reading in zip(labels(path, readings), readings):
            error = reading.error
            if reading.structure is not None and (earlier := known.add(label, reading.structure)):
                error = DuplicateStructure(f'the same structure as {earlier}, which has the result')
            found.append((label, source, reading.structure, error, reading.doubts))
    names = unique_names([label for label, *_ in found], folders=True)
    return [NamedStructure(name, *fields) for name, (_, *fields) in zip(names, found)]


def labels(path: Path, readings: list[Reading]) -> list[tuple[str, str]]:
    """Label and source of each structure of a file."""
    label, source = file_label(path), printable(path)
    if len(readings) == 1:
        return [(label, source)]
    return [(reading.id or f'{label}_{index}', f'{source}#{index}') for index, reading in enumerate(readings)]


def read_files(paths: list[Path], tell: Callable[[str], None]) -> Iterator[tuple[Path, list[Reading]]]:
    """Each file among the paths and in the folders among them, with its structures, at least one.

    The files are read in a process of their own, so one that kills its parser does not affect the others.

    :param tell: is told what was passed over.
    """
    with Worker(read_file) as read:
        for path in structure_files(paths, tell):
            try:
                yield path, read(path)
            except WorkerDied as death:
                yield path, [Reading(error=UnreadableStructure(f'cannot be read: reading it {death}'))]


def structure_files(paths: list[Path], tell: Callable[[str], None]) -> Iterator[Path]:
    """The files among the paths, and the structure files in the folders among them, in order, but no results of ours.

    :param tell: is told what else is in the folders.
    """
    for path in paths:
        if _is_result(path):
            tell(f'{printable(path)}: passed over (results of an earlier run)')
            continue
        if not path.is_dir():
            yield path
            continue
        try:
            content = sorted(path.iterdir())
        except OSError as error:
            tell(f'{printable(path)}: the folder cannot be read ({error.strerror})')
            continue
        skipped = defaultdict(list)
        for file in content:
            if reason := _why_not(file):
                skipped[reason].append(printable(file.name))
            else:
                yield file
        for reason, names in skipped.items():
            tell(f'{printable(path)}: passed over {some_of(names, 20)} ({reason})')


def _why_not(path: Path) -> str | None:
    """Why something in a folder is no structure file."""
    if _is_result(path):
        return 'results of an earlier run'
    if path.is_dir():
        return 'folders: name them too'
    return None if format_of(path) else 'no ending of a structure file'


def _is_result(path: Path) -> bool:
    """Whether a program of ours has written a folder, or the file beside such folders."""
    return (path / MARKER).is_file() or (path.name == RUN and any(path.parent.glob(f'*/{MARKER}')))


def printable(path: Path | str) -> str:
    """A path as text that every terminal and file can hold, whatever bytes and control characters it has."""
    text = str(path).encode(errors='surrogateescape').decode(errors='replace')
    return ''.join(character if character.isprintable() else '?' for character in text)
