"""Which rankings are better than Xi with the paper's potential, on what ``assess.py`` left: paired, by families.

Run ``python benchmarks/compare.py FOLDER/*/0.5/assessment.json``, the first that of the reference. Only materials that
all potentials have are compared. A composition in several sets counts in the first of them only. With one file, its
rankings are compared with its Xi.
"""

import argparse
import json
import re
from pathlib import Path

from aiida_pesfp.assessment.calibrated import Calibrations
from aiida_pesfp.assessment.comparison import compare_assessments, compare_materials, rank_materials
from aiida_pesfp.assessment.features import compared_rankings
from aiida_pesfp.fingerprint.quantities import XI_CALIBRATED, xi
from aiida_pesfp.report.comparison import sentences, table
from aiida_pesfp.report.plots.assessment import write_comparison
from aiida_pesfp.settings.assessment import ScoreSettings
from aiida_pesfp.settings.descriptors import DescriptorSettings

SETTINGS = ScoreSettings(resamples=4000)
POOLED = 'all, each composition once'


def with_rankings(content: dict) -> dict:
    """An assessment whose materials have all rankings, also Xi with the cuts that come with the package."""
    rankings = compared_rankings()
    found = Calibrations().of(content | {'settings': DescriptorSettings().as_dict()})
    if found is not None:
        rankings[XI_CALIBRATED.name] = lambda one: xi(one['fv_connected'], one['fv_disconnected'], found.parameters)
    ranked = rank_materials(rankings, content['materials'])
    return content | {'materials': {key: one | ranked[key] for key, one in content['materials'].items()}}


def pool(sets: dict[str, dict], common: dict[str, list[str]]) -> dict:
    """The materials of several sets of one potential as one assessment, whose conductivities have no order.

    :param common: set -> keys of the materials that all potentials have.
    """
    materials, seen = {}, set()
    for name, keys in common.items():
        own = {f'{name}/{key}': sets[name]['materials'][key] for key in keys}
        materials |= {key: one for key, one in own.items() if one['formula'] not in seen}
        seen |= {one['formula'] for one in own.values()}
    return next(iter(sets.values())) | {'materials': materials, 'classes': {'temperature': None}}


def main():
    """Print a table for each set, and one for all materials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('assessments', nargs='+', type=Path, metavar='FOLDER/assessment.json')
    parser.add_argument('--sets', nargs='+', help='only these sets of labels')
    parser.add_argument('--figures', type=Path, help='write a figure of each table into this folder')
    arguments = parser.parse_args()
    contents = {}
    for path in arguments.assessments:
        content = json.loads(path.read_text())
        chosen = arguments.sets or content['sets']
        contents[content['potential']] = {name: with_rankings(content['sets'][name]) for name in chosen}
    first = next(iter(contents.values()))
    common = {
        name: [key for key in of['materials'] if all(key in one[name]['materials'] for one in contents.values())]
        for name, of in first.items()
    }
    tables = {name: {potential: sets[name] for potential, sets in contents.items()} for name in first}
    tables[POOLED] = {potential: pool(sets, common) for potential, sets in contents.items()}
    for name, assessments in tables.items():
        [(_, first_of), *others] = assessments.items()
        parameters = first_of['materials'], first_of['species'], SETTINGS, first_of['classes']['temperature']
        found = compare_assessments(assessments, SETTINGS) if others else compare_materials(*parameters)
        numbers = f'{found["materials"]} materials, {found["good"]} good, {found["bad"]} bad'
        print(f'\n{name}: {numbers}, {found["families"]} families')
        print(table(found))
        print('\n'.join(sentences(found)))
        if arguments.figures:
            label = 'comparison-' + re.sub(r'\W+', '-', name)
            print(f'wrote {write_comparison(arguments.figures, found, label, name)}')


if __name__ == '__main__':
    main()
