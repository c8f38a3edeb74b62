"""Drift, divergence and lost atoms."""

import numpy as np
import pytest

from aiida_pesfp.trajectories.stability import divergence, energy_drift, fastest_atom, has_drifted


def test_drift_is_the_slope_for_each_atom():
    times = np.linspace(3, 5, 50)
    assert energy_drift(times, -1e5 + 0.8 * times, atoms=4) == pytest.approx(0.2)
    assert energy_drift(times[:1], np.array([1.0]), atoms=4) == 0


@pytest.mark.parametrize(
    ('drift', 'duration', 'expected'),
    [(0.3, 1.0, True), (-0.3, 1.0, True), (0.3, 0.1, False), (0.1, 10.0, False)],  # k_B T is 0.086 eV at 1000 K
)
def test_drift_must_be_large_and_have_amounted_to_something(drift, duration, expected):
    assert has_drifted(drift, duration, temperature=1000, largest=0.2) is expected


def series(**changes):
    values = {'temperatures': np.full(5, 500.0), 'energies': np.full(5, -100.0), 'conserved': np.full(5, -99.0)}
    for name, (step, value) in changes.items():
        values[name][step] = value
    return values


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({}, None),
        ({'temperatures': (3, 4999.0)}, None),
        ({'temperatures': (3, 5001.0)}, 'the temperature is 5001 K at step 3, with a target of 500 K'),
        ({'energies': (2, np.nan)}, 'not a number at step 2'),
        ({'conserved': (1, np.inf)}, 'not a number at step 1'),
        ({'conserved': (4, -95.1)}, None),
        ({'conserved': (4, -94.9)}, 'changed by 1.02 eV/atom at step 4'),
    ],
)
def test_divergence(changes, words):
    reason = divergence(**series(**changes), atoms=4, target=500)
    assert reason is None if words is None else words in reason


def test_nothing_has_not_diverged():
    assert divergence(np.array([]), np.array([]), np.array([]), atoms=4, target=500) is None


def test_the_fastest_atom():
    velocities = np.zeros((6, 3, 3))
    velocities[4, 2] = [300, 400, 0]
    length, frame, atom = fastest_atom(velocities, timestep=0.001)
    assert (length, frame, atom) == (pytest.approx(0.5), 4, 2)
    velocities[1, 0, 0] = np.nan
    length, *where = fastest_atom(velocities, timestep=0.001)
    assert np.isnan(length)
    assert where == [1, 0]
