"""From diffusion to conductivity; what makes it doubtful; the second estimate."""

import json

import numpy as np
import pytest

from aiida_pesfp import errors
from aiida_pesfp.settings.arrhenius import FLAGS
from aiida_pesfp.settings.diffusion import DiffusionSettings
from aiida_pesfp.transport.conductivity import analyse, charge_of, nernst_einstein
from aiida_pesfp.transport.diffusion import Estimate
from aiida_pesfp.transport.flags import find_flags
from tests.helpers.walks import CELL, D_CM2_S, Trajectory, brownian, hopping, make, vibrating


def test_nernst_einstein_with_its_units():
    """1e22 ions of charge e per cm^3 with 1e-5 cm^2/s at 1000 K; each constant by hand."""
    by_hand = 1e22 * 1.602176634e-19**2 * 1e-5 / (1.380649e-23 * 1000)
    assert nernst_einstein(1e-5, 1e22, 1, 1000) == pytest.approx(by_hand) == pytest.approx(0.18593, rel=1e-4)
    assert nernst_einstein(1e-5, 1e22, -2, 1000) == pytest.approx(4 * by_hand)


def test_carriers_from_the_cell_and_charge_from_the_species():
    found = analyse(brownian(np.random.default_rng(0)), 'Li', 700)
    volume = abs(np.linalg.det(CELL))
    assert found.carrier_density == pytest.approx(16 / volume * 1e24)
    assert found.value == pytest.approx(nernst_einstein(found.diffusion.estimate.coefficient, 16e24 / volume, 1, 700))
    assert found.error == pytest.approx(nernst_einstein(found.diffusion.estimate.error, 16e24 / volume, 1, 700))
    assert analyse(brownian(np.random.default_rng(0)), 'Li', 700, charge=2).value == pytest.approx(4 * found.value)
    assert [charge_of(species) for species in ('Li', 'Na', 'Mg', 'Al', 'F', 'O')] == [1, 1, 2, 3, -1, -2]
    with pytest.raises(ValueError, match='charge of Cu is not known'):
        charge_of('Cu')


def test_all_of_it_as_plain_json():
    content = analyse(brownian(np.random.default_rng(1)), 'Li', 700).as_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content['formula'] == 'Li2S'
    assert content['flags'] == dict.fromkeys(FLAGS, False)
    assert set(content['alternatives']) == {'whole_run', 'from_0_ps', 'from_5_ps'}
    assert set(content['framework']) == {'S'}


@pytest.mark.parametrize(('temperature', 'charge'), [(0, 1), (-300, 1), (np.nan, 1), (500, 0), (500, np.nan)])
def test_senseless_numbers_are_refused(temperature, charge):
    with pytest.raises(ValueError, match='not a temperature|carries no current'):
        analyse(brownian(np.random.default_rng(1)), 'Li', temperature, charge)


def test_an_absent_species_is_refused():
    with pytest.raises(errors.NoMobileSpecies, match=r'no Na among the elements of the trajectory \(Li, S\)'):
        analyse(brownian(np.random.default_rng(1)), 'Na', 500)


@pytest.mark.parametrize(('factor', 'refused'), [(1, False), (0.1, True), (0.001, True)])
def test_ions_that_are_faster_than_heat_lets_them_be_are_refused(factor, refused):
    """As of a stride that is not given, or times in other units: D would be 10 or 1000 times as large."""
    walk = brownian(np.random.default_rng(1), duration=100.0, coefficient=0.5)
    short = Trajectory(walk.symbols, walk.positions, walk.times * factor, walk.cell)
    settings = DiffusionSettings(window=20 * factor, fit_start=factor)
    if not refused:
        return analyse(short, 'Li', 700, settings=settings)
    # sqrt(3 k_B 700 K / 6.94 u) = 15.9 A/ps.
    with pytest.raises(errors.InvalidTrajectory, match='and by 15.9 A/ps at 700 K: correct the time between frames'):
        analyse(short, 'Li', 700, settings=settings)


def flags_of(trajectory):
    return set(analyse(trajectory, 'Li', 700).remarks)


def test_steady_diffusion_has_no_flag():
    rng = np.random.default_rng(2)
    found = [flags_of(walk(rng, duration=75.0)) for walk in (brownian, hopping) for _ in range(40)]
    assert sum(map(bool, found)) <= 2


def test_a_sudden_transition_is_seen_where_it_is():
    """LiI at 667 K: nothing for 35 ps, then more than 1 S/cm for 30 ps."""
    rng = np.random.default_rng(3)
    for _ in range(10):
        walk = brownian(rng, duration=65.0, coefficient=0.3, factor=lambda time: np.where(time < 35, 0.0, 1.0))
        found = analyse(walk, 'Li', 667)
        assert 'slope_changes' in found.remarks
        assert abs(found.change.time - 35) < 4
        assert found.change.before < 0.1 * found.change.after
        assert found.change.after == pytest.approx(3e-5, rel=0.4)
        assert 'compatible_with_zero' in found.remarks


def test_the_change_point_rarely_cries_wolf():
    """On steady runs, significant at 1 % happens in about 1 % and large as well in fewer."""
    rng = np.random.default_rng(4)
    changes = [analyse(brownian(rng, atoms=6, time_step=0.3), 'Li', 700).change for _ in range(300)]
    assert np.mean([change.p_value < 0.1 for change in changes]) == pytest.approx(0.1, abs=0.06)
    assert np.mean([change.is_abrupt for change in changes]) < 0.02


