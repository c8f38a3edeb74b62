"""Trajectories from files of other programs: XDATCAR, SIESTA ANI, LAMMPS dump, XYZ, PDB, HISTORY, and more by ASE."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
from ase.io.formats import UnknownFileTypeError, filetype, get_compression

from aiida_pesfp.errors import InvalidTrajectory, PesfpError, one_line
from aiida_pesfp.trajectories.frames import CutOff, Frame, open_text, read_xdatcar, read_xyz
from aiida_pesfp.trajectories.joining import Segment, check_steps, in_order, join, numbers_of_files
from aiida_pesfp.trajectories.lammps import read_dump
from aiida_pesfp.trajectories.others import read_history, read_others, read_pdb
from aiida_pesfp.trajectories.stamps import collect, number_steps
from aiida_pesfp.trajectories.trajectory import Trajectory, check_finite, constant_cell, whole_trajectory

#: Largest difference between two descriptions of one cell, A.
_SAME = 0.01
#: Shortest and longest time step of a dynamics, fs; of a longer one, ions would fly through each other.
_TIMESTEPS = 0.01, 200.0
#: Readers of the formats that can be long, or whose steps ASE does not read; ASE reads all others.
_READERS = {'vasp-xdatcar': read_xdatcar, 'extxyz': read_xyz, 'lammps-dump-text': read_dump}
_READERS |= {'proteindatabank': read_pdb, 'dlp-history': read_history}


def read_trajectory(
    paths: list[Path],
    timestep: float,
    stride: int | None = None,
    cell: np.ndarray | None = None,
    types: list[str] | None = None,
    unwrapped: bool = False,
) -> tuple[Trajectory, list[str]]:
    """Join the files of one run to one trajectory.

    Files in alphabetical order whose steps do not grow are taken in the order of the numbers in their names, others as
    given. A frame that a restarted run wrote again counts once. An incomplete frame at the end of a file, as a killed
    program leaves it, is left out.

    :param timestep: of the dynamics, fs.
    :param stride: steps between two frames; by default as the files say, else 1.
    :param cell: (3, 3) A, for files that have none.
    :param types: elements of the atom types 1, 2, ... of a LAMMPS dump, or of an XDATCAR that names none.
    :param unwrapped: the positions are not wrapped into the cell, however far ions go between two frames.
    :returns: the trajectory, and notes on what was left out or assumed.
    :raises InvalidTrajectory: if a file cannot be read, the files do not fit together, frames are missing, or what
        the files say contradicts what is given.
    """
    if not _TIMESTEPS[0] <= timestep <= _TIMESTEPS[1]:
        raise InvalidTrajectory(f'{timestep:g} fs is not a time step of a molecular dynamics: give it in fs')
    given = [read_segment(path, cell, types) for path in paths]
    segments = in_order(given)
    notes = [segment.note for segment in segments if segment.note]
    if segments != given:
        first, last = (Path(segments[k].source).name for k in (0, -1))
        notes.append(f'the files are taken in the order of their numbers, {first} to {last}')
    lattice = constant_cell(np.concatenate([segment.cells for segment in segments]))
    stamps = numbers_of_files(segments) or [segment.stamps for segment in segments]
    numbers, remarks = number_steps(stamps, timestep, stride)
    notes += remarks
    numbered = [replace(one, steps=steps) for one, steps in zip(segments, numbers or [None] * len(segments))]
    joined, borders, replaced = join(numbered, lattice)
    positions, steps, unwrapped = joined.positions, joined.steps, unwrapped or joined.unwrapped
    notes += check_steps(positions, borders, lattice, unwrapped)
    if steps is None:
        steps = np.arange(len(positions)) * (stride or 1)
        if stride is None:
            notes.append('the files do not say how many steps lie between two frames: 1 is assumed (--stride)')
    whole, doubts = whole_trajectory(joined.symbols, positions, steps * timestep / 1000, lattice, unwrapped)
    return whole, notes + doubts + replaced


def read_segment(path: Path, cell: np.ndarray | None = None, types: list[str] | None = None) -> Segment:
    """The frames of one file; ``cell`` and ``types`` are those of :func:`read_trajectory`.

    :raises InvalidTrajectory: with the file, the reason and what to do.
    """
    if not path.is_file():
        raise InvalidTrajectory(f'{path}: ' + ('is a folder' if path.is_dir() else 'there is no such file'))
    try:
        return _collect(path, cell, types)
    except PesfpError as error:
        raise type(error)(f'{path}: {error}') from error
    except UnknownFileTypeError as error:
        raise InvalidTrajectory(f'{path}: empty or of unknown format: convert it to extended XYZ') from error
    except Exception as error:  # parsers raise all kinds of errors on malformed files
        reason = f'cannot be read as a trajectory ({one_line(error)}): convert it to extended XYZ'
        raise InvalidTrajectory(f'{path}: {reason}') from error


def _form(path: Path) -> str:
    """ASE's name of the format of a file, by how it begins."""
    with open_text(path) as file:
        begin = ''.join(file.readline(1000) for _ in range(8))
    name = Path(get_compression(path.name)[0])
    if begin.startswith('ITEM:'):
        return 'lammps-dump-text'
    if 'XDATCAR' in name.name.upper() or name.suffix == '.MD_CAR' or 'configuration=' in begin:
        return 'vasp-xdatcar'
    if name.suffix in ('.ANI', '.xyz', '.extxyz') or begin.partition('\n')[0].strip().isdigit():
        return 'extxyz'
    if begin.partition('\n')[2].partition('\n')[2].startswith('timestep'):
        return 'dlp-history'
    return filetype(str(path.absolute()))


