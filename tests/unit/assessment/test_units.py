"""Units as they stand in the heads of tables."""

import pytest

from aiida_pesfp.assessment.units import temperature_unit, unit_of_cell, value_unit


@pytest.mark.parametrize(
    ('unit', 'names'),
    [
        ('C', ['T_C', 'temperature (°C)', 'degC', 'Temp. [\u00baC]', 'T/°C', 'T in degrees Celsius', 'temp_celsius']),
        ('C', ['T\u2103', 'C', 'Temperature/oC', 'temp_degC', 'T(C)', 'deg. C', '°C']),
        ('K', ['T (K)', 'T/K', 'T_K', 'kelvin', 'temperature_K', 'T [K]', 'K', 'Temperature, K', 'T \u212a']),
        ('F', ['T (°F)', 'F', 'fahrenheit']),
        (None, ['T', 'temperature', 'Tc', 'T (K or °C)', 'temperature of measurement', 'Kind', 'Check']),
    ],
)
def test_temperatures(unit, names):
    assert [temperature_unit(name) for name in names] == [unit] * len(names)


@pytest.mark.parametrize(
    ('unit', 'names'),
    [
        ('S/cm', ['sigma_RT_S_cm', 'Ionic conductivity (S cm-1)', '\u03c3 (S·cm⁻¹)', 'S/cm', '\u03c3(S/cm)']),
        ('S/cm', ['\u03c3 (\u03a9⁻¹ cm⁻¹)', 'sigma (1/(\u03a9 cm))', '(\u2126 cm)-1', 'sigma_Scm-1', 'S_per_cm']),
        ('mS/cm', ['\u03c3 [mS/cm]', 'mS cm-1', 'sigma_ms_cm', 'milliSiemens per cm']),
        ('uS/cm', ['µS/cm', '\u03bcS cm^-1', 'uS/cm']),
        ('S/m', ['\u03c3 / S m^-1', 'Conductivity [S/m]']),
        (None, ['sigma at 0.1 MPa', 'Li0.1 sigma', 'sigma v0.01', 'series e-mail']),
        (None, ['sigma max 1000 K', 'sigma_10', 'negative charge', 'run 10-b']),
        (None, ['sigma', 'conductivity', 'IC (Total)', 'target', 'series mean', 'sigma_300K', 'sigma_T', 'sigma(T)']),
    ],
)
def test_conductivities(unit, names):
    assert [value_unit(name, 'conductivity') for name in names] == [(unit, None)] * len(names)


@pytest.mark.parametrize(
    ('unit', 'names'),
    [
        ('cm2/s', ['diffusion_mean_cm2_s', 'D (cm²/s)', 'cm^2 s^-1']),
        ('m2/s', ['D [m^2 s^-1]', 'm²/s']),
        ('A2/ps', ['li_msd_slope_A2_per_ps', 'D / \u00c52 ps-1', '\u212b²/ps']),
        ('nm2/ns', ['D (nm2/ns)']),
        (None, ['D', 'diffusion']),
    ],
)
def test_diffusion(unit, names):
    assert [value_unit(name, 'diffusion') for name in names] == [(unit, None)] * len(names)


@pytest.mark.parametrize(
    ('found', 'name'),
    [
        (('S/cm', 'log10'), 'log10(sigma/(S/cm))'),
        ((None, 'log10'), 'log sigma'),
        ((None, 'log10'), 'log\u03c3'),
        ((None, 'log10'), 'lg \u03c3'),
        (('S/cm', 'log10'), 'log_sigma_S_cm'),
        ((None, 'ln'), 'ln \u03c3'),
    ],
)
def test_logarithms(found, name):
    assert value_unit(name, 'conductivity') == found


@pytest.mark.parametrize(
    ('name', 'what'),
    [
        ('resistivity (ohm cm)', 'a resistivity'),
        ('\u03c1 / \u03a9 cm', 'a resistivity'),
        ('\u03c3 (10⁻⁴ S/cm)', 'a power of ten in its name'),
        ('1e-4 S/cm', 'a power of ten in its name'),
        ('\u2212log \u03c3', 'negative logarithms'),
        ('negative log sigma', 'negative logarithms'),
        ('ln(\u03c3T)', 'a conductivity times a temperature'),
        ('log(\u03c3*T)', 'a conductivity times a temperature'),
        ('log(\u03c3 / S K cm-1)', 'a conductivity times a temperature'),
        ('sigma x1e-4', 'a power of ten in its name'),
        ('sigma (e-4 S/cm)', 'a power of ten in its name'),
        ('sigma (in units of 0.001 S/cm)', 'a power of ten in its name'),
        ('conductance (S)', 'a conductance without a length'),
        ('sigma_mS', 'a conductance without a length'),
        ('D (cm2/s)', 'a diffusion coefficient'),
        ('Ea (eV)', 'an energy'),
    ],
)
def test_other_quantities_are_no_conductivities(name, what):
    with pytest.raises(ValueError, match=what):
        value_unit(name, 'conductivity')


def test_a_conductivity_is_no_diffusion_coefficient():
    with pytest.raises(ValueError, match='a conductivity'):
        value_unit('sigma (S/cm)', 'diffusion')


@pytest.mark.parametrize('name', ['T (mK)', 'kT (eV)', 'kB T', 'beta (1/eV)', 'T[\u00b0C] + 273'])
def test_not_everything_with_a_k_is_in_kelvin(name):
    with pytest.raises(ValueError, match='something else'):
        temperature_unit(name)


@pytest.mark.parametrize('name', ['1000/T (K-1)', '1000/T', '10^3/T', '1/T', 'inverse temperature', 'T⁻¹ (K⁻¹)'])
def test_an_inverse_temperature_is_none(name):
    with pytest.raises(ValueError, match='an inverse temperature'):
        temperature_unit(name)


@pytest.mark.parametrize(
    ('unit', 'quantity', 'texts'),
    [
        ('C', 'temperature', ['°C', 'C', 'deg C', 'oC']),
        ('K', 'temperature', ['K', 'kelvin']),
        ('mS/cm', 'conductivity', ['mS/cm', 'mS cm-1', 'mS·cm⁻¹']),
        ('S/cm', 'conductivity', ['S/cm', '\u03a9⁻¹cm⁻¹']),
        ('cm2/s', 'diffusion', ['cm2/s', 'cm² s⁻¹']),
        (None, 'conductivity', ['', 'to 2 S/cm', 'S/cm at 25 C', 'S', 'ohm cm', 'cm2/s', 'x']),
        (None, 'temperature', ['', 'to 300 K', 'K or C', 'RT', 'S/cm']),
    ],
)
def test_behind_a_number_nothing_else_may_stand(unit, quantity, texts):
    assert [unit_of_cell(text, quantity) for text in texts] == [unit] * len(texts)
