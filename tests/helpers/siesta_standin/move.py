"""How the atoms move from step to step: Nose dynamics with its restart files, and relaxation through ASE."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from . import formats
from .fdf import Crystal, FatalError, Fdf
from .journal import Journal
from .nose import XV_DIGITS, Step, Thermostat, boltzmann_velocities, nose_step, old_positions
from .units import ANGSTROM, EV


def start_geometry(fdf: Fdf, crystal: Crystal, journal: Journal, dynamics: bool) -> tuple[Crystal, np.ndarray, bool]:
    """Geometry and velocities (n, 3) to begin with, and whether they come from an ``.XV`` file."""
    path = Path(f'{journal.label}.XV')
    if not fdf.boolean('MD.UseSaveXV', fdf.boolean('UseSaveData', False)):
        found = False
    elif found := path.is_file():
        journal.print('\nioxv: Reading coordinates and velocities from file')
        journal.print('! Info in XV file prevails over previous structure input')
    else:
        journal.print('\nsiesta: WARNING: XV file not found')
    if not found:
        temperature = fdf.physical('MD.InitialTemperature', 0.0, 'K') if dynamics else 0.0
        # What an .XV file can hold, so that a restart has the very same cell.
        start = replace(crystal, cell=np.round(crystal.cell, XV_DIGITS))
        return start, boltzmann_velocities(crystal.masses, temperature), False

    cell, positions, velocities = formats.read_xv(path.read_text())
    if len(positions) != len(crystal.numbers):
        raise FatalError('ioxv: the number of atoms in the XV file differs')
    restart = f'{journal.label}.NOSE_RESTART'
    if dynamics and not Path(restart).is_file():
        journal.print(f'WARNING: {restart} not found--reading only XV file and moving back 1 time step using Euler')
        positions = positions - fdf.physical('MD.LengthTimeStep', 1.0, 'fs') * velocities
    return replace(crystal, cell=cell, positions=positions), velocities, True


class NoseDynamics:
    """Nose dynamics; goes on from ``.NOSE_RESTART`` where an ``.XV`` file was read."""

    def __init__(self, fdf: Fdf, crystal: Crystal, velocities: np.ndarray, restarted: bool):
        self.crystal, self.velocities, self.restarted = crystal, velocities, restarted
        self.thermostat = Thermostat(
            target=fdf.physical('MD.TargetTemperature', 0.0, 'K'),
            mass=fdf.physical('MD.NoseMass', 100.0, 'Ry*fs**2'),
            timestep=fdf.physical('MD.LengthTimeStep', 1.0, 'fs'),
        )
        self.before: np.ndarray | None = None

    def _first(self, crystal: Crystal, forces: np.ndarray, journal: Journal) -> np.ndarray:
        """Positions one step before the first."""
        dt, path = self.thermostat.timestep, Path(f'{journal.label}.NOSE_RESTART')
        if not (self.restarted and path.is_file()):
            return old_positions(crystal.positions, self.velocities, forces, crystal.masses, dt)
        old_dt, self.thermostat.s, self.thermostat.s_old, before = formats.read_nose_restart(path.read_text())
        if len(before) != len(crystal.numbers):
            raise FatalError('Wrong number of atoms in NOSE_RESTART')
        journal.print(' MD restart: Read old positions and Nose variables from NOSE_RESTART')
        if abs(old_dt - dt) > 1e-8:
            journal.print(f' **WARNING: Timestep has changed. Old: {formats.free(old_dt)} New: {formats.free(dt)}')
            journal.print(' **WARNING: Approximating old positions.')
            before = before - (dt - old_dt) * self.velocities
        return before

    def move(self, crystal: Crystal, forces: np.ndarray, journal: Journal) -> tuple[np.ndarray, Step]:
        """Positions of the next step, and what belongs to this one; writes ``.NOSE_RESTART``."""
        if self.before is None:
            self.before = self._first(crystal, forces, journal)
        with np.errstate(all='ignore'):
            after, step = nose_step(crystal.positions, self.before, forces, crystal.masses, self.thermostat)
        self.before = crystal.positions
        state = self.thermostat
        journal.replace(
            '.NOSE_RESTART',
            formats.nose_restart(state.timestep, state.s, state.s_old, crystal.numbers, self.before),
        )
        return after, step


class Relaxation:
    """BFGS steps of the atoms, and of the cell where it is variable."""

    def __init__(self, fdf: Fdf, crystal: Crystal, variable_cell: bool):
        # Imported here because it takes a second, and dynamics do not need it.
        from ase.filters import FrechetCellFilter
        from ase.optimize import BFGS

        self.variable_cell = variable_cell
        self.force_tolerance = fdf.physical('MD.MaxForceTol', 0.00155574, 'Ry/Bohr')
        self.stress_tolerance = fdf.physical('MD.MaxStressTol', 6.79773e-5, 'Ry/Bohr**3')
        self.pressure = fdf.physical('MD.TargetPressure', 0.0, 'Ry/Bohr**3')
        self.atoms = Atoms(
            numbers=crystal.numbers, positions=crystal.positions / ANGSTROM, cell=crystal.cell / ANGSTROM, pbc=True
        )
        longest = fdf.physical('MD.MaxDispl', fdf.physical('MD.MaxCGDispl', 0.2, 'Bohr'), 'Bohr') / ANGSTROM
        pressure = self.pressure * ANGSTROM**3 / EV
        moving = FrechetCellFilter(self.atoms, scalar_pressure=pressure) if variable_cell else self.atoms
        self.optimizer = BFGS(moving, logfile=None, maxstep=longest)

    def converged(self, forces: np.ndarray, stress: np.ndarray) -> bool:
        """SIESTA's criterion: every component of the forces, and of the stress of a variable cell."""
        if not np.abs(forces).max() < self.force_tolerance:
            return False
        return not self.variable_cell or np.abs(stress + self.pressure * np.eye(3)).max() < self.stress_tolerance

    def move(self, crystal: Crystal, energy: float, forces: np.ndarray, stress: np.ndarray) -> Crystal:
        """The next geometry."""
        self.atoms.calc = SinglePointCalculator(
            self.atoms,
            energy=energy / EV,
            forces=forces * ANGSTROM / EV,
            stress=stress * ANGSTROM**3 / EV,
        )
        self.optimizer.step()
        return replace(crystal, positions=self.atoms.positions * ANGSTROM, cell=np.array(self.atoms.cell) * ANGSTROM)
