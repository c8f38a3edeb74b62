"""Structures of one file, in any of the formats that people have them in."""

import functools
import io
import itertools
import re
import warnings
from pathlib import Path

import ase.io
import numpy as np
from pymatgen.core import Composition, Element, Structure
from pymatgen.io.vasp import Poscar

from aiida_pesfp.crystals.checks import MOST_ATOMS
from aiida_pesfp.crystals.cif import crystals_of
from aiida_pesfp.crystals.documents import read_documents
from aiida_pesfp.crystals.reading import Reading, attempt, from_atoms, unreadable
from aiida_pesfp.crystals.text import COMPRESSIONS, read_text
from aiida_pesfp.errors import StructureError, UnreadableStructure

ENDINGS = {
    **dict.fromkeys(('.cif', '.mcif'), 'cif'),
    **dict.fromkeys(('.vasp', '.poscar', '.contcar'), 'poscar'),
    **dict.fromkeys(('.xyz', '.extxyz'), 'xyz'),
    '.json': 'json',
}
_POSCAR = re.compile(r'^(poscar|contcar)|[._-](poscar|contcar)([._-]|$)', re.IGNORECASE)


def format_of(path: Path) -> str | None:
    """The format that a file has by its name: ``a.cif``, ``a.CIF.gz``, ``a.cif.txt``, ``POSCAR_a``, ``a_CONTCAR``."""
    name, ending = _plain(path)
    return ENDINGS.get(ending.lower()) or ('poscar' if _POSCAR.search(name) else None)


def file_label(path: Path) -> str:
    """Name of a file without its endings; ``POSCAR.Li2O`` becomes ``POSCAR_Li2O``."""
    name, ending = _plain(path)
    if ending.lower() not in ENDINGS and _POSCAR.search(name):
        return name.replace('.', '_')
    return name.removesuffix(ending)


def _plain(path: Path) -> tuple[str, str]:
    """A name without the endings of compression and of text, and its last ending."""
    name = path.name
    for ending in (*COMPRESSIONS, '.txt'):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name, Path(name).suffix


def read_file(path: Path) -> list[Reading]:
    """All structures of one file, at least one; one that cannot be read is in the list with the reason."""
    try:
        with warnings.catch_warnings(action='ignore'):  # pymatgen warns of every rounded coordinate
            return _parse(path)
    except StructureError as error:
        return [Reading(error=error)]
    except PermissionError:
        return [Reading(error=UnreadableStructure('no permission to read the file'))]
    except MemoryError:
        return [Reading(error=UnreadableStructure('reading the file takes too much memory'))]
    except Exception as error:  # parsers raise all kinds of errors on malformed files
        return [Reading(error=unreadable(error))]


def _parse(path: Path) -> list[Reading]:
    if not path.is_file():
        raise UnreadableStructure('no such file' if not path.exists() else 'is not a regular file')
    reader = _READERS.get(format_of(path))
    found = _from_other(path) if reader is None else reader(read_text(path))
    if not found:
        raise UnreadableStructure('contains no structure')
    return found


def _from_cif(text: str) -> list[Reading]:
    return [attempt(read) for read in crystals_of(text)]


def _from_poscar(text: str) -> list[Reading]:
    return [attempt(lambda: _poscar(text))]


def _poscar(text: str) -> tuple[Structure, tuple[str, ...]]:
    """The crystal of a POSCAR, on which the readers of ASE and pymatgen must agree."""
    text = _one_scale(text)
    lines = [line.split() for line in text.splitlines()]
    start = 5 if _numbers(lines[5]) else 6  # before VASP 5 no line has the elements
    counts = _numbers(lines[start])
    if not 0 < sum(counts) <= MOST_ATOMS:
        raise UnreadableStructure(f'its counts of atoms are {counts}: not between 1 and {MOST_ATOMS} in all')
    if start == 6 and len(lines[5]) != len(counts):
        raise UnreadableStructure(f'it names {len(lines[5])} elements and has {len(counts)} counts of atoms')
    places = start + 2 + (lines[start + 1][0][0] in 'sS')  # after the line of selective dynamics
    if len(_numbers(lines[places + int(sum(counts))] if places + sum(counts) < len(lines) else [])) >= 3:
        raise UnreadableStructure(f'it lists more positions than its counts say, {sum(counts):g}: correct them')
    if start == 5 and not all(Element.is_valid_symbol(word) for word in re.findall(r'[A-Za-z]+', ' '.join(lines[0]))):
        raise UnreadableStructure('it names no elements: write them in a line above the counts of atoms')
    structure = from_atoms(ase.io.read(io.StringIO(text), format='vasp'))
    _check_words(lines, start, places, structure)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        other = Poscar.from_str(text, read_velocities=False).structure
    if any('false names' in str(one.message) for one in caught):
        return structure, ('the file does not list its elements, which were taken from its first line',)
    if structure.species != other.species or not np.allclose(structure.lattice.matrix, other.lattice.matrix, atol=1e-4):
        cells = ' and '.join(f'{one.formula} in {one.volume:.4g} A^3' for one in (structure, other))
        raise UnreadableStructure(f'ASE and pymatgen read different crystals, {cells}: correct the file')
    difference = structure.frac_coords - other.frac_coords
    if np.abs(structure.lattice.get_cartesian_coords(difference - np.rint(difference))).max() > 1e-3:
        raise UnreadableStructure('ASE and pymatgen read different positions of the atoms: correct the file')
    return structure, ()


