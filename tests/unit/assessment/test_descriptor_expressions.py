"""Expressions of descriptors: their values, and what they refuse."""

import math

import pytest

from aiida_pesfp.assessment.features import DescriptorExpression
from aiida_pesfp.errors import ExpressionError
from tests.helpers.materials import descriptors_of

DESCRIPTORS = descriptors_of(0.01, 0.1, mpe=0.4)


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('-mpe', -0.4),
        ('2 * mpe + 1', 1.8),
        ('log10(connected(0.3))', -2),
        ('connected(0.5) / disconnected(0.7)', 0.02 / 0.4),
        ('sigmoid(0) ** 2', 0.25),
        ('min(mpe, barrier_2d, 7) - max(xi, 0)', -0.1),
        ('mpe < 0.5 and not xi > 0.6', 1),
        ('0.1 < mpe < 0.3', 0),
        ('(mpe > 1 or xi == 0.5) * 3', 3),
        ('sqrt(abs(-4)) + exp(0) + log(1)', 3),
    ],
)
def test_values(text, value):
    assert DescriptorExpression(text)(DESCRIPTORS) == pytest.approx(value)


def test_no_free_volume_is_the_worst_not_an_error():
    assert DescriptorExpression('log10(connected(0.3))')(descriptors_of(0.0, 0.1)) == -math.inf


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('__import__("os").system("true")', 'is not allowed'),
        ('(1).__class__', 'is not allowed'),
        ('open("x")', "the function 'open' in .* is not known: choose from log10"),
        ('[x for x in (1,)]', 'is not allowed'),
        ('lambda: 1', 'is not allowed'),
        ('"a" * 3', 'is not allowed'),
        ('min(*[1, 2])', 'is not allowed'),
        ('1j', 'is not allowed'),
        ('energy', "'energy' in 'energy' is not known: choose from xi, xi_upper, mpe"),
        ('mpe(3)', "the function 'mpe' in .* is not known"),
        ('mpe +', 'is not an expression'),
        ('', 'is not an expression'),
        ('mpe' + ' + mpe' * 200, 'the limit is 1000'),
        ('-' * 999 + '1', 'is not an expression'),
        ('x := 1', 'is not an expression'),
    ],
)
def test_anything_else_is_refused_at_once(text, words):
    with pytest.raises(ExpressionError, match=words):
        DescriptorExpression(text)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('1 / (mpe - mpe)', 'division'),
        ('9 ** 9 ** 9 ** 9', 'has no value'),
        ('(-1) ** 0.5', 'has no value'),
        ('log10(-1)', 'has no value'),
        ('max()', 'cannot be evaluated'),
        ('sqrt(1, 2)', 'cannot be evaluated'),
        ('connected(0.35)', 'no free volume at 0.35 eV: the spectrum has 0.3, 0.5, 0.7'),
        ('log10(0) - log10(0)', 'is not a number'),
        ('[mpe, xi]', 'is a list'),
    ],
)
def test_a_missing_value_is_an_error(text, words):
    with pytest.raises(ExpressionError, match=words):
        DescriptorExpression(text)(DESCRIPTORS)


def test_a_missing_descriptor_is_named():
    with pytest.raises(ExpressionError, match="no 'barrier_1d'"):
        DescriptorExpression('barrier_1d')({'mpe': 1.0})
