"""The dynamics of a run of SIESTA: what belongs to one instant, from several of its files.

SIESTA numbers the steps of a run from 1. At the end of step k it appends to ``.MD`` (and ``.ANI``) the positions of
step k + 1 beside the velocities of step k, and to ``.MDE`` the energies of step k. ``.XV`` then holds the positions of
step k + 1 and the velocities of step k, ``.NOSE_RESTART`` the positions of step k and the thermostat.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiida_pesfp.trajectories.siesta import CorruptFile, Restart, Thermostat, read_ani, read_md

#: A. SIESTA 4 calculates with 0.529177, SIESTA 5 with CODATA 2018.
BOHR = 0.529177
_BOHR_CODATA = 0.529177210903
#: Bohr/fs. The nine decimals of .XV limit how well velocities agree with positions after a restart in the same folder.
_SEAM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class SiestaTrajectory:
    """Complete steps of a run. Entries with the same index belong to the same instant.

    :param indices: (s,) number of each stored step, counted from 0 at the first step of this run.
    :param positions: (s, n, 3) A.
    :param velocities: (s, n, 3) A/ps.
    :param completed: number of complete steps, stored or not.
    :param next_positions: (n, 3) of the step after the last one, Bohr, and ``last_positions`` of that one.
    :param problem: why reading stopped before the end of a file, if it did.
    """

    indices: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    completed: int
    next_positions: np.ndarray
    last_positions: np.ndarray
    problem: str | None


def bohr_of(cell: np.ndarray, cell_in_bohr: np.ndarray) -> float:
    """Length of a Bohr in A in this SIESTA, from a cell in both units; an error if they are not the same."""
    found = np.linalg.norm(cell) / np.linalg.norm(cell_in_bohr)
    nearest = min((BOHR, _BOHR_CODATA), key=lambda value: abs(value - found))
    if not np.allclose(cell, np.asarray(cell_in_bohr) * nearest, atol=1e-5):
        raise CorruptFile(f'the cell of the .XV file is not the cell of the structure: a Bohr would be {found:.6f} A')
    return nearest


def read_dynamics(
    path: Path, labels: np.ndarray, first: np.ndarray, timestep: float, stride: int = 1, offset: int = 0, bohr=BOHR
) -> SiestaTrajectory:
    """Positions and velocities of the complete steps of a run.

    :param path: ``.MD``; or ``.ANI``, which has six decimals and no velocities: differences of positions replace them.
    :param labels: (s,) numbers of the steps in ``.MDE``. A step is complete if both files have it.
    :param first: (n, 3) positions of the first step, Bohr, which the file does not hold.
    :param timestep: fs; every ``stride``-th step is stored.
    :param offset: number of the first step in the whole dynamics, from which the stride counts.
    :raises CorruptFile: if the file cannot be read at all. The steps before a fault are kept, with the ``problem``.
    """
    atoms, indices = len(first), []
    positions, velocities = np.empty((2, len(labels) // stride + 1, atoms, 3))
    before, here, completed, problem = None, np.asarray(first, dtype=float), 0, None
    if path.suffix == '.ANI':
        frames = ((None, positions / bohr, None) for positions in read_ani(path, atoms))
    else:
        frames = read_md(path, atoms)
    try:
        for label, following, velocity in itertools.islice(frames, len(labels)):
            expected = labels[completed]
            # A step follows the one before, or is the first again where the job was started again in its folder. A
            # number of more than six digits is written as stars.
            follows = completed == 0 or expected == labels[completed - 1] + 1 or expected == 1
            if expected >= 0 and (not follows or label not in (None, expected)):
                raise CorruptFile(f'step {label} of the trajectory stands where the energies have step {expected}')
            # Velocity of Verlet's algorithm, Bohr/fs.
            start, interval = (here, timestep) if before is None else (before, 2 * timestep)
            difference = (following - start) / interval
            if velocity is None:
                velocity = difference
            elif completed and labels[completed] == 1 and np.abs(difference - velocity).max() > _SEAM_TOLERANCE:
                raise CorruptFile('a step is missing where the job was started again in its folder')
            if (offset + completed) % stride == 0:
                positions[len(indices)] = here
                velocities[len(indices)] = velocity
                indices.append(completed)
            before, here, completed = here, following, completed + 1
    except CorruptFile as error:
        problem = str(error)
    positions, velocities = positions[: len(indices)], velocities[: len(indices)]
    positions *= bohr
    velocities *= bohr * 1000
    last = here if before is None else before
    return SiestaTrajectory(np.array(indices, dtype=int), positions, velocities, completed, here, last, problem)


def restart_is_exact(restart: Restart, thermostat: Thermostat, trajectory: SiestaTrajectory) -> bool:
    """Whether ``.XV`` and ``.NOSE_RESTART`` belong to the last complete step: a restart loses and repeats nothing."""
    if restart.positions.shape != trajectory.next_positions.shape or trajectory.completed == 0:
        return False
    following = np.abs(restart.positions - trajectory.next_positions).max()
    last = np.abs(thermostat.positions - trajectory.last_positions).max()
    # .XV has nine decimals; the first position of a run is known from ten decimals in A.
    return bool(following < 2e-9 and last < 2e-9)
