"""What the commands of ``aiida-pesfp launch`` share: their options, and how a builder is run or submitted."""

import contextlib
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
from aiida.cmdline.utils import echo

from aiida_pesfp.cli.parameters import CODE, DEFAULT_POTENTIAL, EXISTING_FILE, POTENTIAL, StructuresParamType, combined
from aiida_pesfp.errors import one_line
from aiida_pesfp.settings.options import NumberOr, options_of
from aiida_pesfp.settings.ordering import EnsembleSettings
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.settings.screen import Criteria
from aiida_pesfp.settings.yaml_files import load_yaml
from aiida_pesfp.text import read_text
from aiida_pesfp.workflows.engines import ENGINES, Engine


class DurationParamType(click.ParamType):
    """A time in s, min, h or d, or as HH:MM:SS, in seconds."""

    name = 'duration'

    def convert(self, value, param, ctx):
        import pandas

        if isinstance(value, int):
            return value
        with contextlib.suppress(ValueError):
            seconds = int(pandas.Timedelta(f'{value}s' if value.isdigit() else value).total_seconds())
            if seconds > 0:
                return seconds
        return self.fail(f'{value!r} is no time: write 90min, 12h, 2d, 3600 or 12:00:00', param, ctx)


_LAUNCH_OPTIONS = combined(
    click.argument('structures', nargs=-1, required=True, type=StructuresParamType(), metavar='GROUP|NODE|FOLDER...'),
    click.option('--protocol', type=click.Choice(['fast', 'paper', 'stringent']), default='paper', help='Settings.'),
    click.option('--species', help='The mobile ion.  [default: Li]'),
    click.option(
        '--overrides', type=EXISTING_FILE, help="YAML file of inputs, nested like the protocol's, which they override."
    ),
    click.option('--label', help='Label of the process.'),
    click.option('--submit/--run', 'to_daemon', help='Submit it to the daemon, or run it here.'),
    click.option('--walltime', type=DurationParamType(), help='Longest time of a job, such as 12h.'),
    click.option('--num-machines', type=click.IntRange(1), help='Nodes of a job.'),
    click.option('--num-cores', type=click.IntRange(1), help='Cores of each node.'),
    click.option('--queue', help='Queue or partition of the scheduler.'),
    click.option('--account', help='Account of the scheduler.'),
    click.option('--device', help=f'Device on the compute node. {ProgramSettings.help_of("device")}'),
    click.option('--trust-weights', is_flag=True, default=None, help=ProgramSettings.help_of('trust_weights')),
)


class LaunchOptions(SimpleNamespace):
    """Values of the options that all commands have, by their names."""

    NAMES = tuple(parameter.name for parameter in _LAUNCH_OPTIONS(lambda: None).__click_params__)

    @property
    def jobs(self) -> dict:
        """``options`` of ``get_builder_from_protocol``: how jobs run."""
        resources = without_none(num_machines=self.num_machines)
        if self.num_cores:
            # One process uses all cores of its node by threads.
            resources |= {'num_mpiprocs_per_machine': 1, 'num_cores_per_mpiproc': self.num_cores}
        chosen = {'max_wallclock_seconds': self.walltime, 'queue_name': self.queue}
        chosen |= {'device': self.device, 'trust_weights': self.trust_weights}
        return without_none(resources=resources or None, account=self.account, **chosen)

    def overriding(self, workchain, chosen: dict) -> dict:
        """Overrides of the protocol of a workchain: those of the file, all of which must be known, and of options."""
        from aiida_pesfp.workflows.protocols import merge

        if self.overrides is None:
            return chosen
        try:
            content = load_yaml(read_text(self.overrides))
            workchain.get_protocol_inputs(self.protocol, content)
        except (OSError, ValueError) as error:
            echo.echo_critical(f'{self.overrides}: {one_line(error, 500)}')
        return merge(content or {}, chosen)

    def nodes(self) -> dict:
        """All structures by keys; those of paths are imported first, unless they are stored already.

        Stops before that if nothing can be submitted.
        """
        from aiida.orm import Group, StructureData

        from aiida_pesfp.cli.importing import store
        from aiida_pesfp.queries.structures import by_name
        from aiida_pesfp.sources.folder import read_folder

        if self.to_daemon:
            _check_daemon()
        nodes = []
        for item in self.structures:
            if isinstance(item, Path):
                nodes += store(read_folder([item]), item.resolve().stem, or_more=True)
            elif isinstance(item, Group):
                nodes += [node for node in item.nodes if isinstance(node, StructureData)]
            else:
                nodes.append(item)
        return by_name(nodes)

    def nodes_or_group(self, most: int):
        """As :meth:`nodes`; or, of more structures than that, the group that is given or one that is made of them."""
        from aiida.orm import Group

        from aiida_pesfp.queries.campaigns import members_of

        first, is_one = self.structures[0], len(self.structures) == 1
        if is_one and isinstance(first, Group) and len(members_of(first.uuid)) > most:
            if self.to_daemon:
                _check_daemon()
            return first
        nodes = self.nodes()
        if len(nodes) <= most:
            return nodes
        # The same structures are the same group, which goes on.
        content = hashlib.sha256(' '.join(sorted(node.uuid for node in nodes.values())).encode())
        group, _ = Group.collection.get_or_create(f'{self.label or "campaign"} {content.hexdigest()[:12]}')
        group.add_nodes(list(nodes.values()))
        echo.echo_report(f'the {len(nodes)} structures are in the group {group.label!r}: add more to it at any time')
        return group

    def start(self, builder, what: str, report: str):
        """Run or submit a builder; the node.

        :param what: label of the process, unless the user gave one.
        :param report: printed before a process runs here.
        """
        from aiida.engine import run_get_node, submit

        builder.metadata.label = self.label or f'{what}, {self.protocol}'
        with invalid_inputs_reported():
            if not self.to_daemon:
                echo.echo_report(report)
                return run_get_node(builder)[1]
            node = submit(builder)
        echo.echo_success(f'submitted {node.process_label}<{node.pk}>')
        echo.echo_report(f'follow it with: aiida-pesfp status {node.pk}')
        return node


