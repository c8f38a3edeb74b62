"""Calculation job that runs ``pesfp-md``: molecular dynamics with a machine-learned potential."""

from pathlib import Path

from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.orm import CalcJobNode

from aiida_pesfp.calculations.ports import dynamics_ports
from aiida_pesfp.calculations.program import ProgramCalculation, read_run
from aiida_pesfp.settings.md import PotentialMdSettings
from aiida_pesfp.trajectories import ours


class MdCalculation(ProgramCalculation):
    """Molecular dynamics of a supercell at constant temperature, with the Nose-Hoover chain of ASE."""

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 2

    PROGRAM, SETTINGS, PORT = 'pesfp-md', PotentialMdSettings, 'dynamics'
    PARENT = 'parent'

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.inputs['structure'].help = 'The supercell.'
        dynamics_ports(spec)
        spec.outputs['output_parameters'].help = (
            'steps, last_step, temperature_mean, temperature_std (K), energy_drift (eV/atom/ps), seconds, ns_per_day, '
            'device, version.'
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            # A link, not a copy: only the last state is read, and a trajectory may have gigabytes.
            results = str(Path(parent.get_remote_path()) / self.RESULTS)
            info.remote_symlink_list = [(parent.computer.uuid, results, self.PARENT)]
            info.codes_info[0].cmdline_params.append(f'--continue-from={self.PARENT}')
        # The trajectory becomes arrays of a node, so its file is not kept.
        files = (ours.TRAJECTORY, ours.CHECKPOINT, ours.SETTINGS)
        info.retrieve_temporary_list = [(f'{self.RESULTS}/*/{name}', '.', 3) for name in files]
        return info

    @staticmethod
    def steps_so_far(job: CalcJobNode) -> tuple[int, float]:
        """Steps of a running job, and the seconds that they took."""
        (entry,) = read_run(job)['structures'].values()
        return (entry['last_step'] or 0) - (entry['first_step'] or 0), entry['seconds']
