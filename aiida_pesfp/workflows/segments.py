"""Molecular dynamics of any length, in as many jobs as it takes: what does not depend on the engine."""

from __future__ import annotations

from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessHandlerReport, process_handler, while_
from aiida.orm import CalcJobNode, Dict, Int, RemoteData, TrajectoryData

from aiida_pesfp.calculations.trajectories import join_parameters, join_trajectories
from aiida_pesfp.workflows.protocols import ProtocolMixin

#: What the exit codes of the calculation jobs of all engines have in common.
DIVERGED, OUT_OF_WALLTIME, OUT_OF_MEMORY, INTERRUPTED = map(ExitCode, (340, 400, 410, 420))
_LEAST_HANDLED = 400


class SegmentsWorkChain(ProtocolMixin, BaseRestartWorkChain):
    """Run jobs until all steps are there, each exactly from where the last one ended.

    Two jobs in a row without a step end it. What is done is joined and attached, whatever the end.
    """

    #: How jobs end whose steps are good, all the same whether another has to go on from there.
    _GOOD = (0, *(code.status for code in (DIVERGED, OUT_OF_WALLTIME, OUT_OF_MEMORY, INTERRUPTED)))
    #: Jobs in a row that may bring nothing.
    _STALLED = 2

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(cls._process_class, namespace='md')
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
        spec.exit_code(330, 'ERROR_JOB_FAILED', message='A job failed for good: {reason}')

    def setup(self) -> None:
        super().setup()
        self.ctx.inputs = self.exposed_inputs(self._process_class, 'md')
        self.ctx.segments, self.ctx.done, self.ctx.stalled = [], 0, 0

    @property
    def wished(self) -> int:
        """Number of steps of all jobs together."""
        return self.inputs.md.dynamics['steps']

    def should_run_process(self) -> bool:
        """Whether steps are missing."""
        return self.ctx.done < self.wished

    def prepare_segment(self) -> None:
        """As many steps as are missing, or as a job may have."""
        self.ctx.is_finished = False  # aiida-core takes the end of a job for the end of all
        steps = self.wished - self.ctx.done
        if 'max_steps_per_job' in self.inputs:
            steps = min(steps, self.inputs.max_steps_per_job.value)
        given = self.inputs.md.dynamics
        self.ctx.inputs.dynamics = given if steps == self.wished else Dict(given.get_dict() | {'steps': steps})

    def inspect_process(self) -> ExitCode | None:
        node = self.ctx.children[self.ctx.iteration - 1]
        self._take_up(node)
        exit_code = super().inspect_process()
        if self.ctx.stalled >= self._STALLED and (exit_code is None or exit_code.status == 0):
            exit_code = self._no_progress(node.exit_message or 'it cannot be gone on from')
        if exit_code is not None and exit_code.status != 0:
            self.results()
        return exit_code

    def results(self) -> ExitCode | None:
        """Join and attach what is done."""
        segments = self.ctx.segments
        if not segments:
            return None
        self.out('remote_folder', segments[-1].outputs.remote_folder)
        if len(segments) == 1:
            for name in ('trajectory', 'output_parameters'):
                if name in segments[0].outputs:
                    self.out(name, segments[0].outputs[name])
            return None
        keys = [f'segment_{number:04d}' for number in range(1, len(segments) + 1)]
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

    @process_handler(priority=500, exit_codes=OUT_OF_WALLTIME)
    def handle_out_of_walltime(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last step."""
        return self.go_on(node, 'ran out of time')

    @process_handler(priority=300, exit_codes=INTERRUPTED)
    def handle_interrupted(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last step."""
        return self.go_on(node, 'was interrupted')

    @process_handler(priority=100)
    def handle_failed_for_good(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Say what it was. The same inputs would fail again."""
        if not node.is_failed or node.exit_status >= _LEAST_HANDLED:
            return None
        reason = f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}'
        return ProcessHandlerReport(True, self.exit_codes.ERROR_JOB_FAILED.format(reason=reason))

    def go_on(self, node: CalcJobNode, reason: str) -> ProcessHandlerReport:
        """Go on from the last step, unless jobs in a row brought none."""
        if self.ctx.stalled >= self._STALLED:
            return ProcessHandlerReport(True, self._no_progress(f'the last one {reason}'))
        self.report(f'{node.process_label}<{node.pk}> {reason}: {self.ctx.done} of {self.wished} steps are done')
        return ProcessHandlerReport(True)

    def can_go_on_from(self, node: CalcJobNode) -> bool:
        """Whether another job can go on from this one, which has brought steps, without losing any of them."""
        return True

    def _no_progress(self, reason: str) -> ExitCode:
        return self.exit_codes.ERROR_NO_PROGRESS.format(jobs=self.ctx.stalled, reason=reason)

    def _take_up(self, node: CalcJobNode) -> None:
        """Count the steps of a job, and make the next one go on from it, if that loses none."""
        steps = 0
        if node.exit_status in self._GOOD and 'output_parameters' in node.outputs:
            steps = node.outputs.output_parameters['steps']
        complete = self.ctx.done + steps >= self.wished
        if not steps or not (complete or self.can_go_on_from(node)):
            self.ctx.stalled += 1
            return
        self.ctx.stalled = 0
        self.ctx.segments.append(node)
        self.ctx.done += steps
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
