"""Cross-validation that lets no relative of a material into its training set."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from aiida_pesfp.assessment import validation
from aiida_pesfp.assessment.models import TrainingSet
from aiida_pesfp.assessment.scores import ScoreSettings, score
from aiida_pesfp.assessment.validation import (
    brier_score,
    folds_of,
    groups_of,
    log_loss,
    nested_predictions,
    reliability,
)
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.settings.assessment import TrainingSettings
from tests.helpers.crystals import antifluorite, rock_salt

MONOTONE = TrainingSettings('logistic_monotone')
#: The area under the whole curve, which a guess halves.
WHOLE = ScoreSettings(maximum_false_positive_rate=1.0, resamples=20)


def perovskite(centre: str, corner: str, edge: str, cell: float) -> Structure:
    """With Li on half of the corners' places left to it."""
    sites = [corner, centre, edge, edge, edge, 'Li']
    places = [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0.5, 0, 0]]
    return Structure(Lattice.cubic(cell), sites, places)


def relatives(members: int = 6, families: int = 20, seed: int = 0, by: str = 'family') -> TrainingSet:
    """Families whose members have almost the same features and the same label.

    :param by: what decides the label: the ``family``, at random, or the ``feature``.
    """
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(families, 3))
    features = np.repeat(centres, members, axis=0) + 0.01 * generator.normal(size=(families * members, 3))
    good = generator.permutation(np.arange(families) % 2) if by == 'family' else centres[:, 0] > 0
    good = np.repeat(good, members).astype(float)
    groups = [f'family {k // members}' for k in range(len(good))]
    keys = [f's{k}' for k in range(len(good))]
    return TrainingSet(keys, groups, ['connected(0.5)', 'mpe', 'x'], features, good, 1 - good)


class TestGroups:
    def test_the_framework_links_by_elements_and_by_geometry(self):
        structures = {
            'LiF': rock_salt('Li', 'F', 4.03),
            'LiF again': rock_salt('Li', 'F', 4.2),
            'Li2S': antifluorite('Li', 'S', 5.7),
            'titanate': perovskite('Ti', 'La', 'O', 3.9),
            'zirconate': perovskite('Zr', 'Ba', 'O', 4.2),
            'rotated': perovskite('Zr', 'Ba', 'O', 4.2).copy(),
            'other': Structure(
                Lattice.orthorhombic(5, 7, 9),
                ['Ti', 'La', 'Ge', 'Li'],
                [[0, 0, 0], [0.1, 0.2, 0.3], [0.5] * 3, [0.9] * 3],
            ),
        }
        structures['rotated'].apply_operation(_turn())
        found = dict(zip(structures, groups_of(structures, 'Li')))
        assert found['LiF'] == found['LiF again'] != found['Li2S']  # frameworks of one atom link nothing
        assert found['titanate'] == found['zirconate'] == found['rotated']
        assert found['other'] not in (found['titanate'], found['LiF'])

    def test_partial_occupation_is_no_other_family(self):
        """The same framework elements, in any amounts and on any sites."""
        mixed = perovskite('Ti', 'La', 'O', 3.9)
        mixed.replace(5, {'Li': 0.5})
        found = groups_of({'full': perovskite('Ti', 'La', 'O', 3.9), 'half': mixed}, 'Li')
        assert found[0] == found[1]


def _turn():
    from pymatgen.core import SymmOp

    return SymmOp.from_axis_angle_and_translation([1, 1, 0], 33)


