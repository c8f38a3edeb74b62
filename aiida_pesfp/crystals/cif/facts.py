"""What a CIF block says of its crystal as a whole, and whether the crystal that was read from it agrees."""

import re
from dataclasses import dataclass
from typing import Self

import gemmi
import numpy as np
from pymatgen.core import Composition, Lattice

from aiida_pesfp.crystals.cif.atoms import ELEMENTS, ISOTOPES
from aiida_pesfp.crystals.cif.sites import Crystal
from aiida_pesfp.crystals.cif.tags import texts, value
from aiida_pesfp.errors import InconsistentFile

FORMULA = tuple(f'_chemical_formula_{kind}' for kind in ('sum', 'structural', 'moiety', 'iupac'))
#: Relative differences above which a calculated density, formula weight or volume contradicts the atoms. The hydrogen
#: of LiOH is 4 % of its weight.
DENSITY_TOLERANCE, WEIGHT_TOLERANCE, VOLUME_TOLERANCE = 0.025, 0.01, 0.01
#: Authors round the formula of a disordered crystal: Li7La3Zr2O12 has 6.9 Li. Relative.
ROUNDED_FORMULA = 0.05
#: Of a hydrate: CaSO4.2H2O has not 4.2 oxygen atoms.
WATER = re.compile(r'\s*\.\s*(\d+\.\d+|\d*)\s*\(?H2\s*O\b\)?')
#: A number of electrons in the cell (F000) that differs by more contradicts the atoms; anomalous scattering has less.
ELECTRONS_TOLERANCE = 0.02
#: g/cm3 of one atomic mass unit per A^3.
GRAMS = 1.66053907


@dataclass(frozen=True)
class Formula:
    """Counts of elements, and for each half a unit of its last digit (0 for a whole number)."""

    counts: dict[str, float]
    digits: dict[str, float]
    isotopes: bool

    @classmethod
    def read(cls, text: str) -> Self | None:
        """A formula of any notation; None if it is not sure what it says. D and T are hydrogen."""
        text = WATER.sub(r' . \1(H2 O)', text)
        if (parts := (None if ' . ' in text else _parts(text)) or _sum(text)) is None:
            return None
        counts, digits = {}, {}
        for name, number in parts:
            symbol = ISOTOPES.get(name, name)
            decimals = number.partition('.')[2]
            counts[symbol] = counts.get(symbol, 0.0) + float(number or 1)
            digits[symbol] = digits.get(symbol, 0.0) + (0.5 * 10.0 ** -len(decimals) if decimals.strip('0') else 0.0)
        counts = {symbol: count for symbol, count in counts.items() if count > 0}
        return cls(counts, digits, any(name in ISOTOPES for name, _ in parts))

    @property
    def factor(self) -> int:
        """By how much the counts can be divided."""
        return 1 if any(self.digits.values()) else int(np.gcd.reduce([round(count) for count in self.counts.values()]))

    def __str__(self) -> str:
        return Composition(self.counts).formula.replace(' ', '')


def _parts(text: str) -> list[tuple[str, str]] | None:
    """Symbols and numbers of a formula: LiCl, C12 H22 O11, LI2 S, Li (Al Cl4). None if it may mean several things."""
    words = text.split()
    capitals = [match for word in words if (match := re.fullmatch(r'([A-Z]{2})([\d.]*)', word))]
    if len(words) > 1 and any(match[1].title() in ELEMENTS and set(match[1]) <= ELEMENTS for match in capitals):
        return None  # silica or sulfur and iodine
    number = r'(\d*\.?\d*)(?:\(\d+\))?'
    known = ELEMENTS | set(ISOTOPES)
    if re.fullmatch(rf'(?:[A-Z][a-z]?{number}[\s,]*)+', text):
        parts = re.findall(rf'([A-Z][a-z]?){number}', text)
        if all(symbol in known for symbol, _ in parts):
            return parts
    parts = [match.groups() for word in words if (match := re.fullmatch(rf'([A-Z]{{1,2}}){number}', word.rstrip(',')))]
    if len(parts) == len(words) and all(symbol.title() in known for symbol, _ in parts):
        return [(symbol.title(), count) for symbol, count in parts]
    if re.fullmatch(r'[A-Z][A-Za-z\d.()\s]*', text):
        try:
            amounts = Composition(text.replace(' ', '')).get_el_amt_dict()
        except ValueError:
            return None
        return [(symbol, f'{amount:g}') for symbol, amount in amounts.items()] if set(amounts) <= known else None
    return None


def _sum(text: str) -> list[tuple[str, str]] | None:
    """Symbols and numbers of the parts of a hydrate or of ions: Li Cl . 2(H2 O), Li +, H O -. None as of one part."""
    found = []
    for part in re.split(r'\s+\.\s+|\s*[*,]\s*', text):
        part = re.sub(r'\s+\d*[+-]\d*(?=\s*\)?$)', '', part.strip())
        times, inner, whole = re.fullmatch(r'(\d*\.?\d*)\s*\((.*)\)|(.*)', part, re.DOTALL).groups()
        if not (parts := _parts(whole if inner is None else inner)):
            return None
        found += [(symbol, f'{float(times or 1) * float(count or 1):g}') for symbol, count in parts]
    return found


