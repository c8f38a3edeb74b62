"""What files say of the step and the time of each frame, and the numbers of the steps that follow.

Every number whose name has a word of steps, frames or time is a clock. One that grows from frame to frame is
understood, or the user has to say how many steps lie between two frames: none is passed over.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import units

from aiida_pesfp.errors import InvalidTrajectory

#: Units of time by their names, fs. Where a file says none, it is fs, ps, or ASE's own if these do not fit.
UNITS = {'fs': 1.0, 'ps': 1000.0, 'ns': 1e6, 'femtoseconds': 1.0, 'picoseconds': 1000.0, 'nanoseconds': 1e6}
UNITS |= dict.fromkeys(('au', 'a.u.', 'atomic_unit'), units._aut * 1e15)
_UNSAID, _ASE = (1.0, 1000.0), 1 / units.fs
#: Times are printed with few digits: their largest distance from a whole step, and relative difference of time steps.
_OFF_STEP, _OFF_RATIO = 0.2, 0.01
#: A clock goes forward at most frames more than backward, in shares of them.
_ONE_WAY = 0.3
#: A name (and words before it), a unit in brackets, a sign between, what begins like a number, and the word behind it.
_PAIR = re.compile(
    r'\b([A-Za-z][\w .-]{0,60}?)["\']?(?: ?[(\[/] ?([\w.]{1,20}) ?[)\]]?)?(\s*[=:#]+\s*|\s+#?)["\']?'
    r'([-+.]?\d(?:[^\s"\';,|(\[\])}]|,(?=\d))*)["\']?(?=\s*[(\[]?([A-Za-z.]*))'
)
_NUMBER = re.compile(r'([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?)(?:/\d+)?([A-Za-z.]*)')
_BARE = re.compile(r'\d+(?:\.\d+)?')
_WORD = re.compile('[A-Z]?[a-z]+|[A-Z]+(?![a-z])')
_LETTER = re.compile(f'^[it](?=$|_(?:{"|".join(UNITS)})$)')
#: Words of each kind of clock, of clocks that do not count the dynamics, and of what may be a clock.
_KINDS = {
    'step': re.compile('[a-z]?(md|sim|time|ionic|geo)*(step|iter|iteration)s?|i'),
    'frame': re.compile('(n|i)?(frame|snapshot|image|config|configuration|konfig)s?'),
    'time': re.compile('(sim|md|simulation)?times?|t'),
}
_FOREIGN = re.compile('wall|cpu|gpu|elapsed|real|user|run|unix|scf|electronic|elec|per|since|left|remaining')
_LOOKS = re.compile('step|frame|iter|time|clock')


class Clock(NamedTuple):
    """What counts frames: ``kind`` is step, frame, time, unknown or bare; ``unit`` of times, fs (None: not said)."""

    name: str
    kind: str
    unit: float | None = None


STEP, CONFIGURATION = Clock('step', 'step'), Clock('configuration', 'frame')
#: What the clocks of a frame show; and of a file: (s,) of all frames.
Stamp = dict[Clock, float]
Stamps = dict[Clock, np.ndarray]


def read_stamp(text: str) -> Stamp:
    """From a comment, such as ``i = 10, time = 20.000`` (CP2K), ``Timestep: 10`` (LAMMPS) or ``MD_time_ps=0.02``."""
    stamp: Stamp = {}
    for phrase, bracket, sign, shown, behind in _PAIR.findall(text):
        name = phrase.split()[-1]
        words = [word.lower() for word in _WORD.findall(phrase) if len(word) > 1]
        if sign.strip():
            words += _LETTER.findall(name)
        kinds = [kind for kind, known in _KINDS.items() if any(map(known.fullmatch, words))]
        if not kinds and not any(_LOOKS.search(word) for word in words):
            continue
        number = _NUMBER.fullmatch(shown)
        units_said = bracket, number[2] if number else '', behind, *words
        unit = next((UNITS[word.lower()] for word in units_said if word.lower() in UNITS), None)
        # The digits of 12:30:01 or 1,000 grow with what they show.
        value = number[1].lower().replace('d', 'e') if number else ''.join(re.findall(r'\d', shown))[:15]
        if kinds and number and (unit or not bracket) and not any(map(_FOREIGN.fullmatch, words)):
            clock = Clock(name, kinds[0], unit if kinds[0] == 'time' else None)
        else:
            clock = Clock(name, 'unknown')
        stamp.setdefault(clock, float(value))
    if {'i', 'time'} == {clock.name for clock in stamp}:  # CP2K
        return {clock._replace(unit=1.0 if clock.kind == 'time' else None): value for clock, value in stamp.items()}
    if all(clock.kind == 'unknown' for clock in stamp):
        bare = enumerate(_BARE.findall(text), start=1)
        stamp |= {Clock(f'number {k} in the comment', 'bare'): float(value) for k, value in bare}
    return stamp


def collect(stamps: Sequence[Stamp]) -> Stamps:
    """The clocks that all frames of a file have.

    :raises InvalidTrajectory: if a clock is missing from some frames, and none is in all, or it shows no number.
    """
    names = dict.fromkeys(clock for stamp in stamps for clock in stamp)
    found = {clock: np.array([stamp.get(clock, np.nan) for stamp in stamps]) for clock in names}
    whole = {clock: values for clock, values in found.items() if all(clock in stamp for stamp in stamps)}
    kinds = {'unknown', 'bare', *(clock.kind for clock in whole)}
    if partial := [clock for clock in found if clock.kind not in kinds]:
        frame = next(k for k, stamp in enumerate(stamps) if partial[0] not in stamp)
        raise InvalidTrajectory(f'frame {frame} has no {partial[0].name}, other frames have: repair it')
    for clock, values in whole.items():
        if not (np.abs(values) < 1e15).all():
            raise InvalidTrajectory(f'the {clock.name} of a frame is not a number')
    return whole


def number_steps(files: list[Stamps], timestep: float, stride: int | None) -> tuple[list[np.ndarray] | None, list[str]]:
    """The (s,) numbers of the steps of each file of a run, by its clocks (None if it has none); and notes.

    :param timestep: of the dynamics, fs.
    :param stride: steps between two frames, as the user says.
    :raises InvalidTrajectory: if clocks contradict each other or what the user says, fit several units of time, or are
        not understood and no stride is given.
    """
    clocks, counted, notes = _growing(files), False, []
    time = min((one for one in clocks if one.kind == 'time'), key=lambda one: one.unit is None, default=None)
    counter = _counter(clocks, 'step', stride) or (_counter(clocks, 'frame', stride) if time is None else None)
    if counter is not None:
        counts = clocks[counter]
        if len(wrong := np.flatnonzero(counts != np.rint(counts))):
            raise InvalidTrajectory(f'frame {wrong[0]} has the step {counts[wrong[0]]:g}, which is no whole number')
        if time is not None:
            _check_timestep(counts, clocks[time], time.unit, timestep)
        numbers = counts.astype(np.int64)
    elif time is not None:
        times = clocks[time]
        numbers = np.rint((times - times[0]) * _unit_of(times, time.unit, timestep, stride) / timestep).astype(np.int64)
    elif clocks and stride is None:
        name = next((one.name for one in clocks if one.kind == 'unknown'), next(iter(clocks)).name)
        raise InvalidTrajectory(f'what {name} counts is not clear: say how many steps lie between frames (--stride)')
    else:
        return None, []
    if (found := _interval(numbers)) is None:
        if len(numbers) > 1:
            raise InvalidTrajectory('the steps of the frames do not grow: give them in their order')
        return None, []
    if counter is not None and counter.kind == 'frame':
        counted = found == 1
        if stride is None and counted and counter != CONFIGURATION:
            raise InvalidTrajectory(f'{counter.name} only counts frames: say how many steps lie between two (--stride)')
        if stride is None and (counter != CONFIGURATION or list(numbers[:2]) == [1, 2]):
            shown = ', '.join(map(str, numbers[:2]))
            notes.append(
                f'the numbers of the frames, {shown}, ..., are taken for those of steps: if they are not, say how many '
                'steps lie between two frames (--stride)'
            )
    if stride is not None and found != stride:
        if not counted:
            raise InvalidTrajectory(
                f'the frames are {found:g} steps of {timestep:g} fs apart by their own stamps, and {stride} are given '
                '(--stride): leave it out, or correct the time step (--timestep-fs)'
            )
        numbers = numbers * stride
    lengths = [len(next(iter(one.values()))) for one in files]
    return np.split(numbers, np.cumsum(lengths)[:-1]), notes


def _growing(files: list[Stamps]) -> Stamps:
    """The clocks that all files have, joined, as far as they go forward or, for the error, backward; restarts aside.

    A number without a name of a clock counts if it grows by the same amount from each frame to the next.

    :raises InvalidTrajectory: if some files have a clock, and none is in all.
    """
    common = [clock for clock in files[0] if all(clock in one for one in files)]
    own = ((k, clock) for k, one in enumerate(files) for clock in one if len(one[clock]) == 1 or np.ptp(one[clock]))
    if not common and (first := next(own, None)):
        other = next(k for k, one in enumerate(files) if first[1] not in one)
        found = f'{first[1].name} stands in file {first[0] + 1} of {len(files)}, and not in file {other + 1}'
        raise InvalidTrajectory(f'{found}: give files of one kind')
    growing = {}
    for clock in common:
        parts = [one[clock] for one in files]
        joined = np.concatenate(parts)
        moves = np.concatenate([np.diff(part) for part in (parts if len(parts) < len(joined) else [joined])])
        if clock.kind == 'bare':
            grows = len(moves) > 1 and moves.min() > 0 and np.ptp(moves) <= _OFF_RATIO * moves.min()
        else:
            grows = len(joined) == 1 or abs(np.sign(moves).sum()) > _ONE_WAY * len(moves)
        if grows:
            growing[clock] = joined
    return growing


def _counter(clocks: Stamps, kind: str, stride: int | None) -> Clock | None:
    """The clock of this kind, if there is one; of several, that which fits the stride."""
    found = {clock: _interval(clocks[clock]) for clock in clocks if clock.kind == kind}
    if stride in found.values():
        found = {clock: interval for clock, interval in found.items() if interval == stride}
    if len(set(found.values())) > 1:
        names = ', '.join(f'{clock.name} by {interval or 0:g}' for clock, interval in found.items())
        raise InvalidTrajectory(f'several numbers may be that of the step ({names}): say which is (--stride)')
    return next(iter(found), None)


def _interval(values: np.ndarray) -> float | None:
    """The usual distance of two frames; None if there is none."""
    forward = np.diff(values)
    forward = forward[forward > 0]
    return float(np.median(forward)) if len(forward) else None


def _check_timestep(steps: np.ndarray, times: np.ndarray, unit: float | None, timestep: float) -> None:
    """Compare the time between frames with the number of steps between them."""
    forward = (np.diff(steps) > 0) & (np.diff(times) > 0)
    if not forward.any():
        return
    ratio = float(np.median(np.diff(times)[forward] / np.diff(steps)[forward]))
    known = [unit] if unit is not None else [*_UNSAID, _ASE]
    if not any(abs(ratio * one / timestep - 1) < _OFF_RATIO for one in known):
        raise InvalidTrajectory(
            f'by its own stamps a step is {ratio:g} {_name(unit)} long, and {timestep:g} fs are given (--timestep-fs): '
            'correct the time step'
        )


def _unit_of(times: np.ndarray, unit: float | None, timestep: float, stride: int | None) -> float:
    """The unit of times, fs, in which frames are a whole number of steps apart."""
    if (interval := _interval(times)) is None:
        raise InvalidTrajectory('the times of the frames do not grow')
    fits = {
        one: round(interval * one / timestep)
        for one in ([unit] if unit is not None else [*_UNSAID, _ASE])
        if _are_steps(times * one / timestep, interval * one / timestep)
    }
    if len(fits) > 1:
        fits.pop(_ASE, None)
    if stride in fits.values():
        fits = {one: steps for one, steps in fits.items() if steps == stride}
    # Any number is whole in a unit that is small enough: ps is certain only where fs is out of the question.
    certain = unit is not None or stride is not None or interval < timestep or _ASE in fits
    if len(fits) == 1 and certain:
        return next(iter(fits))
    if fits:
        ways = ', or '.join(f'{n} if it is in {_name(one)} (--stride {n})' for one, n in fits.items())
        raise InvalidTrajectory(
            f'the times of frames grow by {interval:g}, of a unit that the file does not say. These are {ways} steps '
            f'of {timestep:g} fs: say which, or correct the time step'
        )
    raise InvalidTrajectory(
        f'the times of frames grow by {interval:g} {_name(unit)}, which is no whole number of steps of '
        f'{timestep:g} fs (--timestep-fs): correct the time step'
    )


def _name(unit: float | None) -> str:
    return next((name for name, value in UNITS.items() if value == unit), 'fs or ps')


def _are_steps(numbers: np.ndarray, interval: float) -> bool:
    """Whether frames are at whole numbers of steps, at least one of them apart."""
    away = numbers - numbers[0]
    return interval > 1 - _OFF_RATIO and float(np.abs(away - np.rint(away)).max()) < _OFF_STEP
