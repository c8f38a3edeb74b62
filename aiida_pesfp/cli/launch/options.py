"""What the commands of ``aiida-pesfp launch`` share: their options, and how what is built is run or submitted."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import click
import yaml
from aiida.cmdline.utils import echo

from aiida_pesfp.cli.parameters import DEFAULT_POTENTIAL, POTENTIAL, StructuresParamType

PROTOCOLS = ('fast', 'paper', 'stringent')


class DurationParamType(click.ParamType):
    """A time in s, min, h or d, or as HH:MM:SS, in seconds."""

    name = 'duration'
    _UNITS = {'': 1, 's': 1, 'min': 60, 'm': 60, 'h': 3600, 'd': 86400}

    def convert(self, value, param, ctx):
        if isinstance(value, int):
            return value
        match = re.fullmatch(r'(\d+(?:\.\d+)?)\s*(s|min|m|h|d|)', value)
        if match:
            return int(float(match[1]) * self._UNITS[match[2]])
        match = re.fullmatch(r'(\d+):(\d\d):(\d\d)', value)
        if match:
            hours, minutes, seconds = map(int, match.groups())
            return hours * 3600 + minutes * 60 + seconds
        return self.fail(f'{value!r} is no time: write 90min, 12h, 2d, 3600 or 12:00:00', param, ctx)


def combined(*decorations: Callable) -> Callable:
    """One decorator of several, whose options ``--help`` lists in this order."""

    def decorate(function):
        for decoration in reversed(decorations):
            function = decoration(function)
        return function

    return decorate


launch_options = combined(
    click.argument('structures', nargs=-1, required=True, type=StructuresParamType(), metavar='GROUP|NODE|FOLDER...'),
    click.option('--protocol', type=click.Choice(PROTOCOLS), default='paper', show_default=True, help='Settings.'),
    click.option('--species', default='Li', show_default=True, help='The mobile ion.'),
    click.option(
        '--overrides',
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help='YAML file of inputs that take precedence over those of the protocol, nested alike.',
    ),
    click.option('--label', help='Label of the process.'),
    click.option('--submit/--run', 'to_daemon', help='Hand it to the daemon, or run it here.  [default: run]'),
    click.option('--walltime', type=DurationParamType(), help='Longest time of a job, such as 12h.'),
    click.option('--num-machines', type=click.IntRange(1), default=1, show_default=True, help='Nodes of a job.'),
    click.option('--num-cores', type=click.IntRange(1), help='Cores of each node.'),
    click.option('--queue', help='Queue or partition of the scheduler.'),
    click.option('--account', help='Account of the scheduler.'),
    click.option('--device', help='Device on the compute node: auto, cpu, cuda, cuda:1.'),
)

POTENTIAL_OPTION = click.option(
    '--potential', type=POTENTIAL, default=DEFAULT_POTENTIAL, show_default=True, help='Stored potential.'
)

criteria_options = combined(
    click.option('--minimum-band-gap', type=float, help='Leave out structures with a smaller one, eV.  [default: 0.5]'),
    click.option(
        '--maximum-energy-above-hull',
        type=float,
        help='Leave out structures with a larger one, eV/atom.  [default: 0.05]',
    ),
    click.option(
        '--transition-metals/--no-transition-metals', default=None, help='Scan those with such or not.  [default: not]'
    ),
    click.option(
        '--missing-properties',
        type=click.Choice(['keep', 'reject']),
        help='What is done with structures whose band gap or energy above hull is not known.  [default: keep]',
    ),
    click.option(
        '--duplicates',
        type=click.Choice(['similar', 'identical', 'keep']),
        help='What is the same and scanned once: what is similar, only what is identical, or nothing.  '
        '[default: similar]',
    ),
    click.option('--structures-per-job', type=click.IntRange(1), help='Most structures of one job.'),
    click.option('--jobs', type=click.IntRange(1), help='Most jobs at once.'),
)


def criteria(options: dict) -> dict:
    """Overrides of ``pesfp.screen`` from :data:`criteria_options`, which are taken out of the given ones."""
    names = {
        'minimum_band_gap': 'minimum_band_gap',
        'maximum_energy_above_hull': 'maximum_energy_above_hull',
        'allow_transition_metals': 'transition_metals',
        'missing_properties': 'missing_properties',
        'duplicates': 'duplicates',
    }
    chosen = given({name: options.pop(option) for name, option in names.items()})
    jobs = {
        'max_structures_per_job': options.pop('structures_per_job'),
        'max_concurrent_jobs': options.pop('jobs'),
    }
    return given(jobs) | {'criteria': chosen}


def check_plugin(code, *plugins: str) -> None:
    """Stop with a sentence if a code is known to run something else."""
    if code.default_calc_job_plugin not in (None, *plugins):
        echo.echo_critical(
            f'the code {code.full_label} runs {code.default_calc_job_plugin}, not {" or ".join(plugins)}: name another'
        )


def keyed(structures: list) -> dict:
    """Structures by keys that AiiDA takes as names of links, made of their labels or formulas."""
    found = {}
    for node in {node.uuid: node for node in structures}.values():
        name = re.sub(r'\W+', '_', node.label or node.get_formula()).strip('_')
        name = name if name[:1].isalpha() else f's_{name}'
        key, number = name, 1
        while key in found:
            number += 1
            key = f'{name}_{number}'
        found[key] = node
    return found


def chosen_structures(structures) -> dict:
    """All structures by keys; those of paths are imported first."""
    from aiida_pesfp.cli.importing import store
    from aiida_pesfp.sources.folder import read_folder

    nodes = []
    for item in structures:
        nodes += store(read_folder([item]), item.resolve().stem) if isinstance(item, Path) else item
    return keyed(nodes)


def read_overrides(path: Path | None, known: set[str]) -> dict:
    """The content of a file of overrides. A key that would be ignored ends it with a sentence."""
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        echo.echo_critical(f'{path} is not a YAML file: {error}')
    if not isinstance(content, dict):
        echo.echo_critical(f'{path} holds no inputs: write for example "max_iterations: 3"')
    for key in content:
        if key not in known:
            echo.echo_critical(f'{path}: there is no input {key!r}: known are {", ".join(sorted(known))}')
    return content


def job_options(options: dict) -> dict:
    """``metadata.options`` of the jobs, from those of :data:`launch_options`, which are taken out of the given ones."""
    resources = {'num_machines': options.pop('num_machines')}
    cores = options.pop('num_cores')
    if cores:
        # One process uses all cores of its node by threads.
        resources |= {'num_mpiprocs_per_machine': 1, 'num_cores_per_mpiproc': cores}
    chosen = {
        'resources': resources,
        'max_wallclock_seconds': options.pop('walltime'),
        'queue_name': options.pop('queue'),
        'account': options.pop('account'),
    }
    return given(chosen)


def given(values: dict) -> dict:
    """Without what is None."""
    return {name: value for name, value in values.items() if value is not None}


def check_daemon() -> None:
    """Stop with a sentence if nothing can be submitted."""
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    if profile.process_control_backend is None:
        echo.echo_critical(
            f'the profile {profile.name} has no broker and so no daemon: leave out --submit to run it here, or make a '
            'profile with one by `verdi presto --use-zeromq`'
        )
    if not get_daemon_client().is_daemon_running:
        echo.echo_critical('the daemon is not running: start it with `verdi daemon start`, or leave out --submit')


@contextlib.contextmanager
def inputs_that_fit():
    """Inputs that do not end it with a sentence instead of a traceback."""
    from aiida.common.exceptions import InputValidationError

    try:
        yield
    except (ValueError, InputValidationError) as error:
        echo.echo_critical(f'the inputs do not fit: {error}')


def start(builder, to_daemon: bool):
    """Run or submit what was built; the node."""
    from aiida.engine import run_get_node, submit

    with inputs_that_fit():
        node = submit(builder) if to_daemon else run_get_node(builder)[1]
    if to_daemon:
        echo.echo_success(f'submitted {node.process_label}<{node.pk}>')
        echo.echo_report(f'follow it with: aiida-pesfp status {node.pk}')
    return node


def say_how_it_ended(node) -> None:
    """One line; stops if the process failed."""
    if not node.is_finished_ok:
        echo.echo_critical(f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')
    echo.echo_success(f'finished {node.process_label}<{node.pk}>')
