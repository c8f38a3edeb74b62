"""Screen a folder, then run molecular dynamics of the best: ``verdi run examples/screen_and_validate.py``.

Needs what ``aiida-pesfp setup`` makes. Options::

    --folder FOLDER --protocol paper                     # as in the paper: weeks on two cores
    --candidates 2 --picoseconds 1                       # too short to publish; shows that it works
    --siesta siesta@cluster --pseudo-family LABEL        # the best of these with SIESTA
    --submit                                             # leave it to the daemon and come back later

If caching is on (``verdi config set caching.default_enabled true``), the same command computes nothing twice.
"""

import sys
from pathlib import Path

import click
from aiida.common.exceptions import NotExistent
from aiida.engine import run_get_node, submit
from aiida.orm import load_code, load_node

sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))

from screen import load_structures

from aiida_pesfp.cli.results import print_candidates
from aiida_pesfp.workflows.screen_and_validate import ScreenAndValidateWorkChain


@click.command()
@click.option('--folder', type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option('--protocol', type=click.Choice(['fast', 'paper', 'stringent']), default='fast', show_default=True)
@click.option('--potential', default='sevennet-0', show_default=True, help='Of the scans and of the ML dynamics.')
@click.option('--candidates', type=int, help='How many at most go on to dynamics.')
@click.option('--picoseconds', type=float, help='Length of each run in place of that of the protocol.')
@click.option('--siesta', help='Code of SIESTA, for the best of the best.')
@click.option('--pseudo-family', help='Family of pseudopotentials for SIESTA.')
@click.option('--submit', 'to_daemon', is_flag=True, help='Submit to the daemon instead of running it here.')
def main(folder, protocol, potential, candidates, picoseconds, siesta, pseudo_family, to_daemon):
    """Screen the structures of a folder and run molecular dynamics of the best."""
    try:
        codes = {name: load_code(f'pesfp-{name}@localhost') for name in ('scan', 'md', 'relax')}
        potential = load_node(potential)
        siesta_code = load_code(siesta) if siesta else None
    except NotExistent as error:
        raise click.ClickException(f'{error}. Make it with: aiida-pesfp setup') from error
    stage = {'code': codes['md'], 'relax_code': codes['relax'], 'potential': potential}
    if candidates is not None:
        stage['candidates'] = candidates
    if picoseconds is not None:
        stage['overrides'] = {'duration_ps': picoseconds}
    siesta_stage = siesta and {'code': siesta_code, 'relax_code': siesta_code, 'pseudo_family': pseudo_family}
    structures = load_structures(folder or Path(sys.argv[0]).parent / 'structures')
    builder = ScreenAndValidateWorkChain.get_builder_from_protocol(
        codes['scan'], structures, potential, ml=stage, siesta=siesta_stage or None, protocol=protocol
    )
    builder.metadata.label = f'{len(structures)} structures, {protocol}'
    if to_daemon:
        node = submit(builder)
        click.echo(f'Submitted {node.process_label}<{node.pk}>. Follow it with: verdi process report {node.pk}')
        return
    _, node = run_get_node(builder)
    if not node.is_finished_ok:
        raise click.ClickException(f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')
    print_candidates(node)


if __name__ == '__main__':
    main()
