"""``aiida-pesfp launch scan`` and ``launch screen``."""

from __future__ import annotations

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.launch import options as shared


@click.command('scan')
@shared.launch_options
@shared.POTENTIAL_OPTION
@shared.SCAN_CODE
@decorators.with_dbenv()
def launch_scan(launching, potential, code):
    """Scan the potential energy surface of structures, all in one job, whatever their composition.

    \b
    aiida-pesfp launch scan Li2Te --protocol fast
    aiida-pesfp launch scan 1234 1235 --potential m3gnet-mp-2021.2.8 --submit --walltime 12h
    """
    from aiida_pesfp.workflows.scan import ScanBaseWorkChain

    _launch(ScanBaseWorkChain, launching, potential, code, shared.scan_overrides(launching.species))


@click.command('screen')
@shared.launch_options
@shared.POTENTIAL_OPTION
@shared.SCAN_CODE
@shared.criteria_options
@decorators.with_dbenv()
def launch_screen(launching, potential, code, **criteria):
    """Select, scan and rank structures. Band gaps and energies above hull are those of their records.

    \b
    aiida-pesfp import folder cifs --table properties.csv
    aiida-pesfp launch screen cifs --protocol fast
    aiida-pesfp launch screen cifs --submit --queue gpu --walltime 12h --jobs 8
    """
    from aiida_pesfp.workflows.screen import ScreenWorkChain

    _launch(ScreenWorkChain, launching, potential, code, shared.screen_overrides(launching.species, criteria))


def _launch(workchain, launching, potential, code, overrides) -> None:
    """Build, and run or submit.

    :param overrides: by the options of the command.
    """
    from aiida_pesfp.cli.results import print_ranking
    from aiida_pesfp.workflows.protocols import merge

    shared.check_plugin(code, 'pesfp.scan')
    known = {'scan', 'max_iterations', 'properties', *workchain.get_protocol_inputs()}
    overrides = merge(launching.read_overrides(known), overrides)
    structures = launching.nodes()
    with shared.invalid_inputs_reported():
        builder = workchain.get_builder_from_protocol(
            code, structures, potential, launching.protocol, overrides, launching.jobs
        )
    what = f'{len(structures)} structures'
    report = f'{what} with {potential.name} ({launching.protocol} protocol) ...'
    node = launching.start(builder, f'{what}, {launching.protocol}', report)
    if launching.to_daemon:
        echo.echo_report(f'and look at the results so far with: aiida-pesfp rank {node.pk}')
    else:
        print_ranking(node)
