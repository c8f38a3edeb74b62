"""``pesfp-relax``: relaxation of atoms and cell of crystal structures, without AiiDA.

What it writes, apart from ``OUT/run.json``:

``OUT/NAME/relaxed.json``
    the relaxed structure as pymatgen JSON, or how far it came.
``OUT/NAME/relaxation.json``
    energy, forces, stress, steps, and whether it has converged.
"""

import time
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from pymatgen.core import Structure
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp import errors
from aiida_pesfp.crystals.files import NamedStructure
from aiida_pesfp.fingerprint.scan import LARGEST_ENERGY
from aiida_pesfp.programs.calculators import atoms_of, evaluated
from aiida_pesfp.programs.checkpoint import write_json
from aiida_pesfp.programs.command import program
from aiida_pesfp.programs.outcome import Outcome
from aiida_pesfp.programs.request import Request
from aiida_pesfp.settings.md import RelaxSettings
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.program import ProgramSettings

RELAXED, RELAXATION = 'relaxed.json', 'relaxation.json'
#: A volume that has changed by more than this factor is no longer that of the structure.
LARGEST_RATIO = 2.0
KEYS = ('energy', 'maximum_force', 'maximum_stress', 'stress', 'volume', 'volume_change', 'steps', 'converged')


@dataclass
class RelaxOutcome(Outcome):
    """The result of the relaxation of one structure."""

    found: dict | None = None

    def results(self) -> dict:
        return {name: self.found and self.found[name] for name in KEYS}


@dataclass
class RelaxRequest(Request):
    """One call of the program."""

    settings: RelaxSettings

    FILES = (RELAXED, RELAXATION)

    def reported_settings(self) -> dict:
        return self.settings.as_dict()

    def process(self, outcome: RelaxOutcome, bar: tqdm) -> None:
        """Relax a structure as far as it goes within the steps and the time."""
        atoms, start, limit = atoms_of(outcome.input.structure, self.potential), time.monotonic(), self.settings.steps
        volume = atoms.get_volume()
        optimizer = BFGS(FrechetCellFilter(atoms) if self.settings.variable_cell else atoms, logfile=None)
        # fmax=0: this program decides itself when to stop. The filter merges forces and stress into a number that
        # depends on the size of the cell.
        steps = optimizer.irun(fmax=0, steps=limit)
        for step in range(limit + 1):
            evaluated(lambda: next(steps), f'at step {step} of the relaxation')
            found = self._describe(atoms, volume, step)
            outcome.seconds = time.monotonic() - start
            self._check(found)
            outcome.found = found
            if self.output is not None:
                species, folder = outcome.input.structure.species, self.output / outcome.name
                relaxed = Structure(atoms.cell.array, species, atoms.positions, coords_are_cartesian=True)
                write_json(folder / RELAXED, relaxed.as_dict())
                write_json(folder / RELAXATION, found)
            bar.update(1)
            bar.set_postfix_str(f'{found["maximum_force"]:.4f} eV/A', refresh=False)
            if found['converged']:
                return
            self.check_stop()
        raise errors.NotConverged(
            f'not relaxed after {limit} steps (largest force {found["maximum_force"]:.4f} eV/A, largest stress '
            f'{found["maximum_stress"] or 0:.4f} GPa): start again from {RELAXED}, or allow more steps'
        )

    def _describe(self, atoms: Atoms, volume: float, step: int) -> dict:
        settings = self.settings
        force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        stress = atoms.get_stress(voigt=False) / units.GPa if settings.variable_cell else None
        largest = None if stress is None else float(abs(stress).max())
        return {
            'energy': float(atoms.get_potential_energy()),
            'maximum_force': force,
            'maximum_stress': largest,
            'stress': None if stress is None else stress.tolist(),
            'volume': float(atoms.get_volume()),
            'volume_change': float(atoms.get_volume() / volume - 1),
            'steps': step,
            'converged': force <= settings.fmax and (largest is None or largest <= settings.smax),
        }

    @staticmethod
    def _check(found: dict) -> None:
        where = f'at step {found["steps"]} of the relaxation'
        if not abs(found['energy']) + found['maximum_force'] + (found['maximum_stress'] or 0) < LARGEST_ENERGY:
            raise errors.RelaxationDiverged(f'{where} the energy or its derivatives are not finite')
        if not 1 / LARGEST_RATIO < 1 + found['volume_change'] < LARGEST_RATIO:
            raise errors.RelaxationDiverged(
                f'{where} the volume has changed by {100 * found["volume_change"]:.0f} %: the potential has no minimum '
                'near this structure, take another one'
            )

    def table(self) -> str:
        """A line for each structure, relaxed as far as it went."""
        rows = []
        for outcome in self.outcomes:
            if outcome.found is not None:
                energy, force, stress, _, _, change, steps, converged = outcome.results().values()
                row = (outcome.name, outcome.formula, energy, force, stress, 100 * change, steps)
                rows.append((*row, 'yes' if converged else 'no'))
        headers = ('structure', 'formula', 'energy/eV', 'force/(eV/A)', 'stress/GPa', 'dV/%', 'steps', 'converged')
        return tabulate(rows, headers, floatfmt=('', '', '.4f', '.4f', '.4f', '.2f')) if rows else ''


@program(batch_size=None, checkpoint_interval=None, fresh=None)
@options_of(RelaxSettings)
def main(structures: list[NamedStructure], program_settings: ProgramSettings, **options) -> RelaxRequest:
    """Relax the atoms and the cell of each STRUCTURE, one after the other."""
    return RelaxRequest([RelaxOutcome(one) for one in structures], program_settings, take(RelaxSettings, options))


if __name__ == '__main__':
    main()
