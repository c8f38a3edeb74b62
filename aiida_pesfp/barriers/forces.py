"""Energies and forces of a potential, counted and checked."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from aiida_pesfp import errors
from aiida_pesfp.fingerprint.scan import LARGEST_ENERGY


@dataclass
class Forces:
    """Makes calculators that share one, and counts the calls.

    :param inner: gives energies and forces.
    :param on_call: is called after each call; it may raise, as to stop.
    :param guard: calls the calculator, which may raise whatever its author chose.
    :raises EvaluationFailed: if the calculator has no forces.
    """

    inner: Calculator
    on_call: Callable[[], None] = lambda: None
    guard: Callable[[Callable[[], dict]], dict] = lambda work: work()
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
        energy = self.guard(lambda: self.inner.get_potential_energy(atoms))
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
