"""What a file says of its crystal as a whole, and whether the crystal that was read from it agrees."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import gemmi
import numpy as np
import spglib
from pymatgen.core import Composition, Structure

from aiida_pesfp.crystals.species import ELEMENTS, ISOTOPES, element_of
from aiida_pesfp.errors import InconsistentFile, UnreadableStructure

#: What the crystal as a whole has: relative difference that contradicts the atoms, what is said of the file and of the
#: atoms. The hydrogen of LiOH is 4 % of its weight; anomalous scattering makes F000 smaller.
QUANTITIES = {
    'volume': (0.01, 'the cell has {:.2f} A^3', 'its lengths and angles give {:.2f}: correct either'),
    'sites': (0.0, 'there are {:g} sites', 'and has {:g}'),
    'kinds': (0.0, 'there are {:g} elements', 'and has {:g}'),
    'weight': (0.01, 'the formula weight is {:g}', 'its sites give {:.2f} for this Z'),
    'density': (0.025, 'the density is {:.4g} g/cm3', 'its sites give {:.3g}'),
    'electrons': (0.02, 'the cell has {:g} electrons (F000)', 'its sites give {:.4g}'),
}
#: Authors round the formula of a disordered crystal: Li7La3Zr2O12 has 6.9 Li. Relative.
ROUNDED_FORMULA = 0.05
#: Databases find the space group within one of these displacements, A.
DISPLACEMENTS = (0.01, 0.1)
#: Mass numbers in formulas, no factors.
_ISOTOPES = re.compile(r'(?<![\w.])(?:[67](?=Li)|1[01](?=B(?![a-z])))')
#: Where documents of the Materials Project, JARVIS and OPTIMADE, and entries of pymatgen, say what their crystal is.
_FORMULAS = (
    *('formula_pretty', 'pretty_formula', 'formula', 'full_formula', 'composition', 'composition_reduced'),
    *('unit_cell_formula', 'reduced_cell_formula', 'chemical_formula_reduced', 'chemical_formula_hill'),
    'chemical_formula_descriptive',
)
_NUMBERS = {'density': 'density', 'volume': 'volume', 'nsites': 'sites', 'nat': 'sites', 'nelements': 'kinds'}
_NUMBERS |= {'natoms': 'sites', 'ntypes': 'kinds', 'spg_number': 'group', 'space_group_it_number': 'group'}


@dataclass(frozen=True)
class Formula:
    """Counts of elements, and for each half a unit of its last digit (0 for a whole number)."""

    counts: dict[str, float]
    digits: dict[str, float]
    isotopes: bool = False

    @classmethod
    def read(cls, text: str) -> Self | None:
        """A formula of any notation: LiCl, C12 H22 O11, LI2 S, Li (Al Cl4), Li Cl . 2(H2 O), Li +, H O -.

        None if it is not sure what it says. D and T are hydrogen.
        """
        text = re.sub(r'(?<=\d)\(\d+\)', '', text.strip())  # standard uncertainties
        text, isotopes = _ISOTOPES.subn('', text)
        text = re.sub(r'\s*\.\s*(\d+\.\d+|\d*)\s*\(?H2\s*O\b\)?', r' * \1 H2O', text)  # CaSO4.2H2O has not 4.2 oxygens
        total = Composition()
        try:
            for part in re.split(r'\s+\.\s+|\s*[*,]\s*', text):
                part = re.sub(r'\s+\d*[+-]\d*(?=\s*\)?$)', '', part)  # the charge of an ion
                times, one = re.fullmatch(r'(\d+\.?\d*)?\s*(.+)', part).groups()
                total += Composition(_capitalised(one).replace(' ', '')) * float(times or 1)
        except (ValueError, TypeError, AttributeError, KeyError):
            return None
        found = cls.of(total.get_el_amt_dict(), dict(re.findall(r'([A-Z][a-z]?)(\d*\.\d*[1-9])', text)))
        return found and replace(found, isotopes=found.isotopes or isotopes > 0)

    @classmethod
    def of(cls, amounts: Mapping[str, float], texts: Mapping[str, str] = {}) -> Self | None:
        """The formula of given amounts.

        :param texts: how the amounts are written, where this is known.
        """
        counts, digits = {}, {}
        for name, amount in amounts.items():
            try:
                symbol, _ = element_of(name)
            except UnreadableStructure:
                return None
            decimals = texts.get(name, f'{amount:g}').partition('.')[2]
            counts[symbol] = counts.get(symbol, 0.0) + amount
            digits[symbol] = digits.get(symbol, 0.0) + (0.5 * 10.0 ** -len(decimals) if decimals else 0.0)
        counts = {symbol: count for symbol, count in counts.items() if count > 0}
        return cls(counts, digits, any(name in ISOTOPES for name in amounts)) if counts else None

    @property
    def factor(self) -> int:
        """By how much the counts can be divided."""
        return 1 if any(self.digits.values()) else int(np.gcd.reduce([round(count) for count in self.counts.values()]))

    def __str__(self) -> str:
        return Composition(self.counts).formula.replace(' ', '')

    def units_in(self, structure: Structure, blur: Mapping[str, float]) -> float | None:
        """How many formulas are in the cell; None if it has other elements or other proportions."""
        found = structure.composition.element_composition.get_el_amt_dict()
        if set(found) != set(self.counts):
            return None
        units = float(np.median([found[element] / count for element, count in self.counts.items()]))
        for element, count in self.counts.items():
            allowed = 1e-3 + units * self.digits[element]
            if not structure.is_ordered:
                allowed += blur.get(element, 0.0) + units * min(0.5, ROUNDED_FORMULA * count)
            if abs(found[element] - units * count) > allowed:
                return None
        return units if units > 0.98 else None  # else less than one formula


def _capitalised(text: str) -> str:
    """A formula in capitals alone, one element a word, with the usual symbols.

    :raises ValueError: if a word may be an element or two, as in SI O2.
    """

    def usual(match: re.Match) -> str:
        if (symbol := match[0].title()) in ELEMENTS and set(match[0]) <= ELEMENTS:
            raise ValueError(f'{match[0]} may be one element or two')
        return symbol if symbol in ELEMENTS else match[0]

    capitals = text == text.upper() and ' ' in text
    return re.sub(r'\b[A-Z]{2}(?=[\d.]*(?:\s|$))', usual, text) if capitals else text


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Statements of a file; None or empty where it makes none.

    :param formulas: of which the cell has a whole number.
    :param units: formula units of the cell by the first of them, Z.
    :param content: all atoms of the cell.
    :param sites: number of sites; ``elements`` are all that the crystal has, ``kinds`` their number.
    :param weight: of a formula unit, atomic mass units; ``density`` as calculated from the crystal, g/cm3.
    :param volume: of the cell, A^3, with so many ``electrons`` (F000); ``group`` is the number of the space group.
    """

    formulas: tuple[Formula, ...] = ()
    units: float | None = None
    content: Formula | None = None
    sites: int | None = None
    elements: frozenset[str] | None = None
    kinds: int | None = None
    weight: float | None = None
    density: float | None = None
    volume: float | None = None
    electrons: float | None = None
    group: int | None = None

    def check(self, structure: Structure, blur: Mapping[str, float] = {}) -> tuple[bool, list[str]]:
        """Whether the file confirms how many atoms the cell has, and what is doubtful.

        :param blur: element -> by how many atoms its count may be off, as occupancies have few digits.
        :raises InconsistentFile: if it contradicts the elements, their counts, the cell or its mass.
        """
        found = structure.composition.element_composition
        own = {
            'volume': structure.volume,
            'sites': len(structure),
            'kinds': len(found),
            'weight': float(structure.composition.weight) / (self.units or np.nan),
            'density': float(structure.density),
            'electrons': sum(element.Z * count for element, count in found.items()),
        }
        wrong = {}
        for name, (tolerance, said, has) in QUANTITIES.items():
            stated = getattr(self, name)
            if stated is not None and abs(own[name] / stated - 1) > tolerance:  # not for NaN: nothing to compare
                wrong[name] = f'the file says that {said.format(stated)}, {has.format(own[name])}'
        dense, formula = self.density is not None and 'density' not in wrong, found.formula.replace(' ', '')
        if self.elements is not None and self.elements != {element.symbol for element in found}:
            stated = ', '.join(sorted(self.elements))
            raise InconsistentFile(f'the file says that its elements are {stated}, its sites are {formula}')
        for one in self.formulas:
            self._check_formula(one, structure, blur, dense)
        if self.content is not None and abs((self.content.units_in(structure, blur) or 0) - 1) > 0.02:
            wrong['content'] = f'the file says that the cell has {self.content}, its sites give {formula}'
        # Atoms that agree with formula and Z have the right mass: then a slip of the authors is a doubt only.
        counted = bool(self.formulas) and self.units is not None
        for name, objection in wrong.items():
            if not counted or name in ('volume', 'sites', 'kinds'):
                raise InconsistentFile(objection)
        weighed = self.weight is not None and self.units is not None and 'weight' not in wrong
        confirmed = dense or counted or weighed or self.content is not None
        return confirmed, [*wrong.values(), *self._check_group(structure)]

    def _check_formula(self, formula: Formula, structure: Structure, blur: Mapping[str, float], dense: bool) -> None:
        """Raise :class:`InconsistentFile` unless the cell has Z times the formula."""
        if (units := formula.units_in(structure, blur)) is not None:
            # Z counts the formula or its smallest form: some programs write the content of the cell as formula.
            is_z = any(abs((self.units or units) / one - 1) < 0.02 for one in (units, units * formula.factor))
            if dense or is_z or (any(formula.digits.values()) and abs(units - 1) < 0.02):
                return
        found = structure.composition.element_composition
        lost = ', '.join(sorted(set(formula.counts) - {str(element) for element in found}))
        z = '' if self.units is None else f' (Z = {self.units:g})'
        said = f'the file says {formula}{z}, its sites give {found.formula.replace(" ", "")}'
        raise InconsistentFile(f'{said}: add the sites of {lost}' if lost else f'{said}: correct either')

    def _check_group(self, structure: Structure) -> list[str]:
        found = groups_of(structure) if self.group is not None else []
        if not found or self.group in found:
            return []
        return [f'the file says that the space group is number {self.group:g}, its sites have number {found[0]}']


