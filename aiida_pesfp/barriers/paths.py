"""The easiest path of an ion through a frozen framework: where a barrier is looked for.

In the collective picture it is that of a scan, from the lowest place of the ion to an image of it. For a hop between
two places we search a tube around the straight line between them, for the path of least resistance among those with the
exact lowest barrier, as :func:`~aiida_pesfp.fingerprint.percolation.easiest_path_to_image` does in a cell. Only places
that may lie on it are evaluated: others count as low until they do, so the result is that of all places.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from ase import Atoms
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from skimage.graph import route_through_array

from aiida_pesfp import errors
from aiida_pesfp.crystals.periodic import distances_within, integer_points, minimum_image
from aiida_pesfp.fingerprint.levels import level_map
from aiida_pesfp.fingerprint.percolation import BARRIER_OVER_THERMAL_ENERGY, EnergyProfile
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface

#: Radius of the tube: half of the hop, which holds any arc around an atom in the way, but not more, A.
LARGEST_RADIUS = 2.0
#: Places that are closer, A, are the same.
SAME_PLACE = 0.5
_ALL_NEIGHBOURS = np.array([step for step in integer_points([-1] * 3, [1] * 3) if step.any()])
#: Energy of places that are not evaluated, eV.
_NEVER = 1e6


@dataclass(frozen=True)
class Path:
    """Places of one ion on its way, with all else frozen.

    :param atoms: the crystal with the ion at its first place, without a calculator; ``ion`` is its index there.
    :param places: (n, 3) Cartesian, not wrapped into the cell, A.
    :param energies: (n,) eV, relative to the first place.
    :param others: (n, atoms, 3) positions of all atoms with the ion at each place, if others move too, A.
    :param returns: whether the path leads to an image of its first place.
    """

    atoms: Atoms
    ion: int
    places: np.ndarray
    energies: np.ndarray
    others: np.ndarray | None = None
    returns: bool = False

    @property
    def saddle(self) -> int:
        """Index of the highest place."""
        return int(np.argmax(self.energies))

    @property
    def barrier(self) -> float:
        """With the frozen framework, eV."""
        return float(self.energies.max() - self.energies[0])

    @cached_property
    def lengths(self) -> np.ndarray:
        """(n,) length of the path up to each place, A."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.places, axis=0), axis=1))])

    @property
    def end(self) -> np.ndarray:
        """(atoms, 3) positions at the end of the path, A."""
        return self.positions_at(self.lengths[-1])

    def positions_at(self, length: float) -> np.ndarray:
        """(atoms, 3) positions after so much of the path, A."""
        positions = self.atoms.positions.copy()
        if self.others is not None:
            index = min(int(np.searchsorted(self.lengths, length, side='right')), len(self.places) - 1)
            begin, end = self.lengths[index - 1 : index + 1]
            part = (length - begin) / (end - begin) if end > begin else 0.0
            positions = self.others[index - 1] + part * (self.others[index] - self.others[index - 1])
        positions[self.ion] = self.place_at(length)
        return positions

    def part(self, first: int, last: int) -> Self:
        """The path from one of its places to another."""
        inside = slice(first, last + 1)
        others = None if self.others is None else self.others[inside]
        return replace(self, places=self.places[inside], energies=self.energies[inside], others=others)

    def place_at(self, length: float) -> np.ndarray:
        """(3,) place after so much of the path, A."""
        return np.array([np.interp(length, self.lengths, along) for along in self.places.T])

    def distance_of(self, place: np.ndarray) -> float:
        """From a place to the nearest one of the path, or an image of it, A."""
        return float(np.linalg.norm(minimum_image(self.places - place, self.atoms.cell.array), axis=1).min())


def atoms_of(structure: Structure) -> Atoms:
    """A structure as ASE's atoms."""
    return AseAtomsAdaptor.get_atoms(structure, msonable=False)


def path_of_scan(surface: PotentialEnergySurface, profile: EnergyProfile) -> Path:
    """The path of an ion through a scanned crystal to an image of its lowest place."""
    places = surface.fractional_coordinates.copy()
    places[profile.ion] = profile.fractional[0]
    atoms = Atoms(surface.atomic_numbers, scaled_positions=places, cell=surface.lattice, pbc=True)
    return Path(atoms, profile.ion, profile.cartesian, profile.energy - profile.energy[0], returns=True)


