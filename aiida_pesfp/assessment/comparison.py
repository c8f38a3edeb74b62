"""Whether one ranking is better than another: paired differences on the same materials, clustered by family.

Materials of one family are alike, in conductivity and in what rankings make of them. So whole families are drawn, not
materials, and both rankings are scored on the same draw: what they have in common drops out of their difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Composition

from aiida_pesfp.assessment.scores import partial_area
from aiida_pesfp.settings.assessment import ScoreSettings


@dataclass(frozen=True)
class Difference:
    """The score of a ranking less that of the reference.

    :param error: standard deviation over resamples, of which 95 % lie from ``lower`` to ``upper``.
    :param p: how often the resamples have no difference, or one of the other sign, twice the smaller side; at least
        two in the number of resamples.
    :param p_corrected: that of all comparisons that were made (Holm 1979).
    """

    ranking: str
    score: float
    value: float
    error: float
    lower: float
    upper: float
    p: float
    p_corrected: float


def family(formula: str, species: str) -> str:
    """The family of a compound: the elements of its framework, such as ``'P-S'`` of Li3PS4 and of Li7P3S11."""
    elements = sorted(one.symbol for one in Composition(formula).elements if one.symbol != species)
    return '-'.join(elements) or species


def resampled_by_cluster(clusters: list[str], settings: ScoreSettings) -> np.ndarray:
    """(resamples, n) how often each material is drawn if whole clusters are."""
    names, members = np.unique(clusters, return_inverse=True)
    generator = np.random.default_rng(settings.seed)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=settings.resamples)
    return drawn[:, members].astype(float)


def differences(
    rankings: Mapping[str, np.ndarray],
    reference: str,
    good: np.ndarray,
    bad: np.ndarray,
    clusters: list[str],
    settings: ScoreSettings = ScoreSettings(),
) -> list[Difference]:
    """The difference of each ranking from one of them, the largest first.

    :param rankings: name -> (n,) values, the best material the highest.
    :param good, bad: (n,) weights of the materials as good and as bad conductors.
    :param clusters: (n) families.
    """
    draws = resampled_by_cluster(clusters, settings)
    limit = settings.maximum_false_positive_rate
    with np.errstate(invalid='ignore'):
        drawn = {name: partial_area(values, good * draws, bad * draws, limit) for name, values in rankings.items()}
    whole = {name: float(partial_area(values, good, bad, limit)) for name, values in rankings.items()}
    usable = np.isfinite(drawn[reference])
    names = [name for name in rankings if name != reference]
    found = {name: (drawn[name] - drawn[reference])[usable] for name in names}
    raw = [_p(values) for values in found.values()]
    rows = [
        Difference(
            name,
            whole[name],
            whole[name] - whole[reference],
            float(values.std(ddof=1)),
            *map(float, np.percentile(values, [2.5, 97.5])),
            p,
            corrected,
        )
        for (name, values), p, corrected in zip(found.items(), raw, holm(raw))
    ]
    return sorted(rows, key=lambda row: -row.value)


def _p(values: np.ndarray) -> float:
    """Twice the share of resamples on the smaller side of no difference, which counts for both."""
    return float(np.clip(2 * min((values <= 0).mean(), (values >= 0).mean()), 2 / len(values), 1))


def holm(p: list[float]) -> list[float]:
    """Significances of several tests corrected for their number (Holm, Scand. J. Statist. 6, 65)."""
    order = np.argsort(p)
    stepped = np.array(p)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return corrected.tolist()


def precision(ranking: np.ndarray, good: np.ndarray, bad: np.ndarray, first: int) -> float:
    """Share of good conductors among the first materials of a ranking; ties at its end count in part.

    Materials that are as likely good as bad count by their weights. NaN where nothing is known of the first ones.
    """
    ordered = np.sort(ranking)[::-1]
    edge = ordered[min(first, len(ordered)) - 1]
    above, level = ranking > edge, ranking == edge
    share = above + level * (min(first, len(ordered)) - above.sum()) / level.sum()
    known = (share * (good + bad)).sum()
    return float((share * good).sum() / known) if known > 0 else float('nan')


def concordance(ranking: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """How often the order of two materials is right, where their conductivities tell it: 1 always, 0.5 by chance.

    Harrell's index for values that are known within limits: a pair counts if the lower limit of one is above the upper
    limit of the other. Equal ranks count half.

    :param lower, upper: (n,) limits of the conductivities; equal for a value, -inf or inf where one is unknown.
    :returns: NaN if no pair can be compared.
    """
    higher = lower[:, None] > upper[None, :]
    right = (ranking[:, None] > ranking[None, :]) + 0.5 * (ranking[:, None] == ranking[None, :])
    return float(right[higher].mean()) if higher.any() else float('nan')
