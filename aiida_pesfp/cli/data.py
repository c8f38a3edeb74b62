"""``verdi data pesfp.pes``: surfaces in verdi itself."""

import click
from aiida.cmdline.commands.cmd_data import verdi_data
from aiida.cmdline.commands.cmd_data.cmd_list import list_options, query
from aiida.cmdline.params import options
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.export import PES, export_pes

_COLUMNS = {
    'PK': 'id',
    'Label': 'label',
    'Formula': 'attributes.formula',
    'Ion': 'attributes.species',
    'Grid': 'attributes.shape',
    'Ions scanned': 'attributes.number_of_scanned_ions',
    'Evaluations': 'attributes.evaluations',
    'Potential': 'attributes.potential_name',
}


@verdi_data.group('pesfp.pes', context_settings={'show_default': True})
def pes():
    """Look at potential energy surfaces (PesData)."""


@pes.command('list')
@list_options
@decorators.with_dbenv()
def pes_list(raw, past_days, groups, all_users):
    """List the stored surfaces."""
    from tabulate import tabulate

    from aiida_pesfp.data.pes import PesData

    chosen = [group.pk for group in groups] if groups else None
    rows = query(PesData, list(_COLUMNS.values()), past_days, chosen, all_users)
    for row in rows:
        row[4] = 'x'.join(map(str, row[4]))
    echo.echo(tabulate(rows, tablefmt='plain') if raw else tabulate(rows, list(_COLUMNS)))
    if not raw:
        echo.echo(f'\nTotal results: {len(rows)}\n')


@pes.command('show')
@click.argument('surfaces', nargs=-1, required=True, type=PES, metavar='PES...')
@options.DICT_FORMAT(default='yaml')
@decorators.with_dbenv()
def pes_show(surfaces, fmt):
    """Show attributes and arrays of surfaces, named by PK, UUID or label."""
    for node in surfaces:
        arrays = {name: list(node.get_shape(name)) for name in node.get_arraynames()}
        content = {'pk': node.pk, 'uuid': node.uuid, 'label': node.label, 'arrays': arrays}
        echo.echo_dictionary(content | node.base.attributes.all, fmt=fmt)


pes.add_command(export_pes, 'export')
