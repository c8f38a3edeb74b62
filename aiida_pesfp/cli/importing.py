"""``aiida-pesfp import``: structures into the graph, with the records of their sources."""

from collections.abc import Iterable
from pathlib import Path

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.params import options
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import EXISTING_FILE

GROUP = options.GROUP(type=str, help='Label of the group of the structures; made if there is none.')
TIMEOUT = click.option('--timeout', default=30.0, help='Longest time to wait for an answer, s.')
#: So many lines of a table are shown.
SHOWN = 20
SPECIES = click.option('--species', default='Li', help='Element that has to be in the structures.')


@click.group('import', cls=VerdiCommandGroup)
def import_():
    """Import structures with their provenance.

    Every structure becomes a record (the entry of its source, with band gap and energy above hull), a StructureData
    made from the record, and a member of a group. What is stored already is not stored again. An entry that cannot be
    read is named with the reason and does not affect the others.
    """


@import_.command('folder')
@click.argument(
    'paths', nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar='FOLDER|FILE...'
)
@click.option('--table', type=EXISTING_FILE, help='CSV file of properties.')
@click.option('--id-column', default='id', help='Its column with names of files; endings can be missing.')
@click.option('--band-gap-column', help='Its column with band gaps, eV.  [default: the one whose head says so]')
@click.option('--energy-above-hull-column', help='Its column with energies above hull, eV/atom.  [default: likewise]')
@click.option(
    '--ignore', multiple=True, metavar='COLUMN', help="Neither read nor compare it; or a pattern, 'mp_*'. Repeatable."
)
@click.option('--database', help='Where the files come from, for the record.')
@click.option('--database-version', 'version', help='Version of the database.')
@GROUP
@decorators.with_dbenv()
def import_folder(paths, table, id_column, ignore, group, **fields):
    """Import CIF, POSCAR, (extended) XYZ or JSON files, with a table of properties.

    \b
    aiida-pesfp import folder cifs --table properties.csv --band-gap-column Eg

    By default the group has the name of the first folder.
    """
    from aiida_pesfp.sources.folder import read_folder
    from aiida_pesfp.sources.properties import Table

    columns = {name: fields.pop(f'{name}_column') for name in ('band_gap', 'energy_above_hull')}
    properties = table and Table.load(table, id_column, ignore, **columns)
    entries = read_folder(list(paths), properties, tell=echo.echo_report, **fields)
    store(entries, group or paths[0].resolve().stem)
    for problem in properties.problems if properties else ():
        echo.echo_warning(f'{table}: {problem}')
    if properties and properties.taken:
        _show(properties.taken)
    for what, names in (
        (
            f'of the lines of {table} belong to no file',
            properties and sorted(properties.unused.values(), key=_has_number),
        ),
        (f'of the structures have no line in {table}', properties and properties.missing),
    ):
        if names:
            more = f' ... and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
            echo.echo_warning(f'{len(names)} {what}: {", ".join(names[:SHOWN])}{more}')


def _has_number(line: str) -> bool:
    """Lines without one, as footnotes, come first."""
    return any(map(str.isdigit, line))


def _show(taken: list[dict]) -> None:
    """Show what was read from a table, for a person to compare."""
    from tabulate import tabulate

    from aiida_pesfp.settings.units import MEASURES

    units = {name: MEASURES[name].unit for name in ('band_gap', 'energy_above_hull')}
    for name, unit in units.items():
        if values := sorted(row[name] for row in taken if row.get(name) is not None):
            ends = f'from {values[0]:g} to {values[-1]:g} {unit}, half up to {values[(len(values) - 1) // 2]:g}'
            echo.echo_report(f'the table gives {name} of {len(values)} structures: {ends}')
    heads = {name: f'{name}/({unit})' if '/' in unit else f'{name}/{unit}' for name, unit in units.items()}
    rows = [
        {heads.get(name, name): value for name, value in row.items()}
        for row in sorted(taken, key=lambda row: row['line'])
    ]
    widths = [80 if name == 'beside it' else None for name in rows[0]]
    echo.echo(tabulate(rows[:SHOWN], 'keys', disable_numparse=True, maxcolwidths=widths))
    if len(rows) > SHOWN:
        echo.echo(f'... and {len(rows) - SHOWN} more')


@import_.command('mp')
@SPECIES
@click.option('--id', 'ids', multiple=True, help='Identifier, such as mp-22905, instead of a search. Repeatable.')
@click.option('--chemsys', help='Elements, such as Li-P-S.')
@click.option('--formula', help='Formula, such as Li3PS4.')
@click.option('--minimum-band-gap', default=0.5, help='eV; the default is that of the paper.')
@click.option('--maximum-energy-above-hull', default=0.05, help='eV/atom; that of the paper.')
@click.option('--transition-metals', is_flag=True, help='Also structures with transition metals, unlike the paper.')
@options.LIMIT(default=None, type=click.IntRange(1), help='Most structures.')
@click.option('--endpoint', help='Address of the interface, if not that of the Materials Project.')
@TIMEOUT
@GROUP
@decorators.with_dbenv()
def import_mp(ids, species, transition_metals, group, **options):
    """Import from the Materials Project; needs `pip install aiida-pesfp[mp]` and your key in MP_API_KEY.

    \b
    export MP_API_KEY=...
    aiida-pesfp import mp --chemsys Li-P-S -G sulfides
    """
    from pymatgen.core import Element

    from aiida_pesfp.sources.materials_project import ENDPOINT, query_materials_project

    if ids:
        criteria = {'material_ids': list(ids)}
    else:
        criteria = {name: options[name] for name in ('chemsys', 'formula')} | {'elements': [species]}
        criteria['band_gap'] = options['minimum_band_gap'], None
        criteria['energy_above_hull'] = None, options['maximum_energy_above_hull']
        if not transition_metals:
            criteria['exclude_elements'] = [element.symbol for element in Element if element.is_transition_metal]
    endpoint = options['endpoint'] or ENDPOINT
    found = query_materials_project(options['limit'], endpoint, options['timeout'], **criteria)
    store(found, group or 'materials-project')


