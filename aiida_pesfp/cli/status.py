"""``aiida-pesfp status``: how far scans, screenings and dynamics are."""

import datetime

import click
from aiida.cmdline.params import types
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.errors import one_line, some_of
from aiida_pesfp.workflows.engines import DYNAMICS

_VALIDATIONS = ('aiida.workflows:pesfp.screen_and_validate', 'aiida.workflows:pesfp.conductivity')
_SCREENING, _BARRIER = 'aiida.workflows:pesfp.screen', 'aiida.workflows:pesfp.barrier.base'
_CAMPAIGN = 'aiida.workflows:pesfp.campaign'
#: Types of the processes that are looked for if none is named.
_PROCESSES = (*_VALIDATIONS, _CAMPAIGN, _SCREENING, 'aiida.workflows:pesfp.scan.base', _BARRIER, *DYNAMICS)

#: A worker that is not busy begins what was submitted at once; s.
_LONGEST_START = 120
_REPAIR = """Unless all workers are busy, the tasks were lost, as when the broker
dies. These commands submit them again and repeat nothing that is done:
  verdi daemon stop
  verdi process repair
  verdi daemon start"""


@click.command('status')
@click.argument('processes', nargs=-1, type=types.ProcessParamType(), metavar='[PROCESS...]')
@decorators.with_dbenv()
def status(processes):
    """Show the progress of scans, screenings, barriers and dynamics: the given ones, or all that are running.

    For scans: finished structures, evaluations per second, and the time left, estimated from the finished structures.
    For dynamics: finished steps, and nanoseconds a day. The files of running jobs are read where they run.
    """
    from aiida_pesfp.queries.nodes import running_processes

    if not processes:
        running = running_processes(_PROCESSES)
        processes = [node for node in running if node.caller is None or node.caller not in running]
    if not processes:
        echo.echo_report('nothing is running: `verdi process list -a` lists what was run')
    for node in processes:
        name = f'{node.process_label}<{node.pk}>'
        state = node.process_state.value if node.process_state else 'created'
        code = f' [{node.exit_status}]' if node.exit_status is not None else ''
        echo.echo(f'{name} {node.label}: {state}{code}')
        lines = _progress(node)
        if not lines:
            echo.echo_critical(f'{name} is of another kind: see `verdi process status {node.pk}`')
        if node.is_terminated and node.exit_message:
            lines.append(node.exit_message)
        for line in lines:
            echo.echo(f'  {line}')
    if running := [node for node in processes if not node.is_terminated]:
        _tell_what_stops(running)


def _tell_what_stops(running: list) -> None:
    """Say why processes that were submitted may not go on: there is no daemon, or it does not know of them."""
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.manage import get_manager

    from aiida_pesfp.queries.nodes import paused, reason_of_pause, waiting_for_a_worker

    why_paused = {}
    for node in paused(running):
        why_paused.setdefault(one_line(reason_of_pause(node)), []).append(str(node.pk))
    for why, pks in why_paused.items():
        words = (
            f'mend the cause, and let them go on by `verdi process play {" ".join(pks)}`; or, as if a folder is gone, '
        )
        words += 'end them by `verdi process kill`: other jobs take their structures'
        echo.echo_warning(f'{len(pks)} processes are paused ({why}): {words}')
    if get_manager().get_profile().process_control_backend is None:
        return
    if not get_daemon_client().is_daemon_running:
        echo.echo_warning('the daemon is not running, so nothing that was submitted goes on: `verdi daemon start`')
    elif waiting := waiting_for_a_worker(running, _LONGEST_START):
        names = some_of((f'{node.process_label}<{node.pk}>' for node in waiting), 3)
        echo.echo_warning(f'no worker has begun {names} for {_LONGEST_START // 60} minutes. {_REPAIR}')


