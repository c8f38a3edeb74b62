"""What a view of a structure in space is made of: atoms, cell, level-map isosurface, and the easiest path.

The view is that of the paper's Fig. 2: a mobile ion stands in the middle of the doubled cell, and the surface encloses
all that it can reach below the threshold. Lengths are in A, relative to the ion's lowest point.
"""

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from pymatgen.core import Structure
from scipy.interpolate import CubicSpline
from scipy.ndimage import label, zoom
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import level_map, neighbour_steps, tile_around
from aiida_pesfp.fingerprint.percolation import EnergyProfile, energy_profile
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.report.colours import element_colours
from aiida_pesfp.report.content import Entry, load_surface

#: Most triangles of an isosurface, and the numbers of points along the longest lattice vector that are tried for it.
MOST_TRIANGLES = 10_000
_RESOLUTIONS = (81, 71, 61, 51, 41, 33, 27, 21, 17, 13)
#: Energies farther than this from the threshold, eV, hardly count between points of the grid: walls are steep.
_SOFT = 0.5
#: Vertices are rounded to this, A: far below what is seen, and the file becomes smaller.
_RESOLVED = 1 / 128


@dataclass(frozen=True)
class Isosurface:
    """A triangle mesh: (n, 3) ``vertices``, A, and (m, 3) ``faces``, indices of vertices."""

    vertices: np.ndarray
    faces: np.ndarray


class Atoms(NamedTuple):
    """Those of one element: (n, 3) positions and covalent radius, A, and a colour of its own."""

    symbol: str
    positions: np.ndarray
    radius: float
    colour: np.ndarray


@dataclass(frozen=True)
class StructureView:
    """All there is to draw of a structure.

    :param symbols: of the atoms in the view.
    :param positions: (n, 3) of the atoms, A.
    :param cell: (3, 3) lattice vectors as rows, A; the view reaches from minus to plus each of them.
    :param ion: index of the atom in the structure that stands in the middle, an ion of the ``species``.
    :param threshold: of the isosurface, eV.
    :param isosurface: None for a threshold at which not even the ion's site is accessible.
    :param profile: energy along the easiest path from the ion to its image.
    :param crystal: what was scanned, without an ion that was added.
    """

    symbols: list[str]
    positions: np.ndarray
    cell: np.ndarray
    ion: int
    species: str
    threshold: float
    isosurface: Isosurface | None
    profile: EnergyProfile
    crystal: Structure

    @property
    def space_group(self) -> str:
        """Symbol and number."""
        return '{} ({})'.format(*self.crystal.get_space_group_info())

    @property
    def path(self) -> np.ndarray:
        """(n, 3) of the easiest path, A."""
        return self.profile.cartesian - self.profile.cartesian[0]

    @property
    def atoms(self) -> list[Atoms]:
        """The atoms by element, those of the moving ion first."""
        symbols, found = np.array(self.symbols), []
        colours = element_colours(self.symbols, self.species)
        for symbol in sorted(colours, key=lambda symbol: (symbol != self.species, symbol)):
            radius = covalent_radii[atomic_numbers[symbol]]
            found.append(Atoms(symbol, self.positions[symbols == symbol], radius, colours[symbol]))
        return found

    @property
    def bonds(self) -> np.ndarray:
        """(m, 2, 3) ends of the bonds of the framework, A."""
        return self.positions[bonds(self.symbols, self.positions, self.species)]

    @property
    def box(self) -> np.ndarray:
        """(12, 2, 3) ends of the edges of the doubled cell, A."""
        return cell_edges(2 * self.cell, -self.cell.sum(axis=0))


def view_of(entry: Entry) -> StructureView | None:
    """The view of an entry around its ion with the easiest path; None if no surface is stored."""
    if entry.surface is None:
        return None
    surface = load_surface(entry.surface)
    ion = int(surface.mobile_ions[0]) if entry.ion is None else entry.ion
    return structure_view(surface, ion, entry.settings.xi.threshold, entry.settings.neighbours)


def structure_view(
    surface: PotentialEnergySurface, ion: int, threshold: float, neighbours: str = 'sqrt3'
) -> StructureView:
    """The view around one mobile ion.

    :param threshold: of the level map, eV.
    :param neighbours: rule of :func:`~aiida_pesfp.fingerprint.levels.neighbour_steps`.
    :raises ValueError: if the atom is no mobile ion.
    """
    position = surface.position_of(ion)
    energies = surface.of_ion(position)
    profile = energy_profile(surface, position, neighbours)
    centre = tuple(int(i) for i in np.rint(profile.fractional[0] * surface.shape))
    steps = neighbour_steps(grid_vectors(surface.lattice, surface.shape), neighbours)
    levels = level_map(tile_around(energies, centre), surface.shape, steps, stop_above=threshold)
    symbols, positions = _atoms_around(surface, ion, np.array(centre) / surface.shape)
    mesh = isosurface(accessible_field(energies, levels, centre, threshold), surface.lattice, 0.0)
    species = chemical_symbols[surface.atomic_numbers[ion]]
    return StructureView(symbols, positions, surface.lattice, ion, species, threshold, mesh, profile, surface.crystal)


