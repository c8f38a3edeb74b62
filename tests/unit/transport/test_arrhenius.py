"""The fit that gives Table I's activation energies from Table I's conductivities, and what cannot be fitted."""

import itertools
import json

import numpy as np
import pytest
from scipy.optimize import curve_fit

from aiida_pesfp.errors import NoArrheniusFit
from aiida_pesfp.transport.arrhenius import BOLTZMANN, ArrheniusFit, Point, fit_arrhenius
from tests.helpers.reference import compare

#: Table I of the paper and its text. T (K), conductivity and error (S/cm) with half a unit of their last digits; then,
#: as printed, E_A and its error (meV), p, chi2/df and, where the text has it, sigma(300 K) and its error (mS/cm).
LIB3H8 = [
    (1000, 2.6, 0.6, 0.05, 0.05),
    (667, 1.27, 0.09, 0.005, 0.005),
    (500, 1.5, 0.4, 0.05, 0.05),
    (417, 1.03, 0.30, 0.005, 0.005),
]
TABLE = {
    'LiB3H8': (LIB3H8, ('80', '42', '0.09', '2.4')),
    'LiB3H8 with 363 K': ([*LIB3H8, (363, 0.082, 0.023, 0.0005, 0.0005)], ('216', '31', '0.003', '4.7')),
    'Li(BH)6': (
        [
            (1000, 0.9, 0.5, 0.05, 0.05),
            (667, 0.32, 0.13, 0.005, 0.005),
            (500, 0.10, 0.05, 0.005, 0.005),
            (417, 0.26, 0.12, 0.005, 0.005),
        ],
        ('219', '86', '0.17', '1.8'),
    ),
    'LiBH4': (
        [
            (1000, 4.9, 0.9, 0.05, 0.05),
            (667, 1.1, 0.4, 0.05, 0.05),
            (500, 0.24, 0.17, 0.005, 0.005),
            (417, 0.016, 0.012, 0.0005, 0.0005),
        ],
        ('389', '26', '0.54', '0.6', '0.44', '0.30'),
    ),
    'Li7P3S11': (
        [
            (1000, 1.96, 0.14, 0.005, 0.005),
            (667, 0.86, 0.14, 0.005, 0.005),
            (500, 0.193, 0.039, 0.0005, 0.0005),
            (417, 0.18, 0.09, 0.005, 0.005),
        ],
        ('249', '18', '0.23', '1.5', '7.9', '3.7'),
    ),
}

QUANTITIES = ('E_A (meV)', 'its error (meV)', 'p', 'chi2/df', 'sigma(300 K) (mS/cm)', 'its error (mS/cm)')


def numbers(fit):
    value, error = fit.conductivity(300.0)
    energy = 1000 * fit.activation_energy, 1000 * fit.activation_energy_error
    return np.array([*energy, fit.p_value, fit.chi2_reduced, 1000 * value, 1000 * error])


def half_unit(printed):
    return 0.5 * 10.0 ** -len(printed.partition('.')[2])


@pytest.mark.fidelity
@pytest.mark.parametrize('name', TABLE)
def test_table_1_follows_from_its_own_conductivities(name):
    """Every number of the table lies, within its own rounding, among those that the rounding of the inputs allows."""
    rows, printed = TABLE[name]
    nominal = numbers(fit_arrhenius([Point(*row[:3]) for row in rows]))
    low, high = nominal.copy(), nominal.copy()
    # The extremes of smooth functions over so small a box are at its corners.
    for signs in itertools.product((-1, 1), repeat=2 * len(rows)):
        corner = [
            Point(t, value + signs[2 * k] * half_value, error + signs[2 * k + 1] * half_error)
            for k, (t, value, error, half_value, half_error) in enumerate(rows)
        ]
        found = numbers(fit_arrhenius(corner))
        low, high = np.minimum(low, found), np.maximum(high, found)
    for text, least, most, own, quantity in zip(printed, low, high, nominal, QUANTITIES):
        compare(name, f'Table I: {quantity}', own, float(text), abs=max(most - own, own - least) + half_unit(text))
        assert least - half_unit(text) <= float(text) <= most + half_unit(text), (text, own)


