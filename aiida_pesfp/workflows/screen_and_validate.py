"""``pesfp.screen_and_validate``: screen, and validate the best by barriers and dynamics (arXiv:2411.06804, Fig. 1)."""

from collections.abc import Sequence

from aiida.engine import ExitCode, ProcessBuilder, ToContext, WorkChain, append_, while_
from aiida.orm import AbstractCode, Dict, Str, StructureData, WorkChainNode

from aiida_pesfp.calculations.candidates import tabulate_candidates
from aiida_pesfp.calculations.ports import number_port, validator_by
from aiida_pesfp.data.ensemble import EnsembleData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.expressions import Expression
from aiida_pesfp.fingerprint.quantities import PROMISING, XI_CALIBRATED, is_promising, stopped_early
from aiida_pesfp.queries.ensembles import likeliest
from aiida_pesfp.queries.nodes import how_it_ended
from aiida_pesfp.queries.structures import name_of
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.workflows.engines import ENGINES, check_plugin
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge
from aiida_pesfp.workflows.screen import ScreenWorkChain
from aiida_pesfp.workflows.stages import BARRIER, COLUMNS, STAGES, expression_port


def _check(inputs) -> None:
    """What would be refused after the screening is refused before it."""
    species = FingerprintSettings.from_dict(inputs['screen']['scan']['parameters'].get_dict()).species
    for name in (name for name in STAGES if name in inputs):
        STAGES[name].check(species, inputs[name]['protocol'].value, inputs[name]['overrides'].get_dict())


