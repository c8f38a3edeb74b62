"""``aiida-pesfp launch conductivity``."""

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.launch import options as shared
from aiida_pesfp.cli.parameters import CODE, DEFAULT_POTENTIAL, POTENTIAL
from aiida_pesfp.workflows.engines import ENGINES, engine_of_code

_PROGRAMS, _RELAX_PROGRAMS = (
    ', '.join(dict.fromkeys(getattr(engine, name).label for engine in ENGINES.values()))
    for name in ('program', 'relax_program')
)


@click.command('conductivity')
@shared.launch_options
@click.option('--potential', type=POTENTIAL, help=f'Stored potential, if needed.  [default: {DEFAULT_POTENTIAL}]')
@click.option('-X', '--code', type=CODE, default='pesfp-md@localhost', help=f'Code of one of: {_PROGRAMS}.')
@click.option(
    '--relax-code', type=CODE, help=f'Code of one of: {_RELAX_PROGRAMS}.  [default: that on the same computer]'
)
@shared.dynamics_options
@decorators.with_dbenv()
def launch_conductivity(launching, code, relax_code, relax_first, temperatures, duration_ps, **needs):
    """Molecular dynamics of structures at several temperatures, to conductivities and activation energies.

    Each structure is relaxed, made into a supercell, and simulated with the engine that the code belongs to: a
    machine-learned potential, or SIESTA. A structure that fails does not affect the others.

    \b
    aiida-pesfp launch conductivity LiI -t 667 -t 1000 --submit
    aiida-pesfp launch conductivity LiI --protocol fast --picoseconds 2    # to see how it goes
    aiida-pesfp launch conductivity LiI --code siesta@cluster --pseudo-family LABEL --submit --walltime 24h
    """
    from aiida_pesfp.cli.results import print_conductivities
    from aiida_pesfp.queries.nodes import how_it_ended
    from aiida_pesfp.queries.structures import name_of
    from aiida_pesfp.workflows.conductivity import ConductivityWorkChain

    with shared.invalid_inputs_reported():
        engine = engine_of_code(code, ['potential'])
    if needs['potential'] is None and any(need.name == 'potential' for need in engine.needs):
        needs['potential'] = POTENTIAL.convert(DEFAULT_POTENTIAL, None, click.get_current_context())
    if relax_code is None or not relax_first:
        relax_code = shared.relax_code_of(engine, code, relax_first)
    overrides = shared.without_none(duration_ps=duration_ps, temperatures=list(temperatures) or None)
    overrides = launching.overriding(engine.dynamics_workchain, overrides)
    failed = []
    for structure in launching.nodes().values():
        label = name_of(structure)
        with shared.invalid_inputs_reported():
            builder = ConductivityWorkChain.get_builder_from_protocol(
                code,
                structure,
                engine=engine.name,
                relax_code=relax_code,
                protocol=launching.protocol,
                overrides=overrides,
                options=launching.jobs,
                **shared.without_none(species=launching.species),
                **shared.needs_of(engine, needs),
            )
        report = f'dynamics of {label} at {", ".join(map("{:g} K".format, builder.temperatures))} ...'
        node = launching.start(builder, label, report)
        if not launching.to_daemon:
            print_conductivities(node)
            if not node.is_finished_ok:
                failed.append(f'{label}: {how_it_ended(node)}')
    if failed:
        echo.echo_critical('\n'.join(failed))