def test_li7p3s11_is_the_same_to_the_last_printed_digit():
    rows, printed = TABLE['Li7P3S11']
    found = numbers(fit_arrhenius([Point(*row[:3]) for row in rows]))
    assert [f'{value:.{len(text.partition(".")[2])}f}' for value, text in zip(found, printed)] == list(printed)


def test_the_excluded_point_is_kept_with_its_reason_and_changes_nothing():
    with_it = [Point(*row[:3]) for row in LIB3H8]
    excluded = Point(363, 0.082, 0.023, excluded='leaves the line')
    fit = fit_arrhenius([*with_it, excluded])
    np.testing.assert_array_equal(numbers(fit), numbers(fit_arrhenius(with_it)))
    assert fit.as_dict()['points'][-1]['excluded'] == 'leaves the line'
    assert fit.degrees_of_freedom == 2


def arrhenius(temperature, energy=0.3, log_prefactor=9.0):
    return np.exp(log_prefactor - energy / (BOLTZMANN * temperature)) / temperature


@pytest.mark.parametrize('scale', ['linear', 'log'])
def test_exact_data_give_back_their_parameters(scale):
    points = [Point(t, arrhenius(t), 0.1 * arrhenius(t)) for t in (400.0, 500.0, 667.0, 1000.0)]
    fit = fit_arrhenius(points, scale)
    assert fit.activation_energy == pytest.approx(0.3, abs=1e-6)
    assert fit.log_prefactor == pytest.approx(9.0, abs=1e-5)
    assert fit.conductivity(350.0)[0] == pytest.approx(arrhenius(350.0), rel=1e-5)
    assert fit.p_value == pytest.approx(1)


@pytest.mark.parametrize('scale', ['linear', 'log'])
def test_covariance_and_propagation_are_those_of_a_plain_fit(scale):
    rows = np.array([row[:3] for row in TABLE['LiBH4'][0]])
    t, value, error = rows.T
    if scale == 'linear':
        found, covariance = curve_fit(
            lambda t, a, e: np.exp(a - e / (BOLTZMANN * t)), t, value * t, p0=(10, 0.3), sigma=error * t
        )
    else:
        found, covariance = curve_fit(
            lambda t, a, e: a - e / (BOLTZMANN * t), t, np.log(value * t), p0=(10, 0.3), sigma=error / value
        )
    fit = fit_arrhenius([Point(*row) for row in rows], scale)
    assert (fit.log_prefactor, fit.activation_energy) == pytest.approx(found, rel=1e-4)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-3)
    samples = np.random.default_rng(0).multivariate_normal(found, covariance / 1e4, 20000)
    spread = np.std(np.exp(samples[:, 0] - samples[:, 1] / (BOLTZMANN * 300)) / 300) * 100
    assert fit.conductivity(300.0)[1] == pytest.approx(spread, rel=0.03)


def test_errors_hold_the_truth_as_often_as_they_claim():
    """With errors that are right, and many points, E_A is within one standard error about two times out of three."""
    rng, temperatures = np.random.default_rng(1), np.linspace(500, 1000, 12)
    truth = arrhenius(temperatures)
    hits = []
    for _ in range(300):
        points = [Point(t, s * (1 + 0.1 * rng.normal()), 0.1 * s) for t, s in zip(temperatures, truth)]
        fit = fit_arrhenius(points)
        hits.append(abs(fit.activation_energy - 0.3) < fit.activation_energy_error)
    assert 0.60 <= np.mean(hits) <= 0.76


