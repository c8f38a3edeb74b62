"""Stored descriptors to assess."""

from aiida.orm import Group, QueryBuilder, StructureData

from aiida_pesfp.crystals.names import safe_name
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.potential import PotentialData


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
    structures, descriptors = {}, {}
    for structure in query.order_by({'own': 'id'}).all(flat=True):
        key = safe_name(structure.label or structure.get_formula(), structures)
        structures[key], descriptors[key] = structure, newest[structure.uuid]
    return structures, descriptors
