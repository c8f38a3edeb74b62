"""Readers of the files that SIESTA writes in molecular dynamics, of any length within little memory.

SIESTA numbers the steps of a run from 1. At the end of step k it appends to ``.MD`` (and ``.ANI``) the positions of
step k + 1 beside the velocities of step k, and to ``.MDE`` the energies of step k. ``.XV`` then holds the positions of
step k + 1 and the velocities of step k, ``.NOSE_RESTART`` the positions of step k and the thermostat.
:func:`read_dynamics` puts together what belongs to one instant. Everything after the last whole step, as a killed run
leaves it, is left out.
"""

from __future__ import annotations

import itertools
import os
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

#: A. SIESTA 4 calculates with 0.529177, SIESTA 5 with CODATA 2018.
BOHR = 0.529177
_BOHR_CODATA = 0.529177210903
#: Bohr/fs. Velocities at a restart within one folder agree with the positions as far as the nine decimals of .XV allow.
_SEAM_TOLERANCE = 1e-6


class CorruptFile(Exception):
    """A file is not what SIESTA writes, or not of this run."""


@dataclass(frozen=True)
class Restart:
    """What SIESTA goes on from. Units of SIESTA: Bohr, fs.

    :param positions: of the next step, shape (n, 3).
    :param velocities: of the last step, shape (n, 3).
    """

    cell: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray


@dataclass(frozen=True)
class Thermostat:
    """The Nose thermostat between two steps; ``positions`` (n, 3), Bohr, are of the last step."""

    timestep: float
    variable: float
    previous: float
    positions: np.ndarray


@dataclass(frozen=True)
class Messages:
    """What ``MESSAGES`` says.

    :param completed: whether the job came to its end.
    :param fatal: why it did not.
    :param unconverged: steps whose SCF did not converge, each with the last change of the density matrix.
    """

    completed: bool
    fatal: tuple[str, ...]
    unconverged: tuple[tuple[int, float], ...]

    @property
    def out_of_time(self) -> bool:
        return any('OUT_OF_TIME' in line for line in self.fatal)


@dataclass(frozen=True)
class Summary:
    """What only the text output says."""

    version: str | None
    seconds: float | None
    unrelaxed: bool
    thermostat_read: bool
    completed: bool


@dataclass(frozen=True)
class Energies:
    """Columns of ``.MDE``, each of shape (s,): step as labelled, K, eV, eV, A^3, kbar."""

    steps: np.ndarray
    temperatures: np.ndarray
    energies: np.ndarray
    conserved: np.ndarray
    volumes: np.ndarray
    pressures: np.ndarray


@dataclass(frozen=True)
class SiestaTrajectory:
    """Whole steps of a run; all arrays of one index belong to one instant.

    :param indices: number of each stored step, counted from 0 at the first step of this run.
    :param positions: A, shape (s, n, 3).
    :param velocities: A/ps, shape (s, n, 3).
    :param completed: number of whole steps, stored or not.
    :param next_positions: positions of the step after the last, Bohr, shape (n, 3).
    :param last_positions: positions of the last step, Bohr, shape (n, 3).
    :param problem: why reading stopped before the end of a file, if it did.
    """

    indices: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    completed: int
    next_positions: np.ndarray
    last_positions: np.ndarray
    problem: str | None


def read_records(stream: BinaryIO, marker: str) -> Iterator[bytes]:
    """Records of a Fortran unformatted file; a record that the end of the file cuts off is left out.

    :param marker: of the length before and after each record, as for :mod:`struct`: ``<i``, ``>i``, ``<q`` or ``>q``.
        Records split into subrecords (negative lengths, as gfortran and ifort write them) are put together.
    :raises CorruptFile: if the lengths before and after a record differ.
    """
    size = struct.calcsize(marker)
    parts: list[bytes] = []
    while len(head := stream.read(size)) == size:
        (length,) = struct.unpack(marker, head)
        data, tail = stream.read(abs(length)), stream.read(size)
        if len(data) < abs(length) or len(tail) < size:
            return
        if abs(struct.unpack(marker, tail)[0]) != abs(length):
            raise CorruptFile(f'the lengths around the record before byte {stream.tell()} differ')
        parts.append(data)
        if length >= 0:
            yield b''.join(parts)
            parts = []


