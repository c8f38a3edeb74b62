"""``pesfp.screen``: select structures, scan them in batches, rank them."""

from aiida.engine import ExitCode, ProcessBuilder, WorkChain, append_, while_
from aiida.orm import AbstractCode, Dict, StructureData, WorkChainNode

from aiida_pesfp.calculations.assessment import featurise
from aiida_pesfp.calculations.ports import positive_port, settings_port, structures_port
from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.calculations.selection import collect_rejected, rank, rank_by_model, reject
from aiida_pesfp.data.assessment import RankingModelData
from aiida_pesfp.data.descriptors import GRID_SETTINGS
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.queries.progress import estimated_cost
from aiida_pesfp.queries.structures import known_properties
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.settings.screen import Criteria
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge
from aiida_pesfp.workflows.scan import ScanBaseWorkChain


def _validate_model(inputs, _) -> str | None:
    if 'model' not in inputs:
        return None
    try:
        parameters = FingerprintSettings.from_dict(inputs['scan']['parameters'].get_dict())
        grid = {name: getattr(parameters.scan, name) for name in GRID_SETTINGS}
        return inputs['model'].mismatch(parameters.species, inputs['scan']['potential'].sha256, grid)
    except (KeyError, ValueError):
        return None  # missing and wrong inputs have their own messages


