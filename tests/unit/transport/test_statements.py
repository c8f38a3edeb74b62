"""What is said beside a table of conductivities."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.errors import InconsistentFile
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
    assert (found.low, found.high) == pytest.approx(bounds, abs=1e-4)
    assert (found.line, found.kelvins) == (7, ())


@pytest.mark.parametrize(
    ('kelvins', 'text'), [(kelvins, text) for kelvins, texts in CONDUCTIVITIES.items() for text in texts]
)
def test_conductivities_at_temperatures(kelvins, text):
    (found,) = statements_in(['#', text], 1)
    assert (found.low, found.high) == pytest.approx((1.195e-3, 1.205e-3))
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
    assert [one.low for one in found] == pytest.approx([0.495, 5e-4, 0.295])
    assert [bool(one.kelvins) for one in found] == [False, True, False]


@given(st.text(max_size=40) | st.text('Easigmt 0123456789.,eE+-(){}=:/VkJolKC°%~\u00b1', max_size=40))
def test_any_text_states_finite_numbers_or_nothing(text):
    for one in statements_in([f'Ea {text}', f'sigma RT {text}'], 1):
        assert -math.inf < one.low <= one.high < math.inf


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
