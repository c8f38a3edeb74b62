"""Results of workchains as tables in a terminal."""

from aiida.cmdline.utils import echo
from tabulate import tabulate

from aiida_pesfp.cli.rank import (
    BARRIER_COLUMNS,
    QUANTITY_COLUMNS,
    print_consensus,
    print_table,
    tell_doubts,
    tell_ranking,
)
from aiida_pesfp.fingerprint.quantities import rank_key
from aiida_pesfp.workflows.engines import ENGINES


def print_ranking(node) -> None:
    """The ranking of a scan or screening, and the structures without a result; stops if the process failed."""
    from aiida_pesfp.queries.descriptors import descriptors_of, rows_of
    from aiida_pesfp.queries.ensembles import without_members
    from aiida_pesfp.queries.nodes import how_it_ended
    from aiida_pesfp.queries.screening import screenings_among, unranked

    rows = rows_of(without_members(descriptors_of(node)))
    if rows:
        tell_ranking(rows)
    agreed = [screening for screening in screenings_among(node) if print_consensus(screening)]
    if rows and not agreed:
        print_table(sorted(rows, key=rank_key))
    for name in dict.fromkeys(row['potential_name'] for row in rows):
        tell_doubts([row for row in rows if row['potential_name'] == name])
    for one in (one for screening in screenings_among(node) for one in unranked(screening)):
        echo.echo_warning(f'{one.label}: {one.reason}')
    if not node.is_finished_ok:
        echo.echo_critical(how_it_ended(node))
    echo.echo_success(f'finished {node.process_label}<{node.pk}>')
    pk = node.pk
    echo.echo_report(f'look further with: aiida-pesfp rank {pk}; aiida-pesfp show PK; verdi process status {pk}')


def print_conductivities(node) -> None:
    """Conductivities of a ``pesfp.conductivity``, the activation energy, and where to look next."""
    found = node.outputs.conductivities if 'conductivities' in node.outputs else {}
    names = ('temperature', 'conductivity', 'conductivity_error', 'windows')
    rows = [(*map(data.base.attributes.get, names), ', '.join(data.flags)) for data in found.values()]
    if rows:
        headers = ('T/K', 'sigma/(S/cm)', '+-', 'windows', 'flags')
        echo.echo(tabulate(sorted(rows), headers, floatfmt=('g', '.3g', '.2g', '', '')))
    if 'arrhenius' in node.outputs:
        fit = node.outputs.arrhenius
        energy, error = 1000 * fit.activation_energy, 1000 * fit.activation_energy_error
        echo.echo(f'Activation energy: {energy:.0f} +- {error:.0f} meV')
        sigma, error = fit.conductivity(300)
        echo.echo(f'At 300 K, extrapolated: {1000 * sigma:.2g} +- {1000 * error:.2g} mS/cm')
    else:
        echo.echo(f'No activation energy. The reason: verdi process report {node.pk}')
    _warn_of_short_runs(flag for data in found.values() for flag in data.flags)


def print_barriers(nodes) -> None:
    """The barriers of some ``pesfp.barrier.base``, the lowest first, and where to look next."""
    from aiida_pesfp.data.barrier import table_row

    found = [node for node in nodes if 'barrier' in node.outputs]
    rows = [{'label': node.label} | table_row(node.outputs.barrier.base.attributes.all) for node in found]
    print_table(sorted(rows, key=lambda row: row['relaxed_barrier']), [('Label', 'label', ''), *BARRIER_COLUMNS])
    for node in found:
        pk = node.outputs.barrier.pk
        echo.echo(f'{node.label}: aiida-pesfp show {pk}; images: aiida-pesfp export barrier {pk} -o path.extxyz')


def print_candidates(node) -> None:
    """The candidates of a ``pesfp.screen_and_validate``, their barriers, results of their dynamics, and problems."""
    if 'candidates' not in node.outputs:
        echo.echo('No structure is a candidate.')
        return
    from aiida_pesfp.queries.structures import name_of

    columns, flagged = [('Label', 'label', ''), *QUANTITY_COLUMNS, *BARRIER_COLUMNS], set()
    structures = node.inputs.screen.structures
    rows = [{'label': name_of(structures[row['key']]), **row} for row in node.outputs.candidates['rows']]
    for name, engine in ENGINES.items():
        columns.append((f'E_A/eV ({engine.title})', f'{name}_activation_energy', '.3f'))
        columns.append((f'sigma(300 K)/(S/cm) ({engine.title})', f'{name}_conductivity_300K', '.2g'))
    print_table(rows, columns)
    for row in rows:
        for engine, flags in row['flags'].items():
            for temperature, names in flags.items():
                echo.echo(f'{row["label"]}, {engine}, {temperature} K: flagged {", ".join(names)}')
                flagged |= set(names)
        for engine, problem in row['problems'].items():
            echo.echo(f'{row["label"]}, {engine}: {problem}')
    _warn_of_short_runs(flagged)
    echo.echo(f'The table is an output of {node.process_label}<{node.pk}>: aiida-pesfp report {node.pk}\n')


def _warn_of_short_runs(flags) -> None:
    if 'fit_starts_early' in set(flags):
        echo.echo('Too short to publish: a run of some picoseconds shows that dynamics work, not how fast ions are.')
