"""The files of one run become one: their order, repeated frames, gaps, and whether one goes on where another ends."""

import itertools
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aiida_pesfp.crystals.periodic import minimum_image
from aiida_pesfp.errors import InvalidTrajectory
from aiida_pesfp.trajectories.stamps import FILE, Stamps

#: Largest difference between two copies of the same frame, A.
_SAME = 1e-4
#: The longest step between two files may be this many times the longest within them, plus this many A.
_LONGER, _FARTHER = 3.0, 0.5
#: Fewer steps do not show which lengths are usual.
_FEWEST_STEPS = 10
#: Number of frames that are compared together, to save a second copy of a large trajectory.
_BLOCK = 1024


@dataclass(frozen=True)
class Segment:
    """The frames of one file: (s, n, 3) positions as written and (s, 3, 3) cells, A, and a note on what was left out.

    ``steps`` (s,) are the numbers of the steps, if they are known; ``unwrapped``: the file says that positions are not
    wrapped into the cell.
    """

    source: str
    symbols: tuple[str, ...]
    positions: np.ndarray
    cells: np.ndarray
    stamps: Stamps
    unwrapped: bool = False
    note: str | None = None
    steps: np.ndarray | None = None

    def part(self, begin: int, end: int | None = None) -> 'Segment':
        """Some of its frames."""
        frames, steps = slice(begin, end), self.steps
        steps = None if steps is None else steps[frames]
        return replace(self, positions=self.positions[frames], cells=self.cells[frames], steps=steps)


def in_order(paths: list[Path]) -> list[Path]:
    """Files in the order of the numbers in their names, if they come in the alphabetical order of a shell.

    Any other order is what the user means.
    """
    names = [str(path) for path in paths]
    plain = [re.sub(r'[\W_]', '', name).casefold() for name in names]
    if names != sorted(names) and plain != sorted(plain):
        return paths
    words = {path: [word for word in re.split(r'(\d+)', str(path)) if word] for path in paths}
    return sorted(paths, key=lambda path: [(not w.isdecimal(), int(w) if w.isdecimal() else w) for w in words[path]])


def numbers_of_files(segments: list[Segment]) -> list[Stamps] | None:
    """The last numbers in the names of files of one frame, as clocks, if all have one and none says a step or time."""
    numbers = [re.findall(r'\d+', Path(one.source).stem) for one in segments if len(one.positions) == 1]
    said = any(clock.kind in ('step', 'time') for one in segments for clock in one.stamps)
    if said or len(numbers) < len(segments) or not all(numbers):
        return None
    return [{FILE: np.array([float(found[-1])])} for found in numbers]


def split_at_restarts(segment: Segment) -> list[Segment]:
    """The parts of a file to which several runs were written: where the step does not grow, or a frame is repeated."""
    places, steps = segment.positions, segment.steps
    if steps is not None:
        ends = np.flatnonzero(np.diff(steps) <= 0) + 1
    else:
        ends = np.array([k for k in range(1, len(places)) if np.array_equal(places[k], places[k - 1])], dtype=int)
    if not len(ends):
        return [segment]
    pairs = itertools.pairwise([0, *ends.tolist(), len(places)])
    return [replace(segment.part(a, b), source=f'{segment.source} from frame {a} on') for a, b in pairs]


def join(segments: list[Segment]) -> tuple[Segment, list[tuple[int, str, str]], list[str]]:
    """One run; the borders of its parts (frame, part before, part); notes. A frame that comes again counts once.

    :raises InvalidTrajectory: if the parts differ in kind, atoms or stride, or one does not follow the one before.
    """
    _check_same_kind(segments)
    parts, notes = [segments[0]], []
    for segment in segments[1:]:
        before, begin = parts[-1], 0
        if (kept := _overlap(before, segment)) is not None:
            if len(segment.positions) <= len(before.positions) - kept and _is_repeated(before, segment, kept):
                continue
            if not _is_repeated(before, segment, kept):
                notes.append(f'from step {segment.steps[0]} on, {segment.source} replaces what {before.source} has')
            parts[-1:] = [before.part(0, kept)] if kept else []
        else:
            begin = int(_are_same(segment.positions[0], before.positions[-1], before.cells[0]))
            if begin == len(segment.positions):
                continue
            if segment.steps is not None:
                segment = replace(segment, steps=_continued(before, segment, begin, segments[0].steps[0]))
        parts.append(segment.part(begin))
    sources = [part.source for part in parts]
    borders = list(zip(np.cumsum([len(part.positions) for part in parts]).tolist(), sources, sources[1:]))
    if len(parts) == 1:
        return parts[0], borders, notes
    names = [name for name in ('positions', 'cells', 'steps') if getattr(parts[0], name) is not None]
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], **arrays), borders, notes


def _check_same_kind(segments: list[Segment]) -> None:
    """Raise an error unless all segments have the same atoms, wrapping and stride."""
    first = segments[0]
    for before, segment in itertools.pairwise(segments):
        if segment.symbols != first.symbols:
            raise InvalidTrajectory(f'{segment.source} has other atoms, or in another order, than {first.source}')
        if segment.unwrapped != first.unwrapped:
            found = f'only one of {first.source} and {segment.source} has positions that are not wrapped'
            raise InvalidTrajectory(f'{found}: give files of one kind')
        one, other = _stride(before), _stride(segment)
        if None not in (one, other) and one != other:
            found = f'{before.source} has a frame every {one} steps, {segment.source} every {other}'
            raise InvalidTrajectory(f'{found}: analyse them separately')


def _are_same(first: np.ndarray, second: np.ndarray, cell: np.ndarray) -> bool:
    return bool(np.abs(minimum_image(first - second, cell)).max() < _SAME)