class TestLeakage:
    def test_labels_at_random_by_family_score_as_random_ones(self):
        """A model that saw a relative would know the label."""
        training = relatives(families=40)
        alone = TrainingSet(training.keys, training.keys, *list(vars(training).values())[2:])
        forest = TrainingSettings('catboost', iterations=50)
        pytest.importorskip('catboost')
        scores = [
            score(nested_predictions(one, forest, 5), one.good, one.bad, WHOLE).value for one in (training, alone)
        ]
        assert scores[1] > 0.95  # it does where relatives are in the training set
        assert 0.3 < scores[0] < 0.7

    @given(st.integers(0, 2**31), st.integers(2, 12))
    def test_no_group_is_in_both(self, seed, number):
        generator = np.random.default_rng(seed)
        training = relatives(3, 12, seed % 5)
        groups = generator.permutation(training.groups).tolist()
        one = TrainingSet(training.keys, groups, *list(vars(training).values())[2:])
        held_back = []
        for seen, unseen in folds_of(one, number, seed % 7):
            assert not {groups[k] for k in seen} & {groups[k] for k in unseen}
            held_back += unseen.tolist()
        assert sorted(held_back) == list(range(len(groups)))

    def test_the_shrinkage_is_chosen_within_the_training_set(self, monkeypatch):
        """What decides it has none of the materials that are predicted afterwards."""
        training, seen = relatives(3, 12, 1, 'feature'), []
        loss = validation._loss
        monkeypatch.setattr(validation, '_loss', lambda one, *rest: seen.append(set(one.groups)) or loss(one, *rest))
        values = nested_predictions(training, MONOTONE, 4)
        assert len(seen) == 4 * len(validation.REGULARISATIONS)
        for groups in seen:
            assert len(groups) < 12
        assert score(values, training.good, training.bad, WHOLE).value > 0.8

    def test_few_good_ones_are_no_cause_of_warnings(self, recwarn):
        training = relatives(1, 14)
        good = (np.arange(14) < 4).astype(float)
        values = nested_predictions(replace(training, good=good, bad=1 - good), MONOTONE)
        assert np.isfinite(values).all()
        assert not recwarn.list

    def test_noise_scores_as_a_guess(self):
        """Folds with other shares of good conductors would put each held-back material on the wrong side."""
        generator, found = np.random.default_rng(5), []
        for _ in range(5):
            good = generator.permutation(np.arange(60) % 3 == 0).astype(float)
            keys = [f's{k}' for k in range(60)]
            one = TrainingSet(keys, keys, ['mpe', 'connected(0.5)'], generator.normal(size=(60, 2)), good, 1 - good)
            values = nested_predictions(one, MONOTONE)
            found.append(score(values, one.good, one.bad, WHOLE).value)
        assert 0.35 < np.mean(found) < 0.65

    def test_too_few_materials_are_an_error_of_ours(self):
        training = relatives(1, 4)
        with pytest.raises(AssessmentError, match='label more'):
            nested_predictions(training, MONOTONE)

    def test_one_group_cannot_be_validated(self):
        training = relatives(4, 1)
        with pytest.raises(AssessmentError, match='of one group'):
            nested_predictions(training, MONOTONE)


class TestQuality:
    def test_as_scikit_learn(self):
        from sklearn import metrics

        generator = np.random.default_rng(2)
        values, good = generator.random(50), generator.random(50)
        classes, weights = np.repeat([1, 0], 50), np.r_[good, 1 - good]
        both = np.tile(values, 2)
        assert brier_score(values, good, 1 - good) == pytest.approx(
            metrics.brier_score_loss(classes, both, sample_weight=weights)
        )
        assert log_loss(values, good, 1 - good) == pytest.approx(metrics.log_loss(classes, both, sample_weight=weights))

    def test_equal_probabilities_share_a_bin(self):
        good = np.repeat([1.0, 0.0], 5)
        [one] = reliability(np.full(10, 0.5), good, 1 - good)
        assert (one.predicted, one.observed, one.weight) == (0.5, 0.5, 10)
        both = reliability(np.array([0.1, 0.9, 0.9]), np.array([0.0, 1.0, 0.5]), np.array([0.5, 0.0, 0.5]))
        assert [(one.predicted, one.weight) for one in both] == [(0.1, 0.5), (0.9, pytest.approx(2))]
        assert both[1].observed == pytest.approx(0.75)

    def test_reliable_probabilities_lie_on_the_diagonal(self):
        generator = np.random.default_rng(3)
        values = generator.random(20000)
        good = (generator.random(20000) < values).astype(float)
        for one in reliability(values, good, 1 - good):
            assert one.predicted == pytest.approx(one.observed, abs=0.03)
            assert one.weight == pytest.approx(4000, abs=1)
