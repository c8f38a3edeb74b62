"""What the workchains around one kind of job share: inputs, outline, the builder of a protocol."""

from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessBuilder, ProcessHandlerReport, process_handler, while_
from aiida.orm import AbstractCode, ProcessNode, StructureData

from aiida_pesfp.calculations.ports import limited
from aiida_pesfp.queries.nodes import how_it_ended
from aiida_pesfp.settings.base import check_value
from aiida_pesfp.settings.jobs import JobSettings
from aiida_pesfp.workflows.engines import check_plugin
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge

#: Exit statuses of a job that ended before all was done, and how.
STOPPED = {400: 'ran out of time', 410: 'ran out of memory', 420: 'was interrupted', 430: 'did not converge'}
OUT_OF_WALLTIME, OUT_OF_MEMORY, INTERRUPTED, NOT_CONVERGED = STOPPED
#: Most jobs in a row with one structure that may die (by a kill, or with their machine) without progress.
MOST_DEATHS = 5
#: What a relaxation has in common with the dynamics of its protocol.
_HOW = ('metadata', 'device', 'batch_size', 'trust_weights')


class RestartWorkChain(ProtocolMixin, BaseRestartWorkChain):
    """Run a process, and again with other inputs where a handler of the subclass knows how to go on."""

    #: Namespace of the inputs of the process, those left out, and the outputs passed on (None: all).
    _namespace: str
    _excluded_inputs: tuple[str, ...] = ()
    _passed_on: tuple[str, ...] | None = None
    #: Entry of the protocol that says how the jobs run. A relaxation runs like the dynamics.
    _runs_like = 'md'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(cls._process_class, namespace=cls._namespace, exclude=cls._excluded_inputs)
        spec.expose_outputs(cls._process_class, include=cls._passed_on)
        spec.inputs['max_iterations'].validator = limited('max_iterations')
        for port in spec.outputs.values():
            port.required = False
        spec.outline(cls.setup, while_(cls.should_run_process)(cls.run_process, cls.inspect_process), cls.results)

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structure: StructureData,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
        **own,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param code: the program on some computer.
        :param structure: the primitive cell; for dynamics the supercell.
        :param protocol: ``fast``, ``paper`` (default) or ``stringent``.
        :param overrides: inputs that take precedence, nested like the protocol.
        :param options: ``metadata.options`` of the jobs that take precedence, ``device`` and ``trust_weights``.
        :param own: keywords of :meth:`job_inputs`, such as ``potential``.
        :raises ValueError: if the code is known to run another program.
        """
        if program := getattr(cls._process_class, 'PROGRAM', None):
            check_plugin(code, program.replace('-', '.'))
        inputs, options = cls.get_protocol_inputs(protocol, overrides), dict(options or {})
        of_jobs = {name: options.pop(name) for name in ('device', 'trust_weights') if name in options}
        of_code = {} if code.with_mpi is None else {'withmpi': code.with_mpi}
        builder = cls.get_builder()
        job = builder[cls._namespace]
        how = {name: value for name, value in inputs[cls._runs_like].items() if name in _HOW}
        chosen = merge(how, inputs[cls._namespace] | of_jobs)
        inputs['max_iterations'] = chosen.pop('max_iterations', inputs['max_iterations'])
        options = merge(chosen['metadata'].pop('options'), of_code | chosen.pop('options', {}) | options)
        for name in options.keys() & JobSettings.known():
            check_value(f'options.{name}', options[name], JobSettings.known()[name])
        holder = chosen if 'options' in job._valid_fields else chosen['metadata']
        holder['options'] = options
        chosen.pop('dynamics', None)  # incomplete without the temperature
        chosen |= {'code': code} | cls.job_inputs(inputs, structure, **own)
        for holder, values in ((job, chosen), (builder, inputs)):
            for name in values.keys() & set(holder._valid_fields) - {cls._namespace}:
                holder[name] = values[name]
        return builder

    @classmethod
    def job_inputs(cls, protocol: dict, structure: StructureData) -> dict:
        """Inputs of the jobs beside code and options. Subclasses take further keywords.

        :param protocol: the inputs of the protocol.
        """
        return {'structure': structure}

    def setup(self) -> None:
        super().setup()
        self.ctx.inputs = self.exposed_inputs(self._process_class, self._namespace)


class StrictRestartWorkChain(RestartWorkChain):
    """Stops at the first failure that no handler knows: the same inputs would fail again."""

    #: Those of :data:`STOPPED` after which it goes on with another job.
    _RESTARTED: tuple[int, ...] = ()

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.exit_code(330, 'ERROR_JOB_FAILED', message='A job failed for good: {reason}')

    def inspect_process(self) -> ExitCode | None:
        """As of every restart, but a job that was lost by an error of the machinery is repeated."""
        lost = self.ctx.children[self.ctx.iteration - 1].is_excepted
        return None if lost and self.ctx.iteration < self.inputs.max_iterations.value else super().inspect_process()

    @process_handler(priority=500)
    def handle_stopped(self, node: ProcessNode) -> ProcessHandlerReport | None:
        """Go on from the files of the job."""
        if node.exit_status in self._RESTARTED:
            self.report(f'{node.process_label}<{node.pk}> {STOPPED[node.exit_status]}')
            return ProcessHandlerReport(True)

    @process_handler(priority=100)
    def handle_failed_for_good(self, node: ProcessNode) -> ProcessHandlerReport | None:
        """Report the reason."""
        if node.is_failed:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_JOB_FAILED.format(reason=how_it_ended(node)))
