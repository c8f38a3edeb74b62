"""``aiida-pesfp export``: rankings and surfaces as files."""

import itertools
import json
from pathlib import Path

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.params import options, types
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import FILE
from aiida_pesfp.cli.rank import select, selection_options, tell_ranking
from aiida_pesfp.errors import GridDropped
from aiida_pesfp.settings.descriptors import KINDS
from aiida_pesfp.tables.table import write_table

PES = types.DataParamType(sub_classes=('aiida.data:pesfp.pes',))
BARRIER = types.DataParamType(sub_classes=('aiida.data:pesfp.barrier',))


def output_option(endings: str):
    """Option of the file that is written."""
    text = f'File to write; its ending decides the format: {endings}.'
    return click.option('-o', '--output', type=FILE, required=True, help=text)


FORCE = options.FORCE(help='Overwrite an existing file.')


@click.group('export', cls=VerdiCommandGroup)
def export():
    """Write what is in the graph to files."""


@export.command('ranking')
@selection_options
@output_option('.csv, .json, or .extxyz with the structures')
@FORCE
@decorators.with_dbenv()
def export_ranking(output, force, **selection):
    """Write a ranking, chosen as by `aiida-pesfp rank`.

    \b
    aiida-pesfp export ranking sulfides --where "xi > 0.25" -o top.csv
    """
    _check(output, force, ('.csv', '.json', '.extxyz'))
    rows = select(**selection)
    tell_ranking(rows)
    if output.suffix == '.json':
        output.write_text(json.dumps(rows, indent=1))
    else:
        (write_table if output.suffix == '.csv' else _write_structures)(rows, output)
    echo.echo_success(f'wrote {len(rows)} structures to {output}')


@export.command('archive')
@selection_options
@output_option('.aiida')
@FORCE
@decorators.with_dbenv()
def export_archive(output, force, **selection):
    """Write an AiiDA archive of results and all that they come from, chosen as by `aiida-pesfp rank`.

    \b
    aiida-pesfp export archive sulfides --where "xi > 0.25" -o best.aiida
    verdi archive import best.aiida

    It has surfaces, descriptors, barriers, conductivities and activation energies, with their structures, records,
    potentials and jobs, but not the screenings, which would bring all their other structures along.
    """
    from aiida.orm import load_node
    from aiida.tools.archive import create_archive

    from aiida_pesfp.data.arrhenius import ArrheniusData
    from aiida_pesfp.data.barrier import BarrierData
    from aiida_pesfp.data.conductivity import ConductivityData
    from aiida_pesfp.queries.structures import results_of

    _check(output, force, ('.aiida',))
    rows = select(**selection)
    nodes, structures = [load_node(row['pk']) for row in rows], [row['structure_uuid'] for row in rows]
    for kind in (BarrierData, ConductivityData, ArrheniusData):
        nodes += itertools.chain.from_iterable(results_of(structures, kind).values())
    create_archive(nodes, output, overwrite=force, call_calc_backward=False, call_work_backward=False)
    echo.echo_success(f'wrote {len(rows)} results with their origins to {output}')


@export.command('pes')
@click.argument('pes', type=PES, metavar='PES')
@output_option('.cube or .xsf for VESTA and others, .csv for the energy along the easiest path')
@click.option('--kind', type=click.Choice(KINDS), default='energy', help='Energy or levels.')
@click.option('--ion', type=int, help='Of one ion instead of the union of all.')
@FORCE
@decorators.with_dbenv()
def export_pes(pes, output, kind, ion, force):
    """Write a potential energy surface, a PesData by PK, UUID or label.

    \b
    aiida-pesfp export pes 1234 -o energy.cube
    aiida-pesfp export pes 1234 -o level.xsf --kind level --ion 3
    aiida-pesfp export pes 1234 -o path.csv
    """
    _check(output, force, [f'.{kind}' for kind in pes.get_export_formats()])
    chosen = {'ion': ion} | ({} if output.suffix == '.csv' else {'kind': kind})
    try:
        pes.export(str(output), overwrite=force, **chosen)
    except (ValueError, OSError, GridDropped) as error:
        echo.echo_critical(f'{pes.label}<{pes.pk}> cannot be written to {output}: {error}')
    echo.echo_success(f'wrote {output}')
    if pes.base.attributes.get('stopped_early', False):
        echo.echo_warning('its scan stopped early: most of these energies are estimates')


@export.command('barrier')
@click.argument('barrier', type=BARRIER, metavar='BARRIER')
@output_option('.extxyz, for ASE, OVITO and others')
@click.option('--path', type=click.IntRange(0), help='Index of the path.  [default: that of the barrier]')
@FORCE
@decorators.with_dbenv()
def export_barrier(barrier, output, path, force):
    """Write the configurations along a path of a BarrierData, with their energies.

    \b
    aiida-pesfp export barrier 1234 -o path.extxyz
    """
    _check(output, force, ['.extxyz'])
    try:
        barrier.export(str(output), overwrite=force, number=path)
    except (KeyError, OSError) as error:
        echo.echo_critical(f'{barrier.label}<{barrier.pk}> cannot be written to {output}: {error}')
    echo.echo_success(f'wrote {output}')


def _check(output: Path, force: bool, endings) -> None:
    if output.suffix not in endings:
        echo.echo_critical(f'{output}: the ending has to be one of {", ".join(endings)}')
    if output.exists() and not force:
        echo.echo_critical(f'{output} exists: overwrite it with --force')
    if not output.parent.is_dir():
        echo.echo_critical(f'there is no folder {output.parent}')


def _write_structures(rows: list[dict], output: Path) -> None:
    from aiida.orm import load_node
    from ase.io import write

    images = []
    for row in rows:
        atoms = load_node(row['structure_uuid']).get_ase()
        atoms.info = {name: value for name, value in row.items() if value not in (None, '')}
        images.append(atoms)
    write(output, images, format='extxyz')
