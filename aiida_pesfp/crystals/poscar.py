"""POSCAR and its kin (CONTCAR, CHGCAR, LOCPOT), as https://vasp.at/wiki/POSCAR describes them, line by line."""

import itertools
import re

import numpy as np
from pymatgen.core import Structure

from aiida_pesfp.crystals.checks import MOST_ATOMS, check_cell
from aiida_pesfp.crystals.facts import Facts, Formula
from aiida_pesfp.crystals.species import element_of
from aiida_pesfp.errors import InconsistentFile, UnreadableStructure

_NUMBER = r'([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?)'
VECTOR = rf'{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}'
#: A position, flags of selective dynamics, the label of the atom and its Wyckoff position.
_PLACE = rf"{VECTOR}(?:(?:\s+\.?[TFtf]\w*\.?){{3}})?(?:\s+([A-Za-z][\w+*'()-]*(?:\.\d+[+-])?))?(?:\s+\(?\d+[a-z]\)?)?"


def read_poscar(text: str) -> tuple[Structure, tuple[str, ...]]:
    """The crystal, and doubts.

    :raises UnreadableStructure: if a line is not what it must be, or the lines contradict each other.
    """
    lines = [re.split('[!#]', line)[0].strip() for line in text.splitlines()] + [''] * 9

    def take(row: int, pattern: str, what: str) -> tuple[str, ...]:
        if match := re.fullmatch(pattern, lines[row]):
            return match.groups()
        raise UnreadableStructure(f'line {row + 1} must be {what}, not {lines[row][:60]!r}')

    scales = to_numbers(take(1, rf'{_NUMBER}(?:\s+{_NUMBER}\s+{_NUMBER})?', 'one or three scaling factors'))
    matrix = np.array([to_numbers(take(row, VECTOR, 'a lattice vector')) for row in (2, 3, 4)])
    row = 5 if re.fullmatch(r'[\d\s]+', lines[5]) else 6  # before VASP 5 no line has the elements
    names = None if row == 5 else take(5, '(.+)', 'the elements')[0].split()
    counts = [int(word) for word in take(row, r'(\d+(?:\s+\d+)*)', 'the counts of atoms')[0].split()]
    if not 0 < (count := sum(counts)) <= MOST_ATOMS:
        raise UnreadableStructure(f'its counts of atoms are {counts}: not between 1 and {MOST_ATOMS} in all')
    species, doubts = _species(text.splitlines()[0], names, counts)
    row += 1 + (lines[row + 1][:1] in ('s', 'S'))
    cartesian = take(row, '([DdFfCcKk]).*', 'Direct or Cartesian')[0] in 'CcKk'
    if len(scales) == 3 and cartesian:
        raise UnreadableStructure('it has three scaling factors and Cartesian positions: give one factor')
    what = f'one of {count} positions: three numbers, with nothing behind them but a label'
    places = [take(row + 1 + index, _PLACE, what) for index in range(count)]
    _check_labels([place[3] for place in places], species, row + 2)
    _check_tail(lines[row + 1 + count :], count)
    if len(scales) == 1 and scales[0] < 0:  # the volume
        scales = [(-scales[0] / abs(np.linalg.det(matrix))) ** (1 / 3)]
    matrix = matrix * scales
    check_cell(matrix, (True,) * 3)
    places = np.array([to_numbers(place[:3]) for place in places]) * (scales if cartesian else 1)
    structure = Structure(matrix, species, places, coords_are_cartesian=cartesian)
    return structure, (*doubts, *_remark(text.splitlines()[0], structure, names))


def to_numbers(words: tuple[str | None, ...]) -> list[float]:
    return [float(word.lower().replace('d', 'e')) for word in words if word]


def _species(remark: str, names: list[str] | None, counts: list[int]) -> tuple[list[str], list[str]]:
    """The element of each atom, and doubts. Before VASP 5 no line had the elements, but many first lines have."""
    doubts = []
    if names is None:
        names = re.findall(r'[A-Z][a-z]?', remark)
        if not re.fullmatch(r'\s*(?:[A-Z][a-z]?[\d.]*\s*)+', remark) or len(names) != len(counts):
            raise UnreadableStructure('it names no elements: write them in a line above the counts of atoms')
        doubts.append('the file does not list its elements, which were taken from its first line')
    if len(names) != len(counts):
        raise UnreadableStructure(f'it names {len(names)} elements and has {len(counts)} counts of atoms')
    found = [element_of(name) for name in names]
    doubts += [doubt for _, doubt in found if doubt]
    return [element for (element, _), count in zip(found, counts) for _ in range(count)], doubts


def _check_labels(labels: list[str | None], species: list[str], line: int) -> None:
    """Refuse elements that the labels of all atoms, if they are elements, contradict."""
    try:
        elements = [element_of(label or '')[0] for label in labels]
    except UnreadableStructure:
        return
    for number, (label, found, element) in enumerate(zip(labels, elements, species), line):
        if found != element:
            raise UnreadableStructure(f'line {number} says {label}, its counts say {element}: correct either')


def _check_tail(lines: list[str], count: int) -> None:
    """Refuse further positions: they would be taken for velocities. A line of three whole numbers begins a grid."""
    block = list(itertools.takewhile(bool, itertools.dropwhile(lambda line: not line, lines))) or ['']
    more = lines[0] or (len(block) != count and not re.fullmatch(r'\d+\s+\d+\s+\d+', block[0]))
    if more and re.fullmatch(_PLACE, block[0]):
        raise UnreadableStructure(f'it lists more positions than its counts say, {count}: correct them')


def _remark(remark: str, structure: Structure, names: list[str] | None) -> list[str]:
    """Doubts, if the first line is the formula of something else; without other names of the elements, it counts."""
    is_formula = re.search(r'\d', remark) or re.fullmatch('(?=.*[a-z])[A-Z][A-Za-z]*', remark.strip())
    try:
        if is_formula and (formula := Formula.read(remark)):
            Facts(formulas=(formula,)).check(structure)
    except InconsistentFile:
        words = f'its first line says {remark.strip()}, its counts give {structure.formula}'
        if names is None:
            raise UnreadableStructure(f'{words}: correct either') from None
        return [words]
    return []
