"""Descriptors of the experimental crystals of OBELiX, most of them disordered, against their conductivities.

Run ``python benchmarks/obelix.py POTENTIAL -o FOLDER --minutes 60``; ``paper`` is the paper's own. The folder gets an
AiiDA profile with every node behind the tables, in which ``aiida-pesfp launch screen`` scans a few crystals at a time,
the cheapest first, until the time is over; a later call goes on. ``--minutes 0`` prints what is there.
"""

import argparse
import csv
import itertools
import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from common import PAPER, SHARED, SIGMA, UNFIT
from pymatgen.analysis.structure_matcher import FrameworkComparator, StructureMatcher
from pymatgen.core import Composition, Structure
from scipy.stats import spearmanr
from tabulate import tabulate

from aiida_pesfp.crystals.canonical import canonical_cell
from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.crystals.ordering.order import order
from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.ensemble import SMALLEST_VOLUME
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.settings.ordering import OrderingSettings
from aiida_pesfp.settings.scan import ScanSettings

OBELIX = SHARED / 'obelix'
#: Sigma+ and sigma- of the paper for conductivities at room temperature (Sec. II B), S/cm.
GOOD, BAD = 5e-5, 1e-5
CLASSES = ('ordered', 'Li-disordered', 'framework-disordered')
SPACING, ORDERINGS = 0.5, 3


def call(*command: str) -> str:
    """What a command of AiiDA prints; its errors go to the terminal."""
    path = Path(sys.executable).parent / command[0]
    return subprocess.run([path, *command[1:]], stdout=subprocess.PIPE, text=True, check=True).stdout


def read_rows() -> dict[str, dict]:
    """Rows of the table that have a CIF."""
    with (OBELIX / 'train.csv').open(newline='') as file:
        rows = {row['ID']: row for row in csv.DictReader(file)}
    return {key: row for key, row in rows.items() if (OBELIX / 'train_cifs' / f'{key}.cif').exists()}


def conductivity(row: dict) -> float:
    """Of a row, S/cm; a bound counts as its value."""
    return float(row[SIGMA].lstrip('<'))


def class_of(structure: Structure) -> str:
    """Which sites of a crystal are disordered."""
    if structure.is_ordered:
        return CLASSES[0]
    occupants = {specie.symbol for site in structure if not site.is_ordered for specie in site.species}
    return CLASSES[1] if occupants == {'Li'} else CLASSES[2]


def describe(key: str, row: dict) -> dict:
    """The class of a crystal and what its scan costs, or why it is left out."""
    structure = next(iter(itertools.islice(read_file(OBELIX / 'train_cifs' / f'{key}.cif'), 1))).structure
    found = {'class': class_of(structure), 'sites': len(structure)}
    if match := re.search(UNFIT, row['note'], re.IGNORECASE):
        return found | {'left_out': f'its note: {match[0]}'}
    if 'Li' not in structure.composition.element_composition and 'Li' in Composition(row['Reduced Composition']):
        return found | {'left_out': 'its CIF is without the Li of its composition'}
    try:
        if structure.is_ordered:
            members = [canonical_cell(structure)]
        else:
            members = [one.structure for one in order(structure, OrderingSettings(number=ORDERINGS))]
        points = plan_scan(members[0], settings=ScanSettings(spacing=SPACING)).evaluations
    except StructureError as error:
        return found | {'left_out': f'{type(error).__name__}: {error}'}
    return found | {'orderings': len(members), 'atoms': len(members[0]), 'points': points * len(members)}


def make_plan(path: Path) -> dict[str, dict]:
    """What is known of each crystal before it is scanned; made once, in some minutes."""
    plan = json.loads(path.read_text()) if path.exists() else {}
    for key, row in read_rows().items():
        if key not in plan:
            plan[key] = describe(key, row)
            path.write_text(json.dumps(plan, indent=1))
    return plan


def make_profile(potential: str, plan: dict) -> None:
    """An AiiDA profile with the crystals, a group for each class, and the potential."""
    call('verdi', 'presto', '--profile-name', 'obelix', '--non-interactive')
    call('aiida-pesfp', 'setup', *(() if potential == 'sevennet-0' else ('--potential', potential)))
    for name in CLASSES:
        files = [OBELIX / 'train_cifs' / f'{key}.cif' for key, one in plan.items() if one['class'] == name]
        call('aiida-pesfp', 'import', 'folder', *map(str, files), '-G', name, '--database', 'OBELiX')


