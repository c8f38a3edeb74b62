"""The scan: the energy of a crystal with one ion put on every allowed grid point (arXiv:2411.06804, Sec. II A).

The cell is taken as given: one ion moves, and with it its periodic images; all other atoms stay where they are. Ions
and grid points that symmetry makes equivalent are evaluated once.

A scan is a plan and a list of energies. :func:`plan_scan` fixes which places are evaluated in which order,
:func:`evaluate` yields their energies piece by piece and can start anywhere in the list, so that a scan that was killed
goes on where it was, and :func:`assemble` makes the surface. :func:`scan` does the three in a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from pymatgen.core import Structure

from aiida_pesfp import errors
from aiida_pesfp.fingerprint.checks import check_memory, check_structure
from aiida_pesfp.fingerprint.grid import ScanSettings, excluded_points, fractional_points, grid_shape
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.fingerprint.symmetry import (
    Operations,
    crystal_operations,
    ion_images,
    irreducible_points,
    on_grid,
    symmetric_shape,
)


class Evaluator(Protocol):
    """What the scan needs of a potential (see ``aiida_pesfp.potentials``)."""

    points_per_call: int

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """(M,) energies of the cell, eV, with atom ``ion`` at each of the (M, 3) Cartesian ``positions``, A."""


@dataclass(frozen=True)
class IonPlan:
    """Where one ion is put.

    :param ion: index of the atom.
    :param points: flat (C order) indices of the grid points to evaluate.
    :param representatives: (N1 N2 N3,) index of the point that each grid point is equivalent to.
    """

    ion: int
    points: np.ndarray
    representatives: np.ndarray


@dataclass(frozen=True)
class ScanPlan:
    """Which ions are put where, and what their surfaces say about equivalent ions.

    :param structure: the crystal.
    :param species: chemical symbol of the mobile ions.
    :param shape: number of grid points along each lattice vector.
    :param ions: plans of the inequivalent mobile ions.
    :param mobile_ions: (m,) indices of all mobile ions.
    :param owners: (m,) for each of them the index in ``ions`` of the one it is equivalent to.
    :param operations: for each of them the operation that takes the surface of its owner to its own.
    """

    structure: Structure
    species: str
    shape: tuple[int, int, int]
    ions: tuple[IonPlan, ...]
    mobile_ions: np.ndarray
    owners: np.ndarray
    operations: Operations

    @property
    def evaluations(self) -> int:
        """Number of energies to evaluate."""
        return sum(len(plan.points) for plan in self.ions)


def plan_scan(structure: Structure, species: str = 'Li', settings: ScanSettings = ScanSettings()) -> ScanPlan:
    """Choose ions and grid points.

    :raises StructureError: one of its subclasses, if the structure cannot be scanned.
    """
    check_structure(structure, species)
    mobile = np.array([index for index, site in enumerate(structure) if site.specie.symbol == species])
    shape = _shape(structure, settings)
    check_memory(shape, len(mobile))
    operations = Operations.identity()
    if settings.symmetry:
        operations = on_grid(crystal_operations(structure), structure.lattice.matrix, shape)
    plans, owners, chosen = [], np.full(len(mobile), -1), np.zeros(len(mobile), dtype=int)
    for position, ion in enumerate(mobile):
        if owners[position] >= 0:
            continue  # equivalent to an earlier one
        images = ion_images(structure, ion, operations)
        for other in np.flatnonzero(np.isin(mobile, images)):
            owners[other] = len(plans)
            chosen[other] = np.flatnonzero(images == mobile[other])[0]
        plans.append(_plan_ion(structure, int(ion), operations[images == ion], shape, settings))
    return ScanPlan(structure, species, shape, tuple(plans), mobile, owners, operations[chosen])


def _shape(structure: Structure, settings: ScanSettings) -> tuple[int, int, int]:
    if settings.grid == 'symmetric':
        return symmetric_shape(structure, settings.spacing)
    return grid_shape(structure.lattice.matrix, settings.spacing)


def _plan_ion(structure: Structure, ion: int, stabiliser: Operations, shape, settings: ScanSettings) -> IonPlan:
    framework = np.delete(structure.frac_coords, ion, axis=0)
    excluded = excluded_points(structure.lattice.matrix, framework, shape, settings.minimum_distance).ravel()
    representatives = irreducible_points(stabiliser, shape)
    points = np.unique(representatives)
    points = points[~excluded[points]]
    if not len(points):
        raise errors.NoAllowedPoint(
            f'no grid point is {settings.minimum_distance} A or more away from the atoms around ion {ion} '
            f'({structure[ion].specie}): check the cell, or take a smaller minimum distance'
        )
    return IonPlan(ion, points, representatives)


def evaluate(plan: ScanPlan, evaluator: Evaluator, finished: int = 0) -> Iterator[np.ndarray]:
    """Yield the energies (eV, float64) of all planned points in order, piece by piece, after the first ``finished``.

    Pieces begin at multiples of ``evaluator.points_per_call`` of each ion, so a scan that goes on hands the potential
    the same batches as one that was never interrupted, and gets the same numbers.

    :raises NonFiniteEnergy: naming the place of the first energy that is no number.
    """
    for of_ion in plan.ions:
        ion = of_ion.ion
        for begin in range(0, len(of_ion.points), evaluator.points_per_call):
            piece = of_ion.points[begin : begin + evaluator.points_per_call]
            if finished >= len(piece):
                finished -= len(piece)
                continue
            fractional = fractional_points(piece, plan.shape)
            energies = evaluator.energies(ion, fractional @ plan.structure.lattice.matrix)
            bad = np.flatnonzero(~np.isfinite(energies))
            if len(bad):
                place = ', '.join(f'{x:.4f}' for x in fractional[bad[0]])
                raise errors.NonFiniteEnergy(
                    f'the potential gives {energies[bad[0]]} eV with ion {ion} ({plan.species}) at the fractional '
                    f'coordinates ({place}): it cannot treat this structure; a larger minimum distance may help'
                )
            yield energies[finished:]
            finished = 0


def assemble(plan: ScanPlan, energies: np.ndarray) -> PotentialEnergySurface:
    """Make the surface from the energies (eV) of all planned points in order."""
    grids, references = [], []
    ends = np.cumsum([len(of_ion.points) for of_ion in plan.ions])
    for of_ion, values in zip(plan.ions, np.split(energies, ends[:-1])):
        references.append(values.min())
        grid = np.full(len(of_ion.representatives), np.nan)
        grid[of_ion.points] = values - references[-1]
        grids.append(grid[of_ion.representatives].reshape(plan.shape))
    return PotentialEnergySurface(
        energies=np.array(grids),
        reference_energies=np.array(references),
        scanned_ions=np.array([of_ion.ion for of_ion in plan.ions]),
        mobile_ions=plan.mobile_ions,
        representatives=plan.owners,
        rotations=plan.operations.rotations,
        translations=plan.operations.translations,
        lattice=np.array(plan.structure.lattice.matrix),
        fractional_coordinates=np.array(plan.structure.frac_coords),
        atomic_numbers=np.array(plan.structure.atomic_numbers),
        evaluations=plan.evaluations,
    )


def scan(
    structure: Structure, evaluator: Evaluator, species: str = 'Li', settings: ScanSettings = ScanSettings()
) -> PotentialEnergySurface:
    """Potential energy surface of every ion of ``species`` in a structure.

    :param evaluator: of this structure.
    :raises StructureError: one of its subclasses.
    """
    plan = plan_scan(structure, species, settings)
    return assemble(plan, np.concatenate(list(evaluate(plan, evaluator))))
