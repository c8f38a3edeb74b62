"""From measurements to good and bad conductors, each with a weight (arXiv:2411.06804, Sec. II B)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import norm

from aiida_pesfp.assessment.labels import Measurement
from aiida_pesfp.errors import LabelError, NoArrheniusFit
from aiida_pesfp.transport.arrhenius import Point, fit_arrhenius


@dataclass(frozen=True)
class ClassSettings:
    """What makes a good and a bad conductor.

    :param good: sigma+, S/cm: conductors above are good.
    :param bad: sigma-, S/cm: those below are bad.
    :param temperature: at which both are meant, K.
    :param good_temperature: at which sigma+ is meant, if it is another, K (the middle panel of Fig. 3).
    :param relative_error: standard error over value where a label has none (the paper takes 100 %).
    :param floor: lower values, zero and negative ones, are set to this, S/cm; by default values stay as they are.
    :param tolerance: a measurement so close to the temperature counts as made at it, K.
    """

    good: float
    bad: float
    temperature: float = 300.0
    good_temperature: float | None = None
    relative_error: float = 1.0
    floor: float | None = None
    tolerance: float = 10.0

    def __post_init__(self):
        if not self.bad > 0:
            raise LabelError(f'bad = {self.bad!r} S/cm is no conductivity')
        if self.good_temperature is None and not self.good >= self.bad:
            raise LabelError(f'good = {self.good:g} S/cm is below bad = {self.bad:g} S/cm: exchange them')
        if not (self.good > 0 and self.temperature > 0 and self.relative_error >= 0 and self.tolerance >= 0):
            raise LabelError('good and temperature must be positive, relative_error and tolerance not negative')
        if self.floor is not None and self.floor <= 0:
            raise LabelError(f'floor = {self.floor:g} S/cm: values are raised to it, so it must be positive')

    @classmethod
    def from_dict(cls, values: dict) -> ClassSettings:
        """From a plain dictionary with the fields of this class.

        :raises LabelError: naming what is wrong.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise LabelError(f'the classes have an unknown or missing key: {error}') from error


@dataclass(frozen=True)
class Value:
    """A conductivity at the temperature of a threshold.

    :param conductivity: S/cm.
    :param error: standard error, S/cm.
    :param rows: of the measurements it comes from.
    :param extrapolated: by an Arrhenius fit, to this temperature.
    :param assumed_error: it has none of its own.
    :param clipped: it was below the floor.
    """

    conductivity: float
    error: float
    temperature: float
    rows: tuple[int, ...]
    extrapolated: bool
    assumed_error: bool
    clipped: bool


@dataclass(frozen=True)
class Material:
    """A structure with its labels.

    :param good_weight: probability that the conductivity is above sigma+, mean over measurements.
    :param bad_weight: probability that it is below sigma-.
    :param values: several measurements are kept apart, each with its own probability.
    """

    good_weight: float
    bad_weight: float
    values: tuple[Value, ...]

    def as_dict(self) -> dict:
        """Of plain JSON types."""
        return asdict(self) | {'values': [asdict(value) | {'rows': list(value.rows)} for value in self.values]}


def class_weights(conductivity, error, settings: ClassSettings) -> tuple[np.ndarray, np.ndarray]:
    """Integrals above sigma+ and below sigma- of Gaussians, any shape.

    :param conductivity: their means, S/cm.
    :param error: their standard deviations, S/cm; 0 makes a step.
    """
    value, error = np.broadcast_arrays(np.asarray(conductivity, float), np.asarray(error, float))
    return _above(value - settings.good, error), _above(settings.bad - value, error)


def classify(
    measurements: dict[str, list[tuple[Measurement, float | None]]], settings: ClassSettings
) -> tuple[dict[str, Material], list[dict]]:
    """Weights of each material.

    A measurement within the tolerance of the temperature counts by itself. Without any, the rows of each series are
    extrapolated by an Arrhenius fit.

    :param measurements: key of a structure -> its measurements, each with the carrier density of the structure
        (1/cm^3), which diffusion coefficients without a structure of their own need.
    :returns: materials by key; ``rows``, ``id`` and ``reason`` of the measurements that say nothing.
    """
    materials, excluded = {}, []
    different = settings.good_temperature is not None
    for key, entries in measurements.items():
        bad = _values(key, entries, settings.temperature, settings, excluded)
        good = _values(key, entries, settings.good_temperature, settings, excluded) if different else bad
        if not good and not bad:
            continue
        above = [class_weights(value.conductivity, value.error, settings)[0] for value in good]
        below = [class_weights(value.conductivity, value.error, settings)[1] for value in bad]
        values = tuple(bad) + (tuple(good) if different else ())
        materials[key] = Material(float(np.mean(above or 0.0)), float(np.mean(below or 0.0)), values)
    return materials, excluded


def _above(distance: np.ndarray, error: np.ndarray) -> np.ndarray:
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(error > 0, norm.cdf(distance / error), np.heaviside(distance, 0.5))


def _values(key, entries, temperature: float, settings: ClassSettings, excluded: list[dict]) -> list[Value]:
    direct = [entry for entry in entries if abs(entry[0].temperature - temperature) <= settings.tolerance]
    if direct:
        groups = [[entry] for entry in direct]
    else:
        series = defaultdict(list)
        for entry in entries:
            series[entry[0].series].append(entry)
        groups = list(series.values())
    found = []
    for group in groups:
        try:
            found.append(_value(group, temperature, bool(direct), settings))
        except (LabelError, NoArrheniusFit) as error:
            rows = [measurement.row for measurement, _ in group]
            excluded.append({'rows': rows, 'id': key, 'reason': f'no conductivity at {temperature:g} K: {error}'})
    return found


def _value(group, temperature: float, direct: bool, settings: ClassSettings) -> Value:
    points, assumed = [], False
    for measurement, density in group:
        value, error = measurement.conductivity(density)
        if error is None:
            assumed = True
            value = _clip(value, settings)
            if value <= 0:
                raise LabelError(
                    f'{measurement.name} is {value:.3g} S/cm and has no error; an error relative to it means nothing: '
                    'set a floor'
                )
            error = settings.relative_error * value
        points.append(Point(measurement.temperature, value, error, label=measurement.name))
    if not direct:
        value, error = fit_arrhenius(points).conductivity(temperature)
    else:
        value, error = points[0].conductivity, points[0].error
    # An assumed error made of a clipped value has clipped it before.
    raw = group[0][0].conductivity(group[0][1])[0] if direct else value
    clipped = _clip(raw, settings) != raw
    rows = tuple(measurement.row for measurement, _ in group)
    return Value(_clip(value, settings), error, temperature, rows, not direct, assumed, clipped)


def _clip(value: float, settings: ClassSettings) -> float:
    return value if settings.floor is None else max(value, settings.floor)
