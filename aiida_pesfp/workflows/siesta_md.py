"""``pesfp.siesta_md.base``: molecular dynamics with SIESTA of any length, in as many jobs as it takes."""

from aiida.engine import ProcessHandlerReport, process_handler
from aiida.orm import CalcJobNode, Dict, StructureData

from aiida_pesfp.calculations.siesta_md import SiestaMdCalculation
from aiida_pesfp.settings.md import SiestaMdSettings
from aiida_pesfp.workflows.restart import INTERRUPTED, OUT_OF_MEMORY, OUT_OF_WALLTIME
from aiida_pesfp.workflows.segments import SegmentsWorkChain
from aiida_pesfp.workflows.siesta_inputs import correct_split_norm, functional_labels, pseudos_of


class SiestaMdBaseWorkChain(SegmentsWorkChain):
    """Run ``pesfp.siesta_md`` until all steps are there, each job exactly from where the last one ended.

    A job that was killed within the milliseconds in which SIESTA writes its files may leave them so that a restart
    would lose a step. Such a job is run again from its own beginning.
    """

    _process_class = SiestaMdCalculation
    _protocol = 'siesta_md'
    SETTINGS = SiestaMdSettings
    # SIESTA's memory grows in the course of some runs.
    _RESTARTED = (OUT_OF_WALLTIME, OUT_OF_MEMORY, INTERRUPTED)

    @classmethod
    def job_inputs(
        cls,
        protocol: dict,
        structure: StructureData,
        *,
        pseudo_family: str | None = None,
        functional: str | None = None,
    ) -> dict:
        """Inputs of the jobs but the dynamics.

        :param pseudo_family: label of a family of ``psf`` or ``psml``; by default that of the protocol.
        :param functional: name of an entry of ``functionals`` of the protocol; by default by the rule of
            :func:`~aiida_pesfp.workflows.siesta_inputs.functional_of`.
        """
        md = protocol['md']
        return {
            'structure': structure,
            'pseudos': pseudos_of(structure, pseudo_family or protocol['pseudo_family']),
            'basis': md['basis'],
            'parameters': functional_labels(protocol, structure, functional) | md['parameters'],
            'monitors': {name: Dict(monitor) for name, monitor in md['monitors'].items()},
        }

    @process_handler(priority=200, exit_codes=SiestaMdCalculation.exit_codes.SPLIT_NORM)
    def handle_split_norm(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Let SIESTA correct the table from which it chooses the second zeta, as its message asks."""
        return ProcessHandlerReport(True) if correct_split_norm(self, node) else None
