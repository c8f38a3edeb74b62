"""``aiida-pesfp potential``: potentials as nodes, and those that are known by a name."""

import json
import re
import sys

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.utils import decorators, echo
from tabulate import tabulate

from aiida_pesfp.cli.parameters import POTENTIAL
from aiida_pesfp.tables.table import write_table

#: Heads of the table of known potentials, which fits into 120 columns, and the widest cells of those that are wrapped.
_HEADS = ('Name', 'Get', 'Re-\nleased', 'Trained on', 'F1', 'Barriers', 'Xi', 'Licence', 'Com-\nmercial')
_WIDTHS = [None, None, None, 12, None, None, None, 12, None]
_LEGEND = """
Get         PK of the stored node; package: in one that is here; download: fetched and verified; confirm: fetched, but
            no SHA-256 is known to verify it; by hand: `aiida-pesfp potential show NAME` says how, and which package is
            missing
F1          of Matbench Discovery, unique prototypes
Barriers    ours against DFT: Spearman, share on the right side of 0.5 eV, (hops); fewer than 20 hops say nothing yet
Xi          score of its ranking of 110 materials of KAHLE2020: 0.06 is a guess, errors are 0.09
Commercial  whether the licence of the weights allows such use; limited: not all of it"""


class _PotentialOrName(click.ParamType):
    """A stored potential, or else the name of a known one."""

    name = 'potential'

    def convert(self, value, param, ctx):
        from aiida_pesfp.errors import closest
        from aiida_pesfp.potentials.registry import find, known

        try:
            return POTENTIAL.convert(value, param, ctx)
        except click.BadParameter as error:
            if found := find(value):
                return found[0]
            meant = closest(value, [name for row in known().values() for name in row.names])
            if meant is None:
                raise
            self.fail(f'{error.message} Did you mean {meant}?', param, ctx)

    def shell_complete(self, ctx, param, incomplete):
        return [*POTENTIAL.shell_complete(ctx, param, incomplete), *_Name().shell_complete(ctx, param, incomplete)]


class _Name(click.ParamType):
    """A known name, or any other text."""

    name = 'text'

    def shell_complete(self, ctx, param, incomplete):
        from aiida_pesfp.potentials.registry import known

        names = [name for row in known().values() for name in row.names]
        return [click.shell_completion.CompletionItem(name) for name in names if name.startswith(incomplete)]


class _Sha256(click.ParamType):
    """64 hexadecimal digits."""

    name = 'sha256'

    def convert(self, value, param, ctx):
        if not re.fullmatch('[0-9a-fA-F]{64}', value):
            self.fail(f'{value!r} has not the 64 hexadecimal digits of a SHA-256', param, ctx)
        return value.lower()


@click.group('potential', cls=VerdiCommandGroup)
def potential():
    """Potentials as nodes of the provenance graph, and what is known of those with a name."""


@potential.command('install')
@click.argument('name', type=_Name())
@click.option('--from', 'path', help='File or folder of the weights; NAME can then be any name you choose.')
@click.option('--sha256', type=_Sha256(), help='SHA-256 that the weights must have.')
@click.option('--label', help='Label of the node.  [default: NAME]')
@decorators.with_dbenv()
def potential_install(name, path, sha256, label):
    """Store a potential, so that calculations can refer to it.

    NAME is one that `potential list` shows, such as sevennet-0, or a file of your own (`potential list --files` says of
    which kinds). A potential with the same content is not stored twice.

    Published weights are downloaded once, to the user's cache folder or to $PESFP_CACHE. If $PESFP_WEIGHTS_URL is set,
    they come from that mirror, which has the files URL/NAME/FILE. Weights whose SHA-256 nobody has told are not used
    before you have given it with --sha256.
    """
    from aiida_pesfp.potentials.registry import in_file

    install(in_file(name, path) if path else name, label=label or (name if path else None), sha256=sha256)


@potential.command('list')
@click.option('--files', is_flag=True, help='List instead of which kinds your own files can be.')
@click.option('-f', '--format', 'form', type=click.Choice(['table', 'json', 'csv']), default='table')
@decorators.with_dbenv()
def potential_list(files, form):
    """List known potentials, stored or not, and the stored ones of your own.

    Of each: how to get it, how old it is, what it was trained on, how good it is, and who may use it.
    """
    from aiida_pesfp.data.potential import PotentialData
    from aiida_pesfp.potentials.registry import known
    from aiida_pesfp.queries.nodes import stored

    if files:
        return _print_files()
    nodes = stored(PotentialData)
    pks = {}
    for node in nodes:
        pks.setdefault(_known_name(node), []).append(node.pk)
    rows = [
        {'name': told['name'], 'pks': pks.get(told['name'], []), 'get': _way_to(row), **told}
        for row in known().values()
        for told in row.facts()
    ]
    own = [node for node in nodes if _known_name(node) is None]
    others = [
        {'name': node.name, 'label': node.label, 'pks': [node.pk], 'family': node.kind, 'sha256': node.sha256}
        for node in own
    ]
    if form == 'json':
        click.echo(json.dumps([*rows, *others], indent=1))
    elif form == 'csv':
        write_table([_flat(row) for row in [*rows, *others]], sys.stdout)
    else:
        _print_known(rows)
        _print_own(own)
        echo.echo(_LEGEND)


