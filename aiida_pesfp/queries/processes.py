"""Questions about processes."""

from __future__ import annotations

from aiida.orm import CalculationNode, Dict, QueryBuilder, WorkChainNode

from aiida_pesfp.queries.nodes import among


def accounts_of_rejected(screen: WorkChainNode) -> list[Dict]:
    """The nodes that name the structures without a result of a screening: its output, or those of its calculations."""
    if 'rejected' in screen.outputs:
        return [screen.outputs.rejected]
    called = among(node.pk for node in screen.called_descendants)
    query = QueryBuilder().append(CalculationNode, filters=called, tag='process')
    links = {'edge_filters': {'label': {'in': ['failures', 'result']}}, 'project': '*'}
    return query.append(Dict, with_incoming='process', **links).all(flat=True)
