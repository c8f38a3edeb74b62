"""``pesfp-relax`` as a person calls it."""

import json

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from scipy.optimize import minimize_scalar

from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES


@pytest.fixture
def pesfp_relax(invoke_program):
    """Run ``pesfp-relax``."""
    return lambda *arguments, **options: invoke_program('relax', *arguments, '--json', **options)


def face_centred_lithium(a):
    """Four atoms; a minimum of a Lennard-Jones potential, as rock salt is not."""
    return Structure(Lattice.cubic(a), ['Li'] * 4, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])


def energy_of_lithium(a):
    atoms = AseAtomsAdaptor.get_atoms(face_centred_lithium(a))
    atoms.calc = LennardJones(**LENNARD_JONES)
    return atoms.get_potential_energy()


def test_atoms_and_cell_come_to_the_minimum(pesfp_relax, tmp_path):
    expected = minimize_scalar(energy_of_lithium, bounds=(2.9, 3.7), options={'xatol': 1e-6})
    structure = face_centred_lithium(expected.x + 0.1)
    structure.perturb(0.05)
    sheared = Lattice(structure.lattice.matrix @ (np.eye(3) + 0.01 * np.eye(3, k=1)))
    Structure(sheared, structure.species, structure.frac_coords).to(filename=str(tmp_path / 'Li.json'))
    process = pesfp_relax(tmp_path / 'Li.json', '-o', tmp_path / 'out', '--fmax', 1e-4, '--smax', 1e-3)
    assert process.returncode == 0, process.stderr
    [found] = process.found
    assert found['converged']
    assert found['steps'] > 3
    assert found['energy'] == pytest.approx(expected.fun, abs=1e-5)
    assert found['maximum_force'] <= 1e-4
    assert found['maximum_stress'] <= 1e-3
    relaxed = Structure.from_dict(json.loads((tmp_path / 'out' / 'Li' / 'relaxed.json').read_text()))
    assert relaxed.volume == pytest.approx(expected.x**3, rel=1e-4)
    assert found['volume'] == pytest.approx(relaxed.volume)
    assert json.loads((tmp_path / 'out' / 'Li' / 'relaxation.json').read_text())['steps'] == found['steps']


def test_the_cell_may_be_fixed(pesfp_relax, tmp_path):
    path = tmp_path / 'LiCl.json'
    Structure(rock_salt('Li', 'Cl', 4.9).lattice, ['Li', 'Cl'], [[0.03, 0, 0], [0.5] * 3]).to(filename=str(path))
    [found] = pesfp_relax(path, '--fixed-cell').found
    assert found['converged']
    assert found['volume_change'] == 0
    assert found['stress'] is None


def test_one_that_does_not_get_there_is_named_and_kept(pesfp_relax, tmp_path):
    path = tmp_path / 'LiCl.json'
    rock_salt('Li', 'Cl', 4.9).to(filename=str(path))
    process = pesfp_relax(path, '-o', tmp_path / 'out', '--steps', 1, '--smax', 1e-6)
    assert process.returncode == 1
    assert 'not relaxed after 1 steps' in process.found[0]['error']
    assert not process.found[0]['converged']
    assert (tmp_path / 'out' / 'LiCl' / 'relaxed.json').exists()


def test_a_cell_that_falls_apart_is_an_error(pesfp_relax, tmp_path):
    path = tmp_path / 'LiCl.json'
    rock_salt('Li', 'Cl', 6.6).to(filename=str(path))
    process = pesfp_relax(path, '-o', tmp_path / 'out')
    assert process.returncode == 1
    assert 'volume has changed' in process.found[0]['error']


def test_sevennet_relaxes_rock_salt(pesfp_relax, tmp_path):
    path = tmp_path / 'LiF.json'
    rock_salt('Li', 'F', 4.2).to(filename=str(path))
    process = pesfp_relax(path, potential='sevennet-0')
    assert process.returncode == 0, process.stderr
    # Materials Project, PBE: 4.08 A
    assert (4 * process.found[0]['volume']) ** (1 / 3) == pytest.approx(4.08, rel=0.01)
