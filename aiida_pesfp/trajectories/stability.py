"""Faults of a molecular dynamics: drift of the conserved quantity, divergence, lost atoms."""

from __future__ import annotations

import numpy as np

#: eV/K; CODATA 2018.
BOLTZMANN = 8.617333262e-5
#: eV/atom/ps. A larger drift heats a crystal by hundreds of K within a picosecond and makes the trajectory meaningless.
LARGEST_DRIFT = 0.2


def energy_drift(times: np.ndarray, conserved: np.ndarray, atoms: int) -> float:
    """Drift of the conserved quantity: slope of its linear fit.

    :param times: ps, shape (s,).
    :param conserved: eV, shape (s,).
    :return: eV/atom/ps; 0 for fewer than two steps.
    """
    if len(times) < 2:
        return 0.0
    centred = times - times.mean()
    return float(centred @ (conserved - conserved[0]) / (centred @ centred) / atoms)


def has_drifted(drift: float, duration: float, temperature: float, largest: float) -> bool:
    """Whether a drift ruins a dynamics: it is too large, and its total exceeds k_B T for each atom.

    The second condition excludes the noise of a short run.

    :param drift: eV/atom/ps.
    :param duration: ps.
    :param temperature: K.
    :param largest: eV/atom/ps.
    """
    return abs(drift) > largest and abs(drift) * duration > BOLTZMANN * temperature


def divergence(
    temperatures: np.ndarray,
    energies: np.ndarray,
    conserved: np.ndarray,
    atoms: int,
    target: float,
    temperature_factor: float = 10.0,
    energy_limit: float = 1.0,
) -> str | None:
    """Why a dynamics has diverged; None if it has not.

    :param temperatures: K, shape (s,).
    :param energies: potential energies, eV, shape (s,).
    :param conserved: eV, shape (s,).
    :param target: temperature of the thermostat, K.
    :param temperature_factor: largest allowed temperature, in units of the target.
    :param energy_limit: largest allowed change of the conserved quantity, eV/atom.
    """
    if not len(temperatures):
        return None
    finite = np.isfinite(temperatures) & np.isfinite(energies) & np.isfinite(conserved)
    if not finite.all():
        return f'temperature or energy is not a number at step {np.argmin(finite)}'
    hot = temperatures > temperature_factor * target
    if hot.any():
        step = np.argmax(hot)
        return f'the temperature is {temperatures[step]:.0f} K at step {step}, with a target of {target:g} K'
    away = np.abs(conserved - conserved[0]) / atoms
    if away.max() > energy_limit:
        step = np.argmax(away > energy_limit)
        return f'the conserved quantity has changed by {away[step]:.2f} eV/atom at step {step}'
    return None


def fastest_atom(velocities: np.ndarray, timestep: float) -> tuple[float, int, int]:
    """The longest displacement of an atom within one step.

    :param velocities: A/ps, shape (s, n, 3).
    :param timestep: ps.
    :return: its length (A; NaN if a velocity is NaN), the index of the frame, and the index of the atom.
    """
    longest, where = 0.0, (0, 0)
    for i, frame in enumerate(velocities):
        squares = np.einsum('ij,ij->i', frame, frame)
        atom = int(np.argmax(squares))
        if np.isnan(squares[atom]):
            return float('nan'), i, atom
        if squares[atom] > longest:
            longest, where = float(squares[atom]), (i, atom)
    return float(np.sqrt(longest)) * timestep, *where
