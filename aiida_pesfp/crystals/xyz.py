"""Frames of (extended) XYZ files."""

import functools
import io
import re

import ase.io
from pymatgen.core import Structure

from aiida_pesfp.crystals.checks import MOST_ATOMS
from aiida_pesfp.crystals.reading import Reading, attempt, from_atoms
from aiida_pesfp.crystals.species import element_of
from aiida_pesfp.errors import InvalidCell, UnreadableStructure


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
    stated = re.search(r'Properties="?([^\s"]+)', lines[1])
    names, counts = ((stated[1] if stated else 'species:S:1:pos:R:3').split(':')[k::3] for k in (0, 2))
    whole = len(names) == len(counts) and all(re.fullmatch(r'\d{1,3}', count) for count in counts)
    if not whole or 'pos' not in names or not {'species', 'Z', 'numbers'} & set(names):
        raise UnreadableStructure(f'its Properties {stated[1][:60]} do not give columns of species and pos')
    if 'Lattice=' not in lines[1]:
        raise InvalidCell('its second line gives no Lattice: it is no crystal')
    width = sum(map(int, counts))
    column = sum(map(int, counts[: names.index('species')])) if 'species' in names else None
    species, doubts = [], {}
    for index, line in enumerate(lines[2:], 2):
        words = line.split()
        if len(words) != width:
            raise UnreadableStructure(f'line {number + index - 2} must have {width} columns, not {line.strip()[:60]!r}')
        if column is not None:
            words[column], doubt = element_of(words[column])
            species.append(words[column])
            doubts[doubt] = None
        lines[index] = ' '.join(words)
    atoms = ase.io.read(io.StringIO('\n'.join(lines) + '\n'), format='extxyz')
    if species and species != atoms.get_chemical_symbols():
        raise UnreadableStructure('its columns of species and of atomic numbers contradict each other: remove either')
    return from_atoms(atoms), tuple(filter(None, doubts))
