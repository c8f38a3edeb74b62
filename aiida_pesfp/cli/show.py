"""``aiida-pesfp show``: all that is known of one candidate."""

from __future__ import annotations

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli import main
from aiida_pesfp.cli.parameters import DescriptorsParamType


@main.command('show')
@click.argument('candidate', type=DescriptorsParamType(), metavar='NODE')
@click.option('--ion', type=int, help='Only this ion, by its number in the structure.')
@decorators.with_dbenv()
def show(candidate, ion):
    """Show a candidate: descriptors, each ion, structure, potential, where it comes from, what was done with it.

    NODE is a DescriptorsData (as `rank` lists them), a PesData or a StructureData, by PK, UUID or label. Of several
    results for a structure the last is shown and the others are named.
    """
    *others, node = sorted(candidate, key=lambda found: found.pk)
    structure = _structure(node)
    if ion is not None and all(entry['index'] != ion for entry in node.get('ions', [])):
        numbers = ', '.join(str(entry['index']) for entry in node.get('ions', []))
        echo.echo_critical(f'{node.label}<{node.pk}> has no mobile ion {ion}: there are {numbers}')
    _descriptors(node)
    _ions(node, ion)
    _potential(node)
    if structure is not None:
        _origin(structure)
        _uses(structure)
    if others:
        echo.echo_report(f'other results for it: {", ".join(str(other.pk) for other in others)}')
    echo.echo_report(f'its whole history: verdi node graph generate {node.pk}')


def _title(text: str) -> None:
    echo.echo(f'\n{text}', bold=True)


def _table(rows) -> None:
    from tabulate import tabulate

    echo.echo(tabulate([row for row in rows if row[1] is not None], tablefmt='plain'))


def _structure(node):
    from aiida.orm import QueryBuilder, StructureData

    return QueryBuilder().append(StructureData, filters={'uuid': node.get('structure_uuid')}).first(flat=True)


def _descriptors(node) -> None:
    echo.echo(f'{node.label or node.get("formula")} ({type(node).__name__}<{node.pk}>)', bold=True)
    settings = node.get('settings') or {}
    threshold = (settings.get('xi') or {}).get('threshold', 0.5)
    names = (
        ('formula', 'formula', ''), ('mobile ion', 'species', ''), ('Xi', 'xi', '.4f'), ('MPE', 'mpe', '.4f'),
        ('barrier in 1D', 'barrier_1d', '.4f'), ('barrier in 2D', 'barrier_2d', '.4f'),
        ('barrier in 3D', 'barrier_3d', '.4f'), (f'FV connected, {threshold} eV', 'fv_connected', '.5f'),
        (f'FV disconnected, {threshold} eV', 'fv_disconnected', '.5f'),
    )  # fmt: skip
    units = {'mpe': ' eV', 'barrier_1d': ' eV', 'barrier_2d': ' eV', 'barrier_3d': ' eV'}
    _table(
        (title, None if node.get(name) is None else f'{node[name]:{form}}{units.get(name, "")}')
        for title, name, form in names
    )
    spectrum = node['spectrum']
    _title('Free volumes')
    from tabulate import tabulate

    columns = zip(spectrum['thresholds'], spectrum['connected'], spectrum['disconnected'])
    echo.echo(tabulate(columns, ['below/eV', 'connected', 'disconnected'], floatfmt=('.2f', '.5f', '.5f')))


def _ions(node, ion: int | None) -> None:
    from tabulate import tabulate

    rows = [
        (
            entry['index'],
            '' if entry.get('equivalent_to') in (None, entry['index']) else entry['equivalent_to'],
            ' '.join(f'{number:.4f}' for number in entry['fractional_coordinates']),
            *(
                entry.get(name)
                for name in ('mpe', 'barrier_1d', 'barrier_2d', 'barrier_3d', 'fv_connected', 'fv_disconnected')
            ),
        )
        for entry in node.get('ions', [])
        if ion is None or entry['index'] == ion
    ]
    if rows:
        _title('Mobile ions')
        heads = ('ion', 'like', 'fractional coordinates', 'MPE/eV', '1D/eV', '2D/eV', '3D/eV', 'FV conn.', 'FV disc.')
        echo.echo(tabulate(rows, heads, floatfmt=('', '', '', '.4f', '.4f', '.4f', '.4f', '.5f', '.5f')))


def _potential(node) -> None:
    from aiida.orm import QueryBuilder

    from aiida_pesfp.data.potential import PotentialData

    sha256 = node.get('potential_sha256')
    stored = QueryBuilder().append(PotentialData, filters={'attributes.sha256': sha256}, project='id').first(flat=True)
    _title('Potential')
    _table([('name', node.get('potential_name')), ('SHA-256', sha256), ('node', stored)])


def _origin(structure) -> None:
    from aiida_pesfp.queries.descriptors import records_of

    _title('Structure')
    symmetry = structure.get_pymatgen_structure().get_space_group_info()
    lengths, angles = structure.cell_lengths, structure.cell_angles
    _table(
        [
            ('node', f'{structure.label or structure.get_formula()}<{structure.pk}>'),
            ('atoms', len(structure.sites)),
            ('space group', f'{symmetry[0]} ({symmetry[1]})'),
            ('cell', ' '.join(f'{length:.4f}' for length in lengths) + ' A, ' + ' '.join(f'{a:.2f}' for a in angles)),
        ]
    )
    record = records_of([structure]).get(structure.uuid)
    _title('Where it comes from')
    if record is None:
        creator = structure.creator
        made = (
            'stored by hand, without a record' if creator is None else f'made by {creator.process_label}<{creator.pk}>'
        )
        echo.echo(made)
        return
    names = ('source', 'id', 'database', 'database_version', 'band_gap', 'energy_above_hull', 'url')
    units = {'band_gap': ' eV', 'energy_above_hull': ' eV/atom'}
    rows = [(name.replace('_', ' '), record.get(name), units.get(name, '')) for name in names]
    _table([('record', record.pk), *((n, None if v is None else f'{v}{unit}') for n, v, unit in rows)])


def _uses(structure) -> None:
    from aiida.orm import ProcessNode, QueryBuilder, StructureData

    from aiida_pesfp.data.arrhenius import ArrheniusData
    from aiida_pesfp.data.conductivity import ConductivityData

    def descendants(node_class):
        query = QueryBuilder().append(StructureData, filters={'id': structure.pk}, tag='structure')
        return (
            query.append(node_class, with_ancestors='structure', tag='found').order_by({'found': 'id'}).all(flat=True)
        )

    _title('What was done with it')
    direct = QueryBuilder().append(StructureData, filters={'id': structure.pk}, tag='structure')
    direct.append(ProcessNode, with_incoming='structure', tag='process').order_by({'process': 'id'}).distinct()
    for node in direct.all(flat=True):
        code = '' if node.exit_status is None else f' [{node.exit_status}]'
        echo.echo(f'{node.process_label}<{node.pk}> {node.ctime:%Y-%m-%d %H:%M}: {node.process_state.value}{code}')
    for node in descendants(ConductivityData):
        flags = f' ({", ".join(node.flags)})' if node.flags else ''
        echo.echo(f'conductivity<{node.pk}> at {node.temperature:g} K: {node.conductivity:.3g} S/cm{flags}')
    for node in descendants(ArrheniusData):
        error = node.activation_energy_error
        echo.echo(f'activation energy<{node.pk}>: {node.activation_energy:.3f} +- {error:.3f} eV')
