"""What a scan evaluates: the inequivalent ions, and the grid points that are not related by symmetry."""

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from aiida_pesfp import errors
from aiida_pesfp.crystals.checks import check_structure
from aiida_pesfp.fingerprint import symmetry
from aiida_pesfp.fingerprint.grid import check_size, excluded_points, fractional_points, grid_shape
from aiida_pesfp.fingerprint.symmetry import Operations, ion_images, irreducible_points, on_grid
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.settings.scan import ScanSettings


@dataclass(frozen=True)
class IonPlan:
    """Flat (C order) indices of the grid ``points`` at which atom ``ion`` is evaluated.

    :param representatives: (N1 N2 N3,) index of the equivalent point that represents each grid point.
    """

    ion: int
    points: np.ndarray
    representatives: np.ndarray


@dataclass(frozen=True)
class ScanPlan:
    """Ions and grid points of a scan, and how the surfaces of equivalent ions follow from each other.

    :param species: chemical symbol of the mobile ions.
    :param shape: number of grid points along each lattice vector.
    :param structure: with the ion at some place, if it is added.
    :param ions: plans of the inequivalent mobile ions.
    :param mobile_ions: (m,) indices of all mobile ions; ``owners`` (m,) has the index in ``ions`` of the representative
        of each, and ``operations`` that which maps the representative's surface onto its own.
    :param descriptors: an adaptive scan, and one that stops early, ask for points on which these depend.
    """

    structure: Structure
    species: str
    settings: ScanSettings
    shape: tuple[int, int, int]
    ions: tuple[IonPlan, ...]
    mobile_ions: np.ndarray
    owners: np.ndarray
    operations: Operations
    descriptors: DescriptorSettings

    @property
    def evaluations(self) -> int:
        """Number of energies to evaluate; for an adaptive scan, or one that may stop early, an upper limit."""
        return sum(len(plan.points) for plan in self.ions)

    @property
    def is_full(self) -> bool:
        """Whether every energy is evaluated, in the order of the points."""
        return not self.settings.adaptive and self.settings.stop_below is None


def plan_scan(
    structure: Structure,
    species: str = 'Li',
    settings: ScanSettings = ScanSettings(),
    descriptors: DescriptorSettings = DescriptorSettings(),
) -> ScanPlan:
    """Choose ions and grid points; :class:`~aiida_pesfp.errors.StructureError` if the structure cannot be scanned."""
    structure = host_of(structure, species, settings.others)
    is_added = settings.others != 'fixed'
    mobile = np.array([len(structure)] if is_added else _sites_of(species, structure))
    lattice, spacing = structure.lattice.matrix, settings.spacing
    check_size(lattice, settings, len(mobile))
    known = symmetry.crystal_operations(structure)
    shape = symmetry.with_translations(known, grid_shape(lattice, spacing))
    if settings.grid == 'symmetric':
        shape = symmetry.symmetric_shape(structure, spacing)
    known = known if settings.symmetry else Operations.identity()
    operations = on_grid(known, lattice, shape)
    if is_added:
        plan = _plan_ion(_with_ion(structure, species, np.zeros(3)), len(structure), operations, shape, settings)
        crystal = _with_ion(structure, species, fractional_points(plan.points[:1], shape)[0])
        owners, operations = np.array([0]), Operations.identity()
        return ScanPlan(crystal, species, settings, shape, (plan,), mobile, owners, operations, descriptors)
    plans, owners, chosen = [], np.full(len(mobile), -1), np.zeros(len(mobile), dtype=int)
    for position, ion in enumerate(mobile):
        if owners[position] >= 0:
            continue  # equivalent to an earlier one
        images = ion_images(structure, ion, operations)
        for other in np.flatnonzero(np.isin(mobile, images)):
            owners[other] = len(plans)
            chosen[other] = np.flatnonzero(images == mobile[other])[0]
        plans.append(_plan_ion(structure, int(ion), operations[images == ion], shape, settings))
    return ScanPlan(structure, species, settings, shape, tuple(plans), mobile, owners, operations[chosen], descriptors)


def host_of(structure: Structure, species: str, others: str) -> Structure:
    """What an ion moves in: the crystal without any ion of its species if ``others`` are removed, else the crystal.

    :raises StructureError: if there is no such ion, unless one is added, nothing else, or the crystal is none.
    """
    check_structure(structure, None if others == 'interstitial' else species)
    if others != 'removed':
        return structure
    host = structure.copy()
    host.remove_sites(_sites_of(species, structure))
    if not len(host):
        way_out = 'scan it with the other ions in place (--others fixed)'
        raise errors.NoFramework(f'without {species} nothing is left of {structure.composition.formula}: {way_out}')
    return host


def _sites_of(species: str, structure: Structure) -> list[int]:
    return [index for index, site in enumerate(structure) if site.specie.symbol == species]


def _with_ion(host: Structure, species: str, place: np.ndarray) -> Structure:
    return Structure(host.lattice, [*host.species, species], [*host.frac_coords, place])


def _plan_ion(structure: Structure, ion: int, stabiliser: Operations, shape, settings: ScanSettings) -> IonPlan:
    framework = np.delete(structure.frac_coords, ion, axis=0)
    excluded = excluded_points(structure.lattice.matrix, framework, shape, settings.minimum_distance).ravel()
    representatives = irreducible_points(stabiliser, shape)
    points = np.unique(representatives)
    points = points[~excluded[points]]
    if not len(points):
        kind = structure[ion].specie
        around = f'the atoms around ion {ion} ({kind})' if settings.others == 'fixed' else f'all atoms, for one {kind}'
        way_out = 'check the cell, or choose a smaller minimum distance'
        raise errors.NoAllowedPoint(
            f'no grid point is {settings.minimum_distance} A or more away from {around}: {way_out}'
        )
    return IonPlan(ion, points, representatives)
