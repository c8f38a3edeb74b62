"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click
from aiida.cmdline.params import types
from aiida.cmdline.utils import decorators


class _Hinting(click.ParamType):
    """An identifier of AiiDA whose error says what to do."""

    def __init__(self, of: click.ParamType, hint: str):
        self._of, self._hint, self.name = of, hint, of.name

    def convert(self, value, param, ctx):
        try:
            return self._of.convert(value, param, ctx)
        except click.BadParameter as error:
            raise click.BadParameter(f'{error.message}. {self._hint}', ctx, param) from error

    def shell_complete(self, ctx, param, incomplete):
        return self._of.shell_complete(ctx, param, incomplete)


class PotentialParamType(types.DataParamType):
    """A stored potential, by PK, UUID or label."""

    name = 'potential'

    def __init__(self):
        super().__init__(sub_classes=('aiida.data:pesfp.potential',))

    @decorators.with_dbenv()
    def shell_complete(self, ctx, param, incomplete):
        from aiida.orm import QueryBuilder

        from aiida_pesfp.data.potential import PotentialData

        query = QueryBuilder().append(PotentialData, filters={'label': {'like': f'{incomplete}%'}}, project='label')
        return [click.shell_completion.CompletionItem(label) for label in sorted(set(query.all(flat=True)))]


class _GroupOrNodeParamType(click.ParamType):
    """Nodes of a group by its label, or one node by PK, UUID or label; labels of groups are completed."""

    @decorators.with_dbenv()
    def convert(self, value, param, ctx):
        if not isinstance(value, str):
            return value
        from aiida.common.exceptions import MultipleObjectsError, NotExistent
        from aiida.orm import Group, Node, QueryBuilder, load_node

        group = Group.collection.find({'label': value})
        if group:
            nodes = list(group[0].nodes)
            if not nodes:
                self.fail(f'the group {value!r} is empty: fill it with `aiida-pesfp import`', param, ctx)
            return self.of_group(value, nodes, param, ctx)
        labelled = QueryBuilder().append(Node, filters={'label': value}).order_by({Node: 'id'}).all(flat=True)
        if labelled:
            return self.of_label(value, labelled, param, ctx)
        try:
            return self.of_node(load_node(value), param, ctx)
        except MultipleObjectsError:
            self.fail(f'the UUIDs of several nodes begin with {value!r}: give more of it', param, ctx)
        except (NotExistent, ValueError):
            return self.of_other(value, param, ctx)

    def shell_complete(self, ctx, param, incomplete):
        return types.GroupParamType().shell_complete(ctx, param, incomplete)


class StructuresParamType(_GroupOrNodeParamType):
    """StructureData of a group, one StructureData, or a path whose structures are yet to be imported."""

    name = 'group, structure or folder'

    def of_group(self, label, nodes, param, ctx):
        from aiida.orm import StructureData

        structures = [node for node in nodes if isinstance(node, StructureData)]
        if not structures:
            self.fail(f'the group {label!r} has no StructureData among its {len(nodes)} nodes', param, ctx)
        return structures

    def of_label(self, label, nodes, param, ctx):
        from aiida.orm import StructureData

        structures = [node for node in nodes if isinstance(node, StructureData)]
        # Relaxed structures and supercells bear the label of what they were made of.
        structures = [node for node in structures if not _is_derived(node)] or structures
        if len(structures) > 1:
            pks = ', '.join(str(node.pk) for node in structures)
            self.fail(f'several structures have the label {label!r}: give the PK of one ({pks})', param, ctx)
        return structures or self.of_node(nodes[0], param, ctx)

    def of_node(self, node, param, ctx):
        from aiida.orm import StructureData

        if not isinstance(node, StructureData):
            self.fail(f'node {node.pk} is a {type(node).__name__}, not a StructureData', param, ctx)
        return [node]

    def of_other(self, value, param, ctx):
        if Path(value).exists():
            return Path(value)
        self.fail(
            f'there is no group, structure, file or folder {value!r}: `verdi group list -A` lists groups, '
            '`aiida-pesfp import` makes them',
            param,
            ctx,
        )


class DescriptorsParamType(_GroupOrNodeParamType):
    """DescriptorsData of a group, of a process, of a structure, or one of them."""

    name = 'group or node'

    def of_group(self, label, nodes, param, ctx):
        from aiida_pesfp.queries.descriptors import descriptors_of

        found = {child.pk: child for node in nodes for child in descriptors_of(node)}
        if not found:
            self.fail(
                f'nothing of the group {label!r} was scanned yet: `aiida-pesfp launch screen {label}`', param, ctx
            )
        return list(found.values())

    def of_label(self, label, nodes, param, ctx):
        from aiida_pesfp.queries.descriptors import descriptors_of

        found = {child.pk: child for node in nodes for child in descriptors_of(node)}
        return list(found.values()) or self.of_node(nodes[0], param, ctx)

    def of_node(self, node, param, ctx):
        from aiida_pesfp.queries.descriptors import descriptors_of

        found = descriptors_of(node)
        if not found:
            what = getattr(node, 'process_label', None) or type(node).__name__
            self.fail(
                f'{what}<{node.pk}> has no descriptors (yet): `aiida-pesfp status` follows a running one', param, ctx
            )
        return found

    def of_other(self, value, param, ctx):
        self.fail(f'there is no group and no node {value!r}: `verdi group list -A` lists groups', param, ctx)


def _is_derived(structure) -> bool:
    """Whether a structure was made of another one."""
    from aiida.orm import StructureData

    creator = structure.creator
    inputs = creator.base.links.get_incoming().all_nodes() if creator is not None else []
    return any(isinstance(node, StructureData) for node in inputs)


class GroupOrNodeParamType(click.ParamType):
    """A node or a group, by PK, UUID or label. A number that is the PK of both is refused."""

    name = 'Group or node'

    def convert(self, value, param, ctx):
        """The node or group."""
        found, problems = [], []
        for kind in (types.NodeParamType(), types.GroupParamType()):
            try:
                found.append(kind.convert(value, param, ctx))
            except click.BadParameter as error:
                problems.append(error.message)
        if not found:
            self.fail(f'{value} is neither a node nor a group: {problems[0]}; {problems[1]}', param, ctx)
        if len(found) == 2:
            node, group = found
            self.fail(
                f'{value} is the node {type(node).__name__}<{node.pk}> as well as the group {group.label!r}: take '
                f'{node.uuid} or {group.uuid}',
                param,
                ctx,
            )
        return found[0]

    def shell_complete(self, ctx, param, incomplete):
        """Labels of groups, and nodes."""
        return [
            item
            for kind in (types.GroupParamType(), types.NodeParamType())
            for item in kind.shell_complete(ctx, param, incomplete)
        ]


#: What `aiida-pesfp setup` installs and commands take.
DEFAULT_POTENTIAL = 'sevennet-0'
CODE = _Hinting(types.CodeParamType(), 'Make it with `aiida-pesfp setup`, or see `verdi code list -A`.')
POTENTIAL = _Hinting(
    PotentialParamType(),
    '`aiida-pesfp potential list` lists what there is, `aiida-pesfp potential install` makes more.',
)