class ScreenWorkChain(ProtocolMixin, WorkChain):
    """Rank structures by expected ionic conductivity (arXiv:2411.06804, Fig. 1 up to the ranking)."""

    _protocol = 'screen'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        structures_port(spec, 'Structures to screen. The keys name them in all outputs.')
        words = 'Known properties of the structures: key -> band_gap (eV), energy_above_hull (eV/atom).'
        settings_port(spec, 'properties', None, words)
        settings_port(spec, 'criteria', Criteria, 'What is scanned; None switches a limit off.')
        positive_port(spec, 'max_structures_per_job', 16, 'Most structures of one job.')
        positive_port(spec, 'max_concurrent_jobs', 4, 'Most jobs at once.')
        words = 'Ranks the structures: a recalibrated Xi or a trained model. By default Xi as computed by the scan.'
        spec.input('model', valid_type=RankingModelData, required=False, help=words)
        spec.expose_inputs(ScanBaseWorkChain, exclude=('structures', 'scan.parent_folder'))
        spec.inputs.validator = _validate_model
        spec.outline(cls.select, while_(cls.any_batch_left)(cls.scan_batches, cls.collect_results), cls.rank)
        spec.output('ranking', valid_type=Dict, required=False, help='The rows of the ranking, the best first.')
        spec.output('rejected', valid_type=Dict, help='Without a result: key -> stage (filter, scan) and reason.')
        spec.expose_outputs(ScanBaseWorkChain, include=('pes', 'descriptors', 'scanned'))
        spec.exit_code(310, 'ERROR_ALL_REJECTED', message='No structure passed the criteria, see `rejected`.')
        spec.exit_code(320, 'ERROR_ALL_SCANS_FAILED', message='No structure could be scanned, see `rejected`.')
        spec.exit_code(330, 'ERROR_RANKING_FAILED', message='The structures could not be ranked: {reason}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structures: dict[str, StructureData],
        potential: PotentialData,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol, and with the properties from the structures' records.

        :param structures: what to screen, by keys that name them in all outputs.
        :param overrides: inputs that take precedence, nested like the builder.

        The other parameters are those of ``pesfp.scan.base``.
        """
        own = dict(overrides or {})
        base = {key: own.pop(key) for key in ('scan', 'max_iterations') if key in own}
        scan = ScanBaseWorkChain.get_builder_from_protocol(code, structures, potential, protocol, base, options)
        builder = cls.get_builder()
        builder.structures, builder.scan, builder.max_iterations = structures, scan.scan, scan.max_iterations
        inputs = cls.get_protocol_inputs(protocol, own)
        builder.properties = merge(known_properties(structures), inputs.get('properties') or {})
        for name in ('criteria', 'max_structures_per_job', 'max_concurrent_jobs'):
            builder[name] = inputs[name]
        return builder

    @property
    def parameters(self) -> FingerprintSettings:
        """The parameters of the scans."""
        return FingerprintSettings.from_dict(self.inputs.scan.parameters.get_dict())

    def select(self) -> None:
        """Leave out structures that do not meet the criteria, with the reason, and distribute the others over jobs."""
        structures = dict(self.inputs.structures)
        criteria = Dict(self.inputs.criteria.get_dict() | {'species': self.parameters.species})
        self.ctx.filtered = reject(criteria, self.inputs.properties, **structures)
        self.ctx.selected = {key: node for key, node in structures.items() if key not in self.ctx.filtered}
        self.ctx.descriptors, self.ctx.failures, self.ctx.lost = {}, {}, {}
        self.report(f'{len(self.ctx.selected)} of {len(structures)} structures pass the criteria')
        # The small ones are scanned first, so that results come early.
        costs = {key: estimated_cost(node, self.parameters) for key, node in self.ctx.selected.items()}
        ordered = sorted(costs, key=costs.get)
        size = self.inputs.max_structures_per_job.value
        self.ctx.batches = [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]

    def any_batch_left(self) -> bool:
        """Whether there is a job to launch."""
        return bool(self.ctx.batches)

    def scan_batches(self) -> None:
        """Launch as many jobs as may run at once."""
        number = self.inputs.max_concurrent_jobs.value
        batches, self.ctx.batches = self.ctx.batches[:number], self.ctx.batches[number:]
        self.ctx.running = []
        for batch in batches:
            inputs = self.exposed_inputs(ScanBaseWorkChain)
            inputs['structures'] = {key: self.ctx.selected[key] for key in batch}
            node = self.submit(ScanBaseWorkChain, **inputs)
            self.report(f'launching ScanBaseWorkChain<{node.pk}> for {", ".join(batch)}')
            self.to_context(running=append_(node))

    def collect_results(self) -> None:
        """Collect the results of the jobs. A job that failed does not affect the others."""
        for node in self.ctx.running:
            self._collect(node)

    def rank(self) -> ExitCode | None:
        """Rank the scanned structures, and report why the others have no result."""
        self.out('rejected', collect_rejected(self.ctx.filtered, Dict(self.ctx.lost), **self.ctx.failures))
        if not self.ctx.selected:
            return self.exit_codes.ERROR_ALL_REJECTED
        if not self.ctx.descriptors:
            return self.exit_codes.ERROR_ALL_SCANS_FAILED
        try:
            ranking = self._rank_by_model() if 'model' in self.inputs else rank(**self.ctx.descriptors)
        except AssessmentError as error:
            return self.exit_codes.ERROR_RANKING_FAILED.format(reason=error)
        self.out('ranking', ranking)

    def _rank_by_model(self) -> Dict:
        features = Dict({})
        if self.inputs.model.to_model().feature_set != 'pes':
            features = featurise(**{key: self.ctx.selected[key] for key in self.ctx.descriptors})
        return rank_by_model(self.inputs.model, features, **self.ctx.descriptors)

    def _collect(self, node: WorkChainNode) -> None:
        for name, nodes in self.exposed_outputs(node, ScanBaseWorkChain).items():
            for key, output in nodes.items():
                self.out(f'{name}.{key}', output)
        found = dict(getattr(node.outputs, 'descriptors', {}))
        self.ctx.descriptors |= found
        for key, descriptors in found.items():
            self.report(f'{key}: Xi {descriptors.xi:.4f}, MPE {descriptors.mpe:.3f} eV')
        failed = node.outputs.failures.keys() if 'failures' in node.outputs else []
        if failed:
            self.ctx.failures[f'failures_{node.pk}'] = node.outputs.failures
            self.report(f'could not be scanned: {", ".join(failed)}')
        # The exit message of the last job says more than that of the workchain around it.
        jobs = [called for called in node.called if called.process_class is ScanCalculation]
        last = max(jobs, key=lambda job: job.pk, default=node)
        message = last.exit_message or node.exit_message or str(node.process_state)
        lost = [key for key in node.inputs.structures if key not in {*found, *failed}]
        self.ctx.lost |= dict.fromkeys(lost, f'{node.process_label}<{node.pk}> [{node.exit_status}]: {message}')
        if not node.is_finished_ok:
            self.report(f'ScanBaseWorkChain<{node.pk}> did not finish: {message}')
