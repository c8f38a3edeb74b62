"""Molecular dynamics of one structure: ASE's integrator, which resumes exactly.

The state of the dynamics is that of the last stored frame, or of a checkpoint that was written between two frames; see
:mod:`aiida_pesfp.trajectories.ours`.
"""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import Trajectory
from ase.io.trajectory import TrajectoryWriter
from ase.md.nose_hoover_chain import NoseHooverChainNVT, NoseHooverChainThermostat
from ase.md.velocitydistribution import Stationary, thermalize_momenta

from aiida_pesfp import errors
from aiida_pesfp.fingerprint.scan import LARGEST_ENERGY
from aiida_pesfp.programs.calculators import evaluated
from aiida_pesfp.programs.checkpoint import replacing, write_json, writing
from aiida_pesfp.settings.md import PotentialMdSettings
from aiida_pesfp.trajectories.ours import CHECKPOINT, SETTINGS, TRAJECTORY, count_frames, last_state, temperature

#: A kinetic energy above this, eV, or above so many k T, destroys any crystal: some 10 eV displace an ion for good. The
#: thermal probability of 100 k T is 1e-42.
FASTEST, FASTEST_THERMAL = 10.0, 100.0
#: The same for the instantaneous temperature, K, and in units of the target.
HOTTEST, HOTTEST_RELATIVE = 10_000.0, 20.0


class Integrator(NoseHooverChainNVT):
    """ASE's Nose-Hoover chain for atoms whose centre of mass is at rest."""

    def __init__(self, atoms: Atoms, settings: PotentialMdSettings, state: Atoms | None = None):
        """The atoms have momenta and a calculator; ``state`` is the :meth:`frame` from which they came, if any."""
        thermostat_time = settings.thermostat_time * units.fs
        super().__init__(atoms, settings.timestep * units.fs, settings.temperature, thermostat_time)
        # ASE's own thermostat heats 3N degrees of freedom. That of N - 1 atoms heats the 3N - 3 that there are.
        self._thermostat = NoseHooverChainThermostat(len(atoms) - 1, self.masses, settings.temperature, thermostat_time)
        if state is not None:
            self._thermostat._eta[:] = state.info['eta']
            self._thermostat._p_eta[:] = state.info['p_eta']
            self.nsteps = state.info['step']

    def frame(self, seconds: float) -> Atoms:
        """The state, with all that a restart needs."""
        atoms, thermostat = self.atoms, self._thermostat
        energy = atoms.get_potential_energy()
        info = {
            'step': self.nsteps,
            'eta': thermostat._eta.tolist(),
            'p_eta': thermostat._p_eta.tolist(),
            'conserved': float(energy + atoms.get_kinetic_energy() + thermostat.get_thermostat_energy()),
            'seconds': seconds,
        }
        frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True, momenta=atoms.get_momenta(), info=info)
        frame.calc = SinglePointCalculator(frame, energy=float(energy))
        return frame


