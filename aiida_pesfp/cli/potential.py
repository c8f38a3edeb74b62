"""``aiida-pesfp potential``: potentials as nodes."""

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.params import arguments
from aiida.cmdline.utils import decorators, echo
from tabulate import tabulate

from aiida_pesfp.cli.parameters import POTENTIAL


@click.group('potential', cls=VerdiCommandGroup)
def potential():
    """Potentials as nodes of the provenance graph."""


@potential.command('install')
@click.argument('name')
@click.option('--from', 'path', help='File or folder of the weights; NAME can then be any name you choose.')
@click.option('--label', help='Label of the node.  [default: NAME]')
@decorators.with_dbenv()
def potential_install(name, path, label):
    """Store a potential, so that calculations can refer to it.

    NAME is one of the names or files that `potential families` lists, such as sevennet-0. A potential with the same
    content is not stored twice.

    Published weights are downloaded once, to the user's cache folder or to $PESFP_CACHE. If $PESFP_WEIGHTS_URL is set,
    they come from that mirror, which has the files URL/NAME/FILE.
    """
    install(path or name, label=label or (name if path else None))


@potential.command('families')
def potential_families():
    """List the installed families of potentials, the names of their weights, and the files that they recognise."""
    from aiida_pesfp.potentials.base import version
    from aiida_pesfp.potentials.registry import families

    rows = [
        [family.kind, f'{family.package} {version(family.package)}', '\n'.join(family.names), family.accepts]
        for family in families().values()
    ]
    echo.echo(tabulate(rows, headers=['Family', 'Package', 'Names', 'Recognises'], maxcolwidths=[None, None, None, 60]))


@potential.command('list')
@decorators.with_dbenv()
def potential_list():
    """List the stored potentials."""
    from aiida_pesfp.data.potential import PotentialData
    from aiida_pesfp.queries.nodes import stored

    rows = [[node.pk, node.label, node.name, node.kind, node.sha256[:12]] for node in stored(PotentialData)]
    if not rows:
        echo.echo_report('no potential is stored yet: try `aiida-pesfp potential install sevennet-0`')
        return
    echo.echo(tabulate(rows, headers=['PK', 'Label', 'Name', 'Kind', 'SHA-256']))


@potential.command('show')
@arguments.DATUM(type=POTENTIAL)
@decorators.with_dbenv()
def potential_show(datum):
    """Show a stored potential, named by PK, UUID or label."""
    content = {'pk': datum.pk, 'uuid': datum.uuid, 'label': datum.label, 'files': datum.filenames}
    echo.echo_dictionary(content | datum.base.attributes.all, fmt='yaml')


def install(spec: str, label: str | None):
    """Store the potential ``spec`` unless one with the same content is there; the node."""
    from aiida_pesfp.data.potential import PotentialData
    from aiida_pesfp.queries.nodes import potential_with

    node = PotentialData.from_spec(spec)
    found = potential_with(node.sha256)
    if found is not None:
        echo.echo_report(f'potential {found.label}<{found.pk}> exists')
        return found
    node.label = label or node.label
    node.store()
    echo.echo_success(f'stored the potential {node.label}<{node.pk}> (SHA-256 {node.sha256[:12]}...)')
    return node
