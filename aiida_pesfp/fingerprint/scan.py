"""The scan: the energy of a crystal with one ion on every allowed grid point (arXiv:2411.06804, Sec. II A).

One ion moves with its periodic images, all other atoms stay in place. Equivalent ions and points are evaluated once.
Around it may also be the crystal without any ion of its species, or the whole crystal: then it has no site of its own.

:mod:`~aiida_pesfp.fingerprint.plan` chooses the points, :func:`evaluate` yields energies piece by piece, and
:func:`assemble` makes the surface; :func:`scan` does all three. The order of the energies depends only on the plan and
on earlier energies, so an interrupted scan resumes from the list of its energies.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
from pymatgen.core import Structure

from aiida_pesfp import errors
from aiida_pesfp.fingerprint import early, symmetry
from aiida_pesfp.fingerprint.adaptive import AdaptiveIon, Energies, scan_ion
from aiida_pesfp.fingerprint.grid import fractional_points
from aiida_pesfp.fingerprint.interpolation import PairModel
from aiida_pesfp.fingerprint.levels import lowest_point
from aiida_pesfp.fingerprint.plan import IonPlan, ScanPlan, plan_scan
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.fingerprint.symmetry import images_of_point
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.scan import ScanSettings

#: No energy of a cell has this size, eV; surfaces are kept in single precision, which ends at 3e38.
LARGEST_ENERGY = 1e30
#: Energies that differ by less than this, eV, are those of a potential that does not act on the ion.
SMALLEST_RANGE = 1e-6


class Evaluator(Protocol):
    """The part of a potential that the scan needs (see ``aiida_pesfp.potentials``)."""

    points_per_call: int

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """(M,) energies of the cell, eV, with atom ``ion`` at each of the (M, 3) Cartesian ``positions``, A."""


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
    """Xi is not above this, from what has been evaluated, with a probability, by default that of the settings.

    Nor is Xi with the cuts ``stop_xi``, if they are given.
    """
    lowest = early.lowest_plausible(states, probability or plan.settings.stop_probability)
    try:
        surface = assemble(plan, lowest, 0)
    except errors.FlatSurface:  # nothing is known yet
        return 1.0
    cuts = {plan.descriptors.xi} | ({plan.settings.stop_xi} - {XiParameters()})
    bounds = (early.upper_bound(surface, replace(plan.descriptors, xi=xi), plan.settings.stop_below) for xi in cuts)
    return max(bounds)


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
