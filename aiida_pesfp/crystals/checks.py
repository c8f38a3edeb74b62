"""What a structure must be before it is scanned or simulated. Each error names the value and what to do."""

import numpy as np
import spglib
from ase.data import covalent_radii
from pymatgen.core import DummySpecies, Structure
from scipy.spatial import cKDTree

from aiida_pesfp.crystals.cells import interplanar_distances, minkowski_reduce
from aiida_pesfp.crystals.periodic import images_around_cell, integer_points
from aiida_pesfp.errors import InvalidCell, NoMobileSpecies, OverlappingAtoms, PartialOccupancy, UnreadableStructure

#: No two atoms of a real crystal come closer, A (the shortest bond, H-H, has 0.74 A).
SHORTEST_DISTANCE = 0.5
#: Nor closer than this times the sum of their covalent radii (Cordero et al., Dalton Trans. 2832 (2008), from ASE):
#: 1.54 A for Li-Li. Over 360 ordered crystals the least is 0.66, a Ti-O bond of a measured structure.
LEAST_CONTACT = 0.6
#: Nor alkali ions of one element closer than this: 1.92 A for Li-Li. Li3N has 2.08 A, the least of 159 crystals; on
#: sites that are half full they are closer.
ALKALI, LEAST_ALKALI_CONTACT = [3, 11, 19, 37, 55], 0.75
#: Of 360 ordered crystals, ions of Li or Na are closer than this in those of Li3N alone; of 71 disordered ones whose
#: contacts are possible with all sites full, in 11.
USUAL_ALKALI_CONTACT = 0.82
#: The closest atoms of a crystal are not farther apart than this, as in a file whose lengths are in Bohr: of 560
#: crystals, those of LiI have the most, 1.12; metals have up to 1.2, and LiF in the cell of LiCl 1.39.
MOST_CONTACT = 1.45
#: Thickest layer without the centre of an atom, and radius of a hole that only some frameworks have, A. Of the same
#: crystals, these are at most 3.3 and 3.3.
THICKEST_GAP, LARGEST_HOLE = 5.0, 4.0
#: Atoms of noble gases touch nothing.
_NOBLE = {2, 10, 18, 36, 54, 86}
#: Distance between places at which holes are looked for, A, unless there are more than so many.
_HOLE_SPACING, _MOST_PLACES = 1.0, 100_000
#: Most atoms and elements of a formula for which oxidation states are tried: many take long.
MOST_BALANCED, MOST_BALANCED_ELEMENTS = 60, 5
#: Generous bounds of what a cell can be: its longest vector (A), the volume of an atom (A^3; that of hydrogen in dense
#: hydrides is about 2, of an atom in the most open frameworks about 60), and its atoms.
LONGEST_VECTOR, ATOMIC_VOLUMES, MOST_ATOMS = 1000.0, (1.0, 1000.0), 20_000
#: So many atoms of unwrapped paths may fit into a cell by chance when their fractions are taken for lengths.
FEW_ATOMS = 8
#: Farthest cell in which an atom may stand: paths of trajectories lead through some, damaged numbers far beyond.
FARTHEST_CELL = 1000.0


def sound(structure: Structure) -> Structure:
    """The structure, with its atoms near its cell, after the checks that must precede any search for neighbours.

    They cost next to nothing, whatever the numbers are. Those of :func:`check_crystal` can run for ever without.

    :raises InvalidCell: if the cell or the density are those of no crystal.
    :raises UnreadableStructure: if a coordinate is not a number or absurd, or a length where a fraction should be, or
        there are too many atoms or none.
    """
    check_cell(structure.lattice.matrix, structure.lattice.pbc)
    if not 0 < len(structure) <= MOST_ATOMS:
        raise UnreadableStructure(f'the cell has {len(structure)} atoms: not between 1 and {MOST_ATOMS}')
    reaches = np.nan_to_num(np.abs(structure.frac_coords).max(axis=1), nan=np.inf)
    worst = int(np.argmax(reaches))
    reach = reaches[worst]
    if reach > FARTHEST_CELL:
        where = f'site {worst} ({structure[worst].species_string}) is at {_place(structure[worst])}'
        raise UnreadableStructure(f'{where} in units of the cell: correct its coordinates')
    dummies = {str(kind) for kind in structure.composition if isinstance(kind, DummySpecies)}
    if dummies:
        raise UnreadableStructure(f'{", ".join(sorted(dummies)[:5])} is no element: name the elements of all sites')
    volume = structure.volume / structure.composition.num_atoms
    if not ATOMIC_VOLUMES[0] <= volume <= ATOMIC_VOLUMES[1]:
        bounds = f'{volume:.3g} A^3 an atom, not {ATOMIC_VOLUMES[0]:g} to {ATOMIC_VOLUMES[1]:g}'
        raise InvalidCell(f'{structure.composition.formula} have {bounds}: correct the cell or the list of atoms')
    _check_fractions(structure)
    if reach > 2:
        structure = structure.copy()
        structure.translate_sites(range(len(structure)), [0, 0, 0], to_unit_cell=True)
    return structure