def _one_scale(text: str) -> str:
    """A POSCAR with three scaling factors, which VASP multiplies with x, y and z, as one with the factor 1."""
    lines = text.splitlines()
    scales = _numbers(lines[1].split())
    if len(scales) != 3:
        return text
    if not any(line.strip()[:1] in 'dD' for line in lines[6:9]):
        raise UnreadableStructure('it has three scaling factors and Cartesian positions: give one factor')
    vectors = [np.array(_numbers(line.split())[:3]) * scales for line in lines[2:5]]
    lines[1:5] = ['1.0', *(' '.join(f'{x:.12f}' for x in vector) for vector in vectors)]
    return '\n'.join(lines) + '\n'


def _check_words(lines: list[list[str]], start: int, places: int, structure: Structure) -> None:
    """Refuse elements of a POSCAR that its own remarks contradict: its first line or the ends of its positions."""
    first = ''.join(lines[0])
    if start == 5 and re.search(r'\d', first):
        found = structure.composition
        if Composition(first).reduced_composition != found.reduced_composition:
            raise UnreadableStructure(f'its first line says {first}, its counts give {found.formula}: correct either')
    flags = 3 if places == start + 3 else 0
    ends = [line[3 + flags :][:1] for line in lines[places : places + len(structure)]]
    symbols = [re.match('[A-Z]?[a-z]?', one[0])[0] if one else '' for one in ends]
    if all(map(Element.is_valid_symbol, symbols)):
        for index, (symbol, specie) in enumerate(zip(symbols, structure.species)):
            if symbol != specie.symbol:
                at = f'line {places + index + 1} says {symbol}'
                raise UnreadableStructure(f'{at}, its counts say {specie.symbol}: correct either')


def _numbers(words: list[str]) -> list[float]:
    """The numbers at the beginning of a line."""
    found = itertools.takewhile(lambda word: re.fullmatch(r'[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?', word), words)
    return [float(word.lower().replace('d', 'e')) for word in found]


def _from_xyz(text: str) -> list[Reading]:
    """The frames of an (extended) XYZ file, up to a count that is broken."""
    lines, found = text.splitlines(), []
    begin = 0
    while begin < len(lines):
        if not lines[begin].strip():
            begin += 1
            continue
        count = lines[begin].split()[0]
        if not count.isdecimal() or not 0 < int(count) <= MOST_ATOMS:
            found[-1:] = []  # the count before may be the wrong one
            text = f'line {begin + 1} must be a number of atoms up to {MOST_ATOMS}, not {lines[begin][:40]!r}'
            return [*found, Reading(error=UnreadableStructure(text))]
        frame = '\n'.join(lines[begin : begin + int(count) + 2]) + '\n'
        found.append(attempt(functools.partial(_frame, frame)))
        begin += int(count) + 2
    return found


def _frame(text: str) -> tuple[Structure, tuple[str, ...]]:
    columns = re.search(r'Properties="?([^\s"]+)', text)
    counts = columns[1].split(':')[2::3] if columns else []
    if any(not re.fullmatch(r'\d{1,3}', count) for count in counts):  # ASE would count up to any number
        raise UnreadableStructure(f'its Properties have the numbers of columns {", ".join(counts)[:60]}')
    try:
        return from_atoms(ase.io.read(io.StringIO(text), format='extxyz')), ()
    except KeyError as error:  # ASE looks up the elements
        raise UnreadableStructure(f'{error} is no element: correct it') from error


#: What ASE reads as if all atoms were listed, with their elements.
INCOMPLETE = {
    *(
        'proteindatabank',
        'dmol-car',
        'res',
        'lammps-dump-text',
        'lammps-dump-binary',
        'lammps-data',
        'gromos',
        'gromacs',
    ),
}


def _from_other(path: Path) -> list[Reading]:
    """A file that ASE may know by its name or content."""
    try:
        found = ase.io.read(path, index=':', do_not_split_by_at_sign=True)
    except ase.io.formats.UnknownFileTypeError:
        known = ', '.join(ENDINGS)
        raise UnreadableStructure(f'its name has none of the endings {known}, and ASE does not know it') from None
    if (kind := ase.io.formats.filetype(str(path))) in INCOMPLETE:
        raise UnreadableStructure(
            f'files of the kind {kind} may lack symmetry, elements or occupancies: make a CIF of it'
        )
    return [attempt(lambda atoms=atoms: (from_atoms(atoms), ())) for atoms in found]


_READERS = {'cif': _from_cif, 'poscar': _from_poscar, 'xyz': _from_xyz, 'json': read_documents}
