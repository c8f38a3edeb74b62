"""Calculation job that runs ``pesfp-barrier``, and what leads from it to the node of the barriers."""

import io
import json

import ase.io
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import calcfunction
from aiida.orm import FolderData, StructureData

from aiida_pesfp.calculations.ports import validator_by
from aiida_pesfp.calculations.program import ProgramCalculation
from aiida_pesfp.data.barrier import BarrierData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import WrongResults
from aiida_pesfp.settings.barrier import AllBarrierSettings

#: Files of a result, in the folder of the structure.
BARRIER, IMAGES = 'barrier.json', 'images-{}.extxyz'


class BarrierCalculation(ProgramCalculation):
    """Migration barriers of the mobile ion of a structure, in a framework that relaxes around it.

    ``pesfp.barrier.base`` makes a ``BarrierData`` of the files that are retrieved, by :func:`take_barrier`.
    """

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 2

    PROGRAM, SETTINGS = 'pesfp-barrier', AllBarrierSettings

    @classmethod
    def define(cls, spec):
        super().define(spec)
        cls.define_resuming(spec)
        spec.outputs['output_parameters'].help = 'barriers (eV), converged, flags, calls, seconds, device, version.'
        spec.inputs[cls.PORT].validator = validator_by(_check, AllBarrierSettings.limits())
        del spec.exit_codes['ERROR_DIVERGED']
        words = 'A relaxation or band has not converged after all its steps; the results so far are retrieved.'
        spec.exit_code(430, 'ERROR_NOT_CONVERGED', message=words)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        self.resume(info)
        info.retrieve_list += [(f'{self.RESULTS}/*/{name}', '.', 3) for name in (BARRIER, IMAGES.format('*'))]
        return info


def _check(parameters: dict) -> None:
    if AllBarrierSettings.from_dict(parameters).picture == 'given':
        raise ValueError('a job has no picture given: pesfp-barrier itself takes images')


@calcfunction
def take_barrier(structure: StructureData, potential: PotentialData, retrieved: FolderData) -> BarrierData:
    """The barriers of a structure, from the files that a job has written for it.

    :raises WrongResults: if the files are those of another composition or another potential.
    """
    read, folder = retrieved.base.repository.get_object_content, ProgramCalculation.RESULTS
    run = json.loads(read(f'{folder}/run.json'))
    folder = f'{folder}/{next(iter(run["structures"]))}'
    found = json.loads(read(f'{folder}/{BARRIER}'))
    formula = structure.get_pymatgen_structure().composition.reduced_formula
    if (run['potential']['sha256'], found['formula']) != (potential.sha256, formula):
        computed = f'{found["formula"]} with {run["potential"]["name"]}'
        raise WrongResults(f'{retrieved} has the barriers of {computed}, not of {formula} with {potential.name}')
    names = [path['name'] for path in found['paths'] if 'error' not in path]
    texts = {name: io.StringIO(read(f'{folder}/{IMAGES.format(name)}')) for name in names}
    images = {name: ase.io.read(text, ':', format='extxyz') for name, text in texts.items()}
    settings = run['scan_settings'] | run['barrier_settings']
    node = BarrierData.from_results(
        found,
        images,
        species=settings['species'],
        potential_name=potential.name,
        potential_sha256=potential.sha256,
        structure_uuid=structure.uuid,
        settings={name: settings[name] for name in AllBarrierSettings.known()},
    )
    node.label = structure.label or formula
    return node


# AiiDA asks this: from the cache, a structure would get a result that names another one of the same content.
take_barrier.is_valid_cache = lambda node: False
