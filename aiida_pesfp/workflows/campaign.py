"""``pesfp.campaign``: screen all structures of a group, however many there are, in shards of some hundred."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil

from aiida.engine import ExitCode, ProcessBuilder, WorkChain, while_
from aiida.manage import get_manager
from aiida.orm import AbstractCode, Dict, Group, Int, Node, ProcessNode, Str, load_node, to_aiida_type
from aiida.orm.utils.managers import NodeLinksManager

from aiida_pesfp.calculations.ports import number_port
from aiida_pesfp.calculations.selection import LOST, merge_rankings, merge_rejected, rank_by_consensus
from aiida_pesfp.crystals.names import safe_name
from aiida_pesfp.data.assessment import RankingModelData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.queries import campaigns
from aiida_pesfp.queries.nodes import TAKEN, how_it_ended
from aiida_pesfp.queries.structures import known_properties, name_of
from aiida_pesfp.settings.ordering import EnsembleSettings
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.settings.screen import Criteria
from aiida_pesfp.workflows.protocols import ProtocolMixin
from aiida_pesfp.workflows.screen import ScreenWorkChain, calibration_of, names_of
from aiida_pesfp.workflows.window import RollingWindow

#: What each shard has of its own.
_OWN = ('structures', 'properties', 'known')
#: Exit codes of shards to which another one would add nothing.
_FINAL = (0, ScreenWorkChain.exit_codes.ERROR_ALL_REJECTED.status)
#: Exit codes of shards of which nothing is to be said but what stands in `rejected`.
_COMPLETE = [
    ScreenWorkChain.exit_codes[name].status
    for name in ('ERROR_ALL_REJECTED', 'ERROR_ALL_SCANS_FAILED', 'ERROR_STRUCTURES_LOST')
]


class CampaignWorkChain(RollingWindow, ProtocolMixin, WorkChain):
    """Screen the structures of a group in shards, of which some run side by side, and rank all of them together.

    What is left is asked from the database at each step, so structures that are added to the group are screened too.
    Shards that earlier campaigns of the same group have finished, with the same settings, are not repeated. The
    structures of one composition are compared with each other, in whatever shard they are.
    """

    _protocol = 'campaign'
    #: Inputs that overrides of the protocol do not reach.
    NOT_OVERRIDDEN = ('group', 'results', 'screen')
    #: In how many shards a structure is at most, if they are lost.
    _MOST_ATTEMPTS = 3
    #: Shards at once: while the last jobs of one of them run, the other keeps the slots busy.
    _SHARDS_AT_ONCE = 2

    @classmethod
    def define(cls, spec):
        super().define(spec)
        words = 'UUID of the group whose structures are screened, also those that are added while it runs.'
        spec.input('group', valid_type=Str, serializer=to_aiida_type, help=words)
        words = 'Label of the group that gets the descriptors.'
        spec.input('results', valid_type=Str, serializer=to_aiida_type, help=words)
        number_port(spec, 'max_structures_per_shard', 200)
        spec.expose_inputs(ScreenWorkChain, namespace='screen', exclude=_OWN)
        spec.outline(cls.begin, while_(cls.any_left)(cls.launch_shards, cls.collect_shards), cls.rank)
        spec.expose_outputs(ScreenWorkChain, include=('ranking', 'rejected'))
        spec.exit_code(310, 'ERROR_NOTHING_RANKED', message='No structure has a result: {reason}')
        words = 'The group {group} is gone, or empty. The ranking has what was screened before.'
        spec.exit_code(320, 'ERROR_GROUP_IS_GONE', message=words)
        words = 'The rankings of the shards cannot be merged: {reason}. Launch it again: what is done is not repeated.'
        spec.exit_code(330, 'ERROR_RANKING_FAILED', message=words)
        lost = ScreenWorkChain.exit_codes.ERROR_STRUCTURES_LOST
        spec.exit_code(lost.status, 'ERROR_STRUCTURES_LOST', message=lost.message)
        words = '{wrong} of {total} shards did not end well, the first: {reason}'
        spec.exit_code(440, 'ERROR_SHARDS_INCOMPLETE', message=words)

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        group: Group,
        potential: PotentialData,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
        further_potentials: Sequence[PotentialData] = (),
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param group: whose structures are screened.
        :param overrides: inputs that take precedence: ``screen`` for those of the screening, and this workchain's own.
        :raises ValueError: if the group has no structures, or for properties, which are those of the records here.

        The other parameters are those of ``pesfp.screen``, and the protocol is that of all parts.
        """
        overrides = dict(overrides or {})
        screen = dict(overrides.pop('screen', None) or {})
        if 'properties' in screen:
            words = 'give them at the import, as by --table: the shards of a campaign take those of the records'
            raise ValueError(f'properties of {len(screen["properties"])} structures: {words}')
        members = campaigns.members_of(group.uuid)
        if not members:
            raise ValueError(f'the group {group.label!r} has no structures: fill it with `aiida-pesfp import`')
        inputs = cls.get_protocol_inputs(protocol, overrides)
        # One structure stands for all: what else it needs does not depend on it.
        one = {'any': load_node(members[0])}
        whole = ScreenWorkChain.get_builder_from_protocol(
            code, one, potential, protocol, screen, options, further_potentials
        )
        builder = cls.get_builder()
        builder.screen = {name: value for name, value in whole._inputs(prune=True).items() if name not in _OWN}
        builder.group, builder.results = group.uuid, f'{group.label}/descriptors'
        builder.max_structures_per_shard = inputs['max_structures_per_shard']
        return builder

    def begin(self) -> None:
        """Take the shards of earlier campaigns that asked the same question: those that ended, and that still run."""
        # PKs, and not nodes: AiiDA reads each node that is held again after each of its writes.
        self.ctx.running, self.ctx.ended, self.ctx.lost = [], [], []
        self.ctx.model = self.inputs.screen.get('model') or calibration_of(self.inputs.screen.scan, self.report)
        group = Group.collection.get(uuid=self.inputs.group.value)
        self.report(f'to screen: {len(campaigns.members_of(group.uuid))} structures of the group {group.label!r}')
        if not self.inputs.screen.reuse:
            return
        self._take_shards(group)

    def _take_shards(self, group: Group) -> None:
        """Take the shards of earlier campaigns to which another one would add nothing, and those that still run."""
        asked = _question_of(self.node, self.node.inputs.screen, self.ctx.model)
        members = set(campaigns.members_of(group.uuid))
        earlier = campaigns.shards_of(one.pk for one in campaigns.campaigns_of(group.uuid) if one.pk != self.node.pk)
        # Settings of other versions may be unknown to this one.
        earlier = [one for one in earlier if _version_of(one) == asked['version']]
        # Without a broker, nobody goes on with what another command has begun.
        goes_on = get_manager().get_profile().process_control_backend is not None
        usable = [one for one in earlier if one.exit_status in _FINAL or (goes_on and not one.is_terminated)]
        models = {one.pk: one.inputs.model if 'model' in one.inputs else None for one in usable}
        same = [one for one in usable if _question_of(one, one.inputs, models[one.pk]) == asked]
        pks, taken, names = [one.pk for one in same], set(), set()
        keys, compared = campaigns.keys_in(pks), campaigns.keys_in(pks, 'known')
        for node in reversed(same):
            own, others = keys[node.pk], compared.get(node.pk, {})
            used = {key.lower() for key in own.values()}
            if own.keys() | others.keys() <= members and not own.keys() & taken and not used & names:
                taken |= own.keys()
                names |= used
                (self.ctx.ended if node.is_finished else self.ctx.running).append(node.pk)
        # This process has not called them, so nothing else says that they belong to it.
        self.node.base.extras.set(TAKEN, self.ctx.ended + self.ctx.running)
        self._keep_descriptors(self.ctx.ended)
        if taken:
            self.report(
                f'{len(taken)} of these are in shards of earlier campaigns: {self.ctx.ended + self.ctx.running}'
            )

    def any_left(self) -> bool:
        """Whether a shard is to be launched, or still runs."""
        return bool(self.ctx.running or self._left())

    def launch_shards(self) -> None:
        """Launch shards while there are jobs that none of them may use, and wait until one of them has ended."""
        most = self.inputs.screen.max_concurrent_jobs.value
        while len(self.ctx.running) < self._SHARDS_AT_ONCE:
            free = most - sum(load_node(pk).inputs.max_concurrent_jobs.value for pk in self.ctx.running)
            if free <= 0 or (shard := self._next_shard()) is None:
                break
            structures, known = shard
            inputs = self.exposed_inputs(ScreenWorkChain, 'screen') | {'structures': structures, 'known': known}
            inputs['properties'] = Dict(known_properties(structures))
            inputs['max_concurrent_jobs'] = Int(min(free, ceil(most / self._SHARDS_AT_ONCE)))
            if self.ctx.model:
                inputs['model'] = self.ctx.model
            node = self.submit(ScreenWorkChain, **inputs)
            self.report(f'launching ScreenWorkChain<{node.pk}> with {len(structures)} structures')
            self.ctx.running.append(node.pk)
        self.wait_for_any(self.ctx.running)

    def collect_shards(self) -> None:
        """Add the descriptors of the shards that have ended to the group of results."""
        for pk in [pk for pk in self.ctx.running if not self.unfinished(pk)]:
            self.ctx.running.remove(pk)
            node = load_node(pk)
            self.report(how_it_ended(node))
            (self.ctx.ended if node.is_finished else self.ctx.lost).append(pk)
            # What a lost shard has, another one takes.
            self._keep_descriptors([pk] if node.is_finished else [])

    def _keep_descriptors(self, shards: list[int]) -> None:
        """Add the descriptors of some shards to the group of results."""
        if found := campaigns.descriptors_in(shards):
            group, _ = Group.collection.get_or_create(self.inputs.results.value)
            group.add_nodes([load_node(pk) for pk in found])

    def rank(self) -> ExitCode | None:
        """Rank all structures together, and say why others have no result."""
        shards = [load_node(pk) for pk in sorted(self.ctx.ended)]
        others = Dict(self._given_up())
        rejected = {f'shard_{one.pk}': one.outputs.rejected for one in shards if 'rejected' in one.outputs}
        self.out('rejected', merge_rejected(others, **rejected))
        ranked = [one for one in shards if 'ranking' in one.outputs]
        failed = [one for one in shards if one.exit_status not in (0, *_COMPLETE)]
        if not ranked:
            reason = how_it_ended(shards[0]) if shards else 'no shard has ended'
            return self.exit_codes.ERROR_NOTHING_RANKED.format(reason=reason)
        try:
            ranking = self._merged(ranked)
        except AssessmentError as error:
            return self.exit_codes.ERROR_RANKING_FAILED.format(reason=error)
        self.out('ranking', ranking)
        total = len(campaigns.members_of(self.inputs.group.value))
        if not total:
            return self.exit_codes.ERROR_GROUP_IS_GONE.format(group=self.inputs.group.value)
        lost = [one['reason'] for one in self.outputs['rejected'].get_dict().values() if one.get('error_type') == LOST]
        if lost:
            return self.exit_codes.ERROR_STRUCTURES_LOST.format(lost=len(lost), total=total, reason=lost[0])
        if failed:
            numbers = {'wrong': len(failed), 'total': len(shards)}
            return self.exit_codes.ERROR_SHARDS_INCOMPLETE.format(**numbers, reason=how_it_ended(failed[0]).rstrip('.'))
        return None

    def _merged(self, shards: list[Node]) -> Dict:
        """The ranking of all shards: that of one potential, or on which several agree."""
        further = list(self.inputs.screen.get('further_potentials', {}).values())
        if not further:
            return merge_rankings(**{f'shard_{one.pk}': one.outputs.ranking for one in shards})
        merged = {}
        for number, potential in enumerate([self.inputs.screen.scan.potential, *further], start=1):
            label = f'ranking_{number}'
            found = {f'shard_{one.pk}': own for one in shards if (own := _ranking_by(one, label)) is not None}
            if found:
                merged[label] = (potential, merge_rankings(**found))
        if len(merged) == 1:
            return next(iter(merged.values()))[1]
        names = names_of([potential for potential, _ in merged.values()])
        rankings = {label: ranking for label, (_, ranking) in merged.items()}
        return rank_by_consensus(Dict({'names': list(zip(rankings, names))}), **rankings)

    def _left(self) -> list[int]:
        """PKs of the structures of the group that are in no shard which counts, and not given up, the oldest first."""
        given = {pk for keys in campaigns.keys_in(self.ctx.ended + self.ctx.running).values() for pk in keys}
        given |= {pk for pk, times in self._losses().items() if times >= self._MOST_ATTEMPTS}
        return [pk for pk in sorted(campaigns.members_of(self.inputs.group.value)) if pk not in given]

    def _losses(self) -> Counter:
        """PK of each structure -> in how many shards it was that were lost."""
        return Counter(pk for keys in campaigns.keys_in(self.ctx.lost).values() for pk in keys)

    def _given_up(self) -> dict[str, dict[str, str]]:
        """Key of each structure whose shards were lost -> stage and reason."""
        known = {pk for keys in campaigns.keys_in(self.ctx.ended).values() for pk in keys}
        members = set(campaigns.members_of(self.inputs.group.value))
        return {
            key: {'stage': 'scan', 'error_type': LOST, 'reason': how_it_ended(load_node(shard))}
            for shard, keys in campaigns.keys_in(self.ctx.lost).items()
            for pk, key in keys.items()
            if pk in members - known
        }

    def _next_shard(self) -> tuple[dict[str, Node], dict[str, Node]] | None:
        """Structures of the next shard, and those of other shards with which it compares them, by key; None if none.

        Structures of one composition go to one shard, or one shard after another. So each is compared with all.
        """
        left, most, losses = self._left(), self.inputs.max_structures_per_shard.value, self._losses()
        # One that breaks its shard, as by an error of a filter, costs no other its result: at last each is alone.
        if worst := max((losses[pk] for pk in left), default=0):
            left = [pk for pk in left if losses[pk] == worst]
            most = 1 if worst == self._MOST_ATTEMPTS - 1 else max(1, most // 16)
        shards = campaigns.keys_in(self.ctx.ended + self.ctx.running + self.ctx.lost)
        chosen, known = left[:most], {}
        if Criteria.from_dict(self.inputs.screen.criteria.get_dict()).duplicates != 'keep':
            formulas = self._formulas({*left, *(pk for keys in shards.values() for pk in keys)})
            busy = {formulas[pk] for shard in self.ctx.running for pk in shards.get(shard, ())}
            chosen = _of_whole_compositions([pk for pk in left if formulas[pk] not in busy], formulas, most)
            same = {formulas[pk] for pk in chosen}
            earlier = {one: shards.get(one, {}) for one in self.ctx.ended}
            known = campaigns.passed_by_filter(
                {one: {pk: key for pk, key in keys.items() if formulas[pk] in same} for one, keys in earlier.items()}
            )
        keys = {pk: key for shard in self.ctx.lost for pk, key in shards.get(shard, {}).items()}
        taken, structures = [key for own in shards.values() for key in own.values()], {}
        for node in map(load_node, chosen):
            key = keys.get(node.pk) or safe_name(name_of(node), [*taken, *structures])
            structures[key] = node
        return (structures, known) if structures else None

    def _formulas(self, structures: set[int]) -> dict[int, str]:
        """PK of each structure -> what :func:`compositions_of` says, which is remembered."""
        known = self.__dict__.setdefault('_known_formulas', {})
        known |= campaigns.compositions_of(structures - known.keys())
        return known


def _ranking_by(shard: ProcessNode, label: str) -> Dict | None:
    """The ranking of a shard by one potential. If no further one has ranked it, that by the first is the only one."""
    if 'rankings' in shard.outputs:
        return dict(shard.outputs.rankings).get(label)
    return shard.outputs.ranking if label == 'ranking_1' else None


def _version_of(process: ProcessNode) -> str | None:
    return process.base.attributes.get('version', {}).get('plugin')


def _question_of(process: ProcessNode, inputs: NodeLinksManager, model: RankingModelData | None) -> dict:
    """What tells whether the shard of another campaign has the same results as one of this."""
    further = dict(inputs.further_potentials) if 'further_potentials' in inputs else {}
    return {
        'parameters': FingerprintSettings.from_dict(inputs.scan.parameters.get_dict()),
        'criteria': Criteria.from_dict(inputs.criteria.get_dict()),
        'ordering': EnsembleSettings.from_dict(inputs.ordering.get_dict()),
        'potentials': [one.sha256 for one in (inputs.scan.potential, *(further[name] for name in sorted(further)))],
        'confirm': inputs.confirm.value,
        'model': model and model.uuid,
        'version': _version_of(process),
    }


def _of_whole_compositions(structures: list[int], formulas: Mapping[int, str], most: int) -> list[int]:
    """So many structures, all of each composition; fewer than all only of one that has more than fit."""
    groups: dict[str, list[int]] = {}
    for pk in structures:
        groups.setdefault(formulas[pk], []).append(pk)
    chosen: list[int] = []
    for group in groups.values():
        if not chosen or len(chosen) + len(group) <= most:
            chosen += group
    return chosen[:most]
