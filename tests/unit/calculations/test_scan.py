"""From the results of a job to the nodes of one structure."""

from dataclasses import replace

import numpy as np
import pytest
from aiida.manage.caching import enable_caching
from aiida.orm import Dict, StructureData
from ase.calculators.lj import LennardJones
from pymatgen.core import Structure

from aiida_pesfp.calculations.descriptors import describe as describe_again
from aiida_pesfp.calculations.program import as_json
from aiida_pesfp.calculations.scan import add_result, batch_of, results_of, take_scan
from aiida_pesfp.crystals.files import read_named_structures
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import WrongResults
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials.ase.potential import AseEvaluator
from aiida_pesfp.settings.scan import FingerprintSettings
from tests.helpers import graph
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator

SETTINGS = FingerprintSettings.from_dict({'spacing': 0.9})
RUN = {
    'species': 'Li',
    'cell': SETTINGS.cell,
    'cell_size': None,
    'scan_settings': SETTINGS.scan.as_dict(),
    'descriptor_settings': SETTINGS.descriptors.as_dict(),
}


@pytest.fixture
def potential(tmp_path):
    return PotentialData.from_spec(str(write_calculator(tmp_path / 'lj.yaml', **LENNARD_JONES))).store()


@pytest.fixture
def structures():
    return graph.structures()


def surface_of(crystal, settings=SETTINGS.scan):
    scanned = plan_scan(crystal, 'Li', settings).structure
    return scan(crystal, AseEvaluator(scanned, LennardJones(**LENNARD_JONES), 'LJ'), 'Li', settings)


@pytest.fixture
def computed(potential):
    """Makes the result of a job for a structure that was given, of the crystal that was scanned."""

    def make(structure, crystal=None, others='fixed'):
        chosen = replace(SETTINGS.scan, others=others)
        surface = surface_of(crystal or structure.get_pymatgen_structure(), chosen)
        found = describe(surface, SETTINGS.descriptors).as_dict()
        run = RUN | {'scan_settings': chosen.as_dict()}
        results = results_of(potential, run)
        add_result(results, 'LiCl', as_json(structure), surface, found, ['it is small'])
        return results.store()

    return make


def test_a_batch_holds_content_and_no_links(structures):
    batch, again = batch_of(structures).store(), batch_of(structures).store()
    assert batch.base.caching.get_hash() == again.base.caching.get_hash()
    assert not batch.base.links.get_incoming().all()
    for key, structure in structures.items():
        crystal = Structure.from_str(batch.base.repository.get_object_content(f'{key}.json'), 'json')
        assert crystal.formula == structure.get_pymatgen_structure().formula
        np.testing.assert_allclose(crystal.lattice.matrix, structure.cell, rtol=1e-12)


def test_a_result_becomes_a_surface_and_descriptors(structures, computed):
    structure = structures['LiI']
    result = computed(structure)
    taken = take_scan(structure, result)
    assert set(taken) == {'pes', 'descriptors'}
    expected = surface_of(structure.get_pymatgen_structure())
    np.testing.assert_array_equal(taken['pes'].get_array('energies'), expected.energies.astype(np.float32))
    # AiiDA keeps 14 digits.
    assert taken['descriptors'].xi == pytest.approx(describe(expected, SETTINGS.descriptors).xi, rel=1e-12)
    assert taken['pes'].base.attributes.get('structure_uuid') == structure.uuid
    assert taken['pes'].label == 'LiI'
    assert taken['descriptors']['doubts'] == describe_again(taken['pes'], Dict())['doubts'] == ['it is small']
    # The bytes of both nodes are the same, so they are stored once.
    of_surface, of_job = (node.base.repository for node in (taken['pes'], result))
    for name in of_surface.list_object_names():
        assert of_surface.get_object_content(name, 'rb') == of_job.get_object_content(f'LiCl/{name}', 'rb')


def test_a_copy_of_a_structure_has_results_of_its_own(structures, computed):
    structure = structures['LiCl']
    result, copy = computed(structure), structure.clone().store()
    with enable_caching():
        for one in (structure, copy):
            assert take_scan(one, result)['descriptors']['structure_uuid'] == one.uuid


