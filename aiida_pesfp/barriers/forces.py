"""Energies and forces of a potential, counted and checked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from pymatgen.core import Structure

from aiida_pesfp import errors
from aiida_pesfp.fingerprint.scan import LARGEST_ENERGY


@dataclass
class Forces:
    """Makes calculators that share one, and counts the calls.

    :param inner: gives energies and forces.
    :param on_call: is called after each call; it may raise, as to stop.
    :param guard: calls the potential, which may raise whatever its author chose.
    :param together: energies and forces of several structures at once, or None, see
        :meth:`~aiida_pesfp.potentials.base.Potential.energies_and_forces`.
    :raises EvaluationFailed: if the calculator has no forces.
    """

    inner: Calculator
    on_call: Callable[[], None] = lambda: None
    guard: Callable[[Callable[[], Any]], Any] = lambda work: work()
    together: Callable[[list[Structure]], list[tuple[float, np.ndarray]] | None] = lambda structures: None
    calls: int = field(default=0, init=False)

    def __post_init__(self):
        if 'forces' not in self.inner.implemented_properties:
            what = f'{type(self.inner).__name__} gives no forces, without which nothing relaxes'
            raise errors.EvaluationFailed(f'{what}: take another potential')

    def calculator(self) -> Calculator:
        """A calculator that remembers its own last result."""
        return _Counted(self)

    def of(self, atoms: Atoms) -> dict:
        """Energy, eV, and (n, 3) forces, eV/A.

        :raises NonFiniteEnergy: if a value is not finite.
        """
        forces = self.guard(lambda: self.inner.get_forces(atoms))
        return self._counted(self.guard(lambda: self.inner.get_potential_energy(atoms)), forces)

    def prepare(self, images: list[Atoms]) -> None:
        """Let the calculators of images know their results, if the potential computes several at once."""
        images = [image for image in images if image.calc.calculation_required(image, ['energy', 'forces'])]
        structures = [
            Structure(one.cell.array, one.get_chemical_symbols(), one.positions, coords_are_cartesian=True)
            for one in images
        ]
        try:
            found = self.guard(lambda: self.together(structures)) if images else None
        except errors.OutOfMemory:  # one by one, they may fit
            self.together, found = lambda structures: None, None
        for image, result in zip(images, found or ()):
            image.calc.atoms, image.calc.results = image.copy(), self._counted(*result)

    def _counted(self, energy: float, forces: np.ndarray) -> dict:
        self.calls += 1
        if not abs(energy) + np.abs(forces).max() < LARGEST_ENERGY:
            raise errors.NonFiniteEnergy('an energy or force is not finite: take another potential')
        self.on_call()
        return {'energy': energy, 'forces': forces}


class _Counted(Calculator):
    implemented_properties = ['energy', 'forces']

    def __init__(self, forces: Forces):
        super().__init__()
        self.source = forces

    def calculate(self, atoms=None, properties=('energy',), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.results = self.source.of(self.atoms)
