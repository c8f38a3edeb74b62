"""All rankings on one set of labels: the table behind Fig. 3 of arXiv:2411.06804."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from aiida_pesfp.assessment.classes import ClassSettings, classify
from aiida_pesfp.assessment.features import DescriptorExpression, standard_rankings
from aiida_pesfp.assessment.labels import Measurement
from aiida_pesfp.assessment.scores import ScoreSettings, random_score, score
from aiida_pesfp.errors import AssessmentError, ExpressionError


def judge_rankings(
    measurements: list[Measurement],
    rows: dict[int, str],
    carrier_densities: dict[str, float],
    descriptors: dict[str, dict],
    classes: ClassSettings,
    settings: ScoreSettings = ScoreSettings(),
    expressions: tuple[str, ...] = (),
) -> dict:
    """Scores of the rankings by each descriptor, by Xi, and by any expressions.

    :param rows: row of a measurement -> key of its structure.
    :param carrier_densities: of the structures, 1/cm^3.
    :param descriptors: key of a structure -> its descriptors.
    :returns: of plain JSON types: ``rows`` of the table, the best first; ``random``; ``classes``; ``score_settings``;
        ``number_of_good`` and ``number_of_bad``; ``materials``, key -> weights and conductivities;
        ``rows_without_a_conductivity`` and ``structures_without_descriptors``.
    :raises AssessmentError: if a class has fewer than two materials.
    """
    groups: dict[str, list] = {}
    without = set()
    for measurement in measurements:
        key = rows.get(measurement.row)
        if key in descriptors:
            groups.setdefault(key, []).append((measurement, carrier_densities[key]))
        elif key is not None:
            without.add(key)
    materials, unusable = classify(groups, classes)
    if not materials:
        raise AssessmentError('no structure has both descriptors and a label that says something')
    keys = sorted(materials)
    good = np.array([materials[key].good_weight for key in keys])
    bad = np.array([materials[key].bad_weight for key in keys])
    chance = random_score(good, bad, settings)
    tables = [descriptors[key] for key in keys]
    rankings = dict.fromkeys([*standard_rankings(tables[0]), *expressions])
    table = [_row(text, keys, tables, good, bad, settings) for text in rankings]
    table.sort(key=lambda row: -(row['score']['value'] if row['score'] else -1))
    return {
        'rows': table,
        'random': chance.as_dict(),
        'classes': asdict(classes),
        'score_settings': asdict(settings),
        'number_of_good': float(good.sum()),
        'number_of_bad': float(bad.sum()),
        'materials': {key: materials[key].as_dict() for key in keys},
        'rows_without_a_conductivity': unusable,
        'structures_without_descriptors': sorted(without),
    }


def _row(text: str, keys, tables, good, bad, settings: ScoreSettings) -> dict:
    """A material for which the expression has no value is left out of this row alone, with the reason."""
    expression, ranking, missing = DescriptorExpression(text), {}, {}
    for position, (key, table) in enumerate(zip(keys, tables)):
        try:
            ranking[position] = expression(table)
        except ExpressionError as error:
            missing[key] = str(error)
    positions, values = list(ranking), np.array(list(ranking.values()))
    row = {'ranking': text, 'score': None, 'materials': len(positions), 'missing': missing, 'error': None}
    try:
        row['score'] = score(values, good[positions], bad[positions], settings).as_dict()
    except AssessmentError as error:
        row['error'] = str(error)
    return row
