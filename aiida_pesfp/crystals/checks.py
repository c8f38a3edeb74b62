"""What a structure must be before it is scanned or simulated. Each error names the value and what to do."""

import numpy as np
from ase.data import covalent_radii
from pymatgen.core import Structure

from aiida_pesfp.errors import InvalidCell, NoMobileSpecies, OverlappingAtoms, PartialOccupancy

#: No two atoms of a real crystal come closer, A (the shortest bond, H-H, has 0.74 A).
SHORTEST_DISTANCE = 0.5
#: Nor closer than this times the sum of their covalent radii (Cordero et al., Dalton Trans. 2832 (2008), from ASE):
#: 1.54 A for Li-Li. Over 360 ordered crystals the least is 0.66, a Ti-O bond of a measured structure.
LEAST_CONTACT = 0.6


def check_structure(structure: Structure, species: str) -> None:
    """Raise a :class:`~aiida_pesfp.errors.StructureError` if a structure cannot be scanned for a mobile species."""
    check_crystal(structure)
    if species not in structure.symbol_set:
        way_out = 'name the mobile species (--species) or leave the structure out'
        raise NoMobileSpecies(f'no {species} among its elements ({", ".join(sorted(structure.symbol_set))}): {way_out}')


def check_crystal(structure: Structure) -> None:
    """Raise a :class:`~aiida_pesfp.errors.StructureError` if no potential can evaluate a structure."""
    check_cell(structure.lattice.matrix, structure.lattice.pbc)
    for index, site in enumerate(structure):
        if not site.is_ordered:
            occupied = f'site {index} at {_place(site)} is occupied by {site.species_string}'
            raise PartialOccupancy(f'{occupied}: give an ordered approximant of the structure')
    check_distances(structure)


def check_distances(structure: Structure) -> None:
    """Raise :class:`~aiida_pesfp.errors.OverlappingAtoms` if atoms of an ordered structure are too close."""
    radii = np.array([covalent_radii[site.specie.Z] for site in structure])
    longest = max(SHORTEST_DISTANCE, 2 * LEAST_CONTACT * radii.max())
    first, second, _, distances = structure.get_neighbor_list(longest)
    limits = np.maximum(SHORTEST_DISTANCE, LEAST_CONTACT * (radii[first] + radii[second]))
    if not len(distances) or (distances >= limits).all():
        return
    worst = int(np.argmin(distances / limits))
    pair = sorted((int(first[worst]), int(second[worst])))
    atoms = ' and '.join(f'{i} ({structure[i].specie}) at {_place(structure[i])}' for i in pair)
    apart = f'atoms {atoms} are {distances[worst]:.3f} A apart, below the {limits[worst]:.2f} A of any crystal'
    raise OverlappingAtoms(f'{apart}: remove one of them, or give both their occupancies if these were lost')


def check_cell(lattice: np.ndarray, pbc) -> None:
    """Raise :class:`~aiida_pesfp.errors.InvalidCell` unless the cell is periodic in 3D and has a volume."""
    if not all(pbc):
        periods = f'periodic along {sum(map(bool, pbc))} of 3 lattice vectors'
        raise InvalidCell(f'{periods}: the crystal must be three-dimensional')
    volume, box = abs(np.linalg.det(lattice)), np.prod(np.linalg.norm(lattice, axis=1))
    # The ratio excludes flat cells of any size: 1e-3 is far below that of any reduced cell of a crystal.
    if not (volume > SHORTEST_DISTANCE**3 and volume > 1e-3 * box):
        raise InvalidCell(f'the cell has a volume of {volume:.3g} A^3: correct its lattice vectors')


def _place(site) -> str:
    return f'({", ".join(f"{x:.3f}" for x in site.frac_coords)})'
