"""The interface of a potential to the scan, and to dynamics and relaxation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from ase.calculators.calculator import Calculator
from pymatgen.core import Structure

from aiida_pesfp.errors import UnsupportedElement
from aiida_pesfp.potentials.registry import PotentialIdentity

#: Positions that a caller should hand over at once, at least: enough to keep its own work out of sight.
POINTS_PER_CALL = 64


class Evaluator(ABC):
    """Energies of one structure. Whatever depends on the structure, but not on the ion's place, is made once here.

    :ivar points_per_call: how many positions a caller should hand over at once.
    """

    points_per_call: int = POINTS_PER_CALL

    @abstractmethod
    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """(M,) total energies of the cell, eV, with atom ``ion`` and its images at each of the (M, 3) ``positions``, A.

        All other atoms stay where they are in the structure.

        :raises StructureError: if the structure cannot be evaluated.
        :raises OutOfMemory: if not even one configuration fits into the device's memory.
        """


class Potential(ABC):
    """A potential that is loaded once and evaluates any number of structures.

    :ivar identity: which potential it is.
    :ivar device: where it runs.
    """

    identity: PotentialIdentity
    device: str

    @abstractmethod
    def evaluator(self, structure: Structure) -> Evaluator:
        """The evaluator of one structure.

        :raises UnsupportedElement: if the potential was not made for one of its elements.
        """

    @abstractmethod
    def calculator(self, structure: Structure) -> Calculator:
        """An ASE calculator of the energy, the forces on all atoms and, where the potential has it, the stress.

        It belongs to dynamics or a relaxation of this structure, whose atoms and cell it may be given in any place.

        :raises UnsupportedElement: if the potential was not made for one of its elements.
        """

    def check_elements(self, structure: Structure, known) -> None:
        """Raise :class:`~aiida_pesfp.errors.UnsupportedElement` unless all elements are among the ``known`` symbols."""
        unknown = sorted(set(structure.symbol_set).difference(known))
        if unknown:
            raise UnsupportedElement(
                f'the potential {self.identity.name} does not know {", ".join(unknown)}: take another potential'
            )
