"""A disordered crystal: its primitive cell, and the orbits of sites in it."""

from dataclasses import dataclass

import numpy as np
import spglib
from pymatgen.core import Structure

from aiida_pesfp.crystals.canonical import TOLERANCE, canonical_cell, kinds_of_sites
from aiida_pesfp.crystals.cells import fill_supercell
from aiida_pesfp.crystals.cif.atoms import NEARLY_FULL
from aiida_pesfp.errors import CannotOrder, OrderedStructure

#: The symmetry of more sites takes minutes.
MOST_SITES = 4000
#: Curium is the last element with a covalent radius.
LAST_RADIUS = 96
#: Occupancies may exceed 1 or 0 by the last digit.
ROUNDING = 0.002


@dataclass(frozen=True)
class Parent:
    """The primitive cell of a disordered crystal.

    :param cell: its canonical primitive cell.
    :param species: symbols; 0 is a vacancy, whose symbol is empty.
    :param orbit_of: (sites,) the orbit of each site: sites that are equivalent by symmetry.
    :param shares: (orbits, species) which part of the sites of an orbit has a species; each row sums to 1.
    :param rotations: (n, 3, 3) and ``translations`` (n, 3): the symmetry operations.
    """

    cell: Structure
    species: tuple[str, ...]
    orbit_of: np.ndarray
    shares: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray

    @classmethod
    def of(cls, structure: Structure) -> 'Parent':
        """The parent of a disordered structure.

        :raises OrderedStructure: if all its sites are full.
        :raises CannotOrder: if an occupancy is impossible, or the radius of an element is unknown.
        """
        _check_sites(structure)
        cell = canonical_cell(structure)
        _, kinds = kinds_of_sites(cell)
        found = spglib.get_symmetry_dataset((cell.lattice.matrix, cell.frac_coords, kinds), symprec=TOLERANCE)
        if found is None:
            orbits, rotations, translations = np.arange(len(cell)), np.eye(3, dtype=int)[None], np.zeros((1, 3))
        else:
            orbits, rotations, translations = found.crystallographic_orbits, found.rotations, found.translations
        firsts, orbit_of = np.unique(orbits, return_inverse=True)
        symbols = sorted(one.symbol for one in cell.composition.element_composition)
        shares = np.zeros((len(firsts), 1 + len(symbols)))
        for orbit, first in enumerate(firsts):
            for element, part in cell[int(first)].species.element_composition.items():
                shares[orbit, 1 + symbols.index(element.symbol)] += part
            total = shares[orbit].sum()
            if total >= NEARLY_FULL:
                shares[orbit] /= total
            else:
                shares[orbit, 0] = 1 - total
        return cls(cell, ('', *symbols), orbit_of, np.round(shares, 6), rotations, translations)

    @property
    def multiplicities(self) -> np.ndarray:
        """(orbits,) sites of each orbit in the primitive cell."""
        return np.bincount(self.orbit_of)

    @property
    def amounts(self) -> np.ndarray:
        """(species,) how many of each the primitive cell has by the occupancies; 0 for the vacancy."""
        amounts = self.multiplicities @ self.shares
        amounts[0] = 0.0
        return amounts

    def describe(self, orbit: int) -> str:
        """An orbit in words: ``Li 0.44, 48 sites``."""
        parts = (f'{symbol} {part:.4g}' for symbol, part in zip(self.species[1:], self.shares[orbit, 1:]) if part > 0)
        return f'{" + ".join(parts)} ({self.multiplicities[orbit]} sites)'


@dataclass(frozen=True)
class Supercell:
    """A supercell of a parent: its sites, and how its symmetry permutes them.

    :param matrix: rows are its vectors in units of those of the primitive cell.
    :param fractions: (sites, 3) fractional coordinates of the sites.
    :param site_of: (sites,) the site of the primitive cell of each.
    """

    parent: Parent
    matrix: np.ndarray
    fractions: np.ndarray
    site_of: np.ndarray

    @classmethod
    def of(cls, parent: Parent, matrix: np.ndarray) -> 'Supercell':
        """The supercell of an integer matrix with a positive determinant. Images of one site are consecutive."""
        cell = parent.cell.lattice.matrix
        places, site_of = fill_supercell(cell, parent.cell.cart_coords, matrix)
        return cls(parent, matrix, places @ np.linalg.inv(matrix @ cell), site_of)

    @property
    def lattice(self) -> np.ndarray:
        """(3, 3) lattice vectors as rows, A."""
        return self.matrix @ self.parent.cell.lattice.matrix

    @property
    def orbit_of(self) -> np.ndarray:
        """(sites,) the orbit of each site."""
        return self.parent.orbit_of[self.site_of]

    def permutations(self) -> np.ndarray:
        """(operations, sites) to which site each site goes by the symmetry of the parent that keeps the supercell."""
        inverse = np.linalg.inv(self.matrix)
        turned = np.swapaxes(self.parent.rotations, 1, 2)  # coordinates are rows, multiplied from the right
        bases = self.matrix @ turned @ inverse
        kept = np.abs(bases - np.rint(bases)).max(axis=(1, 2)) < 1e-6
        cells = round(np.linalg.det(self.matrix))
        places = self.fractions @ self.matrix  # in units of the primitive cell
        shifts = (self.fractions[:cells] - self.fractions[0]) @ self.matrix
        shifted = np.array([self._sites_at(places + shift) for shift in shifts])
        operations = zip(turned[kept], self.parent.translations[kept])
        found = [shifted[:, self._sites_at(places @ rotation + translation)] for rotation, translation in operations]
        return np.unique(np.concatenate(found), axis=0)

    def _sites_at(self, places: np.ndarray) -> np.ndarray:
        """(n,) index of the site at each of (n, 3) places, in units of the primitive cell."""
        apart = places @ np.linalg.inv(self.matrix)
        apart = apart[:, None] - self.fractions
        apart -= np.rint(apart)
        return np.linalg.norm(apart @ self.lattice, axis=-1).argmin(axis=1)


def _check_sites(structure: Structure) -> None:
    if len(structure) > MOST_SITES:
        raise CannotOrder(f'it has {len(structure)} sites, more than {MOST_SITES}: give a smaller cell')
    for index, site in enumerate(structure):
        where = f'site {index} at ({", ".join(f"{x:.3f}" for x in site.frac_coords)}) with {site.species_string}'
        parts = [float(part) for part in site.species.values()]
        if min(parts) < -ROUNDING or sum(parts) > 1 + ROUNDING:
            raise CannotOrder(f'{where}: occupancies must be at least 0, and sum to at most 1: correct them')
        for element in site.species.element_composition:
            if element.Z > LAST_RADIUS:
                raise CannotOrder(f'{where}: the radius of {element.symbol} is not known: leave the structure out')
    if all(max(site.species.values()) >= NEARLY_FULL for site in structure):
        raise OrderedStructure('all its sites are full: there is nothing to order, use it as it is')
