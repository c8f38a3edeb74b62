"""``pesfp.screen_and_validate``: screen, and validate the best by dynamics (arXiv:2411.06804, Fig. 1)."""

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, append_, while_
from aiida.orm import AbstractCode, Dict, Str, StructureData, WorkChainNode
from aiida.plugins import DataFactory

from aiida_pesfp.calculations.candidates import OF_ENGINE, summarise, tabulate_candidates
from aiida_pesfp.calculations.ports import number_port, settings_port, validator_by
from aiida_pesfp.data.ensemble import EnsembleData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.expressions import Expression
from aiida_pesfp.fingerprint.quantities import NAMES, stopped_early
from aiida_pesfp.queries.ensembles import likeliest
from aiida_pesfp.queries.nodes import how_it_ended
from aiida_pesfp.queries.structures import name_of
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.workflows.conductivity import ConductivityWorkChain, check_run, planned
from aiida_pesfp.workflows.engines import ENGINES, Engine, check_plugin
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge
from aiida_pesfp.workflows.screen import ScreenWorkChain

#: What expressions over the rows of a table may name.
COLUMNS = ('formula', *NAMES, *(f'{engine}_{name}' for engine in ENGINES for name in OF_ENGINE))


def _expression_port(spec: ProcessSpec, name: str, default: str, help: str) -> None:
    validator = validator_by(lambda text: Expression(text, COLUMNS))
    spec.input(name, valid_type=Str, default=lambda: Str(default), validator=validator, help=help)


def _check(inputs) -> None:
    """Dynamics that would be refused after the screening are refused before it."""
    species = FingerprintSettings.from_dict(inputs['screen']['scan']['parameters'].get_dict()).species
    for name in (name for name in ENGINES if name in inputs):
        engine, stage = ENGINES[name], inputs[name]
        plan = planned(engine, species, stage['protocol'].value, stage['overrides'].get_dict())
        if plan['analysis']['species'] != species:
            raise ValueError(f'leave out analysis.species of the overrides of {name}: {species} is scanned')
        for temperature in plan['temperatures']:
            check_run(engine.dynamics_workchain.dynamics_of(plan, temperature), plan['analysis'])


