"""What a report says: structures, descriptors, transport, and gaps, each with the node it comes from.

:mod:`aiida_pesfp.report.collect` gathers it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from aiida.orm import Group, Node, load_node

from aiida_pesfp.barriers.methods import FLAGS
from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.fingerprint.quantities import XI_CALIBRATED
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.queries.screening import Unranked
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.transport.arrhenius import ArrheniusFit
from aiida_pesfp.transport.flags import TOO_SHORT


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
    engine, potential = attributes.get('engine') or 'unknown engine', attributes.get('potential_name')
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

    @property
    def too_short(self) -> bool:
        """Whether the run is too short for a result."""
        return not TOO_SHORT.isdisjoint(self.flags)


@dataclass(frozen=True)
class Relaxed:
    """Barriers with a relaxed framework: the attributes of a ``BarrierData``."""

    attributes: dict
    source: Source

    def __getitem__(self, name: str):
        return self.attributes[name]

    @property
    def flags(self) -> dict[str, str]:
        """The flags that apply, with what they mean."""
        return {flag: FLAGS.get(flag, flag) for flag in self['flags']}


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

    @property
    def too_short(self) -> bool:
        """Whether a point of the fit comes from a run that is too short for a result."""
        fitted = (flags for point, flags in zip(self.fit.points, self.point_flags) if point.excluded is None)
        return any(not TOO_SHORT.isdisjoint(flags) for flags in fitted)


@dataclass(frozen=True)
class Member:
    """One ordering of a disordered structure: its share in the ensemble and its own values of the quantities."""

    label: str
    share: float
    values: dict[str, float | None]
    source: Source


@dataclass(frozen=True)
class Entry:
    """One structure with its descriptors, and what the graph knows besides. ``entry['xi']`` is a descriptor.

    :param label: of the structure; of the descriptors or in the screening, if the structure has none.
    :param values: name of a quantity -> value; None if the node is older than the quantity.
    :param spectrum: ``thresholds`` (eV), ``connected`` and ``disconnected`` free volumes.
    :param cuts: of Xi, by which it ranks: those of the potential, or else of the settings.
    :param ion: index of the atom with the lowest barrier for percolation in one dimension; figures show it.
    :param properties: known before the scan, such as ``band_gap`` (eV).
    :param barriers: with a relaxed framework, the newest first.
    :param is_candidate: whether barriers or molecular dynamics were begun or done.
    :param problems: stage -> why it gave no result.
    :param spacing: of the grid, A; ``cell`` is the kind of cell that was scanned, ``cell_size`` its least size, A;
        ``others`` is what surrounded the ion.
    :param doubts: reasons not to trust the structure or its surface.
    :param error: of the means over the ``members``, if the structure is disordered; ``interval`` is that of Xi.
        The surface is that of the member with the largest share.
    :param name: the label, and what tells the entry from others of the same label.
    """

    label: str
    formula: str
    species: str
    values: dict[str, float | None]
    spectrum: dict[str, list[float]]
    settings: DescriptorSettings
    cuts: XiParameters
    ion: int | None
    potential_name: str
    potential_sha256: str
    source: Source
    structure: Source | None = None
    surface: Source | None = None
    potential: Source | None = None
    properties: dict = field(default_factory=dict)
    barriers: tuple[Relaxed, ...] = ()
    transport: tuple[Transport, ...] = ()
    activations: tuple[Activation, ...] = ()
    is_candidate: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    spacing: float | None = None
    cell: str | None = None
    cell_size: float | None = None
    others: str | None = None
    doubts: tuple[str, ...] = ()
    error: dict[str, float | None] = field(default_factory=dict)
    interval: tuple[float | None, float | None] = (None, None)
    members: tuple[Member, ...] = ()
    name: str = ''

    def __getitem__(self, name: str) -> float | None:
        return self.values[name]

    @property
    def xi(self) -> float:
        """Xi by which it ranks: with the cuts of the potential if it has any."""
        own = self.values[XI_CALIBRATED.name]
        return self.values['xi'] if own is None else own

    @property
    def unusual(self) -> dict[str, str | float]:
        """Its cell and what surrounded the ion, as far as they are not those of the paper."""
        return FingerprintSettings.unusual(vars(self))

    @property
    def nodes(self) -> list[tuple[str, Source]]:
        """The nodes behind it, each with its role."""
        roles = ('descriptors', 'energy surface', 'structure', 'potential')
        sources = (self.source, self.surface, self.structure, self.potential)
        return [(role, source) for role, source in zip(roles, sources) if source is not None]


@dataclass(frozen=True)
class Report:
    """The content of a report, the best structure first; the notes are sentences about gaps, and their reasons.

    ``ranked_by`` has a sentence for each potential: the calibration that ranks its structures, or that there is none.
    """

    subject: Source
    entries: list[Entry]
    rejected: list[Unranked]
    notes: list[str]
    ranked_by: list[str] = field(default_factory=list)

    @property
    def structures(self) -> int:
        """Number of different structures among the entries."""
        return len({(one.structure or one.source).uuid for one in self.entries})

    @property
    def candidates(self) -> int:
        """Number of structures that were chosen for barriers or molecular dynamics."""
        return len({(one.structure or one.source).uuid for one in self.entries if one.is_candidate})


def load_surface(source: Source) -> PotentialEnergySurface:
    """The surface of an entry."""
    return load_node(source.uuid).to_surface()


def load_profile(source: Source) -> dict[str, np.ndarray]:
    """Lengths and energies of the limiting path of a barrier, by name."""
    return load_node(source.uuid).profile()


def load_curves(source: Source) -> dict[str, np.ndarray]:
    """Mean squared displacements of a conductivity, by name."""
    node = load_node(source.uuid)
    return {name: node.get_array(name) for name in node.get_arraynames()}
