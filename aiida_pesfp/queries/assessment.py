"""Stored descriptors to assess."""

from aiida.orm import Group, QueryBuilder, StructureData

from aiida_pesfp.crystals.names import unique_names
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.queries.structures import name_of


def scanned_structures(
    potential: PotentialData, species: str, group: Group | None = None
) -> tuple[dict[str, StructureData], dict[str, DescriptorsData]]:
    """Structures (of a group) that were scanned for an ion, and the newest descriptors of each.

    :returns: both by keys made of the labels of the structures.
    """
    filters = {'attributes.potential_sha256': potential.sha256, 'attributes.species': species}
    query = QueryBuilder().append(DescriptorsData, filters=filters, project=['attributes.structure_uuid', '*'])
    newest = dict(query.order_by({DescriptorsData: 'id'}).all())
    query = QueryBuilder().append(StructureData, filters={'uuid': {'in': list(newest) or ['']}}, tag='own', project='*')
    if group is not None:
        query.append(Group, filters={'id': group.pk}, with_node='own')
    nodes = query.order_by({'own': 'id'}).all(flat=True)
    structures = dict(zip(unique_names(map(name_of, nodes)), nodes))
    return structures, {key: newest[node.uuid] for key, node in structures.items()}
