"""What became of the structures of a screening: which have no result, and why."""

from dataclasses import dataclass

from aiida.orm import CalculationNode, Dict, Node, ProcessNode, QueryBuilder, StructureData

from aiida_pesfp.calculations.selection import LOST
from aiida_pesfp.errors import some_of
from aiida_pesfp.queries.descriptors import descriptors_of
from aiida_pesfp.queries.nodes import among, how_it_ended, with_descendants
from aiida_pesfp.queries.structures import name_of, processes_of

#: Types of the processes that take structures and make descriptors of them.
SCREENING, SCAN = 'aiida.workflows:pesfp.screen', 'aiida.workflows:pesfp.scan.base'
#: Type of the process of a campaign, which has them screened in shards.
CAMPAIGN = 'aiida.workflows:pesfp.campaign'


@dataclass(frozen=True)
class Unranked:
    """A structure without a result.

    :param key: its name in the process.
    :param stage: what left it out: ``filter`` or ``scan``; ``missing`` if it was lost or its turn has not come.
    :param process: the screening or scan.
    :param account: the node that holds the reason; None for one that is missing.
    """

    key: str
    structure: StructureData
    stage: str
    reason: str
    process: ProcessNode
    account: Dict | None = None

    @property
    def label(self) -> str:
        """Its name for people."""
        return name_of(self.structure)

    @property
    def formula(self) -> str:
        """Its formula."""
        return self.structure.get_formula(mode='hill_compact')

    @property
    def node(self) -> Node:
        """The node with the reason."""
        return self.account or self.process

    @property
    def is_missing(self) -> bool:
        """Whether it would have a result if nothing had gone wrong, or may still get one."""
        return self.stage == 'missing'


def screenings_among(process: ProcessNode) -> list[ProcessNode]:
    """A screening itself, those that a workchain has called, or a scan that belongs to none.

    Those that a screening calls, with further potentials, are not among them: see :func:`further_of`.
    """
    called = with_descendants(process)
    screenings = [node for node in called if node.process_type == SCREENING]
    further = {one.pk for node in screenings for one in further_of(node)}
    screenings = [node for node in screenings if node.pk not in further]
    if process.process_type == CAMPAIGN:
        # What was in a lost shard is in another one.
        screenings = [node for node in screenings if node.is_finished or not node.is_terminated]
    return screenings or [node for node in called if node.process_type == SCAN]


def further_of(screening: ProcessNode) -> list[ProcessNode]:
    """The screenings of a screening with further potentials."""
    return [node for node in screening.called if node.process_type == SCREENING]


def structures_of(process: ProcessNode) -> dict[str, StructureData]:
    """The structures that a screening or scan was given, by key."""
    holder = process.inputs if 'structures' in process.inputs else process.inputs.scan
    return dict(holder.structures)


def unranked(process: ProcessNode) -> list[Unranked]:
    """The structures of a screening or scan without a result, in whatever state it is: the missing ones come last."""
    scanned = {one.get('structure_uuid') for one in descriptors_of(process)}
    left = {key: node for key, node in structures_of(process).items() if node.uuid not in scanned}
    told = {}
    for account in _accounts(process):
        for key, entry in account.get_dict().items():
            if key in left and isinstance(entry, dict):
                lost = entry.get('error_type') == LOST
                stage = 'missing' if lost else entry.get('stage', 'scan')
                reason = entry.get('reason') or entry['error']
                told.setdefault(key, Unranked(key, left[key], stage, reason, process, account))
    name = f'{process.process_label}<{process.pk}>'
    why = how_it_ended(process) if process.is_terminated else f'{name} has not come to it yet'
    others = (Unranked(key, left[key], 'missing', why, process) for key in left if key not in told)
    return sorted([*told.values(), *others], key=lambda one: (one.is_missing, one.key))


def reasons_for(structure: StructureData) -> list[Unranked]:
    """Why a structure has no result, from each screening or scan of it that has none; the newest first."""
    tried = [node for node in processes_of(structure) if node.process_type in (SCREENING, SCAN)]
    screenings = [node for node in tried if node.caller is None or node.caller not in tried]
    found = (one for node in reversed(screenings) for one in unranked(node))
    return [one for one in found if one.structure.uuid == structure.uuid]


def missing_among(process: ProcessNode, left: list[Unranked]) -> str | None:
    """A sentence about the structures of a screening or scan that are missing; None if there are none.

    :param left: of :func:`unranked`.
    """
    missing = [one for one in left if one.is_missing]
    if not missing:
        return None
    count = f'{len(missing)} of {len(structures_of(process))} structures are missing'
    return f'{count}: {some_of(one.label for one in missing)}. {missing[0].reason}'


def _accounts(screening: ProcessNode) -> list[Dict]:
    """The nodes that name structures without a result: an output of the screening, or those of its calculations."""
    if 'rejected' in screening.outputs:
        return [screening.outputs.rejected]
    called = among(node.pk for node in screening.called_descendants)
    query = QueryBuilder().append(CalculationNode, filters=called, tag='process')
    links = {'edge_filters': {'label': {'in': ['failures', 'result']}}, 'project': '*'}
    return query.append(Dict, with_incoming='process', **links).all(flat=True)
