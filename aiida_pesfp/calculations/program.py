"""What the calculation jobs that run a program of this package with a potential have in common."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.exceptions import NotExistent
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.orm import CalcJobNode, Dict, StructureData

from aiida_pesfp.data.potential import PotentialData


class ProgramCalculation(CalcJob):
    """One structure, one potential, one program. The job's command line is what a person would type."""

    STRUCTURE, POTENTIAL, RESULTS = 'structure.json', 'potential', 'results'
    #: Share of the wallclock time after which the job keeps what there is and leaves.
    TIME_SHARE = 0.9

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('structure', valid_type=StructureData, help='The structure.')
        spec.input('potential', valid_type=PotentialData, help='Potential that gives energies and forces.')
        spec.input(
            'device', valid_type=str, required=False, non_db=True, help='Device: auto (default), cpu, cuda, cuda:1, ...'
        )
        spec.inputs['metadata']['options']['withmpi'].default = False
        spec.inputs['metadata']['options']['resources'].default = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        spec.output('output_parameters', valid_type=Dict, required=False, help='What is not an array.')
        spec.default_output_node = 'output_parameters'
        spec.exit_code(300, 'ERROR_NO_OUTPUT', message='The job left no output: {reason}')
        spec.exit_code(301, 'ERROR_CORRUPT_OUTPUT', message='The output cannot be read: {reason}')
        spec.exit_code(310, 'ERROR_POTENTIAL_UNUSABLE', message='The potential cannot be used: {reason}')
        spec.exit_code(320, 'ERROR_STRUCTURE_FAILED', message='The structure cannot be treated: {reason}')
        spec.exit_code(340, 'ERROR_DIVERGED', message='The calculation diverged: {reason}')
        spec.exit_code(400, 'ERROR_OUT_OF_WALLTIME', message='The wallclock time was over before all steps were done.')
        spec.exit_code(410, 'ERROR_OUT_OF_MEMORY', message='The job was ended for its use of memory.')
        spec.exit_code(420, 'ERROR_INTERRUPTED', message='The job ended before all was done, for an unknown reason.')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        with folder.open(self.STRUCTURE, 'w') as stream:
            json.dump(self.inputs.structure.get_pymatgen_structure().as_dict(), stream)
        potential, options = self.inputs.potential, self.inputs.metadata.options
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = [*self._common_options(), *self.own_options()]
        code.stdout_name = options.output_filename
        info = CalcInfo()
        info.codes_info = [code]
        info.local_copy_list = [(potential.uuid, name, f'{self.POTENTIAL}/{name}') for name in potential.filenames]
        info.retrieve_list = [options.output_filename, (f'{self.RESULTS}/run.json', '.', 2)]
        return info

    def own_options(self) -> list[str]:
        """Options of the command line that only this program has."""
        raise NotImplementedError

    def _common_options(self) -> list[str]:
        potential = self.inputs.potential
        command = [
            self.STRUCTURE,
            f'--output={self.RESULTS}',
            f'--potential={self.POTENTIAL if potential.filenames else potential.name}',
            f'--potential-sha256={potential.sha256}',
            '--quiet',
        ]
        if 'device' in self.inputs:
            command.append(f'--device={self.inputs.device}')
        wallclock = self.inputs.metadata.options.get('max_wallclock_seconds')
        if wallclock is not None:
            command.append(f'--time-limit={self.TIME_SHARE * wallclock:.0f}')
        return command


def read_run(job: CalcJobNode) -> dict:
    """``run.json`` of a job, from the repository or, while the job runs, from its remote folder."""
    name = f'{ProgramCalculation.RESULTS}/run.json'
    if 'retrieved' in job.outputs:
        return json.loads(job.outputs.retrieved.base.repository.get_object_content(name))
    workdir = job.get_remote_workdir()
    if workdir is None:
        raise NotExistent('not yet uploaded')
    with tempfile.TemporaryDirectory() as folder, job.get_transport() as transport:
        local = Path(folder) / 'run.json'
        transport.getfile(f'{workdir}/{name}', str(local))
        return json.loads(local.read_text())
