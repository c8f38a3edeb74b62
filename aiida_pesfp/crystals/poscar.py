"""POSCAR and its kin (CONTCAR, CHGCAR, LOCPOT), as https://vasp.at/wiki/POSCAR describes them, line by line."""

import re

import numpy as np
from pymatgen.core import Structure

from aiida_pesfp.crystals.checks import MOST_ATOMS, check_cell
from aiida_pesfp.crystals.facts import Facts, Formula
from aiida_pesfp.crystals.species import element_of
from aiida_pesfp.errors import InconsistentFile, UnreadableStructure

_NUMBER = r'[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?'
#: Three numbers, flags of selective dynamics, the label of the atom, its Wyckoff letter, and a remark.
_PLACE = re.compile(
    rf'\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})(?:(?:\s+\.?[TFtf]\w*\.?){{3}})?'
    r'(?:\s+([A-Za-z]\S*))?(?:\s+\(?\d+[a-z]\)?)?\s*(?:[!#].*)?'
)


def read_poscar(text: str) -> tuple[Structure, tuple[str, ...]]:
    """The crystal, and doubts.

    :raises UnreadableStructure: if a line is not what it must be, or the lines contradict each other.
    """
    lines = text.splitlines() + [''] * 9
    scales = _numbers(lines, 1, 'one or three scaling factors', (1, 3))
    matrix = np.array([_numbers(lines, row, 'a lattice vector') for row in (2, 3, 4)])
    names, row = (None, 5) if re.match(r'\s*\d', lines[5]) else (_words(lines[5]), 6)
    counts = [int(word) if word.isdecimal() else -1 for word in _words(lines[row])]
    if not counts or min(counts) < 0 or not 0 < sum(counts) <= MOST_ATOMS:
        raise _wrong(lines, row, f'the counts of atoms, between 1 and {MOST_ATOMS} in all')
    species, doubts = _species(lines[0], names, counts)
    row += 1
    selective = lines[row].strip()[:1] in tuple('sS')
    row += selective
    mode = lines[row].strip()[:1].lower()
    if mode not in tuple('dfck') or not mode:
        raise _wrong(lines, row, 'Direct or Cartesian')
    cartesian = mode in 'ck'
    if len(scales) == 3 and cartesian:
        raise UnreadableStructure('it has three scaling factors and Cartesian positions: give one factor')
    first = row + 1
    places, labels = zip(*(_place(lines, first + k, len(species)) for k in range(len(species))))
    _check_labels(labels, species, first + 1)
    _check_tail(lines, first + len(places), len(places))
    if scales[0] < 0 and len(scales) == 1:
        scales = [(-scales[0] / abs(np.linalg.det(matrix))) ** (1 / 3)]
    matrix = matrix * scales
    check_cell(matrix, (True,) * 3)
    places = np.array(places) * (scales if cartesian else 1)
    structure = Structure(matrix, species, places, coords_are_cartesian=cartesian)
    return structure, (*doubts, *_remark(lines[0], structure, names))


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


def _place(lines: list[str], row: int, count: int) -> tuple[list[float], str | None]:
    """A position and its label."""
    match = _PLACE.fullmatch(lines[row]) if row < len(lines) else None
    if match is None:
        raise _wrong(lines, row, f'one of {count} positions: three numbers, with nothing behind them but a label')
    return [_float(word) for word in match.groups()[:3]], match[4]


def _check_labels(labels: tuple[str | None, ...], species: list[str], line: int) -> None:
    """Refuse elements that the labels of all atoms, if they are elements, contradict."""
    try:
        elements = [element_of(label or '')[0] for label in labels]
    except UnreadableStructure:
        return
    for index, (label, found, element) in enumerate(zip(labels, elements, species)):
        if found != element:
            raise UnreadableStructure(f'line {line + index} says {label}, its counts say {element}: correct either')


def _check_tail(lines: list[str], row: int, count: int) -> None:
    """Refuse positions after the last: they would be taken for velocities."""
    tail = lines[row:]
    if _PLACE.fullmatch(tail[0]):
        raise UnreadableStructure(f'it lists more positions than its counts say, {count}: correct them')
    rows = [index for index, line in enumerate(tail) if line.strip()]
    if rows and _PLACE.fullmatch(tail[rows[0]]):
        block = tail[rows[0] :]
        length = next(k for k, line in enumerate([*block, '']) if not line.strip())
        grid = all(word.isdecimal() for word in _words(block[0]))
        if not grid and length != count:
            raise UnreadableStructure(f'{length} lines of numbers follow its {count} positions: correct the counts')


def _remark(remark: str, structure: Structure, names: list[str] | None) -> list[str]:
    """Doubts, if the first line is the formula of something else; without other names of the elements, it counts."""
    is_formula = re.search(r'\d', remark) or re.fullmatch('[A-Z][A-Za-z]*[a-z]', remark.strip())  # Li Cl is a list
    formula = Formula.read(remark) if is_formula else None
    if formula is None:
        return []
    try:
        Facts(formulas=(formula,)).check(structure)
    except InconsistentFile:
        words = f'its first line says {remark.strip()}, its counts give {structure.formula}'
        if names is None:
            raise UnreadableStructure(f'{words}: correct either') from None
        return [words]
    return []


def _numbers(lines: list[str], row: int, what: str, lengths: tuple[int, ...] = (3,)) -> list[float]:
    """All numbers of a line, up to a remark."""
    words = re.split('[!#]', lines[row])[0].split()
    if (
        len(words) not in lengths
        or not all(re.fullmatch(_NUMBER, word) for word in words)
        or not any(map(_float, words))
    ):
        raise _wrong(lines, row, what)
    return [_float(word) for word in words]


def _words(line: str) -> list[str]:
    return re.split('[!#]', line)[0].split()


def _float(word: str) -> float:
    return float(word.lower().replace('d', 'e'))


def _wrong(lines: list[str], row: int, what: str) -> UnreadableStructure:
    line = lines[row].strip()[:60] if row < len(lines) else ''
    return UnreadableStructure(f'line {row + 1} must be {what}, not {line!r}')
