"""Types of parameters: what a user names, and what the commands get."""

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
        from aiida_pesfp.queries.nodes import stored_potentials

        labels = sorted({node.label for node in stored_potentials() if node.label.startswith(incomplete)})
        return [click.shell_completion.CompletionItem(label) for label in labels]


class GroupOrNodeParamType(click.ParamType):
    """The group of a label, the nodes of a label, or the node or group of a PK or UUID, in this order.

    Here a group stays a group, and a label has to be that of a single node; subclasses convert further.
    """

    name = 'group or node'

    @decorators.with_dbenv()
    def convert(self, value, param, ctx):
        if not isinstance(value, str):
            return value
        from aiida.common.exceptions import MultipleObjectsError, NotExistent

        from aiida_pesfp.queries.nodes import group_or_nodes

        try:
            found = group_or_nodes(value)
        except MultipleObjectsError:
            self.fail(f'the UUIDs of several nodes or groups begin with {value!r}: give more of it', param, ctx)
        except (NotExistent, ValueError):
            return self.of_other(value)
        return self.of_nodes(found) if isinstance(found, list) else self.of_group(found)

    def shell_complete(self, ctx, param, incomplete):
        return types.GroupParamType().shell_complete(ctx, param, incomplete)

    def of_group(self, group):
        """The value for a group."""
        return group

    def of_nodes(self, nodes: list):
        """The value for one node, or several with the same label.

        :raises click.BadParameter: if they are of no use here.
        """
        if len(nodes) > 1:
            raise click.BadParameter(_ambiguous(nodes))
        return nodes[0]

    def of_other(self, value: str):
        """The value for text that is neither a group nor a node."""
        raise click.BadParameter(f'{value} is neither a node nor a group: `verdi group list -A` lists groups')


class StructuresParamType(GroupOrNodeParamType):
    """StructureData of a group, one StructureData, or a path whose structures are not yet imported."""

    name = 'group, structure or folder'

    def of_group(self, group):
        from aiida.orm import StructureData

        members = _members(group)
        structures = [node for node in members if isinstance(node, StructureData)]
        if not structures:
            raise click.BadParameter(f'the group {group.label!r} has no StructureData among its {len(members)} nodes')
        return structures

    def of_nodes(self, nodes):
        from aiida.orm import StructureData

        from aiida_pesfp.queries.structures import is_derived

        structures = [node for node in nodes if isinstance(node, StructureData)]
        # Relaxed structures and supercells have the label of the structure that they were made from.
        structures = [node for node in structures if not is_derived(node)] or structures
        if not structures:
            raise click.BadParameter(f'node {nodes[0].pk} is a {type(nodes[0]).__name__}, not a StructureData')
        if len(structures) > 1:
            raise click.BadParameter(_ambiguous(structures))
        return structures

    def of_other(self, value):
        if Path(value).exists():
            return Path(value)
        raise click.BadParameter(
            f'there is no group, structure, file or folder {value!r}: `verdi group list -A` lists groups, '
            '`aiida-pesfp import` makes them'
        )


class DescriptorsParamType(GroupOrNodeParamType):
    """DescriptorsData of a group, of a process, of a structure, or one of them."""

    def of_group(self, group):
        found = self._of_all(_members(group))
        if not found:
            raise click.BadParameter(
                f'nothing of the group {group.label!r} was scanned yet: `aiida-pesfp launch screen {group.label}`'
            )
        return found

    def of_nodes(self, nodes):
        found = self._of_all(nodes)
        if not found:
            what = getattr(nodes[0], 'process_label', None) or type(nodes[0]).__name__
            raise click.BadParameter(
                f'{what}<{nodes[0].pk}> has no descriptors (yet): `aiida-pesfp status` follows a running one'
            )
        return found

    def of_other(self, value):
        raise click.BadParameter(f'there is no group and no node {value!r}: `verdi group list -A` lists groups')

    @staticmethod
    def _of_all(nodes) -> list:
        from aiida_pesfp.queries.descriptors import descriptors_of

        return list({child.pk: child for node in nodes for child in descriptors_of(node)}.values())


def _members(group) -> list:
    nodes = list(group.nodes)
    if not nodes:
        raise click.BadParameter(f'the group {group.label!r} is empty: fill it with `aiida-pesfp import`')
    return nodes


def _ambiguous(nodes) -> str:
    pks = ', '.join(str(node.pk) for node in nodes)
    return f'several nodes have the label {nodes[0].label!r}: give the PK of one ({pks})'


#: What `aiida-pesfp setup` installs and commands take.
DEFAULT_POTENTIAL = 'sevennet-0'
CODE = _Hinting(types.CodeParamType(), 'Make it with `aiida-pesfp setup`, or see `verdi code list -A`.')
POTENTIAL = _Hinting(
    PotentialParamType(),
    '`aiida-pesfp potential list` lists the stored potentials, `aiida-pesfp potential install` stores more.',
)
