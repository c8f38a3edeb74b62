"""``aiida-pesfp launch``: scans, screenings, dynamics, and all of it."""

from __future__ import annotations

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.launch import options as launching
from aiida_pesfp.cli.parameters import CODE, DEFAULT_POTENTIAL, POTENTIAL

SCAN_CODE = click.option(
    '-X', '--code', type=CODE, default='pesfp-scan@localhost', show_default=True, help='Code of pesfp-scan.'
)
TEMPERATURES = click.option(
    '-t',
    '--temperature',
    'temperatures',
    multiple=True,
    type=click.FloatRange(0, min_open=True),
    help='K; repeatable.  [default: those of the protocol]',
)
PICOSECONDS = click.option(
    '--picoseconds',
    type=click.FloatRange(0, min_open=True),
    help='Length of each run. One shorter than 20 is analysed in shorter windows, and not to be published.  [default: '
    'that of the protocol]',
)
RELAX = click.option('--relax/--no-relax', default=True, show_default=True, help='Relax structures before dynamics.')
PSEUDO_FAMILY = click.option('--pseudo-family', help='Label of a family of pseudopotentials, for SIESTA.')


@click.group('launch', cls=VerdiCommandGroup)
def launch():
    """Run or submit calculations.

    Structures are named by the label of a group, by PK, UUID or label of a StructureData, or by a folder or file, which
    is imported first. Several can be mixed.
    """


@launch.command('scan')
@launching.launch_options
@launching.POTENTIAL_OPTION
@SCAN_CODE
@decorators.with_dbenv()
def launch_scan(structures, **options):
    """Scan the potential energy surface of structures, all in one job, whatever their composition.

    \b
    aiida-pesfp launch scan Li2Te --protocol fast
    aiida-pesfp launch scan 1234 1235 --potential m3gnet-mp-2021.2.8 --submit --walltime 12h
    """
    from aiida_pesfp.workflows.scan import ScanBaseWorkChain

    _launch_scans(ScanBaseWorkChain, structures, {}, **options)


@launch.command('screen')
@launching.launch_options
@launching.POTENTIAL_OPTION
@SCAN_CODE
@launching.criteria_options
@decorators.with_dbenv()
def launch_screen(structures, **options):
    """Select, scan and rank structures. Band gaps and energies above hull are those of their records.

    \b
    aiida-pesfp import folder cifs --table properties.csv
    aiida-pesfp launch screen cifs --protocol fast
    aiida-pesfp launch screen cifs --submit --queue gpu --walltime 12h --jobs 8
    """
    from aiida_pesfp.workflows.screen import ScreenWorkChain

    _launch_scans(ScreenWorkChain, structures, launching.criteria(options), **options)


def _launch_scans(
    workchain, structures, chosen, code, potential, protocol, species, label, to_daemon, overrides, device, **options
) -> None:
    """Build, and run or submit."""
    from aiida_pesfp.cli.results import print_ranking
    from aiida_pesfp.workflows.protocols import merge

    launching.check_plugin(code, 'pesfp.scan')
    known = {'scan', 'max_iterations', 'properties', *workchain.get_protocol_inputs()}
    content = merge(launching.read_overrides(overrides, known), chosen | _species(species))
    if to_daemon:
        launching.check_daemon()
    found = launching.chosen_structures(structures)
    with launching.inputs_that_fit():
        builder = workchain.get_builder_from_protocol(
            code, found, potential, protocol, content, launching.job_options(options)
        )
    if device:
        builder.scan.device = device
    builder.metadata.label = label or f'{len(found)} structures, {protocol}'
    if not to_daemon:
        echo.echo_report(f'{len(found)} structures with {potential.name} ({protocol} protocol) ...')
    node = launching.start(builder, to_daemon)
    if to_daemon:
        echo.echo_report(f'and look at the results so far with: aiida-pesfp rank {node.pk}')
    else:
        print_ranking(node)


