"""Scores of rankings whose quality is known."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import auc, roc_auc_score, roc_curve

from aiida_pesfp.assessment.scores import (
    partial_area,
    random_score,
    resampled_weights,
    score,
)
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.settings.assessment import ScoreSettings

GOOD, BAD = np.r_[np.ones(20), np.zeros(60)], np.r_[np.zeros(20), np.ones(60)]
ORDER = np.arange(80.0)


def area_by_scikit_learn(ranking, good, bad, limit):
    """The same by the library's ROC curve, cut at the limit."""
    classes = np.repeat([1, 0], len(ranking))
    weights = np.concatenate([good, bad])
    used = weights > 0
    false, true, _ = roc_curve(classes[used], np.tile(ranking, 2)[used], sample_weight=weights[used])
    if limit == 1:
        return auc(false, true)
    inside = false < limit
    return auc(np.r_[false[inside], limit], np.r_[true[inside], np.interp(limit, false, true)]) / limit


def mcclish(value, limit):
    """The same area standardised so that random is 0.5: McClish, Med. Decis. Making 9, 190 (1989)."""
    return 0.5 * (1 + (value * limit - limit**2 / 2) / (limit - limit**2 / 2))


def test_perfect_is_one_and_inverted_is_zero():
    assert score(-ORDER, GOOD, BAD).value == 1
    assert score(ORDER, GOOD, BAD).value == 0
    assert score(-ORDER, GOOD, BAD).error == pytest.approx(0, abs=1e-12)


def test_all_equal_is_a_guess():
    assert score(np.zeros(80), GOOD, BAD).value == pytest.approx(0.05)


def test_random_is_random_within_the_bootstrap_error():
    found = [score(np.random.default_rng(seed).normal(size=80), GOOD, BAD) for seed in range(40)]
    baseline = random_score(GOOD, BAD)
    assert baseline.value == pytest.approx(0.05, abs=0.01)
    values = np.array([entry.value for entry in found])
    assert abs(values.mean() - 0.05) < 4 * values.std() / np.sqrt(len(values))
    # One bootstrap error is about the spread over independent rankings.
    assert np.mean([entry.error for entry in found]) == pytest.approx(values.std(), rel=0.5)
    inside = [entry.value - 3 * entry.error - 0.02 <= 0.05 <= entry.value + 3 * entry.error + 0.02 for entry in found]
    assert np.mean(inside) > 0.9


def test_errors_of_the_ranking_widen_the_interval():
    wide = score(-ORDER, GOOD, BAD, errors=np.full(80, 10.0))
    assert wide.value == 1
    assert wide.error > 0.02
    assert wide.lower < 1
    assert score(-ORDER, GOOD, BAD, errors=np.zeros(80)) == score(-ORDER, GOOD, BAD)


@pytest.mark.parametrize('seed', range(5))
def test_area_is_that_of_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    ranking = generator.integers(0, 12, 50).astype(float)  # with ties
    good, bad = generator.uniform(size=(2, 50)) * generator.integers(0, 2, (2, 50))
    for limit in (0.05, 0.1, 0.37, 1.0):
        assert partial_area(ranking, good, bad, limit) == pytest.approx(area_by_scikit_learn(ranking, good, bad, limit))


def test_standardised_it_is_roc_auc_score():
    ranking = np.random.default_rng(1).normal(size=80) + GOOD
    expected = roc_auc_score(GOOD, ranking, max_fpr=0.1)
    assert mcclish(partial_area(ranking, GOOD, BAD, 0.1), 0.1) == pytest.approx(expected)
    assert mcclish(0.05, 0.1) == pytest.approx(0.5)
    assert mcclish(1.0, 0.1) == pytest.approx(1.0)


def test_weights_matter():
    """By hand: of good ones with the weights 3 and 1 the first is found before the only bad one at the top."""
    ranking = np.array([4.0, 3.0, 2.0, 1.0])
    assert partial_area(ranking, np.array([3.0, 0, 1, 0]), np.array([0.0, 1, 0, 1]), 0.1) == pytest.approx(0.75)
    assert partial_area(ranking, np.array([1.0, 0, 3, 0]), np.array([0.0, 1, 0, 1]), 0.1) == pytest.approx(0.25)
    # A bad one at the top that weighs little takes little from the curve: a false-positive rate of 0.01 of 0.1.
    light = np.array([0.0, 0.01, 0, 0.99])
    assert partial_area(ranking, np.array([1.0, 0, 3, 0]), light, 0.1) == pytest.approx(0.25 * 0.1 + 1.0 * 0.9)


def test_one_bad_material_of_many_at_the_top():
    """40 bad ones, one of them first: below a rate of 1/40 nothing is found, then everything."""
    ranking = np.r_[100.0, np.arange(50, 0, -1)]
    good = np.r_[0.0, np.ones(11), np.zeros(39)]
    assert score(ranking, good, 1 - good).value == pytest.approx(1 - (1 / 40) / 0.1)


def test_resamples_are_weights():
    """Counting a material twice is the same as having it twice."""
    generator = np.random.default_rng(3)
    ranking, settings = generator.normal(size=80), ScoreSettings(resamples=5, seed=7)
    for draw in resampled_weights(80, settings):
        chosen = np.repeat(np.arange(80), draw.astype(int))
        expected = partial_area(ranking[chosen], GOOD[chosen], BAD[chosen])
        assert partial_area(ranking, GOOD * draw, BAD * draw) == pytest.approx(expected)


def test_it_is_reproducible_and_the_seed_matters():
    ranking = np.random.default_rng(0).normal(size=80)
    one, same, other = (score(ranking, GOOD, BAD, ScoreSettings(seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one.error != other.error
    assert one.value == other.value


def test_order_of_materials_does_not_matter():
    generator = np.random.default_rng(5)
    ranking, shuffle = generator.integers(0, 9, 80).astype(float), generator.permutation(80)
    good = norm.cdf(generator.normal(size=80))
    assert partial_area(ranking, good, 1 - good) == pytest.approx(
        partial_area(ranking[shuffle], good[shuffle], 1 - good[shuffle])
    )


@pytest.mark.parametrize(
    ('good', 'bad', 'words'),
    [
        (np.r_[1.0, np.zeros(79)], BAD, '1 of 80 materials are good conductors, a score needs 2: move sigma'),
        (GOOD, np.zeros(80), '0 of 80 materials are bad conductors'),
        (np.full(80, 0.5), BAD, '0 of 80 materials are good'),
    ],
)
def test_too_small_classes_are_refused(good, bad, words):
    with pytest.raises(AssessmentError, match=words):
        score(ORDER, good, bad)


def test_a_rank_that_is_no_number_is_refused():
    with pytest.raises(AssessmentError, match='1 materials have no rank'):
        score(np.r_[np.nan, ORDER[1:]], GOOD, BAD)


@pytest.mark.parametrize('values', [{'maximum_false_positive_rate': 0.0}, {'resamples': 1}, {'sead': 1}])
def test_wrong_settings_are_refused(values):
    with pytest.raises(AssessmentError):
        ScoreSettings.from_dict(values)
