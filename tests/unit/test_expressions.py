"""Expressions over candidates."""

import pytest

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
        ('log10(xi * 20)', 1.0),
        ('max(xi, mpe)', 0.5),
        ("formula in ['LiCl', 'LiBr'] or mpe > 1", True),
        ("formula == 'LiBr'", False),
        ('band_gap > 1', False),
        ('band_gap < 1', False),
        ('band_gap + 1', None),
        ('xi / (mpe - mpe)', None),
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
        ('x1 > 2', "'x1' in 'x1 > 2' is not known: take any of xi, mpe"),
        ('__import__("os").system("true")', 'not allowed'),
        ('xi.__class__', 'Attribute'),
        ('[x for x in formula]', 'ListComp'),
        ('(lambda: 1)()', 'not allowed'),
        ('9 ** 9 ** 9', 'Pow'),
        ('f"{xi}"', 'JoinedStr'),
        ('max(xi, key=abs)', 'not allowed'),
    ],
)
def test_anything_else_is_refused(text, words):
    with pytest.raises(ValueError, match=words.replace('(', r'\(')):
        Expression(text, ROW)


@pytest.mark.parametrize('text', ['formula * 9', 'xi < formula', "'a' + formula"])
def test_what_makes_no_sense_is_said(text):
    with pytest.raises(ValueError, match='cannot be evaluated'):
        Expression(text, ROW)(ROW)
