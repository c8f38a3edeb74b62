"""The data files of SIESTA 4.1 as text or bytes, column for column. Bohr, Ry, fs unless said; one function a file."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence

import numpy as np

from .units import ANGSTROM, EV, KBAR

MDE_HEADER = '# Step     T (K)     E_KS (eV)    E_tot (eV)   Vol (A^3)    P (kBar)\n'


def fixed(number: float, width: int, digits: int) -> str:
    """A real in Fortran's Fw.d: stars where it does not fit."""
    if not math.isfinite(number):
        return ('NaN' if math.isnan(number) else 'Infinity' if number > 0 else '-Infinity').rjust(width)
    text = f'{number:{width}.{digits}f}'
    return text if len(text) <= width else '*' * width


def integer(number: int, width: int) -> str:
    """An integer in Fortran's Iw."""
    text = f'{number:{width}d}'
    return text if len(text) <= width else '*' * width


def free(number: float | int) -> str:
    """A number as gfortran's list-directed output writes it, with 17 digits."""
    if isinstance(number, int | np.integer):
        return f'{number:12d}'
    if not math.isfinite(number):
        return fixed(number, 26, 16)
    if number != 0.0 and not 0.1 <= abs(number) < 1e17:
        mantissa, exponent = f'{number:.16E}'.split('E')
        return f'{mantissa}E{int(exponent):+04d}'.rjust(26)
    whole = len(str(int(abs(number)))) if abs(number) >= 1.0 else 0
    return f'{number:21.{17 - whole if number else 16}f}' + 5 * ' '


def rows(numbers: Iterable[Sequence[float]], width: int, digits: int) -> list[str]:
    """Each row of numbers in nF w.d."""
    return [''.join(fixed(number, width, digits) for number in row) for row in numbers]


def fortran_record(*arrays: np.ndarray) -> bytes:
    """One record of a Fortran unformatted file, as gfortran writes it on a small-endian machine."""
    payload = b''.join(np.ascontiguousarray(array).tobytes() for array in arrays)
    marker = struct.pack('<i', len(payload))
    return marker + payload + marker


def md_record(
    step: int,
    positions: np.ndarray,
    velocities: np.ndarray,
    cell: np.ndarray | None = None,
    cell_velocities: np.ndarray | None = None,
) -> bytes:
    """What a step adds to ``.MD``: step, positions, velocities (n, 3); a second record with a cell that varies."""
    record = fortran_record(np.int32(step), positions.astype('<f8'), velocities.astype('<f8'))
    if cell is not None:
        record += fortran_record(cell.astype('<f8'), cell_velocities.astype('<f8'))
    return record


def mde_line(step: int, temperature: float, energy: float, conserved: float, volume: float, pressure: float) -> str:
    """What a step adds to ``.MDE``: K, Ry, Ry, Bohr^3, Ry/Bohr^3 become K, eV, eV, A^3, kbar."""
    return (
        f'{integer(step, 6)} {fixed(temperature, 9, 2)} {fixed(energy / EV, 13, 5)} {fixed(conserved / EV, 13, 5)} '
        f'{fixed(volume / ANGSTROM**3, 11, 3)} {fixed(pressure / KBAR, 11, 3)}\n'
    )


def ani_frame(symbols: Sequence[str], positions: np.ndarray) -> str:
    """What a step adds to ``.ANI``: A."""
    lines = [integer(len(symbols), 5), '']
    lines += [f'{symbol:2s}  {row}' for symbol, row in zip(symbols, rows(positions / ANGSTROM, 12, 6))]
    return '\n'.join(lines) + '\n'


def xv(
    species: np.ndarray,
    numbers: np.ndarray,
    cell: np.ndarray,
    cell_velocities: np.ndarray,
    positions: np.ndarray,
    velocities: np.ndarray,
) -> str:
    """``.XV``: where the next run begins."""
    lines = [f'   {left}   {right}' for left, right in zip(rows(cell, 18, 9), rows(cell_velocities, 18, 9))]
    lines.append(free(len(species)))
    lines += [
        f'{kind:3d}{number:6d}{left}   {right}'
        for kind, number, left, right in zip(species, numbers, rows(positions, 18, 9), rows(velocities, 18, 9))
    ]
    return '\n'.join(lines) + '\n'


def read_xv(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell (3, 3), positions and velocities (n, 3) of an ``.XV`` file."""
    lines = text.splitlines()
    cell = np.array([line.split()[:3] for line in lines[:3]], dtype=float)
    atoms = np.array([line.split()[2:8] for line in lines[4 : 4 + int(lines[3])]], dtype=float)
    return cell, atoms[:, :3], atoms[:, 3:]


def nose_restart(timestep: float, s: float, s_old: float, numbers: np.ndarray, before: np.ndarray) -> str:
    """``.NOSE_RESTART``: the thermostat's variable, and the positions of the step that was just done."""
    lines = [free(len(numbers)) + free(timestep), free(s) + free(s_old)]
    lines += [free(int(number)) + ''.join(map(free, row)) for number, row in zip(numbers, before)]
    return '\n'.join(lines) + '\n'


def read_nose_restart(text: str) -> tuple[float, float, float, np.ndarray]:
    """Time step, thermostat's variable now and before, positions (n, 3) one step before those of the ``.XV`` file."""
    lines = [line.split() for line in text.splitlines()]
    before = np.array([line[1:4] for line in lines[2 : 2 + int(lines[0][0])]], dtype=float)
    return float(lines[0][1]), float(lines[1][0]), float(lines[1][1]), before


def structure(species: np.ndarray, numbers: np.ndarray, cell: np.ndarray, positions: np.ndarray) -> str:
    """``.STRUCT_OUT``: cell in A, fractional coordinates."""
    lines = ['   ' + row for row in rows(cell / ANGSTROM, 18, 9)] + [free(len(species))]
    fractions = rows(positions @ np.linalg.inv(cell), 18, 9)
    lines += [f'{kind:3d}{number:6d}{row}' for kind, number, row in zip(species, numbers, fractions)]
    return '\n'.join(lines) + '\n'
