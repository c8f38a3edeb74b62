"""Frames of PDB files, of the HISTORY of DL_POLY, and of all that ASE reads."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import ase.io
import numpy as np
from ase.geometry import cellpar_to_cell

from aiida_pesfp.trajectories.frames import CutOff, Frame, numbers, symbol_of, take
from aiida_pesfp.trajectories.stamps import STEP, Clock, read_stamp

#: Formats that have all stamps in ASE's ``info``, or a frame for each step.
_KNOWN_STEPS = ('traj', 'vasp-out', 'vasp-xml', 'espresso-out')
_MODEL = Clock('MODEL', 'frame')
#: DL_POLY's length of a step and time, ps; and how it numbers boundaries that are periodic along three vectors.
_LENGTH, _TIME, _PERIODIC = Clock('timestep', 'step'), Clock('time', 'time', 1000.0), '123'


def read_pdb(file: TextIO, types: list[str] | None = None) -> Iterator[Frame]:
    """Frames of a PDB file, with the numbers of their models, and what TITLE and REMARK say of steps and times.

    If the second frame has no such lines, those before the first belong to the file.
    """
    models = _models(file, types)
    begin = list(itertools.islice(models, 2))
    of_file = len(begin) == 2 and not begin[1][0]
    for title, frame in itertools.chain(begin, models):
        yield frame if of_file else frame._replace(stamp=frame.stamp | read_stamp(title))


def _models(file: TextIO, types: list[str] | None) -> Iterator[tuple[str, Frame]]:
    """Titles and frames. A cell counts until the next one."""
    title, rows, stamp, cell, number = '', [], {}, None, 0
    for line in itertools.chain(file, ['']):
        record = line[:6].rstrip()
        if record in ('TITLE', 'REMARK'):
            title += line[10:]
        elif record == 'CRYST1':
            cell = cellpar_to_cell(
                [float(line[begin:end]) for begin, end in itertools.pairwise((6, 15, 24, 33, 40, 47, 54))]
            )
        elif record == 'MODEL':
            stamp = {_MODEL: float(line[6:])}
        elif record in ('ATOM', 'HETATM'):
            rows.append(line)
        elif rows and (record.startswith('END') or not line):
            if not line and (stamp or number):
                raise CutOff
            symbols = tuple(symbol_of(row[76:78].strip() or row[12:16].strip(), types) for row in rows)
            positions = np.array([[row[30:38], row[38:46], row[46:54]] for row in rows], dtype=float)
            yield title, Frame(symbols, positions, cell, stamp)
            title, rows, stamp, number = '', [], {}, number + 1


def read_history(file: TextIO, types: list[str] | None = None) -> Iterator[Frame]:
    """Frames of a HISTORY of DL_POLY, atoms in the order of their numbers."""
    take(file, 2)
    while line := file.readline():
        name, step, atoms, level, boundary, *times = line.split()
        if name != 'timestep' or boundary not in _PERIODIC:
            raise ValueError(f'{line.strip()!r} is no timestep of a periodic cell (imcon 1, 2 or 3)')
        cell = numbers(take(file, 3), count=3)
        count = int(level) + 2  # lines of an atom: name, position, velocity, force
        rows = take(file, count * int(atoms))
        names = [row.split() for row in rows[::count]]
        order = np.argsort([int(number) for _, number, *_ in names])
        symbols = tuple(symbol_of(names[k][0], types) for k in order)
        stamp = dict(zip((STEP, _LENGTH, _TIME), map(float, (step, *times))))
        yield Frame(symbols, numbers(rows[1::count], count=3)[order], cell, stamp)


def read_others(path: Path, form: str) -> Iterator[Frame]:
    """Frames of a file in one of ASE's formats, which does not read the steps of most."""
    frames = ase.io.iread(str(path.absolute()), index=':', format=form, do_not_split_by_at_sign=True)
    for number, atoms in enumerate(frames):
        stamp = read_stamp(' '.join(f'{name}={value}' for name, value in atoms.info.items() if np.isscalar(value)))
        if form not in _KNOWN_STEPS:
            stamp = stamp or {Clock(f'a file of the format {form}', 'frame'): number}
        yield Frame(tuple(atoms.symbols), atoms.positions, atoms.cell.array if atoms.cell.rank else None, stamp)