class ScreenAndValidateWorkChain(ProtocolMixin, WorkChain):
    """Screen structures, rank the best by barriers, run molecular dynamics of the best with one engine, of the best of
    these with the next.

    A stage is run if its inputs are given, in the order of :data:`~aiida_pesfp.workflows.stages.STAGES`: barriers with
    a relaxed framework, a machine-learned potential, SIESTA. A candidate that fails does not affect the others, and its
    row of the table has the reason; without a barrier it keeps its place. With caching, nothing that an earlier run did
    is done again.
    """

    _protocol = 'screen_and_validate'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(ScreenWorkChain, namespace='screen')
        words = (
            'Candidates are structures for which this expression over the columns of the ranking is true. By default '
            f'it is {XI_CALIBRATED.name} > {PROMISING}; all are candidates if the potential has no calibration.'
        )
        expression_port(spec, 'select', words)
        number_port(spec, 'max_concurrent_candidates', 2)
        for stage in STAGES.values():
            stage.define(spec)
        spec.inputs.validator = validator_by(_check)
        spec.outline(
            cls.screen,
            cls.inspect_screen,
            while_(cls.next_stage)(while_(cls.any_candidate_left)(cls.run_candidates, cls.collect_candidates)),
            cls.tabulate,
        )
        spec.expose_outputs(ScreenWorkChain, namespace='screen')
        words = 'A row for each candidate: descriptors, results of each stage, flags, problems, nodes.'
        spec.output('candidates', valid_type=Dict, required=False, help=words)
        spec.exit_code(310, 'ERROR_SCREENING_FAILED', message='The screening failed: {reason}')
        spec.exit_code(320, 'ERROR_ALL_CANDIDATES_FAILED', message='No candidate has a result: {reason}')
        spec.exit_code(430, 'ERROR_SCREENING_INCOMPLETE', message='The candidates are those that were ranked: {reason}')

    @classmethod
    def known_overrides(cls) -> dict:
        """As of all workchains; the inputs of the stages stand in ``stages``."""
        known = dict(super().known_overrides())
        inner = {name: stage.known_overrides() for name, stage in STAGES.items()}
        return known | {'stages': {name: {**known.pop(name), 'overrides': inner[name]} for name in STAGES}}

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
        **stages: dict | None,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        The first parameters are those of ``pesfp.screen``, and the protocol is that of all parts.

        :param overrides: inputs that take precedence: ``screen`` for those of the screening, and this workchain's own.
        :param stages: by its name (``barrier``, ``ml``, ``siesta``) the inputs of a stage: ``code``, ``relax_code``,
            what it needs, and what differs from the protocol. One that is not given is not run.
        :raises ValueError: for an unknown stage, or a code of another program.
        """
        for name in stages:
            if name not in STAGES:
                raise ValueError(f'there is no stage {name!r}: take one of {", ".join(STAGES)}')
        overrides = dict(overrides or {})
        screen = overrides.pop('screen', None)
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.screen = ScreenWorkChain.get_builder_from_protocol(
            code, structures, potential, protocol, screen, options, further_potentials
        )
        builder.max_concurrent_candidates = inputs['max_concurrent_candidates']
        if 'select' in inputs:
            builder.select = inputs['select']
        for name in STAGES:
            if stages.get(name) is None:
                builder.pop(name, None)
                continue
            for key, program in STAGES[name].programs.items():
                if stages[name].get(key) is not None:
                    check_plugin(stages[name][key], *program.plugins)
            default, given = inputs['stages'].get(name, {}), stages[name]
            stage = {'protocol': protocol or cls.get_default_protocol()} | default | given
            stage['overrides'] = merge(default.get('overrides', {}), given.get('overrides', {}))
            for key, value in stage.items():
                builder[name][key] = value
        return builder

    def screen(self) -> ToContext:
        """Rank the structures."""
        self.ctx.stages, self.ctx.stage = [name for name in STAGES if name in self.inputs], None
        self.ctx.candidates, self.ctx.problems = [], {}
        self.ctx.results = {name: {} for name in self.ctx.stages}
        inputs = self.exposed_inputs(ScreenWorkChain, 'screen')
        inputs.setdefault('metadata', {})['call_link_label'] = 'screen'
        return ToContext(screening=self.submit(ScreenWorkChain, **inputs))

    def inspect_screen(self) -> ExitCode | None:
        """Choose the candidates from the ranking."""
        node = self.ctx.screening
        self.out_many(self.exposed_outputs(node, ScreenWorkChain, 'screen'))
        if 'ranking' not in node.outputs:
            return self.exit_codes.ERROR_SCREENING_FAILED.format(reason=how_it_ended(node))
        rows, select = node.outputs.ranking['rows'], 'promising, or without a calibration'
        passes = is_promising
        if 'select' in self.inputs:
            select = self.inputs.select.value
            passes = Expression(select, COLUMNS)
        self.ctx.rows = {row['key']: {name: row.get(name) for name in COLUMNS} for row in rows if passes(row)}
        self.ctx.passed = list(self.ctx.rows)
        self.report(f'{len(self.ctx.passed)} of {len(rows)} ranked structures are candidates ({select})')

    def next_stage(self) -> bool:
        """Go to the next stage that is given, if there is one, and choose its candidates."""
        if self.ctx.stage is not None:
            found = self.ctx.results[self.ctx.stage]
            self.ctx.passed = STAGES[self.ctx.stage].passed(self.ctx.passed, self.ctx.rows, found)
            # The table has them in this order; those that do not go on come last.
            self.ctx.candidates.sort(key=[*self.ctx.passed, *self.ctx.candidates].index)
        if not self.ctx.stages or not self.ctx.passed:
            return False
        self.ctx.stage = self.ctx.stages.pop(0)
        stage, rows = self.inputs[self.ctx.stage], self.ctx.rows
        if 'rank_by' in stage:
            value = Expression(stage.rank_by.value, COLUMNS)
            # Those that are estimates, and then those without a value, come last; the order stays among equals.
            worth = {key: value(rows[key]) for key in self.ctx.passed}
            self.ctx.passed = sorted(
                self.ctx.passed, key=lambda key: (worth[key] is None, stopped_early(rows[key]), -(worth[key] or 0))
            )
        self.ctx.queue = self.ctx.passed[: stage.candidates.value]
        self.ctx.candidates += [key for key in self.ctx.queue if key not in self.ctx.candidates]
        self.report(f'{STAGES[self.ctx.stage].what}: {", ".join(self.ctx.queue)}')
        return True

    def any_candidate_left(self) -> bool:
        """Whether candidates of this stage have not had their turn."""
        return bool(self.ctx.queue)

    def run_candidates(self) -> None:
        """Launch as many candidates as may run at once."""
        number = self.inputs.max_concurrent_candidates.value
        self.ctx.running, self.ctx.queue = self.ctx.queue[:number], self.ctx.queue[number:]
        self.ctx.nodes = []
        for key in list(self.ctx.running):
            try:
                builder = self._builder(key)
            except ValueError as error:  # elements without pseudopotentials, and the like
                self._note_problem(key, str(error))
                self.ctx.running.remove(key)
                continue
            node = self.submit(builder)
            self.report(f'{key}, {self.ctx.stage}: {node.process_label}<{node.pk}>')
            self.to_context(nodes=append_(node))

    def collect_candidates(self) -> None:
        """Collect the results. A candidate that failed does not affect the others."""
        for key, node in zip(self.ctx.running, self.ctx.nodes):
            self._collect(key, node)

    def tabulate(self) -> ExitCode | None:
        """Make the table of the candidates. Fail if the ranking has gaps, or if no candidate has a conductivity or,
        without dynamics, a barrier."""
        incomplete = None
        if not self.ctx.screening.is_finished_ok:
            reason = how_it_ended(self.ctx.screening)
            incomplete = self.exit_codes.ERROR_SCREENING_INCOMPLETE.format(reason=reason)
        if not self.ctx.candidates:
            return incomplete
        progress = {'engines': list(ENGINES), 'candidates': self.ctx.candidates, 'problems': self.ctx.problems}
        results = {name: found for name, found in self.ctx.results.items() if found}
        given = {'metadata': {'call_link_label': 'tabulate'}, **results}
        self.out('candidates', tabulate_candidates(self.ctx.screening.outputs.ranking, Dict(progress), **given))
        if not (results.keys() - {BARRIER.name} or (results and len(self.ctx.results) == 1)):
            reasons = [f'{key}: {reason}' for key, told in self.ctx.problems.items() for reason in told.values()]
            return self.exit_codes.ERROR_ALL_CANDIDATES_FAILED.format(reason='; '.join(reasons))
        return incomplete

    def _builder(self, key: str) -> ProcessBuilder:
        row, stage = STAGES[self.ctx.stage], self.inputs[self.ctx.stage]
        structure, species = self.inputs.screen.structures[key], self.inputs.screen.scan.parameters.get('species', 'Li')
        if isinstance(descriptors := self.ctx.screening.outputs.descriptors[key], EnsembleData):
            structure = likeliest(descriptors)
        if species not in structure.get_symbols_set():
            raise ValueError(f'no {species} among its elements moves by itself: the scan added one ion')
        # A label, such as that of a family of pseudopotentials, is given as a plain string.
        needs = {need.name: stage[need.name] for need in row.needs if need.name in stage}
        needs = {name: node.value if isinstance(node, Str) else node for name, node in needs.items()}
        builder = row.builder(stage, structure, species, **needs)
        builder.metadata.call_link_label = f'{row.name}_{key}'
        builder.metadata.label = name_of(structure)
        return builder

    def _collect(self, key: str, node: WorkChainNode) -> None:
        stage = STAGES[self.ctx.stage]
        found = stage.outputs(node)
        for name, data in found.items():
            self.out(f'{stage.name}.{key}.{name}', data)
        if found:
            self.ctx.results[stage.name][key] = found
            self.ctx.rows[key] |= stage.values(found)
        if not node.is_finished_ok:
            self._note_problem(key, how_it_ended(node))

    def _note_problem(self, key: str, reason: str) -> None:
        self.ctx.problems.setdefault(key, {})[self.ctx.stage] = reason
        self.report(f'{key}, {self.ctx.stage}: {reason}')
