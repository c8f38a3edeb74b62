"""Models trained on labels with a known rule, and Xi's parameters recovered."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.assessment.calibration import LabelledSet, calibrate
from aiida_pesfp.assessment.features import matminer_features, pes_features, standard_rankings
from aiida_pesfp.assessment.models import (
    RankingModel,
    TrainingSet,
    predict_others,
    train,
)
from aiida_pesfp.assessment.scores import score
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.settings.assessment import TRAINABLE, ScoreSettings, TrainingSettings
from aiida_pesfp.settings.descriptors import XiParameters
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.materials import descriptors_of, random_descriptors


def quick(kind):
    return TrainingSettings(kind, iterations=20, depth=2)


def training_set(number=60, seed=0, swap=False):
    """Good are those with a large connected free volume; with ``swap`` the labels are random."""
    descriptors = random_descriptors(number, seed)
    rows = [pes_features(entry) for entry in descriptors]
    features = np.array([list(row.values()) for row in rows])
    good = (features[:, list(rows[0]).index('log10 connected(0.5)')] > -1.0).astype(float)
    if swap:
        good = np.random.default_rng(seed).permutation(good)
    keys = [f's{k}' for k in range(number)]
    return TrainingSet(keys, keys, list(rows[0]), features, good, 1 - good), descriptors


def skip_without(kind):
    if kind == 'catboost':
        pytest.importorskip('catboost')


@pytest.mark.parametrize('kind', TRAINABLE)
class TestTrained:
    def test_a_rule_is_learned_and_noise_is_not(self, kind):
        skip_without(kind)
        training, _ = training_set()
        predictions = predict_others(training, training, quick(kind))
        assert score(predictions, training.good, training.bad, ScoreSettings(resamples=50)).value > 0.6
        training, _ = training_set(swap=True)
        predictions = predict_others(training, training, quick(kind))
        assert score(predictions, training.good, training.bad, ScoreSettings(resamples=50)).value < 0.4

    def test_it_survives_storage_and_ranks_descriptors(self, kind):
        skip_without(kind)
        training, descriptors = training_set()
        model = train(training, quick(kind))
        copy = RankingModel(kind, json.loads(json.dumps(model.parameters)), model.content)
        np.testing.assert_array_equal(copy.rank_values(descriptors), model.predict(training.features))
        other, descriptors = training_set(seed=9)
        assert score(copy.rank_values(descriptors), other.good, other.bad).value > 0.6

    def test_it_is_reproducible(self, kind):
        skip_without(kind)
        training, _ = training_set()
        one, two = (train(training, quick(kind)) for _ in range(2))
        assert one.parameters == two.parameters
        np.testing.assert_array_equal(one.predict(training.features), two.predict(training.features))

    def test_weights_matter(self, kind):
        """The same materials with the weights exchanged make the opposite ranking."""
        skip_without(kind)
        training, _ = training_set()
        swapped = TrainingSet(
            training.keys, training.groups, training.names, training.features, training.bad, training.good
        )
        models = [train(which, quick(kind)) for which in (training, swapped)]
        if kind == 'logistic_monotone':  # which would rather know nothing than contradict physics
            rule = training.names.index('log10 connected(0.5)')
            one, two = (model.parameters['coefficients'][rule] for model in models)
            assert one > 0.5
            assert two == 0
        else:
            one, two = (model.predict(training.features) for model in models)
            assert np.corrcoef(one, two)[0, 1] < -0.9


class TestMonotone:
    def test_it_is_l2_where_no_sign_contradicts(self):
        """Features of unknown direction are free, so the solution is that of scikit-learn."""
        training, _ = training_set()
        free = TrainingSet(
            training.keys,
            training.groups,
            [f'x{k}' for k in range(len(training.names))],
            training.features,
            training.good,
            training.bad,
        )
        both = (train(free, TrainingSettings(kind)) for kind in ('logistic_monotone', 'logistic_l2'))
        np.testing.assert_allclose(*(model.parameters['coefficients'] for model in both), atol=2e-4)

    @given(st.integers(0, 2**31))
    def test_signs_are_those_of_physics(self, seed):
        training, _ = training_set(20, seed % 7)
        good = np.random.default_rng(seed).permutation(np.repeat([0.0, 1.0], 10))
        one = TrainingSet(training.keys, training.groups, training.names, training.features, good, 1 - good)
        found = train(one, TrainingSettings('logistic_monotone')).parameters
        for name, coefficient in zip(found['features'], found['coefficients']):
            assert coefficient <= 0 if name == 'mpe' else coefficient >= 0, name


def test_the_one_left_out_is_not_seen():
    """Ten twins of a compound with a label that contradicts all others: left out together they cannot vote for it."""
    training, _ = training_set(40)
    twins = np.repeat(training.features[training.good > 0][:1], 10, axis=0)
    features = np.concatenate([training.features, twins])
    good = np.r_[training.good, np.zeros(10)]
    keys = [f's{k}' for k in range(50)]
    together = TrainingSet(keys, [*keys[:40], *['twin'] * 10], training.names, features, good, 1 - good)
    alone = TrainingSet(keys, keys, training.names, features, good, 1 - good)
    with_others = predict_others(alone, alone)[40:]
    without = predict_others(together, together)[40:]
    assert with_others.max() < without.min()


def test_l1_uses_fewer_features_than_l2():
    training, _ = training_set()
    sparse, dense = (
        train(training, TrainingSettings(kind, regularisation=0.1)) for kind in ('logistic_l1', 'logistic_l2')
    )
    assert np.count_nonzero(sparse.parameters['coefficients']) < np.count_nonzero(dense.parameters['coefficients'])


def test_a_missing_feature_counts_as_the_mean():
    training, _ = training_set()
    training.features[3, 2] = np.nan
    training.features[:, 5] = np.nan
    model = train(training)
    filled = training.features.copy()
    filled[3, 2], filled[:, 5] = np.nanmean(training.features[:, 2]), 0.0
    np.testing.assert_allclose(model.predict(training.features), model.predict(filled))


def test_matminer_features_and_models_on_both():
    pytest.importorskip('matminer')
    structures = [rock_salt('Li', x, a) for x, a in (('F', 4.03), ('Cl', 5.13))]
    structures += [antifluorite('Li', x, a) for x, a in (('O', 4.61), ('S', 5.7))]
    others = [matminer_features(structure) for structure in structures]
    assert others[0]['MagpieData mean Electronegativity'] == pytest.approx((0.98 + 3.98) / 2)
    assert others[0]['spacegroup_num'] == 225
    descriptors = random_descriptors(4)
    rows = [pes_features(entry) | other for entry, other in zip(descriptors, others)]
    good = np.repeat([0.0, 1.0], 2)
    names = list(rows[0])
    training = TrainingSet(
        list('abcd'), list('abcd'), names, np.array([[r[n] for n in names] for r in rows]), good, 1 - good
    )
    model = train(training, TrainingSettings('logistic_l1', 'both'))
    values = model.rank_values(descriptors, others)
    assert values[good > 0].min() > values[good == 0].max()
    with pytest.raises(AssessmentError, match='needs the features of matminer'):
        model.rank_values(descriptors)


def test_standard_rankings_rank_the_better_higher():
    better, worse = descriptors_of(0.05, 0.2, mpe=0.3), descriptors_of(0.01, 0.1, mpe=0.9)
    better['xi'] = 0.9
    for text in standard_rankings(better):
        model = RankingModel('expression', {'text': text})
        values = model.rank_values([better, worse])
        assert values[0] > values[1], text
    assert len(standard_rankings(better)) == 1 + 3 + 2 * 3 + 1


def labelled(seed=0, number=200, cuts=(-0.6, -1.6)):
    """Good are the materials both of whose free volumes at 0.5 eV exceed the cuts."""
    descriptors = random_descriptors(number, seed)
    logarithms = np.log10([[entry['spectrum'][k][1] for k in ('connected', 'disconnected')] for entry in descriptors])
    good = (logarithms > np.array(cuts)).all(axis=1).astype(float)
    return LabelledSet(f'set {seed}', descriptors, good, 1 - good)


class TestCalibration:
    """The cuts by which labels were made are found again."""

    quick = ScoreSettings(resamples=30)
    cuts = tuple(np.linspace(-3, 0, 31).round(2).tolist())

    @pytest.fixture(scope='class')
    @classmethod
    def found(cls):
        return calibrate([labelled()], settings=cls.quick, cuts=cls.cuts)

    def test_known_cuts_are_found_with_an_uncertainty_that_holds_them(self, found):
        assert found.after > 0.95 > 0.7 > found.before
        for name, truth in (('connected_cut', -0.6), ('disconnected_cut', -1.6)):
            assert 0 < found.errors[name] < 0.5
            assert abs(getattr(found.parameters, name) - truth) < max(3 * found.errors[name], 0.1)
        assert found.parameters.slope == 10
        assert found.corrected < found.after

    def test_what_is_found_holds_for_other_materials(self, found):
        other = labelled(seed=5)
        values = RankingModel.from_xi(found.parameters).rank_values(other.descriptors)
        expected = score(values, other.good, other.bad, self.quick)
        assert abs(expected.value - found.corrected) < 3 * expected.error + 0.05

    def test_labels_by_chance_do_not_get_better_by_more_than_the_optimism_says(self):
        entry = labelled(number=60)
        shuffled = np.random.default_rng(1).permutation(entry.good)
        found = calibrate(
            [LabelledSet('chance', entry.descriptors, shuffled, 1 - shuffled)], settings=self.quick, cuts=self.cuts
        )
        assert found.optimism > 0.03
        assert found.corrected < 0.4

    def test_slope_and_threshold(self):
        entry = labelled(number=80)
        options = {'settings': ScoreSettings(resamples=5), 'cuts': tuple(np.linspace(-3, 0, 11).tolist())}
        fixed = calibrate([entry], **options)
        found = calibrate([entry], vary=('slope', 'threshold'), thresholds=(0.3, 0.5, 0.7), **options)
        assert found.after > fixed.after - 0.05
        assert set(found.errors) == {'connected_cut', 'disconnected_cut', 'slope', 'threshold'}

    def test_two_sets_are_satisfied_at_once(self):
        one, two = labelled(0, 100), labelled(1, 100, (-0.8, -1.6))
        found = calibrate([one, two], settings=ScoreSettings(resamples=5), cuts=self.cuts)
        assert set(found.sets) == {'set 0', 'set 1'}
        assert found.after == pytest.approx(np.mean([entry['after'] for entry in found.sets.values()]))
        assert all(entry['after'] > 0.5 for entry in found.sets.values())

    def test_before_is_the_score_of_the_parameters_given(self):
        entry, start = labelled(number=100), XiParameters(0.5, -0.6, -1.6)
        found = calibrate([entry], start, settings=ScoreSettings(resamples=2), cuts=(-1.0, -0.5))
        values = RankingModel.from_xi(start).rank_values(entry.descriptors)
        assert found.before == pytest.approx(score(values, entry.good, entry.bad, self.quick).value)

    def test_nothing_is_doubted_without_a_reason(self, found):
        assert found.doubts == []

    def test_few_conductors_and_edges_are_told(self):
        entry = labelled(number=40)
        few = entry.good * (np.cumsum(entry.good) <= 3)
        found = calibrate([LabelledSet('few', entry.descriptors, few, 1 - few)], settings=self.quick, cuts=(-0.4, -0.2))
        assert found.doubts[0].startswith('few has 3 good conductors: with fewer than 10')
        edges = [doubt for doubt in found.doubts if 'the edge of what was tried, -0.4 to -0.2' in doubt]
        assert {doubt.split(' =')[0] for doubt in edges} == {'connected_cut', 'disconnected_cut'}, found.doubts

    @pytest.mark.parametrize(
        ('change', 'words'),
        [
            ({'vary': ('colour',)}, "'colour' cannot be varied"),
            ({'vary': ('threshold',), 'thresholds': (0.4,)}, 'no free volume at 0.4 eV'),
            ({'sets': []}, 'no set of labels'),
        ],
    )
    def test_wrong_requests_are_refused(self, change, words):
        arguments = {'sets': [labelled(number=40)], 'settings': ScoreSettings(resamples=2)} | change
        with pytest.raises(AssessmentError, match=words):
            calibrate(**arguments)

    def test_one_good_conductor_is_not_enough(self):
        entry = labelled(number=40)
        good = np.r_[1.0, np.zeros(39)]
        with pytest.raises(AssessmentError, match='1 of 40 materials are good'):
            calibrate([LabelledSet('x', entry.descriptors, good, 1 - good)])


@pytest.mark.parametrize(
    ('kind', 'parameters', 'words'),
    [
        ('forest', {}, "unknown kind 'forest'"),
        ('xi', {'steepness': 3}, 'steepness'),
        ('expression', {}, 'text'),
        ('expression', {'text': 'import os'}, 'not an expression'),
        ('catboost', {}, 'without its file'),
    ],
)
def test_wrong_models_are_refused(kind, parameters, words):
    with pytest.raises(AssessmentError, match=words):
        RankingModel(kind, parameters)
