"""``aiida-pesfp rank``: scanned structures as a table, filtered and sorted."""

import json
import sys

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import DescriptorsParamType, combined
from aiida_pesfp.fingerprint.quantities import (
    BY_NAME,
    IN_RANKINGS,
    XI_CALIBRATED,
    listing,
    rank_key,
    shown_in,
    stopped_early,
)
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.tables.table import write_table

selection_options = combined(
    click.argument('targets', nargs=-1, type=DescriptorsParamType(), metavar='[GROUP|NODE...]'),
    click.option('--where', help='Only structures for which this is true, such as "xi > 0.25 and mpe < 0.5".'),
    click.option(
        '--sort',
        help='Expression to sort by, ascending.  [default: -xi_calibrated, or free volumes without a calibration]',
    ),
    click.option('--limit', type=click.IntRange(1), help='Only the first rows.'),
    click.option(
        '--all', 'older', is_flag=True, help='Also older results of the same structure, potential and settings.'
    ),
)
#: Head, key and format of columns of tables.
QUANTITY_COLUMNS = tuple((one.head, one.name, one.format) for one in IN_RANKINGS)
BARRIER_COLUMNS = (
    *(('Barrier/eV', 'relaxed_barrier', '.3f'), ('2D', 'relaxed_barrier_2d', '.3f')),
    *(('3D', 'relaxed_barrier_3d', '.3f'), ('frozen', 'frozen_barrier', '.3f'), ('Flags', 'barrier_flags', '')),
)
_UPPER = (BY_NAME['xi_upper'].head, 'xi_upper', BY_NAME['xi_upper'].format)
_POTENTIAL = ('Potential', 'potential_name', '')
#: Columns that are shown only if rows differ in them, or have an unusual cell or surroundings.
_SETTINGS = (
    *(('Ion', 'species', ''), ('Cell', 'cell', ''), ('Cell size/A', 'cell_size', 'g'), ('Spacing/A', 'spacing', 'g')),
    ('Others', 'others', ''),
    *(('R_min/A', 'minimum_distance', 'g'), ('Grid', 'grid', ''), ('Settings', 'settings', '')),
)
_COLUMNS = (
    *(('PK', 'pk', ''), ('Label', 'label', ''), ('Formula', 'formula', ''), *QUANTITY_COLUMNS, _UPPER),
    *(('Xi from', 'xi_low', '.4f'), ('to', 'xi_high', '.4f'), ('Orderings', 'orderings', '')),
    *BARRIER_COLUMNS,
    *(('E_A/eV', 'activation_energy', '.3f'), ('Gap/eV', 'band_gap', '.2f'), ('Hull/eV', 'energy_above_hull', '.3f')),
    *(_POTENTIAL, *_SETTINGS),
)
_HELP = f"""Rank scanned structures: all of them, or those of a group, a workchain (also a running one) or a structure.

The newest result of each structure is shown, for each potential and settings. Settings that differ are columns. A
disordered structure is the mean of its orderings, and Xi has an interval.

Structures rank by xi_calibrated: Xi with the cuts that were made for their potential and ion, your own by `aiida-pesfp
calibrate` before those that are shipped. Without any, they rank by the product of both free volumes.

\b
aiida-pesfp rank
aiida-pesfp rank 1234 --where "xi_calibrated > 0.25 and mpe < 0.5"
aiida-pesfp rank sulfides --sort mpe --limit 10 --format csv
aiida-pesfp rank --where "potential_name == 'sevennet-0' and band_gap > 2"

Names in expressions: {listing()}; pk, label, formula, species, potential_name, structure_uuid; of the scan: cell,
cell_size, others, spacing, minimum_distance (A), grid; settings (those that are not the default); doubts; of an
ensemble: xi_low, xi_high, orderings; of the record: source, id, database, band_gap (eV), energy_above_hull (eV/atom);
of the newest barrier with a relaxed framework: relaxed_barrier, relaxed_barrier_2d, relaxed_barrier_3d, frozen_barrier
(eV), barrier_picture, barrier_method, barrier_flags; of the newest Arrhenius fit: activation_energy,
activation_energy_error (eV), conductivity_300K (S/cm). A comparison with an unknown value is false.
Functions: log10, log, exp, sqrt, sigmoid, abs, min, max.
"""


@click.command('rank', help=_HELP)
@selection_options
@click.option('-f', '--format', 'form', type=click.Choice(['table', 'json', 'csv']), default='table')
@decorators.with_dbenv()
def rank(form, **selection):
    """Rank what was scanned."""
    rows = select(**selection)
    if form == 'table':
        tell_ranking(rows)
        print_table(rows)
    elif form == 'json':
        click.echo(json.dumps(rows, indent=1))
    else:
        write_table(rows, sys.stdout)
    if form != 'table':
        tell_ranking(rows)
    tell_doubts(rows)
    if form == 'table':
        _print_agreements(selection['targets'])
    for process in (process for target in selection['targets'] for process in target.processes):
        tell_missing(process)