@import_.command('optimade')
@click.argument('provider')
@SPECIES
@click.option('--filter', 'query', help='In the language of OPTIMADE.  [default: elements HAS "SPECIES"]')
@click.option('--band-gap-field', help="The provider's own field of the band gap, eV; dots lead into nested ones.")
@click.option('--energy-above-hull-field', help="The provider's own field of the energy above hull, eV/atom.")
@options.LIMIT(default=100, type=click.IntRange(1), help='Most structures.')
@TIMEOUT
@GROUP
@decorators.with_dbenv()
def import_optimade(provider, species, query, group, **options):
    """Import from a PROVIDER of OPTIMADE, by identifier or base URL; needs `pip install aiida-pesfp[optimade]`.

    \b
    aiida-pesfp import optimade cod --filter 'elements HAS ALL "Li","P","S"' --limit 500

    Identifiers are listed at https://providers.optimade.org. Fields of a provider's own, with their units, are at
    BASE_URL/v1/info/structures.
    """
    from aiida_pesfp.sources.optimade import query_optimade

    entries = query_optimade(provider, query or f'elements HAS "{species}"', **options)
    name = provider.split('://')[-1].strip('/').replace('/', '-')
    store(entries, group or f'optimade-{name}')


def store(entries: Iterable, label: str, or_more: bool = False) -> list:
    """Store entries and put their structures into a group; the structures.

    If a source fails, the entries before the failure are kept.

    :param or_more: whether stored records stand that also say what the entries leave open, such as properties.
    """
    from aiida.orm import Group, StructureData

    from aiida_pesfp.crystals.duplicates import KnownStructures
    from aiida_pesfp.errors import SourceError, StructureError
    from aiida_pesfp.queries.structures import with_other_properties

    group, _ = Group.collection.get_or_create(label)
    structures, new, unreadable, duplicates, failure = [], 0, 0, 0, None
    known, members = KnownStructures(), {node.uuid for node in group.nodes}
    for node in group.nodes:
        if isinstance(node, StructureData):
            known.add(f'{node.label}<{node.pk}>', node.get_pymatgen_structure())
    try:
        for entry in entries:
            try:
                node, is_new = _import(entry, or_more)
            except StructureError as error:
                unreadable += 1
                echo.echo_warning(f'{entry.id}: {error}')
                continue
            for doubt in entry.doubts:
                echo.echo_warning(f'{entry.id}: {doubt}')
            structures.append(node)
            new += is_new
            if node.uuid in members:
                continue
            name = f'{node.label}<{node.pk}>'
            earlier = [one for one in with_other_properties(node) if one.uuid in members and one not in structures]
            if earlier:
                others = ', '.join(f'{one.label}<{one.pk}>' for one in earlier)
                echo.echo_report(f'{name} takes the place of {others}, imported with other properties, in the group')
                group.remove_nodes(earlier)
                members -= {one.uuid for one in earlier}
            other = None if earlier else known.add(name, node.get_pymatgen_structure())
            if other is not None:
                duplicates += 1
                echo.echo_report(f'{name} is the same structure as {other}')
            group.add_nodes(node)
            members.add(node.uuid)
    except SourceError as error:
        failure = error
    if structures:
        counts = f'{new} new, {len(structures) - new} there before'
        echo.echo_success(f'{len(structures)} structures are in the group {label}: {counts}')
        if duplicates:
            echo.echo_report(f'{duplicates} are the same as others: a screening scans one of them')
        echo.echo_report(f'screen them with: aiida-pesfp launch screen {label}')
    elif group.is_empty:
        Group.collection.delete(group.pk)
    if unreadable:
        echo.echo_warning(f'{unreadable} entries could not be read, see above')
    if failure is not None:
        raise failure
    if not structures:
        echo.echo_critical('no structure could be imported' if unreadable else 'no structure was found')
    return structures


def _import(entry, or_more: bool) -> tuple:
    """Store an entry and make its structure, unless both are stored; the structure, and whether it is new.

    :raises UnreadableStructure: if AiiDA cannot hold the structure; then nothing is stored.
    """
    from aiida.orm import StructureData

    from aiida_pesfp.calculations.records import structure_of_record
    from aiida_pesfp.data.record import RecordData
    from aiida_pesfp.errors import UnreadableStructure, one_line
    from aiida_pesfp.queries.structures import stored_record, structure_of

    if entry.error is not None:
        raise UnreadableStructure(entry.error)
    new = RecordData.from_entry(entry)
    record = stored_record(new, or_more)
    if record is not None and (structure := structure_of(record)) is not None:
        return structure, False
    if record is None:
        try:
            StructureData(pymatgen=new.to_structure())
        except Exception as error:  # pymatgen knows more kinds of sites than AiiDA, with errors of all types
            raise UnreadableStructure(f'cannot be kept as a StructureData ({one_line(error)})') from error
        record = new.store()
    return structure_of_record(record), True
