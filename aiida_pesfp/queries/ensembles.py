"""Questions about disordered structures, their orderings and ensembles."""

from collections.abc import Iterable

from aiida.orm import CalcFunctionNode, CalculationNode, QueryBuilder, StructureData, load_node

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.ensemble import EnsembleData
from aiida_pesfp.queries.nodes import among

#: Names of the calculations that make ordered structures of a disordered one.
ORDERING = ('order', 'OrderCalculation')
_ORDERING = {'attributes.process_label': {'in': list(ORDERING)}}


def members_of(ensembles: Iterable[EnsembleData]) -> dict[int, dict[str, DescriptorsData]]:
    """PK of each ensemble -> the descriptors of its orderings, by the keys of their weights."""
    query = QueryBuilder().append(DescriptorsData, tag='member', project='*')
    query.append(CalcFunctionNode, with_incoming='member', edge_project='label', edge_tag='key', tag='pool')
    filters = among(node.pk for node in ensembles)
    query.append(EnsembleData, with_incoming='pool', filters=filters, tag='own', project='id')
    found = {}
    for row in sorted(query.dict(), key=lambda row: row['key']['label']):
        found.setdefault(row['own']['id'], {})[row['key']['label']] = row['member']['*']
    return found


def without_members(descriptors: Iterable[DescriptorsData]) -> list[DescriptorsData]:
    """Descriptors without those that an ensemble among them stands for."""
    nodes = list(descriptors)
    ensembles = [node for node in nodes if isinstance(node, EnsembleData)]
    members = {member.pk for own in members_of(ensembles).values() for member in own.values()} if ensembles else set()
    return [node for node in nodes if node.pk not in members]


def likeliest(ensemble: EnsembleData) -> StructureData:
    """The ordering with the largest weight, the first of several."""
    [members], weights = members_of([ensemble]).values(), ensemble['weights']
    return load_node(members[max(sorted(members), key=weights.get)]['structure_uuid'])


def crossing(xi: float) -> list[EnsembleData]:
    """Ensembles with a value of Xi within their interval: more orderings may put them on either side of it."""
    filters = {'attributes.xi_low': {'<': xi}, 'attributes.xi_high': {'>': xi}}
    return QueryBuilder().append(EnsembleData, filters=filters).order_by({EnsembleData: 'id'}).all(flat=True)


def orderings_of(structure: StructureData) -> list[StructureData]:
    """The ordered structures that were made of a disordered one, the oldest first."""
    query = QueryBuilder().append(StructureData, filters={'id': structure.pk}, tag='parent')
    query.append(CalculationNode, with_incoming='parent', filters=_ORDERING, tag='order')
    query.append(StructureData, with_incoming='order', tag='own').order_by({'own': 'id'})
    return query.all(flat=True)


def parent_of(structure: StructureData) -> StructureData | None:
    """The disordered structure of which an ordered one was made; None if it is none."""
    query = QueryBuilder().append(StructureData, filters={'id': structure.pk}, tag='own')
    query.append(CalculationNode, with_outgoing='own', filters=_ORDERING, tag='order')
    return query.append(StructureData, with_outgoing='order').first(flat=True)
