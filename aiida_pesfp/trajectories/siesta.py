"""Readers of the files that SIESTA writes. Long files need little memory.

Each reader ignores what a killed run left incomplete at the end of a file that grows step by step, and raises
:class:`CorruptFile` for any other fault and for a restart file that is not complete.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiida_pesfp.errors import PesfpError
from aiida_pesfp.trajectories.frames import CutOff, open_text, read_xyz


class CorruptFile(Exception):
    """A file is not what SIESTA writes, or not of this run."""


@dataclass(frozen=True)
class Restart:
    """State of a restart: (n, 3) positions of the next step and velocities of the last one, in Bohr and fs."""

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
    """Contents of ``MESSAGES``; ``unconverged`` has the steps without convergence and their last change of density."""

    completed: bool
    fatal: tuple[str, ...]
    unconverged: tuple[tuple[int, float], ...]

    @property
    def out_of_time(self) -> bool:
        """Whether SIESTA stopped before its walltime ended."""
        return any('OUT_OF_TIME' in line for line in self.fatal)


@dataclass(frozen=True)
class Summary:
    """Contents of the text output that no other file has."""

    version: str | None = None
    seconds: float | None = None
    unrelaxed: bool = False
    thermostat_read: bool = False
    completed: bool = False


@dataclass(frozen=True)
class Energies:
    """Columns of ``.MDE``, each of shape (s,): number of the step in the file, K, eV, eV, A^3, kbar."""

    steps: np.ndarray
    temperatures: np.ndarray
    energies: np.ndarray
    conserved: np.ndarray
    volumes: np.ndarray
    pressures: np.ndarray


def read_md(path: Path, atoms: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Frames of ``.MD``: number of step k, positions of step k + 1 (Bohr) and velocities of step k (Bohr/fs).

    Each is a record of a Fortran unformatted file, between two markers of its length.
    """
    length = 4 + 2 * 3 * 8 * atoms
    with path.open('rb') as stream:
        begin = stream.read(8)
        markers = {np.array(length, kind).tobytes(): kind for kind in ('<i8', '>i8', '<i4', '>i4')}
        kind = next((kind for marker, kind in markers.items() if begin.startswith(marker)), None)
        if kind is None:
            if stream.seek(0, 2) < length + 8:
                return
            raise CorruptFile(f'{path.name} does not begin with a record of {atoms} atoms')
        fields = ('step', f'{kind[0]}i4'), ('values', f'{kind[0]}f8', (2, atoms, 3))
        frame = np.dtype([('head', kind), *fields, ('tail', kind)])
        stream.seek(0)
        while len(record := stream.read(frame.itemsize)) == frame.itemsize:
            head, step, values, tail = np.frombuffer(record, frame)[0]
            if not head == tail == length:
                raise CorruptFile(f'{path.name} has no record of {length} bytes before byte {stream.tell()}')
            yield int(step), values[0], values[1]


def read_ani(path: Path, atoms: int) -> Iterator[np.ndarray]:
    """Frames of ``.ANI``: positions of step k + 1, A, six decimals, shape (n, 3)."""
    try:
        with open_text(path) as stream:
            for frame in read_xyz(stream):
                if len(frame.symbols) != atoms:
                    raise CorruptFile(f'{path.name} has a frame of {len(frame.symbols)} atoms instead of {atoms}')
                yield frame.positions
    except CutOff:
        return
    except (ValueError, PesfpError) as error:
        raise CorruptFile(f'{path.name}: {error}') from error


def read_mde(path: Path) -> Energies:
    """All complete lines of ``.MDE``, run after run. A number too large for its column (stars) becomes NaN."""
    rows: list[list[float]] = []
    with path.open(encoding='utf-8', errors='replace') as stream:
        for line in stream:
            if line.startswith('#') or not line.endswith('\n'):
                continue
            try:
                row = [float('nan') if word.startswith('*') else float(word) for word in line.split()]
            except ValueError as error:
                raise CorruptFile(f'{path.name}, line after step {len(rows)}: {error}') from error
            if len(row) != 6:
                raise CorruptFile(f'{path.name} has {len(row)} columns instead of 6 after step {len(rows)}')
            rows.append(row)
    columns = np.array(rows, dtype=float).reshape(-1, 6).T
    labels = np.where(np.isnan(columns[0]), -1, columns[0]).astype(int)
    return Energies(labels, *columns[1:])


def read_xv(path: Path) -> Restart:
    """``.XV``: cell, positions and velocities for a restart."""
    head, table = _read_table(path, 19, columns=8)
    cell = np.array(head[:18]).reshape(3, 6)[:, :3]
    return Restart(cell, table[:, 1].astype(int), table[:, 2:5], table[:, 5:8])


def read_struct_out(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """``.STRUCT_OUT``: the last structure whose energy was computed: cell (A) and (n, 3) fractional positions."""
    head, table = _read_table(path, 10, columns=5)
    return np.array(head[:9]).reshape(3, 3), table[:, 2:]


def read_nose_restart(path: Path) -> Thermostat:
    """``.NOSE_RESTART``: the thermostat."""
    head, table = _read_table(path, 4, columns=4, count=0)
    return Thermostat(*head[1:], table[:, 1:])


def _read_table(path: Path, head: int, columns: int, count: int = -1) -> tuple[list[float], np.ndarray]:
    """The first ``head`` numbers of a file, that at ``count`` being the number of atoms, and the table of the atoms."""
    path = Path(path)
    text = path.read_text(encoding='utf-8', errors='replace')
    try:
        numbers = [float(word) for word in text.split()]
        table = np.array(numbers[head:]).reshape(int(numbers[:head][count]), columns)
    except (IndexError, ValueError) as error:
        raise CorruptFile(f'{path.name} is not complete: {error}') from error
    if not text.endswith('\n'):
        raise CorruptFile(f'{path.name} is not complete: its last line has no end')
    return numbers[:head], table


def read_messages(lines: Iterable[str]) -> Messages:
    """Read the lines of ``MESSAGES``."""
    text = '\n'.join(lines)
    warning = r'^WARNING: SCF_NOT_CONV: SCF did not converge in maximum(?s:.*?)dmax: *(\d+) +\S+ +(\S+)'
    return Messages(
        bool(re.search('^INFO: Job completed', text, re.M)),
        tuple(line.strip() for line in re.findall('^FATAL:(.*)$', text, re.M)),
        tuple((int(step), float(change)) for step, change in re.findall(warning, text, re.M)),
    )


def read_out(lines: Iterable[str]) -> Summary:
    """Read the lines of the text output."""
    found = {}
    for line in lines:
        if 'version' not in found and (match := re.match(r'(?:Siesta )?Version\s*: *(?:siesta-)?(\S+)', line)):
            found['version'] = match[1]
        elif line.startswith('timer: Elapsed wall time'):
            found['seconds'] = float(line.split('=')[1])
        elif line.startswith('outcoor: Final (unrelaxed)'):
            found['unrelaxed'] = True
        elif 'MD restart: Read old positions and Nose variables' in line:
            found['thermostat_read'] = True
        elif line.startswith('Job completed'):
            found['completed'] = True
    return Summary(**found)
