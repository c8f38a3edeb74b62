"""What the provenance graph holds about the candidates of a workchain or a group, as plain dataclasses.

Everything carries a :class:`Source`, the node it comes from. Scalars are read at once, the large arrays (surfaces,
curves) when they are asked for, one candidate at a time.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from aiida.orm import (
    CalculationNode,
    Dict,
    Group,
    Node,
    ProcessNode,
    QueryBuilder,
    StructureData,
    WorkChainNode,
    load_node,
)

from aiida_pesfp import errors
from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.conductivity import ConductivityData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.queries.descriptors import descriptors_of_structures, descriptors_of_surfaces, surfaces_of
from aiida_pesfp.queries.nodes import among
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.transport.arrhenius import ArrheniusFit

#: Outputs of scans and screenings are named by these and the structure's key.
_DESCRIPTORS, _PES = 'descriptors__', 'pes__'
_SCREEN = 'aiida.workflows:pesfp.screen'


@dataclass(frozen=True)
class Source:
    """The node that something comes from.

    :param kind: its class, or of a process its name.
    :param made: when; unlike the PK the same in every profile.
    """

    pk: int
    uuid: str
    kind: str
    label: str = ''
    made: datetime.datetime | None = None

    @classmethod
    def of(cls, entity: Node | Group) -> Source:
        """Of a node or a group."""
        kind = getattr(entity, 'process_label', None) or type(entity).__name__
        made = entity.ctime if isinstance(entity, Node) else entity.time
        return cls(entity.pk, entity.uuid, kind, entity.label, made)

    def __str__(self) -> str:
        return f'{self.kind}<{self.pk}>'

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that show the node and its provenance."""
        if self.kind.endswith('Group'):
            return (f'verdi group show --uuids {self.uuid}',)
        return f'verdi node show {self.uuid}', f'verdi node graph generate {self.uuid}'


@dataclass(frozen=True)
class Transport:
    """Conductivity of a candidate at one temperature: the attributes of its ``ConductivityData``."""

    attributes: dict
    source: Source

    @property
    def flags(self) -> dict[str, str]:
        """The flags that apply, and why."""
        return self.attributes.get('remarks', {})


@dataclass(frozen=True)
class Activation:
    """Arrhenius fit of a candidate.

    :param flags: of each of its points.
    """

    fit: ArrheniusFit
    flags: list[list[str]]
    engine: str | None
    source: Source


