"""YAML means what it seems to mean, or is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.settings.yaml_files import is_text, load_yaml


def test_plain_yaml_and_json():
    expected = {'scan': {'spacing': 0.3, 'steps': 10, 'levels': [1.0, -2, 0], 'date': '1:30', 'none': None}}
    assert load_yaml("scan: {spacing: 0.3, steps: 10, levels: [1.0, -2, 0], date: '1:30', none: }") == expected
    assert load_yaml('{"scan": {"spacing": 0.3}}') == {'scan': {'spacing': 0.3}}
    assert load_yaml('scan: {a: 1}\nother: {a: 2}') == {'scan': {'a': 1}, 'other': {'a': 2}}


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(['{}', '{:e}', '{:.3E}', '{:g}', '{:+}']))
def test_numbers_however_they_are_written(number, form):
    text = form.format(number)
    assert load_yaml(f'a: {text}') == {'a': float(text)}
    assert load_yaml(json.dumps(number)) == number


@pytest.mark.parametrize('text', ['1e-2', '1E5', '.5', '5.', '2.2e0'])
def test_numbers_that_yaml_1_1_reads_as_text(text):
    assert load_yaml(text) == float(text)
    assert not is_text(text)


def test_a_whole_number_may_have_an_exponent():
    assert [type(load_yaml(text)) for text in ('1e5', '1E+2', '1.0e5', '1e-1')] == [int, int, float, float]


@pytest.mark.parametrize('text', ['0.02 Ry', '12h', 'n', 'mp-12', '1.2.3', '010', '1:30', '0x1F', '1_0', '2020-01-01'])
def test_text(text):
    """What YAML 1.1 would take for another value is text, which no setting takes for a number."""
    assert load_yaml(f'{{{text}: {text}}}') == {text: text}
    assert is_text(text)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('scan: {a: 1}\nscan: {b: 2}', "has 'scan' twice"),
        ('scan: {spacing: 0.3, "spacing": 0.4}', "has 'spacing' twice"),
        ('a: &a [1]\nb: *a', 'has a reference'),
        ('a: !!int "010"', 'has a tag'),
        ('a: [', 'neither YAML nor JSON'),
        ('a: 1\n---\nb: 2', 'a single document'),
    ],
)
def test_what_would_mean_something_else_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        load_yaml(text)
