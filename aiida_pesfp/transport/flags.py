"""What makes a conductivity doubtful although it is a number (arXiv:2411.06804, Sec. III A: LiI, Li2Te).

Each flag is a property of the result to query and to exclude by; its remark says in words what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_pesfp.trajectories.trajectory import Trajectory
from aiida_pesfp.transport.diffusion import CM2_PER_S, Diffusion, Estimate, fit_line

#: Every flag that a conductivity can have.
FLAGS = (
    'framework_diffuses',
    'slope_changes',
    'compatible_with_zero',
    'negative_slope',
    'too_few_windows',
    'fit_starts_early',
)
#: Fewer windows than this give a spread that means little.
FEWEST_WINDOWS = 3
#: A fit from an earlier lag on (ps; the paper's is 1) takes ions that rattle in their cages for diffusing ones.
EARLIEST_FIT = 0.5
#: Growth of the mean squared displacement of a framework element within a window, A^2, that no vibration explains.
FRAMEWORK_GROWTH = 1.0
#: One-sided confidence with which D must be positive.
POSITIVE_CONFIDENCE = 0.95
#: A change of slope is abrupt if it is by this factor at least, and would come by chance in one run out of 100.
CHANGE_FACTOR, CHANGE_SIGNIFICANCE = 2.0, 0.01
#: Length of the segments in which a change is looked for, ps; at most so many; at least so many on either side.
_SEGMENT, _MOST_SEGMENTS, _FEWEST_SEGMENTS = 1.5, 200, 3
_PERMUTATIONS = 2000


@dataclass(frozen=True)
class ChangePoint:
    """The most likely instant at which the diffusion coefficient changes.

    :param time: since the first frame, ps.
    :param before: diffusion coefficient until then, cm^2/s.
    :param after: diffusion coefficient from then on, cm^2/s.
    :param p_value: probability of as clear a change if there is none.
    """

    time: float
    before: float
    after: float
    p_value: float

    @property
    def is_abrupt(self) -> bool:
        """Whether it is both significant and large."""
        low, high = sorted((self.before, self.after))
        return self.p_value < CHANGE_SIGNIFICANCE and high > CHANGE_FACTOR * low


def find_flags(
    estimate: Estimate,
    framework: dict[str, Estimate],
    fit_start: float,
    fit_length: float,
    change: ChangePoint | None,
) -> dict[str, str]:
    """The flags that apply, each with a sentence that says why.

    :param estimate: of the mobile species.
    :param framework: of each element of the framework.
    :param fit_start: first lag of the fits, ps.
    :param fit_length: from the first to the last lag of the fits, ps.
    :param change: from :func:`find_change`.
    """
    found = {}
    moving = {
        element: max(other.slopes) * fit_length
        for element, other in framework.items()
        if max(other.slopes) * fit_length > FRAMEWORK_GROWTH
    }
    if moving:
        growth = ', '.join(f'{element} by {value:.1f} A^2' for element, value in moving.items())
        found['framework_diffuses'] = (
            f'within a window the mean squared displacement of the framework grows ({growth}): it melts, or anions '
            'hop or turn slowly; look at its curve before you trust the conductivity'
        )
    if change is not None and change.is_abrupt:
        found['slope_changes'] = (
            f'D goes from {change.before:.2g} to {change.after:.2g} cm^2/s about {change.time:.1f} ps after the first '
            f'frame (p = {change.p_value:.2g}): a transition, analyse the parts one by one'
        )
    if estimate.coefficient < 0:
        found['negative_slope'] = 'the mean squared displacement falls: there is no diffusion to see in this time'
    half_width = estimate.interval(2 * POSITIVE_CONFIDENCE - 1)
    if estimate.coefficient <= 0 or (half_width is not None and estimate.coefficient - half_width <= 0):
        found['compatible_with_zero'] = (
            f'that D is above zero is not certain to {100 * POSITIVE_CONFIDENCE:.0f} %: take it as an upper limit, '
            'or run longer'
        )
    if len(estimate.slopes) < FEWEST_WINDOWS:
        found['too_few_windows'] = (
            f'{len(estimate.slopes)} window{"s" * (len(estimate.slopes) > 1)}, {FEWEST_WINDOWS} are the least for an '
            'uncertainty to rely on: run longer'
        )
    if fit_start < EARLIEST_FIT:
        found['fit_starts_early'] = (
            f'the fit starts at {fit_start:.2g} ps, while ions still rattle in their cages: too short to publish, run '
            'longer and fit from 1 ps on'
        )
    return found


def find_change(
    trajectory: Trajectory, atoms: np.ndarray, drift: np.ndarray, diffusion: Diffusion, fit_start: float
) -> ChangePoint | None:
    """The most likely change of slope within a run; None if the run is too short to tell.

    Squared displacements in consecutive segments of 1.5 ps, averaged over the atoms, are independent numbers with one
    mean if diffusion is steady. The largest standardised difference between the means before and after a cut (the
    CUSUM statistic) is compared with those of random orders of the same numbers, so no distribution is assumed.

    :param atoms: indices of the mobile ions.
    :param drift: (s, 3) displacement of the framework, A.
    :param diffusion: of these atoms; the intercept of its fit is what vibrations add to a squared displacement.
    """
    length = max(1, round(max(_SEGMENT, trajectory.duration / _MOST_SEGMENTS) / trajectory.time_step))
    places = trajectory.positions[::length][:, atoms] - drift[::length, None]
    squares = (np.diff(places, axis=0) ** 2).sum(axis=2).mean(axis=1)
    if len(squares) < 3 * _FEWEST_SEGMENTS or np.ptp(squares) == 0:
        return None
    statistic, cut = _cusum(squares[None])
    orders = np.random.default_rng(0).permuted(np.tile(squares, (_PERMUTATIONS, 1)), axis=1)
    exceeding = int((_cusum(orders)[0] >= statistic[0]).sum())
    vibration = fit_line(diffusion.lags, diffusion.window_msds.mean(axis=0), fit_start)[1]
    segment = length * trajectory.time_step
    before, after = (
        max(part.mean() - max(vibration, 0), 0) / (6 * segment) * CM2_PER_S
        for part in (squares[: cut[0]], squares[cut[0] :])
    )
    return ChangePoint(float(cut[0] * segment), float(before), float(after), (exceeding + 1) / (_PERMUTATIONS + 1))


def _cusum(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest standardised difference of means before and after a cut, and that cut, of each row."""
    count = series.shape[1]
    cuts = np.arange(_FEWEST_SEGMENTS, count - _FEWEST_SEGMENTS + 1)
    sums = np.cumsum(series - series.mean(axis=1, keepdims=True), axis=1)[:, cuts - 1]
    scaled = np.abs(sums) / np.sqrt(cuts * (count - cuts) / count)
    best = scaled.argmax(axis=1)
    return scaled[np.arange(len(series)), best], cuts[best]