@dataclass(frozen=True)
class Facts:
    """Statements of a block; None where it makes none.

    :param units: formula units of the cell, Z.
    :param weight: of a formula unit, atomic mass units.
    :param density: calculated from the crystal, g/cm3.
    :param volume: of the cell, A^3.
    :param electrons: in the cell, F000.
    :param hydrogens: whether some are attached to atoms, without positions of their own.
    """

    formula: Formula | None
    units: float | None
    weight: float | None
    density: float | None
    volume: float | None
    electrons: float | None
    hydrogens: bool

    @classmethod
    def of(cls, block: gemmi.cif.Block) -> Self:
        """Read the statements of a block."""
        formula = next(filter(None, map(Formula.read, texts(block, FORMULA))), None)
        types = texts(block, ('_atom_site_type_symbol',))
        attached = [gemmi.cif.as_number(text) for text in texts(block, ('_atom_site_attached_hydrogens',))]
        # Isotopes weigh something else than their elements.
        isotopes = (formula and formula.isotopes) or any(one in ISOTOPES or one[0].isdigit() for one in types)
        return cls(
            formula,
            value(block, ('_cell_formula_units_Z',)) or None,
            None if isotopes else value(block, ('_chemical_formula_weight',)) or None,
            None if isotopes else value(block, ('_exptl_crystal_density_diffrn',)) or None,
            value(block, ('_cell_volume',)) or None,
            value(block, ('_exptl_crystal_F_000',)) or None,
            any(number > 0 for number in attached),
        )

    @property
    def elements(self) -> set[str]:
        """The elements of the formula."""
        return set(self.formula.counts) if self.formula else set()

    def check_cell(self, lattice: Lattice) -> None:
        """Raise :class:`InconsistentFile` unless the volume is that of the lengths and angles."""
        if self.volume is not None and abs(lattice.volume / self.volume - 1) > VOLUME_TOLERANCE:
            own = f'its lengths and angles give {lattice.volume:.2f}'
            raise InconsistentFile(f'the file says that the cell has {self.volume:.2f} A^3, {own}: correct either')

    def check(self, crystal: Crystal) -> bool:
        """Whether the file confirms how many atoms the cell has.

        :raises InconsistentFile: if it contradicts the elements, their counts or the mass of the cell.
        """
        structure = crystal.structure
        mass = float(structure.composition.weight)
        density = mass / structure.volume * GRAMS
        dense = self.density is not None and abs(density / self.density - 1) < DENSITY_TOLERANCE
        confirmed = dense or crystal.counted
        if self.formula is not None:
            units = self._units(crystal)
            if self.units is not None:
                whole = bool(self.formula.factor == 1 and any(self.formula.digits.values()) and abs(units - 1) < 0.02)
                if not whole and not self._is_z(units) and not dense:
                    raise InconsistentFile(self._contradiction(crystal))
                confirmed = True
        elif self.hydrogens and 'H' not in structure.symbol_set:
            raise InconsistentFile('hydrogen atoms are attached to others and have no positions: add them')
        objections = []
        if self.units is not None and self.weight is not None:
            weight = mass / self.units
            if abs(weight / self.weight - 1) > WEIGHT_TOLERANCE:
                own = f'its sites give {weight:.2f} for Z = {self.units:g}'
                objections.append(f'the file says that the formula weight is {self.weight:g}, {own}')
            else:
                confirmed = True
        if self.density is not None and not dense:
            own = f'its sites give {density:.3g}'
            objections.append(f'the file says that the density is {self.density:.4g} g/cm3, {own}')
        electrons = sum(element.Z * count for element, count in structure.composition.element_composition.items())
        if self.electrons is not None and abs(electrons / self.electrons - 1) > ELECTRONS_TOLERANCE:
            own = f'its sites give {electrons:.4g}'
            objections.append(f'the file says that the cell has {self.electrons:g} electrons (F000), {own}')
        # Atoms that agree with formula and Z have the right mass: then a slip of the authors is a doubt only.
        if objections and not (self.formula is not None and self.units is not None):
            raise InconsistentFile(objections[0])
        crystal.doubts.extend(objections)
        if crystal.miscounted and not confirmed:
            raise InconsistentFile(f'{crystal.miscounted}: correct either')
        return confirmed

    def _units(self, crystal: Crystal) -> float:
        """How many formulas are in the cell."""
        structure = crystal.structure
        found = {str(element): count for element, count in structure.composition.element_composition.items()}
        counts, digits = self.formula.counts, self.formula.digits
        if set(found) != set(counts):
            raise InconsistentFile(self._contradiction(crystal))
        units = float(np.median([found[element] / count for element, count in counts.items()]))
        if units < 0.98:  # less than one formula
            raise InconsistentFile(self._contradiction(crystal))
        for element, count in counts.items():
            allowed = 1e-3 + units * digits[element]
            if not structure.is_ordered:
                allowed += crystal.blur.get(element, 0.0) + units * min(0.5, ROUNDED_FORMULA * count)
            if abs(found[element] - units * count) > allowed:
                raise InconsistentFile(self._contradiction(crystal))
        return units

    def _is_z(self, units: float) -> bool:
        """Whether Z counts the formula or its smallest form: some programs write the content of the cell as formula."""
        return any(abs(self.units / one - 1) < 0.02 for one in (units, units * self.formula.factor))

    def _contradiction(self, crystal: Crystal) -> str:
        found = crystal.structure.composition.element_composition
        lost = ', '.join(sorted(self.elements - {str(element) for element in found}))
        z = '' if self.units is None else f' (Z = {self.units:g})'
        said = f'the file says {self.formula}{z}, its sites give {found.formula.replace(" ", "")}'
        return f'{said}: add the sites of {lost}' if lost else f'{said}: correct either'
