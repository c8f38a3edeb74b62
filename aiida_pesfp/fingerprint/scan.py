"""The scan: the energy of a crystal with one ion on every allowed grid point (arXiv:2411.06804, Sec. II A).

One ion moves with its periodic images, all other atoms stay in place. Equivalent ions and points are evaluated once.
Around it may also be the crystal without any ion of its species, or the whole crystal: then it has no site of its own.

:func:`plan_scan` chooses the points, :func:`evaluate` yields energies piece by piece, and :func:`assemble` makes the
surface; :func:`scan` does all three. The order of the energies depends only on the plan and on earlier energies, so an
interrupted scan resumes from the list of its energies.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from pymatgen.core import Lattice, Structure

from aiida_pesfp import errors
from aiida_pesfp.crystals.checks import check_structure
from aiida_pesfp.fingerprint import early, symmetry
from aiida_pesfp.fingerprint.adaptive import AdaptiveIon, Energies, scan_ion
from aiida_pesfp.fingerprint.grid import check_size, excluded_points, fractional_points, grid_shape
from aiida_pesfp.fingerprint.interpolation import PairModel
from aiida_pesfp.fingerprint.levels import lowest_point
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.fingerprint.symmetry import Operations, images_of_point, ion_images, irreducible_points, on_grid
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.settings.scan import ScanSettings

#: No energy of a cell has this size, eV; surfaces are kept in single precision, which ends at 3e38.
LARGEST_ENERGY = 1e30
#: Energies that differ by less than this, eV, are those of a potential that does not act on the ion.
SMALLEST_RANGE = 1e-6
#: No ion rests nearer to an atom, by the sum of their covalent radii: 0.9 or more in oxides, halides and sulfides.
_NEAREST = 0.7
#: The median energy over all places where the ion may be is 1.3 to 10 eV above the lowest by M3GNet, and in no crystal
#: outside these limits, eV.
_USUAL_MEDIAN = 0.01, 1000.0
#: No bond is as strong, eV; by M3GNet the lowest barriers are 0.2 to 1.5 eV, also on grids of 1 A.
_HIGHEST_BARRIER = 20.0


class Evaluator(Protocol):
    """The part of a potential that the scan needs (see ``aiida_pesfp.potentials``)."""

    points_per_call: int

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """(M,) energies of the cell, eV, with atom ``ion`` at each of the (M, 3) Cartesian ``positions``, A."""


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


def evaluate(
    plan: ScanPlan, evaluator: Evaluator | None, known: Iterable[float] = ()
) -> Generator[np.ndarray, None, tuple[list[np.ndarray], float]]:
    """Yield energies (eV, float64) piece by piece, after the ``known`` ones.

    At the end, return those of all points of each ion, and the upper bound of Xi if the scan stopped early, else NaN.

    Pieces begin at multiples of ``evaluator.points_per_call``. So a resumed scan passes the same batches to the
    potential as an uninterrupted one, and gets the same numbers.

    :param evaluator: None if all energies are known.
    :raises NonFiniteEnergy: with the place of the first energy that is NaN, infinite or absurd.
    """
    known = deque(known)
    asks = [partial(_ask, plan, of_ion, evaluator, known) for of_ion in plan.ions]
    if plan.is_full:
        surfaces = []
        for of_ion, ask in zip(plan.ions, asks):
            surfaces.append((yield from ask(np.arange(len(of_ion.points)))))
        return surfaces, np.nan
    model = PairModel(plan.structure, [of_ion.ion for of_ion in plan.ions])
    states = [AdaptiveIon(plan, number, model) for number in range(len(plan.ions))]
    limit = plan.settings.stop_below
    is_promising = limit is None
    for modulus in early.lattices(states) if limit is not None else ():
        yield from early.scan_lattice(states, asks, modulus)
        if not early.are_tested(states):
            continue
        if (xi_upper := _bound(plan, states)) < limit:
            return early.estimates(states), xi_upper
        if is_promising := _bound(plan, states, probability=0.5) >= limit:  # what is expected
            break
    surfaces = []
    for state, ask in zip(states, asks):
        surfaces.append((yield from scan_ion(state, ask, plan.settings.adaptive)))
        is_last = len(surfaces) == len(states)
        if is_promising or is_last or not early.are_tested(states):
            continue
        if (xi_upper := _bound(plan, states)) < limit:
            return early.estimates(states), xi_upper
    return surfaces, np.nan


def _bound(plan: ScanPlan, states: list[AdaptiveIon], probability: float | None = None) -> float:
    """Xi is not above this, from what has been evaluated, with a probability, by default that of the settings."""
    lowest = early.lowest_plausible(states, probability or plan.settings.stop_probability)
    try:
        surface = assemble(plan, lowest, 0)
    except errors.FlatSurface:  # nothing is known yet
        return 1.0
    return early.upper_bound(surface, plan.descriptors, plan.settings.stop_below)


def _ask(plan: ScanPlan, of_ion: IonPlan, evaluator, known: deque, positions: np.ndarray) -> Energies:
    """Energies of some of an ion's points: first the known ones, then evaluated and yielded ones."""
    points = of_ion.points[positions]
    energies = [known.popleft() for _ in range(min(len(known), len(points)))]
    if len(energies) == len(points):
        return np.array(energies)
    step = evaluator.points_per_call
    for begin in range(len(energies) // step * step, len(points), step):
        fractional = fractional_points(points[begin : begin + step], plan.shape)
        piece = evaluator.energies(of_ion.ion, fractional @ plan.structure.lattice.matrix)
        bad = np.flatnonzero(~(np.abs(piece) < LARGEST_ENERGY))
        if len(bad):
            place = ', '.join(f'{x:.4f}' for x in fractional[bad[0]])
            ion = f'with ion {of_ion.ion} ({plan.species}) at the fractional coordinates ({place})'
            way_out = 'it fails for this structure; a larger minimum distance may help'
            raise errors.NonFiniteEnergy(f'the potential gives {piece[bad[0]]} eV {ion}: {way_out}')
        new = piece[len(energies) - begin :]
        energies.extend(new)
        yield new
    return np.array(energies)


def assemble(
    plan: ScanPlan, surfaces: list[np.ndarray], evaluations: int, xi_upper: float = np.nan
) -> PotentialEnergySurface:
    """The surface from the results of :func:`evaluate` and the number of evaluated energies.

    :raises FlatSurface: if an ion has the same energy everywhere.
    """
    grids, references = [], []
    for of_ion, values in zip(plan.ions, surfaces):
        if len(values) > 1 and np.ptp(values) < SMALLEST_RANGE:
            ion = f'ion {of_ion.ion} ({plan.species})'
            way_out = 'check the units of its parameters and its cutoff'
            raise errors.FlatSurface(f'the potential gives the same energy wherever {ion} is: {way_out}')
        references.append(values.min())
        grid = np.full(len(of_ion.representatives), np.nan)
        grid[of_ion.points] = values - references[-1]
        grids.append(grid[of_ion.representatives].reshape(plan.shape))
    surface = PotentialEnergySurface(
        energies=np.array(grids),
        reference_energies=np.array(references),
        scanned_ions=np.array([of_ion.ion for of_ion in plan.ions]),
        mobile_ions=plan.mobile_ions,
        representatives=plan.owners,
        **vars(plan.operations),
        lattice=np.array(plan.structure.lattice.matrix),
        fractional_coordinates=np.array(plan.structure.frac_coords),
        atomic_numbers=np.array(plan.structure.atomic_numbers),
        evaluations=evaluations,
        xi_upper=xi_upper,
    )
    return surface if plan.settings.others == 'fixed' else _at_lowest_point(surface)


def _at_lowest_point(surface: PotentialEnergySurface) -> PotentialEnergySurface:
    """The surface of an ion without a site, with the ion at its lowest point and all images of it."""
    energies, [ion] = surface.of_ion(0), surface.mobile_ions
    lowest, places = np.array(lowest_point(energies)), surface.fractional_coordinates.copy()
    places[ion] = lowest / surface.shape
    host = Structure(surface.lattice, np.delete(surface.atomic_numbers, ion), np.delete(places, ion, axis=0))
    starts = images_of_point(symmetry.crystal_operations(host), lowest, energies)
    return replace(surface, fractional_coordinates=places, starts=starts)


def doubts_of_surface(surface: PotentialEnergySurface, mpe: float) -> list[str]:
    """Why a potential is hardly one for the crystal: an ion is drawn into another atom, or energies are absurd.

    :param mpe: minimum percolation energy of the surface, eV.
    """
    way_out = 'is the potential right, with its parameters, for this crystal?'
    if mpe < SMALLEST_RANGE:
        return [f'no energy at all holds an ion back: {way_out}']
    for ion, energies in zip(surface.scanned_ions, surface.energies):
        others = np.delete(np.arange(len(surface.atomic_numbers)), ion)
        lowest = np.array(np.unravel_index(np.nanargmin(energies), surface.shape)) / surface.shape
        distances = Lattice(surface.lattice).get_all_distances(lowest, surface.fractional_coordinates[others])[0]
        radii = covalent_radii[surface.atomic_numbers]
        ratios = distances / (radii[others] + radii[ion])
        if len(others) and ratios.min() < _NEAREST:
            other = chemical_symbols[surface.atomic_numbers[others[ratios.argmin()]]]
            where = f'{distances[ratios.argmin()]:.2f} A from {other}, nearer than in any solid'
            return [f'the energy of ion {ion} is lowest {where}: {way_out}']
        least, most = _USUAL_MEDIAN
        if not least <= (median := np.nanmedian(energies)) <= most:
            return [
                f'half of all places have {median:.3g} eV or more for ion {ion}, not {least:g} to {most:g}: {way_out}'
            ]
    return [f'the MPE of {mpe:.3g} eV is above any bond: {way_out}'] if mpe > _HIGHEST_BARRIER else []


def scan(
    structure: Structure, evaluator: Evaluator, species: str = 'Li', settings: ScanSettings = ScanSettings()
) -> PotentialEnergySurface:
    """Surface of every ion of ``species``; errors are those of :func:`plan_scan`.

    :param evaluator: of the structure of the plan.
    """
    plan, pieces = plan_scan(structure, species, settings), []
    surfaces, xi_upper = drain(evaluate(plan, evaluator), pieces.append)
    return assemble(plan, surfaces, sum(map(len, pieces)), xi_upper)


def drain(generator: Generator, take: Callable):
    """Pass everything that a generator yields to ``take``, and give its return value."""
    while True:
        try:
            take(next(generator))
        except StopIteration as end:
            return end.value
