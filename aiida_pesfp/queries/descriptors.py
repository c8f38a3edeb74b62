"""Questions to the graph that several commands and workchains ask."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from aiida.common.links import LinkType
from aiida.orm import CalculationNode, Node, ProcessNode, QueryBuilder, StructureData, load_node

from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.record import RecordData

#: What is known of a candidate: entries of its descriptors, ...
DESCRIPTORS = (
    'formula', 'species', 'xi', 'mpe', 'fv_connected', 'fv_disconnected', 'barrier_1d', 'barrier_2d', 'barrier_3d',
    'potential_name', 'structure_uuid',
)  # fmt: skip
#: ... of its record, ...
RECORD = ('source', 'id', 'database', 'band_gap', 'energy_above_hull')
#: ... and of its last Arrhenius fit.
ARRHENIUS = ('activation_energy', 'activation_energy_error', 'conductivity_300K')
COLUMNS = ('pk', 'label', *DESCRIPTORS, *RECORD, *ARRHENIUS)


def records_of(structures: list[StructureData]) -> dict[str, RecordData]:
    """The record that each structure comes from, directly or through others: UUID of the structure -> record.

    Structures without a record are left out. Of several records the last one is taken.
    """
    return _related({node.uuid for node in structures}, RecordData, 'with_descendants')


def known_properties(structures: dict[str, StructureData]) -> dict[str, dict[str, float]]:
    """Band gap (eV) and energy above hull (eV/atom) that the records of structures say, by their keys."""
    records = records_of(list(structures.values()))
    known = {}
    for key, node in structures.items():
        record = records.get(node.uuid, {})
        found = {name: record.get(name) for name in ('band_gap', 'energy_above_hull')}
        if any(value is not None for value in found.values()):
            known[key] = {name: value for name, value in found.items() if value is not None}
    return known


def descriptors_of(node: Node) -> list[DescriptorsData]:
    """The descriptors that belong to a node, the oldest first.

    Itself, those of a process and all it called, of a surface (by its scan, and computed from it later), or of a
    structure.
    """
    if isinstance(node, DescriptorsData):
        return [node]
    if isinstance(node, PesData):
        return descriptors_of_surfaces([node]).get(node.pk, [])
    if isinstance(node, ProcessNode):
        found = {}
        for process in (node, *node.called_descendants):
            for child in process.base.links.get_outgoing(node_class=DescriptorsData).all_nodes():
                found[child.pk] = child
        return [found[pk] for pk in sorted(found)]
    return descriptors_of_structures([node]).get(node.pk, [])


def descriptors_of_surfaces(surfaces: list[PesData]) -> dict[int, list[DescriptorsData]]:
    """PK of each surface -> the descriptors that came with it from a scan and those computed from it later."""
    chosen, found = among(node.pk for node in surfaces), defaultdict(list)
    for surface, descriptors in siblings(PesData, chosen, DescriptorsData):
        found[surface].append(load_node(descriptors))
    query = QueryBuilder().append(PesData, filters=chosen, tag='surface', project='id')
    query.append(CalculationNode, with_incoming='surface', tag='describe')
    query.append(DescriptorsData, with_incoming='describe', tag='own', project='*').order_by({'own': 'id'})
    for surface, descriptors in query.all():
        found[surface].append(descriptors)
    return dict(found)


def descriptors_of_structures(structures: list[Node]) -> dict[int, list[DescriptorsData]]:
    """PK of each structure -> its descriptors, the oldest first. Those without any are left out."""
    pks, found = {node.uuid: node.pk for node in structures}, defaultdict(list)
    query = QueryBuilder().append(DescriptorsData, filters={'attributes.structure_uuid': {'in': list(pks) or ['']}})
    for descriptors in query.order_by({DescriptorsData: 'id'}).all(flat=True):
        found[pks[descriptors['structure_uuid']]].append(descriptors)
    return dict(found)


def candidates(descriptors: list[DescriptorsData]) -> list[dict]:
    """What is known of some candidates: one row with the keys of :data:`COLUMNS` for each; None is not known."""
    uuids = {node.get('structure_uuid') for node in descriptors} - {None}
    if not descriptors:
        return []
    records, fits = _related(uuids, RecordData, 'with_descendants'), _related(uuids, ArrheniusData, 'with_ancestors')
    rows = []
    for node in descriptors:
        structure = node.get('structure_uuid')
        row = {'pk': node.pk, 'label': node.label}
        for names, content in (
            (DESCRIPTORS, node),
            (RECORD, records.get(structure, {})),
            (ARRHENIUS, fits.get(structure, {})),
        ):
            row |= {name: content.get(name) for name in names}
        rows.append(row)
    return rows


def surfaces_of(pks: Iterable[int]) -> dict[int, int]:
    """PKs of descriptors -> PK of their surface, of the same scan or that which they were computed from later."""
    chosen = among(pks)
    surfaces = dict(siblings(DescriptorsData, chosen, PesData))
    query = QueryBuilder().append(DescriptorsData, filters=chosen, tag='own', project='id')
    query.append(CalculationNode, with_outgoing='own', tag='describe')
    return surfaces | dict(query.append(PesData, with_outgoing='describe', project='id').all())


def siblings(first: type, filters: dict, second: type) -> Iterable[tuple[int, int]]:
    """PKs of descriptors and surface (or the other way round) of the same structure from the same scan.

    :param first: class of the nodes that are known.
    :param filters: which of them, such as :func:`among`.
    :param second: class of those that are sought.
    """
    query = QueryBuilder().append(first, filters=filters, tag='first', project='id')
    created = {'edge_filters': {'type': LinkType.CREATE.value}, 'edge_project': 'label'}
    query.append(CalculationNode, with_outgoing='first', tag='scan', edge_tag='here', **created)
    query.append(second, with_incoming='scan', tag='second', edge_tag='there', project='id', **created)
    for row in query.dict():
        here, there = row['first']['id'], row['second']['id']
        label, other_label = row['here']['label'], row['there']['label']
        if label.partition('__')[2] == other_label.partition('__')[2] != '':
            yield here, there


def among(pks: Iterable[int]) -> dict:
    """Filter for some PKs. AiiDA refuses an empty list, and no node has the PK 0."""
    return {'id': {'in': list(pks) or [0]}}


def _related(structures: set[str], node_class, how: str) -> dict[str, Node]:
    """UUID of each structure -> the last node of a class that it comes from or that comes from it."""
    query = QueryBuilder()
    query.append(StructureData, filters={'uuid': {'in': sorted(structures)}}, tag='structure', project='uuid')
    query.append(node_class, **{how: 'structure'}, project='*')
    return dict(sorted(query.all(), key=lambda row: row[1].pk)) if structures else {}
