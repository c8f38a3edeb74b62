"""What is said beside a table of conductivities."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.errors import InconsistentFile
from aiida_pesfp.tables.columns import Column
from aiida_pesfp.transport.arrhenius import BOLTZMANN, Point, fit_arrhenius
from aiida_pesfp.transport.statements import FLAG, compare, statements_in

ENERGIES = {
    (0.495, 0.505): [
        'Ea = 0.50 eV',
        'E_a: 0,50 eV, R² = 0,99',
        'Ea/eV = 0.50',
        '# fit: E_A=0.50eV.',
        'E_{act} (eV): .50',
    ],
    (0.455, 0.545): [
        'Ea = 0.50(2) eV',
        'E_a ~ 0.50 \u00b1 0.02 eV',
        'Ea = (0.50 \u00b1 0.02) eV',
        'Ea 0.50 eV +/- 0.02 eV',
    ],
    (0.45, 0.55): [
        'activation energy of 0.5 eV',
        'E_a (300-450 K) = 0.5 eV',
        'Aktivierungsenergie 0,5 eV',
        'ea is 0.5 eV',
    ],
    (0.4948, 0.5052): ['Ea 48.24(25) kJ mol⁻¹', 'Ea (kJ/mol) = 48.24(25)'],
}
CONDUCTIVITIES = {
    (297.65, 298.65): [
        '\u03c3(25 °C) = 1.20 mS/cm',
        'sigma = 1.20e-3 S/cm at 25 C',
        '\u03c3(25°C) = 1.20 \u00d7 10⁻³ S cm⁻¹',
    ],
    (292.0, 302.0): [
        'sigma_RT: 1.20 mS/cm',
        'conductivity of 1.20 mS/cm at room temperature',
        'RT conductivity 0.120 S/m',
    ],
    (299.5, 300.5): ['sigma_300K (mS/cm) 1.20', '# Leitf\u00e4higkeit 300 K: 1,20 mS/cm'],
}


@pytest.mark.parametrize(('bounds', 'text'), [(bounds, text) for bounds, texts in ENERGIES.items() for text in texts])
def test_activation_energies(bounds, text):
    (found,) = statements_in([text], 7)
    assert found.bounds == (pytest.approx(bounds, abs=1e-4),)
    assert (found.line, found.kelvins) == (7, ())


@pytest.mark.parametrize(
    ('kelvins', 'text'), [(kelvins, text) for kelvins, texts in CONDUCTIVITIES.items() for text in texts]
)
def test_conductivities_at_temperatures(kelvins, text):
    (found,) = statements_in(['#', text], 1)
    assert found.bounds == (pytest.approx((1.195e-3, 1.205e-3)),)
    assert found.kelvins == pytest.approx(kelvins)


@pytest.mark.parametrize(
    'text',
    [
        *(
            'Ea',
            'Ea = 0.5',
            'Ea = x eV',
            'sea = 0.5 eV',
            'Ea/k = 5800 K',
            'the gap is 0.5 eV',
            'Ea (eV)',
            'sigma = 1 S/cm',
        ),
        *('sigma vs T', 'sigma(25 °C)', 'ln sigma(25 °C) = -7 S/cm', 'electronic conductivity at 300 K: 1e-9 S/cm', ''),
    ],
)
def test_what_states_nothing(text):
    assert statements_in([text], 1) == []


def test_several_in_one_line():
    found = statements_in(['# Ea = 0.50 eV; sigma(25 °C) = 1e-3 S/cm, Ea = 0.30 eV above'], 1)
    assert [one.bounds[0][0] for one in found] == pytest.approx([0.495, 5e-4, 0.295])
    assert [bool(one.kelvins) for one in found] == [False, True, False]


@given(st.text(max_size=40) | st.text('Easigmt 0123456789.,eE+-(){}=:/VkJolKC°%~\u00b1', max_size=40))
def test_any_text_states_finite_numbers_or_nothing(text):
    for one in statements_in([f'Ea {text}', f'sigma RT {text}'], 1):
        assert all(-math.inf < low <= high < math.inf for low, high in one.bounds)


@pytest.mark.parametrize(
    ('text', 'scales'),
    [
        ('ln(\u03c3T) vs 1000/T: y = -5.8023x + 10.9114', [1000]),
        ('log sigma, 10³/T: y = 10,9114 \u2212 5,8023 x; R² = 0,99', [1000 * math.log(10)]),
        ('y=-5.8023*x', [1, 1000, 10000, math.log(10), 1000 * math.log(10), 10000 * math.log(10)]),
        ('ln sigma: y = -5.8023x + 10.9114', [1, 1000, 10000]),
        ('ln(sigma T) against 1/T, y = -58.023e-1x - 1', [1]),
        *((text, []) for text in ('y = 5', 'y = 0x + 3', 'y = a x + b', 'my = -5.8x', 'y = -5.8x2', 'y = -5.8.1,2x')),
    ],
)
def test_trendlines(text, scales):
    found = [bounds for one in statements_in([f'# {text}'], 3) for bounds in one.bounds]
    assert sorted(sum(one) / 2 for one in found) == pytest.approx(sorted(5.8023 * BOLTZMANN * one for one in scales))


@pytest.mark.parametrize('power', [0, 1])
@pytest.mark.parametrize('base', [math.e, 10.0])
def test_a_trendline_is_compared_in_whatever_axes(base, power):
    fit = _fit(0.4, power=power)
    slope = -0.4 / BOLTZMANN / math.log(base)
    for text in (f'y = {slope:.1f}x + 1', f'y = {slope / 1000:.4f}x + 1'):
        assert compare(statements_in([text], 1), fit) == {}
        assert FLAG in compare(statements_in([text.replace('= -', '= -2')], 1), fit)


def _fit(energy, kelvins=(300, 350, 400, 450), power=1, error=0.05):
    """Of a law of which sigma T^power is a line."""
    values = [math.exp(5 - energy / (BOLTZMANN * kelvin)) / kelvin**power for kelvin in kelvins]
    return fit_arrhenius([Point(kelvin, value, error * value) for kelvin, value in zip(kelvins, values)])


@given(st.floats(0.1, 0.8), st.sampled_from([0, 1]))
def test_what_either_law_gives_is_no_contradiction(energy, power):
    """People fit ln(sigma T) or ln(sigma)."""
    fit = _fit(energy, power=power)
    assert compare(statements_in([f'Ea = {energy:.4f} eV'], 1), fit, 'K') == {}
    for other in (0.8 * energy, 1.2 * energy):
        if abs(other - energy) > 0.06:
            assert FLAG in compare(statements_in([f'Ea = {other:.4f} eV'], 1), fit)


def test_a_measured_point_is_no_contradiction():
    fit = _fit(0.3)
    bent = fit_arrhenius([Point(298, 2 * fit.conductivity(298)[0], 1e-9), *fit.points])
    value = bent.points[0].conductivity
    assert compare(statements_in([f'sigma(25 °C) = {value:.3e} S/cm'], 1), bent) == {}
    assert FLAG in compare(statements_in([f'sigma(25 °C) = {3 * value:.3e} S/cm'], 1), bent)


@pytest.mark.parametrize(('unit', 'shift', 'name'), [('K', 273.15, 'degrees Celsius'), ('C', -273.15, 'kelvin')])
def test_the_other_unit(unit, shift, name):
    right = _fit(0.5, kelvins=(600, 650, 700, 750))
    wrong = fit_arrhenius([Point(one.temperature - shift, one.conductivity, 1e-9) for one in right.points])
    said = statements_in(['Ea = 0.50 eV'], 9)
    with pytest.raises(InconsistentFile, match=f"line 9 says 'Ea = 0.50 eV': .* and E_A = 0.5 .* if .* in {name}"):
        compare(said, wrong, unit)
    assert FLAG in compare(said, wrong, None)
    assert compare(said, right, unit) == {}


@pytest.mark.parametrize(
    ('head', 'power', 'name'),
    [
        ('log(sigma / mS/cm)', 0, 'natural ones, ln'),
        ('log10(sigma*T) (S K/cm)', 1, 'natural ones, ln'),
        ('ln(sigma T)', 1, 'decimal ones, log10'),
    ],
)
@pytest.mark.parametrize('text', ['Ea = 0.40 eV', 'sigma(400 K) = {:.3g} S/cm'])
def test_the_other_logarithm(head, power, name, text):
    right, column = _fit(0.4, power=power), Column.of(head, 'conductivity')
    other = replace(column, scale='ln' if column.scale == 'log10' else 'log10')
    wrong = [
        replace(one, conductivity=other.with_other_logarithm(one.conductivity, one.temperature)) for one in right.points
    ]
    wrong = fit_arrhenius([replace(one, conductivity_error=0.05 * one.conductivity) for one in wrong])
    said = statements_in([text.format(right.conductivity(400)[0])], 9)
    with pytest.raises(InconsistentFile, match=f'the fit gives .* if logarithms are {name}: name the column'):
        compare(said, wrong, None, column)
    assert FLAG in compare(said, wrong)
    assert compare(said, right, None, column) == {}
