"""Questions about campaigns: what is left of a group, and which shards have screened which structures.

All of them ask for numbers and short texts of all nodes at once: no node is loaded, however many there are.
"""

from collections.abc import Iterable, Mapping

from aiida.orm import Dict, Group, Node, QueryBuilder, Str, StructureData, WorkChainNode, load_node
from pymatgen.core import Composition

from aiida_pesfp.queries.nodes import among
from aiida_pesfp.queries.screening import SCREENING

#: Type of the process of a campaign.
CAMPAIGN = 'aiida.workflows:pesfp.campaign'
_STRUCTURES = 'structures__'


def members_of(group: str) -> list[int]:
    """PKs of the structures of a group, by its UUID; none if the group is gone."""
    query = QueryBuilder().append(Group, filters={'uuid': group}, tag='group')
    return query.append(StructureData, with_group='group', project='id').distinct().all(flat=True)


def keys_in(shards: Iterable[int]) -> dict[int, dict[int, str]]:
    """PK of each shard -> PK of each structure that it was given -> the key of the structure there."""
    query = QueryBuilder().append(WorkChainNode, filters=among(shards), tag='shard', project='id')
    of_link = {'edge_filters': {'label': {'like': f'{_STRUCTURES}%'}}, 'edge_project': 'label'}
    query.append(StructureData, with_outgoing='shard', project='id', **of_link)
    found: dict[int, dict[int, str]] = {}
    for shard, structure, label in query.iterall():
        found.setdefault(shard, {})[structure] = label.removeprefix(_STRUCTURES)
    return found


def outputs_of(shards: Iterable[int], label: str, kind: type[Node]) -> dict[int, list[int]]:
    """PK of each shard -> PKs of its outputs of a kind, by the beginning of the label of their links."""
    query = QueryBuilder().append(WorkChainNode, filters=among(shards), tag='shard', project='id')
    of_link = {'edge_filters': {'label': {'like': f'{label}%'}, 'type': 'return'}}
    query.append(kind, with_incoming='shard', project='id', tag='output', **of_link).order_by({'output': 'id'})
    found: dict[int, list[int]] = {}
    for shard, output in query.iterall():
        found.setdefault(shard, []).append(output)
    return found


def campaigns_of(group: str) -> list[WorkChainNode]:
    """Campaigns of a group, by its UUID, the oldest first."""
    query = QueryBuilder().append(Str, filters={'attributes.value': group}, tag='group')
    of_link = {'edge_filters': {'label': 'group'}, 'filters': {'process_type': CAMPAIGN}}
    return (
        query.append(WorkChainNode, with_incoming='group', tag='own', **of_link).order_by({'own': 'id'}).all(flat=True)
    )


def shards_of(campaigns: Iterable[int]) -> list[WorkChainNode]:
    """Shards that campaigns have called, the oldest first."""
    query = QueryBuilder().append(WorkChainNode, filters=among(campaigns), tag='campaign')
    of_shard = {'filters': {'process_type': SCREENING}, 'tag': 'shard'}
    return query.append(WorkChainNode, with_incoming='campaign', **of_shard).order_by({'shard': 'id'}).all(flat=True)


def compositions_of(structures: Iterable[int]) -> dict[int, str]:
    """PK of each structure -> its reduced formula: structures that are the same have the same one."""
    project = ['id', 'attributes.kinds', 'attributes.sites']
    query = QueryBuilder().append(StructureData, filters=among(structures), project=project)
    return {pk: _formula(kinds, sites) for pk, kinds, sites in query.iterall()}


def passed_by_filter(shards: Mapping[int, Mapping[int, str]]) -> dict[str, StructureData]:
    """The structures among those of :func:`keys_in` that the filters of their shards let pass, by key."""
    accounts = outputs_of(shards, 'rejected', Dict)
    found = {}
    for shard, keys in shards.items():
        told = {key: one for pk in accounts.get(shard, ()) for key, one in load_node(pk).get_dict().items()}
        filtered = {key for key, one in told.items() if one['stage'] == 'filter'}
        found |= {key: load_node(pk) for pk, key in keys.items() if key not in filtered}
    return found


def _formula(kinds: list[dict], sites: list[dict]) -> str:
    weights = {kind['name']: dict(zip(kind['symbols'], kind['weights'])) for kind in kinds}
    amounts: dict[str, float] = {}
    for site in sites:
        for symbol, weight in weights[site['kind_name']].items():
            amounts[symbol] = amounts.get(symbol, 0) + weight
    return Composition(amounts).reduced_formula
