"""Nose dynamics in the Verlet form that SIESTA integrates, and the velocities it starts from.

The equations (S. Nose, doi:10.1080/00268978400101201; W. G. Hoover, doi:10.1103/PhysRevA.31.1695), with s' the friction
and K the kinetic energy::

    x'' = F/m - s' x'        Q s'' = 2 (K - K_target)

central differences for all derivatives, so that velocities and temperature belong to the positions before the step.
Conserved: E + K + Q s'^2 / 2 + 2 K_target s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .units import BOLTZMANN, FORCE_TO_ACCELERATION

XV_DIGITS = 9


@dataclass
class Thermostat:
    """The thermostat's settings and its variable ``s`` at this step and the one before."""

    target: float
    mass: float
    timestep: float
    s: float = 0.0
    s_old: float = 0.0


@dataclass
class Step:
    """What one step gives: ``velocities`` (Bohr/fs), energies (Ry) and temperature (K) at its beginning."""

    velocities: np.ndarray
    kinetic: float
    thermostat_kinetic: float
    thermostat_potential: float
    temperature: float


def degrees_of_freedom(n_atoms: int) -> int:
    """3N - 3: the centre of mass does not move."""
    return 3 * n_atoms - 3 if n_atoms > 1 else 3


def kinetic_energy(velocities: np.ndarray, masses: np.ndarray) -> float:
    """Kinetic energy in Ry of velocities (n, 3) in Bohr/fs."""
    return 0.5 * float((masses[:, None] * velocities**2).sum()) / FORCE_TO_ACCELERATION


def kinetic_stress(masses: np.ndarray, velocities: np.ndarray, volume: float) -> np.ndarray:
    """Momentum flux (3, 3) in Ry/Bohr^3; the total stress is the static one less this."""
    return velocities.T @ (masses[:, None] * velocities) / FORCE_TO_ACCELERATION / volume


def boltzmann_velocities(masses: np.ndarray, temperature: float) -> np.ndarray:
    """Random velocities (n, 3) in Bohr/fs without net momentum, at this temperature exactly; always the same ones."""
    velocities = np.random.default_rng(17).normal(size=(len(masses), 3)) / np.sqrt(masses)[:, None]
    velocities -= (masses[:, None] * velocities).sum(0) / masses.sum()
    wished = 0.5 * degrees_of_freedom(len(masses)) * BOLTZMANN * temperature
    return velocities * np.sqrt(wished / kinetic_energy(velocities, masses))


def old_positions(
    positions: np.ndarray, velocities: np.ndarray, forces: np.ndarray, masses: np.ndarray, dt: float
) -> np.ndarray:
    """Positions one step earlier, from those of now, to second order."""
    accelerations = FORCE_TO_ACCELERATION * forces / masses[:, None]
    return positions - dt * velocities + 0.5 * dt**2 * accelerations


def nose_step(
    positions: np.ndarray,
    before: np.ndarray,
    forces: np.ndarray,
    masses: np.ndarray,
    thermostat: Thermostat,
) -> tuple[np.ndarray, Step]:
    """Positions (n, 3) one step later, and what belongs to this step; moves the thermostat on.

    ``before`` are the positions one step earlier; Bohr, Ry/Bohr. The new positions are rounded to what an .XV file
    holds, so that a run that goes on from one is the same to the last bit.
    """
    dt = thermostat.timestep
    target = 0.5 * degrees_of_freedom(len(masses)) * BOLTZMANN * thermostat.target
    accelerations = FORCE_TO_ACCELERATION * forces / masses[:, None]
    free = (2.0 * (positions - before) + dt**2 * accelerations) / (2.0 * dt)
    free_kinetic = kinetic_energy(free, masses)

    s_new = 2.0 * thermostat.s - thermostat.s_old
    for _ in range(200):
        friction = (s_new - thermostat.s_old) / (2.0 * dt)
        scale = 1.0 / (1.0 + 0.5 * dt * friction)
        last, drive = s_new, 2.0 * (scale**2 * free_kinetic - target)
        s_new = 2.0 * thermostat.s - thermostat.s_old + dt**2 * drive / thermostat.mass
        if not abs(s_new - last) > 1e-14 * abs(last):
            break
    friction = (s_new - thermostat.s_old) / (2.0 * dt)
    scale = 1.0 / (1.0 + 0.5 * dt * friction)

    velocities = scale * free
    after = np.round(before + 2.0 * dt * velocities, XV_DIGITS)
    kinetic = kinetic_energy(velocities, masses)
    step = Step(
        velocities=velocities,
        kinetic=kinetic,
        thermostat_kinetic=0.5 * thermostat.mass * friction**2,
        thermostat_potential=2.0 * target * thermostat.s,
        temperature=kinetic / (0.5 * degrees_of_freedom(len(masses)) * BOLTZMANN),
    )
    thermostat.s_old, thermostat.s = thermostat.s, s_new
    return after, step
