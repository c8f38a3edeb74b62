"""What all settings share: checks, dictionaries, command lines, options and help texts."""

import json
import re
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters
from aiida_pesfp.settings.diffusion import EQUILIBRATION, ConductivitySettings, DiffusionSettings
from aiida_pesfp.settings.keep import KeepSettings
from aiida_pesfp.settings.md import PotentialMdSettings, RelaxSettings, SiestaMdSettings, SupercellSettings
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.settings.scan import FingerprintSettings, ScanSettings

DYNAMICS = {'temperature': 500, 'steps': 5}
ADAPTIVE = {'adaptive': True, 'stop_below': 0.25, 'xi': {'threshold': 0.7}, 'thresholds': [0.3, 1]}
KEEP = {'keep': 'merge-tree', 'full_above': 0.25, 'tree_limit': 4.5}
SCANS = [{}, ADAPTIVE, KEEP, {'species': 'Na', 'grid': 'symmetric', 'symmetry': False, 'smearing': [0.0]}]
ALL = [
    *((FingerprintSettings, values) for values in SCANS),
    (PotentialMdSettings, DYNAMICS | {'seed': 3, 'timestep': 0.5}),
    (RelaxSettings, {'variable_cell': False, 'fmax': 1e-3}),
    (RelaxSettings, {}),
    (KeepSettings, KEEP),
    (ConductivitySettings, {'window_ps': 3.75, 'unwrapped': True, 'temperature': 500}),
]


@dataclass(frozen=True)
class Inner(Settings):
    length: float = setting('a length', 2.0, unit='A', gt=0)
    angle: float = setting('an angle', 90.0)


@dataclass(frozen=True)
class Outer(Settings):
    inner: Inner = setting('as one', Inner())
    beside: DiffusionSettings = setting(default=DiffusionSettings(window=9.0), flat=True)
    number: int | None = setting('a count', None, ge=0)


def parse(settings, words):
    """The settings that a command with their options makes of a command line."""

    @click.command()
    @options_of(settings)
    def command(**options):
        found.append(take(settings, options))
        assert not options

    found = []
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    return found[0]


@pytest.mark.parametrize(('settings', 'values'), [*ALL, (SiestaMdSettings, DYNAMICS)])
def test_a_dictionary_is_completed_and_survives_a_round_trip(settings, values):
    chosen = settings.from_dict(values)
    completed = chosen.as_dict()
    assert completed.items() >= {key: value for key, value in values.items() if key != 'xi'}.items()
    assert list(settings.known()) == list(completed)
    assert settings.from_dict(json.loads(json.dumps(completed))) == chosen


@pytest.mark.parametrize(('settings', 'values'), ALL)
def test_the_command_line_says_the_same(settings, values):
    chosen = settings.from_dict(values)
    assert parse(settings, chosen.command_line()) == chosen


def test_only_some_options():
    given = {'potential': 'sevennet-0', 'output': Path('results'), 'time_limit': 900, 'batch_size': 7, 'quiet': True}
    words = ProgramSettings(**given).command_line(*given)
    expected = {'--potential=sevennet-0', '--output=results', '--time-limit=900', '--batch-size=7', '--quiet'}
    assert set(words) == expected
    assert parse(ProgramSettings, words) == ProgramSettings(**given)


