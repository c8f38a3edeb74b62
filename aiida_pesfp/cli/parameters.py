"""Types of parameters: what a user names, and what the commands get."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from aiida.cmdline.params import types
from aiida.cmdline.utils import decorators

from aiida_pesfp.settings.program import ProgramSettings


def combined(*decorations: Callable) -> Callable:
    """One decorator of several, whose options ``--help`` lists in this order."""

    def decorate(function):
        for decoration in reversed(decorations):
            function = decoration(function)
        return function

    return decorate


#: A file that exists, a file to write, and a folder to write into.
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


class _Hinting:
    """Mixin of types whose error says what to do."""

    hint: str

    def convert(self, value, param, ctx):
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            raise click.BadParameter(f'{error.message}. {self.hint}', ctx, param) from error


class _CodeParamType(_Hinting, types.CodeParamType):
    hint = 'Make it with `aiida-pesfp setup`, or see `verdi code list -A`.'


class _PotentialParamType(_Hinting, types.DataParamType):
    name = 'potential'
    hint = '`aiida-pesfp potential list` lists the stored potentials, `aiida-pesfp potential install` stores more.'

    @decorators.with_dbenv()
    def shell_complete(self, ctx, param, incomplete):
        from aiida_pesfp.data.potential import PotentialData
        from aiida_pesfp.queries.nodes import stored

        labels = sorted({node.label for node in stored(PotentialData) if node.label.startswith(incomplete)})
        return [click.shell_completion.CompletionItem(label) for label in labels]


class GroupOrNodeParamType(click.ParamType):
    """The group of a label, the nodes of a label, or the node or group of a PK or UUID, in this order.

    Here a group stays a group, and a label has to be that of a single structure or node; subclasses convert further.
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
        return self.of_nodes(found, None) if isinstance(found, list) else self.of_group(found)

    def shell_complete(self, ctx, param, incomplete):
        return types.GroupParamType().shell_complete(ctx, param, incomplete)

    def of_group(self, group):
        """The value for a group, which must not be empty."""
        if not (nodes := list(group.nodes)):
            self.fail(f'the group {group.label!r} is empty: fill it with `aiida-pesfp import`')
        return self.of_nodes(nodes, group)

    def of_nodes(self, nodes: list, group):
        """The value for the nodes of a group, or for those of the same label if ``group`` is None.

        :raises click.BadParameter: if they are of no use here.
        """
        return group or _single(nodes)

    def of_other(self, value: str):
        """The value for text that is neither a group nor a node."""
        self.fail(f'there is no group and no node {value!r}: `verdi group list -A` lists groups')


class StructuresParamType(GroupOrNodeParamType):
    """A group with StructureData, one StructureData, or a path whose structures are not yet imported."""

    name = 'group, structure or folder'

    def of_group(self, group):
        from aiida_pesfp.queries.campaigns import members_of

        # Its nodes are not loaded: they may be very many.
        if not group.count():
            self.fail(f'the group {group.label!r} is empty: fill it with `aiida-pesfp import`')
        if not members_of(group.uuid):
            self.fail(f'the group {group.label!r} has no StructureData among its {group.count()} nodes')
        return group

    def of_nodes(self, nodes, group):
        from aiida.orm import StructureData

        structures = [node for node in nodes if isinstance(node, StructureData)]
        if not structures:
            self.fail(f'node {nodes[0].pk} is a {type(nodes[0]).__name__}, not a StructureData')
        return _single(structures)

    def of_other(self, value):
        if Path(value).exists():
            return Path(value)
        self.fail(
            f'there is no group, structure, file or folder {value!r}: `verdi group list -A` lists groups, '
            '`aiida-pesfp import` makes them'
        )


@dataclass
class Scanned:
    """What belongs to a group or node: descriptors, and the processes in it, which may lack some."""

    descriptors: list
    processes: list


class DescriptorsParamType(GroupOrNodeParamType):
    """DescriptorsData of a group, of a process, of a structure, or one of them."""

    def of_nodes(self, nodes, group):
        from aiida.orm import ProcessNode, StructureData

        from aiida_pesfp.queries.descriptors import descriptors_by_node
        from aiida_pesfp.queries.screening import reasons_for

        found = list({one.pk: one for own in descriptors_by_node(nodes).values() for one in own}.values())
        if found:
            return Scanned(found, [node for node in nodes if isinstance(node, ProcessNode)])
        told = [one for node in nodes if isinstance(node, StructureData) for one in reasons_for(node)[:1]]
        if group and len(told) < len(nodes):
            way_out = f'`aiida-pesfp launch screen {group.label}`'
            self.fail(f'nothing of the group {group.label!r} was scanned yet: {way_out}')
        if told:
            reasons = '; '.join(
                f'{one.label}<{one.structure.pk}>: {one.reason} ({_named(one.process)})' for one in told
            )
            self.fail(f'it has no descriptors, for this reason: {reasons}')
        self.fail(f'{_named(nodes[0])} has no descriptors (yet): `aiida-pesfp status` follows a running process')


def _named(node) -> str:
    return f'{getattr(node, "process_label", None) or type(node).__name__}<{node.pk}>'


def _single(nodes: list):
    """The one node of a label, or the structure of which the others have it: what was made of it, or it was made of."""
    from aiida.orm import StructureData

    from aiida_pesfp.queries.structures import is_derived

    structures = [node for node in nodes if isinstance(node, StructureData)]
    nodes = [node for node in structures if not is_derived(node)] or structures or nodes
    if len(nodes) > 1:
        pks = ', '.join(str(node.pk) for node in nodes)
        raise click.BadParameter(f'several nodes have the label {nodes[0].label!r}: give the PK of one ({pks})')
    return nodes[0]


#: What `aiida-pesfp setup` installs and commands take.
DEFAULT_POTENTIAL = ProgramSettings.known()['potential'].default
CODE = _CodeParamType()
POTENTIAL = _PotentialParamType(sub_classes=('aiida.data:pesfp.potential',))
ASSESSMENT = types.DataParamType(sub_classes=('aiida.data:pesfp.assessment',))