@launch.command('conductivity')
@launching.launch_options
@click.option('--potential', type=POTENTIAL, help=f'Stored potential, for pesfp-md.  [default: {DEFAULT_POTENTIAL}]')
@click.option('-X', '--code', type=CODE, default='pesfp-md@localhost', show_default=True, help='pesfp-md, or SIESTA.')
@click.option('--relax-code', type=CODE, help='pesfp-relax, or SIESTA.  [default: on the same computer]')
@RELAX
@TEMPERATURES
@PICOSECONDS
@PSEUDO_FAMILY
@decorators.with_dbenv()
def launch_conductivity(structures, label, to_daemon, **options):
    """Molecular dynamics of structures at several temperatures, to conductivities and activation energies.

    Each structure is relaxed, made a supercell of, and simulated, with a machine-learned potential, or with SIESTA if
    the code is one of SIESTA. One that fails costs the others nothing.

    \b
    aiida-pesfp launch conductivity LiI -t 667 -t 1000 --submit
    aiida-pesfp launch conductivity LiI --protocol fast --picoseconds 2    # to see how it goes
    aiida-pesfp launch conductivity LiI --code siesta@cluster --pseudo-family LABEL --submit --walltime 24h
    """
    from aiida_pesfp.cli.results import print_conductivities

    if to_daemon:
        launching.check_daemon()
    if options['potential'] is None and _engine_of(options['code']) == 'ml':  # a user of SIESTA need not have it
        options['potential'] = POTENTIAL.convert(DEFAULT_POTENTIAL, None, click.get_current_context())
    builders = _conductivity_builders(launching.chosen_structures(structures), **options)
    failed = []
    for key, builder in builders.items():
        builder.metadata.label = label or f'{key}, {options["protocol"]}'
        if not to_daemon:
            echo.echo_report(f'dynamics of {key} at {", ".join(map("{:g} K".format, builder.temperatures))} ...')
        node = launching.start(builder, to_daemon)
        if not to_daemon:
            print_conductivities(node)
            if not node.is_finished_ok:
                failed.append(f'{key}: {node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')
    if failed:
        echo.echo_critical('\n'.join(failed))


def _conductivity_builders(
    structures, code, relax_code, relax, potential, protocol, species, overrides, temperatures, picoseconds,
    pseudo_family, device, **options,
) -> dict:  # fmt: skip
    """A builder for each structure."""
    from aiida.orm import Dict

    from aiida_pesfp.workflows.conductivity import ENGINES, ConductivityWorkChain, analysis_of_short_runs
    from aiida_pesfp.workflows.protocols import merge

    engine = _engine_of(code)
    dynamics = ENGINES[engine][0]
    content = launching.read_overrides(overrides, set(dynamics.get_protocol_inputs()))
    if device and engine == 'ml':  # SIESTA knows none
        content = merge(content, {'md': {'device': device}})
    shared = {
        'relax_code': relax_code or _relax_code(code, engine) if relax else None,
        'potential': potential if engine == 'ml' else None,
        'pseudo_family': pseudo_family if engine == 'siesta' else None,
        'species': species,
        'temperatures': list(temperatures) or None,
        'protocol': protocol,
        'overrides': content if picoseconds is None else content | {'duration_ps': picoseconds},
        'options': launching.job_options(options),
    }
    builders = {}
    for key, structure in structures.items():
        with launching.inputs_that_fit():
            builder = ConductivityWorkChain.get_builder_from_protocol(code, structure, **shared)
        if picoseconds is not None:
            builder.analysis = Dict(builder.analysis.get_dict() | analysis_of_short_runs(picoseconds))
        builders[key] = builder
    return builders


