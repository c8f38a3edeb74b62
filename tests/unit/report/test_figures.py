"""Figures of transport say what the numbers say, and mark what is excluded or flagged."""

import numpy as np
import pytest

from aiida_pesfp.report.colours import EXCLUDED, FLAGGED
from aiida_pesfp.report.drawings import arrhenius, displacements
from aiida_pesfp.report.plots.plotly import draw
from aiida_pesfp.transport.arrhenius import Point, fit_arrhenius
from aiida_pesfp.transport.conductivity import analyse
from tests.helpers.walks import brownian

LIB3H8 = [
    Point(1000.0, 2.6, 0.6),
    Point(667.0, 1.27, 0.09),
    Point(500.0, 1.5, 0.4),
    Point(417.0, 1.03, 0.30),
    Point(363.0, 0.082, 0.023, 'leaves the line'),
]


def trace(figure, name):
    exact = [trace for trace in figure.data if trace.name == name]
    [found] = exact or [trace for trace in figure.data if trace.name.startswith(name)]
    return found


def test_msd_figure_shows_windows_mean_fit_and_framework():
    found = analyse(brownian(np.random.default_rng(0)), 'Li', 700)
    curves = found.curves()
    figure = draw(displacements(curves, 'Li', 1.0, 'Li2S', {'too_few_windows': 'why'}))
    windows = [trace for trace in figure.data if trace.name == 'Li, single windows']
    assert len(windows) == 4
    assert [trace.showlegend for trace in windows] == [True, False, False, False]
    np.testing.assert_allclose(trace(figure, 'Li, mean').y, curves['window_msds'].mean(axis=0))
    np.testing.assert_allclose(trace(figure, 'S').y, curves['framework_msd_S'])
    fit = trace(figure, 'fit')
    slope = (fit.y[1] - fit.y[0]) / (fit.x[1] - fit.x[0])
    assert fit.x == pytest.approx((1.0, 15.0))
    assert slope / 6 * 1e-4 == pytest.approx(found.diffusion.estimate.coefficient, rel=1e-6)
    assert figure.layout.title.subtitle.text == 'too few windows'
    assert '<div' in figure.to_html(include_plotlyjs=False)


def test_arrhenius_figure_marks_excluded_and_flagged_points():
    fit = fit_arrhenius(LIB3H8)
    figure = draw(arrhenius(fit, [['framework_diffuses'], [], [], [], []], 'LiB3H8'))
    fitted, flagged, excluded = (trace(figure, name) for name in ('fitted', 'fitted, flagged', 'excluded'))
    assert len(fitted.x) == 3
    assert excluded.x == pytest.approx((1000 / 363,))
    assert excluded.y == pytest.approx((0.082,))
    assert excluded.marker.color == 'white'
    assert excluded.marker.line.color == EXCLUDED
    assert 'excluded: leaves the line' in excluded.hovertext[0]
    assert flagged.marker.line.color == FLAGGED
    assert 'framework_diffuses' in flagged.hovertext[0]
    line = trace(figure, 'Eₐ = 79 ± 44 meV')
    assert line.y[0] == pytest.approx(fit.conductivity(1000 / line.x[0])[0])
    assert max(line.x) == pytest.approx(1000 / 300)


def test_values_without_a_logarithm_end_at_the_bottom():
    fit = fit_arrhenius([Point(1000.0, 4.19, 0.17), Point(667.0, 1.4e-3, 0.6e-3), Point(500.0, -0.5e-3, 1.8e-3)])
    figure = draw(arrhenius(fit))
    points = trace(figure, 'fitted')
    low, high = 10.0 ** np.array(figure.layout.yaxis.range)
    assert list(points.marker.symbol) == ['circle', 'circle', 'triangle-down']
    assert all(low < y < high for y in points.y)
    assert np.all(np.array(points.y) - points.error_y.arrayminus >= low * (1 - 1e-9))
    assert points.y[2] + points.error_y.array[2] == pytest.approx(1.3e-3)


def test_temperatures_stand_above_the_arrhenius_plot():
    figure = draw(arrhenius(fit_arrhenius(LIB3H8)))
    above = dict(zip(figure.layout.xaxis2.ticktext, figure.layout.xaxis2.tickvals))
    assert above == {f'{temperature} K': 1000 / temperature for temperature in (300, 363, 417, 500, 667, 1000)}
    assert figure.layout.yaxis.dtick == 'D2'  # two decades and a half
