"""Minimal percolation energy, free volumes and Xi from a potential energy surface (arXiv:2411.06804, Eq. 2 to 4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import neighbour_steps
from aiida_pesfp.fingerprint.maps import IonMaps, ion_maps, to_cell_frame
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters


@dataclass(frozen=True)
class IonDescriptors:
    """What one mobile ion contributes, on its own.

    :param index: of the atom in the structure.
    :param equivalent_to: index of the atom that was scanned in its stead; its own if it was scanned itself.
    :param fractional_coordinates: of its site.
    :param mpe: its percolation energy, eV.
    :param barrier_1d: for percolation in one dimension, eV,
    :param barrier_2d: in two,
    :param barrier_3d: and in three (see :mod:`aiida_pesfp.fingerprint.percolation`).
    :param fv_connected: its connected free volume at the threshold of Xi, a fraction of the cell.
    :param fv_disconnected: its disconnected free volume at the same threshold.
    """

    index: int
    equivalent_to: int
    fractional_coordinates: list[float]
    mpe: float
    barrier_1d: float
    barrier_2d: float
    barrier_3d: float
    fv_connected: float
    fv_disconnected: float


@dataclass(frozen=True)
class Descriptors:
    """The fingerprint of one structure.

    :param xi: Eq. 4.
    :param mpe: minimal percolation energy, eV: the lowest of all mobile ions.
    :param fv_connected: connected free volume at the threshold of Xi (0.5 eV), a fraction of the cell.
    :param fv_disconnected: disconnected free volume at the same threshold.
    :param spectrum: ``thresholds`` (eV) and the ``connected`` and ``disconnected`` free volumes at each.
    :param barrier_1d: barrier for percolation in one dimension, eV: the lowest of all mobile ions, as for the MPE;
    :param barrier_2d: in two dimensions,
    :param barrier_3d: and in three. Each may be another ion's.
    :param ions: every mobile ion on its own.
    """

    xi: float
    mpe: float
    fv_connected: float
    fv_disconnected: float
    spectrum: dict[str, list[float]]
    barrier_1d: float
    barrier_2d: float
    barrier_3d: float
    ions: list[IonDescriptors]

    @property
    def mpe_per_ion(self) -> dict[str, float]:
        """Percolation energy (eV) of every mobile ion, by its index in the structure."""
        return {str(ion.index): ion.mpe for ion in self.ions}

    def as_dict(self) -> dict:
        """As a dictionary of plain JSON types."""
        return asdict(self)


def xi(fv_connected: float, fv_disconnected: float, parameters: XiParameters = XiParameters()) -> float:
    """The ranking descriptor Xi of Eq. 4, between 0 and 1. A vanishing free volume gives 0."""

    def sigmoid(free_volume: float, cut: float) -> float:
        if free_volume <= 0:
            return 0.0
        # expit by hand would overflow far below the cut; tanh does not.
        return float(0.5 * (1 + np.tanh(0.5 * parameters.slope * (np.log10(free_volume) - cut))))

    return sigmoid(fv_connected, parameters.connected_cut) * sigmoid(fv_disconnected, parameters.disconnected_cut)


def free_volumes(values: np.ndarray, thresholds, smearing) -> list[float]:
    """Fraction of ``values`` (eV, any shape) below each threshold t (eV), the mean over t + smearing (Eq. 3)."""
    levels = np.add.outer(np.asarray(thresholds, dtype=float), np.asarray(smearing, dtype=float))
    # Above the highest level there is no need to sort.
    ordered = np.sort(values[values < np.float64(levels.max())]).astype(np.float64)
    counts = np.searchsorted(ordered, levels, side='left')
    return [float(value) for value in counts.mean(axis=1) / values.size]


def describe(surface: PotentialEnergySurface, settings: DescriptorSettings = DescriptorSettings()) -> Descriptors:
    """Descriptors of a surface, aggregated over its mobile ions (Sec. II A).

    Percolation energy and barriers of the structure are the minimum over ions, as one ion moves at a time. Free volumes
    are those of the union over ions: a place lies below t for any of them if the minimum over them does.
    """
    steps = neighbour_steps(grid_vectors(surface.lattice, surface.shape), settings.neighbours)
    thresholds = sorted({*settings.thresholds, settings.xi.threshold})
    highest = max(thresholds) + max(settings.smearing)
    lowest_energy = np.full(surface.shape, np.inf, dtype=np.float32)
    lowest_level = np.full([2 * n for n in surface.shape], np.inf, dtype=np.float32)
    ions = []
    for maps in ion_maps(surface, steps, stop_above=highest):
        levels = to_cell_frame(maps.levels, maps.centre)
        ions.append(_describe_ion(surface, maps, levels, settings))
        np.minimum(lowest_energy, maps.energies, out=lowest_energy)
        np.minimum(lowest_level, levels, out=lowest_level)
    connected = free_volumes(lowest_level, thresholds, settings.smearing)
    disconnected = free_volumes(lowest_energy, thresholds, settings.smearing)
    at = thresholds.index(settings.xi.threshold)
    return Descriptors(
        xi=xi(connected[at], disconnected[at], settings.xi),
        mpe=min(ion.mpe for ion in ions),
        fv_connected=connected[at],
        fv_disconnected=disconnected[at],
        spectrum={'thresholds': thresholds, 'connected': connected, 'disconnected': disconnected},
        barrier_1d=min(ion.barrier_1d for ion in ions),
        barrier_2d=min(ion.barrier_2d for ion in ions),
        barrier_3d=min(ion.barrier_3d for ion in ions),
        ions=ions,
    )


def _describe_ion(
    surface: PotentialEnergySurface, maps: IonMaps, levels: np.ndarray, settings: DescriptorSettings
) -> IonDescriptors:
    index = int(surface.mobile_ions[maps.position])
    threshold = [settings.xi.threshold]
    return IonDescriptors(
        index,
        int(surface.scanned_ions[surface.representatives[maps.position]]),
        [float(x) for x in surface.fractional_coordinates[index]],
        maps.mpe,
        *maps.barriers,
        *free_volumes(levels, threshold, settings.smearing),
        *free_volumes(maps.energies, threshold, settings.smearing),
    )
