"""Figures hold the numbers they are made of."""

import numpy as np
import pytest

from aiida_pesfp.assessment.labels import Measurement
from aiida_pesfp.assessment.scores import score_rankings
from aiida_pesfp.report.plots.assessment import free_volume_figure, models_figure, reliability_figure, scores_figure
from aiida_pesfp.settings.assessment import ClassSettings, ScoreSettings
from tests.helpers.materials import THRESHOLDS, random_descriptors


@pytest.fixture(scope='module')
def content():
    """An assessment of twelve materials, the first of which conducts nothing."""
    descriptors = {f's{k}': table for k, table in enumerate(random_descriptors(12))}
    measurements = [
        Measurement(k, f's{k}', None, None, None, 300.0, 'conductivity', 10.0 ** (-k) if k else 0.0, None, None, None)
        for k in range(12)
    ]
    rows = {k: f's{k}' for k in range(12)}
    settings = ClassSettings(1e-3, 1e-4, floor=1e-10)
    carrier_densities = dict.fromkeys(descriptors, 1e22)  # of no use to conductivities
    found = score_rankings(
        measurements,
        rows,
        carrier_densities,
        descriptors | {'t': descriptors['s0']},
        settings,
        ScoreSettings(resamples=20),
    )
    for key, material in found['materials'].items():
        material |= {name: descriptors[key][name] for name in ('xi', 'fv_connected', 'fv_disconnected')}
    return found


def test_scores(content):
    figure = scores_figure({'one': content, 'two': content}, {'one': {'mine': {'value': 0.7, 'error': 0.1}}})
    scores = {row['ranking']: row['score'] for row in content['rows']}
    connected = next(trace for trace in figure.data if trace.name == 'connected FV')
    assert list(connected.x) == THRESHOLDS
    assert list(connected.y) == [scores[f'connected({threshold:g})']['value'] for threshold in THRESHOLDS]
    lines = {trace.name: trace.y[0] for trace in figure.data if trace.mode == 'lines' and trace.name}
    assert lines['MPE'] == scores['-mpe']['value']
    assert lines['random'] == content['random']['value']
    assert lines['mine'] == 0.7


def test_free_volumes(content):
    figure = free_volume_figure(content, {'published': (-2.0, -1.15)})
    for column, kind in enumerate(('connected', 'disconnected')):
        points = figure.data[2 * column]
        expected = [entry[f'fv_{kind}'] for entry in content['materials'].values()]
        np.testing.assert_allclose(points.x, expected)
        assert [key for key, symbol in zip(content['materials'], points.marker.symbol) if symbol != 'circle'] == [
            's0',
            's11',
        ]
        assert figure.data[2 * column + 1].x[0] == pytest.approx(10 ** (-2.0, -1.15)[column])


def test_means_over_orderings_have_errors(content):
    first, second = list(content['materials'])[:2]
    materials = content['materials'] | {second: content['materials'][second] | {'error': {'fv_connected': 0.3}}}
    points = free_volume_figure(content | {'materials': materials}).data[0]
    volume = materials[second]['fv_connected']
    keys = list(materials)
    ends = points.error_x.arrayminus[keys.index(second)], points.error_x.array[keys.index(second)]
    np.testing.assert_allclose(ends, (volume - volume / 10**0.3, volume * 10**0.3 - volume))
    assert points.error_x.array[keys.index(first)] == 0
    assert free_volume_figure(content).data[0].error_x.array is None


def test_models():
    score = {'value': 0.4, 'error': 0.1}
    figure = models_figure({'one': {'logistic_l1_pes': score}}, {'one': {'Xi': {'value': 0.6, 'error': 0.1}}})
    assert figure.data[0].x == ('logistic, L1<br>pes',)
    assert figure.data[0].y == (0.4,)
    assert figure.data[1].y == (0.6,)


def test_reliability():
    bins = [{'predicted': 0.1, 'observed': 0.2, 'weight': 5.0}, {'predicted': 0.7, 'observed': 0.6, 'weight': 5.0}]
    diagonal, points = reliability_figure({'logistic_monotone_pes': bins}).data
    assert diagonal.x == diagonal.y
    assert points.name == 'logistic monotone pes'
    assert (points.x, points.y) == ((0.1, 0.7), (0.2, 0.6))