def groups_of(structure: Structure) -> list[int]:
    """The numbers of the space groups that a structure may have; none of a disordered one."""
    if not structure.is_ordered:
        return []
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    data = [spglib.get_symmetry_dataset(cell, symprec=displacement) for displacement in DISPLACEMENTS]
    return [one.number for one in data if one is not None]


def check_document(stated: dict, structure: Structure) -> list[str]:
    """Compare a structure with what a JSON document says of it; what is doubtful.

    :raises InconsistentFile: if the document contradicts its structure.
    """
    given = [stated[key] for key in _FORMULAS if stated.get(key)]
    formulas = [Formula.of(one) if isinstance(one, dict) else Formula.read(str(one)) for one in given]
    elements, ratios = stated.get('elements'), stated.get('elements_ratios')
    named = isinstance(elements, list) and all(isinstance(one, str) for one in elements)
    if named and isinstance(ratios, list):
        formulas.append(Formula.of(dict(zip(elements, ratios))))
    stated = {'spg_number': _group(stated)} | stated
    numbers = {name: gemmi.cif.as_number(str(stated[key])) for key, name in _NUMBERS.items() if stated.get(key)}
    facts = Facts(
        formulas=tuple(filter(None, formulas)),
        # Some providers name species that are no elements.
        elements=frozenset(ELEMENTS.intersection(elements)) if named else None,
        **{name: number for name, number in numbers.items() if number > 0},  # not NaN
    )
    if isinstance(system := stated.get('chemsys'), str):
        Facts(elements=frozenset(system.split('-'))).check(structure)
    for key in ('formula_anonymous', 'chemical_formula_anonymous'):
        if isinstance(stated.get(key), str):
            _check_anonymous(stated[key], structure)
    unknown = [f'the formula {one!r} is not understood' for one, formula in zip(given, formulas) if formula is None]
    return unknown + facts.check(structure)[1]


