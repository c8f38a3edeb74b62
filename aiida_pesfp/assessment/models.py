"""Ranking models: Xi with any parameters, expressions, and models trained on labels (arXiv:2411.06804, App. C)."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from aiida_pesfp.assessment.features import SPECTRA, DescriptorExpression, direction, free_volume, select_features
from aiida_pesfp.assessment.scores import check_classes
from aiida_pesfp.errors import AssessmentError, some_of
from aiida_pesfp.fingerprint.quantities import xi
from aiida_pesfp.settings.assessment import FEATURE_SETS, TRAINABLE, TrainingSettings
from aiida_pesfp.settings.descriptors import XiParameters

#: Kinds of ranking models.
KINDS = ('xi', 'expression', *TRAINABLE)


@dataclass(frozen=True)
class RankingModel:
    """Gives each structure a number by which it ranks; its kind is one of :data:`KINDS`.

    :param parameters: of plain JSON types. ``xi``: the fields of ``XiParameters``. ``expression``: ``text``. Trained
        models: ``feature_set``, ``features`` (names), ``mean``; logistic ones also ``scale``, ``coefficients``,
        ``intercept``.
    :param content: the file of a CatBoost model (cbm).
    """

    kind: str
    parameters: dict
    content: bytes | None = None

    def __post_init__(self):
        for what, value, known in (('kind', self.kind, KINDS), ('feature set', self.feature_set, FEATURE_SETS)):
            if value not in known:
                raise AssessmentError(f'unknown {what} {value!r} of a ranking model: known are {", ".join(known)}')
        try:
            if self.kind == 'xi':
                XiParameters.from_dict(self.parameters)
            elif self.kind == 'expression':
                DescriptorExpression(self.parameters['text'])
        except (ValueError, KeyError) as error:
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
        """(n,) numbers of structures; the best has the highest. Trained models give probabilities of good conductors.

        :param others: features by matminer, if the model needs them.
        :raises AssessmentError: if a structure has no number, with the reason.
        """
        if self.kind == 'xi':
            parameters = XiParameters(**self.parameters)
            volumes = ([free_volume(entry, kind, parameters.threshold) for kind in SPECTRA] for entry in descriptors)
            return np.array([xi(*both, parameters) for both in volumes])
        if self.kind == 'expression':
            expression = DescriptorExpression(self.parameters['text'])
            return np.array([expression(entry) for entry in descriptors])
        names = self.parameters['features']
        both = zip(descriptors, others or [None] * len(descriptors))
        rows = [select_features(self.feature_set, entry, other) for entry, other in both]
        for name in names:
            if any(name not in row for row in rows):
                raise AssessmentError(
                    f'the model needs {name!r}, which the descriptors do not have: use the same settings'
                )
        return self.predict(np.array([[row[name] for name in names] for row in rows], dtype=float))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n,) probabilities of good conductors of a trained model.

        :param features: (n, m) in the order of ``parameters['features']``; NaN counts as the mean of the training set.
        """
        filled = np.where(np.isnan(features), self.parameters['mean'], features)
        if self.kind == 'catboost':
            return _catboost().load_model(blob=self.content).predict_proba(filled)[:, 1]
        scaled = (filled - self.parameters['mean']) / self.parameters['scale']
        logit = scaled @ np.array(self.parameters['coefficients']) + self.parameters['intercept']
        return 0.5 * (1 + np.tanh(0.5 * logit))


@dataclass(frozen=True)
class TrainingSet:
    """Materials to train on: (n) keys, (n, m) features with their names, (n,) weights as good and bad conductors.

    :param groups: (n) reduced formulas, or other names of what is left out together, such as polymorphs.
    """

    keys: list[str]
    groups: list[str]
    names: list[str]
    features: np.ndarray
    good: np.ndarray
    bad: np.ndarray

    def without(self, group: str) -> TrainingSet:
        """The set without one group."""
        return self.only(np.flatnonzero(np.array(self.groups) != group))

    def only(self, places: np.ndarray) -> TrainingSet:
        """The materials at some places."""
        keys, groups = ([values[place] for place in places] for values in (self.keys, self.groups))
        return TrainingSet(keys, groups, self.names, self.features[places], self.good[places], self.bad[places])


