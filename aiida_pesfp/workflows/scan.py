"""``pesfp.scan.base``: a scan that gets to its end."""

from __future__ import annotations

from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessBuilder, ProcessHandlerReport, process_handler, while_
from aiida.orm import AbstractCode, CalcJobNode, Dict, StructureData

from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge


class ScanBaseWorkChain(ProtocolMixin, BaseRestartWorkChain):
    """Run ``pesfp.scan``, and again from its checkpoint if time or memory ran out.

    What a job finished is not evaluated again by the next. If the last one fails all the same, what it finished is
    attached nevertheless.
    """

    _process_class = ScanCalculation
    _protocol = 'scan'
    #: Batch size after a first death of unknown size, and the factor after each further one.
    _CAUTIOUS_BATCH_SIZE, _SHRINK = 8, 4

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(ScanCalculation, namespace='scan')
        spec.expose_outputs(ScanCalculation)
        for name in ('remote_folder', 'retrieved'):
            spec.outputs[name].required = False
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(
                cls.run_process,
                cls.inspect_process,
            ),
            cls.results,
        )

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
        """A builder with the inputs of a protocol.

        :param code: ``pesfp-scan`` on some computer.
        :param structures: what to scan, by keys that name the outputs.
        :param protocol: ``fast``, ``paper`` (default) or ``stringent``.
        :param overrides: inputs that take precedence, nested like the builder.
        :param options: ``metadata.options`` of the job that take precedence.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        scan = inputs['scan']
        builder = cls.get_builder()
        builder.scan.code = code
        builder.scan.structures = structures
        builder.scan.potential = potential
        builder.scan.parameters = Dict(scan['parameters'])
        builder.scan.metadata.options = merge(scan['metadata']['options'], options or {})
        for name in ('device', 'batch_size'):
            if name in scan:
                setattr(builder.scan, name, scan[name])
        builder.max_iterations = inputs['max_iterations']
        return builder

    def setup(self) -> None:
        super().setup()
        self.ctx.inputs = self.exposed_inputs(ScanCalculation, 'scan')

    def inspect_process(self) -> ExitCode | None:
        exit_code = super().inspect_process()
        if exit_code is not None and exit_code.status != 0:
            self._attach_what_is_done()
        return exit_code

    @process_handler(priority=500, exit_codes=ScanCalculation.exit_codes.ERROR_OUT_OF_WALLTIME)
    def handle_out_of_walltime(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the checkpoint."""
        return self._go_on(node, 'ran out of time')

    @process_handler(priority=400, exit_codes=ScanCalculation.exit_codes.ERROR_OUT_OF_MEMORY)
    def handle_out_of_memory(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the checkpoint with smaller batches."""
        self._shrink_batches()
        return self._go_on(node, 'ran out of memory')

    @process_handler(priority=300, exit_codes=ScanCalculation.exit_codes.ERROR_INTERRUPTED)
    def handle_interrupted(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the checkpoint with smaller batches: a job without a word was mostly killed for its memory."""
        self._shrink_batches()
        return self._go_on(node, 'was interrupted')

    def _shrink_batches(self) -> None:
        present = self.ctx.inputs.get('batch_size', self._CAUTIOUS_BATCH_SIZE * self._SHRINK)
        self.ctx.inputs.batch_size = max(1, present // self._SHRINK)

    def _go_on(self, node: CalcJobNode, reason: str) -> ProcessHandlerReport:
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.report(f'{node.process_label}<{node.pk}> {reason}: going on from its checkpoint')
        return ProcessHandlerReport(True)

    def _attach_what_is_done(self) -> None:
        node = self.ctx.children[self.ctx.iteration - 1]
        for name in ('pes', 'descriptors'):
            for key, output in getattr(node.outputs, name, {}).items():
                self.out(f'{name}.{key}', output)
        for name in ('failures', 'output_parameters'):
            if name in node.outputs:
                self.out(name, node.outputs[name])
