"""Calculation job that runs ``pesfp-scan`` on one or more structures."""

from __future__ import annotations

import json

from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.orm import Dict, RemoteData, StructureData

from aiida_pesfp.calculations.validation import validate_structures, validator_of
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.settings.scan import FingerprintSettings


class ScanCalculation(CalcJob):
    """Scan the potential energy surface of the mobile ions of structures, and compute the descriptors.

    Start-up and weights are paid once for all structures of a job. Each structure has outputs and errors of its own:
    one that cannot be scanned costs the others nothing. The job's command line is what a person would type.
    """

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 3

    STRUCTURES, POTENTIAL, RESULTS = 'structures', 'potential', 'results'
    #: Share of the wallclock time after which the job writes its checkpoint and leaves.
    TIME_SHARE = 0.9

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input_namespace(
            'structures',
            valid_type=StructureData,
            dynamic=True,
            validator=validate_structures,
            help='Structures to scan. The keys name the outputs.',
        )
        spec.input('potential', valid_type=PotentialData, help='Potential that gives the energies.')
        spec.input(
            'parameters',
            valid_type=Dict,
            default=Dict,
            validator=validator_of(FingerprintSettings),
            help=FingerprintSettings.describe(),
        )
        spec.input(
            'parent_folder',
            valid_type=RemoteData,
            required=False,
            help='Remote folder of an earlier attempt at the same structures: what it finished is not repeated.',
        )
        spec.input(
            'device', valid_type=str, required=False, non_db=True, help='Device: auto (default), cpu, cuda, cuda:1, ...'
        )
        spec.input(
            'batch_size', valid_type=int, required=False, non_db=True, help='Most configurations evaluated at once.'
        )
        spec.inputs['metadata']['options']['parser_name'].default = 'pesfp.scan'
        spec.inputs['metadata']['options']['output_filename'].default = 'pesfp-scan.out'
        spec.inputs['metadata']['options']['withmpi'].default = False
        spec.inputs['metadata']['options']['resources'].default = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}

        spec.output_namespace('pes', valid_type=PesData, dynamic=True, help='Surface of each structure, by its key.')
        spec.output_namespace(
            'descriptors', valid_type=DescriptorsData, dynamic=True, help='Descriptors of each structure, by its key.'
        )
        spec.output(
            'failures',
            valid_type=Dict,
            required=False,
            help='Structures that could not be scanned: key -> error_type and error.',
        )
        spec.output('output_parameters', valid_type=Dict, required=False, help='Evaluations, seconds, device, version.')
        spec.default_output_node = 'output_parameters'

        spec.exit_code(300, 'ERROR_NO_RESULTS', message='The job left no results: {reason}')
        spec.exit_code(301, 'ERROR_CORRUPT_RESULTS', message='The results cannot be read: {reason}')
        spec.exit_code(310, 'ERROR_POTENTIAL_UNUSABLE', message='The potential cannot be used: {reason}')
        spec.exit_code(320, 'ERROR_ALL_STRUCTURES_FAILED', message='No structure could be scanned, see `failures`.')
        spec.exit_code(400, 'ERROR_OUT_OF_WALLTIME', message='The wallclock time was over before all was done.')
        spec.exit_code(410, 'ERROR_OUT_OF_MEMORY', message='The job was ended for its use of memory.')
        spec.exit_code(420, 'ERROR_INTERRUPTED', message='The job ended before all was done, for an unknown reason.')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        structures = folder.get_subfolder(self.STRUCTURES, create=True)
        for key, structure in self.inputs.structures.items():
            with structures.open(f'{key}.json', 'w') as stream:
                json.dump(structure.get_pymatgen_structure().as_dict(), stream)

        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = self._command_line()
        code.stdout_name = self.inputs.metadata.options.output_filename

        info = CalcInfo()
        info.codes_info = [code]
        potential = self.inputs.potential
        info.local_copy_list = [(potential.uuid, name, f'{self.POTENTIAL}/{name}') for name in potential.filenames]
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            results = f'{parent.get_remote_path()}/{self.RESULTS}'
            info.remote_copy_list = [(parent.computer.uuid, results, self.RESULTS)]
        info.retrieve_list = [
            self.inputs.metadata.options.output_filename,
            (f'{self.RESULTS}/run.json', '.', 2),
            (f'{self.RESULTS}/*/descriptors.json', '.', 3),
        ]
        # The surfaces become arrays of nodes; their files need not be kept besides.
        info.retrieve_temporary_list = [(f'{self.RESULTS}/*/pes.npz', '.', 3)]
        return info

    def _command_line(self) -> list[str]:
        potential = self.inputs.potential
        command = [
            self.STRUCTURES,
            f'--output={self.RESULTS}',
            f'--potential={self.POTENTIAL if potential.filenames else potential.name}',
            f'--potential-sha256={potential.sha256}',
            *FingerprintSettings.from_dict(self.inputs.parameters.get_dict()).command_line(),
            '--quiet',
        ]
        if 'device' in self.inputs:
            command.append(f'--device={self.inputs.device}')
        if 'batch_size' in self.inputs:
            command.append(f'--batch-size={self.inputs.batch_size}')
        wallclock = self.inputs.metadata.options.get('max_wallclock_seconds')
        if wallclock is not None:
            command.append(f'--time-limit={self.TIME_SHARE * wallclock:.0f}')
        return command
