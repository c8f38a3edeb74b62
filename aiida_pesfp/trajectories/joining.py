"""The files of one run become one: their order, repeated frames, gaps, and whether one goes on where another ends."""

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aiida_pesfp.crystals.periodic import minimum_image
from aiida_pesfp.errors import InvalidTrajectory
from aiida_pesfp.trajectories.stamps import FILE, KINDS, Stamps

#: Largest difference between two copies of the same frame, A.
_SAME = 1e-4
#: Sums of fractional coordinates are compared in units of this.
_MARK = 1e-4
#: The longest step between two files may be this many times the longest within them, plus this many A.
_LONGER, _FARTHER = 3.0, 0.5
#: Fewer steps do not show which lengths are usual.
_FEWEST_STEPS = 10
#: Number of frames that are compared together, to save a second copy of a large trajectory.
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
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


def in_order(segments: list[Segment]) -> list[Segment]:
    """Files in the order of the numbers in their names, if they come in the alphabetical order of a shell.

    A name without a number comes before the same name with one. Any other order is what the user means, and so is one
    in which the steps or times that the files say grow.
    """
    names = [one.source for one in segments]
    plain = [re.sub(r'[\W_]', '', name).casefold() for name in names]
    clocks = [{clock: shown[0] for clock, shown in one.stamps.items() if clock.kind in KINDS} for one in segments]
    begins = [[one.get(clock, -np.inf) for one in clocks] for clock in clocks[0]]
    grow = any((np.diff(row) > 0).all() for row in begins)
    if grow or (names != sorted(names) and plain != sorted(plain)):
        return segments
    words = [re.findall(r'\d+|[^\W\d_]+', name) for name in names]
    # The ending that all names have would stand where others have a number.
    while all(words) and len(ends := {row[-1] for row in words}) == 1 and not ends.pop().isdecimal():
        words = [row[:-1] for row in words]
    keys = [[(not word.isdecimal(), int(word) if word.isdecimal() else word) for word in row] for row in words]
    return [segments[k] for k in sorted(range(len(keys)), key=keys.__getitem__)]


def numbers_of_files(segments: list[Segment]) -> list[Stamps] | None:
    """The last numbers in the names of files of one frame, as clocks, if all have one and none says a step or time."""
    numbers = [re.findall(r'\d+', Path(one.source).stem) for one in segments if len(one.positions) == 1]
    said = any(clock.kind in ('step', 'time') for one in segments for clock in one.stamps)
    if said or len(numbers) < len(segments) or not all(numbers):
        return None
    return [{FILE: np.array([float(found[-1])])} for found in numbers]


def join(segments: list[Segment], cell: np.ndarray) -> tuple[Segment, list[tuple[int, str, str]], list[str]]:
    """One run; the borders of its parts (frame, part before, part); notes. A frame that comes again counts once.

    :raises InvalidTrajectory: if the parts differ in kind or atoms, or one does not follow the one before.
    """
    first, run = segments[0], _Run(segments, cell)
    for segment in segments:
        if segment.symbols != first.symbols:
            raise InvalidTrajectory(f'{segment.source} has other atoms, or in another order, than {first.source}')
        if segment.unwrapped != first.unwrapped:
            found = f'only one of {first.source} and {segment.source} has positions that are not wrapped'
            raise InvalidTrajectory(f'{found}: give files of one kind')
        run.add(segment)
    begins = [k for k, (one, i) in enumerate(run.frames) if not k or (one, i - 1) != run.frames[k - 1]]
    ends, starts = [*begins[1:], len(run.frames)], [run.frames[k] for k in begins]
    names = [one.source + (f' from frame {i} on' if i else '') for one, i in starts]
    parts = [one.positions[i : i + end - begin] for (one, i), begin, end in zip(starts, begins, ends)]
    positions = parts[0] if len(parts) == 1 else np.concatenate(parts)
    joined = replace(first, positions=positions, steps=np.array(run.steps) if run.steps else None)
    return joined, list(zip(begins[1:], names, names[1:])), run.notes


