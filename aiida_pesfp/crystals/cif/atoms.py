"""The cell and the atoms of a CIF block: element, position with its digits, occupancy."""

import itertools
import re
from dataclasses import dataclass

import gemmi
import numpy as np
from pymatgen.core import Lattice

from aiida_pesfp.crystals.checks import FARTHEST_CELL, check_cell
from aiida_pesfp.crystals.cif.tags import EMPTY, tags_of, value
from aiida_pesfp.crystals.species import element_of, element_of_label
from aiida_pesfp.errors import InvalidCell, UnreadableStructure

#: Refinements without constraints exceed full occupancy by a few percent; this much is taken for 1.
MOST_OVERFULL = 1.05
#: From here on an occupancy is 1 but for its last digit.
NEARLY_FULL = 0.999
#: Two decimals are the fewest that count: fewer do not tell a special position from a general one.
COARSEST = 0.005
COLUMNS = (
    *('?label', '?type_symbol', '?occupancy'),
    *('?symmetry_multiplicity', '?site_symmetry_multiplicity', '?calc_flag', '?disorder_assembly', '?disorder_group'),
)


@dataclass(frozen=True)
class Atom:
    """A row of the list of atoms.

    :param position: (3,) fractional coordinates.
    :param accuracy: (3,) half a unit of the last digit of each, plus its standard uncertainty.
    :param occupancy: 0 to 1; None if the file leaves it open.
    :param blur: half a unit of the last digit of the occupancy, plus its standard uncertainty; 0 for a full site.
    :param multiplicity: how many such atoms the cell has, if the file says so.
    :param disorder: its disorder assembly and group, if the file says so.
    """

    label: str
    element: str
    position: np.ndarray
    accuracy: np.ndarray
    occupancy: float | None
    blur: float
    multiplicity: int | None
    disorder: tuple[str, str] | None = None


def read_lattice(block: gemmi.cif.Block) -> Lattice:
    """The lattice of a block; an angle that is not given is 90 degrees, as in the CIF dictionary.

    :raises InvalidCell: if it is missing or impossible.
    """
    lengths = {name: (value(block, (name,)), np.inf) for name in (f'_cell_length_{axis}' for axis in 'abc')}
    names = [f'_cell_angle_{angle}' for angle in ('alpha', 'beta', 'gamma')]
    angles = {name: (value(block, (name,)) if len(block.find_values(name)) else 90.0, 180.0) for name in names}
    wrong = [name for name, (number, limit) in (lengths | angles).items() if number is None or not 0 < number < limit]
    if wrong:
        raise InvalidCell(f'{", ".join(wrong)} is missing or impossible: give the cell')
    lattice = Lattice.from_parameters(*(number for number, _ in (lengths | angles).values()))
    check_cell(lattice.matrix, (True,) * 3)
    return lattice


def read_atoms(block: gemmi.cif.Block, lattice: Lattice, elements: set[str]) -> tuple[list[Atom], list[str]]:
    """The atoms of a block, without dummies and empty sites, and what is doubtful.

    :param elements: those of the file's own formula, which decide what an ambiguous label means; empty if it has none.
    :raises UnreadableStructure: if an atom has no position, no known element or no possible occupancy.
    """
    for tag in tags_of(block):
        if re.match('_atom_site_(?!occupancy|refinement_flags).*occ', tag):
            raise UnreadableStructure(f'the column {tag} is not known: name the occupancies _atom_site_occupancy')
    atoms: list[Atom] = []
    doubts: list[str] = []
    empty: dict[str, str] = {}
    cartesian = _are_cartesian(block, lattice)
    vectors, origin = _axes(block, lattice) if cartesian else (np.eye(3), np.zeros(3))
    columns = [f'{"Cartn" if cartesian else "fract"}_{axis}' for axis in 'xyz'] + list(COLUMNS)
    for line in block.find('_atom_site_', columns):
        x, y, z, label, symbol, occupancy, *multiplicities, flag, assembly, group = (
            gemmi.cif.as_string(line[k]) if line.has(k) else '?' for k in range(len(columns))
        )
        if all(text in EMPTY for text in (x, y, z, label, symbol)):
            continue
        label = label if label not in EMPTY else symbol
        if flag == 'dum':
            doubts.append(f'{label}: left out as a dummy')
            continue
        element, doubt = _element(label, symbol, elements)
        doubts += filter(None, [doubt])
        fill, blur = _occupancy(label, occupancy)
        if fill == 0:
            empty.setdefault(element, label)
            continue
        if fill is not None and (fill > 1 or NEARLY_FULL <= fill < 1):
            doubts.append(f'{label}: its occupancy of {occupancy} was taken for 1')
            fill, blur = 1.0, 0.0
        multiplicity = next((int(text) for text in multiplicities if text.isdigit()), None)
        position, accuracy = _position(label, element, [x, y, z])
        position = np.linalg.solve(vectors.T, position - origin)
        accuracy = np.minimum(accuracy / np.linalg.norm(vectors, axis=1), COARSEST)
        disorder = None if group in EMPTY else (assembly, group)
        atoms.append(Atom(label, element, position, accuracy, fill, blur, multiplicity, disorder))
    if not atoms:
        raise UnreadableStructure('it lists no atoms with fractional coordinates')
    for element in set() if elements else empty.keys() - {atom.element for atom in atoms}:
        raise UnreadableStructure(
            f'atom {empty[element]} has an occupancy of 0, so no {element} is left: leave it out, or give the formula'
        )
    return atoms, list(dict.fromkeys(doubts))


