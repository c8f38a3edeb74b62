"""ASE calculators of the potentials: the scan's energies, and forces and stress that are their derivatives."""

from pathlib import Path

import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp import errors
from aiida_pesfp.potentials import load_potential
from tests.helpers.crystals import rock_salt

SKEWED = Structure(
    Lattice([[4.1, 0, 0], [1.7, 3.2, 0], [-1.1, 0.9, 5.3]]),
    ['Li', 'O', 'Li', 'S'],
    [[0, 0, 0], [0.4, 0.5, 0.5], [0.6, 0.1, 0.4], [0.9, 0.5, 0.9]],
)


def m3gnet(shared: Path) -> str:
    return str(shared / 'weights' / 'm3gnet-mp-2021.2.8-efs.npz')


def old_matgl(shared: Path) -> str:
    return str(shared / 'weights' / 'matgl-M3GNet-MP-2021.2.8-PES')


@pytest.fixture(scope='module', params=['sevennet-0', m3gnet, old_matgl], ids=['sevennet', 'm3gnet', 'matgl'])
def potential(request):
    """Each potential of the package; those that lie among the reference data only where these are."""
    spec = request.param if isinstance(request.param, str) else request.param(request.getfixturevalue('shared'))
    return load_potential(spec, device='cpu')


def test_energy_forces_and_stress_belong_together(potential):
    atoms = AseAtomsAdaptor.get_atoms(SKEWED)
    atoms.calc = potential.calculator(SKEWED)
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    assert energy == pytest.approx(potential.evaluator(SKEWED).energies(0, atoms.positions[:1])[0], abs=2e-5)
    # Single precision leaves about 1e-6 eV in an energy, so differences over 0.02 A are good to 1e-4 eV/A and their own
    # third-order error.
    np.testing.assert_allclose(forces, calculate_numerical_forces(atoms, eps=0.01), atol=5e-3, rtol=5e-3)
    np.testing.assert_allclose(stress, calculate_numerical_stress(atoms, eps=2e-3), atol=1e-3, rtol=1e-2)


def test_atoms_may_have_left_the_cell(potential):
    atoms = AseAtomsAdaptor.get_atoms(SKEWED)
    atoms.calc = potential.calculator(SKEWED)
    inside = atoms.get_forces()
    atoms.positions[1] += [5, -3, 2] @ atoms.cell.array
    np.testing.assert_allclose(atoms.get_forces(), inside, atol=1e-3)


def test_unknown_elements_are_refused():
    with pytest.raises(errors.UnsupportedElement, match='does not know Po'):
        load_potential('sevennet-0', device='cpu').calculator(rock_salt('Li', 'Po', 6.0))