def stored() -> tuple[dict, dict]:
    """Structures and descriptors of the profile, by the names of the CIFs."""
    from aiida.orm import Group, QueryBuilder, StructureData

    from aiida_pesfp.queries.descriptors import descriptors_of_structures, newest

    query = QueryBuilder().append(Group, filters={'label': {'in': list(CLASSES)}}, tag='class')
    nodes = {node.label: node for node in query.append(StructureData, with_group='class').all(flat=True)}
    found = descriptors_of_structures(list(nodes.values()))
    return nodes, {key: newest(found[node.pk])[-1] for key, node in nodes.items() if node.pk in found}


def scan(potential: str, plan: dict, arguments) -> None:
    """Scan what is missing, a few crystals at a time."""
    nodes, done = stored()
    order_of_cost = sorted((key for key, one in plan.items() if 'points' in one), key=lambda key: plan[key]['points'])
    left = [key for key in order_of_cost if key not in done and key not in arguments.skip]
    end = time.monotonic() + 60 * arguments.minutes
    for begin in range(0, len(left), arguments.at_once):
        if time.monotonic() > end:
            break
        batch = left[begin : begin + arguments.at_once]
        options = ['--protocol', 'fast', '--adaptive', '--transition-metals', '--duplicates', 'keep']
        options += ['--potential', potential, '--label', f'OBELiX: {", ".join(batch)}']
        print(f'{time.strftime("%H:%M")} {", ".join(batch)}', flush=True)
        call('aiida-pesfp', 'launch', 'screen', *(str(nodes[key].pk) for key in batch), *options)


def print_progress(plan: dict, done: dict) -> None:
    """How many crystals of each class can be scanned, were, and why others were not."""
    rows = []
    for name in (*CLASSES, 'all'):
        own = {key: one for key, one in plan.items() if name in (one['class'], 'all')}
        fit = [key for key, one in own.items() if 'points' in one]
        scanned = sum(key in done for key in fit)
        rows.append((name, len(own), len(own) - len(fit), len(fit), scanned))
    print(tabulate(rows, ('class', 'CIFs', 'left out', 'can be scanned', 'scanned')))
    reasons = Counter(one['left_out'].split(':')[0] for one in plan.values() if 'left_out' in one)
    print('left out:', ', '.join(f'{number} {reason}' for reason, number in reasons.most_common()))
    total = sum(one.get('points', 0) for one in plan.values())
    points = sum(plan[key]['points'] for key in done)
    evaluated = evaluations_of([one.pk for node in done.values() for one in members(node)])
    print(f'{points / total:.1%} of {total / 1e6:.1f} million points; {evaluated} evaluations of {points} points')


def members(node) -> list:
    """The descriptors of the orderings of a crystal, or its own."""
    from aiida_pesfp.queries.ensembles import members_of

    return list(members_of([node])[node.pk].values()) if 'orderings' in node.base.attributes.all else [node]


def evaluations_of(descriptors: list[int]) -> int:
    """Evaluations of the scans behind descriptors."""
    from aiida.orm import QueryBuilder

    from aiida_pesfp.data.pes import PesData
    from aiida_pesfp.queries.descriptors import surfaces_of

    filters = {'id': {'in': list(surfaces_of(descriptors).values())}}
    return sum(QueryBuilder().append(PesData, filters=filters, project='attributes.evaluations').all(flat=True))


def logarithm(node, name: str) -> float:
    """Log10 of a free volume."""
    return float(np.log10(max(node[name], SMALLEST_VOLUME)))


RANKINGS = {
    'xi': lambda node: node['xi'],
    '-mpe': lambda node: -node['mpe'],
    'connected(0.5)': lambda node: node['fv_connected'],
    'disconnected(0.5)': lambda node: node['fv_disconnected'],
}


