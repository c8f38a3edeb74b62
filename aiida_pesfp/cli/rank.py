"""``aiida-pesfp rank``: candidates as a table, filtered and sorted."""

from __future__ import annotations

import csv
import json
import sys

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli import main
from aiida_pesfp.cli.parameters import DescriptorsParamType

TARGETS = click.argument('targets', nargs=-1, type=DescriptorsParamType(), metavar='[GROUP|NODE...]')
WHERE = click.option('--where', help='Only candidates for which this is true, such as "xi > 0.25 and mpe < 0.5".')
SORT = click.option('--sort', default='-xi', show_default=True, help='Expression to sort by, ascending.')
LIMIT = click.option('--limit', type=click.IntRange(1), help='Only the first so many.')


@main.command('rank')
@TARGETS
@WHERE
@SORT
@LIMIT
@click.option('-f', '--format', 'form', type=click.Choice(['table', 'json', 'csv']), default='table', show_default=True)
@decorators.with_dbenv()
def rank(targets, where, sort, limit, form):
    """Rank what was scanned: everything, or what belongs to a group, a workchain (also a running one) or a structure.

    \b
    aiida-pesfp rank
    aiida-pesfp rank 1234 --where "xi > 0.25 and mpe < 0.5"
    aiida-pesfp rank sulfides --sort mpe --limit 10 --format csv
    aiida-pesfp rank --where "potential_name == 'sevennet-0' and band_gap > 2"

    Names in expressions: pk, label, formula, species, xi, mpe (eV), fv_connected, fv_disconnected, barrier_1d,
    barrier_2d, barrier_3d (eV), potential_name, structure_uuid; of the record: source, id, database, band_gap (eV),
    energy_above_hull (eV/atom); of an Arrhenius fit: activation_energy, activation_energy_error (eV), conductivity_300K
    (S/cm). A comparison with what is not known is false. Functions: log10, log, exp, sqrt, sigmoid, abs, min, max.
    """
    rows = select(targets, where, sort, limit)
    if form == 'table':
        print_table(rows)
    elif form == 'json':
        click.echo(json.dumps(rows, indent=1))
    else:
        write_csv(rows, sys.stdout)


def select(targets, where: str | None, sort: str, limit: int | None) -> list[dict]:
    """The rows of the candidates, filtered and sorted; stops with a sentence if there are none."""
    from aiida.orm import QueryBuilder

    from aiida_pesfp.data.descriptors import DescriptorsData
    from aiida_pesfp.errors import ExpressionError
    from aiida_pesfp.expressions import Expression
    from aiida_pesfp.queries.descriptors import COLUMNS, candidates

    try:
        condition = where and Expression(where, COLUMNS)
        key = Expression(sort, COLUMNS)
        if targets:
            nodes = list({node.pk: node for found in targets for node in found}.values())
        else:
            nodes = QueryBuilder().append(DescriptorsData).order_by({DescriptorsData: 'id'}).all(flat=True)
        if not nodes:
            echo.echo_critical('nothing was scanned yet: begin with `aiida-pesfp launch screen FOLDER`')
        rows = candidates(nodes)
        chosen = [row for row in rows if not condition or condition(row)]
        if not chosen:
            echo.echo_critical(f'none of {len(rows)} candidates meets {where!r}')
        values = {row['pk']: key(row) for row in chosen}
        chosen.sort(
            key=lambda row: (values[row['pk']] is None, values[row['pk']] if values[row['pk']] is not None else 0)
        )
    except (ExpressionError, TypeError) as error:
        echo.echo_critical(str(error))
    return chosen[:limit]


def print_table(rows: list[dict]) -> None:
    """Print rows; columns in which nothing is known are left out."""
    from tabulate import tabulate

    columns = {
        'PK': ('pk', ''),
        'Label': ('label', ''),
        'Formula': ('formula', ''),
        'Xi': ('xi', '.4f'),
        'MPE/eV': ('mpe', '.3f'),
        'FV conn.': ('fv_connected', '.4f'),
        'FV disc.': ('fv_disconnected', '.4f'),
        'E_A/eV': ('activation_energy', '.3f'),
        'Gap/eV': ('band_gap', '.2f'),
        'Hull/eV': ('energy_above_hull', '.3f'),
        'Potential': ('potential_name', ''),
    }
    kept = {head: entry for head, entry in columns.items() if any(row[entry[0]] is not None for row in rows)}
    table = [[place, *(row[name] for name, _ in kept.values())] for place, row in enumerate(rows, start=1)]
    click.echo(
        tabulate(table, ['', *kept], floatfmt=('', *(form for _, form in kept.values())), disable_numparse=[2, 3])
    )


def write_csv(rows: list[dict], stream) -> None:
    """Write rows as CSV with a line of headers."""
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
