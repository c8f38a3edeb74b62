"""Settings of the analysis of a trajectory (arXiv:2411.06804, Sec. II C and Appendix D)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DiffusionSettings:
    """How diffusion coefficients are taken from a trajectory; the defaults are the paper's.

    :param window: length of an independent window, ps.
    :param fit_start: the linear fit goes from this lag to the end of the window, ps.
    :param equilibration: left out at the beginning, ps; the paper's 5 ps are the default where we run the dynamics.
    :raises ValueError: for a value that makes no sense.
    """

    window: float = 15.0
    fit_start: float = 1.0
    equilibration: float = 0.0

    def __post_init__(self):
        for name in ('window', 'fit_start', 'equilibration'):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
                raise ValueError(f'{name} = {value!r} is not a time in ps')
        if self.fit_start >= self.window:
            raise ValueError(f'the fit begins at {self.fit_start:g} ps, after the window of {self.window:g} ps')