def _are_cartesian(block: gemmi.cif.Block, lattice: Lattice) -> bool:
    """Whether atoms have Cartesian coordinates only. If they have both, these must be equally far apart in both."""
    tags = [[f'_atom_site_{kind}_{axis}' for axis in 'xyz'] for kind in ('fract', 'Cartn')]
    fractions, lengths = (np.array([[_number(text) for text in block.find_values(tag)] for tag in one]) for one in tags)
    if fractions.shape == lengths.shape:
        steps = [np.linalg.norm(np.diff(one), axis=0) for one in (lattice.matrix.T @ fractions, lengths)]
        if (np.abs(steps[0] - steps[1]) > 0.1).any():
            raise UnreadableStructure('its fractional and Cartesian coordinates contradict each other: keep one')
    return lengths.size > 0 and bool(np.isnan(fractions).all())


def _axes(block: gemmi.cif.Block, lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) lattice vectors as rows and (3,) origin of the cell along the axes of Cartesian coordinates, A."""
    vectors, origin = np.diag(lattice.abc), np.zeros(3)
    for kind in ('fract', 'Cartn'):  # the inverse, and the matrix itself
        matrix = [value(block, (f'_atom_sites_{kind}_tran_matrix_{row}{column}',)) for column in '123' for row in '123']
        if None not in matrix:
            shift = np.array([value(block, (f'_atom_sites_{kind}_tran_vector_{row}',)) or 0.0 for row in '123'])
            vectors = np.reshape(matrix, (3, 3)) if kind == 'Cartn' else np.linalg.inv(np.reshape(matrix, (3, 3)))
            origin = shift if kind == 'Cartn' else -shift @ vectors
    if not np.allclose(vectors @ vectors.T, lattice.matrix @ lattice.matrix.T, rtol=1e-2, atol=0.1):
        way_out = 'give the matrix _atom_sites_Cartn_tran_matrix of its cell, or fractional coordinates'
        raise UnreadableStructure(f'its atoms have Cartesian coordinates along unknown axes: {way_out}')
    return vectors, origin


def check_disorder(atoms: list[Atom]) -> list[str]:
    """What is doubtful about full atoms of a group of disorder.

    :raises UnreadableStructure: if they exclude each other, as members of several groups of one assembly.
    """
    full = [atom for atom in atoms if atom.disorder and atom.occupancy in (None, 1)]
    for first, second in itertools.combinations(full, 2):
        if first.disorder[0] == second.disorder[0] and first.disorder != second.disorder:
            labels = f'{first.label} and {second.label}'
            raise UnreadableStructure(f'atoms {labels} are alternatives in disorder: give their occupancies')
    return [f'{atom.label}: there, though in a group of disorder' for atom in full]


def _position(label: str, element: str, coordinates: list[str]) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.array([_number(text) for text in coordinates])
    if not (np.abs(numbers) <= FARTHEST_CELL).all():  # NaN neither
        given = ', '.join(text or '.' for text in coordinates)
        raise UnreadableStructure(f'atom {label} ({element}) has no position ({given}): give its coordinates')
    return numbers, np.array([_half_unit(text) for text in coordinates])


def _number(text: str) -> float:
    """A number, which some write as a fraction."""
    fraction = re.fullmatch(r'(-?\d+)/([1-9]\d*)', text)
    return int(fraction[1]) / int(fraction[2]) if fraction else gemmi.cif.as_number(text)


def _half_unit(number: str) -> float:
    """Half a unit of the last digit, plus the standard uncertainty: 0.0005 for 0.333, 0.0035 for 0.333(3)."""
    if '/' in number:
        return 0.0
    decimals, uncertainty = re.fullmatch(r'[^.(]*\.?(\d*)[^(]*(?:\((\d+)\))?', number.strip()).groups()
    return (0.5 + float(uncertainty or 0)) * 10.0 ** -len(decimals)


def _occupancy(label: str, text: str) -> tuple[float | None, float]:
    """How full a site is, and how exactly this is known; without a value None, which mostly means a full site."""
    if text in EMPTY:
        return None, 0.0
    number = gemmi.cif.as_number(text)
    if not -0.001 <= number <= MOST_OVERFULL:
        raise UnreadableStructure(f'atom {label} has an occupancy of {text}: it must be between 0 and 1')
    return max(number, 0.0), 0.0 if number == 1 else _half_unit(text)


def _element(label: str, symbol: str, elements: set[str]) -> tuple[str, str | None]:
    """The element of an atom, from its type or else its label, and what is doubtful about it."""
    try:
        if symbol in EMPTY:
            return element_of_label(label, elements)
        element, doubt = element_of(symbol, elements)
        return element, doubt and f'{label}: taken for {element}'
    except UnreadableStructure as error:
        raise UnreadableStructure(f'atom {label}: its type {error}') from error
