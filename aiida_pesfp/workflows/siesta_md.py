"""``pesfp.siesta_md.base``: molecular dynamics with SIESTA of any length, in as many jobs as it takes."""

from __future__ import annotations

from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessBuilder, ProcessHandlerReport, process_handler, while_
from aiida.orm import AbstractCode, CalcJobNode, Dict, Int, RemoteData, StructureData, TrajectoryData

from aiida_pesfp.calculations.siesta_md import SiestaMdCalculation
from aiida_pesfp.calculations.trajectories import join_parameters, join_trajectories
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge
from aiida_pesfp.workflows.siesta_inputs import functional_of, pseudos_of

_CODES = SiestaMdCalculation.exit_codes
#: How jobs end whose steps are good, all the same whether another has to go on from there.
_GOOD = (0, _CODES.ERROR_OUT_OF_WALLTIME.status, _CODES.ERROR_OUT_OF_MEMORY.status, _CODES.ERROR_INTERRUPTED.status)


class SiestaMdBaseWorkChain(ProtocolMixin, BaseRestartWorkChain):
    """Run ``pesfp.siesta_md`` until all steps are there, each job exactly from where the last one ended.

    A job whose files would make the next one lose a step (killed within the milliseconds in which SIESTA writes them)
    is run again from its own beginning. Two jobs in a row without a step end it. What is done is joined and attached,
    whatever the end.
    """

    _process_class = SiestaMdCalculation
    _protocol = 'siesta_md'
    #: Jobs in a row that may bring nothing.
    _STALLED = 2

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(SiestaMdCalculation, namespace='md')
        spec.inputs['md']['dynamics'].help += ' Here `steps` are those of all jobs together.'
        spec.input(
            'max_steps_per_job',
            valid_type=Int,
            required=False,
            validator=lambda node, _: 'max_steps_per_job must be positive' if node and node.value < 1 else None,
            help='Most steps of one job; by default as many as its walltime allows.',
        )
        # The default of aiida-core is for repeated attempts at one thing; these jobs are segments.
        spec.inputs['max_iterations'].default = lambda: Int(100)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(
                cls.prepare_segment,
                cls.run_process,
                cls.inspect_process,
            ),
            cls.results,
        )
        spec.output('trajectory', valid_type=TrajectoryData, required=False, help='All stored steps, joined.')
        spec.output('output_parameters', valid_type=Dict, required=False, help='As of the calculation, of all steps.')
        spec.output('remote_folder', valid_type=RemoteData, required=False, help='To go on from.')
        spec.exit_code(310, 'ERROR_NO_PROGRESS', message='{jobs} jobs in a row brought no step: {reason}')
        spec.exit_code(320, 'ERROR_SEGMENTS_DO_NOT_JOIN', message='The segments do not make a whole: {reason}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structure: StructureData,
        temperature: float,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
        *,
        pseudo_family: str | None = None,
        functional: str | None = None,
        timestep: float | None = None,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param code: SIESTA on some computer.
        :param structure: the supercell.
        :param temperature: K.
        :param protocol: ``fast``, ``paper`` (default) or ``stringent``.
        :param overrides: inputs that take precedence, nested like the builder.
        :param options: ``metadata.options`` of the jobs that take precedence.
        :param pseudo_family: label of a family of ``psf`` or ``psml``; by default that of the protocol.
        :param functional: name of an entry of ``functionals`` of the protocol; by default by the rule of
            :func:`~aiida_pesfp.workflows.siesta_inputs.functional_of`.
        :param timestep: fs. The simulated time stays the same. The paper checked 0.25 and 0.5 fs against 1 fs.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        md = inputs['md']
        functional = functional or functional_of(structure)
        if functional not in inputs['functionals']:
            raise ValueError(f'unknown functional {functional!r}: take one of {", ".join(inputs["functionals"])}')
        dynamics = md['dynamics'] | ({} if timestep is None else {'timestep': timestep})
        dynamics.setdefault('steps', round(inputs['duration_ps'] * 1000 / dynamics['timestep']))

        builder = cls.get_builder()
        builder.md.code = code
        builder.md.structure = structure
        builder.md.pseudos = pseudos_of(structure, pseudo_family or inputs['pseudo_family'])
        builder.md.basis = Dict(md['basis'])
        builder.md.parameters = Dict(inputs['functionals'][functional] | md['parameters'])
        builder.md.dynamics = Dict(dynamics | {'temperature': temperature})
        builder.md.monitors = {name: Dict(monitor) for name, monitor in md['monitors'].items()}
        builder.md.metadata.options = merge(md['metadata']['options'], options or {})
        builder.max_iterations = Int(inputs['max_iterations'])
        if 'max_steps_per_job' in inputs:
            builder.max_steps_per_job = Int(inputs['max_steps_per_job'])
        return builder

    def setup(self) -> None:
        super().setup()
        self.ctx.inputs = self.exposed_inputs(SiestaMdCalculation, 'md')
        self.ctx.segments, self.ctx.done, self.ctx.stalled = [], 0, 0

    def should_run_process(self) -> bool:
        """Whether steps are missing."""
        return self.ctx.done < self.inputs.md.dynamics['steps']

    def prepare_segment(self) -> None:
        """As many steps as are missing, or as a job may have."""
        wished = self.inputs.md.dynamics['steps']
        steps = wished - self.ctx.done
        if 'max_steps_per_job' in self.inputs:
            steps = min(steps, self.inputs.max_steps_per_job.value)
        self.ctx.is_finished = False  # aiida-core takes the end of a job for the end of all
        given = self.inputs.md.dynamics
        self.ctx.inputs.dynamics = given if steps == wished else Dict(given.get_dict() | {'steps': steps})

    def inspect_process(self) -> ExitCode | None:
        self._take_up(self.ctx.children[self.ctx.iteration - 1])
        exit_code = super().inspect_process()
        if self.ctx.stalled >= self._STALLED and (exit_code is None or exit_code.status == 0):
            node = self.ctx.children[self.ctx.iteration - 1]
            reason = node.exit_message or 'the files for a restart do not follow the last step'
            exit_code = self.exit_codes.ERROR_NO_PROGRESS.format(jobs=self.ctx.stalled, reason=reason)
        if exit_code is not None and exit_code.status != 0:
            self.results()
        return exit_code

    def results(self) -> ExitCode | None:
        """Join and attach what is done."""
        segments = self.ctx.segments
        if not segments:
            return None
        keys = [f'segment_{i:04d}' for i in range(1, len(segments) + 1)]
        self.out('remote_folder', segments[-1].outputs.remote_folder)
        if len(segments) == 1:
            for name in ('trajectory', 'output_parameters'):
                if name in segments[0].outputs:
                    self.out(name, segments[0].outputs[name])
            return None
        # A segment shorter than the stride may hold none of its steps.
        stored = {key: node.outputs.trajectory for key, node in zip(keys, segments) if 'trajectory' in node.outputs}
        try:
            if stored:
                self.out('trajectory', join_trajectories(metadata={'call_link_label': 'join'}, **stored))
            parameters = {key: node.outputs.output_parameters for key, node in zip(keys, segments)}
            self.out('output_parameters', join_parameters(metadata={'call_link_label': 'sum'}, **parameters))
        except ValueError as error:
            return self.exit_codes.ERROR_SEGMENTS_DO_NOT_JOIN.format(reason=str(error))
        return None

    @process_handler(priority=500, exit_codes=_CODES.ERROR_OUT_OF_WALLTIME)
    def handle_out_of_walltime(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last step."""
        return self._go_on(node, 'ran out of time')

    @process_handler(priority=400, exit_codes=_CODES.ERROR_OUT_OF_MEMORY)
    def handle_out_of_memory(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last step: SIESTA's memory grows in the course of some runs."""
        return self._go_on(node, 'ran out of memory')

    @process_handler(priority=300, exit_codes=_CODES.ERROR_INTERRUPTED)
    def handle_interrupted(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last step."""
        return self._go_on(node, 'was interrupted')

    @process_handler(priority=200, exit_codes=_CODES.SPLIT_NORM)
    def handle_split_norm(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Let SIESTA correct the table from which it chooses the second zeta, as its message asks."""
        basis = self.ctx.inputs.basis.get_dict() if 'basis' in self.ctx.inputs else {}
        if 'pao-fix-split-table' in basis:
            return None
        self.ctx.inputs.basis = Dict(basis | {'pao-fix-split-table': 'T'})
        self.report(f'{node.process_label}<{node.pk}> could not split its orbitals: again with PAO.FixSplitTable')
        return ProcessHandlerReport(True)

    def _take_up(self, node: CalcJobNode) -> None:
        """Count the steps of a job and make the next one go on from it, if that loses none."""
        if node.exit_status not in _GOOD:
            return
        found = node.outputs.output_parameters.get_dict() if 'output_parameters' in node.outputs else {'steps': 0}
        complete = self.ctx.done + found['steps'] >= self.inputs.md.dynamics['steps']
        if not found['steps'] or not (complete or found['restartable']):
            self.ctx.stalled += 1
            self.report(f'{node.process_label}<{node.pk}> cannot be continued without losing a step: it is repeated')
            return
        self.ctx.stalled = 0
        self.ctx.segments.append(node)
        self.ctx.done += found['steps']
        self.ctx.inputs.parent_folder = node.outputs.remote_folder

    def _go_on(self, node: CalcJobNode, reason: str) -> ProcessHandlerReport:
        wished = self.inputs.md.dynamics['steps']
        self.report(f'{node.process_label}<{node.pk}> {reason}: {self.ctx.done} of {wished} steps are done')
        return ProcessHandlerReport(True)
