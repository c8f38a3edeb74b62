"""Hops of an ion into a vacancy: which are inequivalent, in which supercell, and what their network conducts.

Hops that a symmetry operation of the crystal maps onto each other, or onto the reverse, have the same saddle. The
vacancy percolates in as many dimensions as the region of sites that it reaches has independent lattice translations.
"""

from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Lattice, Structure

from aiida_pesfp import errors
from aiida_pesfp.barriers.methods import DIFFERENCE, Barrier, in_order
from aiida_pesfp.crystals.cells import fill_supercell, interplanar_distances, supercell_matrix
from aiida_pesfp.fingerprint.symmetry import Operations, crystal_operations

#: A hop is two hops if another site of the species makes its way no longer than by this factor.
DETOUR = 1.2
#: Symmetry of crystals from files: sites are the same within this distance, A.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Hop:
    """From site ``start`` to site ``end`` of a crystal in the cell ``cell``, in units of lattice vectors.

    :param images: all onto which symmetry maps it, as start, end and cell, itself included.
    """

    start: int
    end: int
    cell: tuple[int, int, int]
    images: frozenset['tuple[int, int, tuple[int, int, int]]'] = frozenset()

    def vector(self, crystal: Structure) -> np.ndarray:
        """(3,) Cartesian, A."""
        places = crystal.frac_coords
        return crystal.lattice.get_cartesian_coords(places[self.end] + self.cell - places[self.start])


def find_hops(crystal: Structure, species: str, longest: float) -> list[Hop]:
    """One hop of each set of equivalent ones between sites of a species, the shortest first.

    :param longest: largest distance of the sites, A.
    :raises NoPath: if the hops lead nowhere.
    """
    sites = [index for index, site in enumerate(crystal) if site.specie.symbol == species]
    first, second, cells, lengths = crystal.get_neighbor_list(longest, [crystal[site] for site in sites])
    hops, seen, operations = [], set(), crystal_operations(crystal, TOLERANCE)
    is_mobile = np.isin(second, sites)
    found = zip(np.array(sites)[first[is_mobile]], second[is_mobile], cells[is_mobile], lengths[is_mobile])
    for start, end, cell, length in sorted(found, key=lambda one: (round(one[3], 3), one[0], one[1], *one[2])):
        hop = int(start), int(end), tuple(map(int, cell))
        if hop in seen:
            continue
        images = _images(crystal, hop, operations)
        seen |= images | {(b, a, tuple(-n for n in shift)) for a, b, shift in images}
        if not _is_composed(crystal, sites, Hop(*hop), length):
            hops.append(Hop(*hop, frozenset(images)))
    if not percolation(hops, [0.0] * len(hops)):
        what = f'hops of {species} up to {longest:g} A lead nowhere'
        raise errors.NoPath(f'{what}: allow longer ones (--longest-hop), or take the collective picture')
    return hops


def _images(crystal: Structure, hop: tuple, operations: Operations) -> set[tuple]:
    """All hops onto which symmetry maps one."""
    start, end, cell = hop
    found = {hop}
    for rotation, translation in zip(operations.rotations, operations.translations):
        (a, n), (b, m) = (_image_of_site(crystal, site, rotation, translation) for site in (start, end))
        found.add((a, b, tuple(map(int, rotation @ cell + m - n))))
    return found


def _image_of_site(crystal: Structure, site: int, rotation, translation) -> tuple[int, np.ndarray]:
    """The site onto which an operation maps one, and in which cell it is then."""
    place = rotation @ crystal.frac_coords[site] + translation
    shifts = place - crystal.frac_coords
    distances = np.linalg.norm((shifts - np.rint(shifts)) @ crystal.lattice.matrix, axis=1)
    distances[np.array(crystal.atomic_numbers) != crystal.atomic_numbers[site]] = np.inf
    image = int(np.argmin(distances))
    return image, np.rint(shifts[image]).astype(int)


def _is_composed(crystal: Structure, sites: list[int], hop: Hop, length: float) -> bool:
    """Whether another site of the species is on the way."""
    vector, start = hop.vector(crystal), crystal[hop.start].coords
    for site in crystal.get_sites_in_sphere(start + vector / 2, length / 2):
        there, onward = np.linalg.norm(site.coords - start), np.linalg.norm(start + vector - site.coords)
        if site.index in sites and min(there, onward) > TOLERANCE and there + onward < DETOUR * length:
            return True
    return False


def hop_between(crystal: Structure, start: int, end: int) -> Hop:
    """The shortest hop from one atom to the site of another, or of an image of it.

    :raises NoPath: if the atoms are not two of one species.
    """
    for site in (start, end):
        if site >= len(crystal):
            raise errors.NoPath(f'there is no atom {site}: the last is {len(crystal) - 1}, the first is 0')
    kinds = [crystal[site].specie.symbol for site in (start, end)]
    if kinds[0] != kinds[1]:
        raise errors.NoPath(f'atoms {start} and {end} are {kinds[0]} and {kinds[1]}: name two sites of one species')
    if start == end:
        raise errors.NoPath(f'the path begins and ends at the same place, atom {start}: name two sites')
    _, cell = crystal[start].distance_and_image(crystal[end])
    return Hop(start, end, tuple(map(int, cell)))


