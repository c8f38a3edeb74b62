"""Conductivity and activation energy of one structure by ML dynamics: ``verdi run examples/conductivity.py FILE``.

Needs what ``aiida-pesfp setup`` makes: the codes pesfp-md and pesfp-relax, and a potential. Options::

    verdi run examples/conductivity.py FILE --protocol paper        # 500 and 1000 K, 100 ps each: days on two cores
    verdi run examples/conductivity.py FILE -t 800 -t 1000          # other temperatures
    verdi run examples/conductivity.py FILE --picoseconds 3         # too short to publish; shows that it works
    verdi run examples/conductivity.py FILE --submit                # leave it to the daemon
"""

from pathlib import Path

import click
from aiida.common.exceptions import NotExistent
from aiida.engine import run_get_node, submit
from aiida.orm import StructureData, load_code, load_node
from ase.io import read

from aiida_pesfp.cli.results import print_conductivities
from aiida_pesfp.workflows.conductivity import ConductivityWorkChain


@click.command()
@click.argument('path', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option('--protocol', type=click.Choice(['fast', 'paper', 'stringent']), default='fast', show_default=True)
@click.option('--species', default='Li', show_default=True, help='The mobile ion.')
@click.option('-t', '--temperature', 'temperatures', multiple=True, type=float, help='K; repeatable.')
@click.option('--picoseconds', type=float, help='Length of each run in place of that of the protocol.')
@click.option('--potential', default='sevennet-0', show_default=True, help='Label, PK or UUID of a PotentialData.')
@click.option('--computer', default='localhost', show_default=True)
@click.option('--submit', 'to_daemon', is_flag=True, help='Submit to the daemon instead of running it here.')
def main(path, protocol, species, temperatures, picoseconds, potential, computer, to_daemon):
    """Run molecular dynamics of a structure and print its conductivities."""
    try:
        code, relax_code = load_code(f'pesfp-md@{computer}'), load_code(f'pesfp-relax@{computer}')
        potential = load_node(potential)
    except NotExistent as error:
        raise click.ClickException(f'{error}. Make it with: aiida-pesfp setup') from error
    builder = ConductivityWorkChain.get_builder_from_protocol(
        code,
        StructureData(ase=read(path), label=path.stem),
        relax_code=relax_code,
        potential=potential,
        species=species,
        temperatures=list(temperatures),
        protocol=protocol,
        overrides={} if picoseconds is None else {'duration_ps': picoseconds},
    )
    builder.metadata.label = f'{path.stem}, {protocol}'
    if to_daemon:
        node = submit(builder)
        click.echo(f'Submitted {node.process_label}<{node.pk}>. Follow it with: verdi process report {node.pk}')
        return
    _, node = run_get_node(builder)
    if 'conductivities' not in node.outputs:
        raise click.ClickException(f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')
    print_conductivities(node)


if __name__ == '__main__':
    main()
