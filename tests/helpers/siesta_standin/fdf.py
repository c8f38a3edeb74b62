"""Reads fdf, SIESTA's input: labels without regard to case, ``-``, ``_``, ``.``; units; blocks; the first counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from .units import FDF_UNITS

TRUE = {'', 't', 'true', '.true.', 'yes', 'y'}
FALSE = {'f', 'false', '.false.', 'no', 'n'}


class FatalError(Exception):
    """SIESTA would stop here (``die``) with this text in MESSAGES."""


def normalise(label: str) -> str:
    """The form in which labels are compared."""
    return re.sub(r'[-_.]', '', label.lower())


@dataclass
class Fdf:
    """Labels and blocks of an input file, by their normalised names."""

    values: dict[str, list[str]]
    blocks: dict[str, list[list[str]]]

    @classmethod
    def parse(cls, text: str) -> Fdf:
        """Read the whole input; raises FatalError where a block does not end."""
        values, blocks, block = {}, {}, None
        for line in text.splitlines():
            tokens = re.split(r'[#;!]', line)[0].replace('=', ' ').split()
            if not tokens:
                continue
            head = tokens[0].lower()
            if head == '%block':
                block = normalise(tokens[1])
                rows = []
                blocks.setdefault(block, rows)
            elif head == '%endblock':
                block = None
            elif block is not None:
                rows.append(tokens)
            else:
                values.setdefault(normalise(tokens[0]), tokens[1:])
        if block is not None:
            raise FatalError(f'fdf: no %endblock for {block}')
        return cls(values, blocks)

    def text(self, label: str, default: str = '') -> str:
        """First word after a label."""
        found = self.values.get(normalise(label))
        return found[0] if found else default

    def boolean(self, label: str, default: bool) -> bool:
        """A logical value; a label alone means true."""
        if normalise(label) not in self.values:
            return default
        word = self.text(label).lower()
        if word not in TRUE | FALSE:
            raise FatalError(f'fdf: {label}: not a logical value: {word}')
        return word in TRUE

    def integer(self, label: str, default: int) -> int:
        """An integer value."""
        return int(self.text(label, str(default)))

    def physical(self, label: str, default: float, unit: str) -> float:
        """A number with its unit, in ``unit``; without one it is in ``unit`` already."""
        found = self.values.get(normalise(label))
        if not found:
            return default
        number = float(found[0].lower().replace('d', 'e'))
        given = found[1].lower() if len(found) > 1 else unit.lower()
        if given not in FDF_UNITS:
            raise FatalError(f'fdf: {label}: unknown unit {given}')
        return number * FDF_UNITS[given] / FDF_UNITS[unit.lower()]

    def block(self, label: str) -> list[list[str]]:
        """Rows of a block, split into words."""
        rows = self.blocks.get(normalise(label))
        if rows is None:
            raise FatalError(f'fdf: block {label} is missing')
        return rows


@dataclass
class Crystal:
    """What is simulated. Lengths in Bohr, masses in amu; ``species`` counts from 1."""

    labels: list[str]
    species: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    lattice_constant: float

    @property
    def symbols(self) -> list[str]:
        """Chemical symbol of each atom."""
        return [chemical_symbols[number] for number in self.numbers]

    @property
    def masses(self) -> np.ndarray:
        """Mass of each atom."""
        return atomic_masses[self.numbers]


def read_crystal(fdf: Fdf) -> Crystal:
    """Cell and atoms of the input; raises FatalError as SIESTA does."""
    kinds = {int(row[0]): (int(row[1]), row[2]) for row in fdf.block('ChemicalSpeciesLabel')}
    for number, label in kinds.values():
        if label in atomic_numbers and atomic_numbers[label] != number:
            raise FatalError(f'Atomic number {number} does not belong to {label}')
    constant = fdf.physical('LatticeConstant', 0.0, 'Bohr')
    if constant == 0.0:
        raise FatalError('The stand-in needs LatticeConstant and the block LatticeVectors')
    cell = constant * np.array([[float(word) for word in row[:3]] for row in fdf.block('LatticeVectors')])

    coordinates, species = [], []
    for row in fdf.block('AtomicCoordinatesAndAtomicSpecies'):
        # fdf tells integers from reals by their form: '0' as a coordinate would be taken for the species.
        words = [word for word in row if re.fullmatch(r'[+-]?[\d.]+([eEdD][+-]?\d+)?', word)]
        integers = [int(word) for word in words if re.fullmatch(r'[+-]?\d+', word)]
        reals = [float(word.lower().replace('d', 'e')) for word in words if not re.fullmatch(r'[+-]?\d+', word)]
        if len(reals) < 3 or not integers or integers[0] not in kinds:
            raise FatalError(f'coor: ERROR: Wrong species {integers[0] if integers else 0}')
        coordinates.append(reals[:3])
        species.append(integers[0])
    if len(species) != fdf.integer('NumberOfAtoms', len(species)):
        raise FatalError('coor: ERROR: number of atoms differs from NumberOfAtoms')

    return Crystal(
        labels=[kinds[kind][1] for kind in species],
        species=np.array(species),
        numbers=np.array([kinds[kind][0] for kind in species]),
        positions=to_bohr(np.array(coordinates), fdf.text('AtomicCoordinatesFormat', 'Bohr'), cell, constant),
        cell=cell,
        lattice_constant=constant,
    )


def to_bohr(coordinates: np.ndarray, form: str, cell: np.ndarray, constant: float) -> np.ndarray:
    """Cartesian coordinates (n, 3) in Bohr from one of fdf's four formats."""
    form = normalise(form)
    if form in ('bohr', 'notscaledcartesianbohr'):
        return coordinates
    if form in ('ang', 'notscaledcartesianang'):
        return coordinates * FDF_UNITS['ang']
    if form == 'scaledcartesian':
        return coordinates * constant
    if form in ('fractional', 'scaledbylatticevectors'):
        return coordinates @ cell
    raise FatalError('coor: ERROR: Wrong atomic-coordinate input format')
