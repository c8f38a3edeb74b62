"""``pesfp.screen_and_validate``: screen, and confirm the best by dynamics (arXiv:2411.06804, Fig. 1)."""

from __future__ import annotations

from aiida.engine import ExitCode, ProcessBuilder, ToContext, WorkChain, append_, if_, while_
from aiida.orm import AbstractCode, Dict, Int, List, Str, StructureData, WorkChainNode

from aiida_pesfp.calculations.candidates import COLUMNS, ENGINES, summarise, tabulate_candidates
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import ExpressionError
from aiida_pesfp.expressions import Expression
from aiida_pesfp.workflows.conductivity import ConductivityWorkChain
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge
from aiida_pesfp.workflows.screen import ScreenWorkChain


def _validate_expression(node, _) -> str | None:
    try:
        Expression(node.value, COLUMNS)
    except ExpressionError as error:
        return str(error)
    return None


def _validate_positive(node, _) -> str | None:
    return None if node.value > 0 else f'{node.value} is not a positive number'


def _validate_stages(inputs, _) -> str | None:
    if 'ml' in inputs and 'potential' not in inputs['ml']:
        return 'the stage ml needs a potential'
    if 'siesta' in inputs and 'potential' in inputs['siesta']:
        return 'the stage siesta takes no potential'
    return None


