"""One crystal, one cell: the primitive cell that follows from a crystal alone, however a file describes it.

Descriptors depend on the cell, since an ion moves with its images, and slightly on its origin, which places the grid.
The cell is that of Niggli (I. Krivy and B. Gruber, Acta Cryst. A 32, 297 (1976), DOI 10.1107/S0567739476000636). A
symmetric lattice has several such bases, and a space group several origins that are equally good. Among these the
choice falls on the one in which a fixed function of the places of the atoms is largest.
"""

import numpy as np
import spglib
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.cells import fill_supercell, supercell_matrix
from aiida_pesfp.crystals.periodic import integer_points
from aiida_pesfp.errors import StructureError

#: Atoms this close to the place that symmetry demands are moved there, A: files round to three or four digits.
TOLERANCE = 1e-2
#: Atoms of a supercell that dynamics or relaxation has moved are within this of the places of a smaller cell, A. Of 354
#: ordered crystals none has a smaller cell for it.
NOISE = 0.1
#: Most atoms of a supercell that is scanned; its symmetry takes minutes, one evaluation seconds.
MOST_ATOMS = 5000
#: Equally good origins of a space group are multiples of 1/24 of a primitive cell away from each other.
_SHIFTS = integer_points([0] * 3, [23] * 3) / 24
#: Waves whose sum tells descriptions of a crystal apart: arbitrary, so that they have no symmetry of their own.
_WAVES = integer_points([-2] * 3, [2] * 3)
_AMPLITUDES = np.random.default_rng(0).normal(size=(len(_WAVES), 2)) @ [1, 1j]


def canonical_cell(structure: Structure, tolerance: float = TOLERANCE) -> Structure:
    """The primitive cell of a crystal, the same for every basis, origin, orientation and supercell that describes it.

    :param structure: ordered or not. Oxidation states and properties of its sites are left out.
    :param tolerance: largest displacement of an atom from the place that symmetry demands, A.
    """
    species, kinds = kinds_of_sites(structure)
    lattice, places, numbers = _primitive(structure, kinds, tolerance)
    origins = _origins(*_operations(lattice, places, numbers, tolerance), places, numbers)
    bases = _operations(lattice, np.zeros((1, 3)), [1], tolerance)[0]
    bases = bases[np.linalg.det(bases) > 0]  # a mirror image is another crystal
    sums = _sums_of_waves(bases, origins, places, numbers)
    basis, origin = np.unravel_index(np.argmax(sums), sums.shape)
    places = np.round((places - origins[origin]) @ np.linalg.inv(bases[basis]).T, 10) % 1.0
    order = np.lexsort((*np.round(places.T[::-1], 6), numbers))
    lattice = Lattice.from_parameters(*Lattice(bases[basis].T @ lattice).parameters)
    return Structure(lattice, [species[number] for number in numbers[order]], places[order]).get_sorted_structure()


def kinds_of_sites(structure: Structure) -> tuple[dict[int, object], np.ndarray]:
    """What each kind of site holds, and (n,) the kind of each site: the atomic numbers of an ordered structure.

    In a disordered one, sites are of one kind if their occupancies are the same to four digits.
    """
    if structure.is_ordered:
        kinds = np.array(structure.atomic_numbers)
        return {number: number for number in kinds.tolist()}, kinds
    fillings = [
        tuple(sorted((one.symbol, round(float(part), 4)) for one, part in site.species.element_composition.items()))
        for site in structure
    ]
    numbers = {filling: number for number, filling in enumerate(sorted(set(fillings)), start=1)}
    totals = {filling: max(1.0, sum(part for _, part in filling)) for filling in numbers}  # rounded up, maybe
    species = {numbers[filling]: {one: part / total for one, part in filling} for filling, total in totals.items()}
    return species, np.array([numbers[filling] for filling in fillings])


def cell_to_scan(structure: Structure, cell: str, size: float) -> tuple[Structure, tuple[str, ...]]:
    """The cell in which a crystal is scanned, and what makes it doubtful that its descriptors belong to the crystal.

    :param cell: ``primitive``, the :func:`canonical_cell`; ``size_consistent``, its smallest supercell whose
        inter-planar distances are at least ``size`` (A); or ``as_given``.
    :raises StructureError: if the supercell has too many cells or atoms.
    """
    canonical = canonical_cell(structure)
    if cell == 'as_given':
        if _is_same(structure, canonical):
            return structure, ()
        cells = f'{len(structure)} atoms; the reduced primitive cell has {len(canonical)}'
        return structure, (f'scanned as given, in a cell of {cells}, or has another origin: descriptors depend on it',)
    doubts = doubts_of_cell(canonical)
    if cell == 'primitive':
        return canonical, doubts
    try:
        matrix = supercell_matrix(canonical.lattice.matrix, size)
        if (atoms := len(canonical) * round(np.linalg.det(matrix))) > MOST_ATOMS:
            limit = f'{MOST_ATOMS} are the limit: take a smaller distance'
            raise ValueError(f'a supercell with {size:g} A between its faces has {atoms} atoms, {limit}')
    except ValueError as error:
        raise StructureError(f'{structure.composition.reduced_formula}: {error} (cell_size)') from error
    places, sites = fill_supercell(canonical.lattice.matrix, canonical.cart_coords, matrix)
    lattice = Lattice.from_parameters(*Lattice(matrix @ canonical.lattice.matrix).parameters)
    fractions = places @ np.linalg.inv(matrix @ canonical.lattice.matrix)
    return Structure(lattice, [canonical[site].specie for site in sites], fractions), doubts