class Run:
    """The dynamics of one structure, and its files.

    :ivar first: step from which this run started; 0, unless it restarts from another run.
    :ivar saved: the last step whose state is in the folder; None before the first.
    :ivar seconds: of computing, over all calls.
    """

    def __init__(
        self, atoms: Atoms, settings: PotentialMdSettings, folder: Path, marks: dict, parent: Path | None = None
    ):
        """Start, or resume what an earlier call left in ``folder``.

        :param atoms: the initial structure with a calculator.
        :param marks: what two runs must share to be parts of one dynamics, apart from the settings.
        :param parent: folder of a run from which this one restarts.
        :raises CannotContinue: if the files there belong to another dynamics.
        """
        if len(atoms) < 2:
            raise errors.InvalidCell('a single atom at rest has no dynamics: give a supercell')
        self.settings, self.folder = settings, folder
        arrays = (atoms.numbers, atoms.cell.array, atoms.positions)
        mark = hashlib.sha256(b''.join(array.tobytes() for array in arrays)).hexdigest()
        self._marks = {'structure_sha256': mark, **marks, **settings.as_dict()}
        del self._marks['steps']  # a run may be prolonged
        state, self.first = self._earlier_state(parent)
        if state is None:
            self.seconds, self.saved = 0.0, None
            thermalize_momenta(atoms, settings.temperature, rng=np.random.default_rng(settings.seed))
            Stationary(atoms, preserve_temperature=False)
        else:
            self.seconds, self.saved = state.info['seconds'], state.info['step']
            atoms.positions = state.positions
            atoms.set_momenta(state.get_momenta())
        self._integrator = Integrator(atoms, settings, state)

    @property
    def step(self) -> int:
        """The present step, counted from the start of the whole dynamics."""
        return self._integrator.nsteps

    @property
    def temperature(self) -> float:
        """The instantaneous temperature, K."""
        return temperature(self._integrator.atoms.get_kinetic_energy(), len(self._integrator.atoms))

    def advance(self, last: int, checkpoint_interval: float, on_step: Callable[[], None]) -> None:
        """Run the steps up to ``last``, and store every stride-th.

        :param checkpoint_interval: most seconds of work that are not on disk.
        :param on_step: called after each step. It may raise ``Stopped``.
        :raises DynamicsDiverged: if the atoms fly apart. The steps stored before are good.
        :raises EvaluationFailed: if the calculator fails.
        :raises OutOfMemory: if the structure is too large for the device.
        """
        clock = saved = time.monotonic()
        evaluated(self._integrator.atoms.get_forces, f'at step {self.step} of the dynamics')
        self._check()
        path = self.folder / TRAJECTORY
        with writing(path), Trajectory(path, 'a' if count_frames(path) else 'w') as trajectory:
            if self.step % self.settings.stride == 0:
                self.save(trajectory)
            while self.step < last:
                evaluated(lambda: self._integrator.run(1), f'after step {self.step} of the dynamics')
                self._check()
                now = time.monotonic()
                self.seconds, clock = self.seconds + now - clock, now
                due = self.step % self.settings.stride == 0
                if due or now - saved > checkpoint_interval:
                    self.save(trajectory if due else None)
                    saved = now
                on_step()
        self.save()

    def save(self, trajectory: TrajectoryWriter | None = None) -> None:
        """Write the present state, unless it is on disk: as a frame of a trajectory, or as a checkpoint."""
        if self.saved != self.step:
            frame = self._integrator.frame(self.seconds)
            write_checkpoint(self.folder, frame) if trajectory is None else trajectory.write(frame)
            self.saved = self.step

    def _check(self) -> None:
        atoms, target = self._integrator.atoms, self.settings.temperature
        energies = (atoms.get_momenta() ** 2).sum(axis=1) / (2 * atoms.get_masses())
        now, fastest = temperature(energies.sum(), len(atoms)), int(np.argmax(energies))
        if not abs(energies.sum() + atoms.get_potential_energy()) < LARGEST_ENERGY:
            what = 'an energy is not finite'
        elif energies[fastest] > max(FASTEST, FASTEST_THERMAL * units.kB * target):
            what = f'atom {fastest} ({atoms.symbols[fastest]}) has a kinetic energy of {energies[fastest]:.1f} eV'
        elif now > max(HOTTEST, HOTTEST_RELATIVE * target):
            what = f'the temperature is {now:.0f} K'
        else:
            return
        picoseconds = self.step * self.settings.timestep / 1000
        raise errors.DynamicsDiverged(
            f'at step {self.step} ({picoseconds:.3f} ps) of the dynamics at {target:g} K {what}: relax the structure '
            'first, take a shorter time step, or another potential. The steps stored before are kept'
        )

    def _earlier_state(self, parent: Path | None) -> tuple[Atoms | None, int]:
        """The state to resume or restart from, if any, and the step at which this run started."""
        path = self.folder / SETTINGS
        if path.exists():
            found = self._read_marks(path)
            self._check_marks(found, self._marks, self.folder)
            return last_state(self.folder), found['first_step']
        state, first = None, 0
        if parent is not None:
            state = last_state(parent)
            if state is None or not (parent / SETTINGS).exists():
                raise errors.CannotContinue(f'there is no dynamics in {parent} to restart from')
            expected = {name: self._marks[name] for name in self._marks if name not in ('seed', 'stride')}
            self._check_marks(self._read_marks(parent / SETTINGS), expected, parent)
            state.info['seconds'], first = 0.0, state.info['step']
            write_checkpoint(self.folder, state)
        write_json(path, self._marks | {'first_step': first})
        return state, first

    @staticmethod
    def _read_marks(path: Path) -> dict:
        try:
            return {'first_step': 0} | json.loads(path.read_text())
        except (OSError, ValueError, TypeError) as error:
            raise errors.CannotContinue(f'{path} is damaged ({error}): discard this dynamics with --fresh') from error

    @staticmethod
    def _check_marks(found: dict, expected: dict, folder: Path) -> None:
        differ = [name for name, value in expected.items() if found.get(name) != value]
        if differ:
            reasons = '; '.join(f'{name} {found.get(name)}, not {expected[name]}' for name in differ)
            raise errors.CannotContinue(
                f'{folder} holds another dynamics ({reasons}): take another output folder, or discard it with --fresh'
            )


def write_checkpoint(folder: Path, frame: Atoms) -> None:
    """Write one frame as a whole."""
    with replacing(folder / CHECKPOINT) as partial, Trajectory(partial, 'w') as trajectory:
        trajectory.write(frame)