def _progress(node) -> list[str]:
    """Lines about the progress of a process; none if it is of another kind."""
    from aiida_pesfp.queries.nodes import with_descendants
    from aiida_pesfp.queries.progress import dynamics_of

    if node.process_type == _CAMPAIGN:
        return _of_campaign(node)
    barriers = [_barrier_line(one) for one in with_descendants(node) if one.process_type == _BARRIER]
    screenings = [one for one in with_descendants(node) if one.process_type == _SCREENING]
    dynamics = barriers + [_line(run) for run in dynamics_of(node, DYNAMICS)]
    try:
        return [line for one in screenings or [node] for line in _of_scans(one, screenings)] + dynamics
    except ValueError:
        return dynamics or ['no dynamics yet'] * (node.process_type in _VALIDATIONS)


def _of_campaign(node) -> list[str]:
    from aiida_pesfp.queries.campaigns import progress_of

    progress = progress_of(node)
    to_scan = progress.total - progress.rejected
    rate = '' if progress.per_hour is None else f', {progress.per_hour:.0f} an hour'
    entries = {
        'structures done': f'{progress.done} of {to_scan}{rate}',
        'left out': f'{progress.rejected} of {progress.total} given' if progress.rejected else None,
        'failed': progress.failed or None,
        'shards ended': progress.ended,
    }
    if not node.is_terminated:
        running = ', '.join(f'{one.process_label}<{one.pk}>' for one in progress.running)
        entries['shards running'] = running or 'none'
        left = progress.seconds_left
        entries['time left'] = 'not known before the first' if left is None else f'about {_duration(left)}'
    return [f'{name:<17} {value}' for name, value in entries.items() if value is not None]


def _of_scans(node, screenings) -> list[str]:
    """Lines about a scan, or one of the screenings of a process, of which each has its own potential."""
    from aiida_pesfp.queries.progress import scan_progress_of

    title = [f'with {node.inputs.scan.potential.label}:'] if len(screenings) > 1 else []
    return title + _lines(node, scan_progress_of(node))


def _lines(node, progress) -> list[str]:
    total, rejected, rate = progress.total, progress.rejected, progress.evaluations_per_second
    entries = {
        'structures done': f'{progress.done} of {total - rejected}',
        'stopped early': f'{progress.stopped}, as soon as Xi was certain to be small' if progress.stopped else None,
        'left out': f'{rejected} of {total} given' if rejected else None,
        'failed': progress.failed or None,
        'evaluations': f'{progress.evaluations}' + (f', {rate:.0f} per second and job' if rate else ''),
    }
    silent = []
    if not node.is_terminated:
        left = progress.seconds_left
        entries['jobs running'] = progress.running
        entries['time left'] = 'not known before the first structure is done'
        if left is not None:
            entries['time left'] = f'about {_duration(left)}' if progress.running or not left else 'no job is running'
        silent = [f'job {pk} has written nothing yet ({why[:120]})' for pk, why in progress.silent.items()]
    return [f'{name:<17} {value}' for name, value in entries.items() if value is not None] + silent


def _barrier_line(node) -> str:
    from aiida_pesfp.queries.structures import name_of

    text = f'{name_of(node.inputs.barrier.structure)}, barrier: '
    if 'barrier' in node.outputs:
        return f'{text}{node.outputs.barrier.barrier:.3f} eV, {node.process_state.value}'
    return f'{text}{node.process_state.value}, job {len(node.called)}'


def _line(run) -> str:
    done = f'{run.done} of {run.steps} steps ({run.picoseconds:.3g} ps)'
    text = f'{run.name}, {run.engine}, {run.temperature:g} K: {done}'
    if run.nanoseconds_per_day is not None:
        text += f', {run.nanoseconds_per_day:.2g} ns a day'
    if run.seconds_left:
        text += f', about {_duration(run.seconds_left)} left'
    elif run.seconds_left == 0.0:
        text += f', {run.state}'
    elif run.silent is not None:
        text += f'; its job has written nothing yet ({run.silent[:120]})'
    return text


def _duration(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=round(seconds))
