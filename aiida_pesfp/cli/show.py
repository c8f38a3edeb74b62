"""``aiida-pesfp show``: all that is known of one structure that was scanned."""

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import DescriptorsParamType
from aiida_pesfp.errors import some_of
from aiida_pesfp.fingerprint.ensemble import VOLUMES
from aiida_pesfp.fingerprint.quantities import (
    BY_NAME,
    IN_RANKINGS,
    OF_EACH_ION,
    QUANTITIES,
    XI_CALIBRATED,
    Quantity,
)
from aiida_pesfp.settings.scan import FingerprintSettings

#: Barriers beside the first one, and their attributes.
_FURTHER = {'back': 'reverse_barrier', '2D': 'barrier_2d', '3D': 'barrier_3d', 'frozen': 'frozen_barrier'}


@click.command('show')
@click.argument('scanned', type=DescriptorsParamType(), metavar='NODE')
@click.option('--ion', type=int, help='Only this ion, by its number in the scanned cell.')
@decorators.with_dbenv()
def show(scanned, ion):
    """Show descriptors, each ion, the structure, its potential and its source, and what was done with it.

    NODE is a DescriptorsData (as `rank` lists them), a PesData or a StructureData, by PK, UUID or label. If a structure
    has several results, the newest is shown and the others are named.
    """
    from aiida_pesfp.data.ensemble import EnsembleData
    from aiida_pesfp.queries.nodes import potential_with
    from aiida_pesfp.queries.structures import structures_by_uuid

    *others, node = sorted(scanned.descriptors, key=lambda found: found.pk)
    if len({found.get('structure_uuid') for found in scanned.descriptors}) > 1:
        names = some_of(f'{found.label}<{found.pk}>' for found in scanned.descriptors)
        echo.echo_critical(f'it has results of several structures: name one of {names}')
    ions = [entry for entry in node.get('ions', []) if ion in (None, entry['index'])]
    if ion is not None and not ions:
        numbers = ', '.join(str(entry['index']) for entry in node.get('ions', []))
        echo.echo_critical(f'{node.label}<{node.pk}> has no mobile ion {ion}: there are {numbers}')
    _print_descriptors(node)
    if isinstance(node, EnsembleData):
        _print_members(node)
    else:
        _print_ions(ions)
    sha256 = node.get('potential_sha256')
    stored = potential_with(sha256)
    about = [('name', node.get('potential_name')), ('SHA-256', sha256), ('node', stored and stored.pk)]
    _print('Potential', about)
    for structure in structures_by_uuid([node.get('structure_uuid')]).values():
        _print_structure(structure)
        _print_uses(structure)
    if others:
        echo.echo_report(f'other results for it: {", ".join(str(other.pk) for other in others)}')
    echo.echo_report(f'its whole history: verdi node graph generate --link-types data --descendant-depth 0 {node.pk}')


def _print(title: str, rows, **options) -> None:
    """Print a title and a table without the rows whose second entry is unknown."""
    from tabulate import tabulate

    rows = [row for row in rows if row[1] is not None]
    if rows:
        echo.echo(f'\n{title}', bold=True)
        echo.echo(tabulate(rows, **{'tablefmt': 'plain', **options}))


def _print_descriptors(node) -> None:
    from aiida_pesfp.queries.calibrations import calibrations

    echo.echo(f'{node.label or node.get("formula")} ({type(node).__name__}<{node.pk}>)', bold=True)
    threshold, known = node.get('settings', {}).get('xi', {}).get('threshold'), calibrations()
    values, own = node.get_dict() | known.rank_values(node), known.of(node)
    spread = node.get('spread', {})
    quantities = [
        (one.symbol, one.text(values.get(one.name), 1) or None, _spread(one, spread.get(one.name)), one.meaning)
        for one in (QUANTITIES[0], XI_CALIBRATED, *QUANTITIES[1:])
    ]
    if own and own.softening:
        place = next(place for place, one in enumerate(quantities) if one[0] == BY_NAME['mpe'].symbol) + 1
        slope, hops = (own.softening[name] for name in ('slope', 'hops'))
        words = f'relaxed barriers over those by DFT, {hops} hops; not applied to any number'
        quantities.insert(place, ('softening', f'{slope:.2f}', f'+- {own.softening["error"]:.2f}', words))
    about = [('formula', node.get('formula')), ('mobile ion', node.get('species'))]
    unusual = FingerprintSettings.unusual(node.base.attributes.all)
    units = {'cell_size': ' A'}
    about += [(name.replace('_', ' '), f'{value}{units.get(name, "")}') for name, value in unusual.items()]
    about.append(('threshold of Xi', threshold and f'{threshold} eV'))
    about.append(('ranked by', values['ranked_by']))
    if node.get('xi_low') is not None:
        about.append(('interval of Xi', f'{node["xi_low"]:.4f} to {node["xi_high"]:.4f}'))
    _print('Descriptors', [*about, *quantities])
    if node.get('stopped_early'):
        echo.echo_report('the scan stopped early: the upper bound of Xi is certain, all else is estimated')
    for doubt in node.get('doubts', []):
        echo.echo_warning(f'doubtful: {doubt}')
    columns = zip(*(node['spectrum'][name] for name in ('thresholds', 'connected', 'disconnected')))
    form = {'headers': ['below/eV', 'connected', 'disconnected'], 'floatfmt': ('.2f', '.5f', '.5f')}
    _print('Free volumes', columns, tablefmt='simple', **form)


