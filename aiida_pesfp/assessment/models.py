"""Ranking models: Xi with any parameters, expressions, and models learned from labels (arXiv:2411.06804, App. C)."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from aiida_pesfp.assessment.features import DescriptorExpression, free_volume, select_features
from aiida_pesfp.assessment.scores import check_classes
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.fingerprint.quantities import xi
from aiida_pesfp.settings.descriptors import XiParameters

#: Models that can be learned.
LEARNERS = ('logistic_l1', 'logistic_l2', 'catboost')
KINDS = ('xi', 'expression', *LEARNERS)


@dataclass(frozen=True)
class RankingModel:
    """Gives each structure a number by which it ranks.

    :param kind: one of :data:`KINDS`.
    :param parameters: of plain JSON types. ``xi``: the fields of ``XiParameters``. ``expression``: ``text``. Logistic:
        ``feature_set``, ``features`` (names), ``mean``, ``scale``, ``coefficients``, ``intercept``. CatBoost:
        ``feature_set``, ``features``, ``mean``.
    :param content: CatBoost's own file (cbm).
    """

    kind: str
    parameters: dict
    content: bytes | None = None

    def __post_init__(self):
        if self.kind not in KINDS:
            raise AssessmentError(f'unknown kind {self.kind!r} of a ranking model: known are {", ".join(KINDS)}')
        try:
            if self.kind == 'xi':
                XiParameters(**self.parameters)
            elif self.kind == 'expression':
                DescriptorExpression(self.parameters['text'])
        except (TypeError, KeyError) as error:
            raise AssessmentError(f'parameters of a ranking model of the kind {self.kind}: {error}') from error
        if self.kind == 'catboost' and not self.content:
            raise AssessmentError('a CatBoost model without its file')

    @classmethod
    def from_xi(cls, parameters: XiParameters) -> RankingModel:
        """Xi of Eq. 4 with any parameters."""
        return cls('xi', asdict(parameters))

    @property
    def feature_set(self) -> str:
        """``pes``, ``matminer`` or ``both``: what :meth:`rank_values` needs."""
        return self.parameters.get('feature_set', 'pes')

    def rank_values(self, descriptors: list[dict], others: list[dict] | None = None) -> np.ndarray:
        """(n,) numbers of structures, the best has the highest. A learned model gives the probability of a good one.

        :param descriptors: of the structures.
        :param others: their features by matminer, if the model needs them.
        :raises AssessmentError: if one has no number, with the reason.
        """
        if self.kind == 'xi':
            return np.array([self._xi(entry) for entry in descriptors])
        if self.kind == 'expression':
            expression = DescriptorExpression(self.parameters['text'])
            return np.array([expression(entry) for entry in descriptors])
        names = self.parameters['features']
        rows = [
            select_features(self.feature_set, entry, other)
            for entry, other in zip(descriptors, others or [None] * len(descriptors))
        ]
        missing = sorted({name for row in rows for name in names if name not in row})
        if missing:
            raise AssessmentError(f'the model needs {missing[0]!r}, which the descriptors lack: compute them alike')
        return self.predict(np.array([[row[name] for name in names] for row in rows], dtype=float))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n,) probabilities of good conductors of a learned model.

        :param features: (n, m) in the order of ``parameters['features']``; NaN counts as the mean of the training set.
        """
        filled = np.where(np.isnan(features), self.parameters['mean'], features)
        if self.kind == 'catboost':
            return _load_catboost(self.content).predict_proba(filled)[:, 1]
        scaled = (filled - self.parameters['mean']) / self.parameters['scale']
        logit = scaled @ np.array(self.parameters['coefficients']) + self.parameters['intercept']
        return 0.5 * (1 + np.tanh(0.5 * logit))

    def _xi(self, descriptors: dict) -> float:
        parameters = XiParameters(**self.parameters)
        volumes = [free_volume(descriptors, kind, parameters.threshold) for kind in ('connected', 'disconnected')]
        return xi(*volumes, parameters)


@dataclass(frozen=True)
class TrainingSettings:
    """How models are learned.

    :param regularisation: C of scikit-learn: the smaller, the more the coefficients are held back.
    :param iterations: trees of CatBoost,
    :param depth: and their depth.
    :param seed: of CatBoost.
    """

    regularisation: float = 1.0
    iterations: int = 200
    depth: int = 4
    seed: int = 0