def _frames(path: Path, form: str, types: list[str] | None) -> Iterator[Frame]:
    """The frames of a file one by one, as a long trajectory does not fit into memory as ``Atoms``."""
    if (reader := _READERS.get(form)) is None:
        yield from read_others(path, form)
        return
    with open_text(path) as file:
        yield from reader(file, types)


def _collect(path: Path, cell: np.ndarray | None, types: list[str] | None) -> Segment:
    """Collect the frames of a file in one array, which grows in place."""
    form, positions, cells, stamps, note = _form(path), np.empty((0, 0, 3)), [], [], None
    frames, first, count = _frames(path, form, types), None, 0
    while True:
        try:
            frame = next(frames, None)
        except CutOff:
            if not count:
                raise InvalidTrajectory('ends within its first frame') from None
            note = f'{path}: left out frame {count}, which is incomplete'
            break
        except Exception as error:
            if not count or isinstance(error, MemoryError):
                raise
            reason = f'frame {count} cannot be read ({one_line(error)})'
            raise InvalidTrajectory(f'{reason}: repair the file, or use the frames before it') from error
        if frame is None:
            break
        if first is None:
            first = frame
            positions = np.empty((256, len(frame.symbols), 3))
            if frame.cell is None and cell is None:
                cell = _siesta_cell(path)
            elif frame.cell is not None and cell is not None and not np.allclose(frame.cell, cell, rtol=0, atol=_SAME):
                own = ', '.join(f'{number:g}' for number in frame.cell.ravel())
                raise InvalidTrajectory(f'the file has a cell of its own, {own}, which is not the given one (--cell)')
        if frame.cell is None and cell is None:
            raise InvalidTrajectory(f'frame {count} has no cell: give it (--cell)')
        if frame.symbols != first.symbols or frame.unwrapped != first.unwrapped:
            raise InvalidTrajectory(f'frame {count} has other atoms, or in another order, than the first')
        if count == len(positions):
            positions.resize((2 * count, len(frame.symbols), 3), refcheck=False)
        positions[count] = frame.positions
        cells.append(cell if frame.cell is None else frame.cell)
        stamps.append(frame.stamp)
        count += 1
    if first is None:
        raise InvalidTrajectory('holds no frame')
    positions.resize((count, len(first.symbols), 3), refcheck=False)
    check_finite(positions)
    return Segment(str(path), first.symbols, positions, np.array(cells), collect(stamps), first.unwrapped, note)


def _siesta_cell(path: Path) -> np.ndarray | None:
    """(3, 3) the cell, A, from the files that SIESTA writes next to its ``.ANI``; None if there are none."""
    name = path.with_name(get_compression(path.name)[0])
    for suffix, form in (('.XV', 'siesta-xv'), ('.STRUCT_OUT', 'struct_out')):
        beside = name.with_suffix(suffix)
        if name.suffix == '.ANI' and beside.is_file():
            return ase.io.read(beside, format=form).cell.array
    return None