def check_distance(crystal: Structure, least: float) -> None:
    """Raise :class:`~aiida_pesfp.errors.CellTooSmall` if an ion is nearer to its images than ``least``, A."""
    distance = interplanar_distances(crystal.lattice.matrix).min()
    if distance < least * (1 - 1e-6):
        what = f'the cell has {distance:.2f} A between its faces, so an ion moves with images that are near'
        raise errors.CellTooSmall(f'{what}: give a supercell, or a smaller --supercell-distance than {least:g} A')


def with_vacancy(crystal: Structure, hop: Hop, distance: float) -> tuple[Structure, int, np.ndarray]:
    """The supercell without the ion at the end of a hop, the index of the ion that hops, and (3,) the vacancy, A.

    :param distance: smallest inter-planar distance of the supercell, A.
    :raises CellTooSmall: if the hop leads to an image of the ion itself.
    """
    lattice = crystal.lattice.matrix
    try:
        matrix = supercell_matrix(lattice, distance)
    except ValueError as error:
        raise errors.CellTooSmall(f'{error} (--supercell-distance)') from error
    places, sites = fill_supercell(lattice, crystal.cart_coords, matrix)
    supercell = Structure(
        Lattice(matrix @ lattice), [crystal[site].specie for site in sites], places, coords_are_cartesian=True
    )
    ion = int(np.flatnonzero(sites == hop.start)[0])
    end = places[ion] + hop.vector(crystal)
    same = np.flatnonzero(sites == hop.end)
    fractions = supercell.lattice.get_fractional_coords(end)
    vacancy = int(same[np.argmin(supercell.lattice.get_all_distances(fractions, supercell.frac_coords[same])[0])])
    if vacancy == ion:
        what = f'in a supercell with {distance:g} A between its faces the hop leads to an image of the ion itself'
        raise errors.CellTooSmall(f'{what}: take a larger --supercell-distance')
    supercell.remove_sites([vacancy])
    return supercell, ion - (vacancy < ion), end


def from_lowest_ends(found: list[tuple[Hop, Barrier]]) -> list[tuple[Hop, Barrier]]:
    """The same, each counting from the lowest energy that any hop has with the vacancy at the same site.

    The framework around a vacancy may relax into another basin on the way of another hop.
    """
    sites, common = _lowest(found), []
    for hop, barrier in found:
        first, last = sites[hop.end], sites[hop.start]
        lower = barrier.energy - first, barrier.energy + barrier.forward - barrier.reverse - last
        values = {'forward': barrier.forward + lower[0], 'reverse': barrier.reverse + lower[1], 'energy': first}
        flags = {*barrier.flags} | ({'lower_end'} if max(lower) > DIFFERENCE else set())
        energies = barrier.energies + lower[0]
        common.append((hop, replace(barrier, **values, energies=energies, flags=in_order(flags))))
    return common


def _lowest(found: list[tuple[Hop, Barrier]]) -> dict[int, float]:
    """Site -> the lowest energy with the vacancy there, eV."""
    sites: dict[int, float] = {}
    for hop, barrier in found:
        ends = barrier.energy, barrier.energy + barrier.forward - barrier.reverse
        for start, end, _ in hop.images:
            for site, energy in zip((end, start), ends):
                sites[site] = min(sites.get(site, np.inf), energy)
    return sites


def of_network(found: list[tuple[Hop, Barrier]]) -> list[tuple[float, Barrier]]:
    """The barriers for percolation of a vacancy in one, two and three dimensions, eV, as far as it percolates, and that
    of the highest hop on the way.

    A barrier counts from the lowest energy with the vacancy at a site that it reaches.

    :raises NoPath: if the hops lead nowhere.
    """
    sites = _lowest(found)
    levels = [barrier.energy + barrier.forward for _, barrier in found]
    reached = percolation([hop for hop, _ in found], levels)
    if not reached:
        raise errors.NoPath('the hops that have a barrier lead nowhere: take the collective picture')
    return [(level - min(sites[site] for site in region), found[levels.index(level)][1]) for level, region in reached]


def percolation(hops: list[Hop], levels: list[float]) -> list[tuple[float, list[int]]]:
    """The level at which a vacancy percolates in one, two and three dimensions, and the sites that it then reaches.

    :param levels: of each hop and its images. The list is shorter if all of them do not percolate in as many.
    """
    found: list[tuple[float, list[int]]] = []
    for level in sorted(set(levels)):
        near: dict[int, list] = {}
        for hop, own in zip(hops, levels):
            for start, end, cell in hop.images if own <= level else ():
                near.setdefault(start, []).append((end, np.array(cell)))
                near.setdefault(end, []).append((start, -np.array(cell)))
        cells: dict[int, np.ndarray] = {}
        for first in near:
            if first in cells:
                continue
            cells[first], region, loops = np.zeros(3, dtype=int), [first], []
            for site in region:  # grows meanwhile
                for other, cell in near[site]:
                    if other not in cells:
                        cells[other] = cells[site] + cell
                        region.append(other)
                    loops.append(cells[site] + cell - cells[other])
            found += [(level, region)] * (int(np.linalg.matrix_rank(loops)) - len(found))
    return found
