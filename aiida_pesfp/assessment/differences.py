"""Whether one ranking is better than another: paired differences on the same materials, clustered by family.

Materials of one family are alike, in conductivity and in what rankings make of them. So whole families are drawn, not
materials, and both rankings are scored on the same draw: what they have in common drops out of their difference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import compress

import numpy as np
from scipy.stats import rankdata

from aiida_pesfp.assessment.scores import FEWEST, MEMBERSHIP, check_classes, partial_area, resampled_areas
from aiida_pesfp.errors import AssessmentError, some_of
from aiida_pesfp.settings.assessment import ScoreSettings

#: The precision is that among so many materials at the top of a ranking.
FIRST = (10, 20)
#: A difference whose corrected p is below this is shown.
SIGNIFICANT = 0.05
#: A difference of less than so many of its errors cannot be seen.
VISIBLE = 2
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Difference:
    """The score of a ranking less that of the reference.

    :param error: standard deviation over resamples, of which 95 % lie from ``lower`` to ``upper``.
    :param p: how often the resamples have no difference, or one of the other sign, twice the smaller side; at least
        two in the number of resamples.
    :param p_corrected: that of all comparisons that were made (Holm 1979).
    """

    value: float
    error: float
    lower: float
    upper: float
    p: float
    p_corrected: float


@dataclass(frozen=True)
class Row:
    """What is known of one ranking.

    :param materials: number of those for which it has a value; all numbers are of these.
    :param error: standard deviation of the ``score`` over resamples, of which 95 % lie from ``lower`` to ``upper``.
    :param difference: from the reference, on the materials for which both have a value; None for the reference itself.
    :param rank_correlation: with the conductivities, see :func:`rank_correlation`; None if these have no order.
    :param precision: among each of the numbers :data:`FIRST`, see :func:`precision`.
    """

    ranking: str
    materials: int
    score: float
    error: float
    lower: float
    upper: float
    difference: Difference | None
    rank_correlation: float | None
    precision: list[float | None]


def compare(
    rankings: Mapping[str, np.ndarray],
    reference: str,
    good: np.ndarray,
    bad: np.ndarray,
    families: list[str],
    settings: ScoreSettings = ScoreSettings(),
    limits: tuple[np.ndarray, np.ndarray] | None = None,
    errors: Mapping[str, np.ndarray] | None = None,
) -> list[Row]:
    """Each ranking, the best first, with its difference from one of them.

    :param rankings: name -> (n,) values, the best material the highest; NaN where there is none.
    :param good, bad: (n,) weights of the materials as good and as bad conductors.
    :param families: (n) of the materials.
    :param limits: (n,) lowest and highest conductivity that each may have; None if they have no common temperature.
    :param errors: name -> (n,) of the values, as in :class:`~aiida_pesfp.assessment.scores.RankValues`. How far the
        orderings of a material are off is the same for all rankings, so it is drawn once for all.
    :raises AssessmentError: if a class has fewer than two materials, or all of them in one family.
    """
    draws, limit, errors = resampled_by_cluster(families, settings), settings.maximum_false_positive_rate, errors or {}
    easier = None
    if any(np.any(one) for one in errors.values()):
        easier = np.random.default_rng([settings.seed, 1]).standard_normal(draws.shape)

    @cache
    def areas(name: str, chosen: tuple[bool, ...]) -> tuple[float, np.ndarray]:
        """The score on some materials, and those of the resamples; NaN where a class was not drawn."""
        known = np.array(chosen)
        of_known = np.where(known, rankings[name], 0.0), good * known, bad * known
        shifts = easier * errors[name] if np.any(errors.get(name, 0.0)) else None
        with np.errstate(invalid='ignore'):
            return float(partial_area(*of_known, limit)), resampled_areas(*of_known, draws, limit, shifts)

    own, paired = {}, {}
    for name, values in rankings.items():
        known = np.isfinite(values)
        both = known & np.isfinite(rankings[reference])
        check_families(good[both], bad[both], list(compress(families, both)))
        own[name] = areas(name, tuple(known))
        if name != reference:
            (score, drawn), (other_score, other_drawn) = (areas(one, tuple(both)) for one in (name, reference))
            paired[name] = score - other_score, _usable(drawn - other_drawn)
    raw = [_p(drawn) for _, drawn in paired.values()]
    differences = {
        name: Difference(value, *_spread(drawn), p, corrected)
        for (name, (value, drawn)), p, corrected in zip(paired.items(), raw, holm(raw))
    }
    rows = []
    for name, (score, drawn) in own.items():
        known = np.isfinite(rankings[name])
        values = rankings[name][known]
        correlation = None if limits is None else rank_correlation(values, *(one[known] for one in limits))
        firsts = [or_none(precision(values, good[known], bad[known], number)) for number in FIRST]
        others = differences.get(name), or_none(correlation), firsts
        rows.append(Row(name, len(values), score, *_spread(_usable(drawn)), *others))
    return sorted(rows, key=lambda row: -row.score)


def resampled_by_cluster(clusters: list[str], settings: ScoreSettings) -> np.ndarray:
    """(resamples, n) how often each material is drawn if whole clusters are."""
    names, members = np.unique(clusters, return_inverse=True)
    generator = np.random.default_rng(settings.seed)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=settings.resamples)
    return drawn[:, members].astype(float)


def holm(p: list[float]) -> list[float]:
    """Significances of several tests corrected for their number (Holm, Scand. J. Statist. 6, 65)."""
    order = np.argsort(p)
    stepped = np.array(p)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return corrected.tolist()


def precision(ranking: np.ndarray, good: np.ndarray, bad: np.ndarray, first: int) -> float:
    """Share of good conductors among the first materials of a ranking; ties at its end count in part.

    Materials that are as likely good as bad count by their weights. NaN where nothing is known of the first ones, or
    all materials are among them.
    """
    if first >= len(ranking):
        return float('nan')
    ordered = np.sort(ranking)[::-1]
    edge = ordered[first - 1]
    above, level = ranking > edge, ranking == edge
    share = above + level * (first - above.sum()) / level.sum()
    known = (share * (good + bad)).sum()
    return float((share * good).sum() / known) if known > 0 else float('nan')


def rank_correlation(ranking: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Spearman's coefficient of a ranking and conductivities that are known within limits: 1 if all is right.

    The rank of a conductivity counts the pairs that it decides: the lower limit of one is above the upper limit of the
    other. A pair that is not decided counts half, as in the scores of Gehan, Biometrika 52, 203 (1965). Without limits
    these are the usual ranks, with their mean for equal values.

    :param lower, upper: (n,) limits of the conductivities; equal for a value, -inf or inf where one is unknown.
    :returns: NaN if all ranks are equal.
    """
    higher = lower[:, None] > upper[None, :]
    known = (len(ranking) + 1) / 2 + (higher.sum(axis=1) - higher.sum(axis=0)) / 2
    both = np.array([rankdata(ranking), known])
    if (np.ptp(both, axis=1) == 0).any():
        return float('nan')
    return float(np.corrcoef(both)[0, 1])


def check_families(good: np.ndarray, bad: np.ndarray, families: Iterable[str]) -> None:
    """Raise :class:`~aiida_pesfp.errors.AssessmentError` unless each class has materials of two families."""
    check_classes(good, bad)
    for kind, weights in (('good', good), ('bad', bad)):
        of_class = {one for one, weight in zip(families, weights) if weight > MEMBERSHIP}
        if len(of_class) < FEWEST:
            words = f'all {kind} conductors are of one family ({some_of(of_class)})'
            raise AssessmentError(f'{words}, an interval needs {FEWEST}: label materials of other families')


def _usable(resampled: np.ndarray) -> np.ndarray:
    """Those in which both classes were drawn."""
    return resampled[np.isfinite(resampled)]


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Error and interval of resampled values."""
    return float(values.std(ddof=1)), *map(float, np.percentile(values, _INTERVAL))


def _p(values: np.ndarray) -> float:
    """Twice the share of resamples on the smaller side of no difference, which counts for both."""
    return float(np.clip(2 * min((values <= 0).mean(), (values >= 0).mean()), 2 / len(values), 1))


def or_none(value: float | None) -> float | None:
    """Of plain JSON types: NaN is None."""
    return value if value is not None and np.isfinite(value) else None
