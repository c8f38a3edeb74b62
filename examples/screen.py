"""Screen the structures of a folder: ``verdi run examples/screen.py``.

Needs what ``aiida-pesfp setup`` makes: the code pesfp-scan@localhost and the potential sevennet-0. Options::

    verdi run examples/screen.py --folder FOLDER    # CIF, POSCAR or other files; by default examples/structures
    verdi run examples/screen.py --protocol fast    # fast (the default here), paper, stringent
    verdi run examples/screen.py --species Na
    verdi run examples/screen.py --submit           # leave it to the daemon
"""

import sys
from pathlib import Path

import click
from aiida.common.exceptions import AiidaException
from aiida.engine import run_get_node, submit
from aiida.orm import StructureData, load_code, load_node
from tabulate import tabulate

from aiida_pesfp.cli.importing import store
from aiida_pesfp.queries.screening import unranked
from aiida_pesfp.queries.structures import by_name
from aiida_pesfp.sources.folder import read_folder
from aiida_pesfp.workflows.screen import ScreenWorkChain


def load_structures(folder: Path) -> dict[str, StructureData]:
    """The structures of a folder by keys made of the file names, each stored once, in the group ``examples``.

    A file that cannot be read is named with the reason, and the others are screened.
    """
    return by_name(store(read_folder([folder]), 'examples'))


def print_result(node) -> None:
    """Print the ranking, why the other structures are not in it, and where to look next."""
    if 'ranking' in node.outputs:
        names = ('xi_calibrated', 'xi', 'mpe', 'fv_connected', 'fv_disconnected')
        rows = [
            (place, row['key'], row['formula'], *(row[name] for name in names))
            for place, row in enumerate(node.outputs.ranking['rows'], start=1)
        ]
        headers = ('', 'structure', 'formula', 'Xi own', 'Xi', 'MPE/eV', 'FV conn.', 'FV disc.')
        click.echo(f'ranked by {node.outputs.ranking["ranked_by"]}')
        click.echo(tabulate(rows, headers, floatfmt=('', '', '', '.4f', '.4f', '.3f', '.4f', '.4f')))
    for one in unranked(node):
        click.echo(f'{one.label}: not ranked ({one.stage}): {one.reason}')
    click.echo(f'\nThe ranking is an output of {node.process_label}<{node.pk}>. Look further with:')
    click.echo(f'  verdi process show {node.pk}     # inputs, outputs and the jobs it called')
    click.echo(f'  verdi process status {node.pk}   # as a tree')
    click.echo('  verdi run examples/query.py     # the best structures, and where their numbers come from')


@click.command()
@click.option('--folder', type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option('--protocol', type=click.Choice(['fast', 'paper', 'stringent']), default='fast', show_default=True)
@click.option('--species', default='Li', show_default=True, help='The mobile ion.')
@click.option('--code', default='pesfp-scan@localhost', show_default=True)
@click.option('--potential', default='sevennet-0', show_default=True, help='Label, PK or UUID of a PotentialData.')
@click.option('--submit', 'to_daemon', is_flag=True, help='Submit to the daemon instead of running it here.')
def main(folder, protocol, species, code, potential, to_daemon):
    """Screen the structures of a folder and print the ranking."""
    try:
        code, potential = load_code(code), load_node(potential)
    except AiidaException as error:
        raise click.ClickException(f'{error}. Make it with: aiida-pesfp setup') from error
    structures = load_structures(folder or Path(sys.argv[0]).parent / 'structures')
    overrides = {'scan': {'parameters': {'species': species}}}
    try:
        builder = ScreenWorkChain.get_builder_from_protocol(code, structures, potential, protocol, overrides)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    builder.metadata.label = f'{len(structures)} structures, {protocol}'
    if to_daemon:
        node = submit(builder)
        click.echo(f'Submitted {node.process_label}<{node.pk}>. Follow it with: verdi process report {node.pk}')
        return
    click.echo(f'Screening {len(structures)} structures with {potential.name} ({protocol} protocol) ...')
    _, node = run_get_node(builder)
    print_result(node)
    if not node.is_finished_ok:
        raise click.ClickException(f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')


if __name__ == '__main__':
    main()
