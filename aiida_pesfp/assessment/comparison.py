"""Whether one ranking is better than another: paired differences on the same materials, clustered by family.

Materials of one family are alike, in conductivity and in what rankings make of them. So whole families are drawn, not
materials, and both rankings are scored on the same draw: what they have in common drops out of their difference.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from pymatgen.core import Composition
from scipy.stats import rankdata

from aiida_pesfp.assessment.scores import (
    FEWEST,
    MEMBERSHIP,
    check_classes,
    partial_area,
    random_score,
    rank_values,
    resampled_areas,
)
from aiida_pesfp.errors import AssessmentError, some_of
from aiida_pesfp.settings.assessment import ScoreSettings
from aiida_pesfp.settings.scan import FingerprintSettings

#: What others are compared with.
REFERENCE = 'xi'
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
    easier = np.random.default_rng([settings.seed, 1]).standard_normal(draws.shape) if errors else None

    @cache
    def areas(name: str, chosen: tuple[bool, ...]) -> tuple[float, np.ndarray]:
        """The score on some materials, and those of the resamples; NaN where a class was not drawn."""
        known = np.array(chosen)
        of_known = np.where(known, rankings[name], 0.0), good * known, bad * known
        shifts = easier * errors[name] if np.any(errors.get(name, 0.0)) else None
        with np.errstate(invalid='ignore'):
            return float(partial_area(*of_known, limit)), resampled_areas(*of_known, draws, limit, shifts)

    found = {}
    for name, values in rankings.items():
        known = np.isfinite(values)
        both = known & np.isfinite(rankings[reference])
        _check(good[both], bad[both], [one for one, is_known in zip(families, both) if is_known])
        found[name] = (known, *areas(name, tuple(known)))
        if name != reference:
            of_both = (areas(one, tuple(both)) for one in (name, reference))
            found[name] += tuple(own - other for own, other in zip(*of_both))
    drawn = {name: entry[4][np.isfinite(entry[4])] for name, entry in found.items() if name != reference}
    raw = [_p(values) for values in drawn.values()]
    differences = {
        name: Difference(found[name][3], *_spread(values), p, corrected)
        for (name, values), p, corrected in zip(drawn.items(), raw, holm(raw))
    }
    rows = []
    for name, (known, whole, resampled, *_) in found.items():
        own = rankings[name][known]
        correlation = None if limits is None else rank_correlation(own, *(one[known] for one in limits))
        firsts = (precision(own, good[known], bad[known], number) for number in FIRST)
        rows.append(
            Row(
                name,
                int(known.sum()),
                whole,
                *_spread(resampled[np.isfinite(resampled)]),
                differences.get(name),
                _or_none(correlation),
                [_or_none(one) for one in firsts],
            )
        )
    return sorted(rows, key=lambda row: -row.score)


def compare_materials(
    materials: Mapping[str, Mapping],
    species: str,
    settings: ScoreSettings = ScoreSettings(),
    temperature: float | None = None,
    reference: str = REFERENCE,
) -> dict:
    """Compare the rankings of labelled materials with one of them.

    A ranking with the same order as an earlier one is not compared: it would be the same again.

    :param materials: as in an ``AssessmentData``: key -> weights, ``values``, ``formula``, and the entries of
        :func:`rank_materials`.
    :param species: the mobile ion.
    :param temperature: of the conductivities that are compared, K; None if there is none for all materials.
    :returns: of plain JSON types: ``rows``, those of :func:`compare`; ``reference``; ``same_order``, ranking -> the
        one with the same order; ``not_compared``, ranking -> reason; ``missing``, ranking -> key -> why it has no
        value; ``chance``, ``score`` and ``precision`` of a guess; numbers of ``materials``, ``good`` and ``bad`` ones,
        ``families`` and ``resamples``.
    :raises AssessmentError: if a class has fewer than two materials, or all of them in one family.
    """
    entries = list(materials.values())
    good, bad = (np.array([one[f'{kind}_weight'] for one in entries], dtype=float) for kind in ('good', 'bad'))
    families = [family(one['formula'], species) for one in entries]
    _check(good, bad, families)
    rankings, errors, missing, not_compared, same, orders = {}, {}, {}, {}, {}, {}
    for name in entries[0]['rankings']:
        values = np.array([one['rankings'][name] for one in entries], dtype=float)  # None becomes NaN
        own_errors = np.array([one['ranking_errors'][name] for one in entries], dtype=float)
        known, parts = np.isfinite(values), (values, own_errors)
        if without := {key: one['unranked'][name] for key, one in materials.items() if name in one['unranked']}:
            missing[name] = without
        if not known.any():
            not_compared[name] = next(iter(without.values()))
            continue
        try:
            _check(good[known], bad[known], [one for one, is_known in zip(families, known) if is_known])
        except AssessmentError as error:
            not_compared[name] = str(error)
            continue
        # With errors, values count too.
        order = (
            tuple(one.tobytes() for one in parts)
            if own_errors.any()
            else np.unique(values, return_inverse=True)[1].tobytes()
        )
        if (first := orders.setdefault(order, name)) != name:
            same[name] = first
            continue
        rankings[name] = values
        if own_errors.any():
            errors[name] = own_errors
    if reference not in rankings:
        raise AssessmentError(f'the reference {reference!r} cannot be compared: {not_compared.get(reference)}')
    limits = None if temperature is None else np.array([conductivity_limits(one, temperature) for one in entries]).T
    rows = compare(rankings, reference, good, bad, families, settings, limits, errors)
    chance = {'score': random_score(good, bad, settings).value, 'precision': float(good.sum() / (good + bad).sum())}
    numbers = {name: int((weights > MEMBERSHIP).sum()) for name, weights in (('good', good), ('bad', bad))}
    found = {'reference': reference, 'rows': [asdict(row) for row in rows], 'chance': chance, 'same_order': same}
    found |= {'not_compared': not_compared, 'missing': missing, 'materials': len(entries), **numbers}
    return found | {'families': len(set(families)), 'resamples': settings.resamples}


def compare_assessments(assessments: Mapping[str, Mapping], settings: ScoreSettings = ScoreSettings()) -> dict:
    """Compare the rankings of several assessments, on the structures that all have, with Xi of the first.

    :param assessments: name -> content of an ``AssessmentData``. The materials have the same keys if they are the same.
    :returns: that of :func:`compare_materials`, with names such as ``sevennet-0: xi``; ``assessments``, the names;
        ``left_out``, name -> the keys that not all have; and ``calibration``, those of ``xi_calibrated``, if known.
    :raises AssessmentError: if they cannot be compared, with the reason and the way out.
    """
    (first, reference), *others = assessments.items()
    if not others:
        raise AssessmentError(f'{first} alone is compared by `aiida-pesfp assess`: give two assessments or more')
    for name, content in assessments.items():
        for what in ('species', 'classes'):
            if content[what] != reference[what]:
                words = f'{first} and {name} differ in the {what}: {reference[what]} and {content[what]}'
                raise AssessmentError(f'{words}; assess both with the same options')
        if not all('rankings' in entry for entry in content['materials'].values()):
            raise AssessmentError(f'{name} was made by an older version: run `aiida-pesfp assess` again')
    common = [key for key in reference['materials'] if all(key in of['materials'] for of in assessments.values())]
    materials = {}
    for key in common:
        entries = {name: content['materials'][key] for name, content in assessments.items()}
        own = entries[first]
        for name, entry in entries.items():
            weights = [[one['good_weight'], one['bad_weight']] for one in (own, entry)]
            if not np.allclose(*weights):
                words = f'{own["formula"]} has other labels in {name} ({weights[1]}) than in {first} ({weights[0]})'
                raise AssessmentError(f'{words}: weights as a good and a bad conductor; assess both with one table')
        materials[key] = {**own} | {
            part: {
                f'{name}: {ranking}': value for name, entry in entries.items() for ranking, value in entry[part].items()
            }
            for part in ('rankings', 'ranking_errors', 'unranked')
        }
    try:
        found = compare_materials(
            materials,
            reference['species'],
            settings,
            reference['classes']['temperature'],
            f'{first}: {REFERENCE}',
        )
    except AssessmentError as error:
        words = f'of the {len(common)} structures that all assessments have: {error}'
        raise AssessmentError(
            f'{words}; or assess the same stored structures with each, such as those of one --group'
        ) from None
    left_out = {
        name: [key for key in content['materials'] if key not in materials] for name, content in assessments.items()
    }
    cuts = [content.get('comparison', {}).get('calibration') for content in assessments.values()]
    found['calibration'] = ', '.join(filter(None, cuts)) or None
    return found | {'assessments': list(assessments), 'left_out': left_out}


def names_of(contents: Mapping[str, Mapping]) -> dict[str, str]:
    """A name for each assessment: the potential, and what is unusual in its scans or differs between equal names.

    :param contents: key -> content of an ``AssessmentData``.
    """
    names = {}
    for key, content in contents.items():
        unusual = FingerprintSettings.unusual(content).values()
        words = (f'{value:g} A' if isinstance(value, float) else value for value in unusual)
        names[key] = ', '.join([content['potential_name'], *words])
    for more in (lambda key: f'{contents[key].get("spacing")} A', str):
        counts = Counter(names.values())
        names = {key: name if counts[name] == 1 else f'{name}, {more(key)}' for key, name in names.items()}
    return names


def rank_materials(
    rankings: Mapping[str, Callable[[Mapping], float]], tables: Mapping[str, Mapping]
) -> dict[str, dict]:
    """What rankings make of materials.

    :param rankings: name -> function of the descriptors of one material.
    :param tables: key -> descriptors of a material.
    :returns: key -> ``rankings``, name -> value or None; ``ranking_errors`` and ``unranked``, name -> error and reason,
        as in :class:`~aiida_pesfp.assessment.scores.RankValues`.
    """
    found = {key: {'rankings': {}, 'ranking_errors': {}, 'unranked': {}} for key in tables}
    for name, ranking in rankings.items():
        of_all = rank_values(ranking, list(tables.values()))
        for place, entry in enumerate(found.values()):
            if place in of_all.missing:
                entry['unranked'][name] = of_all.missing[place]
            entry['rankings'][name] = _or_none(float(of_all.values[place]))
            entry['ranking_errors'][name] = float(of_all.errors[place])
    return found


def family(formula: str, species: str) -> str:
    """The family of a compound: the elements of its framework, such as ``'P-S'`` of Li3PS4 and of Li7P3S11."""
    elements = sorted(one.symbol for one in Composition(formula).elements if one.symbol != species)
    return '-'.join(elements) or species


def conductivity_limits(material: Mapping, temperature: float) -> tuple[float, float]:
    """Between which values a conductivity lies: the span of the measurements at a temperature, S/cm.

    :param material: with ``values``, see :class:`~aiida_pesfp.assessment.classes.Value`.
    """
    values = [one for one in material['values'] if one['temperature'] == temperature]
    lower = min((-np.inf if one['limit'] == '<' else one['conductivity'] for one in values), default=-np.inf)
    return lower, max((np.inf if one['limit'] == '>' else one['conductivity'] for one in values), default=np.inf)


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

    Materials that are as likely good as bad count by their weights. NaN where nothing is known of the first ones.
    """
    ordered = np.sort(ranking)[::-1]
    edge = ordered[min(first, len(ordered)) - 1]
    above, level = ranking > edge, ranking == edge
    share = above + level * (min(first, len(ordered)) - above.sum()) / level.sum()
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


def _check(good: np.ndarray, bad: np.ndarray, families: Iterable[str]) -> None:
    """Raise an error unless each class has two materials, and not all of them in one family."""
    check_classes(good, bad)
    for kind, weights in (('good', good), ('bad', bad)):
        of_class = {one for one, weight in zip(families, weights) if weight > MEMBERSHIP}
        if len(of_class) < FEWEST:
            words = f'all {kind} conductors are of one family ({some_of(of_class)})'
            raise AssessmentError(f'{words}, an interval needs {FEWEST}: label materials of other families')


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Error and interval of resampled values."""
    return float(values.std(ddof=1)), *map(float, np.percentile(values, _INTERVAL))


def _p(values: np.ndarray) -> float:
    """Twice the share of resamples on the smaller side of no difference, which counts for both."""
    return float(np.clip(2 * min((values <= 0).mean(), (values >= 0).mean()), 2 / len(values), 1))


def _or_none(value: float | None) -> float | None:
    """Of plain JSON types: NaN is None."""
    return value if value is not None and np.isfinite(value) else None
