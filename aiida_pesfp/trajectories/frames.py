"""Frames of one file, one by one: XDATCAR and (extended) XYZ."""

import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from ase.data import chemical_symbols
from ase.geometry import cellpar_to_cell
from ase.io.formats import open_with_compression
from ase.units import Bohr

from aiida_pesfp.crystals.species import ELEMENTS, element_of
from aiida_pesfp.crystals.xyz import LATTICE, PROPERTIES, lattice_of
from aiida_pesfp.errors import InvalidTrajectory, UnreadableStructure
from aiida_pesfp.trajectories.stamps import CONFIGURATION, Stamp, read_stamp

#: Columns of elements and of positions, the best first.
_NAMES = ('species', 'element', 'z'), ('unwrapped_position', 'unwrapped_positions', 'pos', 'positions')
#: i-PI's comment: lengths and angles, and the units of cell and positions.
_IPI_CELL, _IPI_UNIT = re.compile(r'CELL\(abcABC\):((?:\s+[-+.\deE]+){6})'), re.compile(r'(\w+)\{(\w+)\}')
_LENGTHS = {'angstrom': 1.0, 'atomic_unit': Bohr}
_IPI_POSITIONS = ('positions', 'x_centroid')
#: More atoms are a misprint.
_MOST_ATOMS = 10_000_000
#: Where Fortran leaves no blank before a minus.
_JOINED = re.compile(r'(?<=\d)-')


class CutOff(Exception):
    """A file ends within a frame, as a killed program leaves it."""


class Frame(NamedTuple):
    """Symbols of n atoms, (n, 3) positions and (3, 3) lattice vectors (None: not said), A.

    ``unwrapped``: the file says that positions are not wrapped into the cell.
    """

    symbols: tuple[str, ...]
    positions: np.ndarray
    cell: np.ndarray | None
    stamp: Stamp
    unwrapped: bool = False


def open_text(path: Path) -> TextIO:
    """A text file, compressed (gz, bz2, xz) or not. Only titles hold other characters than ASCII."""
    return io.TextIOWrapper(open_with_compression(str(path), 'rb'), encoding='utf-8-sig', errors='replace')


def take(file: TextIO, count: int) -> list[str]:
    """The next lines; :class:`CutOff` if the file ends before the end of the last: a number may have lost digits."""
    lines = list(itertools.islice(file, count))
    if len(lines) < count or not (lines and lines[-1].endswith('\n')):
        raise CutOff
    return lines


def numbers(lines: list[str], first: int = 0, count: int | None = None) -> np.ndarray:
    """(n, m) ``count`` numbers of each line from column ``first`` on; by default all.

    :raises ValueError: if a line has too few, or something that is not a number, such as Fortran's ``*****``.
    """
    rows = [line.split() for line in lines]
    length = first + count if count is not None else len(rows[0])
    if any(len(row) < length for row in rows):
        # Numbers without a blank between them can be told apart if the next one has a sign.
        rows = [_JOINED.sub(' -', line).split() if len(row) < length else row for line, row in zip(lines, rows)]
    wrong = next((k for k, row in enumerate(rows) if len(row) < length), None)
    if wrong is not None:
        raise ValueError(f'a line is {lines[wrong].strip()!r} where {length} columns are expected')
    return np.array([row[first:length] for row in rows], dtype=float)


def read_xdatcar(file: TextIO, types: list[str] | None = None) -> Iterator[Frame]:
    """Frames of an XDATCAR, whose head stands once or before each frame, or of an MD_CAR of SIESTA.

    :param types: elements in the order of their numbers, if the head does not name them (VASP 4).
    """
    symbols, cell, scale, before, last = None, None, None, None, None
    while line := file.readline():
        if not _begins_frame(line):
            first = file.readline()
            if symbols is not None and not line.strip() and (not first.strip() or _begins_frame(first)):
                line = first  # a blank line is no head
            else:
                symbols, cell, scale = _read_head(file, first, types)
                continue
        if not line.strip():
            continue
        if symbols is None:
            raise ValueError('no cell and elements stand before the first frame')
        if not line.endswith('\n'):
            raise CutOff
        read = numbers(take(file, len(symbols)), count=3)
        number = line.partition('=')[2].strip()
        if number.isdigit():
            before, last = last, int(number)
        elif number and not number.strip('*') and before is not None and 2 * last - before >= 10 ** len(number):
            before, last = last, 2 * last - before  # it has more digits than VASP writes
        else:
            before, last = None, None
        positions = read * scale if line.lstrip()[0] in 'Cc' else read @ cell
        yield Frame(symbols, positions, cell, {} if last is None else {CONFIGURATION: float(last)})


def _begins_frame(line: str) -> bool:
    return 'configuration=' in line or line.startswith('Konfig=') or line.strip().lower() in ('direct', 'cartesian')


