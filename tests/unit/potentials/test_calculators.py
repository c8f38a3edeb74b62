"""ASE calculators of the potentials: the scan's energies, and forces and stress that are their derivatives."""

import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp import errors
from aiida_pesfp.potentials import load_potential
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import SKEWED


@pytest.fixture(scope='module')
def sevennet():
    return 'sevennet-0'


@pytest.fixture(scope='module')
def old_matgl(shared):
    return str(shared / 'weights' / 'matgl-M3GNet-MP-2021.2.8-PES')


@pytest.fixture(scope='module', params=['sevennet', 'm3gnet_weights', 'old_matgl'])
def potential(request):
    """Each family with forces; skipped where its weights cannot be had."""
    return load_potential(request.getfixturevalue(request.param), device='cpu')


def test_energy_forces_and_stress_belong_together(potential):
    atoms = AseAtomsAdaptor.get_atoms(SKEWED)
    atoms.calc = potential.calculator(SKEWED)
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    assert energy == pytest.approx(potential.evaluator(SKEWED).energies(0, atoms.positions[:1])[0], abs=2e-5)
    # Single precision leaves about 1e-6 eV in an energy, so differences over 0.02 A are good to 1e-4 eV/A and their own
    # third-order error.
    np.testing.assert_allclose(forces, calculate_numerical_forces(atoms, eps=0.01), atol=5e-3, rtol=5e-3)
    np.testing.assert_allclose(stress, calculate_numerical_stress(atoms, eps=2e-3), atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize('size', [None, 2])
def test_whole_structures_have_the_same_energies_together(potential, size, monkeypatch):
    """Of several sizes and elements, in batches of any size."""
    outside = SKEWED.copy()
    outside.translate_sites([1], [5, -3, 2], to_unit_cell=False)
    structures = [SKEWED, rock_salt('Li', 'Cl', 5.13), SKEWED * [2, 1, 1], rock_salt('Na', 'F', 4.6), outside]
    expected, forces = [], []
    for structure in structures:
        atoms = AseAtomsAdaptor.get_atoms(structure)
        atoms.calc = potential.calculator(structure)
        expected.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    monkeypatch.setattr(potential, 'batch_size', size)
    assert potential.energies(structures) == pytest.approx(expected, abs=5e-5)
    if (found := potential.energies_and_forces(structures)) is not None:
        assert [energy for energy, _ in found] == pytest.approx(expected, abs=5e-5)
        for (_, one), other in zip(found, forces):
            np.testing.assert_allclose(one, other, atol=2e-5)


def test_networks_of_any_graph_compute_forces_together():
    assert load_potential('sevennet-0', device='cpu').energies_and_forces([SKEWED]) is not None


def test_atoms_may_have_left_the_cell(potential):
    atoms = AseAtomsAdaptor.get_atoms(SKEWED)
    atoms.calc = potential.calculator(SKEWED)
    inside = atoms.get_forces()
    atoms.positions[1] += [5, -3, 2] @ atoms.cell.array
    np.testing.assert_allclose(atoms.get_forces(), inside, atol=1e-3)


def test_unknown_elements_are_refused():
    with pytest.raises(errors.UnsupportedElement, match='does not know Po'):
        load_potential('sevennet-0', device='cpu').calculator(rock_salt('Li', 'Po', 6.0))