def print_scores(title: str, groups: dict[str, list[str]], done: dict, rows: dict, scores: dict) -> None:
    """Spearman coefficients with the conductivity, and the paper's score where it was computed."""
    shown = []
    for name, keys in groups.items():
        sigmas = np.array([conductivity(rows[key]) for key in keys])
        cells = []
        for ranking, value in RANKINGS.items():
            values = [value(done[key]) for key in keys]
            varies = len(set(values)) > 1 and len(set(sigmas)) > 1
            cells.append(f'{spearmanr(values, sigmas).statistic:.2f}' if varies else '-')
            if scores:
                found = scores.get(name, {}).get(ranking)
                cells.append(f'{found["value"]:.2f} ± {found["error"]:.2f}' if found else '-')
        shown.append((name, len(keys), int((sigmas > GOOD).sum()), int((sigmas < BAD).sum()), *cells))
    heads = [
        head for name in RANKINGS for head in ((f'{name}: Spearman', 'score') if scores else (f'{name}: Spearman',))
    ]
    print(f'\n{title}')
    print(tabulate(shown, ('', 'materials', 'good', 'bad', *heads)))


def print_spread(done: dict) -> None:
    """The spread over orderings beside that between crystals."""
    ensembles = [node for node in done.values() if (node.base.attributes.all.get('orderings') or 1) > 1]
    if len(ensembles) < 2:
        return
    shown = []
    for name in ('fv_connected', 'fv_disconnected'):
        within = np.array([node['spread'][name] for node in ensembles])
        between = np.std([logarithm(node, name) for node in ensembles], ddof=1)
        root = np.sqrt((within**2).mean())
        shown.append((f'log10 {name}', between, root, np.median(within), within.max(), root**2 / between**2))
    within = np.array([node['spread']['mpe'] for node in ensembles])
    between, root = np.std([node['mpe'] for node in ensembles], ddof=1), np.sqrt((within**2).mean())
    shown.append(('mpe (eV)', between, root, np.median(within), within.max(), root**2 / between**2))
    print(f'\nSpread over the orderings of a crystal, and between {len(ensembles)} disordered crystals')
    heads = ('', 'between', 'within (rms)', 'within (median)', 'within (largest)', 'ratio of variances')
    print(tabulate(shown, heads, floatfmt='.2f'))
    crossing = sum(node['xi_low'] < 0.25 < node['xi_high'] for node in ensembles)
    print(f'{crossing} of {len(ensembles)} have an interval of Xi that holds 0.25')


def print_extremes(done: dict, rows: dict) -> None:
    """Good conductors with the lowest Xi, and bad ones with the highest."""
    for words, wanted, sign in (('good', lambda s: s > GOOD, 1), ('bad', lambda s: s < BAD, -1)):
        keys = sorted((key for key in done if wanted(conductivity(rows[key]))), key=lambda key: sign * done[key]['xi'])
        shown = [
            (key, rows[key]['Reduced Composition'], rows[key]['Family'], rows[key][SIGMA], done[key]['xi'])
            for key in keys[:8]
        ]
        print(f'\n{words} conductors that Xi gets most wrong')
        print(tabulate(shown, ('ID', 'composition', 'family', 'S/cm', 'Xi'), floatfmt=('', '', '', '', '.3f')))


def overlap(done: dict, nodes: dict) -> dict[str, str]:
    """Crystals that LASKOWSKI2023 has too, and its structures: alike in composition, and in structure apart from Li."""
    others = {path.stem: Structure.from_file(path) for path in (SHARED / 'structures' / 'laskowski2023').glob('*.cif')}
    matcher = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5, comparator=FrameworkComparator())
    found = {}
    for key in done:
        own = nodes[key].get_pymatgen_structure()
        amounts, bare = own.composition.element_composition.fractional_composition, own.copy()
        bare.remove_species([one for one in bare.composition if one.symbol == 'Li'])
        for name, other in others.items():
            theirs, framework = other.composition.element_composition.fractional_composition, other.copy()
            if set(theirs) == set(amounts) and max(abs(theirs[e] - amounts[e]) for e in theirs) < 0.02:
                framework.remove_species(['Li'])
                if matcher.fit(bare, framework):
                    found[key] = name
    return found


def group_of(label: str, keys: list[str], nodes: dict) -> str:
    """A group of these structures, and of no others."""
    from aiida.orm import Group

    group, _ = Group.collection.get_or_create(label)
    group.clear()
    group.add_nodes([nodes[key] for key in keys])
    return label


