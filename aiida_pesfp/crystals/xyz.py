"""Frames of (extended) XYZ files, as https://github.com/libAtoms/extxyz describes them and programs write them."""

import functools
import itertools
import re

import numpy as np
from ase.data import chemical_symbols
from pymatgen.core import Structure

from aiida_pesfp.crystals.checks import MOST_ATOMS, check_cell
from aiida_pesfp.crystals.poscar import VECTOR, to_numbers
from aiida_pesfp.crystals.reading import Reading, attempt
from aiida_pesfp.crystals.species import element_of
from aiida_pesfp.errors import InvalidCell, PartialOccupancy, UnreadableStructure

#: What the second line says, in whatever case and brackets.
LATTICE = re.compile(r'\blattice\s*=\s*["\'{\[]((?:[-+.,\s\d\[\]]|e(?=[-+\d]))*)', re.IGNORECASE)
PROPERTIES = re.compile(r'\bproperties\s*=\s*["\']?([^\s"\']+)', re.IGNORECASE)
_PERIODIC = re.compile(r'\bpbc\s*=\s*(?:["\'{\[]([^"\'}\]]*)|(\S+))', re.IGNORECASE)
#: ASE keeps the occupancies of a CIF here.
_OCCUPANCIES = re.compile(r'\bocc\w*\s*=\s*"((?:\\.|[^"\\])*)"', re.IGNORECASE)
#: Columns of occupancies.
_OCCUPANCY = re.compile('occ|weight|^sof')
_ALIASES = {'element': 'species', 'numbers': 'z', 'positions': 'pos'}
_TRUTH = {'t': True, 'true': True, '1': True, 'f': False, 'false': False, '0': False}


def lattice_of(comment: str) -> np.ndarray | None:
    """(3, 3) lattice vectors as rows, A, if the second line of a frame has them; ASE writes zeros for none.

    :raises InvalidCell: if they are not nine numbers.
    """
    if not (found := LATTICE.search(comment)):
        return None
    words = re.sub(r'[,\[\]]', ' ', found[1]).split()
    if len(words) != 9:
        raise InvalidCell(f'its Lattice is not nine numbers: {comment[found.start() :][:60]!r}')
    cell = np.array(words, dtype=float).reshape(3, 3)
    return cell if cell.any() else None


def read_xyz(text: str) -> list[Reading]:
    """All frames, up to a count that is broken; one that cannot be read is in the list with the reason."""
    lines, found, begin = text.splitlines(), [], 0
    while begin < len(lines):
        if not lines[begin].strip():
            begin += 1
            continue
        count = lines[begin].strip()
        if not count.isdecimal() or not 0 < int(count) <= MOST_ATOMS:
            found[-1:] = []  # the count before may be the wrong one
            words = f'line {begin + 1} must be a number of atoms up to {MOST_ATOMS}, not {lines[begin][:40]!r}'
            return [*found, Reading(error=UnreadableStructure(words))]
        end = begin + int(count) + 2
        found.append(attempt(functools.partial(_frame, lines[begin:end], begin + 3)))
        begin = end
    return found


def _frame(lines: list[str], number: int) -> tuple[Structure, tuple[str, ...]]:
    """The crystal of the lines of one frame, and doubts; ``number`` is that of the line of its first atom."""
    if len(lines) < int(lines[0]) + 2:
        raise UnreadableStructure(f'it has {max(len(lines) - 2, 0)} of the {lines[0].strip()} atoms of a frame')
    columns, width = _columns(lines[1])
    if (cell := lattice_of(lines[1])) is None:
        raise InvalidCell('its second line gives no Lattice: it is no crystal')
    check_cell(cell, _periodic(lines[1]))
    species, places, doubts = [], [], {}
    occupancies = re.findall(r':\s*([\d.][^\s,}]*)', ' '.join(_OCCUPANCIES.findall(lines[1])))
    for row, line in enumerate(lines[2:], number):
        words = line.split()
        if len(words) != width or not (place := re.fullmatch(VECTOR, ' '.join(words[columns['pos']]))):
            what = 'three numbers as its position' if len(words) == width else f'{width} columns'
            raise UnreadableStructure(f'line {row} must have {what}, not {line.strip()[:60]!r}')
        places.append(to_numbers(place.groups()))
        found = [_element(words[begins][0], name) for name, begins in columns.items() if name in ('species', 'z')]
        if len({element for element, _ in found}) > 1:
            raise UnreadableStructure(f'the species and the atomic number of line {row} contradict each other')
        for name in filter(_OCCUPANCY.search, columns):  # weights above 1 are something else
            occupancies += [word for word in words[columns[name]] if 'weight' not in name or float(word) < 1]
        species.append(found[0][0])
        doubts |= dict(found)
    if any(float(word) != 1 for word in occupancies):
        raise PartialOccupancy('it has partly occupied sites: give a CIF for --orderings, or an ordered approximant')
    return Structure(cell, species, places, coords_are_cartesian=True), tuple(filter(None, doubts.values()))


def _columns(comment: str) -> tuple[dict[str, slice], int]:
    """The columns of each property, in lower case, and how many there are."""
    stated = PROPERTIES.search(comment)
    fields = (stated[1] if stated else 'species:S:1:pos:R:3').split(':')
    names = [_ALIASES.get(name.lower(), name.lower()) for name in fields[::3]]
    if len(fields) % 3 == 0 and all(re.fullmatch(r'\d{1,3}', count) for count in fields[2::3]):
        ends = list(itertools.accumulate(map(int, fields[2::3]), initial=0))
        columns = dict(zip(names, map(slice, ends, ends[1:])))
        if 'pos' in columns and {'species', 'z'} & set(columns):
            return columns, ends[-1]
    raise UnreadableStructure(f'its Properties {stated[1][:60]} do not give columns of species and pos')


def _element(word: str, column: str) -> tuple[str, str | None]:
    """The element of an atom, and what is doubtful about it."""
    if column == 'species':
        return element_of(word)
    if not re.fullmatch(r'\d{1,3}', word) or not 0 < int(word) < len(chemical_symbols):
        raise UnreadableStructure(f'{word!r} is no atomic number')
    return chemical_symbols[int(word)], None


def _periodic(comment: str) -> list[bool]:
    """Along which lattice vectors a frame is periodic: along all if it does not say."""
    if not (found := _PERIODIC.search(comment)):
        return [True] * 3
    words = re.findall('[^ ,]+', (found[1] or found[2]).lower())
    if len(words) not in (1, 3) or not set(words) <= set(_TRUTH):
        raise InvalidCell(f'{found[0][:60]!r} is not understood: write pbc="T T T"')
    return [_TRUTH[word] for word in words]