def test_two_points_are_a_line_without_a_verdict():
    """The paper's ML dynamics: 500 and 1000 K."""
    points = [Point(1000.0, 2.0, 0.2), Point(500.0, 0.1, 0.02)]
    fit = fit_arrhenius(points)
    energy = BOLTZMANN * np.log(2.0 * 1000 / (0.1 * 500)) / (1 / 500 - 1 / 1000)
    error = BOLTZMANN * np.hypot(0.1, 0.2) / (1 / 500 - 1 / 1000)
    assert fit.activation_energy == pytest.approx(energy, rel=1e-6)
    assert fit.activation_energy_error == pytest.approx(error, rel=1e-3)
    assert (fit.chi2_reduced, fit.p_value) == (None, None)
    assert list(fit.remarks()) == ['no_degree_of_freedom']
    json.dumps(fit.as_dict(), allow_nan=False)


def test_a_value_below_zero_takes_part_on_the_linear_scale():
    points = [Point(1000.0, 4.19, 0.17), Point(667.0, 0.3, 0.05), Point(500.0, -0.5e-3, 1.8e-2)]
    fit = fit_arrhenius(points)
    assert fit.degrees_of_freedom == 1
    with pytest.raises(NoArrheniusFit, match='500 K has a conductivity of -0.0005 S/cm, which has no logarithm'):
        fit_arrhenius(points, 'log')


@pytest.mark.parametrize(
    ('rows', 'words'),
    [
        ([], 'no point'),
        ([(500, 1.0, 0.1)], '500 K is the only temperature'),
        ([(500, 1.0, 0.1), (500, 1.1, 0.1), (500, 0.9, 0.1)], '500 K is the only temperature'),
        ([(500, 0.0, 0.1), (700, 0.0, 0.1), (900, -1.0, 0.1)], 'no conductivity is above zero'),
        ([(500, 0.0, 0.1), (700, -0.1, 0.1), (900, 1.0, 0.1)], 'only at 900 K'),
        ([(500, 0.1, 0.0), (700, 0.5, 0.1), (900, 1.0, 0.1)], '500 K has an uncertainty of 0 S/cm'),
        ([(500, 0.1, -0.1), (700, 0.5, 0.1), (900, 1.0, 0.1)], '500 K has an uncertainty of -0.1 S/cm'),
        ([(500, 0.1, 0.1), (700, 0.5, None), (900, 1.0, 0.1)], '700 K has no uncertainty'),
        ([(500, 0.1, 0.1), (700, 0.5, float('nan')), (900, 1.0, 0.1)], '700 K has no uncertainty'),
        ([(500, 0.1, 0.1), (700, float('nan'), 0.1), (900, 1.0, 0.1)], '700 K has no conductivity'),
        ([(-500, 0.1, 0.1), (700, 0.5, 0.1), (900, 1.0, 0.1)], '-500 K is not a temperature'),
    ],
)
def test_what_does_not_determine_an_energy_is_refused(rows, words):
    with pytest.raises(NoArrheniusFit, match=words):
        fit_arrhenius([Point(*row) for row in rows])


def test_doubtful_fits_say_so():
    poor = fit_arrhenius([Point(*row[:3]) for row in TABLE['LiB3H8 with 363 K'][0]])
    assert list(poor.remarks()) == ['poor_fit']
    falling = fit_arrhenius([Point(500.0, 1.0, 0.1), Point(700.0, 0.5, 0.1), Point(1000.0, 0.2, 0.1)])
    assert 'not_activated' in falling.remarks()
    wide = fit_arrhenius([Point(*row[:3]) for row in TABLE['Li(BH)6'][0]])
    assert list(wide.remarks()) == ['unreliable_extrapolation']
    assert fit_arrhenius([Point(*row[:3]) for row in TABLE['Li7P3S11'][0]]).remarks() == {}


def test_survives_as_a_dictionary():
    fit = fit_arrhenius([Point(*row[:3]) for row in TABLE['LiBH4'][0]])
    again = ArrheniusFit.from_dict(json.loads(json.dumps(fit.as_dict())))
    assert again.points == fit.points
    np.testing.assert_array_equal(numbers(again), numbers(fit))
