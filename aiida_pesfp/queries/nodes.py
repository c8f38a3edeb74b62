"""Questions about nodes of any kind: which ones a user means, what is stored already, and what is running."""

import datetime
from collections.abc import Iterable, Iterator

from aiida.common import timezone
from aiida.common.exceptions import NotExistent
from aiida.orm import CalcJobNode, Group, Log, Node, ProcessNode, QueryBuilder, load_group, load_node
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import one_line

#: Extra of a campaign: PKs of the shards of earlier ones whose results are its own.
TAKEN = 'pesfp_taken_shards'
#: States of processes that have not ended.
_ACTIVE = ['created', 'waiting', 'running']


def among(pks: Iterable[int]) -> dict:
    """Filter for some PKs. AiiDA refuses an empty list, and no node has the PK 0."""
    return {'id': {'in': list(pks) or [0]}}


def stored(kind: type[Node], filters: dict | None = None) -> list[Node]:
    """Nodes of a kind, the oldest first."""
    return QueryBuilder().append(kind, filters=filters).order_by({kind: 'id'}).all(flat=True)


def group_or_nodes(identifier: str) -> Group | list[Node]:
    """The group of a label, all nodes of a label, or the one node or group of a PK or UUID, in this order.

    :raises NotExistent: if there is nothing of the kind.
    :raises MultipleObjectsError: if several UUIDs begin with the identifier.
    """
    group = Group.collection.find({'label': identifier})
    if group:
        return group[0]
    try:
        return stored(Node, {'label': identifier}) or [load_node(identifier)]
    except (NotExistent, ValueError):
        return load_group(identifier)


def potential_with(sha256: str) -> PotentialData | None:
    """The oldest potential with some content."""
    return next(iter(stored(PotentialData, {'attributes.sha256': sha256})), None)


def potential_labels() -> dict[str, str]:
    """SHA-256 of each stored potential -> the label by which users name it."""
    return {node.sha256: node.label for node in reversed(stored(PotentialData))}


def pseudo_families() -> list[str]:
    """Labels of the families of pseudopotentials."""
    return sorted(QueryBuilder().append(PseudoPotentialFamily, project='label').all(flat=True))


def how_it_ended(process: ProcessNode) -> str:
    """Name of a process and how it has ended, such as ``ScanBaseWorkChain<7> [330]: A job failed for good``."""
    name = f'{process.process_label}<{process.pk}>'
    if process.is_excepted:
        return f'{name} ended with an error: {one_line(process.exception)}'
    if process.is_killed:
        return f'{name} was killed'
    if not process.is_terminated:
        return f'{name} has not finished ({process.process_state.value})'
    return f'{name} [{process.exit_status}]: {process.exit_message or "no message"}'


def with_descendants(process: ProcessNode) -> list[ProcessNode]:
    """A process and all that it called, directly or not, the oldest first; of a campaign, also the shards it took."""
    taken = [load_node(pk) for pk in process.base.extras.get(TAKEN, [])]
    found = {one.pk: one for top in (process, *taken) for one in (top, *top.called_descendants)}
    del found[process.pk]
    return [process, *(found[pk] for pk in sorted(found))]


def inputs_in(processes: Iterable[int], namespace: str, kind: type[Node]) -> dict[int, dict[int, str]]:
    """PK of each process -> PK of each input of a kind in a namespace -> its key there. No node is loaded."""
    query = QueryBuilder().append(ProcessNode, filters=among(processes), tag='process', project='id')
    query.append(kind, with_outgoing='process', project='id', **_labelled(namespace))
    found: dict[int, dict[int, str]] = {}
    for process, pk, label in query.iterall():
        found.setdefault(process, {})[pk] = label.removeprefix(f'{namespace}__')
    return found


def outputs_in(processes: Iterable[int], namespace: str, kind: type[Node]) -> dict[int, dict[str, int]]:
    """PK of each process -> key of each output of a kind in a namespace -> its PK. No node is loaded."""
    query = QueryBuilder().append(ProcessNode, filters=among(processes), tag='process', project='id')
    query.append(kind, with_incoming='process', project='id', **_labelled(namespace))
    found: dict[int, dict[str, int]] = {}
    for process, pk, label in query.iterall():
        found.setdefault(process, {})[label.removeprefix(f'{namespace}__')] = pk
    return found


def _labelled(namespace: str) -> dict:
    return {'edge_filters': {'label': {'like': f'{namespace}__%'}}, 'edge_project': 'label'}


def jobs_of(process: ProcessNode) -> list[CalcJobNode]:
    """A job itself, or those that a process called, the oldest first."""
    return [one for one in with_descendants(process) if isinstance(one, CalcJobNode)]


def running_processes(process_types: Iterable[str]) -> list[ProcessNode]:
    """Processes of some types that have not ended, the oldest first."""
    active = {'attributes.process_state': {'in': _ACTIVE}}
    return stored(ProcessNode, active | {'process_type': {'in': list(process_types)}})


def waiting_for_a_worker(processes: Iterable[ProcessNode], seconds: float) -> list[ProcessNode]:
    """Those of some processes and all they called that were made so long ago and that nobody has begun to run."""
    oldest = timezone.now() - datetime.timedelta(seconds=seconds)
    return _below(processes, {'attributes.process_state': 'created', 'ctime': {'<': oldest}})


def paused(processes: Iterable[ProcessNode]) -> list[ProcessNode]:
    """Those of some processes and all they called that AiiDA, or a user, has paused."""
    active = {'attributes.process_state': {'in': _ACTIVE}}
    return _below(processes, active | {'attributes.paused': True})


def reason_of_pause(process: ProcessNode) -> str:
    """Why a process was paused: the last line of its last error, such as of a scheduler, or else what AiiDA says."""
    errors = [log for log in Log.collection.get_logs_for(process) if log.levelname == 'ERROR']
    if errors:
        return errors[-1].message.strip().splitlines()[-1]
    return process.process_status or 'by a user'


def _below(processes: Iterable[ProcessNode], filters: dict) -> list[ProcessNode]:
    """Those of some processes and all they called that meet filters which few processes meet."""
    own = {node.pk for node in processes}
    return [node for node in stored(ProcessNode, filters) if own & {one.pk for one in _with_callers(node)}]


def _with_callers(process: ProcessNode) -> Iterator[ProcessNode]:
    """A process, that which called it, and so on up to the first one."""
    while process is not None:
        yield process
        process = process.caller
