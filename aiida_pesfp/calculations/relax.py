"""Calculation job that runs ``pesfp-relax``: relaxation with a machine-learned potential."""

from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.orm import StructureData

from aiida_pesfp.calculations.program import ProgramCalculation
from aiida_pesfp.settings.md import RelaxSettings


class RelaxCalculation(ProgramCalculation):
    """Relaxation of the atoms and the cell of a structure."""

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 2

    PROGRAM, SETTINGS = 'pesfp-relax', RelaxSettings

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output(
            'structure', valid_type=StructureData, required=False, help='The relaxed structure, or how far it came.'
        )
        spec.outputs['output_parameters'].help = (
            'energy (eV), maximum_force (eV/A), maximum_stress and stress (GPa, positive under tension), volume (A^3), '
            'volume_change (relative), steps, converged, seconds, device, version.'
        )
        spec.exit_code(430, 'ERROR_NOT_CONVERGED', message='The structure is not relaxed after all its steps.')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        info.retrieve_list.append((f'{self.RESULTS}/*/*.json', '.', 3))
        return info
