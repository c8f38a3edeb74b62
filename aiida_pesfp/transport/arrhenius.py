"""Activation energy from conductivities at several temperatures (arXiv:2411.06804, Table I)."""

import warnings
from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
from scipy import constants, stats
from scipy.optimize import OptimizeWarning, curve_fit

from aiida_pesfp.errors import NoArrheniusFit
from aiida_pesfp.settings.arrhenius import SCALES

#: Boltzmann's constant, eV/K.
BOLTZMANN = constants.Boltzmann / constants.e
ROOM_TEMPERATURE = 300.0
#: Reasons to doubt a fit.
FLAGS = ('poor_fit', 'no_degree_of_freedom', 'not_activated', 'unreliable_extrapolation')
#: Largest p-value of points that do not follow Arrhenius' law.
POOR_FIT = 0.05


@dataclass(frozen=True)
class Point:
    """A conductivity at one temperature, S/cm and K, with its uncertainty if known, and why the fit excludes it, if so.

    ``label`` is its name in messages.
    """

    temperature: float
    conductivity: float
    conductivity_error: float | None
    excluded: str | None = None
    label: str | None = None

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.label or f'the point at {self.temperature:g} K'


@dataclass(frozen=True)
class ArrheniusFit:
    """sigma T = A exp(-E_A / (k_B T)), fitted to all but the excluded ``points``.

    :param log_prefactor: ln(A / (S K/cm)).
    :param activation_energy: E_A, eV.
    :param covariance: (2, 2) of these two; scaled by chi2/df if there is a degree of freedom.
    :param chi2: sum of the squared residuals over the squared uncertainties.
    """

    points: tuple[Point, ...]
    scale: str
    log_prefactor: float
    activation_energy: float
    covariance: np.ndarray
    chi2: float

    @property
    def activation_energy_error(self) -> float:
        """Standard error of E_A, eV."""
        return float(np.sqrt(self.covariance[1, 1]))

    @property
    def degrees_of_freedom(self) -> int:
        """Number of fitted points minus two."""
        return sum(point.excluded is None for point in self.points) - 2

    @property
    def chi2_reduced(self) -> float | None:
        """chi2/df; None for two points."""
        return self.chi2 / self.degrees_of_freedom if self.degrees_of_freedom else None

    @property
    def p_value(self) -> float | None:
        """Probability of a fit that is at least as bad if Arrhenius' law holds; None for two points."""
        return float(stats.chi2.sf(self.chi2, self.degrees_of_freedom)) if self.degrees_of_freedom else None

    def conductivity(self, temperature: float) -> tuple[float, float]:
        """Conductivity at any temperature (K) and its uncertainty, S/cm.

        The uncertainty follows to first order from the covariance of both parameters. If it is as large as the value,
        only the order of magnitude is known.
        """
        direction = np.array([1.0, -1.0 / (BOLTZMANN * temperature)])
        value = float(np.exp(direction @ [self.log_prefactor, self.activation_energy]) / temperature)
        return value, value * float(np.sqrt(direction @ self.covariance @ direction))

    def remarks(self) -> dict[str, str]:
        """Reasons to doubt the fit: flag -> a sentence that says why."""
        p_value, (value, error) = self.p_value, self.conductivity(ROOM_TEMPERATURE)
        found = {
            'poor_fit': p_value is not None
            and p_value < POOR_FIT
            and f"p = {p_value:.2g}: the points do not follow Arrhenius' law within their uncertainties, look for a "
            'transition before you extrapolate',
            'no_degree_of_freedom': p_value is None
            and "any line fits two points: uncertainties are propagated, Arrhenius' law is not tested",
            'not_activated': self.activation_energy <= 0 and 'the conductivity does not rise with temperature',
            'unreliable_extrapolation': error >= value
            and f'the conductivity at {ROOM_TEMPERATURE:g} K is uncertain by more than its value',
        }
        return {flag: reason for flag, reason in found.items() if reason}

    def as_dict(self) -> dict:
        """As plain JSON types; energies in eV, conductivities in S/cm."""
        names = ('activation_energy', 'activation_energy_error', 'chi2_reduced', 'p_value', 'degrees_of_freedom')
        value, error = self.conductivity(ROOM_TEMPERATURE)
        return {
            **{name: getattr(self, name) for name in (*names, 'log_prefactor', 'chi2', 'scale')},
            'conductivity_300K': value,
            'conductivity_300K_error': error,
            'covariance': self.covariance.tolist(),
            'flagged': bool(self.remarks()),
            'flags': {flag: flag in self.remarks() for flag in FLAGS},
            'remarks': self.remarks(),
            'points': [asdict(point) for point in self.points],
        }

    @classmethod
    def from_dict(cls, content: dict) -> Self:
        """The reverse of :meth:`as_dict`."""
        points = (Point(**{field.name: entry[field.name] for field in fields(Point)}) for entry in content['points'])
        values = {field.name: content[field.name] for field in fields(cls)}
        return cls(**values | {'points': tuple(points), 'covariance': np.array(content['covariance'])})