def test_a_framework_that_melts_is_told_from_one_that_vibrates():
    rng = np.random.default_rng(5)
    solid = brownian(rng)
    melt = brownian(rng, atoms=8, coefficient=0.02).positions[:, :8]
    mixed = make(solid.positions[:, :16], melt, 0.1)
    assert 'framework_diffuses' in flags_of(mixed)
    assert 'S by' in analyse(mixed, 'Li', 1000).remarks['framework_diffuses']
    # A vibration five times as strong as in a real crystal.
    assert flags_of(make(solid.positions[:, :16], vibrating(rng, len(solid.times), 8, 0.5), 0.1)) == set()
    # Melting half-way.
    late = brownian(rng, atoms=8, coefficient=0.05, factor=lambda time: np.where(time < 40, 0.0, 1.0)).positions[:, :8]
    assert 'framework_diffuses' in flags_of(make(solid.positions[:, :16], late, 0.1))


def test_no_diffusion_is_compatible_with_zero():
    rng = np.random.default_rng(6)
    found = [
        set(analyse(make(vibrating(rng, 601, 16, 0.3), vibrating(rng, 601, 8), 0.1), 'Li', 500).remarks)
        for _ in range(30)
    ]
    assert np.mean(['compatible_with_zero' in flags for flags in found]) > 0.9
    assert 0.2 < np.mean(['negative_slope' in flags for flags in found]) < 0.8
    assert 'compatible_with_zero' in find_flags(Estimate((-0.1,)), {}, 1.0, 14.0, None, 1e-6)


def test_a_whole_run_that_falls_beside_windows_that_rise_is_flagged():
    """As for positions that are wrapped, whatever one says of them: ions go away and come back."""
    walk = brownian(np.random.default_rng(0))
    back = walk.positions.copy()
    back[:, :16] = np.concatenate([walk.positions[:301, :16], walk.positions[299::-1, :16]])
    found = analyse(Trajectory(walk.symbols, back, walk.times, walk.cell), 'Li', 500)
    assert found.value > 0 > found.diffusion.alternatives['whole_run'].coefficient
    assert 'by the whole run, but positive within windows' in found.remarks['whole_run_falls']
    assert found.as_dict()['flags']['whole_run_falls']
    healthy = (analyse(brownian(np.random.default_rng(seed)), 'Li', 500).remarks for seed in range(20))
    assert not any('whole_run_falls' in remarks for remarks in healthy)


def test_a_fit_of_rattling_ions_is_flagged():
    walk = brownian(np.random.default_rng(3))
    short = DiffusionSettings(window=2.0, fit_start=0.2)
    found = analyse(walk, 'Li', 700, settings=short)
    assert 'the fit starts at 0.2 ps' in found.remarks['fit_starts_early']
    assert 'fit_starts_early' not in analyse(walk, 'Li', 700).remarks


def test_too_few_windows_are_flagged_and_one_has_no_uncertainty():
    rng = np.random.default_rng(7)
    assert flags_of(brownian(rng, duration=45.0)) == set()
    assert 'too_few_windows' in flags_of(brownian(rng, duration=30.0))
    single = analyse(brownian(rng, duration=15.0), 'Li', 700)
    assert 'too_few_windows' in single.remarks
    assert single.error is None
    json.dumps(single.as_dict(), allow_nan=False)


def test_equilibration_is_left_out():
    """Ions that run off at first, as they do from a bad start, must not count."""
    walk = brownian(np.random.default_rng(8), duration=65.0)
    kicked = walk.positions.copy()
    kicked[:50, :16] -= np.arange(50, 0, -1)[:, None, None] * 0.3
    kicked = Trajectory(walk.symbols, kicked, walk.times, walk.cell)
    clean = analyse(walk, 'Li', 700, settings=DiffusionSettings(equilibration=5.0))
    assert analyse(kicked, 'Li', 700, settings=DiffusionSettings(equilibration=5.0)).value == clean.value
    assert analyse(kicked, 'Li', 700).value > 2 * clean.value
    assert clean.duration == pytest.approx(60.0)


def test_kinisi_agrees():
    """The second estimate: near ours and near the truth, its credible interval neither absurdly wide nor thin."""
    pytest.importorskip('kinisi')
    rng = np.random.default_rng(9)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    found = [analyse(brownian(rng, duration=60.0), 'Li', 700, bayesian=True) for _ in range(2)]
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    for one in found:
        low, high = one.bayesian.interval
        wide = one.bayesian.interval_95
        assert wide[0] < low < one.bayesian.diffusion_coefficient < high < wide[1]
        assert 0.02 < (high - low) / D_CM2_S < 0.6
        assert one.bayesian.diffusion_coefficient == pytest.approx(D_CM2_S, rel=0.4)
        assert (
            abs(one.bayesian.diffusion_coefficient - one.diffusion.estimate.coefficient)
            < 4 * one.diffusion.estimate.error
        )
        assert one.as_dict()['bayesian']['conductivity'] == pytest.approx(one.of(one.bayesian.diffusion_coefficient))
    json.dumps(found[0].as_dict(), allow_nan=False)
