"""Which species cannot be on two sites at once, because they are too close: the hard cores."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers, covalent_radii, vdw_radii
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.checks import ALKALI, LEAST_ALKALI_CONTACT, LEAST_CONTACT, SHORTEST_DISTANCE
from aiida_pesfp.crystals.ordering.parent import Supercell

#: Ions of one sign are not closer than this part of the sum of their van der Waals radii (anions: 2.13 A for O-O, which
#: have 2.15 A in nitrate; and hydrogen) or covalent radii (cations: 2.35 A for Li-La, which have 2.5 A in garnets). So
#: parts of two orientations of a group exclude each other.
LEAST_ANION_CONTACT, LEAST_CATION_CONTACT = 0.7, 0.7
LEAST_HYDROGEN_CONTACT = 0.62  # 1.49 A; in water they are 1.51 A apart
#: Distances count to this, A: they have the same last digit on every machine.
DIGITS = 4


#: Hard cores, from the largest: those that ions of one sign keep in most crystals; those with which a structure can be
#: scanned; and those with which a potential takes it, so that it can be relaxed (:mod:`aiida_pesfp.crystals.checks`).
USUAL, LEAST, CLOSEST = CONTACTS = ('usual', 'least', 'closest')


def hard_cores(
    species: tuple[str, ...], states: Mapping[str, float], mobile: str, hard_core: float | None, contacts: str
) -> np.ndarray:
    """(species, species) smallest distance between two atoms, A; 0 for a vacancy.

    :param states: oxidation states, or nothing: then no two atoms count as ions of one sign.
    :param hard_core: between two mobile ions, by default from their radii.
    :param contacts: one of :data:`CONTACTS`.
    """
    limits = np.zeros((len(species), len(species)))
    for i, one in enumerate(species):
        for j, other in enumerate(species):
            if one and other:
                limits[i, j] = _limit(one, other, states, contacts)
    if hard_core is not None and mobile in species:
        ion = species.index(mobile)
        limits[ion, ion] = hard_core
    return limits


def _limit(one: str, other: str, states: Mapping[str, float], contacts: str) -> float:
    numbers = [atomic_numbers[one], atomic_numbers[other]]
    covalent = float(covalent_radii[numbers].sum())
    limit = max(SHORTEST_DISTANCE, LEAST_CONTACT * covalent)
    if one == other and numbers[0] in ALKALI and contacts != CLOSEST:
        limit = max(limit, LEAST_ALKALI_CONTACT * covalent)
    if contacts != USUAL:
        return limit
    signs = {np.sign(states.get(symbol, 0.0)) for symbol in (one, other)}
    if one == other == 'H':
        return max(limit, LEAST_HYDROGEN_CONTACT * 2 * float(vdw_radii[1]))
    if signs == {-1.0}:
        limit = max(limit, LEAST_ANION_CONTACT * float(np.nan_to_num(vdw_radii[numbers]).sum()))
    elif signs == {1.0} and 'H' not in (one, other):
        limit = max(limit, LEAST_CATION_CONTACT * covalent)
    return limit


class Exclusion(NamedTuple):
    """Pairs of sites that exclude some species, by site.

    :param starts: (sites + 1,) where the pairs of each site begin; each pair is there from both sides.
    :param neighbours: (pairs,) the other site; a site itself if it is too close to its own images.
    :param forbidden: (pairs, species, species) whether the first species on the site excludes the second on the other.
    :param distances: (pairs,) A.
    """

    starts: np.ndarray
    neighbours: np.ndarray
    forbidden: np.ndarray
    distances: np.ndarray

    @classmethod
    def of(cls, supercell: Supercell, allowed: np.ndarray, limits: np.ndarray, floor: np.ndarray) -> 'Exclusion':
        """The pairs of a supercell.

        :param allowed: (sites, species) which species a site may have.
        :param limits: (species, species) hard cores, A.
        :param floor: (species, species) the same; sites that exclude each other whatever they have, as in the average
            crystal, do so only below these.
        """
        first, second, distances = closest_pairs(supercell.lattice, supercell.fractions, float(limits.max()))
        forbidden = distances[:, None, None] < limits
        possible = allowed[first][:, :, None] & allowed[second][:, None, :]
        itself = first == second
        possible[itself] &= np.eye(len(limits), dtype=bool)
        forbidden &= possible
        always = (forbidden == possible).all(axis=(1, 2))
        forbidden[always] &= (distances[:, None, None] < floor)[always]
        kept = forbidden.any(axis=(1, 2))
        first, second, distances, forbidden = first[kept], second[kept], distances[kept], forbidden[kept]
        starts = np.searchsorted(first, np.arange(len(allowed) + 1))
        return cls(starts, second, forbidden, distances)

    def close_pairs(self, state: np.ndarray) -> int:
        """How many pairs of atoms of an arrangement are too close."""
        first = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        close = self.forbidden[np.arange(len(first)), state[first], state[self.neighbours]]
        return int(close[first <= self.neighbours].sum())


def closest_pairs(
    lattice: np.ndarray, fractions: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of sites closer than ``radius`` (A), from both sides, sorted: two indices, and the shortest distance, A."""
    sites = Structure(Lattice(lattice), ['H'] * len(fractions), fractions)
    first, second, _, distances = sites.get_neighbor_list(radius)
    keys, where = np.unique(first * len(fractions) + second, return_inverse=True)
    shortest = np.full(len(keys), np.inf)
    np.minimum.at(shortest, where, distances)
    return keys // len(fractions), keys % len(fractions), np.round(shortest, DIGITS)
