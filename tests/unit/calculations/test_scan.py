"""From the results of a job to the nodes of one structure."""

import numpy as np
import pytest
from aiida.manage.caching import enable_caching
from aiida.orm import StructureData
from ase.calculators.lj import LennardJones
from pymatgen.core import Structure

from aiida_pesfp.calculations.program import as_json
from aiida_pesfp.calculations.scan import add_result, batch_of, keys_in, new_results, structures_in, take_scan
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import WrongResults
from aiida_pesfp.fingerprint.descriptors import describe
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
    'scan_settings': SETTINGS.scan.as_dict(),
    'descriptor_settings': SETTINGS.descriptors.as_dict(),
}


@pytest.fixture
def potential(tmp_path):
    return PotentialData.from_spec(str(write_calculator(tmp_path / 'lj.yaml', **LENNARD_JONES))).store()


@pytest.fixture
def structures():
    return graph.structures()


def surface_of(crystal):
    evaluator = AseEvaluator(crystal, LennardJones(**LENNARD_JONES), 'LJ')
    return scan(crystal, evaluator, 'Li', SETTINGS.scan)


@pytest.fixture
def results_of(potential):
    """Makes the results of a job; by key the structure that was given, and the crystal that was scanned."""

    def make(**pairs):
        results = new_results(potential, RUN)
        for key, (structure, crystal) in pairs.items():
            surface = surface_of(crystal)
            found = describe(surface, SETTINGS.descriptors).as_dict()
            add_result(results, key, as_json(structure), surface, found)
        return results.store()

    return make


def test_a_batch_holds_content_and_no_links(structures):
    batch, again = batch_of(structures).store(), batch_of(structures).store()
    assert batch.base.caching.get_hash() == again.base.caching.get_hash()
    assert not batch.base.links.get_incoming().all()
    for key, structure in structures_in(batch).items():
        assert structure.get_formula() == structures[key].get_formula()
        np.testing.assert_allclose(structure.cell, structures[key].cell, rtol=1e-12)


def test_each_structure_gets_its_own_part(structures, potential, results_of):
    crystals = {key: node.get_pymatgen_structure() for key, node in structures.items()}
    results = results_of(**{key: (node, crystals[key]) for key, node in structures.items()})
    assert set(keys_in(results)) == set(structures)
    for key, structure in structures.items():
        taken = take_scan(structure, potential, results)
        assert set(taken) == {'pes', 'descriptors'}
        expected = surface_of(crystals[key])
        np.testing.assert_array_equal(taken['pes'].get_array('energies'), expected.energies.astype(np.float32))
        # AiiDA keeps 14 digits.
        assert taken['descriptors'].xi == pytest.approx(describe(expected, SETTINGS.descriptors).xi, rel=1e-12)
        assert taken['pes'].base.attributes.get('structure_uuid') == structure.uuid
        assert taken['pes'].label == key
        # The bytes of both nodes are the same, so they are stored once.
        of_surface, of_job = (node.base.repository for node in (taken['pes'], results))
        for name in of_surface.list_object_names():
            assert of_surface.get_object_content(name, 'rb') == of_job.get_object_content(f'{key}/{name}', 'rb')


def test_a_copy_of_a_structure_has_results_of_its_own(structures, potential, results_of):
    structure = structures['LiCl']
    results = results_of(LiCl=(structure, structure.get_pymatgen_structure()))
    copy = structure.clone().store()
    with enable_caching():
        for one in (structure, copy):
            taken = take_scan(one, potential, results)
            assert taken['descriptors']['structure_uuid'] == one.uuid


@pytest.mark.parametrize('change', ['stretched', 'moved', 'swapped', 'other'])
def test_results_of_another_structure_are_refused(structures, potential, results_of, change):
    crystal = structures['LiCl'].get_pymatgen_structure()
    results = results_of(LiCl=(structures['LiCl'], crystal))
    if change == 'stretched':
        crystal.scale_lattice(crystal.volume * 1.0001)
    elif change == 'moved':
        crystal.translate_sites([1], [0.001, 0, 0])
    elif change == 'swapped':
        crystal = Structure(crystal.lattice, crystal.species[::-1], crystal.frac_coords)
    else:
        crystal = rock_salt('Li', 'F', 4.03)
    with pytest.raises(WrongResults, match='only for LiCl'):
        take_scan(StructureData(pymatgen=crystal).store(), potential, results)


def test_results_of_another_potential_are_refused(structures, results_of, tmp_path):
    structure = structures['LiCl']
    other = PotentialData.from_spec(str(write_calculator(tmp_path / 'other.yaml', sigma=2.5))).store()
    with pytest.raises(WrongResults, match='give the potential of its job'):
        take_scan(structure, other, results_of(LiCl=(structure, structure.get_pymatgen_structure())))


def test_the_scanned_cell_is_kept_if_it_is_another(potential, results_of):
    """A conventional cell whose primitive cell was scanned."""
    primitive = rock_salt('Li', 'Cl', 5.13)
    given = StructureData(pymatgen=primitive.to_conventional(), label='salt').store()
    taken = take_scan(given, potential, results_of(salt=(given, primitive)))
    scanned = taken['scanned'].get_pymatgen_structure()
    np.testing.assert_allclose(scanned.lattice.matrix, primitive.lattice.matrix)
    assert scanned.species == primitive.species
    assert taken['scanned'].label != given.label
    assert taken['descriptors']['structure_uuid'] == given.uuid
    assert taken['scanned'].creator.inputs.structure.uuid == given.uuid


def test_a_surface_of_another_material_is_refused(structures, potential, results_of):
    """The job was given one structure, and has a surface of another, such as one that an earlier run has left."""
    given = structures['LiCl']
    for wrong in (rock_salt('Li', 'F', 5.13), rock_salt('Li', 'Cl', 5.4)):
        with pytest.raises(WrongResults, match='which is no cell of'):
            take_scan(given, potential, results_of(LiCl=(given, wrong)))
