"""Calculation job that runs ``pesfp-scan`` on a batch of structures, and what leads from it to one structure.

A job knows its structures by content only, as the one node ``batch``. :func:`take_scan` joins a structure and what the
job has computed for it. So the ancestors of a surface are its own structure, and not what else was in the batch.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import calcfunction
from aiida.orm import Dict, FolderData, StructureData
from pymatgen.core import Structure

from aiida_pesfp.calculations.program import ProgramCalculation, as_json
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.merge_tree import MergeTreeData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import WrongResults
from aiida_pesfp.fingerprint.merge_tree import KEPT, MergeTree
from aiida_pesfp.fingerprint.plan import host_of
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface, ScannedIons
from aiida_pesfp.settings.scan import SCAN_SETTINGS, FingerprintSettings

#: Files of each structure in the results of a job, beside the arrays of its surface, or the file of what was kept.
STRUCTURE, DESCRIPTORS = 'structure.json', 'descriptors.json'
#: Largest difference of numbers that make the same crystal: rounding; A and fractions of lattice vectors.
_SAME = 1e-8


class ScanCalculation(ProgramCalculation):
    """Scan the potential energy surface of the mobile ions of structures, and compute the descriptors.

    All structures of a job share one start and one loading of the weights. Each structure has results and errors of its
    own: one that cannot be scanned does not affect the others. :func:`batch_of` makes the input ``batch``, and
    :func:`take_scan` reads the output ``results``; ``pesfp.scan.base`` does both.
    """

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 10

    PROGRAM, SETTINGS = 'pesfp-scan', FingerprintSettings

    @classmethod
    def is_valid_cache(cls, node) -> bool:
        """As of every process; not if the table of quantities has grown, or a grid was dropped, since."""
        if not (valid := super().is_valid_cache(node)) or 'results' not in node.outputs:
            return valid
        about = node.outputs.results.base
        return set(NAMES) <= set(about.attributes.get('quantities')) and PesData.DROPPED not in about.extras

    @classmethod
    def define(cls, spec):
        super().define(spec)
        del spec.inputs['structure']
        words = 'The structures to scan, from `batch_of`: a file KEY.json for each. The keys name the results.'
        spec.input('batch', valid_type=FolderData, validator=_validate_batch, help=words)
        cls.define_resuming(spec)
        words = 'What is done: a folder KEY for each structure, of which `take_scan` makes a surface and descriptors.'
        spec.output('results', valid_type=FolderData, required=False, help=words)
        failures = 'Structures that could not be scanned: key -> error_type and error.'
        spec.output('failures', valid_type=Dict, required=False, help=failures)
        spec.outputs['output_parameters'].help = 'Evaluations, seconds, device, version.'
        # A scan does not diverge, and the failure of a single structure is not that of the job.
        del spec.exit_codes['ERROR_DIVERGED'], spec.exit_codes['ERROR_STRUCTURE_FAILED']
        spec.exit_code(321, 'ERROR_ALL_STRUCTURES_FAILED', message='No structure could be scanned, see `failures`.')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        info.local_copy_list.append((self.inputs.batch.uuid, '.', self.STRUCTURES))
        self.resume(info)
        # All of it becomes the nodes `results`, so the files are not kept.
        names = (*(kind.FILE for kind in KEPT.values()), DESCRIPTORS)
        info.retrieve_temporary_list = [(f'{self.RESULTS}/*/{name}', '.', 3) for name in names]
        return info


def batch_of(structures: Mapping[str, StructureData]) -> FolderData:
    """An unstored node with the content of structures, by key, and without links to them."""
    batch = FolderData()
    for key, structure in structures.items():
        batch.base.repository.put_object_from_bytes(as_json(structure).encode(), f'{key}.json')
    return batch


def results_of(potential: PotentialData, run: dict) -> FolderData:
    """An unstored node for what a job computes, without structures as yet: :func:`add_result` adds one.

    :param run: ``run.json`` of the job.
    """
    results = FolderData()
    about = {name: run[name] for name in ('species', 'cell', 'cell_size', 'scan_settings', 'descriptor_settings')}
    about |= {'potential_name': potential.name, 'potential_sha256': potential.sha256, 'structures': {}}
    about |= {'cache_version': ScanCalculation.CACHE_VERSION, 'quantities': sorted(NAMES)}
    results.base.attributes.set_many(about)
    return results


def add_result(
    results: FolderData,
    key: str,
    structure: str,
    scanned: ScannedIons,
    descriptors: dict,
    doubts: Sequence[str] = (),
) -> None:
    """Add what was computed for one structure to the node of :func:`results_of`.

    :param structure: JSON of the structure, as it was in the batch.
    :param scanned: its surface, the merge tree, or only the ions.
    """
    if isinstance(scanned, PotentialEnergySurface):
        # The files of the surface have the bytes of the arrays of its PesData, so each is stored once.
        files = PesData.from_surface(scanned).base.repository
        contents = {name: files.get_object_content(name, 'rb') for name in files.list_object_names()}
    else:
        scanned.save(content := io.BytesIO())
        contents = {scanned.FILE: content.getvalue()}
    contents |= {STRUCTURE: structure.encode(), DESCRIPTORS: json.dumps(descriptors).encode()}
    for name, content in contents.items():
        results.base.repository.put_object_from_bytes(content, f'{key}/{name}')
    of_structure = {'sha256': sha256_of(structure), 'doubts': list(doubts)}
    results.base.attributes.set('structures', results.base.attributes.get('structures') | {key: of_structure})


def keys_of(results: FolderData) -> list[str]:
    """Keys of the structures of which a job has results."""
    return list(results.base.attributes.get('structures'))


def sha256_of(structure: StructureData | str) -> str:
    """What tells whether a job has scanned a structure, by its content or by the JSON of it."""
    text = structure if isinstance(structure, str) else as_json(structure)
    return hashlib.sha256(text.encode()).hexdigest()


@calcfunction
def take_scan(structure: StructureData, results: FolderData) -> dict:
    """What was kept of the surface, and the descriptors of a structure, from what a job has computed for it.

    :return: ``descriptors``; ``pes`` if the grid was kept, or ``tree`` if the merge tree was; and, if it is not the
        given cell that was scanned, ``scanned``: that cell.
    :raises WrongResults: if the job has no result of the structure.
    """
    crystal = structure.get_pymatgen_structure()
    key, about = _key_of(structure, crystal, results), dict(results.base.attributes.all)
    about['doubts'] = about.pop('structures')[key]['doubts']
    del about['quantities'], about['cache_version']
    surface = _kept(results, key)
    scanned = Structure(surface.lattice, surface.atomic_numbers, surface.fractional_coordinates)
    others = about['scan_settings']['others']
    if not _is_of_same_material(surface.crystal, host_of(crystal, about['species'], others)):
        raise WrongResults(
            f'the surface {key} in {results} is that of {scanned.formula} in {scanned.volume:.3f} A^3, which is no '
            f'cell of {crystal.formula} with others {others} in {crystal.volume:.3f} A^3: scan it again'
        )
    settings, computed_by = about.pop('scan_settings'), about.pop('descriptor_settings')
    about |= {'formula': crystal.composition.reduced_formula, 'structure_uuid': structure.uuid}
    of_scan = {name: (about | settings)[name] for name in SCAN_SETTINGS}
    descriptors = DescriptorsData(_described(results, key) | about | of_scan | {'settings': computed_by})
    if descriptors['stopped_early']:
        descriptors['stop_xi'] = settings.get('stop_xi')
    outputs = {'descriptors': descriptors}
    if isinstance(surface, PotentialEnergySurface):
        outputs['pes'] = PesData.from_surface(surface, **about, **settings)
    elif isinstance(surface, MergeTree):
        outputs['tree'] = MergeTreeData.from_tree(surface, **about, **settings)
    for output in outputs.values():
        output.label = structure.label or about['formula']
    if not _is_same(scanned, crystal):
        outputs['scanned'] = StructureData(pymatgen=scanned, label=f'{descriptors.label}, cell that was scanned')
    return outputs


# AiiDA asks this: from the cache, a structure would get a result that names another one of the same content.
take_scan.is_valid_cache = lambda node: False


def _key_of(structure: StructureData, crystal: Structure, results: FolderData) -> str:
    """Key of a structure in the results of a job, found by content: a key that a caller gives could be another one's.

    :raises WrongResults: if it is not among them.
    """
    known, own = results.base.attributes.get('structures'), sha256_of(structure)
    for key in sorted(known, key=lambda key: known[key]['sha256'] != own):
        scanned = Structure.from_str(results.base.repository.get_object_content(f'{key}/{STRUCTURE}'), 'json')
        if _is_same(scanned, crystal):
            return key
    raise WrongResults(
        f'none of the {len(known)} results in {results} is that of {crystal.formula} in {crystal.volume:.3f} A^3: '
        'cell, elements and positions must be those that were scanned'
    )


def _kept(results: FolderData, key: str) -> ScannedIons:
    """What a job has kept of a surface."""
    repository = results.base.repository
    files = {
        name: io.BytesIO(repository.get_object_content(f'{key}/{name}', 'rb'))
        for name in repository.list_object_names(key)
        if name not in (STRUCTURE, DESCRIPTORS)
    }
    for kind in (MergeTree, ScannedIons):
        if kind.FILE in files:
            return kind.load(files[kind.FILE])
    arrays = {name.removesuffix('.npy'): np.load(file) for name, file in files.items()}
    return (PotentialEnergySurface if PesData.GRID in files else ScannedIons).from_arrays(arrays)  # or it was dropped


def _described(results: FolderData, key: str) -> dict:
    return json.loads(results.base.repository.get_object_content(f'{key}/{DESCRIPTORS}'))


def _is_same(one: Structure, other: Structure) -> bool:
    """Whether cell, elements and positions are equal, in the same order."""
    if one.species_and_occu != other.species_and_occu:
        return False
    shifts = one.frac_coords - other.frac_coords
    differences = (one.lattice.matrix - other.lattice.matrix, shifts - np.rint(shifts))
    return all(np.allclose(difference, 0, rtol=0, atol=_SAME) for difference in differences)


def _is_of_same_material(one: Structure, other: Structure) -> bool:
    """Whether two cells have the same composition and, to a percent, the same volume for each atom."""
    same = one.composition.reduced_composition.almost_equals(other.composition.reduced_composition)
    return same and np.isclose(one.volume / len(one), other.volume / len(other), rtol=0.01, atol=0)


def _validate_batch(batch: FolderData, _) -> str | None:
    return None if batch.base.repository.list_object_names() else 'the batch is empty: give at least one StructureData'
