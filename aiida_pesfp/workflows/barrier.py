"""``pesfp.barrier.base``: migration barriers of a structure, with jobs that resume until they have converged."""

from aiida.engine import ExitCode, ProcessHandlerReport, process_handler
from aiida.orm import CalcJobNode, Dict, StructureData

from aiida_pesfp.calculations.barrier import BarrierCalculation, take_barrier
from aiida_pesfp.data.barrier import BarrierData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.settings.barrier import AllBarrierSettings
from aiida_pesfp.workflows.restart import INTERRUPTED, NOT_CONVERGED, OUT_OF_WALLTIME, StrictRestartWorkChain


class BarrierBaseWorkChain(StrictRestartWorkChain):
    """Run ``pesfp.barrier``, and again if time or steps ran out: from the images of the job before.

    If it ends before all has converged, there is a barrier all the same, with the flag ``not_converged``.
    """

    _process_class = BarrierCalculation
    _namespace = _protocol = _runs_like = 'barrier'
    _passed_on = ('output_parameters',)
    _RESTARTED = (OUT_OF_WALLTIME, INTERRUPTED, NOT_CONVERGED)

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output('barrier', valid_type=BarrierData, required=False, help='Barriers, profiles and images.')

    @classmethod
    def job_inputs(
        cls, protocol: dict, structure: StructureData, *, potential: PotentialData, species: str | None = None
    ) -> dict:
        """Inputs of the jobs; ``species`` is the mobile ion, by default that of the protocol."""
        parameters = protocol['barrier']['parameters'] | ({} if species is None else {'species': species})
        return {'structure': structure, 'potential': potential, 'parameters': parameters}

    @process_handler(priority=510, exit_codes=[BarrierCalculation.exit_codes.ERROR_NOT_CONVERGED])
    def handle_not_converged(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Allow as many steps again as in the beginning, counted from the first one."""
        first, last = (
            AllBarrierSettings.from_dict(inputs.parameters.get_dict()).steps
            for inputs in (self.inputs.barrier, self.ctx.inputs)
        )
        self.ctx.inputs.parameters = Dict(self.ctx.inputs.parameters.get_dict() | {'steps': first + last})
        return ProcessHandlerReport()

    def inspect_process(self) -> ExitCode | None:
        """Go on from the files of the job; at a failure, take what there is."""
        outputs = self.ctx.children[self.ctx.iteration - 1].outputs
        if 'remote_folder' in outputs:
            self.ctx.inputs.parent_folder = outputs.remote_folder
        exit_code = super().inspect_process()
        if exit_code is not None and exit_code.status != 0:
            self._take()
        return exit_code

    def results(self) -> None:
        """Make the node of the barriers."""
        self._take()
        super().results()

    def _take(self) -> None:
        """Make an output of the results of the last job that has any."""
        for job in reversed(self.ctx.children):
            if 'output_parameters' in job.outputs:
                given = self.inputs.barrier.structure, self.inputs.barrier.potential, job.outputs.retrieved
                self.out('barrier', take_barrier(*given, metadata={'call_link_label': 'take_barrier'}))
                return
