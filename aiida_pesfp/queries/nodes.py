"""Questions about nodes of any kind: which ones a user means, and what is stored already."""

from __future__ import annotations

from collections.abc import Iterable

from aiida.common.exceptions import NotExistent
from aiida.orm import Group, Node, QueryBuilder, load_group, load_node
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_pesfp.data.potential import PotentialData


def among(pks: Iterable[int]) -> dict:
    """Filter for some PKs. AiiDA refuses an empty list, and no node has the PK 0."""
    return {'id': {'in': list(pks) or [0]}}


def group_or_nodes(identifier: str) -> Group | list[Node]:
    """The group of a label, all nodes of a label, or the one node or group of a PK or UUID, in this order.

    :raises NotExistent: if there is nothing of the kind.
    :raises MultipleObjectsError: if several UUIDs begin with the identifier.
    """
    group = Group.collection.find({'label': identifier})
    if group:
        return group[0]
    labelled = QueryBuilder().append(Node, filters={'label': identifier}).order_by({Node: 'id'}).all(flat=True)
    if labelled:
        return labelled
    try:
        return [load_node(identifier)]
    except (NotExistent, ValueError):
        return load_group(identifier)


def stored_potentials() -> list[PotentialData]:
    """All potentials, the oldest first."""
    return QueryBuilder().append(PotentialData).order_by({PotentialData: 'id'}).all(flat=True)


def potential_with(sha256: str) -> PotentialData | None:
    """The oldest potential with some content."""
    query = QueryBuilder().append(PotentialData, filters={'attributes.sha256': sha256})
    return query.order_by({PotentialData: 'id'}).first(flat=True)


def pseudo_families() -> list[str]:
    """Labels of the families of pseudopotentials."""
    return sorted(QueryBuilder().append(PseudoPotentialFamily, project='label').all(flat=True))
