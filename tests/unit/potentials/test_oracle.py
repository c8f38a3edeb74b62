"""Scans with the paper's potential against those of an independent implementation with TensorFlow's M3GNet."""

import json

import numpy as np
import pytest
from pymatgen.core import Structure

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials import load_potential

NAMES = ('mp-1153', 'mp-1185263', 'mp-1185319', 'mp-2251', 'mp-23703', 'mp-2530')


@pytest.fixture(scope='module')
def potential(m3gnet_weights):
    return load_potential(m3gnet_weights)


@pytest.mark.parametrize('name', NAMES)
def test_surfaces_and_descriptors_are_those_of_an_independent_implementation(shared, potential, name):
    structure = Structure.from_file(shared / 'oracle' / f'{name}.cif')
    surface = scan(structure, potential.evaluator(structure))
    expected = json.loads((shared / 'oracle' / f'{name}.json').read_text())['exact']
    with np.load(shared / 'oracle' / f'{name}.npz') as grids:
        for position, ion in enumerate(surface.mobile_ions):
            grid, ours = grids[f'site{ion}'], surface.on_grid(position)
            evaluated = ~np.isnan(ours)
            reference = surface.reference_energies[surface.representatives[position]]
            np.testing.assert_allclose(ours[evaluated] + reference, grid[evaluated], atol=1e-3, rtol=0)
            # What was not evaluated there holds the largest energy.
            np.testing.assert_allclose(grid[~evaluated], grid.max(), atol=1e-3, rtol=0)
    found = describe(surface)
    assert found.xi == pytest.approx(expected['Xi'], abs=1e-3)
    assert found.mpe == pytest.approx(expected['mpe'], abs=1e-3)
    # Single precision moves a point across a threshold now and then.
    points = np.prod(surface.shape)
    for threshold, connected, disconnected in zip(*found.spectrum.values()):
        key = f'fv_{threshold:.1f}'.replace('.', 'p')
        assert connected == pytest.approx(expected[f'{key}_connected_union'], rel=1e-3, abs=2 / (8 * points))
        assert disconnected == pytest.approx(expected[f'{key}_disconnected_union'], rel=1e-3, abs=2 / points)
