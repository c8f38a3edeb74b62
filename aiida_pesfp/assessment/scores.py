"""The score of a ranking: the area under the weighted ROC curve at the lowest false-positive rates."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from aiida_pesfp.errors import AssessmentError

#: Materials of each class that a score needs: with one, the bootstrap has nothing to vary.
FEWEST = 2
#: A material belongs to a class for this purpose if it is in it with more than this probability.
MEMBERSHIP = 0.5
#: Resamples that are treated at once, which bounds the memory.
_BATCH = 1000


@dataclass(frozen=True)
class ScoreSettings:
    """How a ranking is scored.

    :param maximum_false_positive_rate: the area is taken up to it (the paper: 10 %).
    :param resamples: of the bootstrap over materials, and shuffles of the random baseline.
    :param seed: of both.
    """

    maximum_false_positive_rate: float = 0.1
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self):
        if not 0 < self.maximum_false_positive_rate <= 1:
            raise AssessmentError(f'maximum_false_positive_rate = {self.maximum_false_positive_rate} is not in (0, 1]')
        if self.resamples < 2:
            raise AssessmentError(f'resamples = {self.resamples}: the bootstrap needs at least two')

    @classmethod
    def from_dict(cls, values: dict) -> ScoreSettings:
        """From a plain dictionary with the fields of this class.

        :raises AssessmentError: naming what is wrong.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise AssessmentError(f'the settings of the score have an unknown key: {error}') from error


@dataclass(frozen=True)
class Score:
    """A score and its uncertainty.

    :param value: mean true-positive rate over the lowest false-positive rates: 1 is perfect, half the limit random.
    :param error: standard deviation over resamples of the materials.
    :param lower: end of the interval that holds 68.3 % of the resamples,
    :param upper: and the other.
    :param resamples: that had both classes in them.
    """

    value: float
    error: float
    lower: float
    upper: float
    resamples: int

    def as_dict(self) -> dict:
        """Of plain JSON types."""
        return asdict(self)


def mcclish(value: float, maximum_false_positive_rate: float) -> float:
    """The same area standardised as ``sklearn.metrics.roc_auc_score(..., max_fpr=...)`` does: random is 0.5.

    McClish, Med. Decis. Making 9, 190 (1989).
    """
    limit = maximum_false_positive_rate
    return float(0.5 * (1 + (value * limit - limit**2 / 2) / (limit - limit**2 / 2)))


def check_classes(good: np.ndarray, bad: np.ndarray) -> None:
    """Raise :class:`~aiida_pesfp.errors.AssessmentError` unless either class has two materials.

    :param good: (n,) weights of the materials as good conductors.
    :param bad: (n,) as bad ones.
    """
    for name, threshold, weights in (('good', 'sigma+', good), ('bad', 'sigma-', bad)):
        number = int((weights > MEMBERSHIP).sum())
        if number < FEWEST:
            raise AssessmentError(
                f'{number} of {len(weights)} materials are {name} conductors, a score needs {FEWEST}: '
                f'move {threshold}, or label more materials'
            )


def partial_area(ranking: np.ndarray, good: np.ndarray, bad: np.ndarray, maximum_false_positive_rate: float = 0.1):
    """Mean true-positive rate over false-positive rates from 0 to a limit.

    Every material stands in both classes, with its weights. Materials of the same rank are passed at once, on a
    straight line. The same number follows from ``sklearn.metrics.roc_curve``; this treats many sets of weights at once,
    as a bootstrap needs it.

    :param ranking: (n,) the best has the highest value.
    :param good: (..., n) weights of the materials as good conductors.
    :param bad: (..., n) as bad ones.
    :returns: (...) areas over the limit; NaN where a class is empty.
    """
    order = np.argsort(-ranking, kind='stable')
    first = np.flatnonzero(np.r_[True, np.diff(ranking[order]) != 0])
    true, false = (np.cumsum(np.add.reduceat(w[..., order], first, axis=-1), axis=-1) for w in (good, bad))
    with np.errstate(invalid='ignore'):
        true, false = true / true[..., -1:], false / false[..., -1:]
    zeros = np.zeros((*true.shape[:-1], 1))
    true, false = np.concatenate([zeros, true], axis=-1), np.concatenate([zeros, false], axis=-1)
    # Each segment of the curve up to where it meets the limit.
    width, rise = np.diff(false), np.diff(true)
    inside = np.clip(maximum_false_positive_rate - false[..., :-1], 0, width)
    slope = np.divide(rise, width, out=np.zeros_like(rise), where=width > 0)
    return (inside * (true[..., :-1] + 0.5 * slope * inside)).sum(axis=-1) / maximum_false_positive_rate


def resampled_weights(number: int, settings: ScoreSettings) -> np.ndarray:
    """(resamples, number) how often each material is drawn in each bootstrap resample."""
    generator = np.random.default_rng(settings.seed)
    return generator.multinomial(number, np.full(number, 1 / number), size=settings.resamples).astype(float)


def score(ranking, good, bad, settings: ScoreSettings = ScoreSettings()) -> Score:
    """Score of a ranking with its bootstrap uncertainty.

    :param ranking: (n,) the best has the highest value.
    :param good: (n,) weights of the materials as good conductors.
    :param bad: (n,) as bad ones.
    :raises AssessmentError: if a class has fewer than two materials, or a rank is not a number.
    """
    ranking, good, bad = (np.asarray(values, dtype=float) for values in (ranking, good, bad))
    if np.isnan(ranking).any():
        raise AssessmentError(f'{int(np.isnan(ranking).sum())} materials have no rank')
    check_classes(good, bad)
    limit = settings.maximum_false_positive_rate
    draws = resampled_weights(len(ranking), settings)
    values = np.concatenate(
        [
            partial_area(ranking, good * draws[k : k + _BATCH], bad * draws[k : k + _BATCH], limit)
            for k in range(0, len(draws), _BATCH)
        ]
    )
    return _summary(float(partial_area(ranking, good, bad, limit)), values)


def random_score(good, bad, settings: ScoreSettings = ScoreSettings()) -> Score:
    """What rankings by chance score on these materials: the mean over shuffles, and their spread.

    :param good: (n,) weights of the materials as good conductors.
    :param bad: (n,) as bad ones.
    """
    good, bad = np.asarray(good, dtype=float), np.asarray(bad, dtype=float)
    check_classes(good, bad)
    generator = np.random.default_rng(settings.seed)
    shuffles = generator.permuted(np.tile(np.arange(len(good)), (settings.resamples, 1)), axis=1)
    ranking = np.arange(len(good), dtype=float)
    values = partial_area(ranking, good[shuffles], bad[shuffles], settings.maximum_false_positive_rate)
    return _summary(float(values.mean()), values)


def _summary(value: float, resampled: np.ndarray) -> Score:
    usable = resampled[np.isfinite(resampled)]
    lower, upper = np.percentile(usable, [15.87, 84.13])
    return Score(value, float(usable.std(ddof=1)), float(lower), float(upper), len(usable))
