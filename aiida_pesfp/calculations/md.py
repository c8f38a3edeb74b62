"""Calculation job that runs ``pesfp-md``: molecular dynamics with a machine-learned potential."""

from __future__ import annotations

from pathlib import Path

from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.orm import Dict, RemoteData, TrajectoryData

from aiida_pesfp.calculations.program import ProgramCalculation
from aiida_pesfp.calculations.validation import validator_of
from aiida_pesfp.settings.md import PotentialMdSettings
from aiida_pesfp.trajectories.ours import CHECKPOINT, SETTINGS, TRAJECTORY


class MdCalculation(ProgramCalculation):
    """Molecular dynamics of a supercell at constant temperature, with the Nose-Hoover chain of ASE."""

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 1

    PARENT = 'parent'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.inputs['structure'].help = 'The supercell.'
        spec.input(
            'dynamics',
            valid_type=Dict,
            validator=validator_of(PotentialMdSettings),
            help=PotentialMdSettings.describe(),
        )
        spec.input(
            'parent_folder',
            valid_type=RemoteData,
            required=False,
            help='Remote folder of the run to go on from, exactly: positions, velocities, thermostat.',
        )
        spec.inputs['metadata']['options']['parser_name'].default = 'pesfp.md'
        spec.inputs['metadata']['options']['output_filename'].default = 'pesfp-md.out'
        spec.output('trajectory', valid_type=TrajectoryData, required=False, help='The stored steps.')
        spec.outputs['output_parameters'].help = (
            'steps, last_step, temperature_mean, temperature_std (K), energy_drift (eV/atom/ps), seconds, ns_per_day, '
            'device, version.'
        )
        spec.exit_code(305, 'ERROR_NOT_RESTARTED', message='The run did not go on from its parent folder: {reason}')
        spec.exit_code(330, 'ERROR_ENERGY_DRIFT', message='The conserved quantity drifts by {drift:.3f} eV/atom/ps.')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            # Only its last state is read: a trajectory of gigabytes is not copied for that.
            results = str(Path(parent.get_remote_path()) / self.RESULTS)
            info.remote_symlink_list = [(parent.computer.uuid, results, self.PARENT)]
        # The trajectory becomes arrays of a node; its file need not be kept besides.
        info.retrieve_temporary_list = [
            (f'{self.RESULTS}/*/{name}', '.', 3) for name in (TRAJECTORY, CHECKPOINT, SETTINGS)
        ]
        return info

    def own_options(self) -> list[str]:
        return [
            *PotentialMdSettings.from_dict(self.inputs.dynamics.get_dict()).command_line(),
            *([f'--continue-from={self.PARENT}'] if 'parent_folder' in self.inputs else []),
        ]
