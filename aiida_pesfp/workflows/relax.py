"""``pesfp.relax.base``: relaxation with a machine-learned potential, restarted until it has converged."""

from __future__ import annotations

from aiida.engine import ProcessBuilder, ProcessHandlerReport, process_handler
from aiida.orm import AbstractCode, CalcJobNode, Dict, Int, StructureData

from aiida_pesfp.calculations.relax import RelaxCalculation
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.workflows.restart import StrictRestartWorkChain, fill_job

_CODES = RelaxCalculation.exit_codes


class RelaxBaseWorkChain(StrictRestartWorkChain):
    """Run ``pesfp.relax``, and again from its last structure if time or steps ran out."""

    _process_class = RelaxCalculation
    _namespace = 'relax'
    _protocol = 'md'
    _passed_on = ('structure', 'output_parameters')

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
        :param options: ``metadata.options`` of the jobs that take precedence, and ``device``.
        :param potential: that of the dynamics.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        fill_job(builder.relax, code, inputs['md'], options)
        builder.relax.structure = structure
        builder.relax.potential = potential
        builder.relax.parameters = Dict(inputs['relax']['parameters'])
        builder.max_iterations = Int(inputs['relax']['max_iterations'])
        return builder

    @process_handler(
        priority=500, exit_codes=[_CODES.ERROR_OUT_OF_WALLTIME, _CODES.ERROR_INTERRUPTED, _CODES.ERROR_NOT_CONVERGED]
    )
    def handle_not_done(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Restart from the last structure, if there is one."""
        if 'structure' in node.outputs:
            self.ctx.inputs.structure = node.outputs.structure
        self.report(f'{node.process_label}<{node.pk}> ended with {node.exit_message!r}: restarting')
        return ProcessHandlerReport(True)
