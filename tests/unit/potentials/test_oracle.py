"""Scans with the paper's potential: against an independent implementation with TensorFlow's M3GNet, and Table I."""

import numpy as np
import pytest

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials import load_potential
from tests.helpers.reference import CRYSTALS, TABLE_1, Oracle, compare

pytestmark = pytest.mark.fidelity


@pytest.fixture(scope='module')
def potential(m3gnet_weights):
    return load_potential(m3gnet_weights, device='cpu')


@pytest.mark.parametrize('name', CRYSTALS)
def test_surfaces_and_descriptors_are_those_of_an_independent_implementation(potential, name):
    oracle = Oracle.read(name)
    surface = scan(oracle.structure, potential.evaluator(oracle.structure))
    for position, ion in enumerate(surface.mobile_ions):
        grid, ours = oracle.grids[ion], surface.on_grid(position)
        evaluated = ~np.isnan(ours)
        reference = surface.reference_energies[surface.representatives[position]]
        compare(name, f'energies of ion {ion} (eV)', ours[evaluated] + reference, grid[evaluated], abs=1e-3)
        # The independent implementation gave excluded points the largest energy.
        np.testing.assert_allclose(grid[~evaluated], grid.max(), atol=1e-3, rtol=0)
    found, expected = describe(surface), oracle.descriptors
    compare(name, 'Xi of the scan', found.xi, expected['xi'], abs=1e-3)
    compare(name, 'MPE of the scan (eV)', found.mpe, expected['mpe'], abs=1e-3)
    # Single precision moves a point across a threshold now and then.
    points = np.prod(surface.shape)
    for kind, size in (('connected', 8 * points), ('disconnected', points)):
        compare(name, f'{kind} FV of the scan', found.spectrum[kind], expected[kind], rel=1e-3, abs=2 / size)


@pytest.mark.parametrize('name', TABLE_1)
def test_xi_is_that_of_table_1(potential, name):
    structure, printed = TABLE_1[name]
    compare(name, 'Xi of Table I', describe(scan(structure, potential.evaluator(structure))).xi, printed, abs=1e-4)
