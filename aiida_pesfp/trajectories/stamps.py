"""What files say of the step and the time of each frame, and the numbers of the steps that follow.

A number whose name has a word of steps, time or frames is a clock. Any other number that grows steadily may be one: the
user has to say how many steps lie between two frames. None is passed over.
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
#: Times are printed with few digits: their largest distance from a whole step, and relative difference of intervals.
_OFF_STEP, _OFF_RATIO = 0.2, 0.01
#: A clock goes forward at most frames more than backward, in shares of them.
_ONE_WAY = 0.6
#: A name (and words before it), a unit in brackets, a sign, a number that is none of a date, and the word behind it.
_PAIR = re.compile(
    r'\b([A-Za-z][\w .-]{0,60}?)["\']?(?: ?[(\[/] ?([\w.]{1,20}) ?[)\]]?)?(\s*[=:#]+\s*|\s+#?)["\']?'
    r'((?>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?))(?![\d.:_-]|,\d)["\']?(?=\s*[(\[]?([A-Za-z.]*))'
)
_BARE = re.compile(r'\d+(?:\.\d+)?')
#: Words of a name, also of ``mdStep``: the last must be that of a clock, but for a unit or a word of numbering.
_WORD = re.compile('[A-Z]?[a-z]+|[A-Z]+(?![a-z])')
_BEHIND = re.compile(f'{"|".join(map(re.escape, UNITS))}|id|no|nr|num|number|index|idx|count|done')
KINDS = {
    'step': re.compile('[a-z]?(md|sim|time|ionic|geo)*(step|iter|iteration)s?|i'),
    'time': re.compile('(sim|md|simulation)?times?|t'),
    'frame': re.compile('(n|i)?(frame|snapshot|image|config|configuration|konfig)s?'),
}
#: The length of a step, where it does not grow.
_LENGTH = re.compile('time_?step', re.IGNORECASE)
#: What makes a growing number a clock that is not understood; and words of clocks that do not count the dynamics.
_LOOKS = re.compile('step|time|frame|iter|clock', re.IGNORECASE)
_FOREIGN = re.compile('wall|cpu|gpu|elapsed|real|user|run|unix|scf|electronic|elec|per|since|left|remaining')


class Clock(NamedTuple):
    """What counts frames: ``kind`` is step, time, frame, doubtful or bare; ``unit`` of times, fs (None: not said)."""

    name: str
    kind: str
    unit: float | None = None


STEP, CONFIGURATION, FILE = Clock('step', 'step'), Clock('configuration', 'frame'), Clock('name of a file', 'frame')
#: Any number of a comment, made once to save memory.
_NUMBERS = {kind: [Clock(f'number {k} in the comment', kind) for k in range(1, 100)] for kind in ('doubtful', 'bare')}
#: What the clocks of a frame show; and of a file: (s,) of all frames.
Stamp = dict[Clock, float]
Stamps = dict[Clock, np.ndarray]


def read_stamp(text: str) -> Stamp:
    """From a comment, such as ``i = 10, time = 20.000`` (CP2K), ``Timestep: 10`` (LAMMPS) or ``MD_time_ps=0.02``."""
    stamp: Stamp = {}
    for phrase, bracket, sign, number, behind in _PAIR.findall(text):
        name = phrase.split()[-1]
        words = [word if len(word) == 1 else word.lower() for word in _WORD.findall(phrase)]
        unit = next((UNITS[word.lower()] for word in (bracket, behind, *words) if word.lower() in UNITS), None)
        last = next((word for word in reversed(words) if not _BEHIND.fullmatch(word)), '')
        kind = next((kind for kind, known in KINDS.items() if known.fullmatch(last)), None)
        if len(last) == 1 and not (sign.strip() and name.startswith(last)):
            continue  # of a single letter, that is the name
        # Of a single letter, the words before are of something else, such as the title of a run.
        if kind and (unit or not bracket) and (len(last) == 1 or not any(map(_FOREIGN.fullmatch, words))):
            clock = Clock(name, kind, unit if kind == 'time' else None)
            stamp.setdefault(clock, float(number.lower().replace('d', 'e')))
    if {clock.name for clock in stamp} == {'i', 'time'}:  # CP2K
        stamp = {clock._replace(unit=1.0 if clock.kind == 'time' else None): value for clock, value in stamp.items()}
    numbers = _NUMBERS['doubtful' if _LOOKS.search(text) else 'bare']
    return stamp | dict(zip(numbers, map(float, _BARE.findall(text))))


def collect(stamps: Sequence[Stamp]) -> Stamps:
    """The clocks that all frames of a file have.

    :raises InvalidTrajectory: if a clock is missing from some frames, and none is in all, or it shows no number.
    """
    found = dict.fromkeys(clock for stamp in stamps for clock in stamp)
    whole = {one: np.array([s[one] for s in stamps]) for one in found if all(one in stamp for stamp in stamps)}
    missing = set(KINDS) - {clock.kind for clock in whole}
    if partial := next((clock for clock in found if clock.kind in missing), None):
        frame = next(k for k, stamp in enumerate(stamps) if partial not in stamp)
        raise InvalidTrajectory(f'frame {frame} has no {partial.name}, other frames have: repair it')
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
    for clock, values in files[0].items():
        if not _LENGTH.match(clock.name) or not all(clock in one for one in files):
            continue
        every = np.concatenate([one[clock] for one in files])
        growing = len(every) > 1 and (np.diff(every) > 0).all()  # a clock, not a length
        if not growing and (every > 0).all() and np.ptp(every) > _OFF_RATIO * every.min():
            said = f'{clock.name} from {every.min():g} to {every.max():g}'
            raise InvalidTrajectory(f'the file says {said}: run the dynamics with steps of one length')
        constant = values[0] > 0 and len(values) > 1 and not np.ptp(every)
        known = [abs(values[0] * unit / timestep - 1) < _OFF_RATIO for unit in (*UNITS.values(), _ASE)]
        if constant and not any(known):
            said = f'{clock.name} = {values[0]:g}'
            raise InvalidTrajectory(f'the file says {said}, and {timestep:g} fs are given (--timestep-fs): correct one')
    clocks, notes = _growing(files), []
    steps, times, frames = ({one: values for one, values in clocks.items() if one.kind == kind} for kind in KINDS)
    time = min(times, key=lambda clock: clock.unit is None, default=None)
    if steps:
        _, numbers = _counter(steps, stride)
        if time is not None and (interval := _interval(numbers)):
            _unit_of(times[time], time.unit, timestep, interval)
    elif time is not None:
        numbers = (times[time] - times[time][0]) * _unit_of(times[time], time.unit, timestep, stride) / timestep
    elif frames:
        numbers, notes = _count(*_counter(frames, stride), stride)
    elif clocks and stride is None:
        clock, values = next(iter(clocks.items()))
        shown = ', '.join(f'{value:g}' for value in values[:3])
        raise InvalidTrajectory(
            f'what {clock.name} ({shown}) counts is not clear: say how many steps lie between frames (--stride)'
        )
    else:
        return None, []
    numbers = np.rint(numbers).astype(np.int64)
    if (found := _interval(numbers)) is None and len(numbers) > 1:
        raise InvalidTrajectory('the steps of the frames do not grow: give them in their order')
    if stride is not None and found not in (None, stride):
        raise InvalidTrajectory(
            f'the frames are {found:g} steps of {timestep:g} fs apart by their own stamps, and {stride} are given '
            '(--stride): leave it out, or correct the time step (--timestep-fs)'
        )
    lengths = [len(next(iter(one.values()))) for one in files]
    return np.split(numbers, np.cumsum(lengths)[:-1]), notes


def _growing(files: list[Stamps]) -> Stamps:
    """The clocks that all files have, joined, as far as they go forward or, for the error, backward; restarts aside.

    A number without a name of a clock counts if it grows by the same amount from each frame to the next. A clock that
    goes to and fro is doubtful.

    :raises InvalidTrajectory: if some files have a clock, and none is in all.
    """
    known = [{clock for clock in one if clock.kind in KINDS} for one in files]
    if any(known) and not set.intersection(*known):
        names = ', '.join(sorted(clock.name for clock in set.union(*known)))
        raise InvalidTrajectory(f'{names} does not stand in all files: give files of one kind')
    growing = {}
    for clock in files[0]:
        if any(clock not in one for one in files):
            continue
        parts = [one[clock] for one in files]
        joined = np.concatenate(parts)
        moves = np.concatenate([np.diff(part) for part in (parts if len(parts) < len(joined) else [joined])])
        steady = len(moves) > 1 and moves.min() > 0 and np.ptp(moves) <= _OFF_RATIO * moves.min()
        one_way = len(joined) == 1 or abs(np.sign(moves).sum()) > _ONE_WAY * len(moves)
        if steady or (one_way and clock.kind != 'bare'):
            growing[clock] = joined
        elif moves.any() and clock.kind in KINDS:
            growing[clock._replace(kind='doubtful')] = joined
    return growing


def _counter(clocks: Stamps, stride: int | None) -> tuple[Clock, np.ndarray]:
    """The clock that counts steps or frames; of several, that which fits the stride. It shows whole numbers."""
    found = {clock: _interval(values) for clock, values in clocks.items()}
    if stride in found.values():
        found = {clock: interval for clock, interval in found.items() if interval == stride}
    if len(set(found.values())) > 1:
        names = ', '.join(f'{clock.name} by {interval or 0:g}' for clock, interval in found.items())
        raise InvalidTrajectory(f'several numbers may be that of the step ({names}): say which is (--stride)')
    clock = next(iter(found))
    if len(wrong := np.flatnonzero(clocks[clock] != np.rint(clocks[clock]))):
        number = clocks[clock][wrong[0]]
        raise InvalidTrajectory(f'frame {wrong[0]} has the {clock.name} {number:g}, which is no whole number')
    return clock, clocks[clock]


def _count(clock: Clock, numbers: np.ndarray, stride: int | None) -> tuple[np.ndarray, list[str]]:
    """The (s,) steps of frames that are only numbered, and notes."""
    apart = _interval(numbers)
    if stride is not None and apart and (apart == 1 or clock != CONFIGURATION):
        return numbers * (stride / apart), []
    if stride is None and apart == 1 and clock not in (CONFIGURATION, FILE):
        raise InvalidTrajectory(f'{clock.name} only counts frames: say how many steps lie between two (--stride)')
    shown = [round(number) for number in numbers[:2]]
    note = f'the numbers of the frames, {shown[0]}, {shown[-1]}, ..., are taken for those of steps'
    way_out = 'if they are not, say how many steps lie between two frames (--stride)'
    return numbers, [f'{note}: {way_out}'] if clock != CONFIGURATION or shown == [1, 2] else []


def _interval(values: np.ndarray) -> float | None:
    """The usual distance of two frames; None if there is none."""
    forward = np.diff(values)
    forward = forward[forward > 0]
    return float(np.median(forward)) if len(forward) else None


def _unit_of(times: np.ndarray, unit: float | None, timestep: float, stride: float | None) -> float:
    """The unit of times, fs, in which frames are ``stride`` steps apart; if that is not known, a whole number."""
    if (interval := _interval(times)) is None:
        raise InvalidTrajectory('the times of the frames do not grow')
    apart = {one: interval * one / timestep for one in ([unit] if unit is not None else [*_UNSAID, _ASE])}
    if stride is not None:
        fits = [one for one, steps in apart.items() if abs(steps / stride - 1) < _OFF_RATIO]
    else:
        away = {one: (times - times[0]) * one / timestep for one in apart}
        whole = {one for one, steps in away.items() if np.abs(steps - np.rint(steps)).max() < _OFF_STEP}
        fits = [one for one, steps in apart.items() if steps > 1 - _OFF_RATIO and one in whole]
        if len(fits) > 1 and _ASE in fits:
            fits.remove(_ASE)
    # Any number is whole in a unit that is small enough: ps is certain only where fs is out of the question.
    certain = unit is not None or stride is not None or interval < timestep or _ASE in fits
    if len(fits) == 1 and certain:
        return fits[0]
    names = {value: name for name, value in reversed(UNITS.items())} | {_ASE: 'units of ASE'}
    ways = ', or '.join(
        f'{steps:g} if it is in {names.get(one, f"units of {one:g} fs")}' for one, steps in apart.items()
    )
    wanted = 'of a whole number of steps' if stride is None else f'of {stride:g} steps, as numbers or --stride say'
    raise InvalidTrajectory(
        f'the times of the frames grow by {interval:g}, which should be the time {wanted}. In steps of {timestep:g} fs '
        f'(--timestep-fs), it is {ways}: correct the time step, or say how many steps lie between frames (--stride)'
    )