def accessible_field(energies: np.ndarray, levels: np.ndarray, centre, threshold: float) -> np.ndarray:
    """A smooth field that is negative where an ion gets without exceeding the threshold. It is for pictures only.

    What is accessible is decided on the grid. A periodic cubic spline of the energies, which are flattened far from the
    threshold, draws the border between the points. The spline does not join what is separate on the grid.

    :param energies: (N1, N2, N3) periodic surface, eV.
    :param levels: (2N1+1, 2N2+1, 2N3+1) level map around the point ``centre``, eV; infinite above the threshold.
    :returns: (2fN1+1, 2fN2+1, 2fN3+1), between -1 and 1 but for overshoots, where f makes the grid fine enough to draw.
    """
    shape = np.array(energies.shape)
    factor = max(1, round(_RESOLUTIONS[0] / (2 * shape.max())))
    field = np.tanh((energies.astype(float) - threshold) / _SOFT)
    for axis, count in enumerate(shape if factor > 1 else ()):
        closed = np.concatenate([field, field.take([0], axis)], axis)
        spline = CubicSpline(np.arange(count + 1), closed, axis, 'periodic')
        field = spline(np.arange(count * factor) / factor)
    field = tile_around(field, tuple(factor * i for i in centre))
    inside = levels < threshold
    pocket = (tile_around(energies, centre) < threshold) & ~inside
    nearest = [np.rint(np.arange(n) / factor).astype(int) for n in field.shape]
    parts, count = label((field < 0) & ~pocket[np.ix_(*nearest)], np.ones((3, 3, 3)))
    reached = np.isin(np.arange(count + 1), parts[::factor, ::factor, ::factor][inside])
    reached[0] = False
    # Not zero, where a surface would touch what is separate.
    return np.where(reached[parts], field, np.maximum(np.abs(field), 1e-3))


def isosurface(levels: np.ndarray, cell: np.ndarray, threshold: float) -> Isosurface | None:
    """Isosurface of a map that reaches from minus to plus each lattice vector, closed at the outer faces.

    The map is coarsened until the surface has no more than :data:`MOST_TRIANGLES` triangles.

    :param levels: (2N1+1, 2N2+1, 2N3+1), eV, finite.
    :param cell: (3, 3) lattice vectors as rows, A.
    :returns: None if not even the middle of the map lies below the threshold.
    """
    lengths, found = np.linalg.norm(cell, axis=1), None
    for resolution in _RESOLUTIONS:
        # Odd numbers keep the middle of the map, where the ion is.
        wanted = 2 * np.round(resolution * lengths / lengths.max() / 2).clip(2) + 1
        coarse = zoom(levels.astype(np.float32), np.minimum(wanted / levels.shape, 1.0), order=1)
        if not coarse.min() < threshold:
            break
        closed = np.pad(coarse, 1, constant_values=max(float(coarse.max()), threshold + _SOFT))
        vertices, faces, *_ = marching_cubes(closed, level=threshold)
        fractional = np.clip((vertices - 1) / (np.array(coarse.shape) - 1), 0, 1) * 2 - 1
        vertices = np.round(fractional @ cell / _RESOLVED) * _RESOLVED
        found = Isosurface(vertices.astype(np.float32), faces)
        if len(faces) <= MOST_TRIANGLES:
            break
    return found


def cell_edges(cell: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """(12, 2, 3) ends of the edges of a parallelepiped, A."""
    corners = np.array(list(itertools.product((0, 1), repeat=3)))
    pairs = [(a, b) for a, b in itertools.combinations(corners, 2) if np.abs(a - b).sum() == 1]
    return np.array(pairs) @ cell + origin


def bonds(symbols: list[str], positions: np.ndarray, mobile: str) -> np.ndarray:
    """(m, 2) pairs of atoms, none of them mobile, that are closer than 1.15 times the sum of their covalent radii."""
    radii = np.array([covalent_radii[atomic_numbers[symbol]] for symbol in symbols])
    pairs = cKDTree(positions).query_pairs(2.3 * radii.max(initial=0.5), output_type='ndarray')
    lengths = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    fixed = np.array([symbol != mobile for symbol in symbols])
    close = lengths < 1.15 * radii[pairs].sum(axis=1)
    return pairs[close & fixed[pairs].all(axis=1)]


def _atoms_around(surface: PotentialEnergySurface, ion: int, centre: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Atoms from minus to plus each lattice vector around a fractional place, where the moving ion is put."""
    fractional = surface.fractional_coordinates - centre
    fractional[ion] = 0
    wrapped = fractional - np.floor(fractional + 1e-6)
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    places = (wrapped[:, None] + shifts).reshape(-1, 3)
    inside = (np.abs(places) <= 1 + 1e-4).all(axis=1)
    numbers = np.repeat(surface.atomic_numbers, len(shifts))[inside]
    return [chemical_symbols[number] for number in numbers], places[inside] @ surface.lattice