def check_same(other: Structure, structure: Structure) -> None:
    """Raise :class:`InconsistentFile` if the CIF of a document has other elements, proportions or density."""
    formula = Formula.of(other.composition.element_composition.get_el_amt_dict())
    try:
        Facts(formulas=(formula,), density=float(other.density)).check(structure)
    except InconsistentFile as error:
        raise InconsistentFile(f'its CIF and its structure are not the same crystal: {error}') from error


def _check_anonymous(text: str, structure: Structure) -> None:
    """Raise :class:`InconsistentFile` if a formula such as A2B has other proportions."""
    found = structure.composition.element_composition
    counts = [float(count or 1) for count in re.findall(r'[A-Z][a-z]?([\d.]*)', text)]
    stated, own = (np.sort(one) / np.sum(one) for one in (counts, list(found.values())))
    if len(stated) != len(own) or np.abs(stated - own).max() > (1e-3 if structure.is_ordered else ROUNDED_FORMULA):
        raise InconsistentFile(f'the file says {text}, its sites give {found.reduced_formula}: correct either')


def _group(stated: dict) -> object:
    """The number of the space group that a document names, in one of several ways."""
    symmetry = stated.get('symmetry') or stated.get('spacegroup') or {}
    symmetry = symmetry if isinstance(symmetry, dict) else {'symbol': symmetry}
    symbol = symmetry.get('symbol') or stated.get('space_group_symbol_hermann_mauguin') or stated.get('spg_symbol')
    group = gemmi.find_spacegroup_by_name(str(symbol)) if symbol else None
    return symmetry.get('number') or (group and group.number)