def read_md(path: str | os.PathLike, atoms: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Frames of ``.MD``: label of step k, positions of step k + 1 (Bohr), velocities of step k (Bohr/fs), both (n, 3).

    The size of the record markers and the endianness are found from the first record.

    :raises CorruptFile: if the file does not hold frames of that many atoms.
    """
    length = 4 + 2 * 3 * 8 * atoms
    with Path(path).open('rb') as stream:
        marker = _find_marker(stream.read(12), length)
        stream.seek(0)
        if marker is None:
            if os.fstat(stream.fileno()).st_size < length + 8:
                return
            raise CorruptFile(f'{Path(path).name} does not begin with a record of {atoms} atoms')
        order = marker[0]
        for record in read_records(stream, marker):
            if len(record) != length:
                raise CorruptFile(f'{Path(path).name} has a record of {len(record)} bytes instead of {length}')
            (step,) = struct.unpack_from(f'{order}i', record)
            values = np.frombuffer(record, f'{order}f8', offset=4).reshape(2, atoms, 3)
            yield step, values[0], values[1]


def read_ani(path: str | os.PathLike, atoms: int) -> Iterator[np.ndarray]:
    """Frames of ``.ANI``: positions of step k + 1, A, six decimals, shape (n, 3).

    :raises CorruptFile: if a frame has another number of atoms or words instead of numbers.
    """
    with Path(path).open(encoding='utf-8', errors='replace') as stream:
        while len(lines := list(itertools.islice(stream, atoms + 2))) == atoms + 2 and lines[-1].endswith('\n'):
            try:
                if int(lines[0]) != atoms:
                    raise CorruptFile(f'{Path(path).name} has a frame of {int(lines[0])} atoms instead of {atoms}')
                yield np.array([line.split()[1:4] for line in lines[2:]], dtype=float)
            except ValueError as error:
                raise CorruptFile(f'{Path(path).name}: {error}') from error


def read_mde(path: str | os.PathLike) -> Energies:
    """All whole lines of ``.MDE``, those of several runs in one folder one after the other.

    A number too large for its column (stars) is read as not a number.

    :raises CorruptFile: if a line before the last has not six columns.
    """
    rows: list[tuple[float, ...]] = []
    with Path(path).open(encoding='utf-8', errors='replace') as stream:
        for line in stream:
            if line.startswith('#') or not line.endswith('\n'):
                continue
            words = line.split()
            try:
                row = tuple(float('nan') if word.startswith('*') else float(word) for word in words)
            except ValueError as error:
                raise CorruptFile(f'{Path(path).name}, line after step {len(rows)}: {error}') from error
            if len(row) != 6:
                raise CorruptFile(f'{Path(path).name} has {len(row)} columns instead of 6 after step {len(rows)}')
            rows.append(row)
    columns = np.array(rows, dtype=float).reshape(-1, 6).T
    labels = np.where(np.isnan(columns[0]), -1, columns[0]).astype(int)
    return Energies(labels, *columns[1:])


def read_xv(path: str | os.PathLike) -> Restart:
    """``.XV``: cell, positions and velocities to go on from.

    :raises CorruptFile: if it is not whole.
    """
    with Path(path).open(encoding='utf-8', errors='replace') as stream:
        text = stream.read()
    try:
        words = text.split()
        atoms = int(words[18])
        cell = np.array(words[:18], dtype=float).reshape(3, 6)[:, :3]
        table = np.array(words[19:], dtype=float).reshape(atoms, 8)
    except (IndexError, ValueError) as error:
        raise CorruptFile(f'{Path(path).name} is not whole: {error}') from error
    if not text.endswith('\n'):
        raise CorruptFile(f'{Path(path).name} is not whole: its last line has no end')
    return Restart(cell, table[:, 1].astype(int), table[:, 2:5], table[:, 5:8])


def read_struct_out(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """``.STRUCT_OUT``: the last structure whose energy was computed: cell (A) and fractional positions, shape (n, 3).

    :raises CorruptFile: if it is not whole.
    """
    text = Path(path).read_text(encoding='utf-8', errors='replace')
    try:
        words = text.split()
        cell = np.array(words[:9], dtype=float).reshape(3, 3)
        table = np.array(words[10:], dtype=float).reshape(int(words[9]), 5)
    except (IndexError, ValueError) as error:
        raise CorruptFile(f'{Path(path).name} is not whole: {error}') from error
    if not text.endswith('\n'):
        raise CorruptFile(f'{Path(path).name} is not whole: its last line has no end')
    return cell, table[:, 2:]


def read_nose_restart(path: str | os.PathLike) -> Thermostat:
    """``.NOSE_RESTART``: the thermostat.

    :raises CorruptFile: if it is not whole.
    """
    text = Path(path).read_text(encoding='utf-8', errors='replace')
    try:
        words = text.split()
        atoms = int(words[0])
        timestep, variable, previous = map(float, words[1:4])
        table = np.array(words[4:], dtype=float).reshape(atoms, 4)
    except (IndexError, ValueError) as error:
        raise CorruptFile(f'{Path(path).name} is not whole: {error}') from error
    if not text.endswith('\n'):
        raise CorruptFile(f'{Path(path).name} is not whole: its last line has no end')
    return Thermostat(timestep, variable, previous, table[:, 1:])


def read_messages(lines: Iterable[str]) -> Messages:
    """The lines of ``MESSAGES``."""
    completed, fatal, unconverged, expected = False, [], [], False
    for line in lines:
        completed |= line.startswith('INFO: Job completed')
        if line.startswith('FATAL:'):
            fatal.append(line.removeprefix('FATAL:').strip())
        elif line.startswith('WARNING: SCF_NOT_CONV: SCF did not converge in maximum'):
            expected = True
        elif expected and 'dmax:' in line:
            step, _, change = line.split('dmax:')[1].split()
            unconverged.append((int(step), float(change)))
            expected = False
    return Messages(completed, tuple(fatal), tuple(unconverged))


def read_out(lines: Iterable[str]) -> Summary:
    """The lines of the text output."""
    version, seconds, unrelaxed, thermostat_read, completed = None, None, False, False, False
    for line in lines:
        if version is None and (found := re.match(r'(?:Siesta )?Version\s*: *(?:siesta-)?(\S+)', line)):
            version = found[1]
        elif line.startswith('timer: Elapsed wall time'):
            seconds = float(line.split('=')[1])
        elif line.startswith('outcoor: Final (unrelaxed)'):
            unrelaxed = True
        elif 'MD restart: Read old positions and Nose variables' in line:
            thermostat_read = True
        elif line.startswith('Job completed'):
            completed = True
    return Summary(version, seconds, unrelaxed, thermostat_read, completed)


def bohr_of(cell: np.ndarray, cell_in_bohr: np.ndarray) -> float:
    """The length of a Bohr in A with which SIESTA calculated, from a cell in both units.

    :raises CorruptFile: if none fits: the cells are not the same.
    """
    found = np.linalg.norm(cell) / np.linalg.norm(cell_in_bohr)
    nearest = min((BOHR, _BOHR_CODATA), key=lambda value: abs(value - found))
    if not np.allclose(cell, np.asarray(cell_in_bohr) * nearest, atol=1e-5):
        raise CorruptFile(f'the cell of the .XV file is not that of the structure: a Bohr would be {found:.6f} A')
    return nearest


def read_dynamics(
    path: str | os.PathLike,
    labels: np.ndarray,
    first: np.ndarray,
    *,
    timestep: float,
    stride: int = 1,
    offset: int = 0,
    bohr: float = BOHR,
) -> SiestaTrajectory:
    """Positions and velocities of the whole steps of a run.

    :param path: ``.MD``; or ``.ANI``, which has six decimals and no velocities: they become differences of positions.
    :param labels: the steps that ``.MDE`` names, shape (s,). Only steps that both files have are whole.
    :param first: positions of the first step, Bohr, shape (n, 3): no frame of this run has them.
    :param timestep: fs.
    :param stride: store every stride-th step.
    :param offset: number of the first step in the whole dynamics, from which the stride counts.
    :raises CorruptFile: if the file cannot be read at all. What precedes a fault is kept, with the ``problem``.
    """
    atoms = len(first)
    room = len(labels) // stride + 1
    positions, velocities = np.empty((2, room, atoms, 3))
    indices: list[int] = []

    before, here, completed, problem = None, np.asarray(first, dtype=float), 0, None
    frames = _animation_frames(path, atoms, bohr) if Path(path).suffix == '.ANI' else read_md(path, atoms)
    try:
        for label, following, velocity in itertools.islice(frames, len(labels)):
            _check_label(label, labels, completed)
            if velocity is None:
                velocity = _difference(before, here, following, timestep)
            elif completed > 0 and labels[completed] == 1:
                _check_seam(_difference(before, here, following, timestep), velocity)
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
    """Whether ``.XV`` and ``.NOSE_RESTART`` follow the last whole step: then nothing is lost or doubled by going on."""
    if restart.positions.shape != trajectory.next_positions.shape or trajectory.completed == 0:
        return False
    following = np.abs(restart.positions - trajectory.next_positions).max()
    last = np.abs(thermostat.positions - trajectory.last_positions).max()
    # .XV has nine decimals; the first position of a run is known from ten decimals in A.
    return bool(following < 2e-9 and last < 2e-9)


def _find_marker(begin: bytes, length: int) -> str | None:
    """The marker that tells the right length, or that of a subrecord, before the number of a step."""
    for marker in ('<i', '>i', '<q', '>q'):
        size = struct.calcsize(marker)
        if len(begin) >= size + 4:
            (found,) = struct.unpack_from(marker, begin)
            (step,) = struct.unpack_from(f'{marker[0]}i', begin, size)
            if step > 0 and (found == length or -length < found < 0):
                return marker
    return None


def _animation_frames(path: str | os.PathLike, atoms: int, bohr: float) -> Iterator[tuple[None, np.ndarray, None]]:
    for positions in read_ani(path, atoms):
        yield None, positions / bohr, None


def _check_label(label: int | None, labels: np.ndarray, completed: int) -> None:
    """A step follows the one before, or is the first again where a job was started anew in its folder."""
    expected = labels[completed]
    follows = completed == 0 or expected == labels[completed - 1] + 1 or expected == 1
    # A label of more than six digits is written as stars.
    if (label is not None and expected >= 0 and label != expected) or (expected >= 0 and not follows):
        raise CorruptFile(f'step {label} of the trajectory stands where the energies have step {expected}')


def _difference(before: np.ndarray | None, here: np.ndarray, following: np.ndarray, timestep: float) -> np.ndarray:
    """Velocity of Verlet's algorithm, Bohr/fs."""
    return (following - here) / timestep if before is None else (following - before) / (2 * timestep)


def _check_seam(difference: np.ndarray, velocity: np.ndarray) -> None:
    if np.abs(difference - velocity).max() > _SEAM_TOLERANCE:
        raise CorruptFile('a step is missing where the job was started anew in its folder')
