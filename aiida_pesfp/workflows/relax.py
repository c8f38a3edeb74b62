"""``pesfp.relax.base``: relaxation with a machine-learned potential until it is done."""

from __future__ import annotations

from aiida.engine import BaseRestartWorkChain, ProcessBuilder, ProcessHandlerReport, process_handler, while_
from aiida.orm import AbstractCode, CalcJobNode, Dict, Int, StructureData

from aiida_pesfp.calculations.relax import RelaxCalculation
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.workflows.protocols import ProtocolMixin, merge

_CODES = RelaxCalculation.exit_codes


class RelaxBaseWorkChain(ProtocolMixin, BaseRestartWorkChain):
    """Run ``pesfp.relax``, and again from its last structure if time or steps ran out."""

    _process_class = RelaxCalculation
    _protocol = 'md'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(RelaxCalculation, namespace='relax')
        spec.expose_outputs(RelaxCalculation, include=('structure', 'output_parameters'))
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
        spec.exit_code(330, 'ERROR_JOB_FAILED', message='A job failed for good: {reason}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structure: StructureData,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
        *,
        potential: PotentialData,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param code: ``pesfp-relax`` on some computer.
        :param structure: the primitive cell.
        :param protocol: ``fast``, ``paper`` (default) or ``stringent``.
        :param overrides: inputs that take precedence, nested like the protocol.
        :param options: ``metadata.options`` of the jobs that take precedence.
        :param potential: that of the dynamics.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.relax.code = code
        builder.relax.structure = structure
        builder.relax.potential = potential
        builder.relax.parameters = Dict(inputs['relax']['parameters'])
        builder.relax.metadata.options = merge(inputs['md']['metadata']['options'], options or {})
        if 'device' in inputs['md']:
            builder.relax.device = inputs['md']['device']
        builder.max_iterations = Int(inputs['relax']['max_iterations'])
        return builder

    def setup(self) -> None:
        super().setup()
        self.ctx.inputs = self.exposed_inputs(RelaxCalculation, 'relax')

    @process_handler(
        priority=500, exit_codes=[_CODES.ERROR_OUT_OF_WALLTIME, _CODES.ERROR_INTERRUPTED, _CODES.ERROR_NOT_CONVERGED]
    )
    def handle_not_done(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last structure, if there is one."""
        if 'structure' in node.outputs:
            self.ctx.inputs.structure = node.outputs.structure
        self.report(f'{node.process_label}<{node.pk}> ended with {node.exit_message!r}: going on')
        return ProcessHandlerReport(True)

    @process_handler(priority=100)
    def handle_failed_for_good(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Say what it was. The same inputs would fail again."""
        if not node.is_failed:
            return None
        reason = f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}'
        return ProcessHandlerReport(True, self.exit_codes.ERROR_JOB_FAILED.format(reason=reason))
