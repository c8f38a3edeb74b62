"""Questions about campaigns: what is left of a group, and which shards have screened which structures.

They ask for numbers and short texts of all structures at once: these are not loaded, however many there are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiida.common import timezone
from aiida.orm import Dict, Group, QueryBuilder, Str, StructureData, WorkChainNode, load_node
from pymatgen.core import Composition

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.queries.nodes import TAKEN, among, inputs_in, outputs_in
from aiida_pesfp.queries.screening import CAMPAIGN, SCREENING


def members_of(group: str) -> list[int]:
    """PKs of the structures of a group, by its UUID; none if the group is gone."""
    query = QueryBuilder().append(Group, filters={'uuid': group}, tag='group')
    return query.append(StructureData, with_group='group', project='id').distinct().all(flat=True)


def keys_in(shards: Iterable[int], namespace: str = 'structures') -> dict[int, dict[int, str]]:
    """PK of each shard -> PK of each structure that it was given -> the key of the structure there.

    :param namespace: ``structures`` that it screens, or ``known`` ones with which it compares them.
    """
    return inputs_in(shards, namespace, StructureData)


def descriptors_in(shards: Iterable[int]) -> list[int]:
    """PKs of the descriptors that shards have given out."""
    return [pk for own in outputs_in(shards, 'descriptors', DescriptorsData).values() for pk in own.values()]


@dataclass(frozen=True)
class CampaignProgress:
    """State of a campaign.

    Of the ``total`` structures of its group, some are ``done``, some ``rejected`` by the filters, some ``failed``. Of
    its shards, some have ``ended`` and some are ``running``. ``per_hour`` and ``seconds_left`` are None before the
    first structure is done.
    """

    total: int
    done: int
    rejected: int
    failed: int
    ended: int
    running: tuple[WorkChainNode, ...]
    per_hour: float | None = None
    seconds_left: float | None = None


def progress_of(campaign: WorkChainNode) -> CampaignProgress:
    """The progress of a campaign, with what it took of earlier ones."""
    group = campaign.inputs.group.value
    mine, taken = shards_of([campaign.pk]), [load_node(pk) for pk in campaign.base.extras.get(TAKEN, [])]
    members, shards, own = set(members_of(group)), [*taken, *mine], {one.pk for one in mine}
    given = keys_in(one.pk for one in shards)
    described = outputs_in(given, 'descriptors', DescriptorsData)
    ranked = {
        shard: {pk for pk, key in keys.items() if key in described.get(shard, {})} for shard, keys in given.items()
    }
    done = members & {pk for pks in ranked.values() for pk in pks}
    of_own = done & {pk for shard in own & ranked.keys() for pk in ranked[shard]}
    rejected, failed = set(), set()
    told = rejected_by(one.pk for one in shards if one.is_finished)
    for shard, entries in told.items():
        for pk, key in given[shard].items():
            if pk in members - done and key in entries:
                (rejected if entries[key] == 'filter' else failed).add(pk)
    running = tuple(one for one in shards if not one.is_terminated)
    per_second, left = None, len(members) - len(done) - len(rejected) - len(failed)
    if of_own:
        until = campaign.mtime if campaign.is_terminated else timezone.now()
        per_second = len(of_own) / max(1.0, (until - campaign.ctime).total_seconds())
    seconds = 0.0 if campaign.is_terminated or not left else per_second and left / per_second
    counts = (len(members), len(done), len(rejected), len(failed), sum(one.is_terminated for one in shards))
    return CampaignProgress(*counts, running, per_second and 3600 * per_second, seconds)


def rejected_by(shards: Iterable[int]) -> dict[int, dict[str, str]]:
    """PK of each shard -> key of each structure without a result -> the stage that left it out."""
    query = QueryBuilder().append(WorkChainNode, filters=among(shards), tag='shard', project='id')
    query.append(Dict, with_incoming='shard', edge_filters={'label': 'rejected'}, project='attributes')
    return {shard: {key: one['stage'] for key, one in told.items()} for shard, told in query.all()}


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
    """PK of each structure -> its reduced formula, or the elements of a disordered one.

    Structures that are the same have the same one; amounts of disordered ones may differ a little.
    """
    project = ['id', 'attributes.kinds', 'attributes.sites']
    query = QueryBuilder().append(StructureData, filters=among(structures), project=project)
    return {pk: _formula(kinds, sites) for pk, kinds, sites in query.iterall()}


def passed_by_filter(shards: Mapping[int, Mapping[int, str]]) -> dict[str, StructureData]:
    """The structures among those of :func:`keys_in` that the filters of their shards let pass, by key."""
    told, found = rejected_by(shard for shard, keys in shards.items() if keys), {}
    for shard, keys in shards.items():
        stages = told.get(shard, {})
        found |= {key: load_node(pk) for pk, key in keys.items() if stages.get(key) != 'filter'}
    return found


def _formula(kinds: list[dict], sites: list[dict]) -> str:
    weights = {kind['name']: dict(zip(kind['symbols'], kind['weights'])) for kind in kinds}
    amounts: dict[str, float] = {}
    for site in sites:
        for symbol, weight in weights[site['kind_name']].items():
            amounts[symbol] = amounts.get(symbol, 0) + weight
    composition = Composition(amounts)
    return composition.reduced_formula if _is_ordered(weights.values()) else composition.chemical_system


def _is_ordered(weights: Iterable[Mapping[str, float]]) -> bool:
    return all(set(one.values()) == {1.0} for one in weights)
