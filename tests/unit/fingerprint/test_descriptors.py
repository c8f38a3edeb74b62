"""Free volumes, MPE and Xi: known values, plain twins, and the stored results of an independent implementation."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from pymatgen.core import Structure

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.maps import to_cell_frame
from aiida_pesfp.fingerprint.quantities import free_volumes, xi
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters
from tests.helpers import brute_force as reference
from tests.helpers.surfaces import make_surface, surfaces


@given(surfaces())
@settings(max_examples=40, deadline=None)
def test_descriptors_equal_their_plain_twins(surface):
    found = describe(surface)
    thresholds = found.spectrum['thresholds']
    mpe, connected, disconnected = reference.descriptors(
        surface.energies.astype(np.float64), grid_vectors(surface.lattice, surface.shape), thresholds
    )
    assert found.mpe == mpe
    np.testing.assert_allclose(found.spectrum['connected'], connected, rtol=1e-12)
    np.testing.assert_allclose(found.spectrum['disconnected'], disconnected, rtol=1e-12)
    assert found.fv_connected == found.spectrum['connected'][thresholds.index(0.5)]
    assert found.xi == xi(found.fv_connected, found.fv_disconnected)


@pytest.mark.parametrize('name', ['mp-1153', 'mp-1185263', 'mp-1185319', 'mp-2251', 'mp-23703', 'mp-2530'])
def test_descriptors_equal_those_of_an_independent_implementation(shared, name):
    """From the stored grids of the paper's own potential: Xi, MPE and every free volume, to the last digit."""
    structure = Structure.from_file(shared / 'oracle' / f'{name}.cif')
    expected = json.loads((shared / 'oracle' / f'{name}.json').read_text())['exact']
    with np.load(shared / 'oracle' / f'{name}.npz') as grids:
        ions = [int(key.removeprefix('site')) for key in grids if key.startswith('site')]
        energies = [grids[f'site{ion}'] for ion in ions]
        barriers = {str(ion): float(grids[f'mpe{ion}']) for ion in ions}
    found = describe(make_surface(energies, structure.lattice.matrix, ions))
    assert found.mpe_per_ion == barriers
    assert found.mpe == expected['mpe']
    assert found.xi == pytest.approx(expected['Xi'], abs=1e-12)
    for threshold, connected, disconnected in zip(*found.spectrum.values()):
        key = f'fv_{threshold:.1f}'.replace('.', 'p')
        assert connected == pytest.approx(expected[f'{key}_connected_union'], abs=1e-12)
        assert disconnected == pytest.approx(expected[f'{key}_disconnected_union'], abs=1e-12)


def test_xi_of_the_paper():
    """Eq. 4 by hand: both free volumes at their cuts give a quarter; none gives nothing."""
    assert xi(1e-2, 10**-1.15) == pytest.approx(0.25)
    assert xi(0.0, 0.5) == xi(0.5, 0.0) == 0.0
    assert xi(1.0, 1.0) == pytest.approx(1 / (1 + np.exp(-20)) / (1 + np.exp(-11.5)), rel=1e-12)
    assert xi(1e-300, 1e-300) == pytest.approx(0.0, abs=1e-300)
    assert xi(0.1, 0.1, XiParameters(connected_cut=-1, disconnected_cut=-1)) == pytest.approx(0.25)


def test_free_volume_is_the_mean_over_the_smeared_threshold():
    values = np.array([0.0, 0.455, 0.47, 0.5, 0.51, 0.53, 0.9, 3.0])
    assert free_volumes(values, [0.5], [-0.04, -0.02, 0, 0.02, 0.04]) == [pytest.approx((2 + 3 + 3 + 5 + 6) / 5 / 8)]
    assert free_volumes(values, [0.5, 2.0], [0.0]) == [3 / 8, 7 / 8]


def test_in_the_cell_frame_the_centre_is_where_the_ion_is():
    levels = np.random.default_rng(0).random((7, 5, 9))
    levels[3, 2, 4] = -1
    moved = to_cell_frame(levels, (2, 0, 1))
    assert moved.shape == (6, 4, 8)
    assert moved[2, 0, 1] == -1
    assert moved.min() == -1
    # A corner of the map is one place of the doubled cell, and has the lowest of the eight levels there.
    corners = levels[np.ix_((0, -1), (0, -1), (0, -1))]
    assert moved[(2 + 3) % 6, 2, (1 + 4) % 8] == corners.min()


def test_settings_survive_a_round_trip_and_refuse_an_unknown_rule():
    chosen = DescriptorSettings(thresholds=(0.3, 0.6), smearing=(0.0,), xi=XiParameters(threshold=0.6))
    assert DescriptorSettings.from_dict(json.loads(json.dumps(chosen.as_dict()))) == chosen
    with pytest.raises(ValueError, match='neighbour rule'):
        DescriptorSettings(neighbours='18')
