"""``pesfp.relax.base``: relaxation with a machine-learned potential, restarted until it has converged."""

from aiida.engine import ExitCode
from aiida.orm import StructureData

from aiida_pesfp.calculations.relax import RelaxCalculation
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.workflows.restart import INTERRUPTED, NOT_CONVERGED, OUT_OF_WALLTIME, StrictRestartWorkChain


class RelaxBaseWorkChain(StrictRestartWorkChain):
    """Run ``pesfp.relax``, and again from its last structure if time or steps ran out."""

    _process_class = RelaxCalculation
    _namespace = 'relax'
    _protocol = 'md'
    _passed_on = ('structure', 'output_parameters')
    _RESTARTED = (OUT_OF_WALLTIME, INTERRUPTED, NOT_CONVERGED)

    @classmethod
    def job_inputs(cls, protocol: dict, structure: StructureData, *, potential: PotentialData) -> dict:
        """Inputs of the jobs. The potential is that of the dynamics."""
        return {'structure': structure, 'potential': potential, 'parameters': protocol['relax']['parameters']}

    def inspect_process(self) -> ExitCode | None:
        """Restart from the last structure, if there is one."""
        outputs = self.ctx.children[self.ctx.iteration - 1].outputs
        if 'structure' in outputs:
            self.ctx.inputs.structure = outputs.structure
        return super().inspect_process()
