"""Questions about descriptors and surfaces: which ones belong to a node, and what is known of their structures."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from aiida.orm import CalculationNode, Group, Node, ProcessNode, QueryBuilder, StructureData, load_node

from aiida_pesfp.crystals.names import unique_names
from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.barrier import IN_TABLES, BarrierData, table_row
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.merge_tree import MergeTreeData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.fingerprint.quantities import NAMES, XI_CALIBRATED
from aiida_pesfp.queries.calibrations import calibrations
from aiida_pesfp.queries.nodes import among, potential_labels, stored, with_descendants
from aiida_pesfp.queries.structures import content_of, name_of, records_of, results_of, structures_by_uuid
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.settings.scan import SCAN_SETTINGS

#: Columns of a row of :func:`rows_of`: entries of the descriptors, ...
DESCRIPTORS = ('formula', 'species', *NAMES, 'potential_name', 'structure_uuid')
#: ... Xi with the cuts of the potential, and the words for what ranks the row, ...
RANKED = (XI_CALIBRATED.name, 'ranked_by')
#: ... those that ensembles of orderings have besides, ...
ENSEMBLE = ('xi_low', 'xi_high', 'orderings')
#: ... of the record of the structure, ...
RECORD = ('source', 'id', 'database', 'band_gap', 'energy_above_hull')
#: ... of the newest barrier with a relaxed framework, and of the newest Arrhenius fit.
ARRHENIUS = ('activation_energy', 'activation_energy_error', 'conductivity_300K')
#: Nodes that descriptors follow from.
_SURFACES = PesData, MergeTreeData
#: What makes two results of one structure differ.
ORIGIN = ('species', 'potential_name', *SCAN_SETTINGS, 'settings')
COLUMNS = (
    'pk',
    'label',
    *DESCRIPTORS,
    *RANKED,
    *ENSEMBLE,
    *SCAN_SETTINGS,
    'settings',
    'doubts',
    *RECORD,
    *IN_TABLES,
    *ARRHENIUS,
)


def descriptors_of(node: Node) -> list[DescriptorsData]:
    """The descriptors that belong to a node, see :func:`descriptors_by_node`; the oldest first."""
    return descriptors_by_node([node]).get(node.pk, [])


def descriptors_by_node(nodes: Iterable[Node]) -> dict[int, list[DescriptorsData]]:
    """PK of each node -> the descriptors that belong to it, the oldest first. Nodes without any are left out.

    To descriptors belong they themselves; to a process those that it and all it called have made; to a surface or its
    merge tree those of its scan and those computed from it later; to a structure those of its scans.
    """
    found, surfaces, others = {}, [], []
    for node in nodes:
        if isinstance(node, DescriptorsData):
            found[node.pk] = [node]
        elif isinstance(node, ProcessNode):
            if own := descriptors_of_processes(with_descendants(node)):
                found[node.pk] = own
        else:
            (surfaces if isinstance(node, _SURFACES) else others).append(node)
    return found | descriptors_of_surfaces(surfaces) | descriptors_of_structures(others)


def descriptors_of_processes(processes: Iterable[ProcessNode]) -> list[DescriptorsData]:
    """The descriptors among the outputs of processes, the oldest first."""
    query = QueryBuilder().append(ProcessNode, filters=among(node.pk for node in processes), tag='process')
    query.append(DescriptorsData, with_incoming='process', tag='own').order_by({'own': 'id'})
    return query.distinct().all(flat=True)


def descriptors_of_surfaces(surfaces: list[PesData | MergeTreeData]) -> dict[int, list[DescriptorsData]]:
    """PK of each surface -> the descriptors that came with it from a scan and those computed from it later."""
    found = defaultdict(list)
    for surface, descriptors in _pairs(_SURFACES, (node.pk for node in surfaces)):
        found[surface].append(load_node(descriptors))
    return dict(found)


def descriptors_of_structures(structures: list[Node]) -> dict[int, list[DescriptorsData]]:
    """PK of each structure -> its descriptors, the oldest first. Those without any are left out."""
    pks, found = {node.uuid: node.pk for node in structures}, defaultdict(list)
    for descriptors in stored(DescriptorsData, {'attributes.structure_uuid': {'in': list(pks) or ['']}}):
        found[pks[descriptors['structure_uuid']]].append(descriptors)
    return dict(found)


def newest(descriptors: Iterable[DescriptorsData]) -> list[DescriptorsData]:
    """The newest descriptors of each structure, ion, potential and settings, in the order in which they were made.

    Structures of the same label and content, such as one file from two folders, are one.
    """
    # An exact result counts, also if a later scan stopped early.
    ordered = sorted(descriptors, key=lambda node: (not node.get('stopped_early', False), node.pk))
    structures = structures_by_uuid(node.get('structure_uuid') for node in ordered)
    contents = {uuid: content_of(structure) for uuid, structure in structures.items()}
    names = ('species', 'potential_sha256', *SCAN_SETTINGS, 'settings')
    found = {}
    for node in ordered:
        # What is known of nothing but itself is like nothing else.
        structure = contents.get(node.get('structure_uuid'), node.get('structure_uuid') or node.uuid)
        origin = (structure, *(json.dumps(node.get(name), sort_keys=True) for name in names))
        found[origin] = node
    return sorted(found.values(), key=lambda node: node.pk)


def scanned_structures(
    potential: PotentialData, species: str, group: Group | None = None, settings: Mapping | None = None
) -> tuple[dict[str, StructureData], dict[str, DescriptorsData]]:
    """Structures (of a group) that were scanned for an ion, and the newest descriptors of each.

    :param settings: those of :data:`~aiida_pesfp.settings.scan.SCAN_SETTINGS` that scans must have to count.
    :returns: both by keys made of the labels of the structures.
    """
    filters = {'attributes.potential_sha256': potential.sha256, 'attributes.species': species}
    query = QueryBuilder().append(DescriptorsData, filters=filters, project=['attributes.structure_uuid', '*'])
    wanted, rows = settings or {}, query.order_by({DescriptorsData: 'id'}).all()
    found = {uuid: node for uuid, node in rows if all(node.get(name) == value for name, value in wanted.items())}
    query = QueryBuilder().append(StructureData, filters={'uuid': {'in': list(found) or ['']}}, tag='own', project='*')
    if group is not None:
        query.append(Group, filters={'id': group.pk}, with_node='own')
    nodes = query.order_by({'own': 'id'}).all(flat=True)
    structures = dict(zip(unique_names(map(name_of, nodes)), nodes))
    return structures, {key: found[node.uuid] for key, node in structures.items()}


def rows_of(descriptors: list[DescriptorsData]) -> list[dict]:
    """A row with the keys of :data:`COLUMNS` for each of some descriptors; unknown values are None."""
    structures = structures_by_uuid(node.get('structure_uuid') for node in descriptors)
    labels = potential_labels()
    records, fits = records_of(structures.values()), results_of(structures, ArrheniusData)
    barriers, cuts = results_of(structures, BarrierData), calibrations()
    rows = []
    for node in descriptors:
        structure = node.get('structure_uuid')
        names = (*DESCRIPTORS, *ENSEMBLE, *SCAN_SETTINGS)
        row = {'pk': node.pk, 'label': node.label} | {name: node.get(name) for name in names}
        row['potential_name'] = labels.get(node.get('potential_sha256')) or row['potential_name']
        row['doubts'] = '; '.join(node.get('doubts', [])) or None
        row['settings'] = _changed_settings(node.get('settings', {}))
        row |= cuts.rank_values(node)
        row |= {name: records.get(structure, {}).get(name) for name in RECORD}
        of_ion = [one for one in barriers.get(structure, []) if one.species == row['species']]
        row |= table_row(of_ion[-1].base.attributes.all if of_ion else {})
        rows.append(row | {name: fits.get(structure, [{}])[-1].get(name) for name in ARRHENIUS})
    return rows


def surfaces_of(descriptors: Iterable[int]) -> dict[int, int]:
    """PK of descriptors -> PK of their surface: that of the same scan, or that from which they were computed later."""
    return {found: surface for surface, found in _pairs(DescriptorsData, descriptors, (PesData,))}


def surfaces_among(nodes: Iterable[Node]) -> list[PesData]:
    """The surfaces that belong to nodes, as descriptors do (:func:`descriptors_by_node`), the oldest first."""
    nodes = list(nodes)
    processes = [one.pk for node in nodes if isinstance(node, ProcessNode) for one in with_descendants(node)]
    query = QueryBuilder().append(ProcessNode, filters=among(processes), tag='process')
    found = query.append(PesData, with_incoming='process').distinct().all(flat=True)
    structures = [node.uuid for node in nodes if isinstance(node, StructureData)]
    found += stored(PesData, {'attributes.structure_uuid': {'in': structures or ['']}})
    descriptors = surfaces_of(node.pk for node in nodes if isinstance(node, DescriptorsData))
    found += stored(PesData, among(descriptors.values()))
    found += [node for node in nodes if isinstance(node, PesData)]
    return [node for _, node in sorted({node.pk: node for node in found}.items())]


def trees_of(surfaces: Iterable[int]) -> dict[int, MergeTreeData]:
    """PK of each surface -> the newest merge tree that was made of it; those without any are left out."""
    query = QueryBuilder().append(PesData, filters=among(surfaces), tag='surface', project='id')
    query.append(CalculationNode, with_incoming='surface', tag='made')
    query.append(MergeTreeData, with_incoming='made', tag='tree', project='*').order_by({'tree': 'id'})
    return dict(query.all())


def potentials_of(descriptors: Iterable[int]) -> dict[int, PotentialData]:
    """PK of descriptors -> the potential with which their structure was scanned."""
    own = {'filters': among(descriptors), 'tag': 'own', 'project': ['id', 'attributes.potential_sha256']}
    query = QueryBuilder().append(DescriptorsData, **own)
    query.append(PotentialData, with_descendants='own', tag='potential', project='*').order_by({'potential': 'id'})
    return {pk: potential for pk, sha256, potential in query.distinct().all() if potential.sha256 == sha256}


def _changed_settings(settings: dict) -> str | None:
    """The settings of descriptors that are not the default, such as ``xi.threshold=0.4``; None if all are."""
    default, given = (dict(_leaves(one)) for one in (DescriptorSettings().as_dict(), settings))
    changed = [f'{name}={value}' for name, value in sorted(given.items()) if default.get(name) != value]
    return ' '.join(changed) or None


def _leaves(settings: dict, prefix: str = '') -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', list(value) if isinstance(value, tuple) else value


def _pairs(
    kind: type | tuple[type, ...], pks: Iterable[int], surfaces: tuple[type, ...] = _SURFACES
) -> Iterator[tuple[int, int]]:
    """PKs of surfaces and their descriptors: those of the same scan, then those computed from surfaces later.

    :param kind: that of the surfaces, or DescriptorsData, of which PKs are known.
    """
    filters = {kind: among(pks)}
    surfaces = {'cls': surfaces, 'filters': filters.get(surfaces), 'tag': 'surface', 'project': 'id'}
    descriptors = {'cls': DescriptorsData, 'filters': filters.get(DescriptorsData), 'tag': 'own', 'project': 'id'}
    query = QueryBuilder().append(**surfaces).append(CalculationNode, with_outgoing='surface', tag='scan')
    yield from query.append(**descriptors, with_incoming='scan').all()
    query = QueryBuilder().append(**surfaces).append(CalculationNode, with_incoming='surface', tag='describe')
    yield from query.append(**descriptors, with_incoming='describe').order_by({'own': 'id'}).all()