class _Run:
    """The path of a run, to which files are added: frames, and the numbers of their steps if files say them.

    A frame that is there already takes the run back to where it is, and new frames go on from there: chaos parts two
    runs from one frame. Where files say no steps, any frame may be such a restart; else the first of a file, and those
    whose step does not grow.
    """

    def __init__(self, segments: list[Segment], cell: np.ndarray):
        apart = np.concatenate([np.diff(one.steps) for one in segments if one.steps is not None] or [[]])
        self.stride = int(apart[apart > 0][0]) if (apart > 0).any() else None
        self.cell, self.inverse = cell, np.linalg.inv(cell)
        self.frames: list[tuple[Segment, int]] = []
        self.steps: list[int] = []
        self.places: dict[tuple, int] = {}
        self.notes: list[str] = []
        self.weights = np.random.default_rng(0).integers(1, 4, len(segments[0].symbols))

    def add(self, segment: Segment) -> None:
        """Add the frames of a file, or of several runs in one."""
        marks, steps, again = self._marks(segment.positions), segment.steps, 0
        place, origin, shift = len(self.frames), None, 0
        for k, mark in enumerate(marks):
            if self._has(place, segment.positions[k]):
                place, again = place + 1, again + 1
                continue
            restarts = steps is None or k == 0 or steps[k] <= steps[k - 1]
            if restarts and (found := self._find(segment, k, mark)) is not None:
                place, origin, again = found + 1, found, again + 1
                shift = 0 if steps is None else self.steps[found] - steps[k]
                continue
            if restarts and steps is not None and self.frames:
                shift = self._shift(segment, k)
                place = len(self.frames)
            self._replace(place, origin, segment, k)
            self.places[mark] = place
            self.frames.append((segment, k))
            if steps is not None:
                self.steps.append(int(steps[k]) + shift)
            place += 1
        if again and steps is None:
            self.notes.append(f'{again} of the {len(marks)} frames of {segment.source} come again and count once')

    def _marks(self, positions: np.ndarray) -> list[tuple]:
        """Three numbers of each frame that copies share, wherever atoms are wrapped. Few other frames have the same."""
        sums = np.einsum('n,sni->si', self.weights, positions) @ self.inverse % 1
        return list(map(tuple, np.rint(sums / _MARK).tolist()))

    def _has(self, place: int, positions: np.ndarray) -> bool:
        if not 0 <= place < len(self.frames):
            return False
        segment, k = self.frames[place]
        return bool(np.abs(minimum_image(positions - segment.positions[k], self.cell)).max() < _SAME)

    def _find(self, segment: Segment, k: int, mark: tuple) -> int | None:
        """Where the run has this frame already."""
        places = [len(self.frames) - 1] if k == 0 or segment.steps is not None else []
        if segment.steps is not None and (at := bisect_left(self.steps, segment.steps[k])) < len(self.steps):
            places.append(at)
        if segment.steps is None or self._may_begin(segment.steps[k]):
            places.append(self.places.get(mark, -1))
        return next((place for place in places if self._has(place, segment.positions[k])), None)

    def _may_begin(self, step: int) -> bool:
        """Whether a program that counts its steps anew writes its first frame at this step."""
        return self.stride is not None and step <= max(self.stride, self.steps[0] if self.steps else 0)

    def _shift(self, segment: Segment, k: int) -> int:
        """What to add to the steps of a new part of a run, to count on where its program began anew."""
        step, last, before = int(segment.steps[k]), self.steps[-1], self.frames[-1][0].source
        if step > last:
            if self.stride is not None and step - last != self.stride:
                gap = f'{before} ends at step {last}, {segment.source} begins at step {step}'
                raise InvalidTrajectory(f'{gap}, and frames are {self.stride} apart: frames are missing between them')
            return 0
        if self._may_begin(step):
            return last + self.stride - step
        found = f'{segment.source} begins before {before} ends, and has different positions at step {step}'
        raise InvalidTrajectory(f'{found}: give the files of one run in their order')

    def _replace(self, place: int, origin: int | None, segment: Segment, k: int) -> None:
        """Drop the frames from a place on, in favour of a new one."""
        if place == len(self.frames):
            return
        before = self.frames[place][0].source
        if origin == 0:
            raise InvalidTrajectory(f'{before} and {segment.source} are two runs from one frame: analyse each')
        which = f'step {segment.steps[k]}' if segment.steps is not None else f'frame {k}'
        self.notes.append(f'from {which} on, {segment.source} replaces what {before} has')
        del self.frames[place:], self.steps[place:]


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
