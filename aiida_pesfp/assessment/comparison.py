"""Which rankings of labelled materials are compared, in one assessment and between several."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import compress

import numpy as np
from pymatgen.core import Composition

from aiida_pesfp.assessment.differences import check_families, compare, or_none
from aiida_pesfp.assessment.scores import MEMBERSHIP, random_score, rank_values
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.settings.assessment import ScoreSettings
from aiida_pesfp.settings.scan import FingerprintSettings

#: What others are compared with.
REFERENCE = 'xi'


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
            entry['rankings'][name] = or_none(float(of_all.values[place]))
            entry['ranking_errors'][name] = float(of_all.errors[place])
    return found


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
    check_families(good, bad, families)
    rankings, errors, missing, not_compared, same, orders = {}, {}, {}, {}, {}, {}
    for name in dict.fromkeys([reference, *entries[0]['rankings']]):
        values, own_errors = (
            np.array([one[part][name] for one in entries], dtype=float)  # None becomes NaN
            for part in ('rankings', 'ranking_errors')
        )
        known = np.isfinite(values)
        if without := {key: one['unranked'][name] for key, one in materials.items() if name in one['unranked']}:
            missing[name] = without
        # Its difference is that on the materials that the reference, which comes first, has too.
        known &= np.isfinite(rankings.get(reference, values))
        if reason := _reason_against(good[known], bad[known], list(compress(families, known)), without):
            not_compared[name] = reason
            continue
        order = _order(values, own_errors)
        if (first := orders.setdefault(order, name)) != name:
            same[name] = first
            continue
        rankings[name], errors[name] = values, own_errors
    if reference in not_compared:
        raise AssessmentError(f'{reference} cannot be compared: {not_compared[reference]}')
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


def _reason_against(good, bad, families: list[str], missing: dict[str, str]) -> str | None:
    """Why a ranking of some materials cannot be compared, if so."""
    if not families:
        return next(iter(missing.values()), 'no material has a value')
    try:
        check_families(good, bad, families)
    except AssessmentError as error:
        return str(error)
    return None


def _order(values: np.ndarray, errors: np.ndarray) -> tuple[bytes, ...]:
    """What is the same for two rankings of which nothing can tell apart: ranks, or with errors all numbers."""
    if errors.any():
        return values.tobytes(), errors.tobytes()
    return np.isnan(values).tobytes(), np.unique(values, return_inverse=True)[1].tobytes()
