"""Gathers what the provenance graph says about a workchain or a group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from aiida.orm import Group, Node, ProcessNode, StructureData, load_node

from aiida_pesfp import errors
from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.barrier import BarrierData
from aiida_pesfp.data.conductivity import ConductivityData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.merge_tree import MergeTreeData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.fingerprint.quantities import NAMES, XI_CALIBRATED, rank_key
from aiida_pesfp.queries.calibrations import calibrations
from aiida_pesfp.queries.descriptors import descriptors_by_node, newest, potentials_of, surfaces_of
from aiida_pesfp.queries.ensembles import members_of, without_members
from aiida_pesfp.queries.nodes import how_it_ended, potential_with, with_descendants
from aiida_pesfp.queries.screening import (
    Unranked,
    missing_among,
    reasons_for,
    screenings_among,
    structures_of,
    unranked,
)
from aiida_pesfp.queries.structures import name_of, results_of, structures_by_uuid
from aiida_pesfp.report.content import Activation, Entry, Member, Relaxed, Report, Source, Transport
from aiida_pesfp.report.table import distinctions
from aiida_pesfp.settings.descriptors import DescriptorSettings

_DYNAMICS, _VALIDATION = 'aiida.workflows:pesfp.conductivity', 'aiida.workflows:pesfp.screen_and_validate'


def collect(subject: Node | Group) -> Report:
    """What the graph holds about a workchain (and all it called), a group, or a single node.

    A group can hold workchains, ``DescriptorsData``, ``PesData``, ``MergeTreeData`` and ``StructureData``. Of the last
    three, the descriptors are reported. Of descriptors that differ in nothing but their time, the newest are.

    :raises NothingToReport: if no structure has a result or a reason for none; it says why.
    """
    members = sorted(subject.nodes, key=lambda node: node.pk) if isinstance(subject, Group) else [subject]
    if not members:
        way = f'`verdi group add-nodes -G {subject.label} PK` adds workchains, DescriptorsData or PesData'
        raise errors.NothingToReport(f'the group {subject.label!r} is empty: {way}')
    processes = [node for node in members if isinstance(node, ProcessNode)]
    notes = [_state(process) for process in processes if not process.is_finished_ok]
    descriptors, left = _descriptors(members, notes)
    called = {node.pk: node for process in processes for node in with_descendants(process)}.values()
    scans = list({node.pk: node for process in processes for node in screenings_among(process)}.values())
    for scan in scans:
        left += (own := unranked(scan))
        if missing := missing_among(scan, own):
            notes.append(f'{missing}. `verdi process report {scan.pk}` says how far it came.')
    if not descriptors and all(one.is_missing for one in left):
        notes = notes or [f'{Source.of(subject)} holds no descriptors, and neither does anything it called']
        raise errors.NothingToReport(' '.join(notes))
    if not descriptors:
        reasons = errors.some_of((f'{one.label}: {one.reason}' for one in left), 3)
        notes.append(f'No structure has descriptors. {reasons}')
    entries = _named(_entries(descriptors, scans, _candidates(called)))
    for one in distinctions(entries):
        texts = dict.fromkeys(filter(None, map(one.text, entries)))
        if len(texts) > 1:
            words = f'The column {one.title} has {", ".join(texts)}'
            notes.append(f'{words}: Ξ and energies compare within one of them only, so filter it.')
    told, warnings = calibrations().explain(descriptors.values())
    without = [entry.name for entry in entries if entry.surface is None]
    if without:
        words = 'they have no 3D view and no profile. A scan that keeps the grid would give both.'
        notes.append(f'No grid is stored for {errors.some_of(without)}: {words}')
    return Report(Source.of(subject), entries, left, notes, [*told, *warnings])


def _state(process: ProcessNode) -> str:
    """A sentence or two about a process that did not finish well."""
    state = f'{how_it_ended(process)}: the report shows its results so far.'
    return state if process.is_terminated else f'{state} `verdi process report {process.pk}` shows its progress.'


def _descriptors(members: list[Node], notes: list[str]) -> tuple[dict[int, DescriptorsData], list[Unranked]]:
    """The newest descriptors of each structure with some settings, by their PK, and structures without any.

    :param notes: those about members without descriptors and without a reason are added.
    """
    by_node, left = descriptors_by_node(members), []
    for node in members:
        if not isinstance(node, (ProcessNode, DescriptorsData, PesData, MergeTreeData, StructureData)):
            what = 'is neither a workchain nor descriptors, a surface or a structure: the report omits it.'
            notes.append(f'{Source.of(node)} {what}')
        elif node.pk not in by_node and isinstance(node, StructureData) and (told := reasons_for(node)):
            left.append(told[0])
        elif node.pk not in by_node and isinstance(node, (PesData, MergeTreeData, StructureData)):
            notes.append(f'{Source.of(node)} ({node.label or "no label"}) has no descriptors: scan or describe it.')
    every = without_members(one for own in by_node.values() for one in own)
    return {node.pk: node for node in newest(every)}, left


def _candidates(called: Iterable[ProcessNode]) -> dict[str, dict[str, str]]:
    """UUIDs of the structures that were chosen for barriers or dynamics -> for each stage why there is no result."""
    found = {node.inputs.structure.uuid: {} for node in called if node.process_type == _DYNAMICS}
    for node in called:
        if node.process_type == _VALIDATION and 'candidates' in node.outputs:
            found |= {row['structure']: row['problems'] for row in node.outputs.candidates['rows']}
    return found


def _entries(descriptors: dict[int, DescriptorsData], scans: list[ProcessNode], candidates: dict) -> list[Entry]:
    """Complete entries, the best first.

    :param candidates: of :func:`_candidates`.
    """
    members = _members(descriptors.values())
    potentials = potentials_of(descriptors)
    known = calibrations()
    shown = {pk: max(own, key=lambda one: one.share).source.pk for pk, own in members.items()}
    surfaces = surfaces_of({*descriptors, *shown.values()})
    surfaces |= {pk: surfaces[member] for pk, member in shown.items() if member in surfaces}
    surfaces = {pk: node for pk, node in ((pk, load_node(one)) for pk, one in surfaces.items()) if node.has_grid}
    structures = structures_by_uuid(node.get('structure_uuid') for node in descriptors.values())
    conductivities, fits = results_of(structures, ConductivityData), results_of(structures, ArrheniusData)
    barriers, properties = results_of(structures, BarrierData), {}
    for scan in scans:
        given = scan.inputs.properties.get_dict() if 'properties' in scan.inputs else {}
        properties |= {node.uuid: given[key] for key, node in structures_of(scan).items() if key in given}
    found = []
    for pk, node in descriptors.items():
        uuid, surface = node.get('structure_uuid'), surfaces.get(pk)
        potential = potentials.get(pk) or potential_with(node.get('potential_sha256', ''))
        structure = structures.get(uuid)
        transport = [Transport(one.base.attributes.all, Source.of(one)) for one in conductivities.get(uuid, ())]
        activations = [Activation.of(one) for one in fits.get(uuid, ())]
        relaxed = [one for one in reversed(barriers.get(uuid, ())) if one.species == node.get('species')]
        ions = load_node(shown[pk]).get('ions', []) if pk in shown else node.get('ions', [])
        easiest = min(ions, key=lambda ion: (ion['barrier_1d'], ion['mpe'], ion['index']), default={})
        labels = (structure and name_of(structure), node.label, f'{node.get("formula", "structure")}_{pk}')
        own, settings = known.of(node), DescriptorSettings.from_dict(node.get('settings', {}))
        found.append(
            Entry(
                label=next(filter(None, labels)),
                **{name: node.get(name, '') for name in ('formula', 'species', 'potential_sha256')},
                potential_name=(potential and potential.label) or node.get('potential_name', ''),
                values={name: node.get(name) for name in NAMES}
                | {XI_CALIBRATED.name: known.rank_values(node)[XI_CALIBRATED.name]},
                spectrum=node['spectrum'],
                settings=settings,
                cuts=own.parameters if own else settings.xi,
                ion=easiest.get('index'),
                source=Source.of(node),
                structure=structure and Source.of(structure),
                surface=surface and Source.of(surface),
                potential=potential and Source.of(potential),
                properties=properties.get(uuid, {}),
                barriers=tuple(Relaxed(one.base.attributes.all, Source.of(one)) for one in relaxed),
                transport=tuple(sorted(transport, key=lambda one: (one.engine, -one['temperature'], one.source.uuid))),
                activations=tuple(sorted(activations, key=lambda one: (one.engine, one.source.made))),
                is_candidate=uuid in candidates or bool(relaxed or transport or activations),
                problems=candidates.get(uuid, {}),
                **{name: node.get(name) for name in ('spacing', 'cell', 'cell_size', 'others')},
                doubts=tuple(node.get('doubts', [])),
                error=node.get('error', {}),
                interval=(node.get('xi_low'), node.get('xi_high')),
                members=members.get(pk, ()),
            )
        )
    return sorted(found, key=lambda one: (*rank_key(one.values), one.label, one.source.uuid))


def _members(descriptors: Iterable[DescriptorsData]) -> dict[int, tuple[Member, ...]]:
    """PK of each ensemble -> its orderings."""
    ensembles, found = {node.pk: node for node in descriptors if 'weights' in node}, {}
    for pk, nodes in members_of(ensembles.values()).items() if ensembles else ():
        weights = ensembles[pk]['weights']
        total = sum(weights.values())
        found[pk] = tuple(
            Member(node.label, weights[key] / total, {name: node.get(name) for name in NAMES}, Source.of(node))
            for key, node in nodes.items()
        )
    return found


def _named(entries: list[Entry]) -> list[Entry]:
    """The entries with names of their own: those of the same label get the potential, or else the PK, as well."""
    labels = Counter(entry.label for entry in entries)
    both = Counter((entry.label, entry.potential_name) for entry in entries)

    def name(entry: Entry) -> str:
        if labels[entry.label] == 1:
            return entry.label
        alone = both[entry.label, entry.potential_name] == 1
        return f'{entry.label} ({entry.potential_name if alone else entry.source.pk})'

    return [replace(entry, name=name(entry)) for entry in entries]
