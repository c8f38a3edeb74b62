"""``pesfp.relax.base``: relaxation with a machine-learned potential, restarted until it has converged."""

from aiida.engine import ProcessHandlerReport, process_handler
from aiida.orm import CalcJobNode, StructureData

from aiida_pesfp.calculations.relax import RelaxCalculation
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.workflows.restart import StrictRestartWorkChain

_CODES = RelaxCalculation.exit_codes


class RelaxBaseWorkChain(StrictRestartWorkChain):
    """Run ``pesfp.relax``, and again from its last structure if time or steps ran out."""

    _process_class = RelaxCalculation
    _namespace = 'relax'
    _protocol = 'md'
    _passed_on = ('structure', 'output_parameters')

    @classmethod
    def job_inputs(cls, protocol: dict, structure: StructureData, *, potential: PotentialData) -> dict:
        """Inputs of the jobs. The potential is that of the dynamics."""
        return {'structure': structure, 'potential': potential, 'parameters': protocol['relax']['parameters']}

    @process_handler(
        priority=500, exit_codes=[_CODES.ERROR_OUT_OF_WALLTIME, _CODES.ERROR_INTERRUPTED, _CODES.ERROR_NOT_CONVERGED]
    )
    def handle_not_done(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Restart from the last structure, if there is one."""
        if 'structure' in node.outputs:
            self.ctx.inputs.structure = node.outputs.structure
        self.report(f'{node.process_label}<{node.pk}> ended with {node.exit_message!r}: restarting')
        return ProcessHandlerReport(True)
