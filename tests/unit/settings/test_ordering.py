"""Settings of orderings as options and dictionaries."""

import pytest

from aiida_pesfp.settings.ordering import OrderingSettings


def test_options_say_the_same_as_the_settings():
    settings = OrderingSettings(number=3, seed=7, choice='electrostatic', weights='boltzmann', hard_core=2.0)
    words = settings.command_line()
    assert {'--orderings=3', '--seed=7', '--choose=electrostatic', '--weigh=boltzmann', '--hard-core=2'} <= set(words)
    assert OrderingSettings.from_dict(settings.as_dict()) == settings


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'number': 0}, 'number = 0'),
        ({'choice': 'best'}, "choice = 'best'"),
        ({'weights': 'boltzmann'}, 'needs energies'),
        ({'orderings': 3}, 'unknown parameter'),
    ],
)
def test_impossible_settings_are_named(values, words):
    with pytest.raises(ValueError, match=words):
        OrderingSettings.from_dict(values)
