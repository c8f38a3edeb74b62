"""What the provenance graph says about a workchain or a group: structures, descriptors, transport, and gaps."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from aiida.orm import Group, Node, ProcessNode, StructureData, WorkChainNode, load_node

from aiida_pesfp import errors
from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.conductivity import ConductivityData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.fingerprint.quantities import NAMES, rank_key
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.queries.descriptors import descriptors_by_node, keys_of, potentials_of, surfaces_of
from aiida_pesfp.queries.nodes import accounts_of_rejected
from aiida_pesfp.queries.structures import results_of, structures_by_uuid
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.transport.arrhenius import ArrheniusFit

_SCREEN = 'aiida.workflows:pesfp.screen'
_MOST_NAMES = 8
UNKNOWN_ENGINE = 'unknown engine'


@dataclass(frozen=True)
class Source:
    """The node that a number comes from; ``kind`` is its class or process, ``made`` the time of its creation."""

    pk: int
    uuid: str
    kind: str
    label: str = ''
    made: datetime.datetime | None = None

    @classmethod
    def of(cls, entity: Node | Group) -> Source:
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


def engine_title(attributes: Mapping) -> str:
    """The engine of molecular dynamics behind a result, with its potential if it has one."""
    engine, potential = attributes.get('engine') or UNKNOWN_ENGINE, attributes.get('potential_name')
    return f'{engine} ({potential})' if potential else engine


@dataclass(frozen=True)
class Transport:
    """Conductivity at one temperature: the attributes of a ``ConductivityData``."""

    attributes: dict
    source: Source

    def __getitem__(self, name: str):
        return self.attributes[name]

    @property
    def engine(self) -> str:
        return engine_title(self.attributes)

    @property
    def flags(self) -> dict[str, str]:
        """The flags that apply, with their reasons."""
        return self.attributes.get('remarks', {})


@dataclass(frozen=True)
class Activation:
    """An Arrhenius fit, with the flags of each of its points."""

    fit: ArrheniusFit
    point_flags: list[list[str]]
    engine: str
    source: Source

    @classmethod
    def of(cls, node: ArrheniusData) -> Activation:
        flags = [point.get('flags', []) for point in node['points']]
        return cls(node.to_fit(), flags, engine_title(node), Source.of(node))

    @property
    def flags(self) -> dict[str, str]:
        """The flags of the fit, with their reasons."""
        return self.fit.remarks()


@dataclass(frozen=True)
class Entry:
    """One structure with its descriptors, and what the graph knows besides. ``entry['xi']`` is a descriptor.

    :param key: its name in the screening, or its label.
    :param values: name of a quantity -> value; None if the node is older than the quantity.
    :param spectrum: ``thresholds`` (eV), ``connected`` and ``disconnected`` free volumes.
    :param ion: index of the atom with the lowest barrier for percolation in one dimension; figures show it.
    :param properties: known before the scan, such as ``band_gap`` (eV).
    """

    key: str
    formula: str
    species: str
    values: dict[str, float | None]
    spectrum: dict[str, list[float]]
    settings: DescriptorSettings
    ion: int | None
    potential_name: str
    potential_sha256: str
    source: Source
    structure: Source | None = None
    surface: Source | None = None
    potential: Source | None = None
    properties: dict = field(default_factory=dict)
    transport: tuple[Transport, ...] = ()
    activations: tuple[Activation, ...] = ()

    def __getitem__(self, name: str) -> float | None:
        return self.values[name]

    @property
    def nodes(self) -> list[tuple[str, Source]]:
        """The nodes behind it, each with its role."""
        roles = ('descriptors', 'energy surface', 'structure', 'potential')
        sources = (self.source, self.surface, self.structure, self.potential)
        return [(role, source) for role, source in zip(roles, sources) if source is not None]


@dataclass(frozen=True)
class Rejected:
    """A structure without a result, the ``stage`` that rejected it (filter or scan), and the node with the reason."""

    key: str
    formula: str
    stage: str
    reason: str
    source: Source


@dataclass(frozen=True)
class Report:
    """The content of a report, the best structure first; the notes are sentences about gaps, and their reasons."""

    subject: Source
    entries: list[Entry]
    rejected: list[Rejected]
    notes: list[str]


def load_surface(source: Source) -> PotentialEnergySurface:
    """The surface of an entry."""
    return load_node(source.uuid).to_surface()


def load_curves(source: Source) -> dict[str, np.ndarray]:
    """Mean squared displacements of a conductivity, by name."""
    node = load_node(source.uuid)
    return {name: node.get_array(name) for name in node.get_arraynames()}


def collect(subject: Node | Group) -> Report:
    """What the graph holds about a workchain (and all it called), a group, or a single node.

    A group can hold workchains, ``DescriptorsData``, ``PesData`` and ``StructureData``. The descriptors of the last two
    are reported.

    :raises NothingToReport: if there is neither an entry nor a rejected structure, with the reason.
    """
    members = sorted(subject.nodes, key=lambda node: node.pk) if isinstance(subject, Group) else [subject]
    if not members:
        way = f'`verdi group add-nodes -G {subject.label} PK` adds workchains, DescriptorsData or PesData'
        raise errors.NothingToReport(f'the group {subject.label!r} is empty: {way}')
    processes = [node for node in members if isinstance(node, ProcessNode)]
    notes = [note for process in processes for note in _state(process)]
    descriptors = _descriptors(members, notes)
    called = [node for process in processes for node in (process, *process.called_descendants)]
    screens = [node for node in called if isinstance(node, WorkChainNode) and node.process_type == _SCREEN]
    rejected = [entry for screen in screens for entry in _rejected(screen)]
    if not descriptors and not rejected:
        notes = notes or [f'{Source.of(subject)} holds no descriptors, and neither does anything it called']
        raise errors.NothingToReport(' '.join(notes))
    if not descriptors:
        notes.append('No structure has descriptors: the reasons are listed below.')
    entries = _entries(descriptors, screens)
    without = [entry.key for entry in entries if entry.surface is None]
    if without:
        more = f' and {len(without) - _MOST_NAMES} more' if len(without) > _MOST_NAMES else ''
        names = ', '.join(without[:_MOST_NAMES]) + more
        notes.append(f'No surface is stored for {names}: they have no 3D view and no profile.')
    return Report(Source.of(subject), entries, rejected, notes)


def _state(process: ProcessNode) -> list[str]:
    """A sentence if a process did not finish well."""
    name = str(Source.of(process))
    if not process.is_terminated:
        state = f'{name} has not finished ({process.process_state.value}): the report shows its results so far.'
        return [f'{state} `verdi process report {process.pk}` shows its progress.']
    if process.is_failed:
        return [f'{name} failed with exit code {process.exit_status}: {process.exit_message or "no message"}']
    if process.is_finished_ok:
        return []
    end = 'was killed' if process.is_killed else f'ended with an error ({process.exception})'
    return [f'{name} {end}: the report shows its results until then.']


def _descriptors(members: list[Node], notes: list[str]) -> dict[int, DescriptorsData]:
    """All descriptors by their PK; notes about members without any."""
    by_node = descriptors_by_node(members)
    for node in members:
        if not isinstance(node, (ProcessNode, DescriptorsData, PesData, StructureData)):
            what = 'is neither a workchain nor descriptors, a surface or a structure: the report omits it.'
            notes.append(f'{Source.of(node)} {what}')
        elif node.pk not in by_node and isinstance(node, (PesData, StructureData)):
            notes.append(f'{Source.of(node)} ({node.label or "no label"}) has no descriptors: scan or describe it.')
    return {one.pk: one for own in by_node.values() for one in own}


def _entries(descriptors: dict[int, DescriptorsData], screens: list[WorkChainNode]) -> list[Entry]:
    """Complete entries, the best first."""
    keys, surfaces = keys_of(descriptors), surfaces_of(descriptors)
    potentials = potentials_of(surfaces.values())
    structures = structures_by_uuid(node.get('structure_uuid') for node in descriptors.values())
    conductivities, fits = results_of(structures, ConductivityData), results_of(structures, ArrheniusData)
    properties = {}
    for screen in screens:
        known = screen.inputs.properties.get_dict()
        properties |= {node.uuid: known[key] for key, node in screen.inputs.structures.items() if key in known}
    found = []
    for pk, node in descriptors.items():
        uuid, surface = node.get('structure_uuid'), surfaces.get(pk)
        transport = [Transport(one.base.attributes.all, Source.of(one)) for one in conductivities.get(uuid, ())]
        activations = [Activation.of(one) for one in fits.get(uuid, ())]
        ions = node.get('ions', [])
        easiest = min(ions, key=lambda ion: (ion['barrier_1d'], ion['mpe'], ion['index']), default={})
        found.append(
            Entry(
                key=keys.get(pk) or node.label or f'{node.get("formula", "structure")}_{pk}',
                **{name: node.get(name, '') for name in ('formula', 'species', 'potential_name', 'potential_sha256')},
                values={name: node.get(name) for name in NAMES},
                spectrum=node['spectrum'],
                settings=DescriptorSettings.from_dict(node.get('settings', {})),
                ion=easiest.get('index'),
                source=Source.of(node),
                structure=Source.of(structures[uuid]) if uuid in structures else None,
                surface=None if surface is None else Source.of(load_node(surface)),
                potential=Source.of(potentials[surface]) if surface in potentials else None,
                properties=properties.get(uuid, {}),
                transport=tuple(sorted(transport, key=lambda one: (one.engine, -one['temperature'], one.source.uuid))),
                activations=tuple(sorted(activations, key=lambda one: (one.engine, one.source.made))),
            )
        )
    return sorted(found, key=lambda one: (*rank_key(one.values), one.key, one.source.uuid))


def _rejected(screen: WorkChainNode) -> list[Rejected]:
    """Structures without a result in a screening, as far as it got."""
    structures, found = screen.inputs.structures, {}
    for account in accounts_of_rejected(screen):
        for key, entry in account.get_dict().items():
            if key in structures and isinstance(entry, dict):
                reason = entry.get('reason') or entry['error']
                formula = structures[key].get_formula(mode='hill_compact')
                found.setdefault(key, Rejected(key, formula, entry.get('stage', 'scan'), reason, Source.of(account)))
    return list(found.values())
