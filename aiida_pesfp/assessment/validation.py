"""What a trained model is worth on materials of kinds that it has not seen: nested cross-validation by groups.

Materials of one group are alike: they are of one family, or have one framework under other names. A group is in the
training set or in the test set as a whole; the shrinkage of the coefficients is chosen within each training set.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from pymatgen.analysis.structure_matcher import FrameworkComparator, StructureMatcher
from pymatgen.core import Structure
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from aiida_pesfp.assessment.comparison import family
from aiida_pesfp.assessment.models import TrainingSet, train
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.settings.assessment import TrainingSettings

#: Values of ``regularisation`` to choose from where relatives are left out.
REGULARISATIONS = (0.001, 0.01, 0.1, 1.0)
#: Frameworks that match are the same but for their elements, their volume and small shifts, as between NASICONs.
_MATCHER = {'ltol': 0.2, 'stol': 0.3, 'angle_tol': 5, 'primitive_cell': False, 'comparator': FrameworkComparator()}


@dataclass(frozen=True)
class Bin:
    """Materials of similar probability.

    :param predicted: their mean probability.
    :param observed: share of good conductors among them, by their weights.
    :param weight: number of materials, by their weights.
    """

    predicted: float
    observed: float
    weight: float


def groups_of(structures: Mapping[str, Structure], species: str) -> list[int]:
    """Number of the group of each structure: those linked by the elements or by the geometry of their frameworks.

    The geometry links if there are three sites or more in the primitive cell of the framework: simpler ones are
    common to crystals that have nothing else in common.
    """
    keys, labels = list(structures), {}
    for key, structure in structures.items():
        labels[key] = [family(structure.composition.element_composition.reduced_formula, species)]
    for number, members in enumerate(_alike(structures, species)):
        for key in members:
            labels[key].append(f'framework {number}')
    names = {label: place for place, label in enumerate(sorted({one for own in labels.values() for one in own}))}
    links = np.array([(row, len(keys) + names[label]) for row, key in enumerate(keys) for label in labels[key]])
    size = len(keys) + len(names)
    graph = coo_array((np.ones(len(links)), links.T), shape=(size, size))
    return connected_components(graph, directed=False)[1][: len(keys)].tolist()


def _alike(structures: Mapping[str, Structure], species: str) -> Iterable[list[str]]:
    """Keys of structures whose frameworks match, whatever their elements."""
    matcher, of_size = StructureMatcher(**_MATCHER), {}
    for key, structure in structures.items():
        bare = structure.copy()
        bare.remove_species([one for one in bare.composition if one.symbol == species])
        bare = bare.get_primitive_structure()
        if len(bare) > 2:
            of_size.setdefault(len(bare), []).append((key, bare))
    for same in of_size.values():
        # The matcher gives the structures back: they are found again by identity.
        by_id = {id(bare): key for key, bare in same}
        for group in matcher.group_structures([bare for _, bare in same]):
            yield [by_id[id(bare)] for bare in group]


def nested_predictions(
    training: TrainingSet, settings: TrainingSettings = TrainingSettings(), folds: int = 10
) -> np.ndarray:
    """(n,) probabilities of good conductors, each by models that have seen nothing of the group of the material.

    :raises AssessmentError: if there are too few groups, or a training set has too few materials of a class.
    """
    predictions = np.empty(len(training.keys))
    for seen, unseen in folds_of(training, folds, settings.seed):
        known = training.only(seen)
        predictions[unseen] = train(known, shrunk(known, settings, folds)).predict(training.features[unseen])
    return predictions


def shrunk(training: TrainingSet, settings: TrainingSettings, folds: int = 10) -> TrainingSettings:
    """The settings with that of :data:`REGULARISATIONS` whose log loss is the lowest on groups that are left out."""
    if settings.kind == 'catboost':
        return settings
    choices = [replace(settings, regularisation=one) for one in REGULARISATIONS]
    return min(choices, key=lambda one: _loss(training, one, folds))


def constant(training: TrainingSet) -> TrainingSet:
    """The same materials without a feature: a model of them knows only the share of good conductors."""
    return replace(training, names=['nothing'], features=np.zeros((len(training.keys), 1)))


def _loss(training: TrainingSet, settings: TrainingSettings, folds: int) -> float:
    values = np.empty(len(training.keys))
    for seen, unseen in folds_of(training, folds, settings.seed):
        values[unseen] = train(training.only(seen), settings).predict(training.features[unseen])
    return log_loss(values, training.good, training.bad)


def folds_of(training: TrainingSet, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places of the training and of the test materials of each fold, which have no group in common.

    :raises AssessmentError: if there is one group only, or one material of each class.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    is_good = training.good > training.bad
    larger = max(is_good.sum(), (~is_good).sum())
    if len(set(training.groups)) < 2:
        words = 'are of one group of relatives: a model of some cannot be tried on others; leave out compositions'
        raise AssessmentError(f'all {len(is_good)} materials {words}')
    number = min(folds, len(set(training.groups)), larger)
    if number < 2:
        raise AssessmentError(f'{len(is_good)} materials are too few to try a model of some on others: label more')
    # Folds with other shares of good conductors would each move the intercept, and so the order of their predictions.
    splitter = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A fold may have no material of the smaller class: what is predicted is judged for all folds together.
        warnings.filterwarnings('ignore', 'The least populated class')
        return list(splitter.split(training.features, is_good, training.groups))


def log_loss(values: np.ndarray, good: np.ndarray, bad: np.ndarray) -> float:
    """Mean of -log of the probability of what was found."""
    values = np.clip(values, 1e-12, 1 - 1e-12)
    return float(-(good @ np.log(values) + bad @ np.log1p(-values)) / (good + bad).sum())


def brier_score(values: np.ndarray, good: np.ndarray, bad: np.ndarray) -> float:
    """Mean squared error of probabilities (Brier, Mon. Weather Rev. 78, 1 (1950)); 0 is perfect."""
    return float((good @ (1 - values) ** 2 + bad @ values**2) / (good + bad).sum())


def reliability(values: np.ndarray, good: np.ndarray, bad: np.ndarray, bins: int = 5) -> list[Bin]:
    """What became of materials of similar probability, in bins of about the same weight; equal values stay together."""
    _, places = np.unique(values, return_inverse=True)
    weights = np.bincount(places, good + bad)
    middles = (np.cumsum(weights) - weights / 2) / weights.sum()
    own, found = np.minimum((middles * bins).astype(int), bins - 1)[places], []
    for one in np.unique(own):
        of = own == one
        weight = (good + bad)[of].sum()
        if weight > 0:
            predicted = float((good + bad)[of] @ values[of] / weight)
            found.append(Bin(predicted, float(good[of].sum() / weight), float(weight)))
    return found


def quality_of(values: np.ndarray, constants: np.ndarray, good: np.ndarray, bad: np.ndarray) -> dict:
    """What probabilities are worth, beside those of models without features: of plain JSON types."""
    found = {'brier': brier_score(values, good, bad), 'log_loss': log_loss(values, good, bad)}
    found['share'] = {'brier': brier_score(constants, good, bad), 'log_loss': log_loss(constants, good, bad)}
    return found | {'reliability': [asdict(one) for one in reliability(values, good, bad)]}
