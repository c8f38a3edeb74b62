"""Settings of orderings as options and dictionaries."""

from types import SimpleNamespace

import pytest

from aiida_pesfp.cli.launch.options import SCANNED
from aiida_pesfp.cli.launch.scan import screen_overrides
from aiida_pesfp.settings.ordering import EnsembleSettings, OrderingSettings


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


@pytest.mark.parametrize(
    ('settings', 'batches'),
    [
        (EnsembleSettings(number=3), [(0, 3)]),
        (EnsembleSettings(number=3, auto=True, most_orderings=7, skip_orderings=2), [(2, 3), (5, 3), (8, 1)]),
        (EnsembleSettings(number=5, auto=True, most_orderings=4), [(0, 4)]),
    ],
)
def test_orderings_are_asked_for_in_batches(settings, batches):
    asked, found = 0, []
    while batch := settings.after(asked):
        assert type(batch) is OrderingSettings
        found.append((batch.skip_orderings, batch.number))
        asked += batch.number
    assert found == batches


@pytest.mark.parametrize(('chosen', 'meant'), [('auto', {'auto': True}), (3, {'number': 3, 'auto': False})])
def test_orderings_of_a_launch_are_a_number_or_auto(chosen, meant):
    given = dict.fromkeys(SCANNED) | {'number': chosen, 'seed': 1}
    assert screen_overrides(SimpleNamespace(species=None), given)['ordering'] == meant | {'seed': 1}
