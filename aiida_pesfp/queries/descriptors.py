"""Questions about descriptors and surfaces: which ones belong to a node, and what is known of their structures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from aiida.common.links import LinkType
from aiida.orm import CalculationNode, Node, ProcessNode, QueryBuilder, load_node

from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.queries.nodes import among
from aiida_pesfp.queries.structures import records_of, results_of, structures_by_uuid

#: Columns of a row of :func:`rows_of`: entries of the descriptors, ...
DESCRIPTORS = ('formula', 'species', *NAMES, 'potential_name', 'structure_uuid')
#: ... of the record of the structure, ...
RECORD = ('source', 'id', 'database', 'band_gap', 'energy_above_hull')
#: ... and of the newest Arrhenius fit.
ARRHENIUS = ('activation_energy', 'activation_energy_error', 'conductivity_300K')
COLUMNS = ('pk', 'label', *DESCRIPTORS, *RECORD, *ARRHENIUS)
#: Link labels of the outputs of scans and screenings begin with this, before the key of the structure.
_PREFIX = 'descriptors__'


def all_descriptors() -> list[DescriptorsData]:
    """All descriptors, the oldest first."""
    return QueryBuilder().append(DescriptorsData).order_by({DescriptorsData: 'id'}).all(flat=True)


def descriptors_of(node: Node) -> list[DescriptorsData]:
    """The descriptors that belong to a node, the oldest first.

    The node itself, or those of a process and all it called, of a surface (from its scan, and computed from it later),
    or of a structure.
    """
    if isinstance(node, DescriptorsData):
        return [node]
    if isinstance(node, PesData):
        return descriptors_of_surfaces([node]).get(node.pk, [])
    if isinstance(node, ProcessNode):
        return descriptors_of_processes([node, *node.called_descendants])
    return descriptors_of_structures([node]).get(node.pk, [])


def descriptors_of_processes(processes: Iterable[ProcessNode]) -> list[DescriptorsData]:
    """The descriptors among the outputs of processes, the oldest first."""
    query = QueryBuilder().append(ProcessNode, filters=among(node.pk for node in processes), tag='process')
    query.append(DescriptorsData, with_incoming='process', tag='own').order_by({'own': 'id'})
    return query.distinct().all(flat=True)


def descriptors_of_surfaces(surfaces: list[PesData]) -> dict[int, list[DescriptorsData]]:
    """PK of each surface -> the descriptors that came with it from a scan and those computed from it later."""
    chosen, found = among(node.pk for node in surfaces), defaultdict(list)
    for surface, descriptors in _siblings(PesData, chosen, DescriptorsData):
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


def rows_of(descriptors: list[DescriptorsData]) -> list[dict]:
    """A row with the keys of :data:`COLUMNS` for each of some descriptors; unknown values are None."""
    structures = structures_by_uuid(node.get('structure_uuid') for node in descriptors)
    records, fits = records_of(structures.values()), results_of(structures, ArrheniusData)
    rows = []
    for node in descriptors:
        structure = node.get('structure_uuid')
        row = {'pk': node.pk, 'label': node.label}
        for names, content in (
            (DESCRIPTORS, node),
            (RECORD, records.get(structure, {})),
            (ARRHENIUS, fits.get(structure, [{}])[-1]),
        ):
            row |= {name: content.get(name) for name in names}
        rows.append(row)
    return rows


def keys_of(descriptors: Iterable[int]) -> dict[int, str]:
    """PK of descriptors -> key of their structure in the scan or screening that made them."""
    query = QueryBuilder().append(DescriptorsData, filters=among(descriptors), tag='own', project='id')
    query.append(ProcessNode, with_outgoing='own', edge_project='label')
    return {pk: label.removeprefix(_PREFIX) for pk, label in query.all() if label.startswith(_PREFIX)}


def surfaces_of(descriptors: Iterable[int]) -> dict[int, int]:
    """PK of descriptors -> PK of their surface: that of the same scan, or that from which they were computed later."""
    chosen = among(descriptors)
    surfaces = dict(_siblings(DescriptorsData, chosen, PesData))
    query = QueryBuilder().append(DescriptorsData, filters=chosen, tag='own', project='id')
    query.append(CalculationNode, with_outgoing='own', tag='describe')
    return surfaces | dict(query.append(PesData, with_outgoing='describe', project='id').all())


def potentials_of(surfaces: Iterable[int]) -> dict[int, PotentialData]:
    """PK of each surface -> the potential with which it was scanned."""
    query = QueryBuilder().append(PesData, filters=among(surfaces), tag='pes', project='id')
    query.append(CalculationNode, with_outgoing='pes', tag='scan')
    return dict(query.append(PotentialData, with_outgoing='scan', project='*').all())


def _siblings(first: type, filters: dict, second: type) -> Iterable[tuple[int, int]]:
    """PKs of descriptors and surface (or the other way round) of the same structure from the same scan.

    :param first: class of the nodes that are known.
    :param filters: which of them, such as :func:`~aiida_pesfp.queries.nodes.among`.
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
