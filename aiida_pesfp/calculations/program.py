"""The base of all calculation jobs that run a program of this package with a potential."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.exceptions import NotExistent
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.orm import CalcJobNode, Dict, RemoteData, StructureData

from aiida_pesfp.calculations.ports import job_exit_codes, keep_exit_status, limited, settings_port
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.memory import LIMIT_VARIABLE
from aiida_pesfp.settings.base import Settings
from aiida_pesfp.settings.program import ProgramSettings


class ProgramCalculation(CalcJob):
    """One program, one potential, and one structure or a batch of them.

    The job's command line is what a person would type.
    """

    #: Name of the program; with a dot, that of the entry points of the job and its parser.
    PROGRAM = ''
    #: Settings that are options of this program only, and the port that takes them.
    SETTINGS, PORT = Settings, 'parameters'
    #: Names of files and folders in the folder of the job.
    STRUCTURE, STRUCTURES, RESULTS = 'structure.json', 'structures', 'results'
    #: Share of the wallclock time after which the program saves its work and stops.
    TIME_SHARE = 0.9

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('structure', valid_type=StructureData, help='The structure.')
        spec.input('potential', valid_type=PotentialData, help='Potential that gives energies and forces.')
        spec.input('device', valid_type=str, required=False, non_db=True, help=ProgramSettings.help_of('device'))
        trust = ProgramSettings.help_of('trust_weights')
        spec.input('trust_weights', valid_type=bool, required=False, non_db=True, help=trust)
        settings_port(spec, cls.PORT, cls.SETTINGS, 'Settings.')
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = cls.PROGRAM.replace('-', '.')
        options['output_filename'].default = f'{cls.PROGRAM}.out'
        options['withmpi'].default = False
        options['resources'].default = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        spec.output('output_parameters', valid_type=Dict, required=False, help='All results that are not arrays.')
        spec.default_output_node = 'output_parameters'
        job_exit_codes(spec)
        spec.exit_code(310, 'ERROR_POTENTIAL_UNUSABLE', message='The potential cannot be used: {reason}')
        spec.exit_code(320, 'ERROR_STRUCTURE_FAILED', message='There is no result for the structure: {reason}')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        argument = self.STRUCTURES
        if 'structure' in self.inputs:
            argument = self.STRUCTURE
            with folder.open(argument, 'w') as stream:
                stream.write(self.structure_as_json())
        potential, options = self.inputs.potential, self.inputs.metadata.options
        given = {
            'potential': potential.spec,
            'potential_sha256': potential.sha256,
            'output': Path(self.RESULTS),
            'quiet': True,
            **{name: self.inputs[name] for name in ('device', 'batch_size', 'trust_weights') if name in self.inputs},
        }
        if (wallclock := options.get('max_wallclock_seconds')) is not None:
            given['time_limit'] = round(self.TIME_SHARE * wallclock)
        settings = self.SETTINGS.from_dict(self.inputs[self.PORT].get_dict())
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = [argument, *ProgramSettings(**given).command_line(*given), *settings.command_line()]
        code.stdout_name = options.output_filename
        info = CalcInfo()
        info.codes_info = [code]
        info.local_copy_list = [(potential.uuid, name, f'{potential.FOLDER}/{name}') for name in potential.filenames]
        info.retrieve_list = [options.output_filename, (f'{self.RESULTS}/run.json', '.', 2)]
        if (memory := options.get('max_memory_kb')) is not None:
            info.prepend_text = f'export {LIMIT_VARIABLE}={memory}'
        keep_exit_status(info)
        return info

    def structure_as_json(self) -> str:
        """The single structure as the program reads it."""
        return as_json(self.inputs.structure)

    @classmethod
    def define_resuming(cls, spec) -> None:
        """Inputs of a program that resumes from its own files, and that evaluates in batches."""
        earlier = 'Remote folder of an earlier job with the same structures. What it finished is not repeated.'
        spec.input('parent_folder', valid_type=RemoteData, required=False, help=earlier)
        size, validator = ProgramSettings.help_of('batch_size'), limited('batch_size', ProgramSettings)
        spec.input('batch_size', valid_type=int, required=False, non_db=True, validator=validator, help=size)

    def resume(self, info: CalcInfo) -> None:
        """Bring along the files of the earlier job, if there is one."""
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            results = f'{parent.get_remote_path()}/{self.RESULTS}'
            info.remote_copy_list = [(parent.computer.uuid, results, self.RESULTS)]
            # That of the parent must not be taken for that of a job which dies at its start.
            earlier = f'rm -f {self.RESULTS}/run.json'
            info.prepend_text = '\n'.join(filter(None, (info.prepend_text, earlier)))


def as_json(structure: StructureData, oxidation_states: Mapping[str, float] | None = None) -> str:
    """A structure as the programs read it, with the oxidation states of elements that are known."""
    found = structure.get_pymatgen_structure()
    if oxidation_states:
        found.add_oxidation_state_by_element({one: oxidation_states.get(one) for one in found.symbol_set})
    return json.dumps(found.as_dict())


def read_run(job: CalcJobNode) -> dict:
    """``run.json`` of a job, from the repository or, while the job runs, from its remote folder."""
    name = f'{ProgramCalculation.RESULTS}/run.json'
    if 'retrieved' in job.outputs:
        return json.loads(job.outputs.retrieved.base.repository.get_object_content(name))
    if 'remote_folder' not in job.outputs:
        raise NotExistent('not yet uploaded')
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / 'run.json'
        job.outputs.remote_folder.getfile(name, str(local))
        return json.loads(local.read_text())
