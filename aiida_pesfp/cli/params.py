"""Types of parameters that verdi does not have."""

from __future__ import annotations

import click
from aiida.cmdline.params.types import GroupParamType, NodeParamType


class GroupOrNodeParamType(click.ParamType):
    """A node or a group, by PK, UUID or label. A number that is the PK of both is refused."""

    name = 'Group or node'

    def convert(self, value, param, ctx):
        """The node or group."""
        found, problems = [], []
        for kind in (NodeParamType(), GroupParamType()):
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
            item for kind in (GroupParamType(), NodeParamType()) for item in kind.shell_complete(ctx, param, incomplete)
        ]
