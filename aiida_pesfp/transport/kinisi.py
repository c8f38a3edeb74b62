"""A second, independent estimate of diffusion: the Bayesian regression of kinisi, which accounts for the correlation
between the points of a mean squared displacement (McCluskey et al., J. Chem. Theory Comput. 21, 79 (2025), DOI
10.1021/acs.jctc.4c01249)."""

from dataclasses import dataclass

import numpy as np

from aiida_pesfp.settings.diffusion import DiffusionSettings
from aiida_pesfp.trajectories.trajectory import Trajectory
from aiida_pesfp.transport.diffusion import CM2_PER_S, CONFIDENCE

#: Most frames and lags: kinisi loops over all frames for each lag, and more do not improve the estimate.
_MOST_FRAMES, _MOST_LAGS = 4000, 100
#: Edge of a cell, A, that no ion leaves, so that kinisi does not unwrap our positions again.
_BOX = 1e6


@dataclass(frozen=True)
class BayesianDiffusion:
    """Mean of the posterior of a diffusion coefficient and its credible intervals of 68.3 % and 95 %, cm^2/s."""

    diffusion_coefficient: float
    interval: list[float]
    interval_95: list[float]


def bayesian_diffusion(
    trajectory: Trajectory, atoms: np.ndarray, drift: np.ndarray, settings: DiffusionSettings, seed: int = 0
) -> BayesianDiffusion:
    """D with credible intervals from all lags of at least ``settings.fit_start``.

    kinisi uses the longest lag as the length of the run when it counts independent displacements, so the lags extend
    to the whole length.

    The first parameters are those of :func:`~aiida_pesfp.transport.diffusion.diffuse`.

    :param seed: of the sampler.
    :raises ImportError: if kinisi is not installed.
    """
    try:
        import scipp
        from kinisi.diffusion import Diffusion
        from kinisi.displacement import calculate_msd
        from kinisi.parser import Parser
    except ImportError as error:
        raise ImportError(f'the Bayesian estimate needs kinisi: pip install "aiida-pesfp[kinisi]" ({error})') from error

    stride = -(-len(trajectory.times) // _MOST_FRAMES)
    places = trajectory.positions[::stride][:, atoms] - drift[::stride, None]
    step = stride * trajectory.time_step
    first = max(1, round(settings.fit_start / step))
    last = len(places) - 1
    lags = np.unique(np.linspace(first, last, min(_MOST_LAGS, last - first + 1)).round().astype(int))
    cells = np.tile(np.eye(3) * _BOX, (len(places), 1, 1))
    parser = Parser(
        scipp.array(dims=['time', 'particle', 'dimension'], values=places / _BOX),
        scipp.array(dims=['time', 'row', 'column'], values=cells, unit='angstrom'),
        time_step=scipp.scalar(step, unit='ps'),
        step_skip=scipp.scalar(1),
        dt=scipp.array(dims=['time interval'], values=lags * step, unit='ps'),
        specie_indices=scipp.arange('particle', len(atoms)),
        drift_indices=scipp.array(dims=['particle'], values=np.array([], dtype=int)),
    )
    regression = Diffusion(calculate_msd(parser, progress=False))
    state = np.random.get_state()  # noqa: NPY002 (kinisi samples with numpy's global generator)
    try:
        regression.bayesian_regression(
            scipp.scalar(first * step, unit='ps'), progress=False, random_state=np.random.RandomState(seed)
        )
    finally:
        np.random.set_state(state)  # noqa: NPY002
    samples = regression.gradient.values / 6 * CM2_PER_S
    quantiles = np.quantile(samples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2, 0.025, 0.975]).tolist()
    return BayesianDiffusion(float(samples.mean()), quantiles[:2], quantiles[2:])
