"""The level maps of all mobile ions of a surface, and the frame in which they are combined."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import (
    level_map,
    lowest_point,
    neighbour_steps,
    percolation_energy,
    tile_around,
)
from aiida_pesfp.fingerprint.percolation import lowest_loop, periodic_levels
from aiida_pesfp.fingerprint.quantities import Landscape
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface


@dataclass(frozen=True)
class IonMaps:
    """Energies and levels of one mobile ion, that at ``position`` in ``surface.mobile_ions``, eV.

    :param energies: (N1, N2, N3) in the frame of the cell.
    :param levels: (2N1+1, 2N2+1, 2N3+1) around the point where it starts, ``centre``, in grid indices.
    :param periodic: (N1, N2, N3) levels on the periodic grid, in the frame of the cell.
    :param mpe: percolation energy (Eq. 2); ``barriers`` are those in one, two and three dimensions.
    """

    position: int
    energies: np.ndarray
    centre: tuple[int, int, int]
    levels: np.ndarray
    periodic: np.ndarray
    mpe: float
    barriers: tuple[float, float, float]


def to_cell_frame(levels: np.ndarray, centre: tuple[int, int, int]) -> np.ndarray:
    """Shift a (2N1+1, 2N2+1, 2N3+1) level map around ``centre`` to the frame of the doubled cell, to combine ions.

    :returns: (2N1, 2N2, 2N3). Opposite outer faces coincide in the doubled cell and get the lower level.
    """
    for axis in range(3):
        first, last = levels.take(0, axis), levels.take(-1, axis)
        inside = levels.take(range(1, levels.shape[axis] - 1), axis)
        levels = np.concatenate([np.expand_dims(np.minimum(first, last), axis), inside], axis)
    return np.roll(levels, [c - n // 2 for c, n in zip(centre, levels.shape)], axis=(0, 1, 2))


def ion_maps(
    surface: PotentialEnergySurface, steps: np.ndarray, positions=None, stop_above: float = np.inf
) -> Iterator[IonMaps]:
    """Maps of the mobile ions, one after the other, and from each of the places where an ion starts.

    If the operation between an ion and its representative only exchanges and reverses lattice vectors, the ion's maps
    are exactly those of the representative with other axes, and are not computed again. (Other operations do not map
    the neighbour steps and the outer faces onto themselves.)

    :param positions: of the ions in ``surface.mobile_ions``; all of them by default.
    :param steps: as ``stop_above``, those of :func:`~aiida_pesfp.fingerprint.levels.level_map`.
    """
    computed, shape = {}, np.array(surface.shape)
    for position in range(len(surface.mobile_ions)) if positions is None else positions:
        energies = surface.of_ion(position)
        if len(surface.starts):
            yield from _from_each_start(position, energies, surface.starts_of(position), steps, stop_above)
            continue
        centre = lowest_point(energies)
        owner = int(surface.representatives[position])
        rotation, translation = surface.rotations[position], surface.translations[position]
        if owner in computed and _exchanges_axes(rotation, steps):
            first, levels, periodic, mpe, barriers = computed[owner]
            image = np.rint((rotation @ (first / shape) + translation) * shape).astype(int) % shape
            if centre == tuple(image):
                axes, reversed_axes = np.argmax(np.abs(rotation), axis=1), np.flatnonzero(rotation.sum(axis=1) < 0)
                levels = np.flip(levels.transpose(axes), reversed_axes)
                periodic = surface.moved(periodic, position)
                yield IonMaps(position, energies, centre, levels, periodic, mpe, barriers)
                continue
        found = _maps_from(position, energies, centre, steps, stop_above)
        is_needed = owner in surface.representatives[position + 1 :]
        if is_needed and np.array_equal(rotation, np.eye(3)) and not translation.any():
            computed[owner] = centre, found.levels, found.periodic, found.mpe, found.barriers
        yield found


def landscapes(surface: PotentialEnergySurface, neighbours: str, stop_above: float) -> Iterator[Landscape]:
    """The landscape of each ion in ``surface.mobile_ions``, one after the other, and at last that of all together.

    That of all together has the lowest value of any ion at each place: a place lies below an energy for any of them if
    it does. So has that of a single ion that may start from several equivalent places.

    :param neighbours: rule of :func:`~aiida_pesfp.fingerprint.levels.neighbour_steps`.
    :param stop_above: levels above this energy (eV) can be infinite.
    """
    steps = neighbour_steps(grid_vectors(surface.lattice, surface.shape), neighbours)
    union = None
    for _, starts in groupby(ion_maps(surface, steps, stop_above=stop_above), key=lambda maps: maps.position):
        own = None
        for maps in starts:
            levels = to_cell_frame(maps.levels, maps.centre)
            one = Landscape(maps.energies, levels, maps.periodic, maps.mpe, barriers=maps.barriers)
            own = one if own is None else own.lowest(one)
        union = own if union is None else union.lowest(own)
        yield own
    # Each region of points that some ion reaches holds the site of one, so the lowest loop of all leads through one.
    joint = lowest_loop(union.periodic, steps)
    yield Landscape(union.energies, union.levels, union.periodic, joint=joint, xi_upper=surface.xi_upper)


def _maps_from(position: int, energies: np.ndarray, centre, steps: np.ndarray, stop_above: float) -> IonMaps:
    levels = level_map(tile_around(energies, centre), energies.shape, steps, stop_above)
    periodic, barriers = periodic_levels(energies, steps, centre, stop_above)
    return IonMaps(position, energies, centre, levels, periodic, percolation_energy(levels), barriers)


def _from_each_start(position: int, energies: np.ndarray, starts, steps: np.ndarray, stop_above) -> Iterator[IonMaps]:
    """Maps from several points; those from a point that is the one before but for a translation are moved."""
    last = None
    for start in starts:
        shift = np.subtract(start, last.centre) if last else None
        if last and np.array_equal(np.roll(energies, shift, (0, 1, 2)), energies):
            last = replace(last, centre=start, periodic=np.roll(last.periodic, shift, (0, 1, 2)))
        else:
            last = _maps_from(position, energies, start, steps, stop_above)
        yield last


def _exchanges_axes(rotation: np.ndarray, steps: np.ndarray) -> bool:
    """Whether a rotation only exchanges and reverses lattice vectors, and maps the steps of a path onto themselves."""
    one_each = all((np.abs(rotation).sum(axis=axis) == 1).all() for axis in (0, 1))
    return one_each and {tuple(step) for step in steps @ rotation.T} == {tuple(step) for step in steps}
