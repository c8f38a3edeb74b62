"""``pesfp-relax``: relaxation of atoms and cell of crystal structures, without AiiDA.

The AiiDA calculation job calls the same program with the same options as a person would. What it writes:

``OUT/run.json``
    the request, and the state of each structure (``done``, ``failed`` or ``pending``); rewritten after each.
``OUT/NAME/relaxed.json``
    the relaxed structure as pymatgen JSON, or how far it came.
``OUT/NAME/relaxation.json``
    energy, forces, stress, steps, and whether it has converged.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp import __version__, errors
from aiida_pesfp.crystals.checks import check_crystal
from aiida_pesfp.crystals.files import read_named_structures
from aiida_pesfp.programs.checkpoint import write_json
from aiida_pesfp.programs.request import Outcome, Request, evaluated

RELAXED, RELAXATION = 'relaxed.json', 'relaxation.json'
#: A volume that has changed by more than this factor is no longer that of the structure.
LARGEST_RATIO = 2.0
KEYS = ('energy', 'maximum_force', 'maximum_stress', 'stress', 'volume', 'volume_change', 'steps', 'converged')


@dataclass
class RelaxationOutcome(Outcome):
    """What became of the relaxation of one structure."""

    found: dict | None = None

    def results(self) -> dict:
        return {name: self.found and self.found[name] for name in KEYS}


@dataclass
class RelaxationRequest(Request):
    """One call of the program.

    :param fmax: largest force on an atom with which a relaxation has converged, eV/A.
    :param smax: largest component of the stress, GPa.
    :param steps: most steps.
    :param variable_cell: whether the cell is relaxed too.
    """

    fmax: float
    smax: float
    steps: int
    variable_cell: bool

    def settings(self) -> dict:
        return {'fmax': self.fmax, 'smax': self.smax, 'steps': self.steps, 'variable_cell': self.variable_cell}

    def treat(self, outcome: RelaxationOutcome, bar: tqdm) -> None:
        """Relax a structure as far as it goes within the steps and the time."""
        structure = outcome.record.structure
        check_crystal(structure)
        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.calc = self.potential.calculator(structure)
        start = time.monotonic()
        try:
            self._relax(outcome, atoms, bar)
        finally:
            outcome.seconds = time.monotonic() - start

    def _relax(self, outcome: RelaxationOutcome, atoms: Atoms, bar: tqdm) -> None:
        volume = atoms.get_volume()
        optimizer = BFGS(FrechetCellFilter(atoms) if self.variable_cell else atoms, logfile=None)
        # The program judges convergence itself: the filter makes one number of forces and stress, which depends on the
        # size of the cell.
        steps = optimizer.irun(fmax=0, steps=self.steps)
        for step in range(self.steps + 1):
            evaluated(lambda: next(steps), f'at step {step} of the relaxation')
            outcome.found = self._describe(atoms, volume, step)
            self._check(outcome.found)
            self._keep(outcome, atoms)
            bar.update(1)
            bar.set_postfix_str(f'{outcome.found["maximum_force"]:.4f} eV/A', refresh=False)
            if outcome.found['converged']:
                return
            self.check_stop()
        raise errors.NotConverged(
            f'not relaxed after {self.steps} steps (largest force {outcome.found["maximum_force"]:.4f} eV/A, largest '
            f'stress {outcome.found["maximum_stress"] or 0:.4f} GPa): go on from {RELAXED}, or allow more steps'
        )

    def _describe(self, atoms: Atoms, volume: float, step: int) -> dict:
        force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        stress = atoms.get_stress(voigt=False) / units.GPa if self.variable_cell else None
        largest = None if stress is None else float(abs(stress).max())
        return {
            'energy': float(atoms.get_potential_energy()),
            'maximum_force': force,
            'maximum_stress': largest,
            'stress': None if stress is None else stress.tolist(),
            'volume': float(atoms.get_volume()),
            'volume_change': float(atoms.get_volume() / volume - 1),
            'steps': step,
            'converged': force <= self.fmax and (largest is None or largest <= self.smax),
        }

    @staticmethod
    def _check(found: dict) -> None:
        where = f'at step {found["steps"]} of the relaxation'
        if not np.isfinite(found['energy'] + found['maximum_force'] + (found['maximum_stress'] or 0)):
            raise errors.RelaxationDiverged(f'{where} the energy or its derivatives are not finite')
        if not 1 / LARGEST_RATIO < 1 + found['volume_change'] < LARGEST_RATIO:
            raise errors.RelaxationDiverged(
                f'{where} the volume has changed by {100 * found["volume_change"]:.0f} %: the potential has no minimum '
                'near this structure, take another one'
            )

    def _keep(self, outcome: RelaxationOutcome, atoms: Atoms) -> None:
        if self.output is None:
            return
        species = outcome.record.structure.species
        relaxed = Structure(atoms.cell.array, species, atoms.positions, coords_are_cartesian=True)
        folder = self.output / outcome.name
        write_json(folder / RELAXED, relaxed.as_dict())
        write_json(folder / RELAXATION, outcome.found)


def table(outcomes: list[RelaxationOutcome]) -> str:
    """A line for each structure that was relaxed as far as it went."""
    rows = [
        (
            o.name,
            o.formula,
            o.found['energy'],
            o.found['maximum_force'],
            o.found['maximum_stress'],
            100 * o.found['volume_change'],
            o.found['steps'],
            'yes' if o.found['converged'] else 'no',
        )
        for o in outcomes
        if o.found is not None
    ]
    headers = ('structure', 'formula', 'energy/eV', 'force/(eV/A)', 'stress/GPa', 'dV/%', 'steps', 'converged')
    return tabulate(rows, headers, floatfmt=('', '', '.4f', '.4f', '.4f', '.2f')) if rows else ''


@click.command(context_settings={'help_option_names': ['-h', '--help'], 'show_default': True})
@click.argument('structures', nargs=-1, required=True, type=click.Path(path_type=Path), metavar='STRUCTURE...')
@click.option('--potential', default='sevennet-0', help='Name of a potential, or path of its weights.')
@click.option('--potential-sha256', help='Refuse a potential whose content has another SHA-256.')
@click.option('-o', '--output', type=click.Path(path_type=Path, file_okay=False), help='Folder for the results.')
@click.option('--fmax', default=0.01, type=click.FloatRange(0, min_open=True), help='Largest force at the end, eV/A.')
@click.option('--smax', default=0.1, type=click.FloatRange(0, min_open=True), help='Largest stress at the end, GPa.')
@click.option('--steps', default=500, type=click.IntRange(1), help='Most steps.')
@click.option('--variable-cell/--fixed-cell', default=True, help='Whether the cell is relaxed too.')
@click.option('--device', default='auto', help="'cpu', 'cuda', 'cuda:1', ...; 'auto' takes a GPU if there is one.")
@click.option('--time-limit', type=float, help='Stop after so many seconds, and keep what there is.')
@click.option('--json', 'as_json', is_flag=True, help='Print one JSON list on standard output and nothing else.')
@click.option('-q', '--quiet', is_flag=True, help='No progress bar.')
@click.version_option(__version__)
def main(
    structures,
    potential,
    potential_sha256,
    output,
    fmax,
    smax,
    steps,
    variable_cell,
    device,
    time_limit,
    as_json,
    quiet,
):
    """Relax the atoms and the cell of each STRUCTURE, one after the other.

    A STRUCTURE is a CIF, POSCAR, (extended) XYZ, pymatgen JSON or ASE JSON file, or a folder of such. The exit status
    is 0 if all were relaxed, 1 if some were not, 2 if the potential is unusable, 3 if the run was stopped before its
    end, and 4 if a structure did not fit into memory.
    """
    with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print is not our output
        records = read_named_structures(structures)
        if not records:
            raise click.UsageError(f'no structure file in {", ".join(map(str, structures))}')
        outcomes = [RelaxationOutcome(record) for record in records]
        request = RelaxationRequest(outcomes, output, time_limit, fmax, smax, steps, variable_cell)
        request.run(potential, progress=not quiet, unit='step', device=device, expected_sha256=potential_sha256)
    request.finish(as_json, table)


if __name__ == '__main__':
    main()
