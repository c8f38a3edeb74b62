"""What the commands of ``aiida-pesfp launch`` share: their options, and how a builder is run or submitted."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import click
import yaml
from aiida.cmdline.utils import echo

from aiida_pesfp.cli.parameters import CODE, DEFAULT_POTENTIAL, POTENTIAL, StructuresParamType

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


@dataclass(frozen=True)
class LaunchOptions:
    """Values of the options that all commands have, by the names of :func:`launch_options`."""

    structures: tuple
    protocol: str
    species: str
    overrides: Path | None
    label: str | None
    to_daemon: bool
    walltime: int | None
    num_machines: int
    num_cores: int | None
    queue: str | None
    account: str | None
    device: str | None

    @property
    def jobs(self) -> dict:
        """``options`` of ``get_builder_from_protocol``: how jobs run."""
        resources = {'num_machines': self.num_machines}
        if self.num_cores:
            # One process uses all cores of its node by threads.
            resources |= {'num_mpiprocs_per_machine': 1, 'num_cores_per_mpiproc': self.num_cores}
        return without_none(
            resources=resources,
            max_wallclock_seconds=self.walltime,
            queue_name=self.queue,
            account=self.account,
            device=self.device,
        )

    def read_overrides(self, known: set[str]) -> dict:
        """The content of the file of overrides. An unknown key is an error, because it would be ignored."""
        if self.overrides is None:
            return {}
        try:
            content = yaml.safe_load(self.overrides.read_text()) or {}
        except yaml.YAMLError as error:
            echo.echo_critical(f'{self.overrides} is not a YAML file: {error}')
        if not isinstance(content, dict):
            echo.echo_critical(f'{self.overrides} holds no inputs: write for example "max_iterations: 3"')
        for key in content:
            if key not in known:
                names = ', '.join(sorted(known))
                echo.echo_critical(f'{self.overrides}: there is no input {key!r}: known are {names}')
        return content

    def nodes(self) -> dict:
        """All structures by keys; those of paths are imported first. Stops first if nothing can be submitted."""
        from aiida_pesfp.cli.importing import store
        from aiida_pesfp.sources.folder import read_folder

        if self.to_daemon:
            _check_daemon()
        nodes = []
        for item in self.structures:
            nodes += store(read_folder([item]), item.resolve().stem) if isinstance(item, Path) else item
        return keyed(nodes)

    def start(self, builder, label: str, report: str):
        """Run or submit a builder; the node.

        :param label: of the process, unless the user gave one.
        :param report: printed before a process runs here.
        """
        from aiida.engine import run_get_node, submit

        builder.metadata.label = self.label or label
        if not self.to_daemon:
            echo.echo_report(report)
        with invalid_inputs_reported():
            node = submit(builder) if self.to_daemon else run_get_node(builder)[1]
        if self.to_daemon:
            echo.echo_success(f'submitted {node.process_label}<{node.pk}>')
            echo.echo_report(f'follow it with: aiida-pesfp status {node.pk}')
        return node


_LAUNCH_OPTIONS = combined(
    click.argument('structures', nargs=-1, required=True, type=StructuresParamType(), metavar='GROUP|NODE|FOLDER...'),
    click.option('--protocol', type=click.Choice(PROTOCOLS), default='paper', show_default=True, help='Settings.'),
    click.option('--species', default='Li', show_default=True, help='The mobile ion.'),
    click.option(
        '--overrides',
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help='YAML file of inputs that take precedence over those of the protocol, nested alike.',
    ),
    click.option('--label', help='Label of the process.'),
    click.option('--submit/--run', 'to_daemon', help='Submit it to the daemon, or run it here.  [default: run]'),
    click.option('--walltime', type=DurationParamType(), help='Longest time of a job, such as 12h.'),
    click.option('--num-machines', type=click.IntRange(1), default=1, show_default=True, help='Nodes of a job.'),
    click.option('--num-cores', type=click.IntRange(1), help='Cores of each node.'),
    click.option('--queue', help='Queue or partition of the scheduler.'),
    click.option('--account', help='Account of the scheduler.'),
    click.option('--device', help='Device on the compute node: auto, cpu, cuda, cuda:1.'),
)


def launch_options(function: Callable) -> Callable:
    """Give a command the options of all launches, and its function their values as one :class:`LaunchOptions`."""

    @functools.wraps(function)
    def gathered(**values):
        launching = LaunchOptions(**{field.name: values.pop(field.name) for field in fields(LaunchOptions)})
        return function(launching, **values)

    return _LAUNCH_OPTIONS(gathered)


POTENTIAL_OPTION = click.option(
    '--potential', type=POTENTIAL, default=DEFAULT_POTENTIAL, show_default=True, help='Stored potential.'
)
SCAN_CODE = click.option(
    '-X', '--code', type=CODE, default='pesfp-scan@localhost', show_default=True, help='Code of pesfp-scan.'
)

criteria_options = combined(
    click.option('--minimum-band-gap', type=float, help='Leave out structures with a smaller one, eV.  [default: 0.5]'),
    click.option(
        '--maximum-energy-above-hull',
        type=float,
        help='Leave out structures with a larger one, eV/atom.  [default: 0.05]',
    ),
    click.option(
        '--transition-metals/--no-transition-metals',
        'allow_transition_metals',
        default=None,
        help='Scan structures with transition metals or not.  [default: not]',
    ),
    click.option(
        '--missing-properties',
        type=click.Choice(['keep', 'reject']),
        help='Keep or reject structures whose band gap or energy above hull is not known.  [default: keep]',
    ),
    click.option(
        '--duplicates',
        type=click.Choice(['similar', 'identical', 'keep']),
        help='Scan only one of structures that are similar, only one of identical ones, or all.  [default: similar]',
    ),
    click.option('--structures-per-job', 'max_structures_per_job', type=click.IntRange(1), help='Most in one job.'),
    click.option('--jobs', 'max_concurrent_jobs', type=click.IntRange(1), help='Most jobs at once.'),
)


def screen_overrides(species: str, chosen: dict) -> dict:
    """Overrides of ``pesfp.screen``.

    :param chosen: values of :data:`criteria_options`.
    """
    chosen = without_none(**chosen)
    jobs = {name: chosen.pop(name) for name in ('max_structures_per_job', 'max_concurrent_jobs') if name in chosen}
    return jobs | {'criteria': chosen} | scan_overrides(species)


def scan_overrides(species: str) -> dict:
    """Overrides of ``pesfp.scan.base``."""
    return {'scan': {'parameters': {'species': species}}}


def check_plugin(code, *plugins: str) -> None:
    """Stop with an error message if a code is known to run something else."""
    if code.default_calc_job_plugin not in (None, *plugins):
        echo.echo_critical(
            f'the code {code.full_label} runs {code.default_calc_job_plugin}, not {" or ".join(plugins)}: name another'
        )


def code_beside(code, label: str, advice: str):
    """The code of that label on the same computer."""
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_code

    try:
        return load_code(f'{label}@{code.computer.label}')
    except NotExistent:
        echo.echo_critical(f'there is no code {label}@{code.computer.label}: {advice}')


def keyed(structures: list) -> dict:
    """Structures by keys that AiiDA accepts as names of links, made of their labels or formulas."""
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


def without_none(**values) -> dict:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _check_daemon() -> None:
    """Stop with an error message if nothing can be submitted."""
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
def invalid_inputs_reported():
    """Turn the error of invalid inputs into an error message."""
    from aiida.common.exceptions import InputValidationError

    try:
        yield
    except (ValueError, InputValidationError) as error:
        echo.echo_critical(f'the inputs are not valid: {error}')
