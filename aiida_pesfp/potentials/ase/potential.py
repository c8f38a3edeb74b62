"""Any ASE calculator as a potential: one configuration after the other."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from pymatgen.core import Structure

from aiida_pesfp.errors import EvaluationFailed, PotentialError
from aiida_pesfp.potentials.base import Evaluator, Potential
from aiida_pesfp.potentials.registry import PotentialIdentity, describe_calculator


class AsePotential(Potential):
    """An ASE calculator, made anew for each structure, so that none inherits another's state."""

    device = 'cpu'

    def __init__(self, identity: PotentialIdentity, spec: str):
        self.identity = identity
        if identity.path is None:
            description = {'calculator': spec.removeprefix('ase:')}
        else:
            description = describe_calculator(Path(identity.path))
        self._name, self._parameters = description['calculator'], description.get('parameters') or {}
        self._class = _import_class(self._name)
        self._make()

    def evaluator(self, structure: Structure) -> Evaluator:
        return AseEvaluator(structure, self._make(), self._name)

    def calculator(self, structure: Structure) -> Calculator:
        return self._make()

    def _make(self) -> Calculator:
        try:
            return self._class(**self._parameters)
        except Exception as error:  # whatever a calculator's constructor may raise
            raise PotentialError(
                f'the ASE calculator {self._name} cannot be made with the parameters {self._parameters}: {error}'
            ) from error


class AseEvaluator(Evaluator):
    """Energies of one structure by an ASE calculator."""

    def __init__(self, structure: Structure, calculator, name: str):
        self._name = name
        self._places = np.array(structure.cart_coords)
        self._atoms = Atoms(structure.atomic_numbers, self._places, cell=structure.lattice.matrix, pbc=True)
        self._atoms.calc = calculator

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        self._atoms.positions = self._places
        energies = np.empty(len(positions))
        for index, position in enumerate(positions):
            self._atoms.positions[ion] = position
            try:
                energies[index] = self._atoms.get_potential_energy()
            except Exception as error:  # a calculator raises whatever its author chose
                place = ', '.join(f'{x:.3f}' for x in position)
                raise EvaluationFailed(
                    f'the ASE calculator {self._name} failed with ion {index_label(self._atoms, ion)} at ({place}) A: '
                    f'{type(error).__name__}: {error}'
                ) from error
        return energies


def index_label(atoms: Atoms, ion: int) -> str:
    """Index and symbol of an atom, for messages."""
    return f'{ion} ({atoms.symbols[ion]})'


def _import_class(name: str):
    module, _, attribute = name.rpartition('.')
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise PotentialError(
            f'there is no ASE calculator {name!r} here ({error}): give package.module.Class of an installed package'
        ) from error
