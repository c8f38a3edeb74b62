"""``aiida-pesfp status``: how far scans, screenings and dynamics are."""

from __future__ import annotations

import datetime

import click
from aiida.cmdline.params import types
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.workflows.engines import DYNAMICS

_VALIDATIONS = ('aiida.workflows:pesfp.screen_and_validate', 'aiida.workflows:pesfp.conductivity')
_SCREENING = 'aiida.workflows:pesfp.screen'
#: Types of the processes that are looked for if none is named.
_PROCESSES = (*_VALIDATIONS, _SCREENING, 'aiida.workflows:pesfp.scan.base', *DYNAMICS)


@click.command('status')
@click.argument('processes', nargs=-1, type=types.ProcessParamType(), metavar='[PROCESS...]')
@decorators.with_dbenv()
def status(processes):
    """Show the progress of scans, screenings and dynamics: the given ones, or all that are running.

    For scans: finished structures, evaluations per second, and the time left, estimated from the finished structures.
    For dynamics: finished steps, and nanoseconds a day. The files of running jobs are read where they run.
    """
    chosen = processes or _active()
    if not chosen:
        echo.echo_report('nothing is running: `verdi process list -a` lists what was run')
    for node in chosen:
        state = node.process_state.value if node.process_state else 'created'
        code = f' [{node.exit_status}]' if node.exit_status is not None else ''
        echo.echo(f'{node.process_label}<{node.pk}> {node.label}: {state}{code}')
        if not _print_progress(node):
            echo.echo_critical(
                f'{node.process_label}<{node.pk}> is no scan, no screening and no dynamics: see `verdi process status '
                f'{node.pk}`'
            )
        if node.is_terminated and node.exit_message:
            echo.echo(f'  {node.exit_message}')


def _print_progress(node) -> bool:
    """Print the progress of a process; whether it has any that can be printed."""
    from aiida_pesfp.queries.progress import dynamics_of, scan_progress_of

    scans = next((called for called in node.called if called.process_type == _SCREENING), node)
    dynamics = dynamics_of(node, DYNAMICS)
    try:
        _print_scans(scans, scan_progress_of(scans))
    except ValueError:
        if not dynamics and node.process_type not in _VALIDATIONS:
            return False
        if not dynamics:
            echo.echo('  no dynamics yet')
    for run in dynamics:
        _print_dynamics(run)
    return True


def _print_scans(node, progress) -> None:
    echo.echo(f'  structures done   {progress.done} of {progress.total - progress.rejected}')
    if progress.rejected:
        echo.echo(f'  left out          {progress.rejected} of {progress.total} given')
    if progress.failed:
        echo.echo(f'  failed            {progress.failed}')
    rate = progress.evaluations_per_second
    echo.echo(f'  evaluations       {progress.evaluations}' + (f', {rate:.0f} per second and job' if rate else ''))
    if not node.is_terminated:
        left = progress.seconds_left
        text = 'not known before the first structure is done' if left is None else f'about {_duration(left)}'
        echo.echo(f'  jobs running      {progress.running}')
        echo.echo(f'  time left         {text}')
        for pk, reason in progress.silent.items():
            echo.echo(f'  job {pk} has written nothing yet ({reason[:120]})')


def _print_dynamics(run) -> None:
    text = (
        f'  {run.name}, {run.engine}, {run.temperature:g} K: {run.done} of {run.steps} steps ({run.picoseconds:.3g} ps)'
    )
    if run.nanoseconds_per_day is not None:
        text += f', {run.nanoseconds_per_day:.2g} ns a day'
    if run.seconds_left:
        text += f', about {_duration(run.seconds_left)} left'
    elif run.seconds_left == 0.0:
        text += f', {run.state}'
    elif run.silent is not None:
        text += f'; its job has written nothing yet ({run.silent[:120]})'
    echo.echo(text)


def _duration(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=round(seconds))


def _active() -> list:
    """Processes of this package that are running and that no other of them has called."""
    from aiida_pesfp.queries.nodes import running_processes

    found = running_processes(_PROCESSES)
    return [node for node in found if node.caller is None or node.caller not in found]