@pytest.mark.parametrize('change', ['stretched', 'moved', 'swapped', 'other'])
def test_results_of_another_structure_are_refused(structures, computed, change):
    crystal = structures['LiCl'].get_pymatgen_structure()
    result = computed(structures['LiCl'])
    if change == 'stretched':
        crystal.scale_lattice(crystal.volume * 1.0001)
    elif change == 'moved':
        crystal.translate_sites([1], [0.001, 0, 0])
    elif change == 'swapped':
        crystal = Structure(crystal.lattice, crystal.species[::-1], crystal.frac_coords)
    else:
        crystal = rock_salt('Li', 'F', 4.03)
    with pytest.raises(WrongResults, match='must be those that were scanned'):
        take_scan(StructureData(pymatgen=crystal).store(), result)


def test_the_scanned_cell_is_kept_if_it_is_another(computed):
    """A conventional cell whose primitive cell was scanned."""
    primitive = rock_salt('Li', 'Cl', 5.13)
    given = StructureData(pymatgen=primitive.to_conventional(), label='salt').store()
    taken = take_scan(given, computed(given, primitive))
    scanned = taken['scanned'].get_pymatgen_structure()
    np.testing.assert_allclose(scanned.lattice.matrix, primitive.lattice.matrix)
    assert scanned.species == primitive.species
    assert taken['scanned'].label != given.label
    assert taken['descriptors']['structure_uuid'] == given.uuid
    assert taken['scanned'].creator.inputs.structure.uuid == given.uuid


@pytest.mark.parametrize('others', ['fixed', 'removed', 'interstitial'])
def test_a_surface_of_another_material_is_refused(structures, computed, others):
    """The job was given one structure, and has a surface of another, such as one that an earlier run has left."""
    given = structures['LiCl']
    for wrong in (rock_salt('Li', 'F', 5.13), rock_salt('Li', 'Cl', 5.4)):
        with pytest.raises(WrongResults, match=f'which is no cell of .* with others {others}'):
            take_scan(given, computed(given, wrong, others))


@pytest.mark.parametrize(('others', 'formula'), [('removed', 'Li1 Cl1'), ('interstitial', 'Li2 Cl1')])
def test_a_surface_of_other_surroundings_is_taken_with_its_cell(computed, others, formula):
    """A conventional cell of which the primitive one was scanned."""
    primitive = rock_salt('Li', 'Cl', 5.13)
    given = StructureData(pymatgen=primitive.to_conventional(), label='salt').store()
    taken = take_scan(given, computed(given, primitive, others))
    assert taken['descriptors']['others'] == taken['pes'].base.attributes.get('others') == others
    assert taken['scanned'].get_pymatgen_structure().formula == formula
    assert taken['pes'].to_surface().crystal.formula == formula.replace('Li1 ', '').replace('Li2', 'Li1')
    assert taken['descriptors']['formula'] == 'LiCl'
    assert describe_again(taken['pes'], Dict())['others'] == others
    assert describe_again(taken['pes'], Dict()).xi == pytest.approx(taken['descriptors'].xi, rel=1e-12)


def test_a_structure_of_any_origin_is_checked_as_one_of_a_file(tmp_path):
    """The program reads a batch as it reads files: a slab in vacuum is refused, and doubts are told in ``run.json``."""
    slab = Structure(np.diag([3.6, 3.6, 30]), ['Li', 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.05]])
    doubtful = Structure(np.diag([2.9, 2.9, 2.9]), ['Ca', 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.5]])
    batch = batch_of({'slab': StructureData(pymatgen=slab), 'doubtful': StructureData(pymatgen=doubtful)})
    batch.base.repository.copy_tree(tmp_path)
    found = {one.name: one for one in read_named_structures([tmp_path])}
    assert 'as in slabs and clusters in vacuum' in str(found['slab'].error)
    assert 'no usual oxidation states balance Ca1Cl1' in found['doubtful'].doubts[0]
