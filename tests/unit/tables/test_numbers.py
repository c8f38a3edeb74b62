"""Numbers as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.tables.numbers import Number, decimal_mark, is_blank, read_number


@pytest.mark.parametrize(
    ('value', 'texts'),
    [
        (
            1e-4,
            [
                '1e-4',
                '1E-04',
                '1.0D-4',
                '1 \u00d7 10^-4',
                '1\u00d710⁻⁴',
                '1x10-4',
                '10^-4',
                '10⁻⁴',
                '1·10\u22124',
                '1*10**-4',
            ],
        ),
        (1e-4, ['1·10\u22124', '1*10**-4']),
        (1e-4, ['~1e-4', '\u2248 0.0001', 'ca. 0,0001', '.0001', '1e\u20134', ' 1.0 10^{-4}\u00a0']),
        (-3, ['-3', '\u22123', '\u20133', '- 3.0']),
        (1234.5, ['1234.5', '1,234.5', '1.234,5', "1'234.5", '1 234,5', '1\u202f234.5']),
        (1234567, ['1,234,567', '1.234.567', '1 234 567']),
        (1.5e-3, ['1,5e-3', '0,0015', '0.0015', '+1,5 x 10^-3']),
        (1.234, ['1.234']),
        (5.372e-6, ['5,372e-06', '5,372 \u00d7 10⁻⁶', '5,372x10-6', '5.372E-6']),
        (12, ['\uff11\uff12']),
    ],
)
def test_values(value, texts):
    assert [read_number(text) for text in texts] == [Number(value)] * len(texts)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('<1E-10', Number(1e-10, limit='<')),
        ('\u2264 1,5e-9', Number(1.5e-9, limit='<')),
        ('< ~1e-9', Number(1e-9, limit='<')),
        ('>= 2', Number(2, limit='>')),
        ('<-10', Number(-10, limit='<')),  # of a logarithm
        ('1.2(3)e-4', Number(1.2e-4, 3e-5)),
        ('1,23(12)', Number(1.23, 0.12)),
        ('12(3)', Number(12, 3)),
        ('1.2(0.3) \u00d7 10⁻⁴', Number(1.2e-4, 3e-5)),
        ('(1.2 ± 0.3) \u00d7 10^-4', Number(1.2e-4, 3e-5)),
        ('1.2e-4 +/- 3e-5', Number(1.2e-4, 3e-5)),
        ('1.2 +- 0.3', Number(1.2, 0.3)),
        ('25 °C', Number(25, unit='°C')),
        ('298K', Number(298, unit='K')),
        ('1.2 mS cm⁻¹', Number(1.2, unit='mS cm-1')),
        ('20 %', Number(20, unit='%')),
        ('ca. 11.5 kcal/mol', Number(11.5, unit='kcal/mol')),
        ('11.5 cal', Number(11.5, unit='cal')),
        ('(~1.2 ± 0.3) x 10^-4', Number(1.2e-4, 3e-5)),
        ('2.1\u00d710⁻³ S·cm⁻¹', Number(2.1e-3, unit='S·cm-1')),
    ],
)
def test_what_stands_beside_the_value(text, expected):
    found = read_number(text)
    assert (found.value, found.error) == (
        pytest.approx(expected.value),
        expected.error and pytest.approx(expected.error),
    )
    assert (found.limit, found.unit) == (expected.limit, expected.unit)


@pytest.mark.parametrize(
    'text',
    [
        *(
            '',
            'high',
            '1.2.3',
            '1,2,3',
            '1 2',
            '10-4',
            '1e999',
            '1e-999',
            'inf',
            'nan',
            '1_000',
            '\u0663',
        ),
        *(
            '<',
            '<1.2(3)',
            '1..2',
            '\u00bd',
            '=1',
            "'1",
            '1e-4 - 1e-3',
            '1-2',
            '9' * 101,
            '1 2345',
            '((1))',
            '1.2()',
            '(1.2)',
        ),
        *('1.2e-3\u00b9', '5\u00b2', '1.2\u2083', '1e-3\u2460', '1.2\u2474'),  # footnotes
    ],
)
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match='not a number|not one number|beyond all numbers|a limit with'):
        read_number(text)


def test_two_meanings_are_refused_unless_the_column_decides():
    with pytest.raises(ValueError, match=r'1\.234 or 1234'):
        read_number('1,234')
    for text in ('12,345e-6', '123,456 x 10^3'):
        with pytest.raises(ValueError, match=r'\d+\.\d+ or \d+'):
            read_number(text)
    assert read_number('12,345e-6', ',').value == 12.345e-6
    assert read_number('1,234', ',').value == 1.234
    assert read_number('1,234', '.').value == 1234
    with pytest.raises(ValueError, match=r'1\.234 or 1234'):
        read_number('1.234', ',')
    with pytest.raises(ValueError, match='not clear: put both numbers .* into brackets'):
        read_number('1.2 ± 0.3e-4')


@pytest.mark.parametrize(
    ('mark', 'texts'),
    [
        (',', ['1,5e-3', '1,234', '300']),
        ('.', ['1.5e-3', '1,234', '']),
        ('.', ['1,234.5']),
        (',', ['1.234,5', '1 000']),
        (',', ['5,372e-06', '1,234', '30']),
        (',', ['<5,372(12) \u00d7 10⁻⁶', '12,345e-6']),
        ('.', ['5.372e-06', '1,234']),
        (None, ['12,345e-6']),
        (None, ['12,345 x 10^-6']),
        (None, ['5,372e-06', '1.5']),
        (None, ['1,234', '1.234', '5']),
        (None, ['1,5', '1.5']),
        (None, ['1,234,567']),
    ],
)
def test_decimal_marks(mark, texts):
    assert decimal_mark(texts) == mark


@pytest.mark.parametrize(
    'text', ['', ' ', '-', '--', '\u2013', 'NA', 'N/A', 'n.a.', 'n.d.', 'NaN', 'null', 'None', '?', '#N/A', 'tbd']
)
def test_blanks(text):
    assert is_blank(text)


@pytest.mark.parametrize('text', ['0', '-1', 'Na', 'x', '1e-3'])
def test_what_is_not_blank(text):
    assert is_blank(text) == (text == 'Na')  # a formula is not asked


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_comes_back(value):
    assert read_number(repr(value), '.').value == value
    assert read_number(repr(value).replace('.', ','), ',').value == value


@given(st.text(max_size=30) | st.text('0123456789.,eE+-<>~()x^ \u00b1%KC', max_size=30))
def test_any_text_is_a_finite_number_or_refused(text):
    is_blank(text)
    decimal_mark([text])
    with contextlib.suppress(ValueError):
        assert abs(read_number(text).value) < float('inf')
        assert any(character.isdigit() for character in text)
