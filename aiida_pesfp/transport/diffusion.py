"""Diffusion coefficients from windows of a trajectory (arXiv:2411.06804, Sec. II C and Appendix D)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import stats

from aiida_pesfp.errors import TrajectoryTooShort
from aiida_pesfp.settings.diffusion import DiffusionSettings
from aiida_pesfp.trajectories.trajectory import Trajectory
from aiida_pesfp.transport.msd import mean_squared_displacement

#: A^2/ps in cm^2/s.
CM2_PER_S = 1e-4
#: Probability of our uncertainties: that within one standard deviation of a normal distribution.
CONFIDENCE = float(stats.norm.cdf(1) - stats.norm.cdf(-1))
#: Fewest lags of a linear fit.
_FEWEST_LAGS = 3


@dataclass(frozen=True)
class Estimate:
    """A diffusion coefficient from the ``slopes`` (A^2/ps) of the mean squared displacement in several windows.

    Uncertainties are None for a single window.
    """

    slopes: tuple[float, ...]

    @classmethod
    def fitted(cls, lags: np.ndarray, msds: np.ndarray, start: float) -> Self:
        """From linear fits (see :func:`fit_line`) of each of the (w, m) mean squared displacements, A^2."""
        return cls(tuple(fit_line(lags, msd, start)[0] for msd in msds))

    @property
    def coefficient(self) -> float:
        """D, the mean slope / 6, cm^2/s."""
        return float(np.mean(self.slopes)) / 6 * CM2_PER_S

    @property
    def standard_deviation(self) -> float | None:
        """Standard deviation over the windows, cm^2/s."""
        return float(np.std(self.slopes, ddof=1)) / 6 * CM2_PER_S if len(self.slopes) > 1 else None

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean over the windows, cm^2/s."""
        return None if self.standard_deviation is None else self.standard_deviation / np.sqrt(len(self.slopes)).item()

    @property
    def error(self) -> float | None:
        """Half width of the 68.3 % confidence interval, cm^2/s.

        It is the standard error times the quantile of Student's distribution, because the spread of few windows is
        itself uncertain (factor 1.84 for two windows, 1.20 for four, 1.06 for ten).
        """
        return self.interval(CONFIDENCE)

    def interval(self, confidence: float) -> float | None:
        """Half width of a two-sided confidence interval, cm^2/s."""
        if self.standard_error is None:
            return None
        return float(stats.t.ppf((1 + confidence) / 2, len(self.slopes) - 1)) * self.standard_error

    def as_dict(self) -> dict:
        """As a dictionary of plain JSON types."""
        return {
            'diffusion_coefficient': self.coefficient,
            'diffusion_coefficient_error': self.error,
            'standard_error': self.standard_error,
            'standard_deviation': self.standard_deviation,
            'windows': len(self.slopes),
        }


@dataclass(frozen=True)
class Diffusion:
    """Mean squared displacements of one element, and the diffusion coefficients from them.

    :param window_msds: (w, m) of each window, A^2, at the (m,) ``lags``, ps.
    :param whole_msd: (s,) of the whole run, A^2, at the (s,) ``whole_lags``, ps.
    :param estimate: by the standard method.
    :param alternatives: Appendix D, by name: ``whole_run`` (one fit, no uncertainty), ``from_0_ps``, ``from_5_ps``;
        as far as there are enough points for a fit.
    """

    lags: np.ndarray
    window_msds: np.ndarray
    whole_lags: np.ndarray
    whole_msd: np.ndarray
    estimate: Estimate
    alternatives: dict[str, Estimate]


def split(frames: int, time_step: float, window: float) -> list[slice]:
    """Windows that share no displacement, from the first frame on. The rest at the end is not used.

    Neighbours share a frame, so that each has lags up to its full length. The last window may lack its last frame,
    because a program that stores the frames 1 to N runs for as long as one that stores 0 to N.

    :param frames: number of frames, ``time_step`` (ps) apart; the ``window`` is in ps too.
    :raises TrajectoryTooShort: if there is less than one window.
    """
    length = max(1, round(window / time_step))
    if frames < length:
        found = f'{frames} frames of {time_step:g} ps are {frames * time_step:g} ps'
        way_out = 'run longer, or choose shorter windows'
        raise TrajectoryTooShort(f'{found}, less than one window of {window:g} ps: {way_out}')
    return [slice(k * length, min((k + 1) * length + 1, frames)) for k in range(frames // length)]


def fit_line(lags: np.ndarray, msd: np.ndarray, start: float) -> tuple[float, float]:
    """Slope (A^2/ps) and intercept (A^2) of a line through the points (at least 3) with lags from ``start`` ps on."""
    chosen = _fitted(lags, start)
    if chosen.sum() < _FEWEST_LAGS:
        found = f'{chosen.sum()} frames between {start:g} and {lags[-1]:g} ps'
        raise TrajectoryTooShort(f'{found}, the fit needs {_FEWEST_LAGS}: store frames more often')
    slope, intercept = np.polyfit(lags[chosen], msd[chosen], 1)
    return float(slope), float(intercept)


def diffuse(trajectory: Trajectory, atoms: np.ndarray, drift: np.ndarray, settings: DiffusionSettings) -> Diffusion:
    """Diffusion coefficients of the atoms with some indices, in a trajectory without equilibration.

    :param drift: (s, 3) displacement of the framework, A.
    :raises TrajectoryTooShort: if it holds less than one window, or too few frames for a fit.
    """
    lags, msds = window_msds(trajectory, atoms, drift, settings)
    estimate = Estimate.fitted(lags, msds, settings.fit_start)
    whole = mean_squared_displacement(trajectory.positions, atoms, drift)
    whole_lags = np.arange(len(whole)) * trajectory.time_step
    alternatives = {'whole_run': Estimate.fitted(whole_lags, [whole], settings.fit_start)}
    for start in (0.0, 5.0):
        if _fitted(lags, start).sum() >= _FEWEST_LAGS:
            alternatives[f'from_{start:g}_ps'] = Estimate.fitted(lags, msds, start)
    return Diffusion(lags, msds, whole_lags, whole, estimate, alternatives)


def window_msds(
    trajectory: Trajectory, atoms: np.ndarray, drift: np.ndarray, settings: DiffusionSettings
) -> tuple[np.ndarray, np.ndarray]:
    """(m,) lags, ps, and (w, m) mean squared displacements in each window of :func:`split`, A^2."""
    windows = split(len(trajectory.times), trajectory.time_step, settings.window)
    msds = [mean_squared_displacement(trajectory.positions[window], atoms, drift[window]) for window in windows]
    length = min(len(msd) for msd in msds)
    return np.arange(length) * trajectory.time_step, np.array([msd[:length] for msd in msds])


def _fitted(lags: np.ndarray, start: float) -> np.ndarray:
    """Mask of the lags that are fitted. Rounding must not exclude a lag of exactly ``start``."""
    return lags >= start - 1e-6 * lags[-1]