def select(targets, where: str | None, sort: str | None, limit: int | None, older: bool) -> list[dict]:
    """Rows of descriptors, filtered and sorted; stops with a message if there are none.

    :param targets: what the user named, each a :class:`~aiida_pesfp.cli.parameters.Scanned`; everything if empty.
    :param where: expression that has to be true.
    :param sort: expression; rows for which it is unknown come last. None: the ranking.
    :param older: also descriptors that are not the newest of their structure, potential and settings.
    """
    from aiida_pesfp.data.descriptors import DescriptorsData
    from aiida_pesfp.expressions import Expression
    from aiida_pesfp.queries.descriptors import COLUMNS, newest, rows_of
    from aiida_pesfp.queries.ensembles import without_members
    from aiida_pesfp.queries.nodes import stored

    condition, key = where and Expression(where, COLUMNS), sort and Expression(sort, COLUMNS)
    named = {node.pk: node for target in targets for node in target.descriptors}
    nodes = without_members(named.values() or stored(DescriptorsData))
    if not nodes:
        echo.echo_critical('nothing was scanned yet: begin with `aiida-pesfp launch screen FOLDER`')
    rows = rows_of(nodes if older else newest(nodes))
    chosen = [row for row in rows if not condition or condition(row)]
    if not chosen:
        echo.echo_critical(f'none of {len(rows)} structures meets {where!r}')

    def place(row: dict) -> tuple:
        value = key(row)
        # The values of scans that stopped early are estimates.
        return value is None, stopped_early(row), 0 if value is None else value

    return sorted(chosen, key=place if key else rank_key)[:limit]


def tell_ranking(rows: list[dict]) -> None:
    """Say on standard error what ranks some rows, and which of them have no calibration."""
    from aiida_pesfp.data.descriptors import DescriptorsData
    from aiida_pesfp.queries.calibrations import calibrations
    from aiida_pesfp.queries.nodes import among, stored

    told, warnings = calibrations().explain(stored(DescriptorsData, among(row['pk'] for row in rows)))
    for sentence in told:
        echo.echo_report(sentence, err=True)
    for sentence in warnings:
        echo.echo_warning(sentence, err=True)


def tell_doubts(rows: list[dict]) -> None:
    """Say on standard error which results are doubtful, and why, and whether they compare with each other."""
    if stopped := sum(map(stopped_early, rows)):
        words = f'{stopped} of {len(rows)} scans stopped early: their Xi <= is certain, all else is estimated'
        echo.echo_report(words, err=True)
    for row in rows:
        if row['doubts']:
            echo.echo_warning(f'{row["label"]}: doubtful: {row["doubts"]}', err=True)
    differing = {name: head for head, name, _ in (_POTENTIAL, *_SETTINGS) if len({row[name] for row in rows}) > 1}
    if differing:
        name = next(iter(differing))
        value = next(row[name] for row in rows if row[name] is not None)
        words = f'results differ in {", ".join(differing.values())}: Xi and energies compare where these are the same'
        echo.echo_warning(f'{words}, such as with --where "{name} == {value!r}"', err=True)


def _print_agreements(targets) -> None:
    from aiida_pesfp.queries.screening import screenings_among

    for screening in (one for target in targets for process in target.processes for one in screenings_among(process)):
        print_consensus(screening)


def tell_missing(process) -> None:
    """Say on standard error which structures of a process that has scanned are missing among its results."""
    from aiida_pesfp.queries.screening import missing_among, screenings_among, unranked

    for screening in screenings_among(process):
        if missing := missing_among(screening, unranked(screening)):
            echo.echo_warning(missing, err=True)


def print_consensus(screening) -> bool:
    """What the potentials of a screening agree on; whether there were several."""
    from aiida_pesfp.queries.screening import further_of, unranked
    from aiida_pesfp.queries.structures import name_of

    if not (further := further_of(screening)):
        return False
    found = screening.outputs.ranking.get_dict() if 'ranking' in screening.outputs else {}
    potentials, structures = found.get('potentials', ()), screening.inputs.structures
    rows = [{'label': name_of(structures[row['key']]), **row} for row in found.get('rows', ())]
    columns = [('Label', 'label', ''), ('Formula', 'formula', ''), ('Mean place', 'mean_place', '.1f')]
    for name in potentials:
        columns += [(name, f'{name}:place', ''), ('Xi', f'{name}:xi', '.4f')]
        columns += [('own', f'{name}:{XI_CALIBRATED.name}', '.4f'), ('MPE/eV', f'{name}:mpe', '.3f')]
    if potentials:
        click.echo(f'By {found["ranked_by"]}:')
        print_table(rows, columns)
    for name, value in found.get('agreement', {}).items():
        words = f'{name} and {potentials[0]}: rank correlation (Spearman) of {value:.2f}' if value is not None else ''
        click.echo(words)
    for row in (row for row in rows if row.get('disputed')):
        places = ', '.join(f'{row[f"{name}:place"]} by {name}' for name in potentials)
        echo.echo_warning(f'{row["label"]}: disputed: {places}, more than twice the typical difference', err=True)
    for node in further:
        for one in unranked(node):
            echo.echo_warning(f'{one.label}: not ranked by {node.inputs.scan.potential.label}: {one.reason}', err=True)
    return bool(potentials)


def print_table(rows: list[dict], columns=_COLUMNS) -> None:
    """Print numbered rows.

    :param columns: head, key and format of each. Those without any known value are left out, settings that do not
        differ, unless cell or surroundings are unusual, and the upper bound of Xi if no scan stopped early.
    """
    from tabulate import tabulate

    kept, shown = [], {one.name for one in shown_in(rows)}
    for column in columns:
        values = {row.get(column[1]) for row in rows}
        is_shown = column not in QUANTITY_COLUMNS or column[1] in shown
        if column == _UPPER:
            is_shown = any(map(stopped_early, rows))
        if column in _SETTINGS:
            is_shown = len(values) > 1 or any(column[1] in FingerprintSettings.unusual(row) for row in rows)
        if values != {None} and is_shown:
            kept.append(column)
    heads, names, formats = zip(('', '', ''), *kept)
    table = [[place, *(row.get(name) for name in names[1:])] for place, row in enumerate(rows, start=1)]
    texts = [index for index, name in enumerate(names) if name in ('label', 'formula', 'key', 'potential_name')]
    click.echo(tabulate(table, heads, floatfmt=formats, disable_numparse=texts))