def _is_repeated(before: Segment, segment: Segment, kept: int) -> bool:
    """Whether a segment repeats the frames of another from ``kept`` on, as far as both go."""
    common = min(len(before.positions) - kept, len(segment.positions))
    return _are_same(segment.positions[:common], before.positions[kept : kept + common], before.cells[0])


def _overlap(before: Segment, segment: Segment) -> int | None:
    """Number of frames of ``before`` that precede the first step of ``segment``; None if no step is repeated.

    The frame of that step must be the same in both. Those after it may differ: chaos parts two runs from one frame.

    :raises InvalidTrajectory: if one step has two positions, or two runs only begin with the same frame.
    """
    steps = before.steps
    if steps is None or not steps[0] <= segment.steps[0] <= steps[-1]:
        return None
    kept = int(np.searchsorted(steps, segment.steps[0]))
    if steps[kept] == segment.steps[0] and _are_same(segment.positions[0], before.positions[kept], before.cells[0]):
        if kept or len(steps) == 1 or _is_repeated(before, segment, 0):
            return kept
        raise InvalidTrajectory(f'{before.source} and {segment.source} are two runs from one frame: analyse each')
    if (stride := _stride(segment, before)) is not None and segment.steps[0] <= max(stride, steps[0]):
        return None  # the program counts its steps anew
    found = f'{before.source} and {segment.source} have different positions at step {segment.steps[0]}'
    raise InvalidTrajectory(f'{found}: they are not parts of one run')


def _stride(*segments: Segment) -> int | None:
    known = (one.steps for one in segments if one.steps is not None and len(one.steps) > 1)
    return next((int(steps[1] - steps[0]) for steps in known), None)


def _continued(before: Segment, segment: Segment, begin: int, first: int) -> np.ndarray:
    """(s,) steps of a segment, counted on from the one before where its program began anew; ``first`` of all steps."""
    steps, last, stride = segment.steps, before.steps[-1], _stride(segment, before)
    if steps[0] > last:
        if not begin and stride is not None and steps[0] - last != stride:
            gap = f'{before.source} ends at step {last}, {segment.source} begins at step {steps[0]}'
            raise InvalidTrajectory(f'{gap}, and frames are {stride} steps apart: frames are missing between them')
        return steps
    if stride is None or steps[0] > max(stride, first):
        found = f'{segment.source} begins at step {steps[0]}, {before.source} ends at step {last}'
        raise InvalidTrajectory(f'{found}: give the files of one run in their order')
    return steps - steps[begin] + last + stride


def check_steps(positions: np.ndarray, borders: list[tuple], cell: np.ndarray, unwrapped: bool) -> list[str]:
    """Check that each file continues the one before, and no atom leaps.

    :param borders: from :func:`join`.
    :param unwrapped: positions are compared as they are, not to their nearest images. Where nothing but the border of
        two files puts atoms into other cells, a restarted program has counted these anew: positions are shifted back.
    :returns: notes on that, on a cell that seems wrong, and on the longest step, if it is far longer than all others.
    :raises InvalidTrajectory: if a file does not begin where the one before ends.
    """
    notes = []
    longest, spread, turned = np.empty((3, len(positions) - 1))
    outside, inside = [], 0.0
    for begin in range(0, len(longest), _BLOCK):
        frames = slice(begin, begin + _BLOCK)
        steps = np.diff(positions[begin : begin + _BLOCK + 1], axis=0)
        nearest = minimum_image(steps, cell)
        left = (np.abs(nearest - steps) > _SAME).any(axis=2)
        lengths = np.linalg.norm(steps if unwrapped else nearest, axis=2)
        outside.append(lengths[left & (not unwrapped)])
        inside = max(inside, lengths[~left].max(initial=0.0))
        turned[frames], longest[frames] = left.any(axis=1), lengths.max(axis=1)
        spread[frames] = np.sqrt((lengths**2).mean(axis=1))
    inner, inner_turned = (np.delete(values, [frame - 1 for frame, _, _ in borders]) for values in (longest, turned))
    for frame, before, after in borders:
        if unwrapped and turned[frame - 1] and len(inner) and not inner_turned.any():
            step = positions[frame] - positions[frame - 1]
            nearest = minimum_image(step, cell)
            positions[frame:] += nearest - step
            longest[frame - 1] = np.linalg.norm(nearest, axis=1).max()
            notes.append(f'{after} has atoms in other cells than {before}, as after a restart: they are put back')
        # Among files of one frame each, a hop of one ion is no gap.
        found, usual = (longest[frame - 1], inner.max()) if len(inner) else (spread[frame - 1], np.median(spread))
        if found > _LONGER * usual + _FARTHER:
            raise InvalidTrajectory(
                f'{after} does not begin where {before} ends: atoms move by {found:.1f} A, by {usual:.2f} A between '
                'other frames; give the files of one run in their order'
            )
    if len(longest) < _FEWEST_STEPS:
        return notes
    outside = np.concatenate(outside)
    if len(outside) >= _FEWEST_STEPS and (far := np.quantile(outside, 0.9)) > _LONGER * inside + _FARTHER:
        return [
            *notes,
            f'ions that leave the cell on one side return {far:.1f} A away from where they should on the other, and '
            f'move by {inside:.2f} A at most elsewhere: is the cell the one of the dynamics?',
        ]
    # Four damaged frames, as of two pairs of lines that changed places, are eight leaps, away and back.
    usual, *_, first = np.sort(longest)[-9:]
    if first > _LONGER * usual + _FARTHER:
        frame = int(longest.argmax())
        found = f'an atom moves by {first:.1f} A from frame {frame} to {frame + 1}, by {usual:.2f} A between most'
        notes.append(f'{found}: a hop, or a fault of the file')
    return notes
