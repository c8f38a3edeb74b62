"""Questions about structures: where they come from, and what descends from them."""

import json
from collections.abc import Iterable

from aiida.orm import CalcFunctionNode, Node, ProcessNode, QueryBuilder, StructureData

from aiida_pesfp.crystals.names import unique_names
from aiida_pesfp.data.record import RecordData
from aiida_pesfp.settings.screen import Properties


def structures_by_uuid(uuids: Iterable[str | None]) -> dict[str, StructureData]:
    """The stored structures among some UUIDs."""
    query = QueryBuilder().append(StructureData, filters={'uuid': {'in': sorted({*uuids} - {None}) or ['']}})
    return {node.uuid: node for node in query.all(flat=True)}


def content_of(structure: StructureData) -> tuple[str, str]:
    """Label and hash: structures that share both, such as one file from two folders, are one."""
    caching = structure.base.caching
    return structure.label, caching.get_hash() or caching.compute_hash()


def by_name(structures: Iterable[StructureData]) -> dict[str, StructureData]:
    """Structures by safe names made of their labels or formulas: keys of inputs and outputs.

    Of structures with the same label and content, such as one file from two folders, the first is given.
    """
    first = {}
    for node in structures:
        first.setdefault(content_of(node), node)
    nodes = list(first.values())
    return dict(zip(unique_names(name_of(node) for node in nodes), nodes))


def name_of(structure: StructureData) -> str:
    """The name of a structure for people."""
    return structure.label or structure.get_formula(mode='hill_compact')


def records_of(structures: Iterable[StructureData]) -> dict[str, RecordData]:
    """UUID of each structure -> the record that it comes from, directly or through other structures.

    Structures without a record are left out. If a structure has several records, the newest wins.
    """
    return dict(_relatives((node.uuid for node in structures), RecordData, 'with_descendants'))


def known_properties(structures: dict[str, StructureData]) -> dict[str, dict[str, float]]:
    """Band gap (eV) and energy above hull (eV/atom) in the records of structures, by the keys of the structures."""
    records, known = records_of(structures.values()), {}
    for key, node in structures.items():
        record = records.get(node.uuid, {})
        found = {name: record[name] for name in Properties.known() if record.get(name) is not None}
        if found:
            known[key] = found
    return known


def stored_record(record: RecordData, or_more: bool = False) -> RecordData | None:
    """The newest stored record that says what an unstored one says; None if there is none.

    The ``url`` does not count: the same file in another folder is the same record.

    :param or_more: whether a stored record may also say what the unstored one leaves open, such as properties.
    """
    for node in reversed(_of_same_entry(record)):
        names = {*node.keys(), *record.keys()} - {'url'}
        if all(node.get(name) == record.get(name) or (or_more and record.get(name) is None) for name in names):
            return node
    return None


def with_other_properties(structure: StructureData) -> list[StructureData]:
    """Structures of the same entry of a source that were imported with other properties."""
    record = records_of([structure]).get(structure.uuid)
    others = [] if record is None else [structure_of(node) for node in _of_same_entry(record) if node.pk != record.pk]
    return [other for other in others if other is not None]


def _of_same_entry(record: RecordData) -> list[RecordData]:
    """Records of the same content under the same identifier of a source, the oldest first."""
    filters = {f'attributes.{name}': record[name] for name in ('source', 'id', 'sha256')}
    query = QueryBuilder().append(RecordData, filters=filters, tag='record')
    return query.order_by({'record': ['ctime', 'id']}).all(flat=True)


def structure_of(record: RecordData) -> StructureData | None:
    """The structure that was made from a stored record; None if there is none."""
    query = QueryBuilder().append(RecordData, filters={'id': record.pk}, tag='record')
    query.append(CalcFunctionNode, with_incoming='record', tag='function', filters={'attributes.exit_status': 0})
    return query.append(StructureData, with_incoming='function').first(flat=True)


def is_derived(structure: StructureData) -> bool:
    """Whether a structure was made from another structure."""
    creator = structure.creator
    inputs = creator.base.links.get_incoming().all_nodes() if creator is not None else []
    return any(isinstance(node, StructureData) for node in inputs)


def processes_of(structure: StructureData) -> list[ProcessNode]:
    """Processes with a structure as an input, the oldest first."""
    query = QueryBuilder().append(StructureData, filters={'id': structure.pk}, tag='structure')
    query.append(ProcessNode, with_incoming='structure', tag='process').order_by({'process': 'id'}).distinct()
    return query.all(flat=True)


def results_of(structures: Iterable[str], kind: type[Node]) -> dict[str, list[Node]]:
    """UUID of each structure -> the nodes of a kind that descend from it, the oldest first.

    If several have the same content, such as those that caching made, only the first is given.
    """
    found = {}
    for uuid, node in _relatives(structures, kind, 'with_ancestors'):
        content = json.dumps(_without_uuids(node.base.attributes.all), sort_keys=True)
        found.setdefault(uuid, {}).setdefault(content, node)
    return {uuid: list(nodes.values()) for uuid, nodes in found.items()}


def _relatives(structures: Iterable[str], kind: type[Node], how: str) -> list[tuple[str, Node]]:
    """UUIDs of structures and nodes of a kind that they come from or that come from them, the oldest first."""
    if not QueryBuilder().append(kind).limit(1).all():
        return []
    filters = {'uuid': {'in': sorted(structures) or ['']}}
    query = QueryBuilder().append(StructureData, filters=filters, tag='structure', project='uuid')
    rows = query.append(kind, **{how: 'structure'}, project='*').distinct().all()
    return sorted(rows, key=lambda row: (row[1].ctime, row[1].pk))


def _without_uuids(value):
    """A copy of nested dictionaries and lists without the entries that name other nodes."""
    if isinstance(value, dict):
        return {name: _without_uuids(entry) for name, entry in value.items() if not name.endswith('uuid')}
    return [_without_uuids(entry) for entry in value] if isinstance(value, list) else value