@launch.command('screen-and-validate')
@launching.launch_options
@launching.POTENTIAL_OPTION
@SCAN_CODE
@launching.criteria_options
@click.option('--select', help='Candidates are structures for which this is true.  [default: xi > 0.25]')
@click.option('--ml/--no-ml', default=True, show_default=True, help='Dynamics with a machine-learned potential.')
@click.option('--md-code', type=CODE, help='Code of pesfp-md.  [default: on the computer of the scans]')
@click.option('--md-potential', type=POTENTIAL, help='Potential of the dynamics.  [default: that of the scans]')
@click.option('--candidates', type=click.IntRange(1), help='Most structures that go on to dynamics.')
@click.option('--siesta', type=CODE, help='Code of SIESTA, for the best of these. Without it there is no such stage.')
@click.option('--siesta-candidates', type=click.IntRange(1), help='Most structures that go on to SIESTA.')
@PSEUDO_FAMILY
@RELAX
@TEMPERATURES
@PICOSECONDS
@decorators.with_dbenv()
def launch_screen_and_validate(structures, label, to_daemon, **options):
    """Screen structures, run molecular dynamics of the best, and of the best of these with SIESTA.

    \b
    aiida-pesfp launch screen-and-validate cifs --submit
    aiida-pesfp launch screen-and-validate cifs --protocol fast --candidates 1 --picoseconds 1    # to see how it goes
    aiida-pesfp launch screen-and-validate cifs --siesta siesta@cluster --pseudo-family LABEL --submit
    """
    from aiida_pesfp.cli.results import print_candidates, print_ranking

    if to_daemon:
        launching.check_daemon()
    found = launching.chosen_structures(structures)
    builder = _validation_builder(found, **options)
    builder.metadata.label = label or f'{len(found)} structures, {options["protocol"]}'
    if not to_daemon:
        echo.echo_report(f'{len(found)} structures with {options["potential"].name}, then dynamics of the best ...')
    node = launching.start(builder, to_daemon)
    if not to_daemon:
        print_candidates(node)
        print_ranking(node)


def _validation_builder(
    structures, code, potential, protocol, species, overrides, select, ml, md_code, md_potential, candidates, siesta,
    siesta_candidates, pseudo_family, relax, temperatures, picoseconds, device, **options,
):  # fmt: skip
    """The builder of the whole workflow."""
    from aiida_pesfp.workflows.conductivity import analysis_of_short_runs
    from aiida_pesfp.workflows.protocols import merge
    from aiida_pesfp.workflows.screen_and_validate import ScreenAndValidateWorkChain

    launching.check_plugin(code, 'pesfp.scan')
    known = {'screen', *ScreenAndValidateWorkChain.get_protocol_inputs()}
    screen = launching.criteria(options) | _species(species)
    content = merge(
        launching.read_overrides(overrides, known), launching.given({'select': select}) | {'screen': screen}
    )
    jobs = launching.job_options(options)
    shared = {'options': jobs, 'temperatures': list(temperatures) or None}
    if picoseconds is not None:
        shared |= {'overrides': {'duration_ps': picoseconds}, 'analysis': analysis_of_short_runs(picoseconds)}
    stages = {}
    if ml:
        md_code = md_code or _code_beside(code, 'pesfp-md', '--md-code')
        own = {'code': md_code, 'potential': md_potential or potential, 'candidates': candidates}
        if device:
            own['overrides'] = merge(shared.get('overrides', {}), {'md': {'device': device}})
        stages['ml'] = launching.given(shared | own | {'relax_code': _relax_code(md_code, 'ml') if relax else None})
        launching.check_plugin(md_code, 'pesfp.md')
    if siesta:
        own = {'code': siesta, 'pseudo_family': pseudo_family, 'candidates': siesta_candidates}
        stages['siesta'] = launching.given(shared | own | {'relax_code': siesta if relax else None})
        launching.check_plugin(siesta, *_SIESTA)
    with launching.inputs_that_fit():
        builder = ScreenAndValidateWorkChain.get_builder_from_protocol(
            code, structures, potential, **stages, protocol=protocol, overrides=content, options=jobs
        )
    if device:
        builder.screen.scan.device = device
    return builder


_SIESTA = ('pesfp.siesta_md', 'siesta.siesta')


def _engine_of(code) -> str:
    launching.check_plugin(code, 'pesfp.md', *_SIESTA)
    return 'siesta' if code.default_calc_job_plugin in _SIESTA else 'ml'


def _relax_code(code, engine: str):
    """SIESTA relaxes itself; beside ``pesfp-md`` is ``pesfp-relax``."""
    return code if engine == 'siesta' else _code_beside(code, 'pesfp-relax', '--relax-code, or say --no-relax')


def _code_beside(code, label: str, option: str):
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_code

    try:
        return load_code(f'{label}@{code.computer.label}')
    except NotExistent:
        echo.echo_critical(f'there is no code {label}@{code.computer.label}: name another with {option}')


def _species(species: str) -> dict:
    return {'scan': {'parameters': {'species': species}}}
