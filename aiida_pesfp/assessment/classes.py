"""From measurements to good and bad conductors, each with a weight (arXiv:2411.06804, Sec. II B)."""

from collections import defaultdict
from dataclasses import dataclass
from functools import partial

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
    :param limit: ``<`` for an upper limit, ``>`` for a lower one.
    """

    conductivity: float
    error: float
    temperature: float
    rows: list[int]
    extrapolated: bool
    assumed_error: bool
    clipped: bool
    limit: str | None = None


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
    extrapolated by an Arrhenius fit. No limit is a part of a fit. An upper limit below sigma- is a sure bad
    conductor, a lower limit above sigma+ a sure good one. As conductivities rise with temperature, the first holds at
    lower temperatures too, the second at higher ones. Other limits decide nothing.

    :param measurements: key of a structure -> its measurements, each with the carrier density of the structure
        (1/cm^3), which diffusion coefficients without a structure of their own need.
    :returns: materials by key; ``rows``, ``id`` and ``reason`` of the measurements that give no conductivity.
    """
    materials, excluded = {}, []
    for key, entries in measurements.items():
        other, both = settings.good_temperature, (settings.bad, settings.good)
        classes = both if other is None else (settings.bad, settings.bad)
        bad = _values(key, entries, settings.temperature, classes, settings, excluded)
        good = bad
        if other is not None:
            good = _values(key, entries, other, (settings.good, settings.good), settings, excluded)
        if good or bad:
            weights = _mean_weights(good, settings)[0], _mean_weights(bad, settings)[1]
            materials[key] = Material(*weights, bad if good is bad else bad + good)
    return materials, excluded


def _mean_weights(values: list[Value], settings: ClassSettings) -> list[float]:
    if not values:
        return [0.0, 0.0]
    measured = [value for value in values if value.limit is None]
    weights = class_weights([v.conductivity for v in measured], [v.error for v in measured], settings)
    sure = [[value.limit == sign for value in values if value.limit] for sign in '><']
    return [float(np.mean([*found, *limits])) for found, limits in zip(weights, sure)]


def _values(
    key, entries, temperature: float, classes: tuple[float, float], settings: ClassSettings, excluded: list[dict]
) -> list[Value]:
    """Values at a temperature.

    :param classes: conductivities of which an upper limit has to be at most the first, a lower one at least the second.
    """
    measured = [entry for entry in entries if entry[0].limit is None]
    groups = [[entry] for entry in measured if abs(entry[0].temperature - temperature) <= settings.tolerance]
    direct, found, series = bool(groups), [], defaultdict(list)
    for entry in measured:
        series[entry[0].series].append(entry)
    calls = [(group, partial(_value, group, temperature, direct, settings)) for group in groups or series.values()]
    limits = [entry for entry in entries if entry[0].limit is not None]
    calls += [([entry], partial(_limit, *entry, temperature, classes, settings)) for entry in limits]
    for group, make in calls:
        try:
            found.append(make())
        except (LabelError, NoArrheniusFit) as error:
            rows = [measurement.row for measurement, _ in group]
            excluded.append({'rows': rows, 'id': key, 'reason': f'no conductivity at {temperature:g} K: {error}'})
    return found


def _limit(
    measurement: Measurement, density, temperature: float, classes: tuple[float, float], settings: ClassSettings
) -> Value:
    limit, (value, _) = measurement.limit, measurement.conductivity(density)
    upper, distance = limit == '<', measurement.temperature - temperature
    if (distance if upper else -distance) < -settings.tolerance:
        raise LabelError(f'{measurement.name} is a limit at {measurement.temperature:g} K, which says nothing there')
    if not (value <= classes[0] if upper else value >= classes[1]):
        raise LabelError(f'{measurement.name} is {limit}{value:.3g} S/cm, which decides no class')
    return Value(value, 0.0, temperature, [measurement.row], False, False, False, limit)


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