def path_of_hop(
    evaluator, structure: Structure, ion: int, end: np.ndarray, spacing: float, minimum_distance: float
) -> Path:
    """The easiest path of an ion from its place in a structure to another place.

    The grid of places is that of the crystal around the hop, not of the cell: hops that are images of each other by
    symmetry have the same barrier.

    :param evaluator: of ``structure``, which has a vacancy at ``end``, (3,) Cartesian, A.
    :param spacing: largest distance between neighbouring places, A.
    :param minimum_distance: places closer than this to another atom are not evaluated, A.
    :raises NoPath: if the hop has no length.
    :raises Blocked: if all ways lead through atoms.
    """
    start, others = structure.cart_coords[ion], np.delete(np.arange(len(structure)), ion)
    length = np.linalg.norm(end - start)
    if length < SAME_PLACE:
        place = ', '.join(f'{x:.3f}' for x in start)
        raise errors.NoPath(f'the path begins and ends at the same place ({place}) A: name two sites')
    along, radius = 2 * int(np.ceil(length / spacing / 2)), min(length / 2, LARGEST_RADIUS)  # even: with the middle
    across = int(np.ceil(radius / spacing))
    grid = integer_points([0, -across, -across], [along, across, across])
    axes = _axes(structure, ion, start, end)
    steps = axes * np.array([length / along, radius / across, radius / across])[:, None]
    places = start + grid @ steps
    allowed = np.linalg.norm(grid[:, 1:], axis=1) * radius / across < radius + 1e-9
    allowed[distances_within(structure, others, places, minimum_distance)[0]] = False
    shape = (along + 1, 2 * across + 1, 2 * across + 1)
    ends = [(0, across, across), (along, across, across)]
    allowed[[np.ravel_multi_index(one, shape) for one in ends]] = True
    field, known = np.where(allowed, 0.0, _NEVER), ~allowed
    reference = evaluator.energies(ion, start[None])[0]
    while True:
        field[allowed & ~known] = field[allowed].min()
        barrier, route = _easiest(field.reshape(shape), *ends)
        if barrier >= _NEVER:
            what = f'all ways of ion {ion} to a place {length:.2f} A away lead within {minimum_distance:g} A of an atom'
            raise errors.Blocked(f'{what}: name nearer sites')
        new = route[~known[route]]
        if not len(new):
            return Path(atoms_of(structure), ion, places[route], field[route])
        energies = evaluator.energies(ion, places[new])
        if not np.isfinite(energies).all():
            raise errors.NonFiniteEnergy(f'an energy of ion {ion} on its way is not finite: take another potential')
        known[new] = True
        field[new] = energies - reference


def path_of_images(images: list[Structure], energy: Callable[[Atoms], float], between: int) -> Path:
    """The path of the ion that moves most through given images of a crystal, in which other atoms may move too.

    :param energy: of a configuration, eV.
    :param between: so many images are put between two, on a straight line, if no more are given.
    :raises NoPath: if the images are not those of one crystal, or the path begins and ends at the same place.
    """
    if len(images) < 2:
        raise errors.NoPath('one structure is no path: name at least its first and its last image')
    first, positions = images[0], [images[0].cart_coords]
    for number, image in enumerate(images[1:], 1):
        if image.species != first.species:
            what = f'image {number} ({image.composition.formula}) has not the atoms of the first, in their order'
            raise errors.NoPath(f'{what} ({first.composition.formula}): give the same list of atoms')
        if not np.allclose(image.lattice.matrix, first.lattice.matrix, atol=1e-3):
            raise errors.NoPath(f'image {number} has another cell than the first: a barrier is one in a fixed cell')
        moved = minimum_image(image.cart_coords - positions[-1], first.lattice.matrix)
        positions.append(positions[-1] + moved)
    distances = np.linalg.norm(positions[-1] - positions[0], axis=1)
    ion = int(np.argmax(distances))
    if distances[ion] < SAME_PLACE:
        far = f'no atom moves farther than {distances[ion]:.2f} A'
        raise errors.NoPath(f'the path begins and ends at the same place ({far}): name two sites')
    if len(positions) == 2:
        positions = list(np.linspace(*positions, between + 2))
    atoms = atoms_of(first)
    energies = []
    for one in positions:
        image = atoms.copy()
        image.positions = one
        energies.append(energy(image))
    places = np.array([one[ion] for one in positions])
    return Path(atoms, ion, places, np.array(energies) - energies[0], others=np.array(positions))


def _easiest(field: np.ndarray, start: tuple, end: tuple) -> tuple[float, np.ndarray]:
    """The lowest barrier between two points of a grid of energies, eV, and flat indices of the path with it."""
    barrier = float(level_map(field, start, _ALL_NEIGHBOURS)[end])
    height = max(barrier - field.min(), 1e-6)
    cost = np.exp(BARRIER_OVER_THERMAL_ENERGY * np.minimum(field - barrier, 0) / height)
    route, _ = route_through_array(np.where(field <= barrier, cost, -1), start, end)
    return barrier, np.ravel_multi_index(np.transpose(route), field.shape)


def _axes(structure: Structure, ion: int, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(3, 3) orthonormal axes as rows: along a hop, and from the hop to the atom nearest to its middle."""
    along, middle = (end - start) / np.linalg.norm(end - start), (start + end) / 2
    near = structure.get_sites_in_sphere(middle, LARGEST_RADIUS + np.linalg.norm(end - start))
    near = [site.coords - middle for site in sorted(near, key=lambda one: one.nn_distance) if site.index != ion]
    across = [vector - vector @ along * along for vector in near]
    across = next(
        (one for one in across if np.linalg.norm(one) > SAME_PLACE),
        np.cross(along, np.eye(3)[np.argmin(np.abs(along))]),
    )
    across /= np.linalg.norm(across)
    return np.array([along, across, np.cross(along, across)])
