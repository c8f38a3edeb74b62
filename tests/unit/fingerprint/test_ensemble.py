"""Means, spreads and intervals over the orderings of a disordered crystal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.ensemble import VOLUMES, moved, pool
from aiida_pesfp.fingerprint.quantities import NAMES, xi
from tests.helpers.surfaces import make_surface


def described(seed: int) -> dict:
    energies = 1.2 * np.random.default_rng(seed).random((1, 5, 6, 4))
    return describe(make_surface(energies)).as_dict()


def test_an_ordered_structure_is_an_ensemble_of_one():
    own = described(0)
    found = pool([own]).as_dict()
    assert {name: found[name] for name in NAMES} == pytest.approx({name: own[name] for name in NAMES})
    assert found['spectrum']['connected'] == pytest.approx(own['spectrum']['connected'])
    assert found['xi_low'] is found['xi_high'] is None
    assert set(found['spread'].values()) == set(found['error'].values()) == {None}


def test_free_volumes_are_averaged_as_logarithms_and_xi_is_that_of_the_means():
    members = [described(seed) for seed in range(6)]
    found = pool(members).as_dict()
    for name in VOLUMES:
        logarithms = np.log10([one[name] for one in members])
        assert np.log10(found[name]) == pytest.approx(logarithms.mean())
        assert found['spread'][name] == pytest.approx(logarithms.std(ddof=1))
    values = np.array([one['mpe'] for one in members])
    assert found['mpe'] == pytest.approx(values.mean())
    assert found['spread']['mpe'] == pytest.approx(values.std(ddof=1))
    assert found['xi'] == pytest.approx(xi(found['fv_connected'], found['fv_disconnected']))
    assert found['xi_low'] < found['xi'] < found['xi_high']
    assert found['xi_upper'] == found['xi']


def test_ends_of_the_interval():
    found = pool([described(seed) for seed in range(6)]).as_dict()
    low, high = moved(found, -1), moved(found, 1)
    assert (low['xi'], high['xi']) == (found['xi_low'], found['xi_high'])
    assert low['xi'] == pytest.approx(xi(low['fv_connected'], low['fv_disconnected']))
    assert high['mpe'] == pytest.approx(found['mpe'] - found['error']['mpe'])
    at = found['spectrum']['thresholds'].index(0.5)
    assert low['spectrum']['connected'][at] == pytest.approx(low['fv_connected'], rel=0.5)
    one = pool([described(0)]).as_dict()
    assert moved(one, 1) is one


def test_a_weight_counts_as_so_many_equal_members():
    one, other = described(1), described(2)
    weighted, repeated = pool([one, other], [3, 1]), pool([one, one, one, other])
    assert weighted.values == pytest.approx(repeated.values)
    assert pool([one, other], [0.75, 0.25]).values == pytest.approx(weighted.values)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_intervals_shrink_as_members_come(number, seed):
    """The error of the mean falls with the root of their number; the spread of all orderings stays."""
    members = [described(0) | {'mpe': value} for value in np.random.default_rng(seed).normal(1, 0.2, number)]
    once, twice = pool(members), pool(members * 4)
    assert twice.error['mpe'] < once.error['mpe']
    assert twice.spread['mpe'] <= once.spread['mpe']


def test_intervals_hold_the_mean_as_often_as_they_say():
    random = np.random.default_rng(7)
    own, held, trials = described(0), 0, 1500
    for _ in range(trials):
        ensemble = pool([own | {'mpe': value} for value in random.normal(0.4, 0.1, 5)])
        held += abs(ensemble.values['mpe'] - 0.4) <= ensemble.error['mpe']
    assert held / trials == pytest.approx(0.683, abs=0.036)  # three standard errors


def test_members_without_a_free_volume_pull_xi_to_zero():
    blocked = described(1) | {'fv_connected': 0.0}
    assert pool([blocked]).values['fv_connected'] == pool([blocked]).values['xi'] == 0
    assert 0 < pool([blocked, described(1)]).values['fv_connected'] < described(1)['fv_connected']


def test_an_ensemble_with_a_scan_that_stopped_early_has_its_bound():
    own = described(3)
    stopped = own | {'xi_upper': own['xi'] + 0.01}
    found = pool([own, stopped]).as_dict()
    assert found['xi_upper'] == pytest.approx(own['xi'] + 0.01)
    assert found['stopped_early']


def test_bad_ensembles():
    with pytest.raises(ValueError, match='one member at least'):
        pool([])
    other = described(1)
    other['spectrum'] = other['spectrum'] | {'thresholds': [0.1]}
    with pytest.raises(ValueError, match='different thresholds'):
        pool([described(0), other])
