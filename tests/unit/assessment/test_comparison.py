"""Paired differences between rankings, with families drawn as a whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.assessment.comparison import (
    concordance,
    differences,
    family,
    holm,
    precision,
    resampled_by_cluster,
)
from aiida_pesfp.settings.assessment import ScoreSettings

RANDOM = np.random.default_rng(0)
NUMBER = 200
GOOD = (np.arange(NUMBER) < 60).astype(float)
SETTINGS = ScoreSettings(resamples=400)


def noisy(noise, seed=0):
    """A ranking that knows the good ones up to some noise."""
    return GOOD + np.random.default_rng(seed).normal(scale=noise, size=NUMBER)


def test_families_are_the_elements_of_the_framework():
    assert family('Li3PS4', 'Li') == family('Li7P3S11', 'Li') == 'P-S'
    assert family('Li', 'Li') == 'Li'
    assert family('Na3PS4', 'Li') == 'Na-P-S'


def test_whole_families_are_drawn():
    drawn = resampled_by_cluster(['a', 'b', 'a', 'c'], SETTINGS)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert drawn[:, [0, 1, 3]].sum(axis=1) == pytest.approx(3)


def test_a_better_ranking_is_better_and_an_equal_one_is_not():
    rankings = {'xi': noisy(1.0), 'better': noisy(0.3, 1), 'same': noisy(1.0) * 2 + 3, 'other': noisy(1.0, 2)}
    found = {
        row.ranking: row for row in differences(rankings, 'xi', GOOD, 1 - GOOD, list(map(str, range(NUMBER))), SETTINGS)
    }
    assert found['better'].lower > 0
    assert found['better'].p_corrected < 0.05
    assert (found['same'].value, found['same'].error, found['same'].p_corrected) == (0, 0, 1)
    assert found['other'].p > 0.05


def test_materials_of_one_family_are_not_independent():
    """Each material twenty times: the error is that of ten, not of two hundred."""
    copies, good = [str(one % 10) for one in range(NUMBER)], np.tile(np.arange(10) < 5, 20).astype(float)
    random = np.random.default_rng(1)
    rankings = {name: np.tile(random.normal(size=10), 20) for name in ('xi', 'one')}
    settings = ScoreSettings(resamples=400, maximum_false_positive_rate=1.0)
    alone, together = (
        differences(rankings, 'xi', good, 1 - good, clusters, settings)[0]
        for clusters in (list(map(str, range(NUMBER))), copies)
    )
    assert together.value == alone.value
    assert together.error > 3 * alone.error > 0


def test_random_rankings_are_hardly_ever_significant():
    """By the definition of the level, one of twenty without correction; with it, hardly one of twenty families."""
    wrong = 0
    for seed in range(20):
        rankings = {str(one): np.random.default_rng(100 * seed + one).normal(size=NUMBER) for one in range(8)}
        rows = differences(rankings, '0', GOOD, 1 - GOOD, list(map(str, range(NUMBER))), ScoreSettings(resamples=200))
        wrong += min(row.p_corrected for row in rows) < 0.05
    assert wrong <= 4


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrected_ones_are_larger_and_keep_the_order(p):
    corrected = holm(p)
    assert all(one >= other for one, other in zip(corrected, p))
    assert [corrected[index] for index in np.argsort(p)] == sorted(corrected)


def test_precision():
    ranking, good = np.array([4.0, 3.0, 2.0, 2.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    assert precision(ranking, good, 1 - good, 1) == 1
    assert precision(ranking, good, 1 - good, 2) == 0.5
    assert precision(ranking, good, 1 - good, 3) == pytest.approx(1.5 / 3)  # half of each of two equal ones
    assert precision(ranking, good, 1 - good, 99) == pytest.approx(2 / 5)
    assert np.isnan(precision(ranking, 0 * good, 0 * good, 2))


def test_concordance_with_limits():
    ranking = np.array([3.0, 2.0, 1.0])
    known = np.array([3.0, 2.0, 1.0])
    assert concordance(ranking, known, known) == 1
    assert concordance(-ranking, known, known) == 0
    assert concordance(0 * ranking, known, known) == 0.5
    below = np.array([-np.inf, 2.0, 1.0]), np.array([0.5, 2.0, 1.0])  # an upper limit, below all others
    assert concordance(ranking, *below) == pytest.approx(1 / 3)
    assert np.isnan(concordance(ranking, np.full(3, -np.inf), np.full(3, np.inf)))
