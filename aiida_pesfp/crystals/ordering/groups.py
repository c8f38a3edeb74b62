"""Groups of atoms that are given in several orientations, such as BH4 on eight half-full sites: each stays whole.

The ligands of a group are sites of one species that are partly full, next to a full site, its centre. If the
occupancies around each centre sum to a whole number, each centre has exactly so many ligands. Which of them is up to
the hard cores.
"""

from dataclasses import dataclass, replace

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from pymatgen.core import Element, Lattice

from aiida_pesfp.crystals.ordering.parent import Parent, Supercell

#: Elements that are centres of molecular ions and molecules.
CENTRES = frozenset(
    (*('B', 'C', 'N', 'O', 'Al', 'Si', 'P', 'S', 'Cl'), *('Ga', 'Ge', 'As', 'Se', 'Br', 'In', 'Sn', 'Sb', 'Te', 'I'))
)
#: A ligand is not farther from its centre than this times the sum of the covalent radii.
LONGEST_BOND = 1.3
#: The sum of occupancies around a centre is a whole number within this.
WHOLE = 0.05


@dataclass(frozen=True)
class Groups:
    """The groups with one species of ligand.

    :param species: index of the species; ``ligands`` and ``centres`` are their orbits.
    """

    species: int
    ligands: tuple[int, ...]
    centres: tuple[int, ...]

    def centre_of(self, supercell: Supercell) -> np.ndarray:
        """(sites,) the site that is the centre of each ligand; -1 for a site that is none."""
        orbits, parent = supercell.orbit_of, supercell.parent
        ligands = np.flatnonzero(np.isin(orbits, self.ligands))
        centres = np.flatnonzero(np.isin(orbits, self.centres))
        found = np.full(len(orbits), -1)
        if len(ligands) and len(centres):
            radii = np.array([_radius(parent, orbit) for orbit in orbits[centres]])
            bonds = radii + covalent_radii[atomic_numbers[parent.species[self.species]]]
            lattice, places = Lattice(supercell.lattice), supercell.fractions
            relative = lattice.get_all_distances(places[ligands], places[centres]) / bonds
            nearest = np.round(relative, 4).argmin(axis=1)
            near = relative[np.arange(len(ligands)), nearest] <= LONGEST_BOND
            found[ligands[near]] = centres[nearest[near]]
        return found


def find_groups(parent: Parent, mobile: str) -> tuple[Parent, list[Groups]]:
    """The groups of a crystal, and the crystal with whole numbers of ligands, whose occupancies may be rounded.

    :param mobile: symbol of the mobile ion, which is no ligand.
    """
    cell = Supercell.of(parent, np.eye(3, dtype=int))
    found, shares = [], parent.shares.copy()
    for species in range(1, len(parent.species)):
        symbol = parent.species[species]
        own = (shares[:, species] > 0) & (shares[:, 0] > 0)
        ligands = own & (np.count_nonzero(shares[:, 1:], axis=1) == 1) & (symbol != mobile)
        centres = [orbit for orbit in range(len(shares)) if _is_centre(parent, orbit, symbol, mobile)]
        groups = Groups(species, tuple(np.flatnonzero(ligands).tolist()), tuple(centres))
        centre_of = groups.centre_of(cell)
        bad = {int(orbit) for orbit in parent.orbit_of[(centre_of < 0) & ligands[parent.orbit_of]]}
        sums = {}
        for centre in np.unique(centre_of[centre_of >= 0]):
            around = parent.orbit_of[centre_of == centre]
            total = shares[around, species].sum()
            sums |= dict.fromkeys(around.tolist(), round(total) / total)
            if abs(total - round(total)) > WHOLE or round(total) < 1 or not bad.isdisjoint(around.tolist()):
                bad.update(around.tolist())
        kept = tuple(orbit for orbit in groups.ligands if orbit not in bad)
        for orbit in kept:
            shares[orbit, species] = min(1.0, shares[orbit, species] * sums[orbit])
            shares[orbit, 0] = 1 - shares[orbit, species]
        if kept:
            found.append(replace(groups, ligands=kept))
    return replace(parent, shares=shares), found


def classes(supercell: Supercell, numbers: np.ndarray, groups: list[Groups]) -> tuple[np.ndarray, np.ndarray]:
    """Sites within which species are swapped: orbits, and the ligands of each centre.

    :param numbers: (orbits, species) atoms of each species on each orbit.
    :returns: (sites,) class of each site, and (classes, species) atoms in each; those of groups are the last ones.
    """
    class_of, rows = supercell.orbit_of.copy(), [*numbers.copy()]
    for one in groups:
        centre_of = one.centre_of(supercell)
        for centre in np.unique(centre_of[centre_of >= 0]):
            sites = np.flatnonzero(centre_of == centre)
            row = np.zeros_like(numbers[0])
            row[one.species] = round(supercell.parent.shares[supercell.orbit_of[sites], one.species].sum())
            row[0] = len(sites) - row[one.species]
            class_of[sites] = len(rows)
            rows.append(row)
        for orbit in one.ligands:
            rows[orbit] = np.zeros_like(numbers[0])
    return class_of, np.array(rows)


def _radius(parent: Parent, orbit: int) -> float:
    symbols = [symbol for symbol, share in zip(parent.species, parent.shares[orbit]) if symbol and share > 0]
    return max(float(covalent_radii[atomic_numbers[symbol]]) for symbol in symbols)


def _is_centre(parent: Parent, orbit: int, ligand: str, mobile: str) -> bool:
    """Whether a full site may be the centre of such ligands: hydrogen, or an element more electronegative than it."""
    symbols = {symbol for symbol, share in zip(parent.species, parent.shares[orbit]) if share > 0}
    if not symbols <= CENTRES - {mobile, ligand}:
        return False
    return ligand == 'H' or max(Element(symbol).X for symbol in symbols) < Element(ligand).X