def fit_arrhenius(points: list[Point], scale: str = 'linear') -> ArrheniusFit:
    """Weighted least squares of sigma T against 1/T.

    On the linear scale, the default and the paper's, the residuals are those of sigma T itself, so a conductivity that
    is zero within its uncertainty can be fitted. On the logarithmic scale they are those of ln(sigma T), with the
    uncertainties error / sigma. The covariance is scaled by chi2/df. Two points have no chi2/df, and their
    uncertainties are propagated.

    :raises NoArrheniusFit: if the points do not determine the two parameters, with the reason.
    :raises ValueError: for another scale.
    """
    if scale not in SCALES:
        raise ValueError(f'unknown scale {scale!r}: take one of {", ".join(SCALES)}')
    used = [point for point in points if point.excluded is None]
    _check(used, scale)
    columns = [(point.temperature, point.conductivity, point.conductivity_error) for point in used]
    temperatures, values, deviations = np.array(columns, dtype=float).T
    # Centring decouples the two parameters and shortens the search.
    centre = np.mean(1 / temperatures)
    abscissa = -(1 / temperatures - centre) / BOLTZMANN
    ordinate, sigma = temperatures * values, temperatures * deviations
    positive = ordinate > 0
    weights = (ordinate / sigma)[positive]
    start = np.polyfit(abscissa[positive], np.log(ordinate[positive]), 1, w=weights)[::-1]
    if scale == 'log':
        ordinate, sigma = np.log(ordinate), deviations / values

    def model(abscissa, level, energy):
        exponent = level + energy * abscissa
        return np.exp(exponent) if scale == 'linear' else exponent

    try:
        with warnings.catch_warnings(), np.errstate(over='ignore'):
            warnings.simplefilter('error', OptimizeWarning)
            options = {'p0': start, 'sigma': sigma, 'absolute_sigma': len(used) == 2, 'maxfev': 10000}
            found, covariance = curve_fit(model, abscissa, ordinate, **options)
    except (RuntimeError, OptimizeWarning, ValueError) as error:
        raise NoArrheniusFit(f'the fit does not converge: no line describes these points ({error})') from error
    chi2 = float((((model(abscissa, *found) - ordinate) / sigma) ** 2).sum())
    # Back from the centre to ln A and E_A.
    shift = np.array([[1.0, centre / BOLTZMANN], [0.0, 1.0]])
    log_prefactor, energy = shift @ found
    return ArrheniusFit(tuple(points), scale, float(log_prefactor), float(energy), shift @ covariance @ shift.T, chi2)


def _check(used: list[Point], scale: str) -> None:
    """Raise :class:`~aiida_pesfp.errors.NoArrheniusFit` unless the points determine a slope."""
    for point in used:
        value, error = point.conductivity, point.conductivity_error
        if not (np.isfinite(point.temperature) and point.temperature > 0):
            reason = f': {point.temperature:g} K is not a temperature'
        elif not np.isfinite(value):
            reason = f' has no conductivity ({value})'
        elif error is None or not np.isfinite(error):
            reason = ' has no uncertainty, and so no weight: give one or exclude the point'
        elif error <= 0:
            reason = f' has an uncertainty of {error:g} S/cm: it must be positive, give it or exclude the point'
        elif scale == 'log' and value <= 0:
            reason = (
                f' has a conductivity of {value:g} S/cm, which has no logarithm: use the linear scale or exclude it'
            )
        else:
            continue
        raise NoArrheniusFit(point.name + reason)
    if not used:
        raise NoArrheniusFit('there is no point to fit')
    if len({point.temperature for point in used}) < 2:
        only = f'{used[0].temperature:g} K is the only temperature'
        raise NoArrheniusFit(f'{only}: a fit needs at least two, a test of the fit three')
    positive = {point.temperature for point in used if point.conductivity > 0}
    if not positive:
        raise NoArrheniusFit('no conductivity is above zero: there is no activation energy')
    if len(positive) < 2:
        reason = 'the others limit the activation energy but do not determine it'
        raise NoArrheniusFit(f'only at {positive.pop():g} K is the conductivity above zero: {reason}')
