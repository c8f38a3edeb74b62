"""Reader of the files of ``pesfp-md``.

A frame is an ASE ``Atoms`` in ASE's ``.traj`` format: positions that are not wrapped, momenta and potential energy, all
in double precision. Its ``info`` has ``step``, counted from the start of the whole dynamics, the thermostat's ``eta``
and ``p_eta``, its ``conserved`` quantity (eV), and the ``seconds`` of computing since the run began. So the dynamics
can resume exactly from every stored frame. A truncated last frame is not counted.
"""

from collections import defaultdict
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.io import Trajectory

from aiida_pesfp.trajectories.stability import energy_drift

#: Files of one dynamics: its stored frames, the last state if the dynamics stopped between two of them, its settings.
TRAJECTORY, CHECKPOINT, SETTINGS = 'trajectory.traj', 'checkpoint.traj', 'dynamics.json'
#: ASE's unit of time is A sqrt(u/eV).
_PER_PICOSECOND = 1000 * units.fs


def temperature(kinetic_energy: float, number_of_atoms: int) -> float:
    """Instantaneous temperature, K, of the kinetic energy, eV, of all atoms. Their centre of mass is at rest."""
    return 2 * kinetic_energy / ((3 * number_of_atoms - 3) * units.kB)


def count_frames(path: Path) -> int:
    """Number of complete frames of a file; 0 if there is no file or no complete frame.

    :raises OSError: if the file is damaged.
    """
    if not path.exists() or path.stat().st_size == 0:
        return 0
    with Trajectory(path) as frames:
        return len(frames)


def last_frame(path: Path) -> Atoms | None:
    """The last complete frame of a file, if there is one."""
    return ase.io.read(path, index=-1, format='traj') if count_frames(path) else None


def last_state(folder: Path) -> Atoms | None:
    """The latest state of the dynamics in a folder, if there is one."""
    found = [last_frame(folder / name) for name in (TRAJECTORY, CHECKPOINT)]
    return max((frame for frame in found if frame is not None), key=lambda frame: frame.info['step'], default=None)


def read_frames(path: Path, timestep: float) -> tuple[list[str], dict[str, np.ndarray]]:
    """Symbols of the n atoms, and the s frames of a file as arrays.

    :param timestep: fs.
    :returns: ``steps`` (s,); ``times`` (s,), ps; ``positions`` (s, n, 3), A; ``velocities`` (s, n, 3), A/ps; ``cells``
        (s, 3, 3), A; ``energies`` (s,), potential, eV; ``temperatures`` (s,), K; ``conserved`` (s,), eV.
    :raises ValueError: if the file holds no complete frame.
    """
    if not count_frames(path):
        raise ValueError(f'{path.name} holds no frame')
    columns = defaultdict(list)
    with Trajectory(path) as frames:
        for atoms in frames:
            columns['steps'].append(atoms.info['step'])
            columns['times'].append(atoms.info['step'] * timestep / 1000)
            columns['positions'].append(atoms.positions)
            columns['velocities'].append(atoms.get_velocities() * _PER_PICOSECOND)
            columns['cells'].append(atoms.cell.array)
            columns['energies'].append(atoms.get_potential_energy())
            columns['temperatures'].append(temperature(atoms.get_kinetic_energy(), len(atoms)))
            columns['conserved'].append(atoms.info['conserved'])
    return list(atoms.symbols), {name: np.array(values) for name, values in columns.items()}


def statistics(times: np.ndarray, temperatures: np.ndarray, conserved: np.ndarray, atoms: int) -> dict[str, float]:
    """How well the thermostat worked: mean and spread of the temperature (K), and the drift (eV/atom/ps).

    :param times: (s,) ps; beside them the (s,) ``temperatures``, K, and the (s,) ``conserved`` quantity, eV.
    """
    return {
        'temperature_mean': float(np.mean(temperatures)),
        'temperature_std': float(np.std(temperatures)),
        'energy_drift': energy_drift(times, conserved, atoms),
    }