def launch_options(function: Callable) -> Callable:
    """Give a command the options of all launches, and its function their values as one :class:`LaunchOptions`."""

    @functools.wraps(function)
    def gathered(**values):
        return function(LaunchOptions(**{name: values.pop(name) for name in LaunchOptions.NAMES}), **values)

    return _LAUNCH_OPTIONS(gathered)


#: Settings of scans that are options; ``--overrides`` has the others.
SCANNED = ('cell', 'cell_size', 'others', 'adaptive', 'stop_below', 'keep', 'full_above')
scan_options = combined(
    click.option('-X', '--code', type=CODE, default='pesfp-scan@localhost', help='Code of pesfp-scan.'),
    options_of(FingerprintSettings, only=SCANNED, overriding=True),
)
#: Settings of orderings that are options.
ORDERED = (
    'number',
    'seed',
    'most_atoms',
    'choice',
    'temperature',
    'weights',
    'relax',
    'largest_error',
    'most_orderings',
)
criteria_options = combined(
    click.option(
        '--potential',
        'potentials',
        type=POTENTIAL,
        default=[DEFAULT_POTENTIAL],
        multiple=True,
        help='Stored potential; repeatable: the ranking is then what several agree on.',
    ),
    click.option(
        '--confirm', is_flag=True, default=None, help='Further potentials scan only what has Xi > 0.25 by the first.'
    ),
    options_of(Criteria, overriding=True, species=None),
    options_of(
        EnsembleSettings,
        only=ORDERED,
        overriding=True,
        number={
            'type': NumberOr('auto'),
            'help': 'Number of orderings of each disordered structure, or as many as the error of the mean needs.'
            '  [default: that of the protocol]',
        },
    ),
    click.option('--structures-per-job', 'max_structures_per_job', type=click.IntRange(1), help='Most in one job.'),
    click.option(
        '--reuse/--no-reuse',
        default=None,
        help='Take results of earlier jobs for the same structure, potential and settings, or scan all.'
        '  [default: reuse]',
    ),
    click.option('--jobs', 'max_concurrent_jobs', type=click.IntRange(1), help='Most jobs at once.'),
)
_ABOVE_0, _DEFAULT = click.FloatRange(0, min_open=True), '  [default: that of the protocol]'
dynamics_options = combined(
    click.option('--relax/--no-relax', 'relax_first', default=True, help='Relax structures before dynamics.'),
    click.option('-t', '--temperature', 'temperatures', multiple=True, type=_ABOVE_0, help=f'K; repeatable.{_DEFAULT}'),
    click.option(
        '--picoseconds',
        'duration_ps',
        type=_ABOVE_0,
        help=f'Length of each run. Below 20, windows are shorter, and the run is too short to publish.{_DEFAULT}',
    ),
    # The potential of an engine is chosen by options of the commands.
    *(
        click.option(f'--{need.name.replace("_", "-")}', help=need.help)
        for need in {need.name: need for engine in ENGINES.values() for need in engine.needs}.values()
        if need.name != 'potential'
    ),
)


def needs_of(engine: Engine, chosen: dict) -> dict:
    """Those of the chosen values, by the names of needs, that an engine needs."""
    return without_none(**{need.name: chosen.get(need.name) for need in engine.needs})


def relax_code_of(engine: Engine, code, relax: bool):
    """The code that relaxes beside that of the dynamics: the same, if one program does both. None without ``relax``."""
    if not relax or engine.relax_program == engine.program:
        return code if relax else None
    return code_beside(code, engine.relax_program.label, 'make it, or leave structures as they are with --no-relax')


def code_beside(code, label: str, advice: str):
    """The code of that label on the same computer."""
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_code

    try:
        return load_code(f'{label}@{code.computer.label}')
    except NotExistent:
        echo.echo_critical(f'there is no code {label}@{code.computer.label}: {advice}')


def without_none(**values) -> dict:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


@contextlib.contextmanager
def invalid_inputs_reported():
    """Stop with an error message if inputs are not valid."""
    from aiida.common.exceptions import ValidationError

    try:
        yield
    except (ValueError, ValidationError) as error:
        echo.echo_critical(f'the inputs are not valid: {one_line(error, 500)}')


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
