"""``pesfp.screen``: select structures, scan them in batches, rank them."""

import itertools
from collections.abc import Callable, Mapping, Sequence

from aiida.common.exceptions import NotExistent
from aiida.engine import ExitCode, ProcessBuilder, WorkChain, while_
from aiida.orm import AbstractCode, Bool, Dict, StructureData, WorkChainNode, load_code, load_node

from aiida_pesfp.calculations.assessment import featurise
from aiida_pesfp.calculations.ports import number_port, settings_port, structures_port, validator_by
from aiida_pesfp.calculations.scan import sha256_of
from aiida_pesfp.calculations.selection import (
    LOST,
    collect_rejected,
    rank,
    rank_by_consensus,
    rank_by_model,
    reject,
)
from aiida_pesfp.data.assessment import RankingModelData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import AssessmentError, closest
from aiida_pesfp.fingerprint.quantities import is_promising, stopped_early
from aiida_pesfp.queries.calibrations import calibrations, node_of
from aiida_pesfp.queries.nodes import how_it_ended, jobs_of
from aiida_pesfp.queries.progress import estimated_cost
from aiida_pesfp.queries.results import stored_results
from aiida_pesfp.queries.structures import known_properties
from aiida_pesfp.settings.ordering import EnsembleSettings
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.settings.screen import Criteria, Properties
from aiida_pesfp.workflows.engines import check_plugin
from aiida_pesfp.workflows.orderings import OrderingSteps
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge
from aiida_pesfp.workflows.scan import ScanBaseWorkChain, results_of_job, take_results
from aiida_pesfp.workflows.window import RollingWindow, equal_batches


def _check(inputs) -> None:
    """What does not belong to a structure, or to the scan, would silently be without effect."""
    # A campaign has neither: each of its shards does.
    if both := inputs.get('known', {}).keys() & inputs.get('structures', {}).keys():
        raise ValueError(f'known: {", ".join(sorted(both))} are keys of structures to screen: give other keys')
    for key, properties in inputs['properties'].get_dict().items() if 'properties' in inputs else ():
        if key not in inputs['structures']:
            close = closest(key, inputs['structures'])
            hint = f'did you mean {close}?' if close else f'the keys are {", ".join(inputs["structures"])}'
            raise ValueError(f'the properties of {key!r} belong to no structure: {hint}')
        try:
            Properties.from_dict(properties)
        except ValueError as error:
            raise ValueError(f'the properties of {key!r}: {error}') from None
    parameters = FingerprintSettings.from_dict(inputs['scan']['parameters'].get_dict())
    if inputs['criteria'].get('species', parameters.species) != parameters.species:
        raise ValueError(f'leave out criteria.species: {parameters.species} is scanned, by scan.parameters.species')
    ordering = EnsembleSettings.from_dict(inputs['ordering'].get_dict())
    if ordering.needs_potential and 'code' not in inputs.get('order', {}):
        raise ValueError('ordering: choice = monte_carlo and relax need a code of pesfp-order: give it as order.code')
    further = [one.sha256 for one in inputs.get('further_potentials', {}).values()]
    if len({inputs['scan']['potential'].sha256, *further}) <= len(further):
        raise ValueError('further_potentials: two of the potentials are the same: leave one out')
    if inputs['confirm'] and not further:
        raise ValueError('confirm: no further potential could confirm a result: give one, as by a second --potential')
    if inputs['confirm'] and 'model' not in inputs and calibrations().of(_origin(inputs['scan'])) is None:
        what = f'no cuts of Xi are known for {inputs["scan"]["potential"].name}, so none of its results is certain'
        raise ValueError(f'confirm: {what}: find them with `aiida-pesfp calibrate`, or leave it out')
    if problem := inputs['model'].mismatch(_origin(inputs['scan'])):
        raise ValueError(problem)


def _origin(scan) -> dict:
    """What descriptors of a scan depend on, as their attributes have it."""
    potential = scan['potential']
    return FingerprintSettings.from_dict(scan['parameters'].get_dict()).origin(potential.sha256, potential.name)


def calibration_of(scan: Mapping, report: Callable[[str], None]) -> RankingModelData | None:
    """The calibration that ranks, if there is one for the potential, the ion and the settings of a scan.

    :param report: told what is known of calibrations.
    """
    known, origin = calibrations(), _origin(scan)
    for sentence in itertools.chain(*known.explain([origin])):
        report(sentence)
    found = known.of(origin)
    return found and node_of(found)


