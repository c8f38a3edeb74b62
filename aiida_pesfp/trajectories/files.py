"""Trajectories from files of other programs: XDATCAR, SIESTA ANI, LAMMPS dump, extended XYZ and all that ASE reads."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.io.formats import UnknownFileTypeError, filetype
from ase.io.lammpsrun import iread_lammps_dump_text

from aiida_pesfp.crystals.periodic import minimum_image
from aiida_pesfp.errors import InvalidTrajectory, PesfpError, one_line
from aiida_pesfp.trajectories.trajectory import Trajectory, check_finite, constant_cell, unwrap

#: Names of the number of the step in a frame: ``pesfp-md``, LAMMPS, extended XYZ of LAMMPS.
_STEP_KEYS = ('step', 'timestep', 'Step', 'Timestep')
#: Largest difference between two copies of the same frame, A.
_SAME = 1e-4
#: The longest step between two files may be this many times the longest within them, plus this many A.
_LONGER, _FARTHER = 3.0, 0.5


@dataclass
class Segment:
    """The frames of one file: (s, n, 3) positions as written and (s, 3, 3) cells, A, and a note on what was left out.

    ``steps`` (s,) are the numbers of the steps, if the file has them.
    """

    source: str
    symbols: tuple[str, ...]
    positions: np.ndarray
    cells: np.ndarray
    steps: np.ndarray | None
    note: str | None = None


def read_trajectory(
    paths: list[Path],
    timestep: float,
    stride: int | None = None,
    cell: np.ndarray | None = None,
    types: list[str] | None = None,
    unwrapped: bool = False,
) -> tuple[Trajectory, list[str]]:
    """Join the files of one run, in the order given, to one trajectory.

    A frame that a restarted run wrote again counts once. If two files have the same step, the later file wins. An
    incomplete end of a file, as a killed program leaves it, is left out.

    :param timestep: of the dynamics, fs.
    :param stride: steps between two frames; by default as the files say, else 1.
    :param cell: (3, 3) A, for files that have none.
    :param types: elements of the atom types 1, 2, ... of a LAMMPS dump.
    :param unwrapped: the positions are not wrapped into the cell, however far ions go between two frames.
    :returns: the trajectory, and notes on what was left out.
    :raises InvalidTrajectory: if a file cannot be read or the files do not fit together.
    """
    if not (np.isfinite(timestep) and timestep > 0):
        raise InvalidTrajectory(f'{timestep:g} fs is not a time step')
    segments = [read_segment(path, cell, types) for path in paths]
    positions, cells, steps, borders = _join(segments)
    check_finite(positions)
    lattice = constant_cell(cells)
    _check_borders(positions, lattice, borders)
    if not unwrapped:
        unwrap(positions, lattice)
    if steps is not None and len(steps) > 1 and stride is not None:
        steps = steps // max(1, int(steps[1] - steps[0])) * stride
    if steps is None:
        steps = np.arange(len(positions)) * (stride or 1)
    trajectory = Trajectory(segments[0].symbols, positions, steps * timestep / 1000, lattice)
    return trajectory, [segment.note for segment in segments if segment.note]


def read_segment(path: Path, cell: np.ndarray | None = None, types: list[str] | None = None) -> Segment:
    """The frames of one file; ``cell`` and ``types`` are those of :func:`read_trajectory`.

    :raises InvalidTrajectory: with the file, the reason and what to do.
    """
    if not path.is_file():
        raise InvalidTrajectory(f'{path}: there is no such file')
    try:
        return _collect(path, _frames(path, types), cell)
    except PesfpError as error:
        raise type(error)(f'{path}: {error}') from error
    except UnknownFileTypeError as error:
        raise InvalidTrajectory(f'{path}: unknown format, convert the file to extended XYZ') from error
    except Exception as error:  # parsers raise all kinds of errors on malformed files
        raise InvalidTrajectory(f'{path}: cannot be read as a trajectory ({one_line(error)})') from error


def _frames(path: Path, types: list[str] | None) -> Iterator[Atoms]:
    """The frames of a file one by one, as a long trajectory does not fit into memory as ``Atoms``."""
    name = path.name.upper()
    is_xdatcar = name.startswith('XDATCAR') or name.endswith('.XDATCAR')
    form = 'vasp-xdatcar' if is_xdatcar else 'extxyz' if path.suffix == '.ANI' else filetype(str(path))
    if form == 'lammps-dump-text':
        _check_types(path, types)
        with path.open() as file:
            yield from iread_lammps_dump_text(file, index=slice(None), specorder=types)
    elif form == 'vasp-xdatcar':
        yield from _xdatcar(path)
    else:
        yield from ase.io.iread(str(path), index=':', format=form)


def _xdatcar(path: Path) -> Iterator[Atoms]:
    """Frames of an XDATCAR, whose head stands once or before each frame."""
    with path.open() as file:
        numbers, cell = None, None
        while line := file.readline():
            if 'configuration=' not in line:
                scale = float(file.readline())
                cell = np.array([file.readline().split() for _ in range(3)], dtype=float)
                cell *= scale if scale > 0 else (-scale / abs(np.linalg.det(cell))) ** (1 / 3)
                symbols, counts = file.readline().split(), file.readline().split()
                # VASP 6 can append a hash of the pseudopotential to the symbol.
                numbers = np.repeat([atomic_numbers[symbol.split('/')[0]] for symbol in symbols], np.array(counts, int))
                continue
            lines = list(itertools.islice(file, len(numbers)))
            if len(lines) < len(numbers) or not lines[-1].endswith('\n'):
                raise ValueError('the file ends within a frame')
            scaled = np.array(' '.join(lines).split(), dtype=float).reshape(len(numbers), -1)[:, :3]
            yield Atoms(numbers, positions=scaled @ cell, cell=cell, pbc=True)


def _check_types(path: Path, types: list[str] | None) -> None:
    """Raise an error for a dump without elements: ASE would read its atom types as atomic numbers."""
    with path.open() as file:
        columns = next((line.split()[2:] for line in file if line.startswith('ITEM: ATOMS')), [])
    if 'id' not in columns:
        raise InvalidTrajectory('the dump has no column id, so atoms cannot be followed from frame to frame')
    if types is None and not {'element', 'mass'} & set(columns):
        way_out = 'give the elements (--types Li,P,S for the types 1, 2 and 3)'
        raise InvalidTrajectory(f'the dump names atom types, not elements: {way_out}')
    unknown = [symbol for symbol in types or () if symbol not in atomic_numbers]
    if unknown:
        raise InvalidTrajectory(f'{unknown[0]!r} among the types is not an element')


def _collect(path: Path, frames: Iterable[Atoms], cell: np.ndarray | None) -> Segment:
    """Collect the frames of a file in one array, which grows in place."""
    positions, cells, steps, notes = np.empty((0, 0, 3)), [], [], []
    symbols = incomplete = None
    for count, atoms in enumerate(_until_broken(frames, notes)):
        if symbols is None:
            symbols = tuple(atoms.symbols)
            positions = np.empty((256, len(atoms), 3))
            if atoms.cell.rank:
                cell = None
            elif cell is None and (cell := _siesta_cell(path)) is None:
                raise InvalidTrajectory('the file has no cell: give it (--cell)')
        if incomplete is not None or (len(atoms) >= len(symbols) and tuple(atoms.symbols) != symbols):
            frame = count if incomplete is None else incomplete
            raise InvalidTrajectory(f'frame {frame} has other atoms, or in another order, than the first')
        if len(atoms) < len(symbols):
            incomplete = count  # allowed for the last frame only
            continue
        if count == len(positions):
            positions.resize((2 * count, len(atoms), 3), refcheck=False)
        positions[count] = atoms.positions
        cells.append(atoms.cell.array if cell is None else cell)
        steps.append(next((atoms.info[key] for key in _STEP_KEYS if key in atoms.info), None))
    if symbols is None:
        raise InvalidTrajectory('holds no frame')
    numbered = all(isinstance(step, int | np.integer) for step in steps)
    if not notes and incomplete is None and len(cells) > 1 and _is_cut_off(path):
        incomplete = len(cells) - 1  # the last number may have lost digits
        del cells[-1], steps[-1]
    if incomplete is not None:
        notes.append(f'left out frame {incomplete}, which is incomplete')
    note = f'{path}: {notes[0]}' if notes else None
    positions.resize((len(cells), len(symbols), 3), refcheck=False)
    return Segment(str(path), symbols, positions, np.array(cells), np.array(steps) if numbered else None, note)


def _is_cut_off(path: Path) -> bool:
    """Whether a text file ends inside a line."""
    with path.open('rb') as file:
        if b'\0' in file.read(1024):
            return False
        file.seek(-1, 2)
        return file.read(1) != b'\n'


def _until_broken(frames: Iterable[Atoms], notes: list[str]) -> Iterator[Atoms]:
    """The frames up to the first that cannot be read, with a note on that one. At least one must be readable."""
    count = 0
    try:
        for atoms in frames:
            yield atoms
            count += 1
    except PesfpError:
        raise
    except Exception as error:
        if not count:
            raise
        notes.append(f'left out all from frame {count} on, which cannot be read ({one_line(error)})')


def _siesta_cell(path: Path) -> np.ndarray | None:
    """(3, 3) the cell, A, from the files that SIESTA writes next to its ``.ANI``; None if there are none."""
    for suffix, form in (('.XV', 'siesta-xv'), ('.STRUCT_OUT', 'struct_out')):
        beside = path.with_suffix(suffix)
        if path.suffix == '.ANI' and beside.is_file():
            return ase.io.read(beside, format=form).cell.array
    return None


def _join(segments: list[Segment]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, list[tuple[int, str, str]]]:
    """Positions, cells and steps of all segments, and the borders between them: frame, file before, file after."""
    first = segments[0]
    if len(segments) == 1:
        return first.positions, first.cells, first.steps, []
    _check_same_kind(segments)
    parts, sources = [(first.positions, first.cells, first.steps)], [first.source]
    for segment in segments[1:]:
        positions, _, steps = parts[-1]
        begin, new_steps = 0, segment.steps
        if (kept := _overlap(parts[-1], segment)) is not None:
            parts[-1] = tuple(array[:kept] for array in parts[-1])
        else:
            repeated = minimum_image(segment.positions[0] - positions[-1], first.cells[0])
            begin = int(np.abs(repeated).max() < _SAME)
            if begin == len(segment.positions):
                continue
            if new_steps is not None and new_steps[0] <= steps[-1]:
                # This program starts every run with the same number.
                stride = new_steps[1] - new_steps[0] if len(new_steps) > 1 else 1
                new_steps = new_steps - new_steps[begin] + steps[-1] + stride
        parts.append((segment.positions[begin:], segment.cells[begin:], None if steps is None else new_steps[begin:]))
        sources.append(segment.source)
    lengths = np.cumsum([len(part[0]) for part in parts]).tolist()
    positions, cells = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    steps = None if first.steps is None else np.concatenate([part[2] for part in parts])
    return positions, cells, steps, list(zip(lengths, sources, sources[1:]))


def _check_same_kind(segments: list[Segment]) -> None:
    """Raise an error unless all segments have the same atoms, and all or none of them numbers of steps."""
    first = segments[0]
    for before, segment in itertools.pairwise(segments):
        if (segment.steps is None) != (first.steps is None):
            one, other = sorted((first, segment), key=lambda kind: kind.steps is None)
            raise InvalidTrajectory(f'{one.source} numbers its steps, {other.source} does not: give files of one kind')
        if segment.symbols != first.symbols:
            raise InvalidTrajectory(f'{segment.source} has other atoms, or in another order, than {first.source}')
        both = [one.steps for one in (before, segment) if one.steps is not None and len(one.steps) > 1]
        strides = [int(steps[1] - steps[0]) for steps in both]
        if len(set(strides)) > 1:
            found = f'{before.source} has a frame every {strides[0]} steps, {segment.source} every {strides[1]}'
            raise InvalidTrajectory(f'{found}: analyse them separately')


def _overlap(before: tuple[np.ndarray, ...], segment: Segment) -> int | None:
    """Number of frames of ``before`` that precede the first step of ``segment``; None if no step is repeated."""
    positions, cells, steps = before
    if steps is None or not steps[0] < segment.steps[0] <= steps[-1]:
        return None
    kept = int(np.searchsorted(steps, segment.steps[0]))
    # A run that counts its steps anew begins with a known number too, but closer to the last frame.
    moves = minimum_image(segment.positions[0] - positions[[kept, -1]], cells[0])
    to_same, to_last = np.linalg.norm(moves, axis=(1, 2))
    return kept if to_same <= to_last else None


def _check_borders(positions: np.ndarray, cell: np.ndarray, borders: list[tuple[int, str, str]]) -> None:
    """Raise :class:`~aiida_pesfp.errors.InvalidTrajectory` if a file does not continue the one before."""
    if not borders:
        return
    longest = np.empty(len(positions) - 1)
    for begin in range(0, len(longest), 1024):
        steps = np.diff(positions[begin : begin + 1025], axis=0)
        longest[begin : begin + 1024] = np.linalg.norm(minimum_image(steps, cell), axis=2).max(axis=1)
    inner = np.delete(longest, [frame - 1 for frame, _, _ in borders])
    for frame, before, after in borders:
        jump = longest[frame - 1]
        if len(inner) and jump > _LONGER * inner.max() + _FARTHER:
            moves = f'an atom moves by {jump:.1f} A, but at most by {inner.max():.2f} A between other frames'
            way_out = 'give the files of one run in their order'
            raise InvalidTrajectory(f'{after} does not begin where {before} ends: {moves}; {way_out}')