@dataclass(frozen=True)
class Candidate:
    """One structure with its descriptors, and what else is known of it.

    :param key: its name in the screening, or its label.
    :param barriers: for percolation in one, two and three dimensions, eV; None if the node is older than they are.
    :param spectrum: ``thresholds`` (eV), ``connected`` and ``disconnected`` free volumes.
    :param ion: index of the atom with the lowest barrier for percolation in one dimension, which is shown in figures.
    :param properties: what was known before, such as ``band_gap`` (eV).
    :param source: of the descriptors.
    """

    key: str
    formula: str
    species: str
    xi: float
    mpe: float
    fv_connected: float
    fv_disconnected: float
    barriers: tuple[float, float, float] | None
    spectrum: dict[str, list[float]]
    settings: DescriptorSettings
    ion: int | None
    potential_name: str
    potential_sha256: str
    source: Source
    structure: Source | None = None
    pes: Source | None = None
    potential: Source | None = None
    properties: dict = field(default_factory=dict)
    transport: tuple[Transport, ...] = ()
    activations: tuple[Activation, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """A structure without a result, and why.

    :param stage: ``filter`` or ``scan``.
    :param source: the node that says so.
    """

    key: str
    formula: str
    stage: str
    reason: str
    source: Source


@dataclass(frozen=True)
class Report:
    """All of it, the best candidate first.

    :param notes: sentences about what is missing, and why.
    """

    subject: Source
    candidates: list[Candidate]
    rejected: list[Rejected]
    notes: list[str]


def load_surface(source: Source) -> PotentialEnergySurface:
    """The surface of a candidate."""
    return load_node(source.uuid).to_surface()


def load_curves(source: Source) -> dict[str, np.ndarray]:
    """Mean squared displacements of a conductivity, by name."""
    node = load_node(source.uuid)
    return {name: node.get_array(name) for name in node.get_arraynames()}


def collect(subject: Node | Group) -> Report:
    """What the graph holds about a workchain (and all it called), a group, or a single node.

    A group may hold workchains, ``DescriptorsData``, ``PesData`` and ``StructureData``: of the last two, the
    descriptors that were made of them are taken.

    :raises NothingToReport: if there is neither a candidate nor a rejected structure, with the reason.
    """
    members = list(subject.nodes) if isinstance(subject, Group) else [subject]
    if not members:
        raise errors.NothingToReport(
            f'the group {subject.label!r} is empty: `verdi group add-nodes -G {subject.label} PK` adds workchains, '
            'DescriptorsData or PesData'
        )
    notes, processes = [], []
    for process in (node for node in members if isinstance(node, ProcessNode)):
        notes += _state(process)
        processes += [process, *process.called_descendants]
    descriptors = _descriptors(members, processes, notes)
    screens = [node for node in processes if isinstance(node, WorkChainNode) and node.process_type == _SCREEN]
    rejected = [entry for screen in screens for entry in _rejected(screen)]
    if not descriptors and not rejected:
        notes = notes or [f'{Source.of(subject)} holds no descriptors, and neither does anything it called']
        raise errors.NothingToReport(' '.join(notes))
    if not descriptors:
        notes.append('No structure has descriptors: the reasons are listed below.')
    candidates = _candidates(descriptors, screens)
    without = [candidate.key for candidate in candidates if candidate.pes is None]
    if without:
        notes.append(f'No surface is stored for {_enumerate(without)}: there is no 3D view and no profile of them.')
    return Report(Source.of(subject), candidates, rejected, notes)


def _state(process: ProcessNode) -> list[str]:
    """A sentence if a process did not finish well."""
    name = str(Source.of(process))
    if not process.is_terminated:
        return [
            f'{name} has not finished ({process.process_state.value}): here is what there is so far. '
            f'`verdi process report {process.pk}` shows its progress.'
        ]
    if process.is_killed:
        return [f'{name} was killed: here is what it had done by then.']
    if process.is_excepted:
        return [f'{name} ended with an error ({process.exception}): here is what it had done by then.']
    if process.is_failed:
        return [f'{name} failed with exit code {process.exit_status}: {process.exit_message or "no message"}']
    return []


def _descriptors(members: list[Node], processes: list[ProcessNode], notes: list[str]) -> dict[int, DescriptorsData]:
    """All descriptors by their PK; notes about members that lead to none."""
    query = QueryBuilder().append(ProcessNode, filters=among(node.pk for node in processes), tag='process')
    found = query.append(DescriptorsData, with_incoming='process').all(flat=True)
    found += [node for node in members if isinstance(node, DescriptorsData)]
    for kind, finder in ((PesData, descriptors_of_surfaces), (StructureData, descriptors_of_structures)):
        nodes = [node for node in members if isinstance(node, kind)]
        own = finder(nodes)
        for node in nodes:
            if node.pk not in own:
                notes.append(f'{Source.of(node)} ({node.label or "no label"}) has no descriptors: scan or describe it.')
        found += [descriptors for group in own.values() for descriptors in group]
    known = (ProcessNode, DescriptorsData, PesData, StructureData)
    notes += [
        f'{Source.of(node)} is neither a workchain nor descriptors, a surface or a structure: it is left out.'
        for node in members
        if not isinstance(node, known)
    ]
    return {node.pk: node for node in found}


def _candidates(descriptors: dict[int, DescriptorsData], screens: list[WorkChainNode]) -> list[Candidate]:
    """Complete candidates, the best first."""
    chosen = among(descriptors)
    keys, surfaces = _keys(chosen), surfaces_of(descriptors)
    pes = {pk: Source.of(load_node(pes)) for pk, pes in surfaces.items()}
    potentials = _potentials(surfaces.values())
    uuids = [node['structure_uuid'] for node in descriptors.values() if 'structure_uuid' in node]
    query = QueryBuilder().append(StructureData, filters={'uuid': {'in': uuids or ['']}})
    structures = {node.uuid: node for node in query.all(flat=True)}
    transport, activations = _transport(list(structures)), _activations(list(structures))
    properties = {}
    for screen in screens:
        known = screen.inputs.properties.get_dict()
        properties |= {node.uuid: known[key] for key, node in screen.inputs.structures.items() if key in known}
    found = []
    for pk, node in descriptors.items():
        structure = structures.get(node.get('structure_uuid'))
        uuid = structure.uuid if structure else None
        found.append(
            Candidate(
                key=keys.get(pk) or node.label or f'{node.get("formula", "structure")}_{pk}',
                **{name: node[name] for name in ('xi', 'mpe', 'fv_connected', 'fv_disconnected', 'spectrum')},
                **{name: node.get(name, '') for name in ('formula', 'species', 'potential_name', 'potential_sha256')},
                barriers=node.barriers if 'barrier_3d' in node else None,
                settings=DescriptorSettings.from_dict(node.get('settings', {})),
                ion=_easiest_ion(node),
                source=Source.of(node),
                structure=Source.of(structure) if structure else None,
                pes=pes.get(pk),
                potential=potentials.get(surfaces.get(pk)),
                properties=properties.get(uuid, {}),
                transport=tuple(transport.get(uuid, ())),
                activations=tuple(activations.get(uuid, ())),
            )
        )
    return sorted(found, key=lambda one: (-one.xi, -one.fv_connected, one.mpe, one.key, one.source.uuid))


def _easiest_ion(node: DescriptorsData) -> int | None:
    ions = node.get('ions', [])
    return min(ions, key=lambda ion: (ion['barrier_1d'], ion['mpe'], ion['index']))['index'] if ions else None


def _keys(chosen: dict) -> dict[int, str]:
    """Keys of the structures by the PK of their descriptors, from the links that made them."""
    query = QueryBuilder().append(DescriptorsData, filters=chosen, tag='own', project='id')
    query.append(ProcessNode, with_outgoing='own', edge_project='label')
    return {pk: label.removeprefix(_DESCRIPTORS) for pk, label in query.all() if label.startswith(_DESCRIPTORS)}


def _potentials(surfaces: Iterable[int]) -> dict[int, Source]:
    """Potentials by the PK of the surface."""
    query = QueryBuilder().append(PesData, filters=among(surfaces), tag='pes', project='id')
    query.append(CalculationNode, with_outgoing='pes', tag='scan')
    query.append(PotentialData, with_outgoing='scan', project='*')
    return {pk: Source.of(node) for pk, node in query.all()}


def _descendants(kind: type, structures: list[str]) -> Iterable[tuple[str, Node]]:
    """Nodes of a kind with the UUID of the structure that they descend from.

    Of those with the same content, such as what caching has made again, only the first.
    """
    if not structures or not QueryBuilder().append(kind).limit(1).all():
        return []
    query = QueryBuilder().append(StructureData, filters={'uuid': {'in': structures}}, tag='structure', project='uuid')
    rows = query.append(kind, with_ancestors='structure', project='*').distinct().all()
    found = {}
    for uuid, node in sorted(rows, key=lambda row: row[1].ctime):
        content = json.dumps(_without_uuids(node.base.attributes.all), sort_keys=True)
        found.setdefault((uuid, content), node)
    return [(uuid, node) for (uuid, _), node in found.items()]


def _without_uuids(value):
    """A copy of nested dictionaries and lists without what names other nodes."""
    if isinstance(value, dict):
        return {name: _without_uuids(entry) for name, entry in value.items() if not name.endswith('uuid')}
    return [_without_uuids(entry) for entry in value] if isinstance(value, list) else value


def _transport(structures: list[str]) -> dict[str, list[Transport]]:
    found = {}
    for uuid, node in _descendants(ConductivityData, structures):
        found.setdefault(uuid, []).append(Transport(node.base.attributes.all, Source.of(node)))
    for own in found.values():
        own.sort(key=lambda one: (str(one.attributes.get('engine')), -one.attributes['temperature'], one.source.uuid))
    return found


def _activations(structures: list[str]) -> dict[str, list[Activation]]:
    found = {}
    for uuid, node in _descendants(ArrheniusData, structures):
        flags = [point.get('flags', []) for point in node['points']]
        found.setdefault(uuid, []).append(Activation(node.to_fit(), flags, node.get('engine'), Source.of(node)))
    for own in found.values():
        own.sort(key=lambda one: (str(one.engine), one.source.made))
    return found


def _rejected(screen: WorkChainNode) -> list[Rejected]:
    """Structures without a result: from the account of a screening, or as far as it got from those it is made of."""
    structures = screen.inputs.structures
    if 'rejected' in screen.outputs:
        accounts = [screen.outputs.rejected]
    else:
        called = among(node.pk for node in screen.called_descendants)
        query = QueryBuilder().append(CalculationNode, filters=called, tag='process')
        links = {'edge_filters': {'label': {'in': ['failures', 'result']}}, 'project': '*'}
        accounts = query.append(Dict, with_incoming='process', **links).all(flat=True)
    found = {}
    for account in accounts:
        for key, entry in account.get_dict().items():
            if key in structures and isinstance(entry, dict):
                reason = entry.get('reason') or entry['error']
                formula = structures[key].get_formula(mode='hill_compact')
                found.setdefault(key, Rejected(key, formula, entry.get('stage', 'scan'), reason, Source.of(account)))
    return list(found.values())


def _enumerate(names: list[str], most: int = 8) -> str:
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more
