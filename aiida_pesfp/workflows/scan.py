"""``pesfp.scan.base``: a scan that is restarted until it is complete."""

from aiida.engine import ExitCode, ProcessBuilder, ProcessHandlerReport, process_handler
from aiida.orm import AbstractCode, CalcJobNode, StructureData

from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.workflows.restart import STOPPED, RestartWorkChain


class ScanBaseWorkChain(RestartWorkChain):
    """Run ``pesfp.scan``, and restart it from its checkpoint if time or memory ran out.

    A restart does not repeat what an earlier job finished. If the last job fails, what it finished is an output all
    the same.
    """

    _process_class = ScanCalculation
    _namespace = _protocol = _runs_like = 'scan'
    #: Batch size after a first death of unknown size, and the factor after each further one.
    _CAUTIOUS_BATCH_SIZE, _SHRINK = 8, 4

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

        :param structures: what to scan, by keys that name the outputs. The other parameters are those of
            :meth:`RestartWorkChain.get_builder_from_protocol`.
        """
        return super().get_builder_from_protocol(code, structures, protocol, overrides, options, potential=potential)

    @classmethod
    def job_inputs(cls, protocol: dict, structures: dict[str, StructureData], *, potential: PotentialData) -> dict:
        """Inputs of the jobs."""
        return {'structures': structures, 'potential': potential, 'parameters': protocol['scan']['parameters']}

    def inspect_process(self) -> ExitCode | None:
        exit_code = super().inspect_process()
        if exit_code is not None and exit_code.status != 0:
            # What the last job finished becomes an output although the job failed.
            self.out_many(self.exposed_outputs(self.ctx.children[self.ctx.iteration - 1], ScanCalculation))
        return exit_code

    @process_handler(priority=500)
    def handle_stopped(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Restart from the checkpoint; with smaller batches, unless time ran out.

        A job that ends without a word mostly lacked memory.
        """
        if node.exit_status not in STOPPED:
            return None
        if node.exit_status != ScanCalculation.exit_codes.ERROR_OUT_OF_WALLTIME.status:
            present = self.ctx.inputs.get('batch_size', self._CAUTIOUS_BATCH_SIZE * self._SHRINK)
            self.ctx.inputs.batch_size = max(1, present // self._SHRINK)
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.report(f'{node.process_label}<{node.pk}> {STOPPED[node.exit_status]}: restarting from its checkpoint')
        return ProcessHandlerReport(True)
