"""Expressions over candidates."""

import math

import pytest

from aiida_pesfp.errors import ExpressionError, NoValue
from aiida_pesfp.expressions import Expression

ROW = {'xi': 0.5, 'mpe': 0.3, 'formula': 'LiCl', 'band_gap': None}


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('xi > 0.25 and mpe < 0.5', True),
        ('xi > 0.25 and mpe < 0.1', False),
        ('0.1 < xi <= 0.5', True),
        ('xi - 2 * mpe', -0.1),
        ('-xi', -0.5),
        ('xi ** 2', 0.25),
        ('(xi > 0.25) * 3', 3.0),
        ('log10(xi * 20)', 1.0),
        ('log10(xi - xi)', -math.inf),
        ('exp(log(xi)) + sigmoid(0)', 1.0),
        ('max(xi, mpe)', 0.5),
        ("formula in ['LiCl', 'LiBr'] or mpe > 1", True),
        ("formula == 'LiBr'", False),
        ('band_gap > 1', False),
        ('band_gap < 1', False),
        ('band_gap + 1', None),
        ('xi / (mpe - mpe)', None),
        ('log10(-xi)', None),
        ('sqrt(mpe - xi)', None),
        ('(mpe - xi) ** 0.5', None),
        ('9 ** 9 ** 9 ** 9', None),
        ('log(0) - log(0)', None),
    ],
)
def test_values(text, value):
    found = Expression(text, ROW)(ROW)
    assert found == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('xi >', 'is not an expression'),
        ('', 'is not an expression'),
        ('Xi > 2', "'Xi' in 'Xi > 2' is not known: did you mean xi? choose from xi, mpe"),
        ('fromula == "LiCl"', 'did you mean formula?'),
        ('LOG10(xi)', 'did you mean log10?'),
        ('x1 > 2', "'x1' in 'x1 > 2' is not known: choose from xi, mpe"),
        ('max > 2', "'max' in 'max > 2' is not known: choose from xi, mpe"),
        ('connected(0.3)', "the function 'connected' in 'connected(0.3)' is not known: choose from log10"),
        ('__import__("os").system("true")', 'is not allowed'),
        ('xi.__class__', "'xi.__class__' in 'xi.__class__' is not allowed"),
        ('[x for x in formula]', 'is not allowed'),
        ('(lambda: 1)()', 'is not allowed'),
        ('xi if mpe else 1', 'is not allowed'),
        ('xi // 2', 'is not allowed'),
        ('f"{xi}"', 'is not allowed'),
        ('max(xi, key=abs)', 'is not allowed'),
        ('xi > 0,25', "'(xi > 0, 25)' in 'xi > 0,25' is a list: write a decimal point, as in 0.25"),
        ('xi > 0,25 and mpe < 0,5', 'is a list'),
        ('(xi > 0.25, mpe < 0.5) and xi', 'is a list'),
        ('max([xi, mpe])', 'is a list'),
        ('xi' + ' + xi' * 200, 'the limit is 1000'),
    ],
)
def test_anything_else_is_refused(text, words):
    with pytest.raises(ExpressionError) as caught:
        Expression(text, ROW)
    assert words in str(caught.value)


@pytest.mark.parametrize('text', ['formula * 9', 'xi < formula', "'a' + formula", 'log10(formula)', 'sqrt(xi, 2)'])
def test_what_makes_no_sense_is_said(text):
    with pytest.raises(ExpressionError, match='cannot be evaluated'):
        Expression(text, ROW)(ROW)


@pytest.mark.parametrize(
    ('text', 'words'), [('band_gap + 1', 'band_gap is not known'), ('1 / (xi - xi)', 'division by zero')]
)
def test_why_there_is_no_value_can_be_asked(text, words):
    with pytest.raises(NoValue, match=words):
        Expression(text, ROW).value(ROW)


def test_what_the_values_lack_is_not_known():
    assert Expression('ml_conductivity > 1', ['ml_conductivity'])(ROW) is False


def test_functions_can_come_with_the_values():
    expression = Expression('double(xi) + mpe', ['xi', 'mpe'], ['double'])
    assert expression.names == {'xi', 'mpe'}
    assert expression(ROW | {'double': lambda value: 2 * value}) == pytest.approx(1.3)
