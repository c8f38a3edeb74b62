"""``pesfp-md``: molecular dynamics of crystal structures at constant temperature, without AiiDA.

What it writes, apart from ``OUT/run.json``, which here also says every few seconds how far a run is:

``OUT/NAME_1000K/trajectory.traj``
    the stored steps of one structure at one temperature, in ASE's format; each is on disk as soon as it is done.
``OUT/NAME_1000K/checkpoint.traj``
    the state at which the run was stopped, if that was between two stored steps. The same command resumes from there.
``OUT/NAME_1000K/dynamics.json``
    the settings. A run with other settings does not resume from this folder.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import click
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp.crystals.files import NamedStructure
from aiida_pesfp.programs.calculators import atoms_of
from aiida_pesfp.programs.command import program
from aiida_pesfp.programs.dynamics import Run
from aiida_pesfp.programs.outcome import Outcome
from aiida_pesfp.programs.request import Request, Stopped
from aiida_pesfp.settings.md import PotentialMdSettings
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.trajectories.ours import CHECKPOINT, SETTINGS, TRAJECTORY, count_frames, read_frames, statistics

#: How often ``run.json`` says how far a run is, s.
REPORT_INTERVAL = 10.0


@dataclass
class MdOutcome(Outcome):
    """The result of the dynamics of one structure at one temperature."""

    settings: PotentialMdSettings
    atoms: int | None = None
    first_step: int | None = None
    last_step: int | None = None
    found: dict | None = None

    @property
    def name(self) -> str:
        # all digits: two temperatures never share a folder
        return f'{self.input.name}_{str(self.settings.temperature).removesuffix(".0")}K'

    def results(self) -> dict:
        speed = None
        if self.seconds and self.last_step is not None:
            speed = (self.last_step - self.first_step) * self.settings.timestep * 1e-6 / self.seconds * 86400
        names = ('temperature_mean', 'temperature_std', 'energy_drift')
        return {
            'temperature': self.settings.temperature,
            'first_step': self.first_step,
            'last_step': self.last_step,
            **{name: self.found and self.found[name] for name in names},
            'ns_per_day': speed,
        }

    def report(self) -> dict:
        return super().report() | self.settings.as_dict() | {'first_step': self.first_step, 'last_step': self.last_step}


@dataclass
class MdRequest(Request):
    """One call of the program; ``parent`` is the folder of the results that it restarts from."""

    parent: Path | None

    FILES = (TRAJECTORY, CHECKPOINT, SETTINGS)

    def reported_settings(self) -> dict:
        return {'steps': self.outcomes[0].settings.steps}

    def process(self, outcome: MdOutcome, bar: tqdm) -> None:
        """Run the dynamics of a structure, or resume it."""
        atoms = atoms_of(outcome.input.structure, self.potential)
        folder, steps = self.output / outcome.name, outcome.settings.steps
        marks = {'potential_sha256': self.potential.identity.sha256}
        run = Run(atoms, outcome.settings, folder, marks, self.parent and self.parent / outcome.name)
        outcome.atoms, outcome.first_step = len(atoms), run.first
        bar.total = steps
        bar.update(run.step - run.first)
        reported = time.monotonic()

        def on_step() -> None:
            nonlocal reported
            bar.update(1)
            if time.monotonic() - reported > REPORT_INTERVAL:
                outcome.last_step, outcome.seconds = run.step, run.seconds
                self.write()
                reported = time.monotonic()
            bar.set_postfix_str(f'{run.temperature:.0f} K', refresh=False)
            self.check_stop()

        try:
            run.advance(run.first + steps, self.program_settings.checkpoint_interval, on_step)
        except Stopped:
            run.save()
            raise
        finally:
            outcome.last_step, outcome.seconds = run.saved, run.seconds
            if count_frames(folder / TRAJECTORY):
                symbols, arrays = read_frames(folder / TRAJECTORY, outcome.settings.timestep)
                outcome.found = statistics(arrays['times'], arrays['temperatures'], arrays['conserved'], len(symbols))

    def table(self) -> str:
        """A line for each run that has a result."""
        rows = []
        for one in self.outcomes:
            if one.found is not None:
                kelvin, _, last, mean, deviation, drift, speed = one.results().values()
                picoseconds, drift = last * one.settings.timestep / 1000, drift and 1e6 * drift
                row = (one.input.name, one.formula, one.atoms, kelvin, last, picoseconds, mean, deviation, drift, speed)
                rows.append(row)
        headers = ('structure', 'formula', 'atoms', 'T/K', 'steps', 'ps', 'mean T', 'std T', 'drift', 'ns/day')
        formats = ('', '', '', 'g', '', '.3f', '.1f', '.1f', '.2f', '.3f')
        return tabulate(rows, headers, floatfmt=formats) + '\n(drift in ueV/atom/ps)' if rows else ''


@program(output={'required': True}, batch_size=None)
@options_of(PotentialMdSettings, temperature={'multiple': True, 'help': 'Temperature (K); may be repeated.'})
@click.option(
    '--continue-from',
    'parent',
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help='Results folder of an earlier run with the same structures, to restart from.',
)
def main(structures: list[NamedStructure], program_settings: ProgramSettings, **options) -> MdRequest:
    """Molecular dynamics (NVT, Nose-Hoover chain) of each STRUCTURE, a supercell, at each temperature.

    No stored step is lost, however the program ends.
    """
    temperatures = dict.fromkeys(options.pop('temperature'))
    settings = [take(PotentialMdSettings, options | {'temperature': temperature}) for temperature in temperatures]
    outcomes = [MdOutcome(one, chosen) for one in structures for chosen in settings]
    return MdRequest(outcomes, program_settings, options['parent'])


if __name__ == '__main__':
    main()
