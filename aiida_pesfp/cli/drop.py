"""``aiida-pesfp drop``: make room, without a gap in the provenance."""

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.params import options
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import GroupOrNodeParamType
from aiida_pesfp.errors import one_line, some_of


class _NodesParamType(GroupOrNodeParamType):
    """The nodes of a group, or one node."""

    def of_nodes(self, nodes, group):
        return nodes if group else [super().of_nodes(nodes, group)]


@click.group('drop', cls=VerdiCommandGroup)
def drop():
    """Drop what takes room. Nodes, their attributes and their links remain."""


@drop.command('grids')
@click.argument('subjects', nargs=-1, required=True, type=_NodesParamType(), metavar='GROUP|NODE...')
@click.option('--below', type=click.FloatRange(0, 1), help='Only where Xi, and its upper bound, is below this.')
@click.option('--without-trees', is_flag=True, help='Make no merge trees, from which descriptors follow, before.')
@options.DRY_RUN(help='Only say what would be dropped.')
@options.FORCE()
@decorators.with_dbenv()
def drop_grids(subjects, below, without_trees, dry_run, force):
    """Drop the energies of surfaces that belong to a screening, any other process, a structure, or a group of these.

    \b
    aiida-pesfp drop grids sulfides --below 0.25 --dry-run
    aiida-pesfp drop grids 1234
    verdi storage maintain --full

    Descriptors stay, and a merge tree of each surface, from which others follow at any thresholds. Maps, paths and 3D
    views are lost: they need another scan.
    """
    from aiida.orm import ProcessNode

    from aiida_pesfp.queries.descriptors import surfaces_among, trees_of
    from aiida_pesfp.queries.nodes import how_it_ended

    nodes = [node for own in subjects for node in own]
    if running := [node for node in nodes if isinstance(node, ProcessNode) and not node.is_terminated]:
        echo.echo_critical(f'{how_it_ended(running[0])}: wait until it has')
    surfaces = surfaces_among(nodes)
    grids = [node for node in surfaces if node.has_grid]
    if before := len(surfaces) - len(grids):
        echo.echo_report(f'{before} grids were dropped before')
    grids = grids if below is None else _below(grids, below)
    trees = trees_of(node.pk for node in grids)
    to_make = [] if without_trees else [node for node in grids if node.pk not in trees]
    if not grids:
        echo.echo_report('there are no grids to drop')
        return
    size = sum(node.grid_bytes for node in grids) / 1e6
    echo.echo_report(f'{len(grids)} grids with {size:.3g} MB: {some_of(map(_name, grids))}')
    first = f'{len(to_make)} of which are made first' if to_make else 'no more are made'
    echo.echo_report(f'what stays: nodes, links, descriptors, and {len(trees) + len(to_make)} merge trees, {first}')
    if dry_run:
        return
    if not force:
        click.confirm('Maps and paths need another scan then. Drop the grids?', abort=True)
    trees |= (made := _made(to_make))
    dropped = [node.drop_grid(trees.get(node.pk)) for node in grids if without_trees or node.pk in trees]
    own = sum(tree.base.repository.get_object_size(tree.FILE) for tree in made.values())
    words = f', made {len(made)} merge trees with {own / 1e6:.3g} MB' if made else ''
    echo.echo_success(f'dropped {len(dropped)} grids with {sum(dropped) / 1e6:.3g} MB{words}')
    echo.echo_report('free these bytes with: verdi storage maintain --full (while nothing else uses the profile)')
    if len(dropped) < len(grids):
        echo.echo_critical(f'{len(grids) - len(dropped)} grids stay, as no merge tree could be made of them')


def _below(surfaces: list, limit: float) -> list:
    """Surfaces all of whose descriptors are below the limit."""
    from aiida_pesfp.queries.descriptors import descriptors_of_surfaces

    found = descriptors_of_surfaces(surfaces)
    highest = {pk: max(node['xi_upper'] for node in own) for pk, own in found.items()}
    return [node for node in surfaces if highest.get(node.pk, limit) < limit]


def _made(surfaces: list) -> dict:
    """PK of each surface -> a new merge tree, for the settings of its descriptors; a warning if none can be made."""
    from aiida.orm import Dict

    from aiida_pesfp.calculations.descriptors import merge_tree
    from aiida_pesfp.queries.descriptors import descriptors_of_surfaces

    described, trees = descriptors_of_surfaces(surfaces), {}
    for node in surfaces:
        settings = described[node.pk][-1].get('settings', {}) if node.pk in described else {}
        try:
            trees[node.pk] = merge_tree(node, Dict(settings))
        except (ValueError, KeyError, OSError) as error:
            echo.echo_warning(f'there is no merge tree of {_name(node)}: {one_line(error, 300)}')
    return trees


def _name(node) -> str:
    return f'{node.label or node.base.attributes.get("formula", "surface")}<{node.pk}>'
