"""``aiida-pesfp launch screen-and-validate``."""

from collections.abc import Iterator

import click
from aiida.cmdline.utils import decorators

from aiida_pesfp.cli.launch import options as shared
from aiida_pesfp.cli.launch.scan import run_scans, screen_overrides
from aiida_pesfp.cli.parameters import CODE, POTENTIAL, combined
from aiida_pesfp.workflows.engines import BARRIER_PROGRAM, ENGINES, Engine


def _stage_options(engine: Engine) -> Iterator:
    """Options of the stage of an engine: its code, how many candidates, and whether to leave it out."""
    name, title = engine.name, engine.title
    default = 'that on the computer of the scans' if engine.by_default else 'none, and no such dynamics'
    text = f'Code of {engine.program.label}, for dynamics with {title}.  [default: {default}]'
    yield click.option(f'--{name}', f'{name}_code', type=CODE, help=text)
    yield click.option(f'--{name}-candidates', type=click.IntRange(1), help='Most structures for these dynamics.')
    if engine.by_default:
        yield click.option(f'--no-{name}', is_flag=True, help=f'No dynamics with {title}.')


@click.command('screen-and-validate')
@shared.launch_options
@shared.scan_options
@shared.criteria_options
@click.option('--select', help='Candidates are structures for which this is true.  [default: xi_calibrated > 0.25]')
@click.option('--barrier-candidates', type=click.IntRange(1), help='Rank so many by barriers.  [default: none]')
@click.option('--barrier', 'barrier_code', type=CODE, help=f'Code of {BARRIER_PROGRAM.label}, for barriers.')
@click.option(
    '--md-potential', type=POTENTIAL, help='Potential of barriers and dynamics.  [default: the first of the scans]'
)
@combined(*(option for engine in ENGINES.values() for option in _stage_options(engine)))
@shared.dynamics_options
@decorators.with_dbenv()
def launch_screen_and_validate(launching, potentials, code, **options):
    """Screen structures, run molecular dynamics of the best, and of the best of these with SIESTA.

    With --barrier-candidates, the best are ranked by their barriers with a relaxed framework first. Without it, Xi
    alone chooses what is simulated, as in the paper.

    \b
    aiida-pesfp launch screen-and-validate cifs --submit
    aiida-pesfp launch screen-and-validate cifs --barrier-candidates 20 --submit
    aiida-pesfp launch screen-and-validate cifs --protocol fast --ml-candidates 1 --picoseconds 1  # to see how it goes
    aiida-pesfp launch screen-and-validate cifs --siesta siesta@cluster --pseudo-family LABEL --submit
    """
    from aiida_pesfp.workflows.screen_and_validate import ScreenAndValidateWorkChain

    stages = _stages(launching, code, options, potential=options.pop('md_potential') or potentials[0])
    overrides = shared.without_none(select=options.pop('select'))
    overrides['screen'] = screen_overrides(launching, options)
    overrides = launching.overriding(ScreenAndValidateWorkChain, overrides)
    run_scans(ScreenAndValidateWorkChain, launching, overrides, launching.nodes(), potentials, code, **stages)


def _barriers(launching, scan_code, options: dict, potential) -> dict:
    """The stage of barriers, if it was chosen."""
    code, candidates = options.pop('barrier_code'), options.pop('barrier_candidates')
    if code is None and candidates is None:
        return {}
    if code is None:
        code = shared.code_beside(scan_code, BARRIER_PROGRAM.label, 'make it, or name another with --barrier')
    chosen = shared.without_none(code=code, potential=potential, candidates=candidates, options=launching.jobs)
    return {'barrier': chosen}


def _stages(launching, scan_code, options: dict, potential) -> dict:
    """Inputs of the stages that were chosen. What belongs to them is taken out of the options."""
    relax, temperatures = options.pop('relax_first'), list(options.pop('temperatures')) or None
    overrides = shared.without_none(duration_ps=options.pop('duration_ps'), temperatures=temperatures)
    names = {need.name for engine in ENGINES.values() for need in engine.needs}
    needs = {name: options.pop(name, None) for name in names} | {'potential': potential}
    stages = _barriers(launching, scan_code, options, needs['potential'])
    for name, engine in ENGINES.items():
        code, candidates = options.pop(f'{name}_code'), options.pop(f'{name}_candidates')
        left_out = options.pop(f'no_{name}', False)
        if code is None and engine.by_default and not left_out:
            code = shared.code_beside(scan_code, engine.program.label, f'name another with --{name}')
        if code is None or left_out:
            continue
        stages[name] = shared.without_none(
            code=code,
            relax_code=shared.relax_code_of(engine, code, relax),
            candidates=candidates,
            overrides=overrides,
            options=launching.jobs,
            **shared.needs_of(engine, needs),
        )
    return stages
