"""A comparison of rankings as a table and in sentences."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import compress

import numpy as np
from tabulate import tabulate

from aiida_pesfp.assessment.calibrated import BY_VOLUMES
from aiida_pesfp.assessment.calibration import FEW
from aiida_pesfp.assessment.differences import FIRST, SIGNIFICANT, VISIBLE
from aiida_pesfp.assessment.features import FREE_VOLUMES
from aiida_pesfp.errors import some_of
from aiida_pesfp.fingerprint.quantities import XI_CALIBRATED

#: Head and format of the columns.
_COLUMNS = [('ranking', ''), ('score', '.2f'), ('95 %', ''), ('difference', '+.2f'), ('95 %', ''), ('p', '.2g')]
_COLUMNS.append(('Spearman', '.2f'))
#: Names in one sentence.
_FEW = 3


def shown(ranking: str) -> str:
    """The name of a ranking in tables and figures."""
    start, _, text = ranking.rpartition(': ')
    return ': '.join(filter(None, [start, BY_VOLUMES if text == FREE_VOLUMES else text]))


def verdict(row: Mapping) -> str | None:
    """Whether a ranking is shown to be ``better`` or ``worse`` than the reference; None if neither is.

    :param row: of :func:`~aiida_pesfp.assessment.comparison.compare_materials`.
    """
    difference = row['difference']
    if difference is None or difference['p_corrected'] >= SIGNIFICANT:
        return None
    return 'better' if difference['value'] > 0 else 'worse'


def table(content: Mapping) -> str:
    """The rankings, the best first, and below them what chance gives.

    :param content: of :func:`~aiida_pesfp.assessment.comparison.compare_materials`.
    """
    columns = [*_COLUMNS, *((f'first {one}', '.2f') for one in FIRST), ('materials', '')]
    guesses = [content['chance']['precision']] * len(FIRST)
    rows = [[*_cells(row), row['materials']] for row in content['rows']]
    random = ['random', content['chance']['score'], *[None] * 4, 0.0, *guesses, content['materials']]
    told = [any(row[place] is not None for row in rows) for place in range(len(columns))]
    told[-1] = any(row['materials'] < content['materials'] for row in content['rows'])
    heads, formats = zip(*compress(columns, told))
    return tabulate(
        [list(compress(row, told)) for row in [*rows, random]], heads, floatfmt=formats, disable_numparse=[0]
    )


def _cells(row: Mapping) -> list:
    own = [shown(row['ranking']), row['score'], f'{row["lower"]:.2f} to {row["upper"]:.2f}']
    compared = [None, 'reference', None]
    if one := row['difference']:
        compared = [one['value'], f'{one["lower"]:+.2f} to {one["upper"]:+.2f}', one['p_corrected']]
    return [*own, *compared, row['rank_correlation'], *row['precision']]


def sentences(content: Mapping) -> Iterator[str]:
    """What follows from a comparison, how it was made, and what takes no part in it.

    :param content: of :func:`~aiida_pesfp.assessment.comparison.compare_materials`.
    """
    differences = [row['difference'] for row in content['rows'] if row['difference']]
    reference, number = shown(content['reference']), len(differences)
    if differences:
        yield from _outcome(content, reference)
        classes = f'{content["good"]} good and {content["bad"]} bad conductors in {content["families"]} families'
        if errors := [one['error'] for one in differences if one['error'] > 0]:
            least = VISIBLE * float(np.median(errors))
            yield f'differences below about {least:.2f} cannot be seen with {classes}'
        else:
            yield f'no draw tells the rankings apart, with {classes}'
        if min(content['good'], content['bad']) < FEW:
            yield f'with fewer than {FEW} of a class, another material more or less can change the result'
        how = f'intervals hold 95 % of {content["resamples"]} draws of whole families'
        yield f'p is corrected for {number} ranking{"s" if number > 1 else ""} (Holm); {how}'
        smallest = 2 * number / content['resamples']
        if smallest >= SIGNIFICANT:
            yield f'{content["resamples"]} resamples cannot show a p below {min(smallest, 1):.2g}: take more'
    same = defaultdict(list)
    for name, other in content['same_order'].items():
        same[other].append(shown(name))
    for other, names in same.items():
        yield f'the same order as {shown(other)}, and not counted again: {", ".join(names)}'
    for name, reason in content['not_compared'].items():
        yield f'{shown(name)} is not compared: {reason}'
    for name, reasons in content['missing'].items():
        if name not in content['not_compared']:
            (_, first), *_ = reasons.items()
            without = f'{len(reasons)} of {content["materials"]} materials ({some_of(reasons, _FEW)})'
            yield f'{shown(name)} has no value for {without}: {first}'
    for name, keys in content.get('left_out', {}).items():
        if keys:
            yield f'{name}: {len(keys)} structures take no part, as not all assessments have them'
    calibrated = any(row['ranking'].endswith(XI_CALIBRATED.name) for row in content['rows'])
    if calibrated and (calibration := content.get('calibration')):
        yield f'{XI_CALIBRATED.name} has the cuts {calibration}: if these labels made them, its score is too good'


def _outcome(content: Mapping, reference: str) -> Iterator[str]:
    shown_ones = [row for row in content['rows'] if verdict(row)]
    if not any(verdict(row) == 'better' for row in shown_ones):
        yield f'nothing is shown to be better than {reference}'
    for row in shown_ones:
        one = row['difference']
        by = f'{abs(one["value"]):.2f} (p = {one["p_corrected"]:.2g})'
        yield f'{shown(row["ranking"])} is {verdict(row)} than {reference} by {by}'