def _check_fractions(structure: Structure) -> None:
    """Refuse lengths that a file calls fractions of the cell.

    As lengths, the numbers fit into this cell, no atoms are too close, and the crystal has more symmetries (or as many,
    if it has many atoms: those of a few may be so by chance). Unwrapped paths through other cells are none of this.
    """
    numbers = structure.frac_coords
    if np.ptp(numbers, axis=0).max() <= 1.05:
        return
    lengths = Structure(structure.lattice, structure.species_and_occu, numbers, coords_are_cartesian=True)
    if np.ptp(lengths.frac_coords, axis=0).max() > 1.05 or _too_close(lengths, LEAST_CONTACT):
        return
    if _symmetries(lengths) + (len(structure) > FEW_ATOMS) > _symmetries(structure):
        words = f'its fractional coordinates reach {np.abs(numbers).max():.4g}, and taken as Angstrom fit its cell'
        raise UnreadableStructure(f'{words}: say that they are Cartesian, or give fractions between 0 and 1')


def _symmetries(structure: Structure) -> int:
    cell = (structure.lattice.matrix, structure.frac_coords % 1.0, _largest_atoms(structure))
    found = spglib.get_symmetry(cell, symprec=0.05)
    return len(found['rotations']) if found else 0


def check_packing(structure: Structure) -> tuple[str, ...]:
    """What is doubtful about how the atoms of a :func:`sound` structure, ordered or not, fill space.

    :raises InvalidCell: if the lengths are in another unit, or a slab or cluster stands in vacuum.
    """
    if set(map(int, _largest_atoms(structure))) <= _NOBLE:
        return ()
    if _too_close(structure, MOST_CONTACT) is None:
        pair = _too_close(structure, 3 * MOST_CONTACT)
        closest = f': even {_pair(structure, pair)}' if pair else ''
        raise InvalidCell(f'no two atoms touch{closest}. If the lengths are in Bohr, give them in Angstrom')
    given = structure.lattice.matrix
    reduced = minkowski_reduce(given[None])[0] @ given
    for name, cell in (('lattice vector', given), ('vector of the reduced cell', reduced)):
        places = np.sort(structure.cart_coords @ np.linalg.inv(cell) % 1.0, axis=0)
        gaps = np.diff(places, axis=0, append=places[:1] + 1).max(axis=0) * interplanar_distances(cell)
        if gaps.max() > THICKEST_GAP:
            where = f'a layer of {gaps.max():.1f} A along {name} {np.argmax(gaps) + 1} has no atoms'
            raise InvalidCell(f'{where}, as in slabs and clusters in vacuum: give the crystal, its cell in Angstrom')
    spacing = max(_HOLE_SPACING, (structure.volume / _MOST_PLACES) ** (1 / 3))
    shape = np.ceil(np.linalg.norm(reduced, axis=1) / spacing).astype(int)
    atoms, _ = images_around_cell(reduced, structure.cart_coords @ np.linalg.inv(reduced), LARGEST_HOLE)
    places = integer_points([0] * 3, shape - 1) / shape @ reduced
    if cKDTree(atoms).query(places, distance_upper_bound=LARGEST_HOLE)[0].max() < np.inf:
        return ()
    return (f'it has a hole with a radius of more than {LARGEST_HOLE:g} A: is it whole, and a crystal?',)


def check_structure(structure: Structure, species: str | None) -> None:
    """Raise a :class:`~aiida_pesfp.errors.StructureError` if a structure cannot be scanned for a mobile species, which
    it must contain; or for an ion that is added to it, with None.

    Ions of lithium and its kin must not be as close as on sites that are half full; in a moment of dynamics they may.
    """
    check_crystal(structure)
    if close := _close_ions(structure, ALKALI, LEAST_ALKALI_CONTACT):
        way_out = 'give an ordered approximant, or relax the ions of an ordering (--relax-orderings mobile)'
        raise OverlappingAtoms(f'{close}, as on sites that are half full: {way_out}')
    if species not in (None, *structure.symbol_set):
        way_out = 'name the mobile species (--species), add one ion (--others interstitial) or leave the structure out'
        raise NoMobileSpecies(f'no {species} among its elements ({", ".join(sorted(structure.symbol_set))}): {way_out}')


def doubts_of_occupancies(structure: Structure) -> tuple[str, ...]:
    """What makes it doubtful that all sites of a crystal are full, though its file says nothing else.

    Of 71 disordered crystals whose contacts are possible with all sites full, these find 31; of 360 ordered ones they
    doubt five: those of Li3N, and LiIO4.
    """
    if not structure.is_ordered:
        return ()
    doubts = []
    if close := _close_ions(structure, ALKALI[:2], USUAL_ALKALI_CONTACT):
        doubts.append(f'{close}, closer than in most crystals: are all occupancies given?')
    reduced = structure.composition.element_composition.reduced_composition
    ionic = any(one.is_chalcogen or one.is_halogen or one.symbol in ('N', 'P') for one in reduced)
    small = reduced.num_atoms <= MOST_BALANCED and 1 < len(reduced) <= MOST_BALANCED_ELEMENTS
    if ionic and small:
        charges = next(iter(reduced.oxi_state_guesses()), None)
        formula = reduced.formula.replace(' ', '')
        if charges is None:
            doubts.append(f'no usual oxidation states balance {formula}: are all occupancies given?')
        elif _are_mixed_up(structure, charges):
            words = f'each cation of {formula} is nearer to a cation than to any anion'
            doubts.append(f'{words}: are its elements in the right order?')
    return tuple(doubts)


