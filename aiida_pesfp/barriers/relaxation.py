"""Relaxation of a crystal, with or without an ion that is held, in a frame that does not drift.

The energy does not change if the whole crystal is shifted. So an ion that is only held in space would be overtaken: the
rest shifts until the ion is back at its site. All relaxations therefore keep the centre of mass of the framework, the
atoms of all other elements, where it is. At a minimum, at a saddle and on a band this force is zero anyway, so their
energies do not depend on the frame; the energy of an ion held elsewhere is that at a distance from the framework.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixSubsetCom
from ase.optimize import BFGS

from aiida_pesfp.barriers.forces import Forces
from aiida_pesfp.settings.barrier import BarrierSettings


@dataclass(frozen=True)
class State:
    """How far a relaxation or a band came.

    :param positions: (n, 3) Cartesian, or (images, n, 3), A.
    :param energy: eV, or that of each image; ``force`` is the largest on an atom that may move, eV/A.
    """

    positions: np.ndarray
    energy: float | np.ndarray
    force: float
    steps: int
    converged: bool


@dataclass
class Relaxer:
    """Relaxes configurations of one path.

    :param atoms: the crystal with the ion, of index ``ion``, at its first place.
    :param forces: makes a calculator of ASE for each configuration, as each remembers the last result.
    :param states: what has been computed, by name; it is added to at each step, and relaxations go on from it.
    """

    atoms: Atoms
    ion: int
    forces: Forces
    settings: BarrierSettings
    states: MutableMapping[str, State]

    @property
    def framework(self) -> np.ndarray:
        """Indices of the atoms whose centre of mass stays in place: without any other element, all but the ion."""
        other = np.flatnonzero(self.atoms.numbers != self.atoms.numbers[self.ion])
        return other if len(other) else np.delete(np.arange(len(self.atoms)), self.ion)

    def image(self, positions: np.ndarray, held: bool = False) -> Atoms:
        """A configuration whose framework does not drift, and whose ion is held if it is to be."""
        atoms = self.atoms.copy()
        atoms.positions = positions
        frame = FixSubsetCom(self.framework) if len(self.framework) else None
        atoms.set_constraint([one for one in (frame, FixAtoms([self.ion]) if held else None) if one])
        atoms.calc = self.forces.calculator()
        return atoms

    def relax(self, name: str, positions: np.ndarray, held: bool = False) -> State:
        """Relax from (n, 3) positions, or go on with what there is of this name.

        This BFGS steps down along directions of negative curvature; LBFGS would end on a ridge.
        """
        begun = self.states.get(name)
        if begun and (begun.converged or begun.steps >= self.settings.steps):
            return begun
        first = begun.steps if begun else 0
        atoms = self.image(begun.positions if begun else positions, held)
        steps = BFGS(atoms, logfile=None).irun(self.settings.fmax, self.settings.steps - first)
        for step, converged in enumerate(steps, first):
            force = np.linalg.norm(atoms.get_forces(), axis=1).max()
            energy = float(atoms.get_potential_energy())
            self.states[name] = State(atoms.positions.copy(), energy, float(force), step, bool(converged))
        return self.states[name]
