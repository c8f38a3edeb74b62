"""Calculation job that runs ``pesfp-scan`` on one or more structures."""

from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.orm import Dict, RemoteData

from aiida_pesfp.calculations.ports import structures_port
from aiida_pesfp.calculations.program import ProgramCalculation
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.settings.scan import FingerprintSettings


class ScanCalculation(ProgramCalculation):
    """Scan the potential energy surface of the mobile ions of structures, and compute the descriptors.

    All structures of a job share one start and one loading of the weights. Each structure has outputs and errors of its
    own: one that cannot be scanned does not affect the others.
    """

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 3

    PROGRAM, SETTINGS = 'pesfp-scan', FingerprintSettings

    @classmethod
    def is_valid_cache(cls, node) -> bool:
        """As of every process; not if the table of quantities has grown since."""
        described = node.outputs.descriptors.values() if 'descriptors' in node.outputs else ()
        return super().is_valid_cache(node) and all(set(NAMES) <= set(one.keys()) for one in described)

    @classmethod
    def define(cls, spec):
        super().define(spec)
        del spec.inputs['structure']
        structures_port(spec, 'Structures to scan. The keys name the outputs.')
        earlier = 'Remote folder of an earlier job with the same structures. What it finished is not repeated.'
        spec.input('parent_folder', valid_type=RemoteData, required=False, help=earlier)
        size = ProgramSettings.help_of('batch_size')
        spec.input('batch_size', valid_type=int, required=False, non_db=True, help=size)
        spec.output_namespace('pes', valid_type=PesData, dynamic=True, help='Surfaces by the keys of the structures.')
        spec.output_namespace('descriptors', valid_type=DescriptorsData, dynamic=True, help='Descriptors by the keys.')
        failures = 'Structures that could not be scanned: key -> error_type and error.'
        spec.output('failures', valid_type=Dict, required=False, help=failures)
        spec.outputs['output_parameters'].help = 'Evaluations, seconds, device, version.'
        # A scan does not diverge, and the failure of a single structure is not that of the job.
        del spec.exit_codes['ERROR_DIVERGED'], spec.exit_codes['ERROR_STRUCTURE_FAILED']
        spec.exit_code(321, 'ERROR_ALL_STRUCTURES_FAILED', message='No structure could be scanned, see `failures`.')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            results = f'{parent.get_remote_path()}/{self.RESULTS}'
            info.remote_copy_list = [(parent.computer.uuid, results, self.RESULTS)]
        info.retrieve_list.append((f'{self.RESULTS}/*/descriptors.json', '.', 3))
        # The surfaces become arrays of nodes, so their files are not kept.
        info.retrieve_temporary_list = [(f'{self.RESULTS}/*/pes.npz', '.', 3)]
        return info
