"""What a row says twice must agree, within the rounding of its digits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.assessment.labels import read_table
from aiida_pesfp.errors import LabelError
from aiida_pesfp.settings.assessment import TableFormat
from aiida_pesfp.tables.agreement import Again
from aiida_pesfp.tables.columns import Column

FORM = {'id': 'name', 'temperature': 'T_K', 'conductivity': 'sigma', 'error': 'err'}


def read(path, content, unit='S/cm', **columns):
    (path / 'labels.csv').write_text(content)
    names = content.split('\n')[0].split(',')
    columns = {role: name for role, name in (FORM | columns).items() if name in names}
    temperature = None if 'temperature' in columns else 300.0
    return read_table(path / 'labels.csv', TableFormat(columns, unit, temperature=temperature))


@pytest.mark.parametrize(
    ('head', 'right', 'wrong'),
    [
        # The row has 373 K and 3.2e-4 S/cm.
        ('T_C', ('100', '99.85', '100.0', '373 K', '-', ''), ('373', '110', '101', '5000')),
        ('T (°C)', ('100',), ('90',)),
        ('Temperature (K)', ('373', '373.15', '3.73E2', '373 K', '99.9 °C'), ('374', '337', '100')),
        ('T', ('373', '373.15', '100'), ('300', '337')),
        ('1000/T', ('2.68', '2.681', '2.6798', '2.7'), ('3.35', '2.86', '0.002681', '0')),
        ('1000/T (1/K)', ('2.681',), ('0.002681',)),
        ('10³/T / K⁻¹', ('2.681',), ('2.168',)),
        ('1000 K/T', ('2.681',), ('26.81',)),
        *((head, ('0.002681',), ('0.003354',)) for head in ('1/T', '1/T (K-1)', 'T^-1 (K^-1)', 'inverse T')),
        *((head, ('31.11', '31.1'), ('38.68',)) for head in ('1/kT', '1/(k_B T) (1/eV)')),
        ('sigma (mS/cm)', ('0.32', '0.3', '0.318'), ('3.2e-4', '3.2', '0.23')),
        ('\u03c3 / S m⁻¹', ('0.032',), ('0.32',)),
        ('conductivity', ('3.2e-4', '0.32 mS/cm'), ('2.3e-4', '0.32')),
        ('log sigma', ('-3.5', '-3.49', '-3.4949', '-3.49485002168'), ('-4.49', '-2', '3.49')),
        ('lg(\u03c3 / mS cm-1)', ('-0.49',), ('-3.49',)),
        ('ln sigma', ('-8.05', '-8.047'), ('-3.49',)),
        ('resistivity (ohm cm)', ('3125', '3.1e3'), ('5.5', '0')),
        ('sigma RT', ('1e-7',), ()),
        ('sigma_373K', ('3.2e-4',), ('1e-7',)),
        *((head, ('1e-7', '5'), ()) for head in ('sigma_bulk', 'sigma_exp', 'sigma_300K', 'max sigma')),
        *((head, ('0.119', '120', '-3'), ()) for head in ('sigma_T', 'sigma T (S/cm)')),
        *((head, ('0.119', '0.12'), ('0.3', '119')) for head in ('sigma*T', '\u03c3T (S K/cm)', 'sigma T / S cm-1 K')),
        ('\u03c3\u00b7T (S K/m)', ('11.9',), ('0.119',)),
        *(
            (head, ('-2.126', '-2.1'), ('-0.92', '-8.05'))
            for head in ('ln(sigma T)', 'ln\u03c3T', 'Ln(\u03c3T / S K cm\u207b\u00b9)')
        ),
        *((head, ('-0.92', '-0.923'), ('-2.126', '2.08')) for head in ('log10(sigma*T)', 'log \u03c3T')),
        *((head, ('5.5', '0'), ()) for head in ('c', 'K', 'd', 'E', 'T_sinter (K)', 'sigma0', 'resistivity')),
        ('exponent', ('0', '0.0', ''), ()),
        ('factor', ('1', '1.0', '-'), ()),
        ('exp', ('1', '3.2e-4', 'impedance'), ()),
        ('tolerance factor', ('0.91',), ()),
    ],
)
def test_what_contradicts_costs_its_row(tmp_path, head, right, wrong):
    for texts, number in ((right, 1), (wrong, 0)):
        for text in texts:
            found = read(tmp_path, f'name,T_K,sigma,{head}\na,373,3.2e-4,{text}\nb,450,1e-2,\n')
            assert [entry.value for entry in found.measurements] == [3.2e-4, 1e-2][1 - number :], text
            if not number:
                words = f"the column {head!r} has '{text}', but "
                assert words in found.excluded[0]['reason']


@pytest.mark.parametrize(
    ('head', 'right', 'wrong'),
    [
        ('err (%)', ('25', '25 %', '24.8'), ('10', '0.3', '50 %')),
        ('rel. error / %', ('25',), ('2.5',)),
        ('error (mS/cm)', ('0.03',), ('3e-5',)),
        ('sigma_err', ('3e-5',), ('4e-5', '0.03')),
        ('std', ('9e-5',), ()),
        ('std (%)', ('25',), ('10',)),
        ('relative error', ('0.3',), ()),
    ],
)
def test_errors_in_two_columns(tmp_path, head, right, wrong):
    for texts, kept in ((right, ['a']), (wrong, [])):
        for text in texts:
            found = read(tmp_path, f'name,T_K,sigma,err,{head}\na,300,1.2e-4,3e-5,{text}\nb,300,1e-4,1e-5,\n')
            assert [entry.id for entry in found.measurements] == [*kept, 'b'], text


@pytest.mark.parametrize('cell', ['1.2e-4 ± 0.3e-4', '1.2(3)e-4', '(1.2 ± 0.3) x 10^-4'])
def test_an_error_behind_its_value_and_in_a_column(tmp_path, cell):
    for error, kept in (('3e-5', True), ('25 %', True), ('', True), ('5e-5', False)):
        found = read(tmp_path, f'name,T_K,sigma,err\na,300,{cell},{error}\nb,300,1e-4,1e-5\n')
        assert [entry.error for entry in found.measurements] == pytest.approx([3e-5, 1e-5][1 - kept :]), error
    assert found.excluded[0]['reason'].startswith(f"the column 'sigma' has '{cell}', but 'err' has '5e-5'")
    found = read(tmp_path, f'name,T_K,sigma,sigma error (%)\na,300,{cell},50\nb,300,1e-4,\n')
    assert [entry.id for entry in found.measurements] == ['b']


@pytest.mark.parametrize(
    ('value', 'second', 'kept'),
    [('<1e-10', '<-10', 1), ('<1e-10', '-10', 1), ('<1e-10', '-12', 1), ('<1e-10', '-8', 0), ('<1e-10', '<-9', 0)],
)
def test_limits(tmp_path, value, second, kept):
    found = read(tmp_path, f'name,T_K,sigma,log sigma (S/cm)\na,300,{value},{second}\nb,300,1e-4,\n')
    assert len(found.measurements) == 1 + kept


def test_a_column_of_logarithms_and_one_of_values(tmp_path):
    content = 'name,T_K,log sigma,sigma (S/cm)\na,300,-3.5,3.2e-4\nb,300,-2.5,3.2e-4\n'
    found = read(tmp_path, content, 'log10 S/cm', conductivity='log sigma')
    assert [entry.id for entry in found.measurements] == ['a']


def test_a_column_without_a_unit_has_that_with_which_two_rows_agree(tmp_path):
    rows = 'a,300,3.2e-4,0.32\nb,320,4.1e-4,0.41\nc,340,5e-4,5\n'
    found = read(tmp_path, f'name,T_K,sigma,conductivity\n{rows}')
    assert [entry.id for entry in found.measurements] == ['a', 'b']


@pytest.mark.parametrize(
    ('heads', 'used', 'right', 'wrong'),
    [
        (
            'tot,bulk,gb',
            'tot',
            ('3e-4,5e-4,1e-3', '3e-4,3.0e-4,', '<3e-4,1e-4,', '3e-4,,-', '3e-4,,1e-5'),
            ('3e-4,2e-4,',),
        ),
        ('bulk,tot,gb', 'bulk', ('5e-4,3e-4,1e-4', '5e-4,,1e-3'), ('5e-4,6e-4,',)),
        (
            'x,Total,Bulk',
            None,
            ('3e-4,3e-4,9e-4', '3e-4,,3e-4', '3e-4,1e-4,3e-4', '3e-4,,'),
            ('3e-4,3e-5,', '3e-4,1e-4,5e-4'),
        ),
        ('x,bulk,gb', None, ('3e-4,5e-4,1e-3',), ()),
        ('x,Total', None, ('3e-4,1e-4',), ()),
    ],
)
def test_the_whole_and_its_parts(tmp_path, heads, used, right, wrong):
    names = ','.join(f'sigma_{head}' if head != 'x' else 'sigma' for head in heads.split(','))
    for texts, number in ((right, 2), (wrong, 1)):
        for text in texts:
            content = f'name,T_K,{names}\na,300,{text}\nb,320,1e-9{",1e-9" * heads.count(",")}\n'
            found = read(tmp_path, content, conductivity=f'sigma_{used}' if used else 'sigma')
            assert len(found.measurements) == number, text


def test_a_product_without_its_temperature_says_nothing(tmp_path):
    found = read(tmp_path, 'name,T_K,sigma,sigma*T\na,300,1e-3,0.3\nb,,1e-3,0.3\nc,RT,1e-3,0.3\n')
    assert [entry.id for entry in found.measurements] == ['a', 'c']


def test_a_row_of_units_is_of_all_columns(tmp_path):
    found = read(tmp_path, 'name,T_K,sigma,T\n,K,S/cm,°C\na,373,1e-3,100\nb,373,1e-3,373\n')
    assert [entry.id for entry in found.measurements] == ['a']


@pytest.mark.parametrize(
    ('head', 'text'),
    [
        *((head, '-4') for head in ('exponent', 'Exponent of sigma', 'power of ten', 'x10^', '\u00d710^', 'exp')),
        *(('factor', text) for text in ('1e-4', '10^-4', '0,001')),
        ('scaling factor', '1000'),
        ('multiplier (sigma)', '10'),
    ],
)
def test_a_part_of_numbers_in_a_column_of_its_own_is_refused(tmp_path, head, text):
    with pytest.raises(LabelError, match='a part of numbers in other columns: multiply these by it'):
        read(tmp_path, f'name,T_K,sigma,{head}\na,300,1,0\nb,300,1,"{text}"\n')


def test_other_temperatures_where_one_is_given_cost_their_rows(tmp_path):
    found = read(tmp_path, 'name,sigma,1000/T\na,1e-3,3.33\nb,1e-3,2.68\n')
    assert [entry.id for entry in found.measurements] == ['a']
    assert "'1000/T' has '2.68', but 300 K is given" in found.excluded[0]['reason']
    assert len(read(tmp_path, 'name,sigma,1000/T\na,1e-3,3.33\nb,1e-3,3.356\n').measurements) == 2


@given(st.floats(1e-9, 5.0), st.integers(1, 9), st.integers(0, 9), st.sampled_from([10.0, 1 / 10, 1.01, 1 / 1.01]))
def test_any_rounding_of_one_value_agrees_and_another_value_does_not(value, digits, decimals, other):
    sigma, log = Column('s', 'conductivity', '.'), Column('l', 'conductivity', '.', scale='log10')
    again = Again({'conductivity': sigma}, found=(('conductivity', log),))
    again.check({'s': f'{value:.{digits}e}', 'l': f'{math.log10(value):.{decimals}f}'})
    with pytest.raises(ValueError, match="the column 'l' has"):
        again.check({'s': f'{value:.9e}', 'l': f'{math.log10(value * other):.9f}'})
