"""A run of the stand-in from its input to its end, file by file in the order in which SIESTA writes them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms

from . import formats, report
from .faults import PREFIX, Faults
from .fdf import Crystal, FatalError, Fdf, normalise, read_crystal
from .journal import Journal
from .move import NoseDynamics, Relaxation, start_geometry
from .nose import kinetic_stress
from .potential import make_calculator
from .units import ANGSTROM, EV

KINDS = {'nose': 'Nose', 'cg': 'CG', 'broyden': 'CG', 'fire': 'CG'}


@dataclass
class Evaluation:
    """Energy (Ry), forces (Ry/Bohr) and static stress (Ry/Bohr^3) of one geometry."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray


class Run:
    """What a run knows; ``crystal`` is the geometry of the present step."""

    def __init__(self, fdf: Fdf, journal: Journal, faults: Faults, calculator):
        self.fdf, self.journal, self.faults, self.calculator = fdf, journal, faults, calculator
        self.crystal = read_crystal(fdf)
        self.kind = KINDS.get(normalise(fdf.text('MD.TypeOfRun', 'CG')))
        if self.kind is None:
            raise FatalError(f'The stand-in does not know MD.TypeOfRun {fdf.text("MD.TypeOfRun")}')
        self.moves = fdf.integer('MD.Steps', fdf.integer('MD.NumCGsteps', 0)) if self.kind == 'CG' else 0
        self.variable_cell = self.kind == 'CG' and fdf.boolean('MD.VariableCell', False)
        self.max_cycles = fdf.integer('MaxSCFIterations', 1000)
        self.format = fdf.text('AtomicCoordinatesFormat', 'Bohr')
        self.history = fdf.boolean('WriteMDHistory', False)
        self.animation = fdf.boolean('WriteMDXmol', not fdf.boolean('WriteCoorStep', False))
        limit = fdf.physical('MaxWalltime', np.inf, 's')
        self.deadline = limit - fdf.physical('MaxWalltime.Slack', 5.0, 's')
        self.cell_velocities = np.zeros((3, 3))
        self.crystal, self.velocities, self.restarted = start_geometry(
            fdf, self.crystal, journal, dynamics=self.kind == 'Nose'
        )
        saved = fdf.boolean('DM.UseSaveDM', fdf.boolean('UseSaveData', False))
        self.reuse_density = saved and Path(f'{journal.label}.DM').is_file()

    def evaluate(self, step: int) -> Evaluation:
        """Ask the potential, with the faults that are due."""
        crystal = self.crystal
        atoms = Atoms(
            numbers=crystal.numbers, positions=crystal.positions / ANGSTROM, cell=crystal.cell / ANGSTROM, pbc=True
        )
        atoms.calc = self.calculator
        with np.errstate(all='ignore'):
            energy = atoms.get_potential_energy() * EV
            forces = atoms.get_forces() * EV / ANGSTROM
            stress = atoms.get_stress(voigt=False) * EV / ANGSTROM**3
        if self.faults.diverge_step and step >= self.faults.diverge_step:
            # So stiff that a time step of a femtosecond is unstable.
            forces = forces * 1e4
        if self.faults.nan_step and step >= self.faults.nan_step:
            energy, forces = np.nan, np.full_like(forces, np.nan)
        return Evaluation(energy, forces, stress)

    def scf(self, step: int) -> None:
        """The SCF cycle: made up, but with the number of cycles, the messages and the time of a real one."""
        needed = self.faults.scf_cycles + (0 if self.reuse_density else 2)
        journal, cycles, change = self.journal, min(needed, self.max_cycles), 0.0
        for cycle in range(1, cycles + 1):
            if journal.seconds > self.deadline:
                self.out_of_time(step, 'OUT_OF_TIME: Time is up.', (cycle, change))
            # One digit a cycle: the last one needed is the first below the tolerance of 1e-4.
            change = 0.5 * min(1.0, 10.0 ** (needed - cycle - 4.5))
            if cycle == max(1, cycles // 2):
                self.faults.kill('scf', step)
            time.sleep(self.faults.sleep / cycles)
        if self.fdf.boolean('WriteDM', True):
            journal.replace('.DM', formats.fortran_record(np.array([len(self.crystal.numbers), 1, step], dtype='<i4')))
        self.reuse_density = True
        if needed <= self.max_cycles:
            return
        must = self.fdf.boolean('SCF.MustConverge', True)
        text = 'SCF_NOT_CONV: SCF did not converge in maximum number of steps'
        journal.message('FATAL' if must else 'WARNING', text + (' (required).' if must else '.'))
        journal.message(' (info)', f'Geom step, scf iteration, dmax:{step:5d} {cycles:5d}{change:12.6f}')
        if must:
            journal.times()
            journal.die('ABNORMAL_TERMINATION')

    def out_of_time(self, step: int, text: str, cycle: tuple[int, float] | None = None) -> None:
        """MaxWalltime is near: stop."""
        self.journal.times()
        if cycle is None:
            self.journal.message('WARNING', 'GEOM_NOT_CONV: Geometry relaxation not converged')
            self.journal.message(' (info)', f'Geometry step: {step:5d}')
        else:
            self.journal.message('WARNING', 'SCF_NOT_CONV: SCF did not converge before wall time exhaustion')
            self.journal.message(' (info)', f'Geom step, scf iteration, dmax:{step:5d} {cycle[0]:5d}{cycle[1]:12.6f}')
        self.journal.die(text)

    def write_xv(self, crystal: Crystal) -> None:
        """Where a restart begins."""
        text = formats.xv(
            crystal.species, crystal.numbers, crystal.cell, self.cell_velocities, crystal.positions, self.velocities
        )
        self.journal.replace('.XV', text)

    def begin_step(self, step: int) -> None:
        """What SIESTA writes before it computes anything."""
        crystal, journal = self.crystal, self.journal
        journal.print(report.banner(step, 'MD step' if self.kind == 'Nose' else 'CG opt. move'))
        if self.faults.due(self.faults.die_step, step + (self.kind == 'CG')):
            journal.die('sys::die called')
        journal.replace(
            '.STRUCT_OUT', formats.structure(crystal.species, crystal.numbers, crystal.cell, crystal.positions)
        )
        self.write_xv(crystal)
        if self.one_k_point() and self.inter_planar_distance() < 2 * 7.25:
            for text in report.GAMMA_WARNING:
                journal.message('WARNING', text)

    def one_k_point(self) -> bool:
        """Whether the k-grid is Gamma only."""
        mesh = self.fdf.blocks.get('kgridmonkhorstpack')
        return mesh is None or [float(row[i]) for i, row in enumerate(mesh[:3])] == [1.0, 1.0, 1.0]

    def inter_planar_distance(self) -> float:
        """The smallest of the three, in Bohr."""
        return float((1.0 / np.linalg.norm(np.linalg.inv(self.crystal.cell), axis=0)).min())

    def report_step(self, found: Evaluation) -> np.ndarray:
        """Print the energy of a step; returns the stress with the part of the velocities."""
        self.journal.print(f'\nsiesta: E_KS(eV) = {formats.fixed(found.energy / EV, 21, 4)}')
        volume = abs(np.linalg.det(self.crystal.cell))
        return found.stress - kinetic_stress(self.crystal.masses, self.velocities, volume)

    def record(
        self, step: int, after: Crystal, energies: tuple[float, float], temperature: float, stress: np.ndarray
    ) -> None:
        """What is added to .MDE, .MD and .ANI: energies of this step, positions of the next one."""
        journal, crystal = self.journal, self.crystal
        if self.history:
            first = self.fdf.integer('MD.InitialTimeStep', 1) if self.kind == 'Nose' else 0
            pressure = -np.trace(stress) / 3.0
            line = formats.mde_line(step, temperature, *energies, abs(np.linalg.det(crystal.cell)), pressure)
            journal.append('.MDE', (formats.MDE_HEADER if step == first else '') + line)
            cells = (after.cell, self.cell_velocities) if self.variable_cell else ()
            data = formats.md_record(step, after.positions, self.velocities, *cells)
            if self.faults.kill_place == 'record' and step == self.faults.kill_step:
                journal.append('.MD', data[: len(data) // 2])
                self.faults.kill('record', step)
                data = data[len(data) // 2 :]
            journal.append('.MD', data)
        if self.animation:
            journal.append('.ANI', formats.ani_frame(crystal.symbols, after.positions))

    def end_step(self, step: int) -> None:
        """Close the step, and look at the clock."""
        self.journal.flush()
        if self.journal.seconds > self.deadline:
            self.out_of_time(step, 'OUT_OF_TIME: Time is up at end of geometry step. ')

    def finish(self, relaxed: bool) -> None:
        """What SIESTA writes after its last step."""
        journal = self.journal
        if self.moves:
            if not relaxed and self.fdf.boolean('GeometryMustConverge', False):
                journal.message('FATAL', 'GEOM_NOT_CONV: Geometry relaxation not converged')
                journal.times()
                journal.die('ABNORMAL_TERMINATION')
            head = 'Relaxed' if relaxed else 'Final (unrelaxed)'
            journal.print(report.coordinates(self.crystal, self.format, head))
        journal.complete()


def molecular_dynamics(run: Run) -> None:
    """Nose dynamics from MD.InitialTimeStep to MD.FinalTimeStep."""
    fdf, journal = run.fdf, run.journal
    first, last = fdf.integer('MD.InitialTimeStep', 1), fdf.integer('MD.FinalTimeStep', 1)
    dynamics = NoseDynamics(fdf, run.crystal, run.velocities, run.restarted)
    for step in range(first, last + 1):
        run.begin_step(step)
        found = run.evaluate(step)
        run.scf(step)
        total = run.report_step(found)
        after, moved = dynamics.move(run.crystal, found.forces, journal)
        run.velocities = moved.velocities
        run.faults.kill('restart', step)
        after = replace(run.crystal, positions=after)
        run.write_xv(after)
        conserved = found.energy + moved.kinetic + moved.thermostat_kinetic + moved.thermostat_potential
        run.record(step, after, (found.energy, conserved), moved.temperature, total)
        run.end_step(step)
        run.crystal, computed = after, run.crystal
    run.crystal = computed
    run.finish(relaxed=False)


def relaxation(run: Run) -> None:
    """Relaxation (with ASE's BFGS), or a single point where there are no moves."""
    relax = Relaxation(run.fdf, run.crystal, run.variable_cell)
    for step in range(run.moves + 1):
        run.begin_step(step)
        found = run.evaluate(step + 1)
        run.scf(step)
        total = run.report_step(found)
        relaxed = run.moves > 0 and relax.converged(found.forces, found.stress)
        computed = run.crystal
        if run.moves and not relaxed:
            run.crystal = relax.move(run.crystal, found.energy, found.forces, found.stress)
            run.write_xv(run.crystal)
            after, run.crystal = run.crystal, computed
            run.record(step, after, (found.energy, found.energy), 0.0, total)
            run.crystal = after
        run.end_step(step)
        if relaxed:
            break
    run.crystal = computed
    run.finish(relaxed)


def start(text: str, journal: Journal) -> Run:
    """Read the input and write what SIESTA writes before its first step; raises FatalError."""
    fdf = Fdf.parse(text)
    journal.label = fdf.text('SystemLabel', 'siesta')
    journal.print(report.HEADER.format(start=time.strftime('%d-%b-%Y  %H:%M:%S').upper(), label=journal.label))
    task = Run(fdf, journal, Faults.from_environment(), make_calculator(os.environ.get(f'{PREFIX}CALCULATOR')))
    for label in sorted(set(task.crystal.labels)):
        if not any(Path(f'{label}.{kind}').is_file() for kind in ('psf', 'psml', 'vps', 'ion', 'ion.xml')):
            raise FatalError(f'Pseudopotential file not found: {label}.vps, {label}.psf or {label}.psml')
    return task


def run(text: str, started: float) -> None:
    """Run the input ``text`` in the current folder; ``started`` is the monotonic time at which the program began."""
    journal = Journal(started)
    try:
        task = start(text, journal)
        if task.kind == 'Nose':
            molecular_dynamics(task)
        else:
            relaxation(task)
    except FatalError as error:
        journal.die(str(error))