def _spread(quantity: Quantity, deviation: float | None) -> str:
    """The standard deviation of a quantity over orderings."""
    if deviation is None:
        return ''
    return f'+- {deviation:.2f} decades' if quantity.name in VOLUMES else f'+- {quantity.text(deviation, 1)}'


def _print_members(node) -> None:
    """The orderings of an ensemble."""
    from aiida_pesfp.queries.ensembles import members_of

    rows, total = [], sum(node['weights'].values())
    for key, member in members_of([node]).get(node.pk, {}).items():
        values = (member.get(one.name) for one in IN_RANKINGS)
        rows.append((member.pk, member.label, node['weights'][key] / total, *values))
    heads = ('PK', 'ordering', 'weight', *(one.head for one in IN_RANKINGS))
    formats = ('', '', '.3f', *(one.format for one in IN_RANKINGS))
    _print('Orderings', rows, tablefmt='simple', headers=heads, floatfmt=formats)


def _print_ions(ions: list[dict]) -> None:
    rows = []
    for entry in ions:
        index, like = entry['index'], entry.get('equivalent_to')
        place = ' '.join(f'{number:.4f}' for number in entry['fractional_coordinates'])
        rows.append(
            (index, '' if like in (None, index) else like, place, *(entry.get(one.name) for one in OF_EACH_ION))
        )
    heads = ('ion', 'like', 'fractional coordinates', *(one.head for one in OF_EACH_ION))
    formats = ('', '', '', *(f'.{one.digits + 1}f' for one in OF_EACH_ION))
    _print('Mobile ions', rows, tablefmt='simple', headers=heads, floatfmt=formats)


def _print_structure(structure) -> None:
    from aiida_pesfp.queries.structures import records_of

    symbol, number = structure.get_pymatgen_structure().get_space_group_info()
    lengths, angles = structure.cell_lengths, structure.cell_angles
    rows = [
        ('node', f'{structure.label or structure.get_formula()}<{structure.pk}>'),
        ('atoms', len(structure.sites)),
        ('space group', f'{symbol} ({number})'),
        ('cell', ' '.join(f'{length:.4f}' for length in lengths) + ' A, ' + ' '.join(f'{a:.2f}' for a in angles)),
    ]
    _print('Structure', rows)
    record, creator = records_of([structure]).get(structure.uuid), structure.creator
    if record is not None:
        names = ('source', 'id', 'database', 'database_version', 'band_gap', 'energy_above_hull', 'url')
        units = {'band_gap': ' eV', 'energy_above_hull': ' eV/atom'}
        known = {name: record[name] for name in names if record.get(name) is not None}
        rows = [(name.replace('_', ' '), f'{value}{units.get(name, "")}') for name, value in known.items()]
        rows = [('record', record.pk), *rows]
    elif creator is None:
        rows = [('stored by hand,', 'without a record')]
    else:
        rows = [('made by', f'{creator.process_label}<{creator.pk}>')]
    _print('Source', rows)


def _print_uses(structure) -> None:
    from aiida_pesfp.data.arrhenius import ArrheniusData
    from aiida_pesfp.data.barrier import BarrierData
    from aiida_pesfp.data.conductivity import ConductivityData
    from aiida_pesfp.queries.structures import processes_of, results_of

    echo.echo('\nWhat was done with it', bold=True)
    for node in processes_of(structure):
        code = '' if node.exit_status is None else f' [{node.exit_status}]'
        echo.echo(f'{node.process_label}<{node.pk}> {node.ctime:%Y-%m-%d %H:%M}: {node.process_state.value}{code}')
    for node in results_of([structure.uuid], BarrierData).get(structure.uuid, []):
        told = node.base.attributes.all
        how = f'{told["species"]}, {told["picture"]}, {node.method}, {told["potential_name"]}'
        more = [f'{name} {told[key]:.3f}' for name, key in _FURTHER.items() if told[key] is not None]
        flags = f' ({", ".join(node.flags)})' if node.flags else ''
        echo.echo(f'barrier<{node.pk}> ({how}): {node.barrier:.3f} eV, {", ".join(more)}{flags}')
    for node in results_of([structure.uuid], ConductivityData).get(structure.uuid, []):
        flags = f' ({", ".join(node.flags)})' if node.flags else ''
        echo.echo(f'conductivity<{node.pk}> at {node.temperature:g} K: {node.conductivity:.3g} S/cm{flags}')
    for node in results_of([structure.uuid], ArrheniusData).get(structure.uuid, []):
        error = node.activation_energy_error
        echo.echo(f'activation energy<{node.pk}>: {node.activation_energy:.3f} +- {error:.3f} eV')
