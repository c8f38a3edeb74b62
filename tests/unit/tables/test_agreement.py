"""What a row says twice must agree, within the rounding of its digits."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.assessment.labels import read_table
from aiida_pesfp.errors import AssessmentError, LabelError
from aiida_pesfp.settings.assessment import TableFormat
from aiida_pesfp.tables.agreement import Again
from aiida_pesfp.tables.columns import Column

FORM = {'id': 'name', 'temperature': 'T_K', 'conductivity': 'sigma', 'error': 'err'}


def read(path, content, unit='S/cm', ignore=(), **columns):
    (path / 'labels.csv').write_text(content)
    names = content.split('\n')[0].split(',')
    columns = {role: name for role, name in (FORM | columns).items() if name in names}
    temperature = None if 'temperature' in columns else 300.0
    return read_table(path / 'labels.csv', TableFormat(columns, unit, temperature=temperature, ignore=[*ignore]))


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
        ('sigma (mS/cm)', ('0.32', '0.3', '0.318'), ('3.2e-4', '3.2', '0.23')),
        ('\u03c3 / S m⁻¹', ('0.032',), ('0.32',)),
        ('conductivity', ('3.2e-4', '0.32 mS/cm'), ('2.3e-4', '0.32')),
        ('log sigma', ('-3.5', '-3.49', '-3.4949', '-3.49485002168'), ('-4.49', '-2', '3.49')),
        ('lg(\u03c3 / mS cm-1)', ('-0.49',), ('-3.49',)),
        ('ln sigma', ('-8.05', '-8.047'), ('-3.49',)),
        ('sigma_373K', ('3.2e-4',), ('1e-7',)),
        ('sigma / 10^-3 S cm-1', ('0.32', '0.3'), ('3.2e-4', '3.2')),
        ('sigma*T', ('0.119', '0.12', '0.11936'), ('0.15', '3.2e-4')),
        ('sigma T / S cm-1 K', ('0.119',), ('0.109',)),
        ('ln(sigma T)', ('-2.13', '-2.1256'), ('-0.923', '-8.05')),
        ('log10(sigma*T)', ('-0.92',), ('-2.13', '-3.49')),
        ('c', ('5.5', '0'), ()),
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
        ('std (%)', ('25',), ('10',)),
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


def test_a_product_without_a_unit_is_in_the_usual_one(tmp_path):
    """Not in mS K/cm, although all rows agree with that."""
    rows = [f'{n},{kelvin},{kelvin}e-9,{math.log(1e-6 * kelvin**2):.4f}' for n, kelvin in enumerate((300, 400, 500))]
    with pytest.raises(LabelError, match="'ln_sigmaT' has '-2.4079', but 'sigma' has '300e-9'"):
        read(tmp_path, '\n'.join(['name,T_K,sigma,ln_sigmaT', *rows]))
    rows.append('3,,3e-7,-1')
    assert len(read(tmp_path, '\n'.join(['name,T_K,sigma,ln sigma*T (mS K/cm)', *rows])).measurements) == 3
    rows = [f'{n},{math.log10(1e-9 * kelvin**2)},{kelvin}e-9' for n, kelvin in enumerate((295, 300, 350))]
    found = read(tmp_path, '\n'.join(['name,log10(sigma*T),sigma', *rows]))
    assert [entry.id for entry in found.measurements] == ['0', '1']  # one temperature is given, 300 K


UNKNOWN = [
    # Products, other quantities and kinds, other temperatures, and parts of numbers.
    *('sigma*T (S/cm)', 'sigma T', 'log_sigma_T', 'sigma_T', 'sigma/T', '1/kT', 'D (cm2/s)', 'R (ohm)'),
    *('resistivity (ohm cm)', 'sigma0', 'Ea (eV)', 'thickness (mm)', 'T_sinter (K)', 'd', 'E', 'K', 'x', 'doping (%)'),
    *('sigma_bulk', 'sigma_exp', 'IC (Total)', 'sigma_300K', 'sigma RT', 'max sigma', 'sigma_xx', 'sigma_min', 'std'),
    *('exponent', 'factor', 'scaling factor', 'x10^', 'exp', 'tolerance factor', 'relative error', 'sign', 'count'),
    *('status', 'method', 'phase', 'measured range', 'value of reference', 'element', 'unit_cell_axis'),
]


@pytest.mark.parametrize('head', UNKNOWN)
def test_a_column_that_nothing_knows_is_refused_unless_it_is_ignored(tmp_path, head):
    content = f'name,T_K,sigma,err,{head}\na,373,3.2e-4,1e-5,1e-7\nb,450,1e-2,1e-3,5\n'
    words = re.escape(f'the columns {head!r} may give numbers or rows another meaning: take them out, or ignore')
    with pytest.raises(LabelError, match=words):
        read(tmp_path, content)
    found = read(tmp_path, content, ignore=[head])
    assert [entry.value for entry in found.measurements] == [3.2e-4, 1e-2]
    assert f'ignored are the columns {head}' in found.notes


HARMLESS = [
    *('material', 'Sample No.', 'sample_id', 'mp-id', 'ICSD number', 'collection code', 'Unnamed: 0', '#', 'Ref.'),
    *(
        'Laskowski ID',
        'close match DOI',
        'DOI',
        'Quelle',
        'source file',
        'year',
        'Date',
        'Authors',
        'operator',
        'note',
        'Bemerkung',
        'cif',
        'Z',
        'family',
    ),
    *('band_gap', 'Eg (eV)', 'e_hull_eV_atom', 'formula', 'space group', 'a (Å)', 'gamma', 'volume', 'seed', 'ion'),
    '',
]


@pytest.mark.parametrize('head', HARMLESS)
def test_a_column_that_is_harmless_by_its_head_is_not(tmp_path, head):
    found = read(tmp_path, f'name,T_K,sigma,{head}\na,373,3.2e-4,1\nb,450,1e-2,2\n')
    assert [entry.value for entry in found.measurements] == [3.2e-4, 1e-2]


@pytest.mark.parametrize(
    ('head', 'cells', 'is_known'),
    [
        *((head, ('ionic',) * 2, True) for head in ('type', 'conductivity type', 'kind of sigma method', 'property')),
        *(('method', cells, False) for cells in (('EIS', 'EIS'), ('md', 'exp'), ('AIMD', ''))),
        *(('type', cells, False) for cells in (('ionic', 'electronic'), ('electronic',) * 2, ('garnet',) * 2)),
        *(('', cells, False) for cells in (('0.1', '0.2'), ('a', 'b'))),
    ],
)
def test_a_word_for_what_is_measured_is_the_same_in_all_rows(tmp_path, head, cells, is_known):
    content = 'name,T_K,sigma,{}\na,373,3.2e-4,{}\nb,450,1e-2,{}\n'.format(head, *cells)
    if is_known:
        assert len(read(tmp_path, content).measurements) == 2
    else:
        with pytest.raises(LabelError, match='may give numbers or rows another meaning'):
            read(tmp_path, content)


@pytest.mark.parametrize('head', ['material', 'Sample', 'composition'])
def test_more_than_a_formula_costs_its_row(tmp_path, head):
    for cell, number in (('LiF (5 mol% MgF2 doped)', 1), ('LiF', 2), ('LiF (cubic)', 2), ('LPS-12', 2), ('LLZO b', 2)):
        content = f'name,T_K,sigma,{head}\na,373,3.2e-4,{cell}\nb,450,1e-2,LiCl\n'
        assert len(read(tmp_path, content).measurements) == number, cell
        assert len(read(tmp_path, content, ignore=[head]).measurements) == 2


def test_columns_to_ignore_are_there_and_not_used(tmp_path):
    with pytest.raises(LabelError, match='there is no column err to ignore'):
        read(tmp_path, 'name,T_K,sigma\na,300,1e-3\n', ignore=['err'])
    with pytest.raises(AssessmentError, match='the columns sigma are used and cannot be ignored'):
        read(tmp_path, 'name,T_K,sigma\na,300,1e-3\n', ignore=['sigma'])


def test_a_row_of_units_is_of_all_columns(tmp_path):
    found = read(tmp_path, 'name,T_K,sigma,T\n,K,S/cm,°C\na,373,1e-3,100\nb,373,1e-3,373\n')
    assert [entry.id for entry in found.measurements] == ['a']


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
