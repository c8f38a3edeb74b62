"""Options of the commands that run molecular dynamics, as the table of engines has them."""

from __future__ import annotations

import click

from aiida_pesfp.cli.launch.options import code_beside, combined, without_none
from aiida_pesfp.workflows.engines import ENGINES, Engine

dynamics_options = combined(
    click.option('--relax/--no-relax', default=True, show_default=True, help='Relax structures before dynamics.'),
    click.option(
        '-t',
        '--temperature',
        'temperatures',
        multiple=True,
        type=click.FloatRange(0, min_open=True),
        help='K; repeatable.  [default: those of the protocol]',
    ),
    click.option(
        '--picoseconds',
        'duration_ps',
        type=click.FloatRange(0, min_open=True),
        help='Length of each run. A run shorter than 20 is analysed in shorter windows, and is too short to publish.  '
        '[default: that of the protocol]',
    ),
    # The potential of an engine is chosen by options of the commands.
    *(
        click.option(f'--{need.name.replace("_", "-")}', help=need.help)
        for need in {need.name: need for engine in ENGINES.values() for need in engine.needs}.values()
        if need.name != 'potential'
    ),
)


def needs_of(engine: Engine, chosen: dict) -> dict:
    """The chosen values that an engine needs.

    :param chosen: values of options, by the names of needs.
    """
    return without_none(**{need.name: chosen.get(need.name) for need in engine.needs})


def relax_code_of(engine: Engine, code):
    """The code that relaxes beside the code of the dynamics: itself, if one program does both."""
    if engine.relax_program == engine.program:
        return code
    return code_beside(code, engine.relax_program.label, 'make it, or leave structures as they are with --no-relax')
