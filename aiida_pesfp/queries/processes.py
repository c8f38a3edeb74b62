"""Questions about processes."""

from __future__ import annotations

from collections.abc import Iterable

from aiida.orm import CalculationNode, Dict, ProcessNode, QueryBuilder, WorkChainNode

from aiida_pesfp.queries.nodes import among


def running_processes(process_types: Iterable[str]) -> list[ProcessNode]:
    """Processes of some types that have not ended, the oldest first."""
    filters = {
        'attributes.process_state': {'in': ['created', 'waiting', 'running']},
        'process_type': {'in': list(process_types)},
    }
    return QueryBuilder().append(ProcessNode, filters=filters).order_by({ProcessNode: 'id'}).all(flat=True)


def accounts_of_rejected(screen: WorkChainNode) -> list[Dict]:
    """The nodes that name the structures without a result of a screening: its output, or those of its calculations."""
    if 'rejected' in screen.outputs:
        return [screen.outputs.rejected]
    called = among(node.pk for node in screen.called_descendants)
    query = QueryBuilder().append(CalculationNode, filters=called, tag='process')
    links = {'edge_filters': {'label': {'in': ['failures', 'result']}}, 'project': '*'}
    return query.append(Dict, with_incoming='process', **links).all(flat=True)
