"""Diffusion coefficients of walks of which they are known, and how often the truth lies within the uncertainty."""

import numpy as np
import pytest
from scipy import stats

from aiida_pesfp import errors
from aiida_pesfp.settings.diffusion import DiffusionSettings
from aiida_pesfp.transport.conductivity import analyse
from aiida_pesfp.transport.diffusion import Estimate, diffuse, split, window_msds
from aiida_pesfp.transport.msd import mean_squared_displacement
from tests.helpers.walks import D_CM2_S, Trajectory, brownian, hopping


def estimate(trajectory, settings=DiffusionSettings()):
    atoms, drift = trajectory.indices('Li'), trajectory.framework_drift('Li')
    return diffuse(trajectory, atoms, drift, settings)


def test_windows_share_no_displacement_and_count_a_run_without_its_first_frame():
    assert split(601, 0.1, 15.0) == [slice(0, 151), slice(150, 301), slice(300, 451), slice(450, 601)]
    assert split(600, 0.1, 15.0)[-1] == slice(450, 600)
    assert len(split(599, 0.1, 15.0)) == 3
    assert split(15000, 0.001, 15.0) == [slice(0, 15000)]
    with pytest.raises(errors.TrajectoryTooShort, match='14.9 ps, less than one window of 15 ps: run longer'):
        split(149, 0.1, 15.0)


def test_the_slope_of_each_window_is_an_ordinary_fit_from_1_to_15_ps():
    trajectory = brownian(np.random.default_rng(0), duration=45.0)
    found = estimate(trajectory)
    drift = trajectory.framework_drift('Li')
    for k, slope in enumerate(found.estimate.slopes):
        window = slice(150 * k, 150 * k + 151)
        msd = mean_squared_displacement(trajectory.positions[window][:, :16] - drift[window, None])
        lags = np.arange(151) * 0.1
        assert slope == pytest.approx(stats.linregress(lags[10:], msd[10:]).slope)
    assert len(found.estimate.slopes) == 3
    assert found.lags[-1] == pytest.approx(15.0)
    assert set(found.alternatives) == {'whole_run', 'from_0_ps', 'from_5_ps'}
    for start in (0, 5):
        expected = [stats.linregress(lags[10 * start :], msd[10 * start :]).slope for msd in found.window_msds]
        assert found.alternatives[f'from_{start}_ps'].slopes == pytest.approx(expected)
    whole = stats.linregress(found.whole_lags[10:], found.whole_msd[10:]).slope
    assert found.alternatives['whole_run'].slopes == pytest.approx((whole,))
    assert found.alternatives['whole_run'].error is None


def test_the_uncertainty_is_the_standard_error_times_students_factor():
    slopes = (0.2, 0.35, 0.3, 0.25)
    found = Estimate(slopes)
    assert found.coefficient == pytest.approx(0.275 / 6 * 1e-4)
    assert found.standard_deviation == pytest.approx(np.std(slopes, ddof=1) / 6 * 1e-4)
    assert found.standard_error == pytest.approx(found.standard_deviation / 2)
    assert found.error / found.standard_error == pytest.approx(1.1969, abs=1e-4)
    assert Estimate((0.2, 0.3)).error / Estimate((0.2, 0.3)).standard_error == pytest.approx(1.8373, abs=1e-4)
    assert Estimate((0.2,)).error is None


@pytest.mark.parametrize('walk', [brownian, hopping])
def test_a_known_coefficient_is_recovered(walk):
    """Of 40 long runs: the mean is right within its own, small, standard error, vibrations and drift or not."""
    truth = {brownian: D_CM2_S, hopping: 0.05 * 9 / 6 * 1e-4}[walk]
    rng = np.random.default_rng(2)
    found = []
    for _ in range(40):
        still = walk(rng, duration=90.0)
        drift = np.cumsum(rng.normal(size=(len(still.times), 1, 3)) * 0.05, axis=0)
        moved = Trajectory(still.symbols, still.positions + drift, still.times, still.cell)
        found.append(estimate(moved).estimate.coefficient)
        assert found[-1] == pytest.approx(estimate(still).estimate.coefficient, rel=1e-6)
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert error < 0.04 * truth
    assert abs(np.mean(found) - truth) < 3 * error


@pytest.mark.parametrize('walk', [brownian, hopping])
def test_intervals_hold_the_truth_as_often_as_they_claim(walk):
    """200 random walks: 68 % intervals hold the truth 60 to 76 % of the time, 95 % intervals nearly always."""
    truth = {brownian: D_CM2_S, hopping: 0.05 * 9 / 6 * 1e-4}[walk]
    rng = np.random.default_rng(3)
    estimates = []
    for _ in range(200):
        trajectory = walk(rng, duration=75.0)
        atoms, drift = trajectory.indices('Li'), trajectory.framework_drift('Li')
        lags, msds = window_msds(trajectory, atoms, drift, DiffusionSettings())
        estimates.append(Estimate(tuple(np.polyfit(lags[10:], msd[10:], 1)[0] for msd in msds)))
    assert 0.60 <= np.mean([abs(one.coefficient - truth) < one.error for one in estimates]) <= 0.76
    assert np.mean([abs(one.coefficient - truth) < one.interval(0.95) for one in estimates]) >= 0.90
    # The spread of single windows says far too little of their mean.
    assert np.mean([abs(one.coefficient - truth) < one.standard_deviation for one in estimates]) > 0.85
    # So few windows that their spread is itself a guess: Student's factor makes up for it, the bare standard error not.
    short = [Estimate(one.slopes[:2]) for one in estimates]
    assert 0.60 <= np.mean([abs(one.coefficient - truth) < one.error for one in short]) <= 0.76
    assert np.mean([abs(one.coefficient - truth) < one.standard_error for one in short]) < 0.58


def test_vibration_raises_the_slope_from_0_ps_only():
    """Appendix D: without diffusion, the rise of the first picosecond is taken for a slope."""
    rng = np.random.default_rng(4)
    frames, time_step, relaxation = 3001, 0.05, 0.5
    kicks = rng.normal(size=(frames, 150, 3)) * np.sqrt(2 * time_step / relaxation) * 0.5
    places = np.zeros_like(kicks)
    for k in range(1, frames):
        places[k] = places[k - 1] * (1 - time_step / relaxation) + kicks[k]
    still = Trajectory(('Li',) * 150, places, np.arange(frames) * time_step, np.eye(3) * 12)
    found = estimate(still)
    from_0 = found.alternatives['from_0_ps']
    assert from_0.coefficient > from_0.interval(0.99)
    assert abs(found.estimate.coefficient) < found.estimate.interval(0.99)
    assert from_0.coefficient > 2 * abs(found.estimate.coefficient)


def test_too_short_too_coarse_and_senseless_settings():
    trajectory = brownian(np.random.default_rng(5), duration=12.0)
    with pytest.raises(errors.TrajectoryTooShort, match='less than one window'):
        analyse(trajectory, 'Li', 500)
    coarse = brownian(np.random.default_rng(5), duration=60.0, time_step=7.5)
    with pytest.raises(errors.TrajectoryTooShort, match='2 frames between 1 and 15 ps.*store frames more often'):
        analyse(coarse, 'Li', 500)
    for wrong in ({'window': 0.5}, {'window': -1.0}, {'fit_start': np.nan}, {'equilibration': '5'}):
        with pytest.raises(ValueError, match='ps'):
            DiffusionSettings(**wrong)
