"""From measurements to good and bad conductors, each with a weight (arXiv:2411.06804, Sec. II B)."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from aiida_pesfp.assessment.labels import Measurement
from aiida_pesfp.errors import LabelError, NoArrheniusFit
from aiida_pesfp.settings.assessment import ClassSettings
from aiida_pesfp.transport.arrhenius import Point, fit_arrhenius


@dataclass(frozen=True)
class Value:
    """A conductivity at the temperature of a threshold.

    :param conductivity: with its standard ``error``, S/cm.
    :param rows: of the measurements it comes from.
    :param extrapolated: whether it comes from an Arrhenius fit.
    :param assumed_error: whether a measurement had no error of its own.
    :param clipped: whether it was below the floor.
    """

    conductivity: float
    error: float
    temperature: float
    rows: list[int]
    extrapolated: bool
    assumed_error: bool
    clipped: bool


@dataclass(frozen=True)
class Material:
    """A structure with its labels.

    :param good_weight: probability that the conductivity is above sigma+, mean over the measurements.
    :param bad_weight: probability that it is below sigma-.
    """

    good_weight: float
    bad_weight: float
    values: list[Value]


def class_weights(conductivity, error, settings: ClassSettings) -> tuple[np.ndarray, np.ndarray]:
    """Integrals above sigma+ and below sigma- of Gaussians, any shape.

    :param conductivity: their means, S/cm.
    :param error: their standard deviations, S/cm; 0 makes a step.
    """
    value, error = np.broadcast_arrays(np.asarray(conductivity, float), np.asarray(error, float))
    with np.errstate(divide='ignore', invalid='ignore'):
        return tuple(
            np.where(error > 0, norm.cdf(distance / error), np.heaviside(distance, 0.5))
            for distance in (value - settings.good, settings.bad - value)
        )


def classify(
    measurements: dict[str, list[tuple[Measurement, float | None]]], settings: ClassSettings
) -> tuple[dict[str, Material], list[dict]]:
    """Weights of each material.

    Each measurement within the tolerance of the temperature counts on its own. If there is none, each series is
    extrapolated by an Arrhenius fit.

    :param measurements: key of a structure -> its measurements, each with the carrier density of the structure
        (1/cm^3), which diffusion coefficients without a structure of their own need.
    :returns: materials by key; ``rows``, ``id`` and ``reason`` of the measurements that give no conductivity.
    """
    materials, excluded = {}, []
    for key, entries in measurements.items():
        bad = _values(key, entries, settings.temperature, settings, excluded)
        other = settings.good_temperature
        good = bad if other is None else _values(key, entries, other, settings, excluded)
        if good or bad:
            weights = _mean_weights(good, settings)[0], _mean_weights(bad, settings)[1]
            materials[key] = Material(*weights, bad if good is bad else bad + good)
    return materials, excluded


def _mean_weights(values: list[Value], settings: ClassSettings) -> list[float]:
    conductivities, errors = [value.conductivity for value in values], [value.error for value in values]
    return [float(np.mean(weights)) if values else 0.0 for weights in class_weights(conductivities, errors, settings)]


def _values(key, entries, temperature: float, settings: ClassSettings, excluded: list[dict]) -> list[Value]:
    groups = [[entry] for entry in entries if abs(entry[0].temperature - temperature) <= settings.tolerance]
    direct, found, series = bool(groups), [], defaultdict(list)
    for entry in entries:
        series[entry[0].series].append(entry)
    groups = groups or series.values()
    for group in groups:
        try:
            found.append(_value(group, temperature, direct, settings))
        except (LabelError, NoArrheniusFit) as error:
            rows = [measurement.row for measurement, _ in group]
            excluded.append({'rows': rows, 'id': key, 'reason': f'no conductivity at {temperature:g} K: {error}'})
    return found


def _value(group, temperature: float, direct: bool, settings: ClassSettings) -> Value:
    points, assumed = [], False
    for measurement, density in group:
        raw, error = measurement.conductivity(density)
        value = raw
        if error is None:
            assumed = True
            value = settings.clip(raw)
            if value <= 0:
                reason = 'has no error, and a relative error is not defined: set a floor'
                raise LabelError(f'{measurement.name} is {value:.3g} S/cm and {reason}')
            error = settings.relative_error * value
        points.append(Point(measurement.temperature, value, error, label=measurement.name))
    if not direct:
        raw, error = fit_arrhenius(points).conductivity(temperature)
    value = settings.clip(raw)
    rows = [measurement.row for measurement, _ in group]
    return Value(value, error, temperature, rows, not direct, assumed, value != raw)
