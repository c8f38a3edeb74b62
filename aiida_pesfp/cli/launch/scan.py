"""``aiida-pesfp launch scan`` and ``launch screen``."""

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.launch import options as shared
from aiida_pesfp.cli.parameters import DEFAULT_POTENTIAL, POTENTIAL
from aiida_pesfp.settings.ordering import number_or_auto


@click.command('scan')
@shared.launch_options
@click.option('--potential', type=POTENTIAL, default=DEFAULT_POTENTIAL, help='Stored potential.')
@shared.scan_options
@decorators.with_dbenv()
def launch_scan(launching, potential, code, **settings):
    """Scan the potential energy surface of structures, all in one job, whatever their composition.

    \b
    aiida-pesfp launch scan Li2Te --protocol fast
    aiida-pesfp launch scan Li2Te --cell size_consistent
    aiida-pesfp launch scan 1234 1235 --potential m3gnet-mp-2021.2.8 --submit --walltime 12h
    """
    from aiida_pesfp.workflows.scan import ScanBaseWorkChain

    run_scans(ScanBaseWorkChain, launching, _parameters(launching, settings), [potential], code)


@click.command('screen')
@shared.launch_options
@shared.scan_options
@shared.criteria_options
@decorators.with_dbenv()
def launch_screen(launching, potentials, code, **chosen):
    """Select, scan and rank structures. Band gaps and energies above hull are those of their records.

    \b
    aiida-pesfp import folder cifs --table properties.csv
    aiida-pesfp launch screen cifs --protocol fast
    aiida-pesfp launch screen cifs --potential sevennet-0 --potential chgnet-0.3.0 --confirm
    aiida-pesfp launch screen cifs --submit --queue gpu --walltime 12h --jobs 8
    """
    from aiida_pesfp.workflows.screen import ScreenWorkChain

    run_scans(ScreenWorkChain, launching, screen_overrides(launching, chosen), potentials, code)


def screen_overrides(launching: shared.LaunchOptions, chosen: dict) -> dict:
    """Overrides of ``pesfp.screen`` from values of ``options.scan_options`` and ``options.criteria_options``."""
    parameters, chosen = _parameters(launching, chosen), shared.without_none(**chosen)
    jobs = ('max_structures_per_job', 'max_concurrent_jobs', 'confirm', 'reuse')
    jobs = {name: chosen.pop(name) for name in jobs if name in chosen}
    ordering = {name: chosen.pop(name) for name in shared.ORDERED if name in chosen}
    if 'number' in ordering:
        ordering |= number_or_auto(ordering.pop('number'))
    return jobs | {'ordering': ordering, 'criteria': chosen} | parameters


def _parameters(launching: shared.LaunchOptions, chosen: dict) -> dict:
    """Overrides of the settings of scans, which are taken out of the values of options."""
    settings = {name: chosen.pop(name) for name in shared.SCANNED}
    return {'scan': {'parameters': shared.without_none(species=launching.species, **settings)}}


def run_scans(workchain, launching: shared.LaunchOptions, overrides: dict, potentials, code, **stages):
    """Run a workchain that scans and print its results, or submit it; the node.

    :param potentials: the first, and for a screening further ones.
    :param overrides: by the options of the command, which take precedence over those of the file.
    :param stages: further arguments of ``get_builder_from_protocol``.
    """
    from aiida_pesfp.cli.results import print_candidates, print_ranking
    from aiida_pesfp.workflows.engines import check_plugin
    from aiida_pesfp.workflows.protocols import merge

    with shared.invalid_inputs_reported():
        check_plugin(code, 'pesfp.scan')
    overrides = merge(launching.read_overrides(workchain), overrides)
    structures, protocol = launching.nodes(), launching.protocol
    with shared.invalid_inputs_reported():
        arguments = (code, structures, potentials[0], protocol, overrides, launching.jobs)
        several = {'further_potentials': potentials[1:]} if len(potentials) > 1 else {}
        builder = workchain.get_builder_from_protocol(*arguments, **several, **stages)
    what = f'{len(structures)} structures'
    names = ' and '.join(one.label or one.name for one in potentials)
    further = {'barriers' if name == 'barrier' else 'dynamics' for name in stages}
    then = f', then {" and ".join(sorted(further))} of the best' if further else ''
    node = launching.start(builder, what, f'{what} with {names} ({protocol} protocol){then} ...')
    if launching.to_daemon:
        echo.echo_report(f'and look at the results so far with: aiida-pesfp rank {node.pk}')
        return
    if stages:
        print_candidates(node)
    print_ranking(node)
