"""Free volumes, MPE and Xi: known values, plain twins, and the stored results of an independent implementation."""

import json

import numpy as np
import pytest
from hypothesis import given, settings

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.maps import to_cell_frame
from aiida_pesfp.fingerprint.quantities import free_volumes, xi
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters
from tests.helpers import brute_force as reference
from tests.helpers.reference import CRYSTALS, Oracle, compare
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


@given(surfaces(largest=4))
@settings(max_examples=40, deadline=None)
def test_volume_and_barrier_of_all_ions_equal_their_plain_twins(surface):
    found = describe(surface)
    volume, barrier = reference.joint(
        surface.energies.astype(np.float64), grid_vectors(surface.lattice, surface.shape), 0.5
    )
    assert found.fv_joint == pytest.approx(volume, rel=1e-12)
    assert found.barrier_joint == barrier <= found.barrier_1d
    assert found.fv_connected <= found.fv_joint * (1 + 1e-12) <= found.fv_disconnected * (1 + 2e-12)


def test_ions_that_follow_each_other_percolate_before_one_that_moves_alone():
    """Two ions on a line between walls, each blocked by the site of the other one; their regions meet at 0.3 eV."""
    first = np.full((8, 3, 3), 5.0)
    first[:, 1, 1] = [0.0, 0.3, 0.3, 0.3, 2.0, 0.3, 0.3, 0.3]
    surface = make_surface([first, np.roll(first, 4, axis=0)], np.diag([8.0, 3.0, 3.0]))
    found = describe(surface, DescriptorSettings(neighbours='6'))
    assert found.barrier_1d == found.mpe == pytest.approx(2.0)
    assert found.barrier_joint == pytest.approx(0.3)


@pytest.mark.fidelity
@pytest.mark.parametrize('name', CRYSTALS)
def test_descriptors_equal_those_of_an_independent_implementation(name):
    """From the stored grids of the paper's own potential: Xi, MPE and every free volume, to the last digit."""
    oracle = Oracle.read(name)
    found = describe(make_surface(list(oracle.grids.values()), oracle.structure.lattice.matrix, list(oracle.grids)))
    expected = oracle.descriptors
    assert {str(ion.index): ion.mpe for ion in found.ions} == expected['mpe_per_ion']
    compare(name, 'MPE of the grids (eV)', found.mpe, expected['mpe'])
    compare(name, 'Xi of the grids', found.xi, expected['xi'], abs=1e-12)
    np.testing.assert_array_equal(found.spectrum['thresholds'], expected['thresholds'])
    for kind in ('connected', 'disconnected'):
        compare(name, f'{kind} FV of the grids', found.spectrum[kind], expected[kind], abs=1e-12)


@pytest.mark.fidelity
@pytest.mark.parametrize('name', ['LiH', 'Li3N'])
def test_descriptors_of_crystals_equal_their_plain_twins(name):
    oracle = Oracle.read(name)
    surface = make_surface(list(oracle.grids.values()), oracle.structure.lattice.matrix, list(oracle.grids))
    found = describe(surface)
    mpe, connected, disconnected = reference.descriptors(
        surface.energies.astype(np.float64), grid_vectors(surface.lattice, surface.shape), found.spectrum['thresholds']
    )
    compare(name, 'MPE of the plain twin (eV)', found.mpe, mpe)
    compare(name, 'connected FV of the plain twin', found.spectrum['connected'], connected, rel=1e-12)
    compare(name, 'disconnected FV of the plain twin', found.spectrum['disconnected'], disconnected, rel=1e-12)


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
    with pytest.raises(ValueError, match="should be 'sqrt3', '26' or '6'"):
        DescriptorSettings(neighbours='18')