def _code_of_orderings(code: AbstractCode) -> AbstractCode:
    """The code of ``pesfp-order`` on the computer of that of the scans."""
    label = f'pesfp-order@{code.computer.label}'
    try:
        found = load_code(label)
    except NotExistent:
        words = 'orderings by swaps with the potential, and relaxed ones, need it: make it with `aiida-pesfp setup`'
        raise ValueError(f'there is no code {label}; {words}') from None
    check_plugin(found, 'pesfp.order')
    return found


def names_of(potentials: list[PotentialData]) -> list[str]:
    """A name of each potential for people; those of the same name have the beginning of their hash behind it."""
    names = [node.label or node.name for node in potentials]
    return [f'{name} {node.sha256[:8]}' if names.count(name) > 1 else name for name, node in zip(names, potentials)]


class ScreenWorkChain(RollingWindow, OrderingSteps, ProtocolMixin, WorkChain):
    """Rank structures by expected ionic conductivity (arXiv:2411.06804, Fig. 1 up to the ranking)."""

    _protocol = 'screen'
    #: How often a structure whose scan was lost to no fault of its own is given to another job.
    _MOST_REPEATS = 2

    @classmethod
    def define(cls, spec):
        super().define(spec)
        structures_port(spec, 'Structures to screen. The keys name them in all outputs.')
        words = 'Structures that were screened before, by other keys. What is the same as one of them is left out.'
        spec.input_namespace('known', dynamic=True, valid_type=StructureData, required=False, help=words)
        words = 'Known properties of the structures: key -> band_gap (eV), energy_above_hull (eV/atom).'
        settings_port(spec, 'properties', None, words)
        settings_port(spec, 'criteria', Criteria, 'What is scanned; None switches a limit off.')
        cls.define_ordering(spec)
        number_port(spec, 'max_structures_per_job', 16)
        number_port(spec, 'max_concurrent_jobs', 4)
        words = (
            'Ranks the structures: a calibration of Xi or a trained model. By default the calibration of the '
            'potential: the newest of your own, or that which comes with the package; without any, free volumes.'
        )
        spec.input('model', valid_type=RankingModelData, required=False, help=words)
        words = 'Further potentials: each ranks the structures too, and the ranking is what all agree on.'
        spec.input_namespace('further_potentials', dynamic=True, valid_type=PotentialData, help=words)
        words = 'Further potentials scan only structures with Xi above 0.25 by the first one, with its own cuts.'
        spec.input('confirm', valid_type=Bool, default=lambda: Bool(False), help=words)
        words = (
            'Take what any job has computed for the same structure, potential and settings, and do not scan it again.'
        )
        spec.input('reuse', valid_type=Bool, default=lambda: Bool(True), help=words)
        spec.expose_inputs(ScanBaseWorkChain, exclude=('structures', 'scan.parent_folder'))
        spec.inputs.validator = validator_by(_check)
        scans = while_(cls.any_scan_left)(cls.scan, cls.collect_results)
        orders = while_(cls.any_to_order)(cls.order, cls.collect_orderings)
        rounds = while_(cls.begin_round)(orders, cls.reuse, cls.distribute, scans)
        spec.outline(cls.select, rounds, cls.pool, cls.rank, cls.ask_further_potentials, cls.agree)
        spec.output('ranking', valid_type=Dict, required=False, help='The rows of the ranking, the best first.')
        words = 'If there are further potentials, the ranking by each, in their order: ranking_1, ranking_2.'
        spec.output_namespace('rankings', valid_type=Dict, dynamic=True, required=False, help=words)
        spec.output('rejected', valid_type=Dict, help='Without a result: key -> stage (filter, scan) and reason.')
        spec.expose_outputs(ScanBaseWorkChain, include=('pes', 'trees', 'descriptors', 'scanned'))
        spec.exit_code(310, 'ERROR_ALL_REJECTED', message='No structure passed the criteria, see `rejected`.')
        spec.exit_code(320, 'ERROR_ALL_SCANS_FAILED', message='No structure could be scanned, see `rejected`.')
        spec.exit_code(330, 'ERROR_RANKING_FAILED', message='The structures could not be ranked: {reason}')
        words = 'By {potential} not all structures are ranked: {reason}. They come last, or the others rank alone.'
        spec.exit_code(440, 'ERROR_FURTHER_POTENTIAL_FAILED', message=words)
        words = '{lost} of {total} structures are missing in the ranking, see `rejected`: {reason}'
        spec.exit_code(430, 'ERROR_STRUCTURES_LOST', message=words)

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structures: dict[str, StructureData],
        potential: PotentialData,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
        further_potentials: Sequence[PotentialData] = (),
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol, and with the properties from the structures' records.

        :param structures: what to screen, by keys that name them in all outputs.
        :param overrides: inputs that take precedence, nested like the builder.
        :param further_potentials: which rank the structures too.

        The other parameters are those of ``pesfp.scan.base``.
        """
        own = dict(overrides or {})
        base = {key: own.pop(key) for key in ('scan', 'max_iterations') if key in own}
        scan = ScanBaseWorkChain.get_builder_from_protocol(code, structures, potential, protocol, base, options)
        builder = cls.get_builder()
        builder.structures, builder.scan, builder.max_iterations = structures, scan.scan, scan.max_iterations
        inputs = cls.get_protocol_inputs(protocol, own)
        given = inputs.get('properties') or {}
        if dotted := next((key for key in given if '.' in str(key)), None):
            raise ValueError(f'the properties of {dotted!r}: give the key of the structure, without the ending')
        builder.properties = merge(known_properties(structures), given)
        for name in ('criteria', 'ordering', 'max_structures_per_job', 'max_concurrent_jobs', 'confirm', 'reuse'):
            builder[name] = inputs[name]
        builder.further_potentials = {f'potential_{n}': one for n, one in enumerate(further_potentials, start=2)}
        if EnsembleSettings.from_dict(inputs['ordering']).needs_potential:
            jobs = scan.scan._inputs(prune=True)
            how = {name: jobs[name] for name in ('metadata', 'device', 'trust_weights') if name in jobs}
            builder.order = merge(how, inputs.get('order', {})) | {'code': _code_of_orderings(code)}
        else:
            builder.pop('order', None)  # empty, it would be incomplete within another builder
        return builder

    @property
    def parameters(self) -> FingerprintSettings:
        """The parameters of the scans."""
        return FingerprintSettings.from_dict(self.inputs.scan.parameters.get_dict())

    @property
    def further_potentials(self) -> dict[str, PotentialData]:
        """Those of which each ranks the structures too."""
        return dict(self.inputs.get('further_potentials', {}))

    def select(self) -> None:
        """Leave out structures that do not meet the criteria, with the reason."""
        # Results and failures so far, other reasons for none, and how often and from which folder a structure goes on.
        self.ctx.descriptors, self.ctx.failures, self.ctx.others = {}, {}, {}
        self.ctx.repeats, self.ctx.folders = {}, {}
        structures = dict(self.inputs.structures)
        parameters = self.parameters
        needed = None if parameters.scan.others == 'interstitial' else parameters.species
        criteria = Dict(self.inputs.criteria.get_dict() | {'species': needed})
        known = dict(self.inputs.get('known', {}))
        earlier = Dict({'keys': list(known)})
        self.ctx.filtered = reject(criteria, self.inputs.properties, earlier, **known, **structures)
        self.ctx.selected = {key: node for key, node in structures.items() if key not in self.ctx.filtered}
        self.report(f'{len(self.ctx.selected)} of {len(structures)} structures pass the criteria')
        self.ctx.model = self.inputs.get('model') or calibration_of(self.inputs.scan, self.report)
        self.begin_orderings()

    def reuse(self) -> None:
        """Take results that are stored already, whatever job has computed them."""
        parameters = FingerprintSettings.from_dict(self._parameters_of_jobs().get_dict())
        stored = stored_results(self.inputs.scan.potential, parameters) if self.inputs.reuse else {}
        by_results: dict[int, dict[str, StructureData]] = {}
        for key in self.ctx.to_scan if stored else ():
            if (pk := stored.get(sha256_of(self.ctx.selected[key]))) is not None:
                by_results.setdefault(pk, {})[key] = self.ctx.selected[key]
        for pk, structures in by_results.items():
            taken, wrong = take_results(load_node(pk), structures)
            self._add_outputs(taken)
            for key, reason in wrong.items():
                self.report(f'{key} is scanned again: {reason["error"]}')
        known = [key for key in self.ctx.to_scan if key in self.ctx.descriptors]
        if known:
            self.report(f'{len(known)} of {len(self.ctx.to_scan)} structures have results of earlier jobs')
        self.ctx.to_scan = [key for key in self.ctx.to_scan if key not in known]

    def distribute(self) -> None:
        """Distribute structures over jobs of about the same cost."""
        keys, self.ctx.to_scan = self.ctx.to_scan, []
        costs = {key: estimated_cost(self.ctx.selected[key], self.parameters) for key in keys}
        self.ctx.batches = equal_batches(costs, self.inputs.max_structures_per_job.value)
        self.ctx.running = []

    def _parameters_of_jobs(self) -> Dict:
        """The parameters of the scans, with the cuts of the calibration if scans may stop early."""
        given = self.inputs.scan.parameters
        if self.parameters.scan.stop_below is None or not self.ctx.model or self.ctx.model.kind != 'xi':
            return given
        return Dict(given.get_dict() | {'stop_xi': self.ctx.model.to_model().parameters})

    def any_scan_left(self) -> bool:
        """Whether a job is to be launched, or still runs."""
        return bool(self.ctx.batches or self.ctx.running)

    def scan(self) -> None:
        """Launch jobs while fewer than may run at once are running, and wait until one of them has ended."""
        while self.ctx.batches and len(self.ctx.running) < self.inputs.max_concurrent_jobs.value:
            batch, inputs = self.ctx.batches.pop(0), self.exposed_inputs(ScanBaseWorkChain)
            inputs['structures'] = {key: self.ctx.selected[key] for key in batch}
            inputs['scan']['parameters'] = self._parameters_of_jobs()
            if batch[0] in self.ctx.folders:
                inputs['scan']['parent_folder'] = self.ctx.folders[batch[0]]
            node = self.submit(ScanBaseWorkChain, **inputs)
            self.report(f'launching ScanBaseWorkChain<{node.pk}> for {", ".join(batch)}')
            self.ctx.running.append(node.pk)
        self.wait_for_any(self.ctx.running)

    def collect_results(self) -> None:
        """Collect the results of the jobs that have ended. A job that failed does not affect the others."""
        for pk in [pk for pk in self.ctx.running if not self.unfinished(pk)]:
            self.ctx.running.remove(pk)
            self._collect(load_node(pk))

    def rank(self) -> ExitCode | None:
        """Rank the scanned structures by the first potential, and report why the others have no result."""
        rejected = collect_rejected(self.ctx.filtered, Dict(self.ctx.others), **self.ctx.failures)
        self.out('rejected', rejected)
        if not self.ctx.selected:
            return self.exit_codes.ERROR_ALL_REJECTED
        if not self.ctx.descriptors:
            return self.exit_codes.ERROR_ALL_SCANS_FAILED
        try:
            ranking = self._rank_by_model() if self.ctx.model else rank(**self.ctx.descriptors)
        except AssessmentError as error:
            return self.exit_codes.ERROR_RANKING_FAILED.format(reason=error)
        self.ctx.ranking, self.ctx.rejected = ranking, rejected
        return None

    def ask_further_potentials(self) -> None:
        """Launch a screening with each of the further potentials."""
        structures = {key: self.inputs.structures[key] for key in self.ctx.descriptors}
        if self.inputs.confirm:
            rows = self.ctx.ranking['rows']
            left = {row['key'] for row in rows if is_promising(row) and not stopped_early(row)}
            structures = {key: node for key, node in structures.items() if key in left}
            self.report(f'{len(left)} of {len(rows)} structures are left open')
        own = ('metadata', 'further_potentials', 'confirm', 'model', 'properties', 'structures', 'known', 'scan')
        inputs = {name: value for name, value in self.inputs.items() if name not in own}
        known = self.inputs.properties.get_dict()
        inputs['properties'] = Dict({key: known[key] for key in structures if key in known})
        for name, potential in self.further_potentials.items() if structures else ():
            scan = {**self.inputs.scan, 'potential': potential}
            node = self.submit(ScreenWorkChain, structures=structures, scan=scan, **inputs)
            self.report(f'launching ScreenWorkChain<{node.pk}> with {potential.name}')
            self.to_context(**{f'further_{name}': node})

    def agree(self) -> ExitCode | None:
        """Bring the rankings of all potentials together, and say what is missing."""
        potentials = {name: node for name, node in self.further_potentials.items() if f'further_{name}' in self.ctx}
        nodes = {name: self.ctx[f'further_{name}'] for name in potentials}
        rankings = {name: node.outputs.ranking for name, node in nodes.items() if 'ranking' in node.outputs}
        ranking = self.ctx.ranking
        if rankings:
            given = [self.inputs.scan.potential, *(potentials[name] for name in rankings)]
            # By the places of the potentials among the inputs: a campaign merges those of the same number.
            numbers = {name: number for number, name in enumerate(self.further_potentials, start=2)}
            labels = ['ranking_1', *(f'ranking_{numbers[name]}' for name in rankings)]
            names = Dict({'names': list(zip(labels, names_of(given)))})
            own = dict(zip(labels, [ranking, *rankings.values()]))
            ranking = rank_by_consensus(names, **own)
            self.out('rankings', own)
        self.out('ranking', ranking)
        lost = [entry['reason'] for entry in self.ctx.rejected.get_dict().values() if entry.get('error_type') == LOST]
        if lost:
            numbers = {'lost': len(lost), 'total': len(self.inputs.structures)}
            return self.exit_codes.ERROR_STRUCTURES_LOST.format(**numbers, reason=lost[0])
        wrong = [name for name, node in nodes.items() if not node.is_finished_ok]
        if wrong:
            told = {'potential': ', '.join(potentials[name].name for name in wrong)}
            reason = how_it_ended(nodes[wrong[0]]).rstrip('.')
            return self.exit_codes.ERROR_FURTHER_POTENTIAL_FAILED.format(**told, reason=reason)
        return None

    def _rank_by_model(self) -> Dict:
        features = Dict({})
        if self.ctx.model.to_model().feature_set != 'pes':
            features = featurise(**{key: self.inputs.structures[key] for key in self.ctx.descriptors})
        return rank_by_model(self.ctx.model, features, **self.ctx.descriptors)

    def _collect(self, node: WorkChainNode) -> None:
        structures, results = node.inputs.structures, self.exposed_outputs(node, ScanBaseWorkChain)
        failures = {f'failures_{node.pk}': node.outputs.failures} if 'failures' in node.outputs else {}
        if not node.is_finished:
            results, failures = self._recover(node)
        found = self._add_outputs(results)
        failed = [key for failure in failures.values() for key in failure.get_dict()]
        if failed:
            self.report(f'could not be scanned: {", ".join(failed)}')
        self.ctx.failures |= failures
        if not node.is_finished_ok:
            self.report(how_it_ended(node))
        lost = [key for key in structures if key not in {*found, *failed, *self.ctx.others}]
        again = [key for key in lost if node.is_excepted and self.ctx.repeats.get(key, 0) < self._MOST_REPEATS]
        if again:
            self.ctx.repeats |= {key: self.ctx.repeats.get(key, 0) + 1 for key in again}
            self.ctx.batches.append(again)
            self.report(f'to be scanned once more: {", ".join(again)}')
        reason = {'error_type': LOST, 'error': how_it_ended(node)}
        self.ctx.others |= {key: reason for key in lost if key not in again}

    def _add_outputs(self, results: Mapping[str, Mapping]) -> list[str]:
        """Add outputs of scans, by name and key; the keys of those that have descriptors."""
        for name, nodes in results.items():
            for key, output in nodes.items():
                self.out(f'{name}.{key}', output)
        found = dict(results.get('descriptors', {}))
        for key, descriptors in found.items():
            self.report(f'{key}: Xi {descriptors.xi:.4f}, MPE {descriptors.mpe:.3f} eV')
        self.ctx.descriptors |= found
        return list(found)

    def _recover(self, node: WorkChainNode) -> tuple[dict[str, dict], dict[str, Dict]]:
        """Results and failures of the jobs of a scan that was lost before it could pass them on."""
        results, failures = {}, {}
        for job in jobs_of(node):
            taken, wrong = results_of_job(job, node.inputs.structures)
            self.ctx.others |= wrong
            for name, outputs in taken.items():
                results.setdefault(name, {}).update(outputs)
            if 'failures' in job.outputs:
                failures[f'failures_{job.pk}'] = job.outputs.failures
            if 'remote_folder' in job.outputs:
                self.ctx.folders |= dict.fromkeys(node.inputs.structures, job.outputs.remote_folder)
        return results, failures