class ScreenAndValidateWorkChain(ProtocolMixin, WorkChain):
    """Screen structures, run molecular dynamics of the best with a machine-learned potential, of the best of these
    with SIESTA.

    A stage that is not given is left out. A candidate that fails costs no other its result, and stands in the table
    with the reason. With caching, what an earlier run did is not done again.
    """

    _protocol = 'screen_and_validate'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(ScreenWorkChain, namespace='screen')
        spec.input(
            'select',
            valid_type=Str,
            default=lambda: Str('xi > 0.25'),
            validator=_validate_expression,
            help='Candidates are structures for which this expression over the columns of the ranking is true.',
        )
        spec.input(
            'max_concurrent_candidates',
            valid_type=Int,
            default=lambda: Int(2),
            validator=_validate_positive,
            help='Candidates whose dynamics run at once.',
        )
        for engine in ENGINES:
            cls._define_stage(spec, engine)
        spec.inputs.validator = _validate_stages
        spec.outline(
            cls.screen,
            cls.inspect_screen,
            while_(cls.next_stage)(
                while_(cls.any_candidate_left)(
                    cls.run_candidates,
                    cls.collect_candidates,
                ),
            ),
            if_(cls.any_candidate)(cls.tabulate),
            cls.finish,
        )
        spec.expose_outputs(ScreenWorkChain, namespace='screen')
        spec.output(
            'candidates',
            valid_type=Dict,
            required=False,
            help='A row for each candidate: descriptors, conductivity and activation energy by each engine, flags, '
            'problems, nodes.',
        )
        for engine in ENGINES:
            spec.output_namespace(
                engine,
                dynamic=True,
                help=f'Conductivities and fits with {engine}: CANDIDATE.T667K, CANDIDATE.arrhenius',
            )
        spec.exit_code(310, 'ERROR_SCREENING_FAILED', message='The screening failed: {reason}')
        spec.exit_code(320, 'ERROR_ALL_CANDIDATES_FAILED', message='No candidate has a conductivity: {reason}')

    @classmethod
    def _define_stage(cls, spec, engine: str) -> None:
        options = {'required': False, 'populate_defaults': False, 'help': f'The stage of dynamics with {engine}.'}
        spec.input_namespace(engine, **options)
        spec.input(f'{engine}.code', valid_type=AbstractCode, help='pesfp-md, or SIESTA.')
        spec.input(
            f'{engine}.relax_code', valid_type=AbstractCode, required=False, help='Without it nothing is relaxed.'
        )
        spec.input(f'{engine}.potential', valid_type=PotentialData, required=False, help='Potential of the dynamics.')
        spec.input(f'{engine}.pseudo_family', valid_type=Str, required=False, help='Pseudopotentials for SIESTA.')
        spec.input(f'{engine}.candidates', valid_type=Int, validator=_validate_positive, help='How many at most.')
        spec.input(
            f'{engine}.rank_by',
            valid_type=Str,
            validator=_validate_expression,
            help='Those with the largest value of this expression over the columns of the table; then by Xi.',
        )
        spec.input(f'{engine}.protocol', valid_type=Str, help='Protocol of pesfp.conductivity.')
        spec.input(f'{engine}.overrides', valid_type=Dict, default=Dict, help='Overrides of that protocol.')
        spec.input(f'{engine}.analysis', valid_type=Dict, default=Dict, help='Overrides of the parameters of analysis.')
        spec.input(
            f'{engine}.temperatures', valid_type=List, required=False, help='Instead of those of the protocol, K.'
        )
        spec.input(f'{engine}.options', valid_type=dict, required=False, non_db=True, help='Options of the jobs.')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structures: dict[str, StructureData],
        potential: PotentialData,
        *,
        ml: dict | None = None,
        siesta: dict | None = None,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param code: ``pesfp-scan`` on some computer.
        :param structures: what to screen, by keys that name them in all outputs.
        :param potential: of the scans.
        :param ml: inputs of this stage: ``code``, ``potential``, and what else differs from the protocol. Without them
            there is no such stage.
        :param siesta: the same: ``code``, ``pseudo_family``, ...
        :param protocol: ``fast``, ``paper`` (default) or ``stringent``, of all parts.
        :param overrides: inputs that take precedence: ``screen`` for those of the screening, and this workchain's own.
        :param options: ``metadata.options`` of the scans that take precedence.
        """
        overrides = dict(overrides or {})
        screen = overrides.pop('screen', None)
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        scan = ScreenWorkChain.get_builder_from_protocol(code, structures, potential, protocol, screen, options)
        builder.screen = scan
        builder.select = Str(inputs['select'])
        builder.max_concurrent_candidates = Int(inputs['max_concurrent_candidates'])
        for engine, given in (('ml', ml), ('siesta', siesta)):
            if given is None:
                builder.pop(engine, None)
                continue
            of_protocol = inputs['stages'][engine]
            stage = {'protocol': protocol or cls.get_default_protocol()} | of_protocol | given
            stage['overrides'] = merge(of_protocol.get('overrides', {}), given.get('overrides', {}))
            for name, value in stage.items():
                builder[engine][name] = _NODES[name](value) if name in _NODES else value
        return builder

    def screen(self) -> ToContext:
        """Rank the structures."""
        self.ctx.stages = [engine for engine in ENGINES if engine in self.inputs]
        self.ctx.candidates, self.ctx.results, self.ctx.problems = [], {}, {}
        inputs = self.exposed_inputs(ScreenWorkChain, 'screen')
        inputs.setdefault('metadata', {})['call_link_label'] = 'screen'
        return ToContext(screening=self.submit(ScreenWorkChain, **inputs))

    def inspect_screen(self) -> ExitCode | None:
        """Take the ranking, and choose the candidates."""
        node = self.ctx.screening
        self.out_many(self.exposed_outputs(node, ScreenWorkChain, 'screen'))
        if not node.is_finished_ok:
            reason = f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}'
            return self.exit_codes.ERROR_SCREENING_FAILED.format(reason=reason)
        rows, select = node.outputs.ranking['rows'], Expression(self.inputs.select.value, COLUMNS)
        self.ctx.rows = {row['key']: {name: row.get(name) for name in COLUMNS} for row in rows if select(row)}
        self.ctx.passed = list(self.ctx.rows)
        self.report(
            f'{len(self.ctx.passed)} of {len(rows)} ranked structures are candidates ({self.inputs.select.value})'
        )
        return None

    def next_stage(self) -> bool:
        """Go to the next stage that is given, if there is one, and choose its candidates."""
        if not self.ctx.stages or not self.ctx.passed:
            return False
        engine = self.ctx.stages.pop(0)
        stage, rows = self.inputs[engine], self.ctx.rows
        value = Expression(stage.rank_by.value, COLUMNS)
        # What has no value comes last; Python's sort keeps the order of the ranking among equals.
        worth = {key: value(rows[key]) for key in self.ctx.passed}
        ordered = sorted(self.ctx.passed, key=lambda key: (worth[key] is None, -(worth[key] or 0)))
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
        """Take what the dynamics gave. A candidate that failed costs no other its result."""
        for key, node in zip(self.ctx.running, self.ctx.nodes):
            self._collect(key, node)
        # Those without any result are out of the race.
        found = self.ctx.results
        self.ctx.passed = [
            key for key in self.ctx.passed if key in self.ctx.queue or self.ctx.engine in found.get(key, {})
        ]

    def any_candidate(self) -> bool:
        """Whether dynamics of any candidate were to be run."""
        return bool(self.ctx.candidates)

    def tabulate(self) -> None:
        """Put together what is known of each candidate."""
        nodes, labels = {}, {}
        for key, engines in self.ctx.results.items():
            for engine, found in engines.items():
                named = {f'{engine}_{key}_{name}': node for name, node in found.items()}
                nodes |= named
                labels.setdefault(key, {})[engine] = list(named)
        progress = Dict({'candidates': self.ctx.candidates, 'labels': labels, 'problems': self.ctx.problems})
        table = tabulate_candidates(
            self.ctx.screening.outputs.ranking, progress, metadata={'call_link_label': 'tabulate'}, **nodes
        )
        self.out('candidates', table)

    def finish(self) -> ExitCode | None:
        """Say whether there is a candidate that dynamics could treat."""
        if self.ctx.candidates and not self.ctx.results:
            reasons = [f'{key}: {reason}' for key, told in self.ctx.problems.items() for reason in told.values()]
            return self.exit_codes.ERROR_ALL_CANDIDATES_FAILED.format(reason='; '.join(reasons))
        return None

    def _builder(self, key: str) -> ProcessBuilder:
        stage = self.inputs[self.ctx.engine]
        overrides = stage.overrides.get_dict()
        builder = ConductivityWorkChain.get_builder_from_protocol(
            stage.code,
            self.inputs.screen.structures[key],
            relax_code=stage.get('relax_code'),
            potential=stage.get('potential'),
            pseudo_family=stage.pseudo_family.value if 'pseudo_family' in stage else None,
            species=self.inputs.screen.scan.parameters.get('species', 'Li'),
            temperatures=stage.temperatures.get_list() if 'temperatures' in stage else None,
            protocol=stage.protocol.value,
            overrides=overrides,
            options=stage.get('options'),
        )
        builder.analysis = Dict(builder.analysis.get_dict() | stage.analysis.get_dict())
        builder.metadata.call_link_label = f'{self.ctx.engine}_{key}'
        builder.metadata.label = key
        return builder

    def _collect(self, key: str, node: WorkChainNode) -> None:
        engine = self.ctx.engine
        found = dict(getattr(node.outputs, 'conductivities', {}))
        if 'arrhenius' in node.outputs:
            found['arrhenius'] = node.outputs.arrhenius
        for name, data in found.items():
            self.out(f'{engine}.{key}.{name}', data)
        if found:
            self.ctx.results.setdefault(key, {})[engine] = found
            self.ctx.rows[key] |= {f'{engine}_{name}': value for name, value in summarise(found.values()).items()}
        if not node.is_finished_ok:
            self._note_problem(key, f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')

    def _note_problem(self, key: str, reason: str) -> None:
        self.ctx.problems.setdefault(key, {})[self.ctx.engine] = reason
        self.report(f'{key} with {self.ctx.engine}: {reason}')


#: How plain values become nodes of the stages' inputs.
_NODES = {
    'candidates': Int, 'rank_by': Str, 'protocol': Str, 'pseudo_family': Str,
    'overrides': Dict, 'analysis': Dict, 'temperatures': List,
}  # fmt: skip