@dataclass(frozen=True)
class TrainingSet:
    """Materials to learn from.

    :param keys: (n) of the materials.
    :param groups: (n) what is left out together: reduced formulas, so that no polymorph tells on another.
    :param names: (m) of the features.
    :param features: (n, m).
    :param good: (n,) weights as good conductors.
    :param bad: (n,) as bad ones.
    """

    keys: list[str]
    groups: list[str]
    names: list[str]
    features: np.ndarray
    good: np.ndarray
    bad: np.ndarray

    def without(self, group: str) -> TrainingSet:
        """The set without one group."""
        kept = np.array([other != group for other in self.groups])
        return TrainingSet(
            [key for key, keep in zip(self.keys, kept) if keep],
            [other for other in self.groups if other != group],
            self.names,
            self.features[kept],
            self.good[kept],
            self.bad[kept],
        )


def train(
    kind: str, training: TrainingSet, feature_set: str, settings: TrainingSettings = TrainingSettings()
) -> RankingModel:
    """Learn a model. Every material stands in both classes, with its weights.

    :param kind: one of :data:`LEARNERS`.
    :param feature_set: what the features of the set are, kept with the model.
    :raises AssessmentError: if a class is too small, or CatBoost is not installed.
    """
    if kind not in LEARNERS:
        raise AssessmentError(f'unknown kind {kind!r} of a model to learn: take one of {", ".join(LEARNERS)}')
    check_classes(training.good, training.bad)
    with np.errstate(invalid='ignore'):
        known = ~np.isnan(training.features).all(axis=0)
    mean = np.where(known, np.nanmean(np.where(known, training.features, 0.0), axis=0), 0.0)
    filled = np.where(np.isnan(training.features), mean, training.features)
    classes = np.repeat([1, 0], len(filled))
    weights = np.concatenate([training.good, training.bad])
    used = weights > 0
    classes, weights, doubled = classes[used], weights[used], np.concatenate([filled, filled])
    common = {'feature_set': feature_set, 'features': list(training.names), 'mean': mean.tolist()}
    if kind == 'catboost':
        return RankingModel(kind, common, _fit_catboost(doubled[used], classes, weights, settings))
    deviation = filled.std(axis=0)
    scale = np.where(deviation > 1e-12 * np.maximum(1.0, abs(mean)), deviation, 1.0)
    found = _fit_logistic(kind, ((doubled - mean) / scale)[used], classes, weights, settings)
    fitted = {'scale': scale.tolist(), 'coefficients': found.coef_[0].tolist(), 'intercept': float(found.intercept_[0])}
    return RankingModel(kind, common | fitted)


def predict_others(
    kind: str,
    training: TrainingSet,
    others: TrainingSet,
    feature_set: str,
    settings: TrainingSettings = TrainingSettings(),
) -> np.ndarray:
    """(n,) predictions for the materials ``others``, each by a model that has not seen its composition.

    With the training set itself this is leave-one-out; polymorphs of the one left out are left out with it.
    """
    groups, predictions = sorted(set(others.groups)), np.empty(len(others.keys))
    models: dict[str, RankingModel] = {}
    for group in groups:
        # Compositions that the training set does not have share one model.
        seen = group if group in training.groups else ''
        if seen not in models:
            try:
                models[seen] = train(kind, training.without(group), feature_set, settings)
            except AssessmentError as error:
                raise AssessmentError(f'without {group}, which is to be predicted: {error}') from error
        chosen = np.array([other == group for other in others.groups])
        predictions[chosen] = models[seen].predict(others.features[chosen])
    return predictions


def _fit_logistic(kind, features, classes, weights, settings: TrainingSettings):
    from sklearn.linear_model import LogisticRegression

    # liblinear reaches L1's exact zeros; it also holds back the intercept, which changes no ranking.
    options = {'l1_ratio': 1.0, 'solver': 'liblinear'} if kind == 'logistic_l1' else {'l1_ratio': 0.0}
    model = LogisticRegression(C=settings.regularisation, max_iter=10000, random_state=settings.seed, **options)
    return model.fit(features, classes, sample_weight=weights)


def _fit_catboost(features, classes, weights, settings: TrainingSettings) -> bytes:
    model = _catboost().CatBoostClassifier(
        iterations=settings.iterations,
        depth=settings.depth,
        random_seed=settings.seed,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
    )
    model.fit(features, classes, sample_weight=weights)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.cbm'
        model.save_model(str(path), format='cbm')
        return path.read_bytes()


def _load_catboost(content: bytes):
    model = _catboost().CatBoostClassifier()
    return model.load_model(blob=content)


def _catboost():
    try:
        import catboost
    except ImportError as error:
        raise AssessmentError('CatBoost is not installed: pip install "aiida-pesfp[models]"') from error
    return catboost
