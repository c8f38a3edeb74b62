"""Reasons to doubt a conductivity (arXiv:2411.06804, Sec. III A: LiI, Li2Te): flags to select by, and remarks."""

from dataclasses import dataclass

import numpy as np

from aiida_pesfp.trajectories.trajectory import Trajectory
from aiida_pesfp.transport.diffusion import CM2_PER_S, Diffusion, Estimate, fit_line

#: The spread of fewer windows is not reliable.
FEWEST_WINDOWS = 3
#: A fit from an earlier lag, ps, counts ions that rattle in their cages as diffusing (the paper fits from 1 ps).
EARLIEST_FIT = 0.5
#: Flags of a run that is too short for a result: rankings do not show its number.
TOO_SHORT = frozenset({'too_few_windows', 'fit_starts_early'})
#: Growth of the mean squared displacement of a framework element in a window that vibrations cannot explain, A^2.
FRAMEWORK_GROWTH = 1.0
#: One-sided confidence with which D must be positive.
POSITIVE_CONFIDENCE = 0.95
#: A change of slope is abrupt if it exceeds this factor and occurs by chance in fewer than this share of runs.
CHANGE_FACTOR, CHANGE_SIGNIFICANCE = 2.0, 0.01
#: Search for a change: length of a piece of the run, ps; most pieces; fewest on either side of the change.
_PIECE, _MOST_PIECES, _FEWEST_PIECES = 1.5, 200, 3
_PERMUTATIONS = 2000


@dataclass(frozen=True)
class ChangePoint:
    """The most likely ``time`` (since the first frame, ps) at which the diffusion coefficient (cm^2/s) changes.

    :param p_value: probability of such a clear change in a steady diffusion.
    """

    time: float
    before: float
    after: float
    p_value: float

    @property
    def is_abrupt(self) -> bool:
        """Whether the change is both significant and large."""
        low, high = sorted((self.before, self.after))
        return self.p_value < CHANGE_SIGNIFICANCE and high > CHANGE_FACTOR * low


def find_flags(
    estimate: Estimate,
    framework: dict[str, Estimate],
    fit_start: float,
    fit_length: float,
    change: ChangePoint | None,
    whole_run: float,
) -> dict[str, str]:
    """The flags that apply, each with a sentence that says why.

    :param estimate: of the mobile species; ``framework`` has that of each other element.
    :param fit_start: first lag of the fits, ps; ``fit_length`` is the distance to the last, ps.
    :param change: from :func:`find_change`.
    :param whole_run: D from one fit to the whole run, cm^2/s.
    """
    growth = {element: max(other.slopes) * fit_length for element, other in framework.items()}
    moving = ', '.join(f'{name} by {value:.1f} A^2' for name, value in growth.items() if value > FRAMEWORK_GROWTH)
    lowest = estimate.coefficient - (estimate.interval(2 * POSITIVE_CONFIDENCE - 1) or 0)
    count = len(estimate.slopes)
    found = {
        'framework_diffuses': moving
        and f'the mean squared displacement of the framework grows within a window ({moving}): it melts, or anions hop '
        'or rotate slowly; look at its curve before you trust the conductivity',
        'slope_changes': change is not None
        and change.is_abrupt
        and f'D goes from {change.before:.2g} to {change.after:.2g} cm^2/s about {change.time:.1f} ps after the first '
        f'frame (p = {change.p_value:.2g}): a transition, analyse the parts separately',
        'negative_slope': estimate.coefficient < 0
        and 'the mean squared displacement falls: there is no visible diffusion in this time',
        'whole_run_falls': whole_run < 0 < estimate.coefficient
        and f'D is {whole_run:.2g} cm^2/s by the whole run, but positive within windows: ions rattle, positions are '
        'wrapped, or frames are not in their order; look at the curve of the whole run',
        'compatible_with_zero': lowest <= 0
        and f'D is not above zero with a confidence of {100 * POSITIVE_CONFIDENCE:.0f} %: use it as an upper limit, or '
        'run longer',
        'too_few_windows': count < FEWEST_WINDOWS
        and f'{count} window{"s" * (count > 1)}, a reliable uncertainty needs at least {FEWEST_WINDOWS}: run longer',
        'fit_starts_early': fit_start < EARLIEST_FIT
        and f'the fit starts at {fit_start:.2g} ps, when ions still rattle in their cages: run longer and fit from '
        '1 ps before you publish',
    }
    return {flag: reason for flag, reason in found.items() if reason}


def find_change(
    trajectory: Trajectory, atoms: np.ndarray, drift: np.ndarray, diffusion: Diffusion, fit_start: float
) -> ChangePoint | None:
    """The most likely change of slope within a run; None if the run is too short.

    If diffusion is steady, squared displacements in consecutive pieces of 1.5 ps, averaged over the atoms, are
    independent numbers with one mean. The largest standardised difference between the means before and after a cut
    (the CUSUM statistic) is compared with that of random orders of the same numbers: no distribution is assumed.

    :param diffusion: of these atoms; the intercept of its fit is the contribution of vibrations.
    """
    length = max(1, round(max(_PIECE, trajectory.duration / _MOST_PIECES) / trajectory.time_step))
    places = trajectory.positions[::length][:, atoms] - drift[::length, None]
    squares = (np.diff(places, axis=0) ** 2).sum(axis=2).mean(axis=1)
    if len(squares) < 3 * _FEWEST_PIECES or np.ptp(squares) == 0:
        return None
    statistic, cut = _cusum(squares[None])
    orders = np.random.default_rng(0).permuted(np.tile(squares, (_PERMUTATIONS, 1)), axis=1)
    exceeding = int((_cusum(orders)[0] >= statistic[0]).sum())
    vibration = fit_line(diffusion.lags, diffusion.window_msds.mean(axis=0), fit_start)[1]
    piece = length * trajectory.time_step
    parts = np.split(squares, cut)
    before, after = (float(max(part.mean() - max(vibration, 0), 0) / (6 * piece) * CM2_PER_S) for part in parts)
    return ChangePoint(float(cut[0] * piece), before, after, (exceeding + 1) / (_PERMUTATIONS + 1))


def _cusum(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest standardised difference of means before and after a cut, and that cut, of each row."""
    count = series.shape[1]
    cuts = np.arange(_FEWEST_PIECES, count - _FEWEST_PIECES + 1)
    sums = np.cumsum(series - series.mean(axis=1, keepdims=True), axis=1)[:, cuts - 1]
    scaled = np.abs(sums) / np.sqrt(cuts * (count - cuts) / count)
    best = scaled.argmax(axis=1)
    return scaled[np.arange(len(series)), best], cuts[best]