@potential.command('show')
@click.argument('named', type=_PotentialOrName(), metavar='NODE|NAME')
@decorators.with_dbenv()
def potential_show(named):
    """Show a stored potential, named by PK, UUID or label, or a known one that is not stored."""
    from aiida_pesfp.data.potential import PotentialData
    from aiida_pesfp.potentials.registry import known

    content, row = {}, named
    if isinstance(named, PotentialData):
        content = {'pk': named.pk, 'uuid': named.uuid, 'label': named.label, 'files': named.filenames}
        content |= named.base.attributes.all
        name = _known_name(named)
        row = name and known()[name.partition(':')[0]]
    if row:
        content['known'] = _described(row)
    echo.echo_dictionary(content, fmt='yaml', sort_keys=False)


def install(spec: str, label: str | None, sha256: str | None = None):
    """Store the potential ``spec`` unless one with the same content is there; the node."""
    from aiida_pesfp.data.potential import PotentialData
    from aiida_pesfp.queries.nodes import potential_with

    node = PotentialData.from_spec(spec, sha256)
    found = potential_with(node.sha256)
    if found is not None:
        echo.echo_report(f'potential {found.label}<{found.pk}> exists')
        return found
    node.label = label or node.label
    node.store()
    echo.echo_success(f'stored the potential {node.label}<{node.pk}> (SHA-256 {node.sha256[:12]}...)')
    return node


def _known_name(node) -> str | None:
    """The known name that a node was stored by, or that its user has given it as a label."""
    from aiida_pesfp.potentials.registry import known

    names = {name for row in known().values() for name in row.names}
    return next((name for name in (node.name, node.label) if name in names), None)


def _way_to(row) -> str:
    """How known weights are got, in a word or two."""
    from aiida_pesfp.errors import PotentialError
    from aiida_pesfp.potentials.base import version
    from aiida_pesfp.potentials.registry import families
    from aiida_pesfp.potentials.torchsim.family import models

    if (family := families().get(row.family)) is None:
        return f'no {row.family}'
    packages = [models()[row.model].package, family.package] if row.model else [family.package]
    for package in packages if not row.embedded else ():
        if version(package) == 'unknown':
            return f'no {package}'
    if not row.embedded:
        return 'by hand' if row.obtain else 'download' if row.pinned else 'confirm'
    try:
        family.embedded_file(row)
    except PotentialError:
        return f'no {family.package}'
    return 'package'


def _print_known(rows: list[dict]) -> None:
    table = []
    for row in rows:
        pks = ', '.join(map(str, row['pks']))
        barriers = row['barriers'] and '{spearman:5.2f} {right_side}% ({hops})'.format(**row['barriers'])
        f1, ranking = (row[key] is not None and f'{row[key]:.{digits}f}' for key, digits in (('f1', 3), ('ranking', 2)))
        unknown = [row[key] or 'unknown' for key in ('trained_on', 'licence', 'commercial')]
        scores = [score or '' for score in (f1, barriers, ranking)]
        way = f'PK {pks}' if pks else re.sub('^no .*', 'missing', row['get'])
        table.append([row['name'], way, row['released'][:7], unknown[0], *scores, *unknown[1:]])
    echo.echo(tabulate(table, _HEADS, disable_numparse=True, maxcolwidths=_WIDTHS))


def _print_own(nodes: list) -> None:
    if nodes:
        rows = [[node.pk, node.label, node.name, node.kind, node.sha256[:12]] for node in nodes]
        echo.echo('\n' + tabulate(rows, headers=['PK', 'Label', 'Name', 'Kind', 'SHA-256'], disable_numparse=True))


def _print_files() -> None:
    from aiida_pesfp.potentials.base import version
    from aiida_pesfp.potentials.registry import families

    rows = [[one.kind, f'{one.package} {version(one.package)}', one.accepts] for one in families().values()]
    echo.echo(tabulate(rows, headers=['Family', 'Package', 'Recognises'], maxcolwidths=[None, None, 70]))


def _described(row) -> dict:
    """All that the catalogue has of known weights."""
    facts = {'names': row.names, **row.facts()[0], 'trained_on': dict(row.variants) or row.trained_on}
    licence = row.licence
    more = {'limits': licence and licence.limits, 'licence_text': licence and licence.url, 'get': _way_to(row)}
    where = {'package': row.embedded, 'sha256': row.sha256, 'address': row.url, 'files': dict(row.files)}
    content = facts | more | where | {'megabytes': row.megabytes, 'by_hand': row.obtain}
    del content['name']
    return {key: 'unknown' if value is None else value for key, value in content.items() if key in facts or value}


def _flat(row: dict) -> dict:
    """A row without lists and dictionaries."""
    flat = {}
    for key, value in row.items():
        if key == 'barriers':
            flat |= {f'barriers_{name}': (value or {}).get(name) for name in ('spearman', 'right_side', 'hops')}
        else:
            flat[key] = ' '.join(map(str, value)) if isinstance(value, list) else value
    return flat
