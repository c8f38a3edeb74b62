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

    overrides = launching.overriding(ScanBaseWorkChain, _parameters(launching, settings))
    run_scans(ScanBaseWorkChain, launching, overrides, launching.nodes(), [potential], code)


@click.command('screen')
@shared.launch_options
@shared.scan_options
@shared.criteria_options
@click.option(
    '--structures-per-shard',
    'most',
    type=click.IntRange(1),
    help='More structures than that are screened in shards.  [default: that of the protocol]',
)
@decorators.with_dbenv()
def launch_screen(launching, potentials, code, most, **chosen):
    """Select, scan and rank structures. Band gaps and energies above hull are those of their records.

    A large group becomes a campaign, which screens it in shards. Structures that are added to the group meanwhile are
    screened too. The same command again repeats nothing: it takes what is there, and screens the rest.

    \b
    aiida-pesfp import folder cifs --table properties.csv
    aiida-pesfp launch screen cifs --protocol fast
    aiida-pesfp launch screen cifs --potential sevennet-0 --potential chgnet-0.3.0 --confirm
    aiida-pesfp launch screen cifs --submit --queue gpu --walltime 12h --jobs 8
    """
    from aiida_pesfp.workflows.campaign import CampaignWorkChain
    from aiida_pesfp.workflows.screen import ScreenWorkChain

    shards = shared.without_none(max_structures_per_shard=most)
    most = CampaignWorkChain.get_protocol_inputs(launching.protocol, shards)['max_structures_per_shard']
    overrides = launching.overriding(ScreenWorkChain, screen_overrides(launching, chosen))
    found = launching.nodes_or_group(most)
    if isinstance(found, dict):
        run_scans(ScreenWorkChain, launching, overrides, found, potentials, code)
    else:
        _check_campaigns(found)
        run_scans(CampaignWorkChain, launching, {'screen': overrides, **shards}, found, potentials, code)


def _check_campaigns(group) -> None:
    """Stop if a campaign of the group has not ended: two of them would compute the same."""
    from aiida.manage import get_manager

    from aiida_pesfp.queries.campaigns import campaigns_of

    if running := [node for node in campaigns_of(group.uuid) if not node.is_terminated]:
        name = f'{running[0].process_label}<{running[0].pk}>'
        if get_manager().get_profile().process_control_backend is None:
            echo.echo_warning(f'{name} of the group {group.label!r} has not ended: is it run in another terminal?')
            return
        echo.echo_critical(
            f'{name} screens the group {group.label!r} already, and takes what you add to it: `aiida-pesfp status '
            f'{running[0].pk}`. To begin anew, end it first by `verdi process kill {running[0].pk}`: what it has '
            'computed is taken.'
        )


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


def run_scans(workchain, launching: shared.LaunchOptions, overrides: dict, structures, potentials, code, **stages):
    """Run a workchain that scans and print its results, or submit it; the node.

    :param overrides: those of the file and of the options of the command.
    :param structures: by key, or for a campaign the group.
    :param potentials: the first, and for a screening further ones.
    :param stages: further arguments of ``get_builder_from_protocol``.
    """
    from aiida_pesfp.cli.results import print_candidates, print_ranking
    from aiida_pesfp.workflows.engines import check_plugin

    protocol = launching.protocol
    with shared.invalid_inputs_reported():
        check_plugin(code, 'pesfp.scan')
        arguments = (code, structures, potentials[0], protocol, overrides, launching.jobs)
        several = {'further_potentials': potentials[1:]} if len(potentials) > 1 else {}
        builder = workchain.get_builder_from_protocol(*arguments, **several, **stages)
    what = f'{len(structures)} structures' if isinstance(structures, dict) else f'the group {structures.label}'
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