def train(training: TrainingSet, settings: TrainingSettings = TrainingSettings()) -> RankingModel:
    """Train a model. Every material is in both classes, with its weights.

    :raises AssessmentError: if a class is too small, or CatBoost is not installed.
    """
    from sklearn.linear_model import LogisticRegression

    check_classes(training.good, training.bad)
    known = ~np.isnan(training.features).all(axis=0)
    mean = np.where(known, np.nanmean(np.where(known, training.features, 0.0), axis=0), 0.0)
    filled = np.where(np.isnan(training.features), mean, training.features)
    weights = np.concatenate([training.good, training.bad])
    used = weights > 0
    classes, weights, doubled = np.repeat([1, 0], len(filled))[used], weights[used], np.concatenate([filled, filled])
    common = {'feature_set': settings.feature_set, 'features': list(training.names), 'mean': mean.tolist()}
    if settings.kind == 'catboost':
        return RankingModel(settings.kind, common, _fit_catboost(doubled[used], classes, weights, settings))
    deviation = filled.std(axis=0)
    scale = np.where(deviation > 1e-12 * np.maximum(1.0, abs(mean)), deviation, 1.0)
    scaled = ((doubled - mean) / scale)[used]
    if settings.kind == 'logistic_monotone':
        signs = [direction(name) for name in training.names]
        coefficients, intercept = _fit_monotone(scaled, classes, weights, signs, settings.regularisation)
    else:
        # liblinear gives the exact zeros of L1; it also shrinks the intercept, which changes no ranking.
        options = {'l1_ratio': 1.0, 'solver': 'liblinear'} if settings.kind == 'logistic_l1' else {'l1_ratio': 0.0}
        found = LogisticRegression(C=settings.regularisation, max_iter=10000, random_state=settings.seed, **options)
        found.fit(scaled, classes, sample_weight=weights)
        coefficients, intercept = found.coef_[0].tolist(), float(found.intercept_[0])
    fitted = {'scale': scale.tolist(), 'coefficients': coefficients, 'intercept': intercept}
    return RankingModel(settings.kind, common | fitted)


def predict_others(training: TrainingSet, others: TrainingSet, settings=TrainingSettings()) -> np.ndarray:
    """(n,) predictions for the materials of ``others``, each by a model that has not seen its composition.

    With the training set itself this is leave-one-out; polymorphs of a material are left out with it.

    :raises AssessmentError: if the sets have different features, or too few materials are left.
    """
    if training.names != others.names:
        raise AssessmentError('the two sets have different features: describe all surfaces with the same settings')
    predictions, models = np.empty(len(others.keys)), {}
    for group in sorted(set(others.groups)):
        # Compositions that are not in the training set share one model.
        seen = group if group in training.groups else ''
        if seen not in models:
            try:
                models[seen] = train(training.without(group), settings)
            except AssessmentError as error:
                those = some_of([key for key, own in zip(training.keys, training.groups) if own == group], 3)
                raise AssessmentError(f'without {those}, which are predicted together: {error}') from error
        chosen = np.array(others.groups) == group
        predictions[chosen] = models[seen].predict(others.features[chosen])
    return predictions


def _fit_monotone(features, classes, weights, signs: list[int], regularisation: float) -> tuple[list[float], float]:
    """Coefficients and intercept of L2, where no coefficient has the sign that contradicts its feature's direction."""
    signed = 2 * classes - 1

    def loss(parameters):
        margins = signed * (features @ parameters[:-1] + parameters[-1])
        slopes = -weights * signed * expit(-margins)
        value = regularisation * (weights @ np.logaddexp(0, -margins)) + 0.5 * parameters[:-1] @ parameters[:-1]
        gradient = regularisation * np.r_[slopes @ features, slopes.sum()]
        return value, gradient + np.r_[parameters[:-1], 0.0]

    bounds = [{1: (0, None), -1: (None, 0), 0: (None, None)}[sign] for sign in signs] + [(None, None)]
    found = minimize(
        loss, np.zeros(len(bounds)), jac=True, bounds=bounds, method='L-BFGS-B', options={'maxiter': 10000}
    )
    return found.x[:-1].tolist(), float(found.x[-1])


def _fit_catboost(features, classes, weights, settings: TrainingSettings) -> bytes:
    options = {'iterations': settings.iterations, 'depth': settings.depth, 'random_seed': settings.seed}
    model = _catboost(**options, thread_count=1, verbose=False, allow_writing_files=False)
    model.fit(features, classes, sample_weight=weights)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.cbm'
        model.save_model(str(path), format='cbm')
        return path.read_bytes()


def _catboost(**options):
    try:
        from catboost import CatBoostClassifier
    except ImportError as error:
        raise AssessmentError('CatBoost is not installed: pip install "aiida-pesfp[models]"') from error
    return CatBoostClassifier(**options)