def _are_mixed_up(structure: Structure, charges: dict[str, float]) -> bool:
    """Whether the nearest ion of each cation is a cation, as where a file has its elements in a wrong order.

    Of 354 ordered crystals, none is like this; of 188 made of them by exchange of elements, without another doubt, 28.
    """
    longest = 2 * MOST_CONTACT * covalent_radii[_largest_atoms(structure)].max()
    first, second, _, distances = structure.get_neighbor_list(longest)
    positive = np.array([charges[site.specie.symbol] > 0 for site in structure])
    nearest = np.full((2, len(structure)), np.inf)
    np.minimum.at(nearest, ((positive[first] != positive[second]).astype(int), first), distances)
    same, other = nearest[:, positive]
    return len(same) > 0 and bool((same < other - 1e-3).all())


def check_crystal(structure: Structure) -> None:
    """Raise a :class:`~aiida_pesfp.errors.StructureError` if no potential can evaluate a structure."""
    structure = sound(structure)
    for index, site in enumerate(structure):
        if not site.is_ordered:
            occupied = f'site {index} at {_place(site)} is occupied by {site.species_string}'
            raise PartialOccupancy(f'{occupied}: scan orderings of it (--orderings), or give an ordered approximant')
    check_distances(structure)


def check_distances(structure: Structure) -> None:
    """Raise :class:`~aiida_pesfp.errors.OverlappingAtoms` if atoms of an ordered structure are too close."""
    if pair := _too_close(structure, LEAST_CONTACT):
        apart = f'atoms {_pair(structure, pair)}, below the {pair[3]:.2f} A of any crystal'
        raise OverlappingAtoms(f'{apart}: remove one of them, or give both their occupancies if these were lost')


def _close_ions(structure: Structure, kinds: list[int], contact: float) -> str | None:
    pair = _too_close(structure, contact, kinds)
    return pair and f'two {structure[pair[0]].specie.symbol} are {pair[2]:.2f} A apart'


def _too_close(structure: Structure, contact: float, kinds: list[int] | None = None) -> tuple | None:
    """Of atoms that are closer than ``contact`` times the sum of their covalent radii, the worst pair: two sites, their
    distance and the limit, A.

    :param kinds: only pairs of one element, with one of these atomic numbers.
    """
    numbers = _largest_atoms(structure)
    radii = covalent_radii[numbers]
    longest = max(SHORTEST_DISTANCE, 2 * contact * radii.max())
    first, second, _, distances = structure.get_neighbor_list(longest)
    limits = np.maximum(SHORTEST_DISTANCE, contact * (radii[first] + radii[second]))
    if kinds is not None:
        limits[~np.isin(numbers[first], kinds) | (numbers[first] != numbers[second])] = 1e-9
    if not len(distances) or (distances >= limits).all():
        return None
    worst = int(np.argmin(distances / limits))
    return *sorted((int(first[worst]), int(second[worst]))), float(distances[worst]), float(limits[worst])


def check_cell(lattice: np.ndarray, pbc) -> None:
    """Raise :class:`~aiida_pesfp.errors.InvalidCell` unless the cell is periodic in 3D and has a volume and a size."""
    if not all(pbc):
        periods = f'periodic along {sum(map(bool, pbc))} of 3 lattice vectors'
        raise InvalidCell(f'{periods}: the crystal must be three-dimensional. If it is, set pbc to true for all')
    lattice = np.asarray(lattice, dtype=float)
    longest = np.linalg.norm(lattice, axis=1).max()
    if not longest <= LONGEST_VECTOR:  # NaN neither
        raise InvalidCell(f'a lattice vector is {longest:.4g} A long, not up to {LONGEST_VECTOR:g} A: correct it')
    volume, box = abs(np.linalg.det(lattice)), np.prod(np.linalg.norm(lattice, axis=1))
    # The ratio excludes flat cells of any size: 1e-3 is far below that of any reduced cell of a crystal.
    if not (volume > SHORTEST_DISTANCE**3 and volume > 1e-3 * box):
        raise InvalidCell(f'the cell has a volume of {volume:.3g} A^3: correct its lattice vectors')


def _largest_atoms(structure: Structure) -> np.ndarray:
    """(n,) atomic number of what is largest on each site."""
    sites = ([element.Z for element in site.species.element_composition] for site in structure)
    return np.array([max(numbers, key=lambda number: covalent_radii[number]) for numbers in sites])


def _pair(structure: Structure, pair: tuple) -> str:
    atoms = (f'{i} ({structure[i].species_string}) at {_place(structure[i])}' for i in pair[:2])
    return f'{" and ".join(atoms)} are {pair[2]:.3f} A apart'


def _place(site) -> str:
    return f'({", ".join(f"{x:.3f}" for x in site.frac_coords)})'