def _is_same(structure: Structure, canonical: Structure) -> bool:
    """Whether two cells are the same but for the direction, order and choice of equally good vectors."""
    mapping = structure.lattice.find_mapping(canonical.lattice, ltol=1e-2, atol=0.1)
    if mapping is None or len(structure) != len(canonical):
        return False
    given = structure.frac_coords @ np.linalg.inv(mapping[2])
    alike = np.equal.outer(canonical.atomic_numbers, structure.atomic_numbers)
    bases = _operations(canonical.lattice.matrix, np.zeros((1, 3)), [1], TOLERANCE)[0]
    distances = (canonical.lattice.get_all_distances(canonical.frac_coords, given @ basis.T) for basis in bases)
    return any(np.where(alike, one, np.inf).min(axis=1).max() < 5 * TOLERANCE for one in distances)


def doubts_of_cell(canonical: Structure) -> tuple[str, ...]:
    """What makes it doubtful that a :func:`canonical_cell` is primitive, and so that its descriptors are right."""
    found = spglib.find_primitive((canonical.lattice.matrix, canonical.frac_coords, canonical.atomic_numbers), NOISE)
    if found is None or len(found[2]) >= len(canonical):
        return ()
    counts = f'it has {len(canonical)} atoms, and {len(found[2])} if atoms may be off their places by {NOISE:g} A'
    return (f'{counts}: if it is a supercell with noise, give the smaller cell, as descriptors depend on it',)


def _primitive(structure: Structure, kinds: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Niggli cell (A, as rows), places and kinds of sites, exactly symmetric, with a standard origin.

    spglib could idealise the cell too, but not to better than the tolerance.
    """
    given = (structure.lattice.matrix, structure.frac_coords, kinds)
    found = spglib.standardize_cell(given, to_primitive=True, no_idealize=True, symprec=tolerance)
    lattice, places, numbers = map(np.asarray, found or given)
    if known := spglib.get_symmetry_dataset((lattice, places, numbers), symprec=tolerance):
        rotations = known.rotations
        origin = -np.linalg.solve(known.transformation_matrix, known.origin_shift)
        translations = known.translations + (rotations - np.eye(3)) @ origin
        places = _symmetrised(rotations, np.rint(24 * translations) / 24, places - origin, numbers)
        metric = np.mean(np.swapaxes(rotations, 1, 2) @ (lattice @ lattice.T) @ rotations, axis=0)
        lattice = np.linalg.cholesky(metric)
    reduced = spglib.niggli_reduce(lattice)
    change = np.eye(3) if reduced is None else np.rint(reduced @ np.linalg.inv(lattice))
    change *= np.sign(np.linalg.det(change))
    return change @ lattice, places @ np.linalg.inv(change), numbers


def _operations(lattice, places, numbers, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3, 3) rotations W and (n, 3) translations w of a crystal, x' = W x + w."""
    found = spglib.get_symmetry((lattice, places, numbers), symprec=tolerance)
    return (found['rotations'], found['translations']) if found else (np.eye(3, dtype=int)[None], np.zeros((1, 3)))


def _symmetrised(rotations, translations, places, numbers) -> np.ndarray:
    """The mean of what the operations make of each place."""
    moves = np.zeros_like(places)
    for rotation, translation in zip(rotations, translations):
        apart = (places @ rotation.T + translation)[:, None] - places
        apart -= np.rint(apart)
        distances = np.where(numbers[:, None] == numbers, np.linalg.norm(apart, axis=-1), np.inf)
        nearest = distances.argmin(axis=1)
        moves[nearest] += apart[np.arange(len(places)), nearest]
    return places + moves / len(rotations)


def _origins(rotations, translations, places, numbers) -> np.ndarray:
    """(n, 3) places that are equally good as the origin: as many operations as possible have no translation there, then
    as many as possible half a lattice vector, and so on.

    Where a polar group leaves the origin free along some direction, atoms of the rarest element fix it. Places on such
    atoms are preferred, as in most databases.
    """
    free = rotations.mean(axis=0)  # projects on the directions that no operation changes
    shifts = _distinct(_SHIFTS @ (np.eye(3) - free).T)
    for denominator in (1, 2, 3, 4, 6):
        steps = denominator * (translations + np.einsum('nij,oj->oni', rotations - np.eye(3), shifts))
        whole = (abs(steps - np.rint(steps)) < 1e-3).all(axis=-1).sum(axis=1)
        shifts = shifts[whole == whole.max()]
    rarest = min(set(numbers.tolist()), key=lambda number: ((numbers == number).sum(), number))
    images = places[numbers == rarest][:, None] + integer_points([-1] * 3, [1] * 3)
    anchors = _distinct(images.reshape(-1, 3) @ free.T)
    origins = _distinct((shifts[:, None] + anchors).reshape(-1, 3))
    apart = images[:, 13] - origins[:, None]
    occupied = (abs(apart - np.rint(apart)) < 1e-3).all(axis=-1).any(axis=1)
    return origins[occupied] if occupied.any() else origins


def _distinct(places: np.ndarray) -> np.ndarray:
    """Of (n, 3) places those that are not images of each other."""
    return places[np.unique(np.round(places, 6) % 1.0, axis=0, return_index=True)[1]]


def _sums_of_waves(bases, origins, places, numbers) -> np.ndarray:
    """(bases, origins) the value that each description of the crystal has; equal ones have the same value."""
    waves = np.einsum('ki,bij->bkj', _WAVES, np.linalg.inv(bases))  # k . x' = k . W^-1 (x - origin)
    factors = np.exp(2j * np.pi * waves @ places.T) @ numbers
    return np.einsum('k,bk,bko->bo', _AMPLITUDES, factors, np.exp(-2j * np.pi * waves @ origins.T)).real
