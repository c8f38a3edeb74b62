"""YAML means what it seems to mean, or is refused."""

import pytest
import yaml

from aiida_pesfp.settings.yaml_files import load_yaml


def test_plain_yaml_and_json():
    expected = {'scan': {'spacing': 0.3, 'steps': 10, 'levels': [1.0, -2, 0], 'date': '1:30', 'none': None}}
    assert load_yaml("scan: {spacing: 0.3, steps: 10, levels: [1.0, -2, 0], date: '1:30', none: }") == expected
    assert load_yaml('{"scan": {"spacing": 0.3}}') == {'scan': {'spacing': 0.3}}
    assert load_yaml('scan: {a: 1}\nother: {a: 2}') == {'scan': {'a': 1}, 'other': {'a': 2}}


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('scan: {a: 1}\nscan: {b: 2}', "has 'scan' twice"),
        ('scan: {spacing: 0.3, "spacing": 0.4}', "has 'spacing' twice"),
        ('a: &a [1]\nb: *a', 'has a reference'),
        ('steps: 010', '010 is another number'),
        ('time: 1:30', '1:30 is another number'),
        ('spacing: 0_3.5', '0_3.5 is another number'),
    ],
)
def test_what_would_mean_something_else_is_refused(text, words):
    with pytest.raises(yaml.YAMLError, match=words):
        load_yaml(text)
