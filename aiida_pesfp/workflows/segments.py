"""Molecular dynamics of any length, in as many jobs as it takes: what does not depend on the engine."""

from aiida.engine import ExitCode, ProcessBuilder
from aiida.orm import AbstractCode, CalcJobNode, Dict, Int, RemoteData, StructureData, TrajectoryData

from aiida_pesfp.calculations.ports import number_port
from aiida_pesfp.calculations.trajectories import join_parameters, join_trajectories
from aiida_pesfp.queries.nodes import how_it_ended
from aiida_pesfp.settings.md import MdSettings
from aiida_pesfp.workflows import restart
from aiida_pesfp.workflows.protocols import merge


class SegmentsWorkChain(restart.StrictRestartWorkChain):
    """Run jobs until all steps are done, each exactly from where the last one ended.

    It stops when jobs in a row have made no step: two that were not killed, or :data:`MOST_DEATHS` that were. The
    segments that were made are joined and become outputs, however it ends. An engine's subclass names its calculation
    job, protocol and settings, and adds the inputs that only this engine has. The job has the inputs ``structure``,
    ``dynamics`` and ``parent_folder``, the outputs ``trajectory`` and ``output_parameters`` (with ``steps`` and
    ``last_step``), and the exit codes of ``restart.STOPPED``. If its ``output_parameters`` have a false
    ``restartable``, a restart would lose a step, and the job is repeated.
    """

    _namespace = 'md'
    _passed_on = ()
    #: Settings of the dynamics of this engine.
    SETTINGS: type[MdSettings]
    #: Exit statuses of jobs whose steps are good, whether or not another job has to follow: 340 says that it diverged.
    _GOOD = (0, 340, restart.OUT_OF_WALLTIME, restart.OUT_OF_MEMORY, restart.INTERRUPTED)
    _RESTARTED = (restart.OUT_OF_WALLTIME, restart.INTERRUPTED)
    #: Most jobs in a row without a step, beside those that died.
    _STALLED = 2

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.inputs['md']['dynamics'].help += ' Here `steps` are those of all jobs together.'
        number_port(spec, 'max_steps_per_job')
        # The default of aiida-core is for repeated attempts at one thing; these jobs are segments.
        spec.inputs['max_iterations'].default = lambda: Int(100)
        spec.output('trajectory', valid_type=TrajectoryData, required=False, help='All stored steps, joined.')
        spec.output('output_parameters', valid_type=Dict, required=False, help='As of the calculation, of all steps.')
        spec.output('remote_folder', valid_type=RemoteData, required=False, help='To restart from.')
        spec.exit_code(310, 'ERROR_NO_PROGRESS', message='{jobs} jobs in a row made no step: {reason}')
        spec.exit_code(320, 'ERROR_SEGMENTS_DO_NOT_JOIN', message='The segments cannot be joined: {reason}')

    @classmethod
    def get_protocol_inputs(cls, protocol: str | None = None, overrides: dict | None = None) -> dict:
        """As of all workchains; overrides may give the length of a run once."""
        inputs = super().get_protocol_inputs(protocol, overrides)
        if overrides and 'duration_ps' in overrides and 'steps' in overrides.get('md', {}).get('dynamics', {}):
            raise ValueError('duration_ps and md.dynamics.steps are both given: leave out one')
        return inputs

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
        timestep: float | None = None,
        **own,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param temperature: K.
        :param timestep: fs. The simulated time stays the same. The paper checked 0.25 and 0.5 fs against 1 fs. The
            other parameters are those of :meth:`RestartWorkChain.get_builder_from_protocol`.
        """
        if timestep is not None:
            overrides = merge(overrides or {}, {'md': {'dynamics': {'timestep': timestep}}})
        builder = super().get_builder_from_protocol(code, structure, protocol, overrides, options, **own)
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder.md.dynamics = cls.dynamics_of(inputs, temperature).as_dict()
        return builder

    @classmethod
    def dynamics_of(cls, inputs: dict, temperature: float) -> MdSettings:
        """The dynamics that the inputs of a protocol describe.

        :raises ValueError: if they are not understood, or say the temperature too.
        """
        dynamics = inputs['md']['dynamics']
        if 'temperature' in dynamics:
            raise ValueError('leave out md.dynamics.temperature: `temperatures` are those of the dynamics')
        steps = round(inputs['duration_ps'] * 1000 / dynamics.get('timestep', cls.SETTINGS.timestep))
        return cls.SETTINGS.from_dict({'steps': steps, 'temperature': temperature} | dynamics)

    def setup(self) -> None:
        super().setup()
        # Jobs in a row without a step: those that died, and the others.
        self.ctx.segments, self.ctx.done, self.ctx.died, self.ctx.stalled = [], 0, 0, 0

    @property
    def steps(self) -> int:
        """Number of steps of all jobs together."""
        return self.inputs.md.dynamics['steps']

    def should_run_process(self) -> bool:
        """Whether steps are missing."""
        return self.ctx.done < self.steps

    def run_process(self):
        """Run a job for the missing steps, or for as many as one job may have."""
        self.ctx.is_finished = False  # aiida-core takes the end of a job for the end of all
        steps, given = self.steps - self.ctx.done, self.inputs.md.dynamics
        if 'max_steps_per_job' in self.inputs:
            steps = min(steps, self.inputs.max_steps_per_job.value)
        self.ctx.inputs.dynamics = given if steps == self.steps else Dict(given.get_dict() | {'steps': steps})
        return super().run_process()

    def inspect_process(self) -> ExitCode | None:
        node = self.ctx.children[self.ctx.iteration - 1]
        self._count_steps(node)
        exit_code = super().inspect_process()
        if exit_code is None or exit_code.status == 0:
            exit_code = self._no_progress(node)
        if exit_code is not None and exit_code.status != 0:
            self.results()
        return exit_code

    def results(self) -> ExitCode | None:
        """Join what is done, and make it the outputs."""
        if not (segments := self.ctx.segments):
            return None
        self.out('remote_folder', segments[-1].outputs.remote_folder)
        if len(segments) == 1:
            for name in ('trajectory', 'output_parameters'):
                if name in segments[0].outputs:
                    self.out(name, segments[0].outputs[name])
            return None
        outputs = {f'segment_{number:04d}': node.outputs for number, node in enumerate(segments, 1)}
        # A segment shorter than the stride may hold no stored step.
        stored = {key: found.trajectory for key, found in outputs.items() if 'trajectory' in found}
        parameters = {key: found.output_parameters for key, found in outputs.items()}
        try:
            if stored:
                self.out('trajectory', join_trajectories(metadata={'call_link_label': 'join'}, **stored))
            self.out('output_parameters', join_parameters(metadata={'call_link_label': 'sum'}, **parameters))
        except ValueError as error:
            return self.exit_codes.ERROR_SEGMENTS_DO_NOT_JOIN.format(reason=str(error))

    def _no_progress(self, node: CalcJobNode) -> ExitCode | None:
        """The exit code if too many jobs in a row, of which this is the last, have made no step."""
        if self.ctx.died < restart.MOST_DEATHS and self.ctx.stalled < self._STALLED:
            return None
        jobs = self.ctx.died + self.ctx.stalled
        return self.exit_codes.ERROR_NO_PROGRESS.format(jobs=jobs, reason=how_it_ended(node))

    def _count_steps(self, node: CalcJobNode) -> None:
        """Count the steps of a job, and let the next one start from it, if that loses none."""
        found = node.outputs.output_parameters.get_dict() if 'output_parameters' in node.outputs else {}
        steps = found.get('steps', 0) if node.exit_status in self._GOOD else 0
        lost = steps and self.ctx.done + steps < self.steps and not found.get('restartable', True)
        if lost:
            self.report(f'{node.process_label}<{node.pk}> cannot be restarted without losing a step: it is repeated')
        if not lost and steps:
            self.ctx.died = self.ctx.stalled = 0
            self.ctx.segments.append(node)
            self.ctx.done += steps
            self.ctx.inputs.parent_folder = node.outputs.remote_folder
            self.report(f'{self.ctx.done} of {self.steps} steps are done')
        elif node.is_excepted or node.exit_status == restart.INTERRUPTED:
            self.ctx.died += 1
        else:
            self.ctx.stalled += 1
