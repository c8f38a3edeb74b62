"""``pesfp-md``: molecular dynamics of crystal structures at constant temperature, without AiiDA.

The AiiDA calculation job calls the same program with the same options as a person would. What it writes:

``OUT/run.json``
    the request, and how far each run is; rewritten after each and every few seconds.
``OUT/NAME_1000K/trajectory.traj``
    the stored steps of one structure at one temperature, in ASE's format; each is on disk as soon as it is done.
``OUT/NAME_1000K/checkpoint.traj``
    the state at which it was stopped, if that was between two stored steps. The same command again goes on from there.
``OUT/NAME_1000K/dynamics.json``
    the settings. What was begun with others is not gone on with.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click
from pymatgen.io.ase import AseAtomsAdaptor
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp import __version__
from aiida_pesfp.crystals.checks import check_crystal
from aiida_pesfp.crystals.files import read_named_structures
from aiida_pesfp.programs.dynamics import Run
from aiida_pesfp.programs.request import Outcome, Request, Stopped
from aiida_pesfp.settings.md import PotentialMdSettings
from aiida_pesfp.trajectories.ours import TRAJECTORY, count_frames, read_frames, statistics

#: How often ``run.json`` says how far a run is, s.
ACCOUNT_INTERVAL = 10.0


@dataclass
class DynamicsOutcome(Outcome):
    """What became of the dynamics of one structure at one temperature."""

    dynamics: PotentialMdSettings
    atoms: int | None = None
    first_step: int | None = None
    last_step: int | None = None
    found: dict | None = None

    @property
    def name(self) -> str:
        return f'{self.record.name}_{self.dynamics.temperature:g}K'

    @property
    def nanoseconds_per_day(self) -> float | None:
        """Speed of the dynamics."""
        if not self.seconds or self.last_step is None:
            return None
        return (self.last_step - self.first_step) * self.dynamics.timestep * 1e-6 / self.seconds * 86400

    def results(self) -> dict:
        names = ('temperature_mean', 'temperature_std', 'energy_drift')
        return {
            'temperature': self.dynamics.temperature,
            'first_step': self.first_step,
            'last_step': self.last_step,
            **{name: self.found and self.found[name] for name in names},
            'ns_per_day': self.nanoseconds_per_day,
        }

    def report(self) -> dict:
        return super().report() | self.dynamics.as_dict() | {'first_step': self.first_step, 'last_step': self.last_step}


@dataclass
class DynamicsRequest(Request):
    """One call of the program."""

    steps: int
    checkpoint_interval: float
    parent: Path | None

    def settings(self) -> dict:
        return {'steps': self.steps}

    def treat(self, outcome: DynamicsOutcome, bar: tqdm) -> None:
        """Do the dynamics of a structure, or go on with it."""
        structure, folder = outcome.record.structure, self.output / outcome.name
        check_crystal(structure)
        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.calc = self.potential.calculator(structure)
        marks = {'potential_sha256': self.potential.identity.sha256}
        run = Run(atoms, outcome.dynamics, folder, marks, self.parent and self.parent / outcome.name)
        outcome.atoms, outcome.first_step = len(atoms), run.first
        bar.total = self.steps
        bar.update(run.step - run.first)

        told = time.monotonic()

        def on_step() -> None:
            nonlocal told
            bar.update(1)
            if time.monotonic() - told > ACCOUNT_INTERVAL:
                outcome.last_step, outcome.seconds = run.step, run.seconds
                self.write()
                told = time.monotonic()
            bar.set_postfix_str(f'{run.temperature:.0f} K', refresh=False)
            self.check_stop()

        try:
            run.advance(run.first + self.steps, self.checkpoint_interval, on_step)
        except Stopped:
            run.keep()
            raise
        finally:
            outcome.last_step, outcome.seconds = run.kept, run.seconds
            outcome.found = _statistics(folder / TRAJECTORY, outcome.dynamics.timestep)


def _statistics(path: Path, timestep: float) -> dict | None:
    if not count_frames(path):
        return None
    symbols, arrays = read_frames(path, timestep)
    return statistics(arrays['times'], arrays['temperatures'], arrays['conserved'], len(symbols))


def table(outcomes: list[DynamicsOutcome]) -> str:
    """A line for each run that has a result."""
    rows = [
        (
            o.record.name,
            o.formula,
            o.atoms,
            o.dynamics.temperature,
            o.last_step,
            o.last_step * o.dynamics.timestep / 1000,
            o.found['temperature_mean'],
            o.found['temperature_std'],
            o.found['energy_drift'] and 1e6 * o.found['energy_drift'],
            o.nanoseconds_per_day,
        )
        for o in outcomes
        if o.found is not None
    ]
    headers = ('structure', 'formula', 'atoms', 'T/K', 'steps', 'ps', 'mean T', 'std T', 'drift', 'ns/day')
    formats = ('', '', '', 'g', '', '.3f', '.1f', '.1f', '.2f', '.3f')
    return tabulate(rows, headers, floatfmt=formats) + '\n(drift in ueV/atom/ps)' if rows else ''


@click.command(context_settings={'help_option_names': ['-h', '--help'], 'show_default': True})
@click.argument('structures', nargs=-1, required=True, type=click.Path(path_type=Path), metavar='STRUCTURE...')
@click.option('-o', '--output', required=True, type=click.Path(path_type=Path, file_okay=False), help='Results folder.')
@click.option('--potential', default='sevennet-0', help='Name of a potential, or path of its weights.')
@click.option('--potential-sha256', help='Refuse a potential whose content has another SHA-256.')
@click.option(
    '-T', '--temperature', 'temperatures', multiple=True, required=True, type=float, help='K; may be repeated.'
)
@click.option('--steps', required=True, type=click.IntRange(1), help='Number of steps of this run.')
@click.option('--timestep-fs', default=PotentialMdSettings.timestep, help='Length of a step, fs.')
@click.option(
    '--stride', default=PotentialMdSettings.stride, type=click.IntRange(1), help='Store every stride-th step.'
)
@click.option('--thermostat-time', default=PotentialMdSettings.thermostat_time, help='Of the Nose-Hoover chain, fs.')
@click.option('--seed', default=PotentialMdSettings.seed, help='Of the first velocities.')
@click.option(
    '--continue-from',
    'parent',
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help='Results folder of an earlier run with the same structures, to go on from.',
)
@click.option('--device', default='auto', help="'cpu', 'cuda', 'cuda:1', ...; 'auto' takes a GPU if there is one.")
@click.option('--time-limit', type=float, help='Stop after so many seconds; the same command goes on later.')
@click.option('--checkpoint-interval', default=20.0, help='Seconds of work that a kill may cost.')
@click.option('--fresh', is_flag=True, help='Discard what an earlier run left in the output folder.')
@click.option('--json', 'as_json', is_flag=True, help='Print one JSON list on standard output and nothing else.')
@click.option('-q', '--quiet', is_flag=True, help='No progress bar.')
@click.version_option(__version__)
def main(structures, output, potential, potential_sha256, parent, device, fresh, as_json, quiet, **options):
    """Molecular dynamics (NVT, Nose-Hoover chain) of each STRUCTURE at each temperature, one after the other.

    A STRUCTURE is a supercell as a CIF, POSCAR, (extended) XYZ, pymatgen JSON or ASE JSON file, or a folder of such. No
    stored step is lost, however the program ends. The exit status is 0 if all succeeded, 1 if some did not, 2 if the
    potential is unusable, 3 if the run was stopped before its end, and 4 if a structure did not fit into memory.
    """
    with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print is not our output
        request = _prepare(structures, output, parent, **options)
        if fresh:
            for outcome in request.outcomes:
                shutil.rmtree(output / outcome.name, ignore_errors=True)
        request.run(potential, progress=not quiet, unit='step', device=device, expected_sha256=potential_sha256)
    request.finish(as_json, table)


def _prepare(structures, output, parent, temperatures, steps, time_limit, checkpoint_interval, **options):
    """Settings and structures of a run; raises ``click`` errors for wrong usage."""
    names = {'timestep': 'timestep_fs', 'stride': 'stride', 'thermostat_time': 'thermostat_time', 'seed': 'seed'}
    shared = {name: options[option] for name, option in names.items()}
    try:
        settings = [
            PotentialMdSettings(temperature=temperature, steps=steps, **shared)
            for temperature in dict.fromkeys(temperatures)
        ]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    records = read_named_structures(structures)
    if not records:
        raise click.UsageError(f'no structure file in {", ".join(map(str, structures))}')
    outcomes = [DynamicsOutcome(record, dynamics) for record in records for dynamics in settings]
    return DynamicsRequest(outcomes, output, time_limit, steps, checkpoint_interval, parent)


if __name__ == '__main__':
    main()
