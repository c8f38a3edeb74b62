"""``pesfp.siesta_relax``: variable-cell relaxation with SIESTA, through ``SiestaBaseWorkChain`` of aiida-siesta."""

from aiida.engine import ExitCode, ProcessHandlerReport, process_handler
from aiida.orm import CalcJobNode, Dict, KpointsData, StructureData, WorkChainNode
from aiida_siesta.calculations.siesta import SiestaCalculation
from aiida_siesta.workflows.base import SiestaBaseWorkChain

from aiida_pesfp.parsers.program import last_words
from aiida_pesfp.queries.nodes import jobs_of
from aiida_pesfp.workflows.restart import RestartWorkChain
from aiida_pesfp.workflows.siesta_inputs import correct_split_norm, functional_labels, kpoints_of, pseudos_of

_CODES = SiestaBaseWorkChain.exit_codes
_JOB_CODES = SiestaCalculation.exit_codes


class SiestaRelaxWorkChain(RestartWorkChain):
    """Relax cell and positions until SIESTA itself reports that they are relaxed.

    ``SiestaBaseWorkChain`` does the work, with our parser (``pesfp.siesta_relax``). Where it gives up (a killed job,
    split orbitals, more jobs than it allows) the relaxation is restarted from the last structure.
    """

    _process_class = SiestaBaseWorkChain
    _namespace = 'relax'
    _excluded_inputs = ('clean_workdir',)
    _passed_on = ('output_structure', 'output_parameters', 'remote_folder')
    _protocol = 'siesta_md'
    PARSER = 'pesfp.siesta_relax'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.exit_code(310, 'ERROR_FATAL', message='SIESTA stopped before the first step: {reason}')
        spec.exit_code(320, 'ERROR_SCF_FAILED', message='The self-consistent cycle does not converge: {reason}')

    @classmethod
    def job_inputs(
        cls,
        protocol: dict,
        structure: StructureData,
        *,
        pseudo_family: str | None = None,
        functional: str | None = None,
        kpoints: KpointsData | None = None,
    ) -> dict:
        """Inputs of the jobs: basis, mesh and functional are those of the dynamics.

        :param pseudo_family, functional: as of ``pesfp.siesta_md.base``.
        :param kpoints: by default the grid of the Materials Project for that cell.
        """
        md, relax, family = protocol['md'], protocol['relax'], pseudo_family or protocol['pseudo_family']
        pseudos_of(structure, family)  # raises if one is missing
        labels = functional_labels(protocol, structure, functional)
        return {
            'structure': structure,
            'pseudo_family': family,
            'kpoints': kpoints or kpoints_of(structure, relax['reciprocal_density']),
            'basis': md['basis'],
            'parameters': labels | md['parameters'] | relax['parameters'],
        }

    def setup(self) -> None:
        super().setup()
        inputs = self.ctx.inputs
        inputs.options = Dict(inputs.options.get_dict() | {'parser_name': self.PARSER})
        given = inputs.settings.get_dict() if 'settings' in inputs else {}
        settings = {key.upper(): value for key, value in given.items()}
        retrieved = [*settings.get('ADDITIONAL_RETRIEVE_LIST', []), '*.STRUCT_OUT']
        inputs.settings = Dict(settings | {'ADDITIONAL_RETRIEVE_LIST': retrieved})
        # Its handler of this error reads a log that only its own parser writes.
        inputs.handler_overrides = Dict({'handle_error_split_norm': {'enabled': False}})

    @process_handler(exit_codes=[_CODES.ERROR_UNHANDLED_FAILURE, _CODES.ERROR_MAXIMUM_ITERATIONS_EXCEEDED])
    def handle_giving_up(self, node: WorkChainNode) -> ProcessHandlerReport:
        """Restart from the last structure, or with corrected orbitals."""
        job = jobs_of(node)[-1]
        if job.exit_status == _JOB_CODES.SPLIT_NORM.status:
            corrected = correct_split_norm(self, job)
            return ProcessHandlerReport(True, ExitCode() if corrected else self._fatal([job.exit_message], job))
        if job.exit_status == _JOB_CODES.SCF_NOT_CONV.status:
            # SiestaBaseWorkChain has restarted from the last density matrix as often as it may.
            return ProcessHandlerReport(True, self.exit_codes.ERROR_SCF_FAILED.format(reason=f'see job {job.pk}'))
        found = job.outputs.output_parameters.get_dict() if 'output_parameters' in job.outputs else {}
        if not found.get('geometry_steps') or 'output_structure' not in job.outputs:
            return ProcessHandlerReport(True, self._fatal(found.get('messages', []), job))
        self.ctx.inputs.structure = job.outputs.output_structure
        self.ctx.inputs.parent_calc_folder = job.outputs.remote_folder
        self.report(f'{job.process_label}<{job.pk}> ended with {job.exit_message!r}: restarting from its structure')
        return ProcessHandlerReport(True)

    def _fatal(self, messages: list[str], job: CalcJobNode) -> ExitCode:
        reason = '; '.join(messages) or last_words(job)
        return self.exit_codes.ERROR_FATAL.format(reason=f'{reason}, see job {job.pk}')
