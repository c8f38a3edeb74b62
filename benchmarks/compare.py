"""Which rankings are better than Xi with the paper's potential, on what ``assess.py`` left: paired, by families.

Run ``python benchmarks/compare.py FOLDER/*/0.5/assessment.json``, the first that of the reference. Only materials that
all potentials have are compared. A composition in several sets counts in the first of them only.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from common import PAPER
from tabulate import tabulate

from aiida_pesfp.assessment.calibrated import shipped
from aiida_pesfp.assessment.comparison import concordance, differences, family, precision
from aiida_pesfp.fingerprint.quantities import xi
from aiida_pesfp.settings.assessment import ScoreSettings
from aiida_pesfp.settings.descriptors import XiParameters

SPECIES = 'Li'
#: How a material is ranked by its descriptors and the cuts of its potential.
RANKINGS = {
    'xi': lambda one, cuts: one['xi'],
    'xi, own cuts': lambda one, cuts: xi(one['fv_connected'], one['fv_disconnected'], cuts),
    'free volumes': lambda one, cuts: one['fv_connected'] * one['fv_disconnected'],
    'joint free volume': lambda one, cuts: one['fv_joint'],
    '-mpe': lambda one, cuts: -one['mpe'],
    '-barrier_1d': lambda one, cuts: -one['barrier_1d'],
    '-barrier_3d': lambda one, cuts: -one['barrier_3d'],
    '-barrier_joint': lambda one, cuts: -one['barrier_joint'],
}
SETTINGS = ScoreSettings(resamples=4000)


def cuts_of(potential: str) -> XiParameters:
    """The cuts that come with the package for a potential, or the published ones."""
    name = PAPER if potential == 'paper' else potential
    return next((one.parameters for one in shipped() if one.name == name), XiParameters())


def limits(material: dict) -> tuple[float, float]:
    """Between which values its conductivity lies: the span of its measurements, S/cm."""
    values = material['values']
    lower = min(-np.inf if one['limit'] == '<' else one['conductivity'] for one in values)
    return lower, max(np.inf if one['limit'] == '>' else one['conductivity'] for one in values)


def table_of(materials: dict[str, list[dict]], one_set: bool) -> list[tuple]:
    """Rows of the table of some materials: potential -> its entries, in the same order.

    :param one_set: whether their conductivities are of one temperature, so that they have an order.
    """
    first = next(iter(materials.values()))
    good, bad = (np.array([one[f'{kind}_weight'] for one in first]) for kind in ('good', 'bad'))
    rankings = {
        f'{potential}: {name}': np.array([ranking(one, cuts_of(potential)) for one in entries])
        for potential, entries in materials.items()
        for name, ranking in RANKINGS.items()
    }
    reference = next(iter(rankings))
    clusters = [family(one['formula'], SPECIES) for one in first]
    bounds = np.array([limits(one) for one in first]).T
    others = {
        name: (
            concordance(values, *bounds) if one_set else None,
            *(precision(values, good, bad, number) for number in (10, 20)),
        )
        for name, values in rankings.items()
    }
    found = differences(rankings, reference, good, bad, clusters, SETTINGS)
    score = found[0].score - found[0].value
    rows = [(reference, score, None, None, None, *others[reference])]
    for one in found:
        interval = f'{one.lower:+.2f} to {one.upper:+.2f}'
        rows.append((one.ranking, one.score, one.value, interval, one.p_corrected, *others[one.ranking]))
    return rows


def main():
    """Print a table for each set, and one for all materials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('assessments', nargs='+', type=Path, metavar='FOLDER/assessment.json')
    arguments = parser.parse_args()
    contents = {}
    for path in arguments.assessments:
        content = json.loads(path.read_text())
        contents[content['potential']] = content['sets']
    first, pooled, seen = next(iter(contents.values())), {name: [] for name in contents}, set()
    heads = ('ranking', 'score', 'difference', '95 %', 'p', 'concordance', 'first 10', 'first 20')
    tables = {}
    for name in first:
        keys = [
            key for key in first[name]['materials'] if all(key in of[name]['materials'] for of in contents.values())
        ]
        tables[name] = {potential: [of[name]['materials'][key] for key in keys] for potential, of in contents.items()}
        new = [index for index, key in enumerate(keys) if first[name]['materials'][key]['formula'] not in seen]
        seen |= {first[name]['materials'][key]['formula'] for key in keys}
        for potential, entries in tables[name].items():
            pooled[potential] += [entries[index] for index in new]
    for name, materials in (tables | {'all, each composition once': pooled}).items():
        entries = next(iter(materials.values()))
        kinds = {kind: sum(one[f'{kind}_weight'] > 0.5 for one in entries) for kind in ('good', 'bad')}
        families = len({family(one['formula'], SPECIES) for one in entries})
        print(f'\n{name}: {len(entries)} materials, {kinds["good"]} good, {kinds["bad"]} bad, {families} families')
        print(
            tabulate(
                table_of(materials, name in tables), heads, floatfmt=('', '.2f', '+.2f', '', '.2g', '.2f', '.2f', '.2f')
            )
        )


if __name__ == '__main__':
    main()