class ScreenAndValidateWorkChain(ProtocolMixin, WorkChain):
    """Screen structures, run molecular dynamics of the best with one engine, of the best of these with the next.

    Each engine that is given is a stage, in the order of :data:`~aiida_pesfp.workflows.engines.ENGINES`: first a
    machine-learned potential, then SIESTA. A candidate that fails does not affect the others, and its row of the table
    has the reason. With caching, nothing that an earlier run did is done again.
    """

    _protocol = 'screen_and_validate'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(ScreenWorkChain, namespace='screen')
        words = 'Candidates are structures for which this expression over the columns of the ranking is true.'
        _expression_port(spec, 'select', 'xi > 0.25', words)
        number_port(spec, 'max_concurrent_candidates', 2)
        for engine in ENGINES.values():
            cls._define_stage(spec, engine)
        spec.inputs.validator = validator_by(_check)
        spec.outline(
            cls.screen,
            cls.inspect_screen,
            while_(cls.next_stage)(while_(cls.any_candidate_left)(cls.run_candidates, cls.collect_candidates)),
            cls.tabulate,
        )
        spec.expose_outputs(ScreenWorkChain, namespace='screen')
        words = 'A row for each candidate: descriptors, results of each engine, flags, problems, nodes.'
        spec.output('candidates', valid_type=Dict, required=False, help=words)
        spec.exit_code(310, 'ERROR_SCREENING_FAILED', message='The screening failed: {reason}')
        spec.exit_code(320, 'ERROR_ALL_CANDIDATES_FAILED', message='No candidate has a conductivity: {reason}')
        spec.exit_code(430, 'ERROR_SCREENING_INCOMPLETE', message='The candidates are those that were ranked: {reason}')

    @classmethod
    def _define_stage(cls, spec, engine: Engine) -> None:
        """Inputs and outputs of the stage of an engine."""
        stage, words = engine.name, f'dynamics with {engine.title}'
        options = {'required': False, 'populate_defaults': False}
        spec.input_namespace(stage, **options, help=f'The stage of {words}.')
        spec.input(f'{stage}.code', valid_type=AbstractCode, help=f'Code of {engine.program.label}.')
        relax = f'Code of {engine.relax_program.label}. Without it nothing is relaxed.'
        spec.input(f'{stage}.relax_code', valid_type=AbstractCode, required=False, help=relax)
        for need in engine.needs:
            kind = DataFactory(need.data)
            spec.input(f'{stage}.{need.name}', valid_type=kind, required=need.required, help=need.help)
        number_port(spec, f'{stage}.candidates', 5)
        rank_by = 'Those with the largest value of this expression over the columns of the table; then by Xi.'
        _expression_port(spec, f'{stage}.rank_by', 'xi', rank_by)
        spec.input(f'{stage}.protocol', valid_type=Str, help='Protocol of pesfp.conductivity.')
        words = 'Of that protocol, such as temperatures, duration_ps, analysis.'
        settings_port(spec, f'{stage}.overrides', None, words)
        jobs = 'Options of the jobs, and device.'
        spec.input(f'{stage}.options', valid_type=dict, required=False, non_db=True, help=jobs)
        results = f'Conductivities and fits by {words}: CANDIDATE.T667K, CANDIDATE.arrhenius'
        spec.output_namespace(stage, dynamic=True, help=results)

    @classmethod
    def known_overrides(cls) -> dict:
        """As of all workchains; the inputs of the engines stand in ``stages``."""
        known = dict(super().known_overrides())
        inner = {name: engine.dynamics_workchain.known_overrides() for name, engine in ENGINES.items()}
        return known | {'stages': {name: {**known.pop(name), 'overrides': inner[name]} for name in ENGINES}}

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structures: dict[str, StructureData],
        potential: PotentialData,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
        **stages: dict | None,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        The first parameters are those of ``pesfp.screen``, and the protocol is that of all parts.

        :param overrides: inputs that take precedence: ``screen`` for those of the screening, and this workchain's own.
        :param stages: by the name of the engine (``ml``, ``siesta``) the inputs of its stage: ``code``, ``relax_code``,
            what the engine needs, and what differs from the protocol. An engine that is not given has no stage.
        :raises ValueError: for an unknown engine, or a code of another program.
        """
        for name in stages:
            if name not in ENGINES:
                raise ValueError(f'there is no engine {name!r}: take one of {", ".join(ENGINES)}')
        overrides = dict(overrides or {})
        screen = overrides.pop('screen', None)
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.screen = ScreenWorkChain.get_builder_from_protocol(
            code, structures, potential, protocol, screen, options
        )
        builder.select, builder.max_concurrent_candidates = inputs['select'], inputs['max_concurrent_candidates']
        for name, engine in ENGINES.items():
            if stages.get(name) is None:
                builder.pop(name, None)
                continue
            for key, program in (('code', engine.program), ('relax_code', engine.relax_program)):
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
        self.ctx.stages = [name for name in ENGINES if name in self.inputs]
        self.ctx.candidates, self.ctx.problems = [], {}
        self.ctx.results = {name: {} for name in self.ctx.stages}
        inputs = self.exposed_inputs(ScreenWorkChain, 'screen')
        inputs.setdefault('metadata', {})['call_link_label'] = 'screen'
        return ToContext(screening=self.submit(ScreenWorkChain, **inputs))

    def inspect_screen(self) -> ExitCode | None:
        """Choose the candidates from the ranking."""
        node, select = self.ctx.screening, self.inputs.select.value
        self.out_many(self.exposed_outputs(node, ScreenWorkChain, 'screen'))
        if 'ranking' not in node.outputs:
            return self.exit_codes.ERROR_SCREENING_FAILED.format(reason=how_it_ended(node))
        rows, passes = node.outputs.ranking['rows'], Expression(select, COLUMNS)
        self.ctx.rows = {row['key']: {name: row.get(name) for name in COLUMNS} for row in rows if passes(row)}
        self.ctx.passed = list(self.ctx.rows)
        self.report(f'{len(self.ctx.passed)} of {len(rows)} ranked structures are candidates ({select})')

    def next_stage(self) -> bool:
        """Go to the next stage that is given, if there is one, and choose its candidates."""
        if not self.ctx.stages or not self.ctx.passed:
            return False
        engine = self.ctx.stages.pop(0)
        stage, rows = self.inputs[engine], self.ctx.rows
        value = Expression(stage.rank_by.value, COLUMNS)
        # Those that are estimates, and then those without a value, come last; the order stays among equals.
        worth = {key: value(rows[key]) for key in self.ctx.passed}
        ordered = sorted(
            self.ctx.passed, key=lambda key: (worth[key] is None, stopped_early(rows[key]), -(worth[key] or 0))
        )
        self.ctx.engine, self.ctx.passed = engine, ordered[: stage.candidates.value]
        self.ctx.queue = list(self.ctx.passed)
        self.ctx.candidates += [key for key in self.ctx.passed if key not in self.ctx.candidates]
        self.report(f'dynamics with {engine} of {", ".join(self.ctx.passed)}')
        return True

    def any_candidate_left(self) -> bool:
        """Whether dynamics of this stage have not been run."""
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
            self.report(f'{key} with {self.ctx.engine}: {node.process_label}<{node.pk}>')
            self.to_context(nodes=append_(node))

    def collect_candidates(self) -> None:
        """Collect the results. A candidate that failed does not affect the others."""
        for key, node in zip(self.ctx.running, self.ctx.nodes):
            self._collect(key, node)
        # A candidate without any result has no further stage.
        found = self.ctx.results[self.ctx.engine]
        self.ctx.passed = [key for key in self.ctx.passed if key in self.ctx.queue or key in found]

    def tabulate(self) -> ExitCode | None:
        """Make the table of the candidates. Fail if none has a conductivity, or if the ranking has gaps."""
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
        if not results:
            reasons = [f'{key}: {reason}' for key, told in self.ctx.problems.items() for reason in told.values()]
            return self.exit_codes.ERROR_ALL_CANDIDATES_FAILED.format(reason='; '.join(reasons))
        return incomplete

    def _builder(self, key: str) -> ProcessBuilder:
        engine, stage = self.ctx.engine, self.inputs[self.ctx.engine]
        structure, species = self.inputs.screen.structures[key], self.inputs.screen.scan.parameters.get('species', 'Li')
        if isinstance(descriptors := self.ctx.screening.outputs.descriptors[key], EnsembleData):
            structure = likeliest(descriptors)
        if species not in structure.get_symbols_set():
            raise ValueError(f'no {species} among its elements moves by itself: the scan added one ion')
        # A label, such as that of a family of pseudopotentials, is given as a plain string.
        needs = {need.name: stage[need.name] for need in ENGINES[engine].needs if need.name in stage}
        needs = {name: node.value if isinstance(node, Str) else node for name, node in needs.items()}
        builder = ConductivityWorkChain.get_builder_from_protocol(
            stage.code,
            structure,
            engine=engine,
            relax_code=stage.get('relax_code'),
            species=species,
            protocol=stage.protocol.value,
            overrides=stage.overrides.get_dict(),
            options=stage.get('options'),
            **needs,
        )
        builder.metadata.call_link_label = f'{engine}_{key}'
        builder.metadata.label = name_of(structure)
        return builder

    def _collect(self, key: str, node: WorkChainNode) -> None:
        engine = self.ctx.engine
        found = dict(getattr(node.outputs, 'conductivities', {}))
        if 'arrhenius' in node.outputs:
            found['arrhenius'] = node.outputs.arrhenius
        for name, data in found.items():
            self.out(f'{engine}.{key}.{name}', data)
        if found:
            self.ctx.results[engine][key] = found
            self.ctx.rows[key] |= {f'{engine}_{name}': value for name, value in summarise(found.values()).items()}
        if not node.is_finished_ok:
            self._note_problem(key, how_it_ended(node))

    def _note_problem(self, key: str, reason: str) -> None:
        self.ctx.problems.setdefault(key, {})[self.ctx.engine] = reason
        self.report(f'{key} with {self.ctx.engine}: {reason}')