@pytest.mark.parametrize(
    ('settings', 'values', 'words'),
    [
        (
            FingerprintSettings,
            {'spacin': 0.2},
            "unknown parameter 'spacin': known are species, cell, cell_size, spacing",
        ),
        (
            FingerprintSettings,
            {'cell_size': 9.0},
            'cell_size = 9 A counts with cell size_consistent only',
        ),
        (
            FingerprintSettings,
            {'spacing': '0,3'},
            "spacing = '0,3': Input should be a valid number, with a decimal point, not a comma (largest distance",
        ),
        (
            FingerprintSettings,
            {'spacing': 0},
            'spacing = 0: Input should be greater than or equal to 0.03 (largest distance',
        ),
        (
            FingerprintSettings,
            {'minimum_distance': -1},
            'distance = -1: Input should be greater than or equal to 0',
        ),
        (FingerprintSettings, {'symmetry': 1}, 'symmetry = 1: Input should be a valid boolean'),
        (FingerprintSettings, {'adaptive': 0.5}, 'adaptive = 0.5: Input should be a valid boolean'),
        (FingerprintSettings, {'stop_below': 1.0}, 'stop_below = 1.0: Input should be less than 1'),
        (FingerprintSettings, {'stop_below': 0}, 'stop_below = 0: Input should be greater than 0'),
        (FingerprintSettings, {'stop_probability': 1}, 'stop_probability = 1: Input should be less than 1'),
        (FingerprintSettings, {'grid': 'fine'}, "grid = 'fine': Input should be 'paper' or 'symmetric'"),
        (FingerprintSettings, {'species': 'Xx'}, "'Xx' is not the symbol"),
        (FingerprintSettings, {'species': 3}, 'species = 3: Input should be a valid string'),
        (FingerprintSettings, {'thresholds': []}, 'thresholds = []: Tuple should have at least 1 item'),
        (
            FingerprintSettings,
            {'thresholds': ['a']},
            "thresholds.0 = 'a': Input should be a valid number (energies",
        ),
        (FingerprintSettings, {'xi': 3}, 'xi = 3: Input should be an instance of XiParameters'),
        (FingerprintSettings, {'xi': {'treshold': 1}}, "unknown parameter 'treshold': known are threshold"),
        (FingerprintSettings, {'xi': {'slope': float('nan')}}, 'slope = nan: Input should be a finite number'),
        (FingerprintSettings, {'keep': 'all'}, "keep = 'all': Input should be 'full', 'merge-tree' or 'descriptors'"),
        (FingerprintSettings, {'full_above': 0.2}, 'full_above = 0.2 counts only if not all grids are kept'),
        (FingerprintSettings, KEEP | {'keep': 'descriptors'}, 'tree_limit = 4.5 eV counts with keep merge-tree only'),
        (FingerprintSettings, KEEP | {'tree_limit': 4}, 'tree_limit = 4 eV is below the 4.04 eV of the highest'),
        (PotentialMdSettings, {'temperature': 500}, "need 'steps'"),
        (PotentialMdSettings, DYNAMICS | {'steps': True}, 'steps = True: Input should be a valid integer'),
        (PotentialMdSettings, DYNAMICS | {'seed': -1}, 'seed = -1: Input should be greater than or equal to 0'),
        (SupercellSettings, {'matrix': [[1, 0, 0], [0, 1, 0], [0, 0, -2]]}, 'from 1 to 500, and is -2'),
        (SupercellSettings, {'matrix': [[0, 1, 0], [1, 0, 0], [0, 0, 1]]}, 'from 1 to 500, and is -1'),
        (SupercellSettings, {'matrix': [[1, 2, 3], [4, 5, 6], [7, 8, 9]]}, 'from 1 to 500, and is 0'),
        (SupercellSettings, {'matrix': [[8, 0, 0], [0, 8, 0], [0, 0, 8]]}, 'from 1 to 500, and is 512'),
        (SupercellSettings, {'matrix': [[10**400, 0, 0], [0, 1, 0], [0, 0, 1]]}, 'matrix.0.0 = 1'),
        (RelaxSettings, {'steps': 0}, 'steps = 0: Input should be greater than 0'),
        (
            RelaxSettings,
            {'fmax': True},
            'fmax = True: Input should be a valid number (largest force',
        ),
        (ConductivitySettings, {'window': 3}, "unknown parameter 'window'"),
        (ConductivitySettings, {'fit_start_ps': 20}, 'the fit begins at 20 ps, after the window of 15 ps'),
        (ConductivitySettings, {'window_ps': '3'}, "window_ps = '3': Input should be a valid number"),
    ],
)
def test_errors_name_the_key_the_value_and_what_is_allowed(settings, values, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        settings.from_dict(values)


def test_settings_are_checked_however_they_are_made():
    with pytest.raises(ValueError, match='spacing'):
        ScanSettings(spacing=-1)
    with pytest.raises(ValueError, match='spacing'):
        replace(ScanSettings(), spacing='1')


def test_the_analysis_of_our_own_runs_leaves_out_the_equilibration():
    assert ConductivitySettings().diffusion == DiffusionSettings(equilibration=EQUILIBRATION)
    assert DiffusionSettings().equilibration == 0


def test_nested_settings_have_the_defaults_of_the_outer_ones():
    chosen = Outer.from_dict({'inner': {'length': 3}, 'fit_start_ps': 2})
    assert chosen == Outer(Inner(3), DiffusionSettings(9.0, 2))
    assert chosen.as_dict() == {
        'inner': {'length': 3, 'angle': 90.0},
        'window_ps': 9.0,
        'fit_start_ps': 2,
        'equilibration_ps': 0.0,
        'number': None,
    }
    assert parse(Outer, ['--inner', '4', '60', '--number=0']) == Outer(Inner(4.0, 60.0), DiffusionSettings(9.0), 0)
    assert 'window_ps: length of an independent window (ps) [9.0]' in Outer.describe()


def test_help_texts_have_units_and_defaults():
    text = PotentialMdSettings.describe()
    assert 'timestep: length of a step (fs) [1.0]' in text
    assert 'steps: number of steps of this run [required]' in text
    assert RelaxSettings.help_of('fmax') == 'Largest force on an atom at the end (eV/A).'
    assert 'xi: ' in DescriptorSettings.describe()
    assert '"slope": 10.0' in DescriptorSettings.describe()
    assert XiParameters().as_dict() == {
        'threshold': 0.5,
        'connected_cut': -2.0,
        'disconnected_cut': -1.15,
        'slope': 10.0,
    }


def test_numbers_of_an_option_that_are_not_allowed_are_refused():
    command = click.command()(options_of(FingerprintSettings)(lambda **_: None))
    refused = CliRunner().invoke(command, ['--xi', 'nan', '1', '1', '1'])
    assert (refused.exit_code, 'nan: Input should be a finite number' in refused.output) == (2, True)


def test_options_may_differ_or_be_left_out():
    @click.command()
    @options_of(RelaxSettings, smax=None, steps={'help': 'How many.'})
    def command(**options):
        click.echo(take(RelaxSettings, options))

    runner = CliRunner()
    assert 'How many.' in runner.invoke(command, ['--help']).output
    assert runner.invoke(command, ['--smax', '1', '--steps', '1']).exit_code == 2
    refused = runner.invoke(command, ['--steps', '0'])
    assert (refused.exit_code, 'steps = 0: Input should be greater than 0' in refused.output) == (2, True)