def _read_head(file: TextIO, scale: str, types: list[str] | None) -> tuple[tuple[str, ...], np.ndarray, float]:
    """Symbols, (3, 3) cell, A, and scale, of what follows the title and the line of the ``scale``."""
    lines = take(file, 4)
    if lines[1].strip() == 'CAR':
        raise InvalidTrajectory('it is of VASP 4 and has no cell: convert it to extended XYZ, with your POSCAR')
    scale, cell, names = float(scale), numbers(lines[:3], count=3), lines[3].split()
    if scale < 0:
        scale = (-scale / abs(np.linalg.det(cell))) ** (1 / 3)
    if all(map(str.isdigit, names)):
        names, counts = [str(k + 1) for k in range(len(names))], names
    else:
        counts = take(file, 1)[0].split()
    # VASP appends the kind of the pseudopotential and, in version 6, its hash.
    kinds, counts = [symbol_of(name, types) for name in names], list(map(int, counts))
    if types and kinds != types:
        raise InvalidTrajectory(f'the elements are {",".join(kinds)}, and {",".join(types)} are given (--types)')
    if len(kinds) != len(counts) or min(counts) < 0 or not 1 <= sum(counts) <= _MOST_ATOMS:
        raise ValueError(f'elements {" ".join(kinds)} and their numbers {counts} make no crystal')
    return tuple(np.repeat(kinds, counts).tolist()), cell * scale, scale


def read_xyz(file: TextIO, types: list[str] | None = None) -> Iterator[Frame]:
    """Frames of an XYZ file, extended or with the comments of CP2K, LAMMPS or i-PI.

    :param types: elements of the atom types 1, 2, ... if a file of LAMMPS names types.
    """
    while line := file.readline():
        if not line.strip():
            continue
        if not line.endswith('\n'):
            raise CutOff
        count = int(line)
        if not 1 <= count <= _MOST_ATOMS:
            raise ValueError(f'a frame of {count} atoms')
        comment, *rows = take(file, count + 1)
        columns = _Columns.of(comment)
        cell, factor = _cell(comment)
        positions = numbers(rows, columns.places, 3) * factor
        words = [row.split() for row in rows]
        labels = [row[columns.species] for row in words]
        numbered = chemical_symbols[1:] if columns.by_number else types
        known = {label: symbol_of(label, numbered) for label in sorted(set(labels))}
        symbols = [known[label] for label in labels]
        if columns.identity is not None:  # atoms may come in any order
            order = np.argsort([int(row[columns.identity]) for row in words])
            positions, symbols = positions[order], [symbols[k] for k in order]
        yield Frame(tuple(symbols), positions, cell, read_stamp(LATTICE.sub('', comment)), columns.unwrapped)


class _Columns(NamedTuple):
    """First columns of elements, positions and numbers of atoms.

    ``unwrapped``: these positions are not wrapped; ``by_number``: elements are atomic numbers.
    """

    species: int = 0
    places: int = 1
    identity: int | None = None
    unwrapped: bool = False
    by_number: bool = False

    @classmethod
    def of(cls, comment: str) -> '_Columns':
        if not (found := PROPERTIES.search(comment)):
            return cls()
        fields = found[1].lower().split(':')
        begins = dict(zip(fields[::3], itertools.accumulate(map(int, fields[2::3]), initial=0)))
        species, places = (next((name for name in names if name in begins), None) for names in _NAMES)
        if species is None or places is None:
            raise InvalidTrajectory(f'the columns {found[1]} have no species or no pos')
        unwrapped = places.startswith('unwrapped')
        return cls(begins[species], begins[places], begins.get('id'), unwrapped, species == 'z')


def _cell(comment: str) -> tuple[np.ndarray | None, float]:
    """(3, 3) lattice vectors, A, if the comment has them, and the unit of positions, A."""
    if LATTICE.search(comment):
        return lattice_of(comment), 1.0
    if not (found := _IPI_CELL.search(comment)):
        return None, 1.0
    units = {name: _LENGTHS.get(unit) for name, unit in _IPI_UNIT.findall(comment)}
    factor = next((units[name] for name in _IPI_POSITIONS if name in units), None)
    if factor is None or units.get('cell') is None:
        raise InvalidTrajectory('the comment says no known units of positions and cell: {angstrom} or {atomic_unit}')
    lengths = np.array(found[1].split(), dtype=float) * ([units['cell']] * 3 + [1.0] * 3)
    return cellpar_to_cell(lengths), factor


def symbol_of(label: str, types: list[str] | None) -> str:
    """The element of a label such as ``Li``, ``LI``, ``7Li``, ``Li1``, or of a number: of the ``types`` 1, 2, ..."""
    if label.isdigit():
        if types is None or not 1 <= int(label) <= len(types):
            raise InvalidTrajectory(f'the file does not say which element type {label} is: give all (--types Li,P,S)')
        label = types[int(label) - 1]
    try:
        return element_of(label, ELEMENTS)[0]  # CO is cobalt: each row is one atom
    except UnreadableStructure as error:
        raise InvalidTrajectory(f'{error}, or give the types (--types Li,P,S)') from error
