"""What the workchains around one kind of job share: inputs, outline, options of the jobs."""

from __future__ import annotations

from aiida.engine import BaseRestartWorkChain, ProcessBuilder, ProcessHandlerReport, process_handler, while_
from aiida.engine.processes.builder import ProcessBuilderNamespace
from aiida.orm import AbstractCode, ProcessNode

from aiida_pesfp.workflows.protocols import ProtocolMixin, merge


class RestartWorkChain(ProtocolMixin, BaseRestartWorkChain):
    """Run a process, and again with other inputs where a handler of the subclass knows how to go on."""

    #: Namespace of the inputs of the process, those left out, and the outputs passed on (None: all).
    _namespace: str
    _excluded_inputs: tuple[str, ...] = ()
    _passed_on: tuple[str, ...] | None = None

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(cls._process_class, namespace=cls._namespace, exclude=cls._excluded_inputs)
        spec.expose_outputs(cls._process_class, include=cls._passed_on)
        for port in spec.outputs.values():
            port.required = False
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(
                cls.run_process,
                cls.inspect_process,
            ),
            cls.results,
        )

    def setup(self) -> None:
        super().setup()
        self.ctx.inputs = self.exposed_inputs(self._process_class, self._namespace)


class StrictRestartWorkChain(RestartWorkChain):
    """Stops at the first failure that no handler knows: the same inputs would fail again."""

    #: Failures with this exit status or a higher one are repeated once, as aiida-core does.
    _REPEATED_FROM = 1000

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.exit_code(330, 'ERROR_JOB_FAILED', message='A job failed for good: {reason}')

    @process_handler(priority=100)
    def handle_failed_for_good(self, node: ProcessNode) -> ProcessHandlerReport | None:
        """Report the reason."""
        if not node.is_failed or node.exit_status >= self._REPEATED_FROM:
            return None
        return ProcessHandlerReport(True, self.exit_codes.ERROR_JOB_FAILED.format(reason=how_it_ended(node)))


def how_it_ended(node: ProcessNode) -> str:
    """Name, exit status and message of a process that has failed."""
    return f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message or node.process_state}'


def job_options(code: AbstractCode, inputs: dict, options: dict | None) -> dict:
    """``metadata.options`` of a job: those of the protocol, what the code says about MPI, and what takes precedence.

    :param inputs: the inputs of the job in the protocol.
    :param options: may hold ``device`` too, which is no option of AiiDA and left out here.
    """
    of_code = {} if code.with_mpi is None else {'withmpi': code.with_mpi}
    of_protocol = inputs.get('metadata', {}).get('options', {})
    given = {name: value for name, value in (options or {}).items() if name != 'device'}
    return merge(merge(of_protocol, of_code), given)


def fill_job(
    job: ProcessBuilder | ProcessBuilderNamespace, code: AbstractCode, inputs: dict, options: dict | None
) -> None:
    """Set the code of a job and how it runs: its options, and device and batch size if it has such inputs.

    :param job: the builder of the job.
    :param inputs: the inputs of the job in the protocol.
    :param options: ``metadata.options`` that take precedence, and ``device``.
    """
    job.code = code
    job.metadata.options = job_options(code, inputs, options)
    for name, value in (inputs | (options or {})).items():
        if name in ('device', 'batch_size') and name in job._valid_fields:
            setattr(job, name, value)
