"""What files say of the step and the time of each frame, and the numbers of the steps that follow."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import units

from aiida_pesfp.errors import InvalidTrajectory

#: Units of time in which programs write stamps, fs. ASE's own counts only where the others do not fit.
UNITS = {'fs': 1.0, 'ps': 1000.0, 'ns': 1e6}
_UNSAID, _ASE = (UNITS['fs'], UNITS['ps']), 1 / units.fs
#: Times are printed with few digits: their largest distance from a whole step, and relative difference of time steps.
_OFF_STEP, _OFF_RATIO = 0.2, 0.01
_NUMBER = r'([-+]?\d+\.?\d*(?:[eEdD][-+]?\d+)?)(?![\d.:])'
_CP2K = re.compile(rf'\bi\s*=\s*{_NUMBER}\s*,\s*time\s*=\s*{_NUMBER}')
_STEP = re.compile(rf'(?:\b(?:md[ _]?)?(?:(?:time)?step|iter)\b\s*[=:]?|\bi\s*=)\s*"?{_NUMBER}', re.IGNORECASE)
_TIME = re.compile(
    rf'\b(?:time|(?-i:t))(?:[_ ]?[(\[]?(fs|ps|ns)\b[)\]]?)?\s*[=:]\s*"?{_NUMBER}\s*(fs|ps|ns)?\b', re.IGNORECASE
)


class Stamp(NamedTuple):
    """The number of the step, and the time in units of ``unit`` fs (None: not said), as far as a frame has them."""

    step: float | None = None
    time: float | None = None
    unit: float | None = None


class Stamps(NamedTuple):
    """Those of (s,) frames, as far as all have them; ``counted`` if steps may be just the count of the frames."""

    steps: np.ndarray | None = None
    times: np.ndarray | None = None
    unit: float | None = None
    counted: bool = False


def read_stamp(text: str) -> Stamp:
    """From a comment, such as ``i = 10, time = 20.000`` (CP2K), ``Timestep: 10`` (LAMMPS) or ``time=0.02``."""
    if cp2k := _CP2K.search(text):
        return Stamp(_float(cp2k[1]), _float(cp2k[2]), UNITS['fs'])
    found, time = list(_STEP.finditer(text)), _TIME.search(text)
    # Beside a step, timestep= is the length of one.
    step = next((one for one in found if 'timestep' not in one[0].lower()), found[0] if found else None)
    unit = time and UNITS.get((time[1] or time[3] or '').lower())
    return Stamp(step and _float(step[1]), time and _float(time[2]), unit)


def _float(text: str) -> float:
    """A number, which may be Fortran's: 0.2D+02."""
    return float(text.lower().replace('d', 'e'))


def collect(stamps: Sequence[Stamp], counted: bool = False) -> Stamps:
    """Those of all frames of a file.

    :raises InvalidTrajectory: if some frames have a stamp and others have none.
    """
    steps, times = (_column([stamp[k] for stamp in stamps], name) for k, name in enumerate(('step', 'time')))
    return Stamps(steps, times, stamps[0].unit if stamps else None, counted)


def _column(values: list[float | None], name: str) -> np.ndarray | None:
    missing = [value is None for value in values]
    if all(missing):
        return None
    if any(missing):
        raise InvalidTrajectory(f'frame {missing.index(True)} has no {name}, other frames have')
    if not np.isfinite(column := np.array(values, dtype=float)).all() or np.abs(column).max() > 1e15:
        raise InvalidTrajectory(f'the {name} of a frame is not a number')
    return column


def number_steps(files: list[Stamps], timestep: float, stride: int | None) -> list[np.ndarray] | None:
    """The (s,) numbers of the steps of each file of a run, by its stamps; None if they have none.

    :param timestep: of the dynamics, fs.
    :param stride: steps between two frames, as the user says.
    :raises InvalidTrajectory: if stamps contradict each other or what the user says, or fit several units of time.
    """
    steps, times = _joined([one.steps for one in files]), _joined([one.times for one in files])
    unit = next((one.unit for one in files if one.unit is not None), None)
    if steps is not None:
        if len(wrong := np.flatnonzero(steps != np.rint(steps))):
            raise InvalidTrajectory(f'frame {wrong[0]} has the step {steps[wrong[0]]:g}, which is no whole number')
        if times is not None:
            _check_timestep(steps, times, unit, timestep)
        numbers = steps.astype(np.int64)
    elif times is not None:
        numbers = np.rint((times - times[0]) * _unit_of(times, unit, timestep, stride) / timestep).astype(np.int64)
    else:
        return None
    if (found := _interval(numbers)) is None:
        if len(numbers) > 1:
            raise InvalidTrajectory('the steps of the frames do not grow: give them in their order')
        return None
    if stride is not None and found != stride:
        if not (found == 1 and all(one.counted for one in files)):
            raise InvalidTrajectory(
                f'the frames are {found:g} steps of {timestep:g} fs apart by their own stamps, and {stride} are given '
                '(--stride): leave it out, or correct the time step (--timestep-fs)'
            )
        numbers = numbers * stride
    lengths = [len(one.times if steps is None else one.steps) for one in files]
    return np.split(numbers, np.cumsum(lengths)[:-1])


def _joined(columns: list[np.ndarray | None]) -> np.ndarray | None:
    """One column of all files, or None if one of them has none, or they say the same of all frames."""
    if any(column is None for column in columns):
        return None
    joined = np.concatenate(columns)
    return joined if np.ptp(joined) or len(joined) == 1 else None


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
        name = {1.0: ' fs', 1000.0: ' ps', 1e6: ' ns'}.get(unit, '')
        raise InvalidTrajectory(
            f'by its own stamps a step is {ratio:g}{name} long, and {timestep:g} fs are given (--timestep-fs): '
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
    names = {one: name for name, one in UNITS.items()}
    if fits:
        ways = ', or '.join(f'{n} if it is in {names[one]} (--stride {n})' for one, n in fits.items())
        raise InvalidTrajectory(
            f'the times of frames grow by {interval:g}, of a unit that the file does not say. These are {ways} steps '
            f'of {timestep:g} fs: say which, or correct the time step'
        )
    raise InvalidTrajectory(
        f'the times of frames grow by {interval:g} {names.get(unit, "fs or ps")}, which is no whole number of steps of '
        f'{timestep:g} fs (--timestep-fs): correct the time step'
    )


def _are_steps(numbers: np.ndarray, interval: float) -> bool:
    """Whether frames are at whole numbers of steps, at least one of them apart."""
    away = numbers - numbers[0]
    return interval > 1 - _OFF_RATIO and float(np.abs(away - np.rint(away)).max()) < _OFF_STEP
