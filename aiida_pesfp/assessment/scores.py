"""Scores of rankings: the area under the weighted ROC curve at the lowest false-positive rates (Fig. 3).

In all functions ``good`` and ``bad`` are the (n,) weights of the materials as good and as bad conductors, and the best
material has the highest number in a ``ranking`` (n,).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from aiida_pesfp.assessment.classes import classify
from aiida_pesfp.assessment.features import DescriptorExpression, standard_rankings
from aiida_pesfp.assessment.labels import Measurement
from aiida_pesfp.errors import AssessmentError, ExpressionError
from aiida_pesfp.fingerprint.ensemble import moved
from aiida_pesfp.settings.assessment import ClassSettings, ScoreSettings

#: Materials of each class that a score needs: with one, the bootstrap has nothing to vary.
FEWEST = 2
#: For this count, a material belongs to a class if its probability is higher than this.
MEMBERSHIP = 0.5
#: Resamples in one array, which bounds the memory.
_BATCH = 1000
#: Stands for infinity, as of the logarithm of no free volume: such a material is the last, and has a value.
_FARTHEST = 1e300


@dataclass(frozen=True)
class Score:
    """A score and its uncertainty.

    :param value: mean true-positive rate over the lowest false-positive rates: 1 is perfect, half the limit random.
    :param error: standard deviation over resamples of the materials, and of the orderings of disordered ones; 68.3 % of
        these lie from ``lower`` to ``upper``.
    :param resamples: number of those that contain both classes.
    """

    value: float
    error: float
    lower: float
    upper: float
    resamples: int


@dataclass(frozen=True)
class RankValues:
    """What a ranking makes of some materials.

    :param values: (n,) the best material has the highest; NaN where there is none.
    :param errors: (n,) how much higher a value is if the ion moves more easily by the error of the mean over orderings;
        0 for a material of one ordering, and where there is no value.
    :param missing: place of each material without a value -> the reason.
    """

    values: np.ndarray
    errors: np.ndarray
    missing: dict[int, str]


def rank_values(ranking: Callable[[Mapping], float], descriptors: list[Mapping]) -> RankValues:
    """The values of a ranking, such as an expression, of some materials by their descriptors."""
    found, missing = np.tile([[np.nan], [0.0]], len(descriptors)), {}
    for place, table in enumerate(descriptors):
        try:
            own, *ends = (ranking(one) for one in (table, moved(table, -1), moved(table, 1)))
            value, lower, upper = np.clip([own, *ends], -_FARTHEST, _FARTHEST)
            found[:, place] = value, (upper - lower) / 2 if np.isfinite([own, *ends]).all() else 0.0
        except ExpressionError as error:
            missing[place] = str(error)
    return RankValues(*found, missing)


def score_rankings(
    measurements: list[Measurement],
    rows: dict[int, str],
    carrier_densities: dict[str, float],
    descriptors: dict[str, dict],
    classes: ClassSettings,
    settings: ScoreSettings = ScoreSettings(),
    expressions: tuple[str, ...] = (),
) -> dict:
    """Scores of the rankings by each descriptor and by any expressions on one set of labels.

    :param rows: row of a measurement -> key of its structure.
    :param carrier_densities: of the structures, 1/cm^3.
    :param descriptors: key of a structure -> its descriptors.
    :returns: of plain JSON types: ``rows`` of the table, the best first; ``random``; ``classes``; ``score_settings``;
        ``number_of_good`` and ``number_of_bad``; ``materials``, key -> weights and conductivities;
        ``rows_without_a_conductivity`` and ``structures_without_descriptors``.
    :raises AssessmentError: if a class has fewer than two materials.
    """
    groups, without = defaultdict(list), set()
    for measurement in measurements:
        key = rows.get(measurement.row)
        if key in descriptors:
            groups[key].append((measurement, carrier_densities[key]))
        elif key is not None:
            without.add(key)
    materials, unusable = classify(groups, classes)
    if not materials:
        first = f'; the first cannot be used: {unusable[0]["reason"]}' if unusable else ''
        found = f'{len(rows)} of {len(measurements)} labels have a structure{first}'
        names = ', '.join(dict.fromkeys(str(entry.id or entry.formula) for entry in measurements[:5]))
        shown = f'labels are of {names}, ..., structures {", ".join(list(descriptors)[:5])}, ...'
        raise AssessmentError(f'no structure has both descriptors and a label with a conductivity: {found}; {shown}')
    keys = sorted(materials)
    good, bad = np.array([(materials[key].good_weight, materials[key].bad_weight) for key in keys]).T
    chance = random_score(good, bad, settings)
    tables = [descriptors[key] for key in keys]
    rankings = dict.fromkeys([*standard_rankings(tables[0]), *expressions])
    table = [_row(text, dict(zip(keys, tables)), good, bad, settings) for text in rankings]
    table.sort(key=lambda row: -(row['score']['value'] if row['score'] else -1))
    found = {'rows': table, 'random': asdict(chance), 'classes': asdict(classes), 'score_settings': asdict(settings)}
    found |= {'number_of_good': float(good.sum()), 'number_of_bad': float(bad.sum())}
    found |= {'rows_without_a_conductivity': unusable, 'structures_without_descriptors': sorted(without)}
    return found | {'materials': {key: asdict(materials[key]) for key in keys}}


def _row(text: str, descriptors: dict[str, dict], good, bad, settings: ScoreSettings) -> dict:
    """A material for which the expression has no value is excluded from this row only, with the reason."""
    found, keys = rank_values(DescriptorExpression(text), list(descriptors.values())), list(descriptors)
    known = np.flatnonzero(np.isfinite(found.values))
    missing = {keys[place]: reason for place, reason in found.missing.items()}
    row = {'ranking': text, 'score': None, 'materials': len(known), 'missing': missing, 'error': None}
    try:
        of_known = (values[known] for values in (found.values, good, bad))
        return row | {'score': asdict(score(*of_known, settings, abs(found.errors[known])))}
    except AssessmentError as error:
        return row | {'error': str(error)}


def check_classes(good: np.ndarray, bad: np.ndarray) -> None:
    """Raise :class:`~aiida_pesfp.errors.AssessmentError` unless each class has two materials."""
    for name, threshold, weights in (('good', 'sigma+', good), ('bad', 'sigma-', bad)):
        number = int((weights > MEMBERSHIP).sum())
        if number < FEWEST:
            raise AssessmentError(
                f'{number} of {len(weights)} materials are {name} conductors, a score needs {FEWEST}: '
                f'move {threshold}, or label more materials'
            )


def partial_area(ranking: np.ndarray, good: np.ndarray, bad: np.ndarray, maximum_false_positive_rate: float = 0.1):
    """Mean true-positive rate over false-positive rates from 0 to a limit.

    Every material is in both classes, with its weights. Materials of the same rank make one straight segment of the
    curve. ``sklearn.metrics.roc_curve`` gives the same number; this takes many sets of weights (..., n) at once.

    :returns: (...) areas over the limit; NaN where a class is empty.
    """
    order = np.argsort(-ranking, kind='stable')
    first = np.flatnonzero(np.r_[True, np.diff(ranking[order]) != 0])
    true, false = (np.cumsum(np.add.reduceat(w[..., order], first, axis=-1), axis=-1) for w in (good, bad))
    with np.errstate(invalid='ignore'):
        true, false = true / true[..., -1:], false / false[..., -1:]
    zeros = np.zeros((*true.shape[:-1], 1))
    true, false = np.concatenate([zeros, true], axis=-1), np.concatenate([zeros, false], axis=-1)
    # Each segment of the curve up to the limit.
    width, rise = np.diff(false), np.diff(true)
    inside = np.clip(maximum_false_positive_rate - false[..., :-1], 0, width)
    slope = np.divide(rise, width, out=np.zeros_like(rise), where=width > 0)
    return (inside * (true[..., :-1] + 0.5 * slope * inside)).sum(axis=-1) / maximum_false_positive_rate


def resampled_weights(number: int, settings: ScoreSettings) -> np.ndarray:
    """(resamples, number) how often each material is drawn in each bootstrap resample."""
    generator = np.random.default_rng(settings.seed)
    return generator.multinomial(number, np.full(number, 1 / number), size=settings.resamples).astype(float)


def resampled_areas(
    ranking, good, bad, draws: np.ndarray, limit: float, shifts: np.ndarray | None = None
) -> np.ndarray:
    """(resamples,) areas of :func:`partial_area`, one for each draw.

    :param draws: (resamples, n) how often each material is drawn.
    :param shifts: (resamples, n) of the ranking in each resample.
    """
    if shifts is None:
        batches = np.split(draws, range(_BATCH, len(draws), _BATCH))
        return np.concatenate([partial_area(ranking, good * batch, bad * batch, limit) for batch in batches])
    moved_ones = (ranking + shift for shift in shifts)
    return np.array([partial_area(one, good * drawn, bad * drawn, limit) for one, drawn in zip(moved_ones, draws)])


def score(ranking, good, bad, settings: ScoreSettings = ScoreSettings(), errors=None) -> Score:
    """Score of a ranking with its bootstrap uncertainty.

    :param errors: (n,) of the ranking, as those of means over orderings, drawn from normal distributions.
    :raises AssessmentError: if a class has fewer than two materials, or a rank is not a number.
    """
    ranking, good, bad = (np.asarray(values, dtype=float) for values in (ranking, good, bad))
    if np.isnan(ranking).any():
        raise AssessmentError(f'{int(np.isnan(ranking).sum())} materials have no rank')
    check_classes(good, bad)
    limit, shifts = settings.maximum_false_positive_rate, None
    draws = resampled_weights(len(ranking), settings)
    if errors is not None and np.any(errors):
        shifts = errors * np.random.default_rng([settings.seed, 1]).standard_normal(draws.shape)
    values = resampled_areas(ranking, good, bad, draws, limit, shifts)
    return _summary(float(partial_area(ranking, good, bad, limit)), values)


def random_score(good, bad, settings: ScoreSettings = ScoreSettings()) -> Score:
    """Score of random rankings of these materials: the mean over shuffles, and their spread."""
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
