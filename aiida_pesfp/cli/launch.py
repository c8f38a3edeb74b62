"""``aiida-pesfp launch``: scans and screenings."""

from __future__ import annotations

import re
from pathlib import Path

import click
import yaml
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli import main
from aiida_pesfp.cli.params import CODE, POTENTIAL, StructuresParamType

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


def launch_options(function):
    """What all launches share."""
    decorations = (
        click.argument(
            'structures', nargs=-1, required=True, type=StructuresParamType(), metavar='GROUP|NODE|FOLDER...'
        ),
        click.option(
            '-X', '--code', type=CODE, default='pesfp-scan@localhost', show_default=True, help='Code of pesfp-scan.'
        ),
        click.option('--potential', type=POTENTIAL, default='sevennet-0', show_default=True, help='Stored potential.'),
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
    for decoration in reversed(decorations):
        function = decoration(function)
    return function


@main.group('launch')
def launch():
    """Run or submit calculations.

    Structures are named by the label of a group, by PK, UUID or label of a StructureData, or by a folder or file, which
    is imported first. Several can be mixed.
    """


@launch.command('scan')
@launch_options
@decorators.with_dbenv()
def launch_scan(structures, **options):
    """Scan the potential energy surface of structures, all in one job, whatever their composition.

    \b
    aiida-pesfp launch scan Li2Te --protocol fast
    aiida-pesfp launch scan 1234 1235 --potential m3gnet-mp-2021.2.8 --submit --walltime 12h
    """
    from aiida_pesfp.workflows.scan import ScanBaseWorkChain

    _launch(ScanBaseWorkChain, structures, {}, **options)


@launch.command('screen')
@launch_options
@click.option('--minimum-band-gap', type=float, help='Leave out structures with a smaller one, eV.  [default: 0.5]')
@click.option(
    '--maximum-energy-above-hull', type=float, help='Leave out structures with a larger one, eV/atom.  [default: 0.05]'
)
@click.option(
    '--transition-metals/--no-transition-metals', default=None, help='Scan those with such or not.  [default: not]'
)
@click.option(
    '--missing-properties',
    type=click.Choice(['keep', 'reject']),
    help='What is done with structures whose band gap or energy above hull is not known.  [default: keep]',
)
@click.option(
    '--duplicates',
    type=click.Choice(['similar', 'identical', 'keep']),
    help='What is the same and scanned once: what is similar, only what is identical, or nothing.  [default: similar]',
)
@click.option('--structures-per-job', type=click.IntRange(1), help='Most structures of one job.')
@click.option('--jobs', type=click.IntRange(1), help='Most jobs at once.')
@decorators.with_dbenv()
def launch_screen(
    structures, minimum_band_gap, maximum_energy_above_hull, transition_metals, missing_properties, duplicates,
    structures_per_job, jobs, **options,
):  # fmt: skip
    """Select, scan and rank structures. Band gaps and energies above hull are those of their records.

    \b
    aiida-pesfp import folder cifs --table properties.csv
    aiida-pesfp launch screen cifs --protocol fast
    aiida-pesfp launch screen cifs --submit --queue gpu --walltime 12h --jobs 8
    """
    from aiida_pesfp.workflows.screen import ScreenWorkChain

    criteria = {
        'minimum_band_gap': minimum_band_gap,
        'maximum_energy_above_hull': maximum_energy_above_hull,
        'allow_transition_metals': transition_metals,
        'missing_properties': missing_properties,
        'duplicates': duplicates,
    }
    overrides = {
        'max_structures_per_job': structures_per_job,
        'max_concurrent_jobs': jobs,
        'criteria': _given(criteria),
    }
    _launch(ScreenWorkChain, structures, _given(overrides), **options)


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


def _launch(workchain, structures, given, code, potential, protocol, species, label, to_daemon, **rest) -> None:
    """Build, and run or submit."""
    from aiida.common.exceptions import InputValidationError
    from aiida.engine import run_get_node, submit

    if code.default_calc_job_plugin not in (None, 'pesfp.scan'):
        echo.echo_critical(
            f'the code {code.full_label} runs {code.default_calc_job_plugin}, not pesfp.scan: name another'
        )
    if to_daemon:
        _check_daemon()
    chosen = keyed(_flat(structures))
    try:
        overrides = _overrides(rest['overrides'], given, species)
        _check_keys(overrides, rest['overrides'], workchain)
        builder = workchain.get_builder_from_protocol(code, chosen, potential, protocol, overrides, _job_options(rest))
        if rest['device']:
            builder.scan.device = rest['device']
        builder.metadata.label = label or f'{len(chosen)} structures, {protocol}'
        if not to_daemon:
            echo.echo_report(f'{len(chosen)} structures with {potential.name} ({protocol} protocol) ...')
        node = submit(builder) if to_daemon else run_get_node(builder)[1]
    except (ValueError, InputValidationError) as error:
        echo.echo_critical(f'the inputs do not fit: {error}')
    if to_daemon:
        echo.echo_success(f'submitted {node.process_label}<{node.pk}>')
        echo.echo_report(f'follow it with: aiida-pesfp status {node.pk}')
        echo.echo_report(f'and look at the results so far with: aiida-pesfp rank {node.pk}')
    else:
        _print_results(node)


def _flat(structures) -> list:
    """All structures; those of paths are imported first."""
    from aiida_pesfp.cli.importing import store
    from aiida_pesfp.sources.folder import read_folder

    nodes = []
    for item in structures:
        nodes += store(read_folder([item]), item.resolve().stem) if isinstance(item, Path) else item
    return nodes


def _overrides(path: Path | None, given: dict, species: str) -> dict:
    from aiida_pesfp.workflows.protocols import merge

    content = {}
    if path is not None:
        try:
            content = yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            echo.echo_critical(f'{path} is not a YAML file: {error}')
        if not isinstance(content, dict):
            echo.echo_critical(f'{path} holds no inputs: write for example "scan: {{parameters: {{spacing: 0.3}}}}"')
    return merge(merge(content, given), {'scan': {'parameters': {'species': species}}})


def _check_keys(overrides: dict, path: Path | None, workchain) -> None:
    """Stop with a sentence at a key that would be ignored."""
    known = {'scan', 'max_iterations', 'properties', *workchain.get_protocol_inputs()}
    for key in overrides:
        if key not in known:
            echo.echo_critical(f'{path}: there is no input {key!r}: known are {", ".join(sorted(known))}')


def _job_options(rest: dict) -> dict:
    """``metadata.options`` of the jobs."""
    resources = {'num_machines': rest['num_machines']}
    if rest['num_cores']:
        # One process uses all cores of its node by threads.
        resources |= {'num_mpiprocs_per_machine': 1, 'num_cores_per_mpiproc': rest['num_cores']}
    options = {
        'resources': resources,
        'max_wallclock_seconds': rest['walltime'],
        'queue_name': rest['queue'],
        'account': rest['account'],
    }
    return _given(options)


def _given(values: dict) -> dict:
    return {name: value for name, value in values.items() if value is not None}


def _check_daemon() -> None:
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


def _print_results(node) -> None:
    """The ranking, and what is not in it with the reason; stops if the process failed."""
    from aiida_pesfp.cli.rank import print_table
    from aiida_pesfp.data.queries import candidates, descriptors_of

    rows = candidates(descriptors_of(node))
    if rows:
        print_table(sorted(rows, key=lambda row: (-row['xi'], row['mpe'])))
    for name in ('rejected', 'failures'):
        if name in node.outputs:
            for key, entry in node.outputs[name].items():
                echo.echo_warning(f'{key}: {entry.get("reason") or entry.get("error")}')
    if not node.is_finished_ok:
        echo.echo_critical(f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')
    echo.echo_success(f'finished {node.process_label}<{node.pk}>')
    echo.echo_report(
        f'look further with: aiida-pesfp rank {node.pk}; aiida-pesfp show PK; verdi process status {node.pk}'
    )
