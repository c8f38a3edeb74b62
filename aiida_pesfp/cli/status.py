"""``aiida-pesfp status``: how far a screening is."""

from __future__ import annotations

import datetime

import click
from aiida.cmdline.params import types
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli import main


@main.command('status')
@click.argument('processes', nargs=-1, type=types.ProcessParamType(), metavar='[PROCESS...]')
@decorators.with_dbenv()
def status(processes):
    """Show the progress of scans and screenings: the given ones, or all that run.

    Structures done of all, evaluations per second, and the time left, estimated from what the finished structures have
    cost. Running jobs are asked on the computer where they run.
    """
    from aiida_pesfp.workflows.progress import progress_of

    chosen = processes or _active()
    if not chosen:
        echo.echo_report('no scan and no screening is running: `verdi process list -a` lists old ones')
    for node in chosen:
        try:
            progress = progress_of(node)
        except ValueError as error:
            echo.echo_critical(f'{error}: see `verdi process status {node.pk}`')
        state = node.process_state.value if node.process_state else 'created'
        code = f' [{node.exit_status}]' if node.exit_status is not None else ''
        echo.echo(f'{node.process_label}<{node.pk}> {node.label}: {state}{code}')
        echo.echo(f'  structures done   {progress.done} of {progress.total - progress.rejected}')
        if progress.rejected:
            echo.echo(f'  left out          {progress.rejected} of {progress.total} given')
        if progress.failed:
            echo.echo(f'  failed            {progress.failed}')
        rate = progress.evaluations_per_second
        echo.echo(f'  evaluations       {progress.evaluations}' + (f', {rate:.0f} per second and job' if rate else ''))
        if not node.is_terminated:
            left = progress.seconds_left
            text = 'not known before the first structure is done'
            if left is not None:
                text = f'about {datetime.timedelta(seconds=round(left))}'
            echo.echo(f'  jobs running      {progress.running}')
            echo.echo(f'  time left         {text}')
            for pk, reason in progress.silent.items():
                echo.echo(f'  job {pk} says nothing yet ({reason[:120]})')
        elif node.exit_message:
            echo.echo(f'  {node.exit_message}')


def _active() -> list:
    """Processes of ours that have not ended and that nothing else of ours has called."""
    from aiida.orm import ProcessNode, QueryBuilder

    filters = {
        'attributes.process_state': {'in': ['created', 'waiting', 'running']},
        'process_type': {'in': [f'aiida.workflows:pesfp.{name}' for name in ('screen', 'scan.base')]},
    }
    found = QueryBuilder().append(ProcessNode, filters=filters).order_by({ProcessNode: 'id'}).all(flat=True)
    return [node for node in found if node.caller is None or node.caller not in found]
