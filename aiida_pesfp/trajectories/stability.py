"""Faults of a molecular dynamics: drift of the conserved quantity, divergence, lost atoms."""

import numpy as np

#: eV/K; CODATA 2018.
BOLTZMANN = 8.617333262e-5
#: eV/atom/ps. A larger drift heats a crystal by hundreds of K within a picosecond and makes the trajectory meaningless.
LARGEST_DRIFT = 0.2


def energy_drift(times: np.ndarray, conserved: np.ndarray, atoms: int) -> float:
    """Slope of a linear fit to the (s,) conserved quantity, eV, at (s,) ``times``, ps: eV/atom/ps; 0 for one step."""
    if len(times) < 2:
        return 0.0
    centred = times - times.mean()
    return float(centred @ (conserved - conserved[0]) / (centred @ centred) / atoms)


def has_drifted(drift: float, duration: float, temperature: float, largest: float) -> bool:
    """Whether a drift (eV/atom/ps) ruins a dynamics of some duration (ps) at a temperature (K).

    It must exceed ``largest``, eV/atom/ps, and its total k_B T for each atom, which excludes the noise of a short run.
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

    :param temperatures: (s,) K; the thermostat's ``target`` (K) times ``temperature_factor`` is the largest allowed.
    :param energies: (s,) potential energies, eV.
    :param conserved: (s,) eV; its largest allowed change is ``energy_limit``, eV/atom.
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
    """The longest displacement of an atom within one step (ps) at (s, n, 3) ``velocities``, A/ps.

    :return: its length (A; NaN if a velocity is NaN), the index of the frame, and the index of the atom.
    """
    if not velocities.size:
        return 0.0, 0, 0
    # Frame by frame, to save memory. NaN counts as the largest.
    squares = np.array([np.einsum('ij,ij->i', frame, frame) for frame in velocities])
    frame, atom = np.unravel_index(np.argmax(squares), squares.shape)
    return float(np.sqrt(squares[frame, atom])) * timestep, int(frame), int(atom)