def draw(path: Path, groups: dict[str, list[str]], done: dict, rows: dict) -> None:
    """Conductivities against both free volumes, with the errors of means over orderings (after Fig. 8)."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout='constrained')
    for axis, name in zip(axes, ('fv_connected', 'fv_disconnected')):
        for (label, keys), colour in zip(groups.items(), ('#0072b2', '#e69f00', '#d55e00')):
            x = np.array([max(done[key][name], 3e-5) for key in keys])
            errors = np.array([(done[key].get('error', None) or {}).get(name) or 0.0 for key in keys])
            bars, y = [x - x / 10**errors, x * 10**errors - x], [conductivity(rows[key]) for key in keys]
            axis.errorbar(
                x, y, xerr=bars, fmt='o', ms=4, lw=0.8, alpha=0.7, color=colour, label=f'{label} ({len(keys)})'
            )
        axis.set(xscale='log', yscale='log', xlabel=f'{name.removeprefix("fv_")} free volume at 0.5 eV')
        for sigma in (GOOD, BAD):
            axis.axhline(sigma, color='grey', lw=0.8, ls=':')
    axes[0].set_ylabel('conductivity (S/cm)')
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=120)


def assess(name: str, potential: str, group: str) -> dict:
    """The paper's scores of the crystals of a group by ``aiida-pesfp assess``; none if there are too few."""
    options = ['--column', 'id=ID', '--column', f'conductivity={SIGMA}', '--unit', 'S/cm', '--table-temperature', '298']
    options += [
        '--good',
        str(GOOD),
        '--bad',
        str(BAD),
        '--ignore',
        '*',
        '--potential',
        potential,
        '--all',
        '--group',
        group,
    ]
    try:
        text = call('aiida-pesfp', 'assess', str(OBELIX / 'train.csv'), *options)
    except subprocess.CalledProcessError:
        return {}
    pk = int(re.findall(r'<(\d+)>', text)[-1])
    from aiida.orm import load_node

    node = load_node(pk)
    node.label = f'OBELiX, {name}'
    return {row['ranking']: row['score'] for row in node['rows'] if row['score']} | {'pk': pk}


def main():
    """Scan what is missing, assess, print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('potential')
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-obelix'))
    parser.add_argument('--minutes', type=float, default=0, help='no batch is begun after these')
    parser.add_argument('--at-once', type=int, default=4, help='crystals of a batch')
    parser.add_argument('--figure', type=Path, help='write a figure here')
    parser.add_argument('--skip', nargs='*', default=[], help='crystals that are not scanned')
    arguments = parser.parse_args()
    potential = PAPER if arguments.potential == 'paper' else arguments.potential
    folder = arguments.output / arguments.potential
    folder.mkdir(parents=True, exist_ok=True)
    plan, is_new = make_plan(arguments.output / 'plan.json'), not (folder / '.aiida').exists()
    os.environ['AIIDA_PATH'] = str(folder.absolute())  # before anything imports aiida
    if is_new:
        make_profile(potential, plan)
    from aiida import load_profile

    load_profile()
    scan(potential, plan, arguments)
    nodes, done = stored()
    done, rows = {key: node for key, node in done.items() if 'points' in plan[key]}, read_rows()
    print_progress(plan, done)
    classes = {name: [key for key in done if plan[key]['class'] == name] for name in CLASSES}
    known = overlap(done, nodes)
    groups = classes | {
        'all': list(done),
        'not in LASKOWSKI2023': [key for key in done if key not in known],
        'CIF of the very sample': [key for key in done if rows[key]['close match'] != 'Yes'],
    }
    groups = {name: keys for name, keys in groups.items() if keys}
    scores = {name: assess(name, potential, group_of(f'scanned: {name}', keys, nodes)) for name, keys in groups.items()}
    print_scores('By class', groups, done, rows, scores)
    families = defaultdict(list)
    for key in done:
        families[rows[key]['Family']].append(key)
    frequent = {name: keys for name, keys in sorted(families.items()) if len(keys) >= 5}
    print_scores('Families with five crystals and more', frequent, done, rows, {})
    print_spread(done)
    print_extremes(done, rows)
    print(f'\n{len(known)} crystals are in LASKOWSKI2023 too: {known}')
    if arguments.figure:
        draw(arguments.figure, classes, done, rows)


if __name__ == '__main__':
    main()
