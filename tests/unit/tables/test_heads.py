"""Heads of columns: what is known is read, what is not known to its end is refused."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.errors import ImplausibleValue, TableError
from aiida_pesfp.settings.screen import Properties
from aiida_pesfp.settings.units import MEASURES
from aiida_pesfp.tables.columns import Column, read_heads
from aiida_pesfp.tables.heads import find_column, read_head
from aiida_pesfp.tables.numbers import Number
from aiida_pesfp.tables.table import Row

#: Measure -> unit, or scale -> names that say so.
KNOWN = {
    'temperature': {
        'C': [
            *(
                'T_C',
                'temperature (°C)',
                'degC',
                'Temp. [\u00baC]',
                'T/°C',
                'T in degrees Celsius',
                'temp_celsius',
                'C',
            ),
            *('T\u2103', 'Temperature/oC', 'temp_degC', 'T(C)', 'deg. C', '°C'),
        ],
        'K': [
            'T (K)',
            'T/K',
            'T_K',
            'kelvin',
            'temperature_K',
            'T [K]',
            'K',
            'Temperature, K',
            'T \u212a',
            'T (K) of test',
        ],
        None: ['T', 'temperature', 'temperature of measurement', 'temp\u00e9rature'],
    },
    'conductivity': {
        'S/cm': [
            *('sigma_RT_S_cm', 'Ionic conductivity (S cm-1)', '\u03c3 (S·cm⁻¹)', 'S/cm', '\u03c3(S/cm)', 'sigma_Scm-1'),
            *(
                '\u03c3 (\u03a9⁻¹ cm⁻¹)',
                'sigma (1/(\u03a9 cm))',
                '(\u2126 cm)-1',
                'S_per_cm',
                'conductivity at 25 °C, S/cm',
            ),
            *(
                '\u03c3(300 K) / S cm^{-1}',
                'Leitf\u00e4higkeit [S.cm-1]',
                'Li-ion conductivity - total (S/cm)',
                'mho/cm',
            ),
            *(
                'sigma (Ohm-1 cm-1)',
                '(Ohm·cm)^-1',
                '1/(OHM cm)',
                'sigma / ohms^-1 cm^-1',
            ),
        ],
        'mS/cm': ['\u03c3 [mS/cm]', 'mS cm-1', 'sigma_ms_cm', 'milliSiemens per cm'],
        'uS/cm': ['µS/cm', '\u03bcS cm^-1', 'uS/cm', 'micro S/cm', 'micro-siemens/cm'],
        'S/m': ['\u03c3 / S m^-1', 'Conductivity [S/m]', '(Ohm m)-1'],
        None: [
            *('sigma', 'conductivity', 'IC (Total)', 'target', 'sigma_300K', 'sigma(T)', 'sigma max 1000 K'),
        ],
        ('S/cm', 'log10'): ['log10(sigma/(S/cm))', 'log_sigma_S_cm'],
        (None, 'log10'): ['log sigma', 'log\u03c3', 'lg \u03c3', 'log 10 conductivity'],
        (None, 'ln'): ['ln \u03c3'],
    },
    'diffusion': {
        'cm2/s': ['diffusion_mean_cm2_s', 'D (cm²/s)', 'cm^2 s^-1'],
        'm2/s': ['D [m^2 s^-1]', 'm²/s'],
        'um2/s': ['D (\u03bcm²/s)', 'D (\u00b5m^2/s)', 'um2/s'],
        'A2/ps': ['li_msd_slope_A2_per_ps', 'D / \u00c52 ps-1', '\u212b²/ps'],
        'nm2/ns': ['D (nm2/ns)'],
        None: ['D', 'diffusion'],
    },
    'band_gap': {
        'eV': ['Eg (eV)', 'bandgap_eV', 'band gap / eV', 'gap (HSE06), eV'],
        'meV': ['Eg (meV)'],
        None: ['band_gap', 'Eg', 'gap', 'PBE gap'],
    },
    'energy_above_hull': {
        'eV/atom': ['e_hull_eV_atom', 'hull (eV/atom)', 'E_hull / eV per atom', 'eV atom^-1'],
        'meV/atom': ['e_above_hull (meV/atom)'],
        None: ['energy_above_hull', 'ehull', 'hull', 'distance to hull'],
    },
}
REFUSED = {
    'temperature': [
        *(
            'T (°F)',
            'fahrenheit',
            'T (K or °C)',
            'Tc',
            'Kind',
            'Check',
            '1000/T (K-1)',
            '1000/T',
            '10^3/T',
            '1/T',
            'log T',
        ),
        *('inverse temperature', 'T⁻¹ (K⁻¹)', 'T (mK)', 'kT (eV)', 'kB T', 'beta (1/eV)', 'T[\u00b0C] + 273', 'T x 10'),
    ],
    'conductivity': [
        *(
            'resistivity (ohm cm)',
            '\u03c1 / \u03a9 cm',
            'conductance (S)',
            'sigma_mS',
            'D (cm2/s)',
            'Ea (eV)',
            'S/cm/K',
        ),
        *('\u03c3 (10⁻⁴ S/cm)', '1e-4 S/cm', 'sigma x1e-4', 'sigma (e-4 S/cm)', 'sigma (in units of 0.001 S/cm)'),
        *('sigma x 1000', '1000*sigma (S/cm)', 'sigma e3', 'sigma (1000 S/cm)', 'x1000 sigma', 'sigma (S/cm) x10'),
        *('\u2212log \u03c3', 'negative log sigma', 'sigma -log', 'log log sigma', 'log2 sigma', 'ln(\u03c3T)'),
        *(
            'log(\u03c3*T)',
            'log(\u03c3 / S K cm-1)',
            'sigma T',
            'sigma_T',
            'sigma_T (K S/cm)',
            'sigma/T',
            'S/cm2',
            'sigma (%)',
            'milli sigma',
            '2 sigma',
        ),
        *('MS/cm', 'kS/cm', 'pS/cm', 'S/mm', 'sigma (S/cm, mS/cm)', 'sigma_300', 'sigma at 0.1 MPa', 'Widerstand'),
    ],
    'diffusion': [
        *(
            'pm2/s',
            'D (cm/s)',
            'D (S/cm)',
            'D e5',
            'D x 1e5',
            'D (10^-5 cm2/s)',
            'D (cm2/min)',
            'D_0 (cm2/s)',
            'D (m2/s2)',
        ),
    ],
    'band_gap': [
        *(
            'gap (a.u.)',
            'gap_ry',
            'gap (cm^-1)',
            'gap (mEv)',
            'gap (MeV)',
            'gap/kT',
            'gap (Ha)',
            'gap (eV*10)',
            'gap (nm)',
        ),
        *('gap [keV]', 'gap (kJ/mol)', 'gap (eV/atom)', 'log gap'),
    ],
    'energy_above_hull': ['hull (eV/f.u.)', 'hull (kJ/mol)', 'hull (eV/cell)', 'formation energy', 'hull_mRy'],
}
ERRORS = [
    'rel. err',
    'err x1000',
    'error factor',
    '1/err',
    'error (%)',
    'relative error',
    'error (1e-4 S/cm)',
    '2 sigma',
    '95% CI',
    'error (95% CI)',
]


def pairs(table):
    return [(measure, text) for measure, texts in table.items() for text in texts]


@pytest.mark.parametrize(('measure', 'found'), pairs(KNOWN))
def test_what_is_known_is_read(measure, found):
    names = KNOWN[measure][found]
    expected = found if isinstance(found, tuple) else (found, None)
    assert {name: read_head(name, measure)[:2] for name in names} == dict.fromkeys(names, expected)


@pytest.mark.parametrize(('measure', 'name'), pairs(REFUSED))
def test_what_is_not_known_is_refused_by_name(measure, name):
    with pytest.raises(TableError, match=f'is not understood from .* one of {next(iter(MEASURES[measure].units))}'):
        read_head(name, measure)


@pytest.mark.parametrize(
    ('name', 'at'),
    [
        *(
            (f'{quantity}{name}', [at])
            for quantity in ('sigma', 'log D')
            for name, at in (('_500K', 500.0), ('(25 °C)', 298.15))
        ),
        *((f'sigma {name} (S/cm)', [297.0]) for name in ('RT', 's_rt', 'at room temperature', '(rt)', 'Room_Temp')),
        ('D_1000K_cm2_s', [1000.0]),
        ('sigma at 100 \u00baC', [373.15]),
        ('sigma at 25 °C (298 K)', [298.15, 298.0]),
        ('sigma', []),
    ],
)
def test_temperatures_in_a_name(name, at):
    column = Column('x', 'conductivity', at=read_head(name, 'conductivity' if 'sigma' in name else 'diffusion')[2])
    assert len(column.at) == len(at)
    for one in at:
        column.check_temperature(one + 2)
        with pytest.raises(ValueError, match="'x' is of .* K, not of"):
            column.check_temperature(one - 10)
    if not at:
        column.check_temperature(300.0)


def test_no_ion_moves_at_this_temperature():
    with pytest.raises(ImplausibleValue, match='10 K, not between'):
        Column('x', 'conductivity', at=read_head('sigma_10K', 'conductivity')[2]).check_temperature(300.0)


@pytest.mark.parametrize(
    ('names', 'found'),
    [
        (['a', 'Band_gap', 'energy'], ('Band_gap', None)),
        (['band_gap (eV)', 'e_above_hull'], ('band_gap (eV)', 'e_above_hull')),
        (['EG', 'Ehull (meV/atom)', 'temperature'], ('EG', 'Ehull (meV/atom)')),
        (['band_gap', 'is_gap_direct', 'E_g', 'hull', 'energy_above_hull'], ('band_gap', 'energy_above_hull')),
        (['nsites', 'value', 'legs', 'E'], (None, None)),
        (['Material ID', 'Energy Above Hull', 'Band Gap', 'Is Gap Direct'], ('Band Gap', 'Energy Above Hull')),
        (['Egap', 'Egap_type'], ('Egap', None)),
        (['Eg', 'Eg_err'], ('Eg', None)),
        (['is_gap_direct', 'gap unit'], (None, None)),
    ],
)
def test_a_column_is_found_by_its_head(names, found):
    assert tuple(find_column(measure, names) for measure in Properties.known()) == found


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        (['gap_Ry'], "'gap_Ry' is not understood from 'Ry'"),
        (
            ['HSE gap', 'Eg (eV)'],
            'columns HSE gap, Eg \\(eV\\) may be the band_gap: say which one with --band-gap-column',
        ),
        (['band_gap', 'band_gap'], 'each of the columns band_gap, band_gap'),
    ],
)
def test_a_column_that_may_be_the_band_gap_is_not_lost(names, words):
    with pytest.raises(TableError, match=words):
        find_column('band_gap', names)


@pytest.mark.parametrize('name', ERRORS)
def test_an_error_of_another_kind_is_refused(name):
    with pytest.raises(TableError, match='write relative errors as 20 %, each in its cell'):
        read_head(name, 'conductivity', error=True)


def test_errors_have_names_of_their_own():
    names = ['error', 'err', '\u0394\u03c3', 'std. dev.', 'sigma_sem', '\u00b1', 'uncertainty of sigma']
    assert {read_head(name, 'conductivity', error=True) for name in names} == {(None, None, ())}
    assert read_head('sigma_error_S_cm', 'conductivity', error=True) == ('S/cm', None, ())
    assert read_head('err (log10)', 'conductivity', error=True) == (None, 'log10', ())
    with pytest.raises(TableError, match="'uncertainty' on"):
        read_head('uncertainty', 'conductivity')


@given(st.sampled_from(pairs(KNOWN)), st.text('0123456789.-+x*/%^=<> eEmkKSCT', min_size=1, max_size=5), st.booleans())
def test_no_digit_and_no_sign_is_passed_over(known, text, before):
    """What joins a name is refused, or has neither a digit (but in a temperature) nor the sign of a factor."""
    measure, found = known
    name = KNOWN[measure][found][0]
    try:
        read_head(f'{text} {name}' if before else f'{name} {text}', measure)
    except TableError:
        return
    assert not set(text) & set('*%^=<>+')
    assert not any(character.isdigit() for character in text) or set(text) & set('kKCc')


@pytest.mark.parametrize(
    ('identifier', 'text', 'unit'),
    [
        *(('unit', 'eV', 'eV'), ('', '[meV]', 'meV'), ('-', '(eV)', 'eV'), ('[Units]', 'meV', 'meV')),
        *(
            ('a', text, None)
            for text in ('-', '3 eV', '<0.1', 'inf', '.5', '', '<-10', '~-3', 'ca. 3', '\u2264 \u22123', '1.2.3')
        ),
        *(('a', text, None) for text in ('(1.2 \u00b1 0.3) \u00d7 10⁻⁴', 'metal', 'metallic', 'Semiconductor')),
    ],
)
def test_a_row_of_units_belongs_to_the_head(identifier, text, unit):
    rows = [Row(2, {'id': identifier, 'gap': text}), Row(3, {'id': 'b', 'gap': '1'})]
    columns, left, _ = read_heads({'band_gap': 'gap'}, rows)
    assert (columns['band_gap'].unit, left) == (unit, rows[1:] if unit else rows)


@pytest.mark.parametrize('text', ['Hartree', 'large', 'Ry', '1/cm', '(10^-4 S/cm)', 'conductivity'])
def test_a_first_row_without_a_name_must_be_units(text):
    for name in ('unit', ''):
        with pytest.raises(TableError, match=f"column 'gap', with '{re.escape(text)}' in its first row"):
            read_heads({'band_gap': 'gap'}, [Row(2, {'id': name, 'gap': text})], ['id'])


@pytest.mark.parametrize('text', ['bdl', 'not measured', 'below 1e-10', 'insulating', '#DIV/0!', "'1e-3", '3 mS/cm'])
def test_a_first_row_with_a_name_and_no_unit_alone_is_a_row(text):
    rows = [Row(2, {'id': 'LiF', 'sigma': text}), Row(3, {'id': 'Li3N', 'sigma': '1e-3'})]
    assert read_heads({'conductivity': 'sigma'}, rows, ['id'])[1] == rows


def test_a_unit_in_the_first_row_is_understood_to_its_end():
    with pytest.raises(TableError, match="with '\\(10\\^-4 S/cm\\)' in its first row"):
        read_heads({'conductivity': 'sigma'}, [Row(2, {'id': 'LiF', 'sigma': '(10^-4 S/cm)'})], ['id'])


def column(measure, unit=None, **options):
    return Column('x', measure, '.', unit, **options)


@pytest.mark.parametrize(
    ('value', 'measure', 'texts'),
    [
        (
            298.15,
            'temperature',
            ['25 °C', '25C', '25 deg C', '25 oC', '298.15 K', '298.15 kelvin', '298.15', '298.15(5)', '25(1) °C'],
        ),
        (3e-3, 'conductivity', ['3 mS/cm', '3 mS cm-1', '3 mS·cm⁻¹', '0.003 S/cm', '3e-3 \u03a9⁻¹cm⁻¹', '3e-3']),
        (3e-6, 'diffusion', ['3e-6 cm2/s', '3e-6 cm² s⁻¹', '300 um2/s', '3e-6']),
        (0.3, 'band_gap', ['0.3 eV', '300 meV', '0.3']),
        (0.3, 'energy_above_hull', ['0.3 eV', '300 meV/atom', '0.3 eV/atom']),
    ],
)
def test_a_cell_may_have_a_unit_of_its_own(value, measure, texts):
    for text in texts:
        assert column(measure).read(text).value == pytest.approx(value)


def test_errors_are_in_the_unit_of_their_value():
    assert column('conductivity', 'mS/cm').read('1.2(3)').error == pytest.approx(3e-4)
    assert column('conductivity', 'mS/cm').read('1.2(3) S/cm').error == pytest.approx(0.3)
    assert column('conductivity', scale='log10').read('-3 +- 0.1').error == pytest.approx(1e-4 * math.log(10))
    errors = column('conductivity', 'mS/cm', is_error=True)
    assert errors.error_of(Number(1.0), errors.read('0.5')) == 5e-4
    assert errors.error_of(Number(-1e-3), errors.read('5 %')) == 5e-5
    for text in ('<1', '5 eV', '5 MS/cm'):
        with pytest.raises(ValueError, match='not a number'):
            errors.read(text)
    for text in ('-1', '2e4'):
        with pytest.raises(ImplausibleValue, match='its error'):
            errors.error_of(Number(1.0), errors.read(text))
    values = column('conductivity', 'mS/cm')
    for value, error, found in (('3 mS/cm', '0.3', 3e-4), ('3', '0.3 mS/cm', 3e-4), ('3e-3 S/cm', '0.3 mS/cm', 3e-4)):
        assert errors.error_of(values.read(value), errors.read(error)) == pytest.approx(found)
    for value, error in (('3e-3 S/cm', '0.3'), ('3', '3e-4 S/cm')):
        with pytest.raises(ValueError, match='either value or error is in S/cm: give the other one a unit too'):
            errors.error_of(values.read(value), errors.read(error))


@pytest.mark.parametrize(
    ('measure', 'texts'),
    [
        (
            'conductivity',
            [f'3 {unit}' for unit in ('to 2 S/cm', 'S/cm at 25 C', 'S', 'ohm cm', 'cm2/s', 'x', '%', 'MS/cm')],
        ),
        ('temperature', ['3 to 300 K', '300 K or C', '25 RT', '300 S/cm', '<300', '25 K', '6000', '-300 °C']),
        ('band_gap', ['3 Ry', '3 eV/atom', '31', '-0.1', '<1', '3200']),
        ('energy_above_hull', ['-1.1', '5.1', '45', '3 Ry']),
        ('diffusion', ['1', '1e-3 m2/s', '-1', '0.1']),
        ('conductivity', ['-4.2', '-1', '-0.2', '11', '2e4 mS/cm', '<0', '1e-3 +- 20']),
    ],
)
def test_what_cannot_be_right_is_refused(measure, texts):
    for text in texts:
        with pytest.raises(
            (ValueError, ImplausibleValue), match='not a number|not between|logarithm among plain|without a meaning'
        ):
            column(measure).read(text)


@pytest.mark.parametrize('text', ['1e-3', '1.1', '-3 S/cm', '0.001', '<400'])
def test_logarithms_are_logarithms(text):
    with pytest.raises((ValueError, ImplausibleValue), match='hardly a logarithm|not between|not a number'):
        column('conductivity', scale='log10').read(text)


def test_kelvin_or_celsius():
    unknown = Column('T', 'temperature')
    assert [unknown.read(text).value for text in ('300', '20 °C')] == [300, 293.15]
    with pytest.raises(TableError, match="column 'T' has 25 without a unit: kelvin or degrees Celsius"):
        unknown.read('25')
