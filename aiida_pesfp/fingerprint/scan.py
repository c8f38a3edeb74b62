"""The scan: the energy of a crystal with one ion put on every allowed grid point (arXiv:2411.06804, Sec. II A).

The cell is taken as given: one ion moves, and with it its periodic images; all other atoms stay where they are.

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


class Evaluator(Protocol):
    """What the scan needs of a potential (see ``aiida_pesfp.potentials``)."""

    points_per_call: int

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """(M,) energies of the cell, eV, with atom ``ion`` at each of the (M, 3) Cartesian ``positions``, A."""


@dataclass(frozen=True)
class ScanPlan:
    """Which ion is put where.

    :param structure: the crystal.
    :param species: chemical symbol of the mobile ion.
    :param shape: number of grid points along each lattice vector.
    :param ions: indices of the atoms that are scanned.
    :param points: for each of them, the flat (C order) indices of the grid points to evaluate.
    """

    structure: Structure
    species: str
    shape: tuple[int, int, int]
    ions: tuple[int, ...]
    points: tuple[np.ndarray, ...]

    @property
    def evaluations(self) -> int:
        """Number of energies to evaluate."""
        return sum(len(points) for points in self.points)


def plan_scan(structure: Structure, species: str = 'Li', settings: ScanSettings = ScanSettings()) -> ScanPlan:
    """Choose ions and grid points.

    :raises StructureError: one of its subclasses, if the structure cannot be scanned.
    """
    check_structure(structure, species)
    lattice = structure.lattice.matrix
    ions = tuple(index for index, site in enumerate(structure) if site.specie.symbol == species)
    shape = grid_shape(lattice, settings.spacing)
    check_memory(shape, len(ions))
    points = []
    for ion in ions:
        framework = np.delete(structure.frac_coords, ion, axis=0)
        mask = excluded_points(lattice, framework, shape, settings.minimum_distance)
        points.append(np.flatnonzero(~mask))
        if not len(points[-1]):
            raise errors.NoAllowedPoint(
                f'no grid point is {settings.minimum_distance} A or more away from the atoms around ion {ion} '
                f'({species}): check the cell, or take a smaller minimum distance'
            )
    return ScanPlan(structure, species, shape, ions, tuple(points))


def evaluate(plan: ScanPlan, evaluator: Evaluator, finished: int = 0) -> Iterator[np.ndarray]:
    """Yield the energies (eV, float64) of all planned points in order, piece by piece, after the first ``finished``.

    Pieces begin at multiples of ``evaluator.points_per_call`` of each ion, so a scan that goes on hands the potential
    the same batches as one that was never interrupted, and gets the same numbers.

    :raises NonFiniteEnergy: naming the place of the first energy that is no number.
    """
    for ion, points in zip(plan.ions, plan.points):
        for begin in range(0, len(points), evaluator.points_per_call):
            piece = points[begin : begin + evaluator.points_per_call]
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
    number_of_ions = len(plan.ions)
    grids = np.full((number_of_ions, int(np.prod(plan.shape))), np.nan)
    references = np.empty(number_of_ions)
    ends = np.cumsum([len(points) for points in plan.points])
    for row, (points, of_ion) in enumerate(zip(plan.points, np.split(energies, ends[:-1]))):
        references[row] = of_ion.min()
        grids[row, points] = of_ion - references[row]
    return PotentialEnergySurface(
        energies=grids.reshape(number_of_ions, *plan.shape),
        reference_energies=references,
        scanned_ions=np.array(plan.ions),
        mobile_ions=np.array(plan.ions),
        representatives=np.arange(number_of_ions),
        rotations=np.tile(np.eye(3, dtype=int), (number_of_ions, 1, 1)),
        translations=np.zeros((number_of_ions, 3)),
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
