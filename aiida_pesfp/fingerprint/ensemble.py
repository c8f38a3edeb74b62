"""Descriptors of a disordered crystal: the mean over ordered structures that stand for it, with its spread.

Free volumes differ by decades between orderings, so their logarithms are averaged, as in Fig. 8 of the paper
(arXiv:2411.06804); all other quantities are averaged as they are, and Xi is that of the mean free volumes (Eq. 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from aiida_pesfp.fingerprint.quantities import QUANTITIES, stopped_early, xi
from aiida_pesfp.settings.descriptors import XiParameters

#: A smaller free volume counts as this: less than one point of any grid.
SMALLEST_VOLUME = 1e-6
#: Share of cases in which an interval holds the mean over all orderings: that of one standard deviation.
CONFIDENCE = float(2 * norm.cdf(1) - 1)
#: Free volumes: their mean is geometric, and spread and error are those of log10.
VOLUMES = ('fv_connected', 'fv_disconnected', 'fv_joint')


@dataclass(frozen=True)
class Ensemble:
    """What is known of a disordered crystal from some of its orderings.

    :param values: name -> mean of each of :data:`~aiida_pesfp.fingerprint.quantities.QUANTITIES`.
    :param spread: name -> standard deviation over orderings, as in a much larger ensemble; None for a single one. That
        of a free volume is in decades.
    :param error: name -> half the interval that holds the mean over all orderings with :data:`CONFIDENCE`.
    :param xi_low, xi_high: Xi where both free volumes are lower, or higher, by their error.
    :param spectrum: ``thresholds`` (eV), geometric means of both free volumes at each, and ``connected_error`` and
        ``disconnected_error``, decades.
    """

    values: dict[str, float]
    spread: dict[str, float | None]
    error: dict[str, float | None]
    xi_low: float | None
    xi_high: float | None
    spectrum: dict[str, list[float | None]]

    def shortfall(self, largest_error: float, way_out: str = 'scan more orderings') -> str | None:
        """Why there are too few orderings; None if there are enough.

        :param largest_error: of log10 of the free volumes in Xi, decades.
        :param way_out: the end of the sentence.
        """
        errors = [self.error[name] for name in VOLUMES[:2]]
        if None in errors:
            return f'a single ordering shows no spread: {way_out}'
        if max(errors) > largest_error:
            limit = f'the limit is {largest_error:g}'
            return f'log10 of a free volume has an error of {max(errors):.3g}, {limit}: {way_out}'
        return None

    def as_dict(self) -> dict:
        """As a dictionary of plain JSON types, with the means at the top level."""
        found = {name: value for name, value in vars(self).items() if name != 'values'}
        return self.values | found | {'stopped_early': stopped_early(self.values)}


def pool(
    members: Sequence[Mapping], weights: Sequence[float] | None = None, parameters: XiParameters = XiParameters()
) -> Ensemble:
    """The ensemble of some orderings, from the descriptors of each.

    :param members: each with all quantities and ``spectrum``, such as the dictionary of
        :class:`~aiida_pesfp.fingerprint.descriptors.Descriptors`.
    :param weights: of the members, positive, of any sum; equal by default.
    :raises ValueError: if there is no member, or their spectra have different thresholds.
    """
    if not members:
        raise ValueError('an ensemble needs one member at least')
    if any(one['spectrum']['thresholds'] != members[0]['spectrum']['thresholds'] for one in members):
        raise ValueError('the free volumes of the members have different thresholds: describe them with one setting')
    shares = np.ones(len(members)) if weights is None else np.asarray(weights, dtype=float)
    shares = shares / shares.sum()
    means, spread, error = {}, {}, {}
    for name in (one.name for one in QUANTITIES):
        values = np.array([one[name] for one in members], dtype=float)
        means[name], spread[name], error[name] = _statistics(_log(values) if name in VOLUMES else values, shares)

    def xi_at(times: int) -> float:
        moved = (means[name] + times * (error[name] or 0.0) for name in VOLUMES[:2])
        return xi(*(10**value for value in moved), parameters)

    is_known = len(members) > 1
    low, high = (xi_at(-1), xi_at(1)) if is_known else (None, None)
    means |= {name: _power(means[name]) for name in VOLUMES} | {'xi': xi_at(0)}
    bounds = [one['xi_upper'] for one in members if stopped_early(one)]
    means['xi_upper'] = max([means['xi'], *bounds])
    spectrum = {'thresholds': members[0]['spectrum']['thresholds']}
    for kind in ('connected', 'disconnected'):
        found = [_statistics(of_all, shares) for of_all in _log([one['spectrum'][kind] for one in members]).T]
        spectrum[kind] = [_power(mean) for mean, _, _ in found]
        spectrum[f'{kind}_error'] = [half for _, _, half in found]
    return Ensemble(means, spread, error, low, high, spectrum)


def moved(descriptors: Mapping, times: float) -> Mapping:
    """The descriptors of an ensemble, as a dictionary, where an ion moves more easily by so many of their errors.

    Those of one ordering have no errors and stay as they are.
    """
    if descriptors.get('xi_low') is None:
        return descriptors
    found = dict(descriptors)
    for name, error in descriptors['error'].items():
        if descriptors.get(name) is not None:
            step = times * (error or 0.0)
            found[name] = descriptors[name] * 10**step if name in VOLUMES else descriptors[name] - step
    end = descriptors['xi_high' if times > 0 else 'xi_low']
    found['xi'] = descriptors['xi'] + abs(times) * (end - descriptors['xi'])
    spectrum = dict(descriptors['spectrum'])
    for kind in ('connected', 'disconnected'):
        errors = spectrum[f'{kind}_error']
        spectrum[kind] = [volume * 10 ** (times * (one or 0.0)) for volume, one in zip(spectrum[kind], errors)]
    return found | {'spectrum': spectrum}


def _log(volumes) -> np.ndarray:
    return np.log10(np.maximum(np.asarray(volumes, dtype=float), SMALLEST_VOLUME))


def _power(logarithm: float) -> float:
    """The volume of this log10; 0 for the smallest."""
    value = float(10**logarithm)
    return value if value > 1.001 * SMALLEST_VOLUME else 0.0


def _statistics(values: np.ndarray, shares: np.ndarray) -> tuple[float, float | None, float | None]:
    """Mean, unbiased standard deviation, and error of the mean, of values with weights that sum to one."""
    mean, squares = float(shares @ values), float(shares @ shares)
    if len(values) == 1 or squares > 1 - 1e-9:
        return mean, None, None
    deviation = float(np.sqrt(shares @ (values - mean) ** 2 / (1 - squares)))
    degrees = 1 / squares - 1
    return mean, deviation, float(deviation * np.sqrt(squares) * t.ppf((1 + CONFIDENCE) / 2, degrees))
