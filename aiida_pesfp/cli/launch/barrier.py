"""``aiida-pesfp launch barrier``."""

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.launch import options as shared
from aiida_pesfp.cli.parameters import CODE, DEFAULT_POTENTIAL, POTENTIAL
from aiida_pesfp.settings.barrier import BarrierSettings
from aiida_pesfp.settings.options import options_of
from aiida_pesfp.workflows.engines import BARRIER_PROGRAM


@click.command('barrier')
@shared.launch_options
@click.option('--potential', type=POTENTIAL, default=DEFAULT_POTENTIAL, help='Stored potential.')
@click.option('-X', '--code', type=CODE, default='pesfp-barrier@localhost', help=f'Code of {BARRIER_PROGRAM.label}.')
@options_of(BarrierSettings, overriding=True, picture={'type': click.Choice(['collective', 'vacancy'])})
@decorators.with_dbenv()
def launch_barrier(launching, potential, code, **chosen):
    """Migration barriers of the mobile ion in structures, with all other atoms relaxed around it.

    The cell stays as it is. A structure that fails does not affect the others.

    \b
    aiida-pesfp launch barrier LiI_wurtzite
    aiida-pesfp launch barrier LiI_wurtzite --method neb --submit --walltime 12h
    """
    from aiida_pesfp.cli.results import print_barriers
    from aiida_pesfp.queries.nodes import how_it_ended
    from aiida_pesfp.queries.structures import name_of
    from aiida_pesfp.workflows.barrier import BarrierBaseWorkChain

    overrides = {'barrier': {'parameters': shared.without_none(species=launching.species, **chosen)}}
    overrides = launching.overriding(BarrierBaseWorkChain, overrides)
    done = []
    for structure in launching.nodes().values():
        with shared.invalid_inputs_reported():
            builder = BarrierBaseWorkChain.get_builder_from_protocol(
                code, structure, launching.protocol, overrides, launching.jobs, potential=potential
            )
        label = name_of(structure)
        done.append(launching.start(builder, label, f'barriers of {label} with {potential.name} ...'))
    if launching.to_daemon:
        return
    print_barriers(done)
    if failed := [f'{node.label}: {how_it_ended(node)}' for node in done if not node.is_finished_ok]:
        echo.echo_critical('\n'.join(failed))
