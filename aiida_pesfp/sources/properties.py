"""Properties of structures from a table beside their files."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Self

from pymatgen.core import Structure

from aiida_pesfp.crystals.files import printable
from aiida_pesfp.crystals.formats import file_label, plain_name
from aiida_pesfp.crystals.statements import check_row, kind_of
from aiida_pesfp.errors import (
    ImplausibleValue,
    InconsistentFile,
    SourceError,
    TableError,
    UnreadableStructure,
)
from aiida_pesfp.settings.screen import Properties
from aiida_pesfp.tables.agreement import Again
from aiida_pesfp.tables.beside import Beside
from aiida_pesfp.tables.columns import Column, read_heads
from aiida_pesfp.tables.heads import find_column
from aiida_pesfp.tables.numbers import is_blank
from aiida_pesfp.tables.table import Row, leave_out, open_table
from aiida_pesfp.text import shortened

#: Letters of the heads of flags -> the property that is not above 0.1 eV where they are set.
_FLAGS = dict.fromkeys(('ismetal', 'egaptype', 'bandgaptype', 'gaptype'), 'band_gap')
_FLAGS |= dict.fromkeys(('isstable', 'predictedstable', 'stability'), 'energy_above_hull')
_SET = re.compile(r'true|t|yes|y|1(?:\.0)?|[✓✔]|stable|(?:.*[ -])?metal(?:lic)?')
_NOT_SET = re.compile(r'false|f|no|n|0(?:\.0)?|[✗✘]|(?:insulator|semiconductor)\b.*|(?:un|not |meta)stable')
#: A stability that is no flag but an energy.
_NUMBER = re.compile(r'[-+]?[\d.,]+(?:[eE][-+]?\d+)?')
#: Cells are shown up to so many characters.
LONGEST_SHOWN = 1000
#: Remarks that say that nothing is wrong.
_GOOD = re.compile(r'ok|good|checked|converged|relaxed', re.IGNORECASE)
#: Words of remarks on a property.
_TOLD = {
    'band_gap': re.compile(r'(?i:\b(?:insulat|isolat|semicond|halbleit|metal(?!\w*(?:ate|oid))|gap|Eg\b))'),
    'energy_above_hull': re.compile(r'(?i:hull|stabl|stabil|decompos)'),
}
#: Few crystals of any list are so far above the hull, or below that of all others, eV/atom.
_FAR_ABOVE, _BELOW = 1.0, 0.02
#: In heads of energies that can all be negative, as those above the hull of all other crystals.
_NEGATIVE = re.compile(r'above|distance|delta|Δ', re.IGNORECASE)
#: Letters of the heads of two columns whose difference is a property, or below zero where that is zero.
_ENERGY = '(?:total|final|corrected|formation|form)*(?:e|energy|enthalpy)(?:formation|form)?(?:ev)?(?:per)?atom(?:ev)?'
_HULL = '(?:convex)?hull(?:formation)?(?:energy|enthalpy)(?:ev)?(?:(?:per)?atom)?(?:ev)?'
_DIFFERENCES = (
    (
        'band_gap',
        'e?(?:cbm|lumo)(?:ev)?|conductionbandminimum(?:ev)?',
        'e?(?:vbm|homo)(?:ev)?|valencebandmaximum(?:ev)?',
    ),
    ('energy_above_hull', _ENERGY, f'{_HULL}|energy(?:of|at|on)(?:the)?(?:convex)?hull(?:ev)?(?:(?:per)?atom)?(?:ev)?'),
)


@dataclass
class Table:
    """Properties of structures by the names of their files.

    :param lines: by :func:`~aiida_pesfp.crystals.formats.plain_name` of their identifiers, in the column ``key``.
    :param beside: how they are read, and what stands beside them.
    :param unused: identifiers without a file so far -> their lines; ``missing`` are structures without a line.
    :param taken: what was read for each structure, to show it: ``structure``, ``line``, the properties, and what else
        stands in the line.
    :param problems: lines that cannot be read, columns that are not used or have names of their own.
    """

    lines: dict[str, list[Row]]
    key: str
    beside: Beside
    unused: dict[str, str]
    problems: list[str]
    missing: list[str] = field(default_factory=list)
    taken: list[dict] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path, id_column: str = 'id', ignore: Collection[str] = (), **columns: str | None) -> Self:
        """Read a table with a header line, in any usual form, see :func:`~aiida_pesfp.tables.table.open_table`.

        :param id_column: column of the name of the file, with or without its ending.
        :param ignore: columns, or patterns such as ``mp_*``, that are not read, nor compared with others.
        :param columns: ``band_gap`` and ``energy_above_hull`` -> their columns; by default those whose heads tell it.
            Without a unit in their names they are in eV and eV/atom.
        :raises SourceError: if the file cannot be read, or a column is missing, not understood, or neither used,
            compared nor plainly harmless.
        """
        given = {name: column for name, column in columns.items() if column is not None}
        try:
            headers, rows, comments = open_table(path, [id_column, *given.values()])
            others = [header for header in headers if header not in (id_column, *given.values(), *ignore)]
            parts = _parts(others)
            free = [header for header in others if header not in parts]
            chosen = given | {name: find_column(name, free) for name in Properties.known() if name not in given}
            chosen = {name: column for name, column in chosen.items() if column is not None}
            if not chosen:
                raise TableError(
                    f'{path} has no column {" or ".join(Properties.known())}: name some of {", ".join(headers)}'
                )
            headers, rows, ignored = leave_out(headers, rows, ignore, (id_column, *chosen.values()))
            parts = _parts(headers)  # without those that patterns took
            found, rows, units = read_heads(chosen, rows, [id_column])
            for column in found.values():
                column.check(rows)
            if hull := found.get('energy_above_hull'):
                _check_signs(hull, rows)
            used = {id_column, *chosen.values(), *(head for head, name in parts.items() if name in chosen)}
            names = [name for name in headers if not (name in used or kind_of(name))]
            beside = Beside.of(names, rows, units, comments, Again(found), lambda name: name in parts or _flag(name))
        except TableError as error:
            raise SourceError(str(error)) from error
        own = sorted((name, column) for name, column in chosen.items() - given.items() if column != name)
        notes = [f'the column {column!r} is the {name}' for name, column in own]
        notes += [*beside.notes, *ignored]
        lines = defaultdict(list)
        for row in rows:
            if row.is_short:
                number = f'it has fewer cells than the header: {_shown(row.cells.values())}'
                notes.append(f'line {row.line}: {number}: it is not clear which are missing, write all separators')
            elif identifier := row.cells.get(id_column):
                lines[plain_name(identifier)].append(row)
            else:
                notes.append(f'line {row.line}: {row.problem or f"it names no file: {_shown(row.cells.values())}"}')
        unused = {row.cells[id_column]: _shown(row.cells.values()) for one in lines.values() for row in one}
        return cls(lines, id_column, beside, unused, notes)

    def properties_of(
        self, path: Path, structure: Structure, own: str | None = None, files: Mapping[str, list[Path]] = {}
    ) -> tuple[dict[str, float], list[str]]:
        """Properties of a structure, and what is doubtful about them.

        :param own: identifier that the file gives to the structure.
        :param files: all by plain names; none if the file holds several structures: its name is that of none of them.
        :raises UnreadableStructure: if it is not sure which line is that of the structure, or one is not a number.
        :raises InconsistentFile: if its line tells of another crystal, or contradicts itself.
        """
        rows = [*self.lines.get(plain_name(own or ''), ()), *self._lines_of(path, files)]
        if not rows:
            self.missing.append(own or path.name)
            return {}, []
        for row in rows:
            self.unused.pop(row.cells[self.key], None)
        found, doubts = [], []
        for row in rows:
            try:
                self.beside.check(row.cells)
                found.append({name: self._read(name, row) for name in self.beside.again.columns})
                cells = [(head, text) for head, text in row.cells.items() if head != self.key]
                doubts += [f'line {row.line} of the table: {one}' for one in check_row(cells, structure)]
                doubts += _check_flags(row, found[-1])
                doubts += self._with_errors(row)
                doubts += [f'line {row.line} of the table: {one}' for one in self._remarks(row, found[-1])]
                self._check_differences(row)
            except (InconsistentFile, ValueError) as error:
                raise InconsistentFile(f'line {row.line} of the table: {error}') from None
        if any(one != found[0] for one in found):
            numbers = ' and '.join(sorted({f'{row.line} ({row.cells[self.key]!r})' for row in rows}))
            raise UnreadableStructure(f'the lines {numbers} of the table differ: remove all but one')
        written = rows[0].cells[self.key]
        named = [] if written in (path.name, file_label(path)) else [f'{self.key} = {written}']
        beside = (f'{head} = {rows[0].cells[head]}' for head in self.beside.names if rows[0].cells[head])
        others = _shown([*named, *beside])
        self.taken.append({'structure': own or path.name, 'line': rows[0].line} | found[0] | {'beside it': others})
        return found[0], list(dict.fromkeys(doubts))

    def _with_errors(self, row: Row) -> Iterator[str]:
        """Cells with two numbers, of which the second counts as the uncertainty of the first."""
        for name, column in self.beside.again.columns.items():
            text = row.cells[column.name]
            if not is_blank(text) and (error := column.number(text).error) is not None:
                yield f'line {row.line} of the table: {name} = {text!r} is read with an uncertainty of {error:g}'

    def _remarks(self, row: Row, properties: dict[str, float | None]) -> Iterator[str]:
        """What may be wrong with the properties of a line, as the words of a remark on them."""
        known = {name: value for name, value in properties.items() if value is not None}
        for head in self.beside.names if known else ():
            text, is_remark = row.cells[head], head in self.beside.remarks
            told = [name for name in known if _TOLD[name].search(text) or (is_remark and not is_blank(text))]
            fits = _GOOD.fullmatch(text) or (
                _SET.fullmatch(text.lower()) and max(known[name] for name in told or known) <= 0.1
            )
            if told and not (fits or _flag(head) or _differences([head])):
                values = ', '.join(f'{name} = {known[name]:g}' for name in told)
                yield f'{head} = {shortened(text, LONGEST_SHOWN)!r}, {values}: does it fit?'
        if not -_BELOW <= (value := properties.get('energy_above_hull') or 0.0) <= _FAR_ABOVE:
            yield f'energy_above_hull = {value:g} eV/atom: is its sign reversed, or is it of something else?'

    def _check_differences(self, row: Row) -> None:
        """Raise ValueError if two energies, as those of the edges of the bands, do not differ by what the line says."""
        for name, heads in _differences(row.cells):
            if not (column := self.beside.again.columns.get(name)) or is_blank(row.cells[column.name]):
                continue
            said, found = self.beside.again.said(column, row.cells), {}
            for first, second in product(*heads):
                with contextlib.suppress(ValueError):  # says nothing
                    numbers = (column.number(row.cells[head]) for head in (first, second))
                    (low, high), (lowest, highest) = (
                        column.bounds(replace(one, unit=one.unit or 'eV')) for one in numbers
                    )
                    found[f'{first} - {second}'] = low - highest, high - lowest
            if found and not any(low <= said[2] and said[1] <= max(0.0, high) for low, high in found.values()):
                other, (low, high) = next(iter(found.items()))
                raise ValueError(f'{column.name} = {row.cells[column.name]}, but {other} = {(low + high) / 2:.4g} eV')

    def _lines_of(self, path: Path, files: Mapping[str, list[Path]]) -> Iterator[Row]:
        """The lines whose identifiers fit the path of a file better than those of all other files."""
        for name in names_of(path) & files.keys():
            rivals = files[name]
            for row in self.lines.get(name, ()):
                fits = [_fit(row.cells[self.key], file) for file in rivals]
                best = [file for file, fit in zip(rivals, fits) if fit == max(fits)]
                if path not in best:
                    continue
                if len(best) > 1 and len({file.read_bytes() for file in best}) > 1:
                    what = f'line {row.line} of the table may be that of {" or ".join(map(printable, best))}'
                    raise UnreadableStructure(f'{what}: write the whole name')
                yield row

    def _read(self, name: str, row: Row) -> float | None:
        column = self.beside.again.columns[name]
        text = row.cells[column.name]
        try:
            return None if is_blank(text) else column.read(text).value
        except (ValueError, ImplausibleValue) as what:
            raise UnreadableStructure(f'{name} = {text!r} is {what}: correct it, or leave it out') from None


def _shown(texts: Iterable[str]) -> str:
    """Cells of a line, for a person."""
    return '; '.join(shortened(text, LONGEST_SHOWN) for text in texts if text)


def _differences(heads: Iterable[str]) -> list[tuple[str, list[list[str]]]]:
    """Each property that is a difference of two of the columns, and those that may be either of the two."""
    letters = {head: re.sub(r'[\W\d_]', '', head).lower() for head in heads}
    found = [
        (name, [[head for head in heads if re.fullmatch(one, letters[head])] for one in two])
        for name, *two in _DIFFERENCES
    ]
    return [(name, two) for name, two in found if all(two)]


def _parts(heads: Iterable[str]) -> dict[str, str]:
    """The columns that belong to a difference -> its property."""
    return {head: name for name, two in _differences(heads) for one in two for head in one}


def names_of(path: Path) -> set[str]:
    return {plain_name(name) for name in (path.name, file_label(path))}


def _fit(name: str, path: Path) -> tuple[bool, bool, bool]:
    """Whether a name in a table has the folders of a file, all of its name, and its name without ending."""
    *folders, last = re.split(r'[\\/]', name)
    folders = tuple(folder for folder in folders if folder not in ('', '.', '..'))
    return path.resolve().parent.parts[-len(folders) :] == folders, last == path.name, last == file_label(path)


def _flag(head: str) -> str | None:
    """The property that a column of flags, by its head, contradicts or not."""
    return _FLAGS.get(re.sub(r'[\W_]', '', head).lower())


def _check_signs(column: Column, rows: list[Row]) -> None:
    """Raise :class:`TableError` if a column has energies of the hull itself, as those of formation, or likely meV."""
    values = []
    for row in rows:
        with contextlib.suppress(ValueError, ImplausibleValue):
            values.append(column.read(row.cells.get(column.name, '')).value)
    if len(values) > 1 and median(values) < -0.05 and not _NEGATIVE.search(column.name):
        words = f'most energies of the column {column.name!r} are below zero, half are below {median(values):g} eV/atom'
        way_out = "rename it 'energy above hull' if they are that, else ignore it"
        raise TableError(f'{words}: {way_out}')
    cells = [row for row in rows if not is_blank(row.cells.get(column.name, ''))]
    if len(values) == len(cells) > 1 and {*values} <= {0.0, 1.0} and 1.0 in values:
        raise TableError(f'the column {column.name!r} has nothing but 0 and 1: ignore it if these are flags')
    if len(values) > 1 and median(values) > _FAR_ABOVE and not column.unit:
        words = f'half of the energies of the column {column.name!r} are above {median(values):g} eV/atom'
        raise TableError(f'{words}: write their unit into its name, eV/atom or meV/atom')


def _check_flags(row: Row, properties: dict[str, float | None]) -> list[str]:
    """What is doubtful since a line calls a crystal a metal and has a gap, or the like.

    :raises InconsistentFile: if one of both is wrong, or a flag is not understood.
    """
    doubts = []
    for head, text in row.cells.items():
        name = _flag(head)
        value = properties.get(name)
        is_set, is_off = (one.fullmatch(text.lower()) for one in (_SET, _NOT_SET))
        plain = re.sub(r'[\W_]', '', head).lower()
        if value is None or is_blank(text) or (plain == 'stability' and _NUMBER.fullmatch(text)):
            continue
        says = f'{head} = {text}, but {name} = {value:g}'
        if not (is_set or is_off or plain.endswith('type')):
            raise InconsistentFile(f'{head} = {text} is neither yes nor no: write either, or leave it empty')
        if is_off and value == 0 and name == 'energy_above_hull':
            doubts.append(f'line {row.line} of the table: {says}: is it rounded, or not known?')
        elif (is_set and value > 0.1) or (is_off and value <= 0):
            raise InconsistentFile(f'{says}: correct either')
    return doubts
