"""Parser of molecular dynamics with SIESTA: a trajectory of all complete steps, however the job ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiida.engine import ExitCode
from aiida.orm import Dict, FolderData
from aiida.parsers import Parser

from aiida_pesfp.calculations.siesta_md import SiestaMdCalculation, parameters_of
from aiida_pesfp.calculations.trajectories import new_trajectory
from aiida_pesfp.parsers.program import has_died, lacked_memory, last_words
from aiida_pesfp.settings.md import SiestaMdSettings
from aiida_pesfp.trajectories import siesta
from aiida_pesfp.trajectories.siesta_dynamics import BOHR, SiestaTrajectory, bohr_of, read_dynamics, restart_is_exact
from aiida_pesfp.trajectories.stability import LARGEST_DRIFT, divergence, energy_drift, fastest_atom, has_drifted

#: No atom moves that far in one step, A, unless something is wrong: a proton at 1000 K moves 0.05 A in 1 fs.
LONGEST_WAY = 1.0
#: The self-consistent cycle has failed if the density matrix still changed by more than this in each of the last steps.
HOPELESS_CHANGE, HOPELESS_STEPS = 0.1, 10


@dataclass(frozen=True)
class Run:
    """The content of the files of one run."""

    dynamics: SiestaMdSettings
    offset: int
    source: str
    trajectory: SiestaTrajectory
    energies: siesta.Energies  # of all complete steps
    restartable: bool

    @property
    def times(self) -> np.ndarray:
        """Times of all complete steps, ps."""
        return (self.offset + np.arange(self.trajectory.completed)) * self.dynamics.timestep / 1000


class SiestaMdParser(Parser):
    """Reads the files line by line, keeps all complete steps, and reports how the run ended.

    ``restartable`` of ``output_parameters`` says whether another run can restart from this one without losing a step.
    """

    CACHE_VERSION = 1
    #: Name of the engine in ``workflows/engines.py``.
    ENGINE = 'siesta'

    def parse(self, retrieved_temporary_folder: str | None = None, **kwargs) -> ExitCode | None:
        messages = siesta.read_messages(lines_of(self.retrieved, SiestaMdCalculation._MESSAGES_FILE))
        summary = siesta.read_out(lines_of(self.retrieved, self.node.get_option('output_filename')))
        folder = Path(retrieved_temporary_folder or '.')
        if not (folder / self._name('MDE')).is_file():
            return self._without_steps(messages)
        try:
            run = self._read_run(folder)
        except siesta.CorruptFile as error:
            return self._without_steps(messages, error)
        if not run.trajectory.completed and not run.trajectory.problem:
            return self._without_steps(messages)

        self.out('output_parameters', Dict(self._parameters(run, messages, summary)))
        if len(run.trajectory.indices):
            self.out('trajectory', self._trajectory(run))
        return self._verdict(run, messages, summary)

    def _name(self, suffix: str) -> str:
        return f'{self.node.get_option("prefix")}.{suffix}'

    def _read_run(self, folder: Path) -> Run:
        structure = self.node.inputs.structure
        dynamics = SiestaMdSettings.from_dict(self.node.inputs.dynamics.get_dict())
        parent = self.node.inputs.parent_folder if 'parent_folder' in self.node.inputs else None
        restart = _or_none(siesta.read_xv, folder / self._name('XV'))
        thermostat = _or_none(siesta.read_nose_restart, folder / self._name('NOSE_RESTART'))
        bohr = BOHR if restart is None else bohr_of(np.array(structure.cell), restart.cell)

        before = _or_none(siesta.read_xv, folder / SiestaMdCalculation.PARENT_XV)
        # Without a parent the first positions are those of the input file, which rounds them.
        given = np.round([site.position for site in structure.sites], 10) / bohr
        first = given if before is None else before.positions
        source = 'MD' if (folder / self._name('MD')).is_file() else 'ANI'
        if not (folder / self._name(source)).is_file():
            raise siesta.CorruptFile(f'there are energies, but neither {self._name("MD")} nor {self._name("ANI")}')
        energies, offset = siesta.read_mde(folder / self._name('MDE')), parameters_of(parent).get('last_step', -1) + 1
        chosen = {'timestep': dynamics.timestep, 'stride': dynamics.stride, 'offset': offset, 'bohr': bohr}
        trajectory = read_dynamics(folder / self._name(source), energies.steps, first, **chosen)
        energies = siesta.Energies(*(column[: trajectory.completed] for column in vars(energies).values()))
        restartable = source == 'MD' and restart is not None and thermostat is not None
        restartable = restartable and restart_is_exact(restart, thermostat, trajectory)
        return Run(dynamics, offset, source, trajectory, energies, restartable)

    def _parameters(self, run: Run, messages: siesta.Messages, summary: siesta.Summary) -> dict:
        finite = run.energies.temperatures[np.isfinite(run.energies.temperatures)]
        drift = energy_drift(run.times, run.energies.conserved, len(self.node.inputs.structure.sites))
        return {
            'steps': run.trajectory.completed,
            'last_step': run.offset + run.trajectory.completed - 1,
            'temperature_mean': float(finite.mean()) if len(finite) else None,
            'temperature_std': float(finite.std()) if len(finite) else None,
            'energy_drift': drift if np.isfinite(drift) else None,
            'seconds': summary.seconds,
            'unconverged_steps': len(messages.unconverged),
            'restartable': run.restartable,
            'source': run.source,
            'siesta_version': summary.version,
            'messages': list(messages.fatal),
        }

    def _trajectory(self, run: Run):
        structure, indices = self.node.inputs.structure, run.trajectory.indices
        arrays = {
            'positions': run.trajectory.positions,
            'velocities': run.trajectory.velocities,
            'cells': np.repeat(np.array(structure.cell)[None], len(indices), axis=0),
            'times': run.times[indices],
            **{name: getattr(run.energies, name)[indices] for name in ('energies', 'temperatures', 'conserved')},
        }
        attributes = {
            'timestep_fs': float(run.dynamics.timestep),
            'temperature': float(run.dynamics.temperature),
            'stride': run.dynamics.stride,
            'engine': self.ENGINE,
        }
        symbols = [structure.get_kind(site.kind_name).symbol for site in structure.sites]
        trajectory = new_trajectory(symbols, run.offset + indices, arrays, attributes)
        trajectory.label = structure.label or structure.get_formula()
        return trajectory

    def _verdict(self, run: Run, messages: siesta.Messages, summary: siesta.Summary) -> ExitCode | None:
        codes, trajectory, energies = self.exit_codes, run.trajectory, run.energies
        if 'parent_folder' in self.node.inputs and not summary.thermostat_read:
            return codes.ERROR_NOT_RESTARTED.format(reason='the thermostat was not read; was its folder cleaned?')
        atoms, target = len(self.node.inputs.structure.sites), run.dynamics.temperature
        if reason := divergence(energies.temperatures, energies.energies, energies.conserved, atoms, target):
            return codes.ERROR_DIVERGED.format(reason=reason)
        length, frame, atom = fastest_atom(trajectory.velocities, run.dynamics.timestep / 1000)
        if not length < LONGEST_WAY:
            step = run.offset + trajectory.indices[frame]
            return codes.ERROR_ATOMS_LOST.format(reason=f'atom {atom} moves {length:.1f} A within step {step}')
        if trajectory.problem:
            return codes.ERROR_CORRUPT_OUTPUT.format(reason=trajectory.problem)
        if _scf_is_hopeless(messages, trajectory.completed):
            reason = (
                f'the density still changed by more than {HOPELESS_CHANGE} in each of the last {HOPELESS_STEPS} steps'
            )
            return codes.ERROR_SCF_FAILED.format(reason=reason)
        drift = energy_drift(run.times, energies.conserved, atoms)
        if has_drifted(drift, run.times[-1] - run.times[0], target, LARGEST_DRIFT):
            return codes.ERROR_ENERGY_DRIFT.format(drift=drift)
        if trajectory.completed >= run.dynamics.steps:
            return None
        return self._unfinished(messages)

    def _unfinished(self, messages: siesta.Messages) -> ExitCode:
        """Why a run has fewer steps than it should."""
        codes, scheduler = self.exit_codes, self.node.exit_status
        if lacked_memory(self.node):
            return codes.ERROR_OUT_OF_MEMORY
        if messages.out_of_time or scheduler == codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status:
            return codes.ERROR_OUT_OF_WALLTIME
        reason = '; '.join(messages.fatal)
        if 'split options' in reason:
            return codes.SPLIT_NORM
        if 'SCF_NOT_CONV' in reason:
            return codes.ERROR_SCF_FAILED.format(reason=reason)
        if messages.fatal:
            return codes.ERROR_FATAL.format(reason=f'{reason} (see {self.node.get_option("output_filename")})')
        if messages.completed:
            return codes.ERROR_CORRUPT_OUTPUT.format(reason='SIESTA finished, but steps are missing')
        return codes.ERROR_INTERRUPTED

    def _without_steps(self, messages: siesta.Messages, error: Exception | None = None) -> ExitCode:
        """The exit code of a run without a complete step."""
        codes, names = self.exit_codes, self.retrieved.base.repository.list_object_names()
        if error is not None:
            return codes.ERROR_CORRUPT_OUTPUT.format(reason=str(error))
        exit_code = self._unfinished(messages)
        silent = SiestaMdCalculation._MESSAGES_FILE not in names
        if exit_code == codes.ERROR_INTERRUPTED and silent and not has_died(self.retrieved):
            return codes.ERROR_NO_OUTPUT.format(reason=last_words(self.node))
        return exit_code


def lines_of(retrieved: FolderData, name: str) -> Iterator[str]:
    """Lines of a retrieved file, one by one; none if it is missing."""
    if name in retrieved.base.repository.list_object_names():
        with retrieved.base.repository.open(name, 'rb') as stream:
            yield from (line.decode('utf-8', 'replace') for line in stream)


def _or_none(reader, path: Path):
    """The content of a file; None if it is missing or incomplete."""
    try:
        return reader(path)
    except (OSError, siesta.CorruptFile):
        return None


def _scf_is_hopeless(messages: siesta.Messages, completed: int) -> bool:
    last = messages.unconverged[-HOPELESS_STEPS:]
    if len(last) < HOPELESS_STEPS or last[0][0] <= completed - HOPELESS_STEPS:
        return False
    return min(change for _, change in last) > HOPELESS_CHANGE
