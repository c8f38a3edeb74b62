"""Descriptors of real materials judged against published labels, after Fig. 3, 7, 8 and 9 of arXiv:2411.06804.

Run ``python tests/benchmarks/evaluate.py POTENTIAL...``, with names or paths as ``pesfp-scan --potential`` takes them;
``paper`` is the paper's own. Structures are reduced to primitive cells. What is too large by ``--largest`` or
``--cheapest`` is left out and listed. Resumable: what lies in the output folder is not computed again.
"""

import argparse
import json
import re
import subprocess
import sys
import warnings
from datetime import date
from pathlib import Path

import numpy as np
from common import REPOSITORY, SHARED, WEIGHTS
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.errors import EvaluationError, StructureError
from aiida_pesfp.evaluation.calibration import LabelledSet, calibrate
from aiida_pesfp.evaluation.classes import ClassSettings
from aiida_pesfp.evaluation.features import FEATURE_SETS, matminer_features, select_features
from aiida_pesfp.evaluation.judgement import judge_rankings
from aiida_pesfp.evaluation.labels import LabelTable, TableFormat, carrier_density, primitive_cell, read_table
from aiida_pesfp.evaluation.matching import Candidates, match
from aiida_pesfp.evaluation.models import LEARNERS, RankingModel, TrainingSet, predict_others
from aiida_pesfp.evaluation.scores import ScoreSettings, score
from aiida_pesfp.fingerprint.grid import ScanSettings
from aiida_pesfp.fingerprint.scan import plan_scan
from aiida_pesfp.report.evaluation import free_volume_figure, models_figure, scores_figure

#: Table, its columns, and the paper's classes (Sec. II B). KAHLE2020 has 1000 K only here, so the middle panel of
#: Fig. 3 cannot be made. Zero and the like are raised to the floor of Fig. 8.
SETS = {
    'kahle2020': (
        'kahle2020.csv',
        TableFormat(
            {
                'id': 'stru_id',
                'structure': 'structure',
                'diffusion': 'diffusion_mean_cm2_s',
                'error': 'diffusion_sem_cm2_s',
            },
            'cm2/s',
            1000.0,
        ),
        ClassSettings(good=0.1, bad=0.01, temperature=1000.0),
    ),
    'laskowski2023': (
        'laskowski2023_mp.csv',
        TableFormat(
            {'id': 'mp_id', 'series': 'icsd_id', 'composition': 'composition', 'conductivity': 'sigma_RT_S_cm'},
            'S/cm',
            300.0,
        ),
        ClassSettings(good=5e-5, bad=1e-5, temperature=300.0, floor=1e-10),
    ),
}
SCORE = ScoreSettings(resamples=1000, seed=0)


def load_set(name: str) -> tuple[LabelTable, dict[int, str], dict[str, Structure]]:
    """Labels, row -> key, and primitive cells by key. What has no structure is printed."""
    table_name, form, _ = SETS[name]
    table = read_table(SHARED / 'labels' / table_name, form)
    if table.structures:
        structures = {f'row_{row}': structure for row, structure in table.structures.items()}
        rows = {row: f'row_{row}' for row in table.structures}
    else:
        paths = sorted((SHARED / 'structures' / name).glob('*.cif'))
        structures = {path.stem: Structure.from_file(path) for path in paths}
        found = match(table.measurements, Candidates(structures), ('id',))
        rows = found.rows
        for entry in found.unmatched:
            print(f'{name}: row {entry["row"]} ({entry["id"]}): {entry["reason"]}')
        for key in found.unlabelled:
            print(f'{name}: {key} has no label')
    for entry in table.excluded:
        print(f'{name}: row {entry["row"]} ({entry["id"]}): {entry["reason"]}')
    return table, rows, {key: primitive_cell(structure) for key, structure in structures.items()}


def choose(structures: dict[str, Structure], arguments, cache: Path) -> tuple[list[str], dict[str, str]]:
    """Keys of those to scan, the cheapest first, and why others are left out."""
    counts = json.loads(cache.read_text()) if cache.exists() else {}
    settings = ScanSettings(spacing=arguments.spacing)
    for key, structure in structures.items():
        name = f'{key} {arguments.spacing}'
        if name not in counts:
            try:
                counts[name] = plan_scan(structure, settings=settings).evaluations
            except StructureError as error:
                counts[name] = f'{type(error).__name__}: {error}'
    cache.write_text(json.dumps(counts, indent=1))
    left_out, costs = {}, {}
    for key, structure in structures.items():
        count = counts[f'{key} {arguments.spacing}']
        if isinstance(count, str):
            left_out[key] = count
        elif count * len(structure) > arguments.largest * 1e6:
            left_out[key] = f'{count} evaluations of {len(structure)} atoms: over --largest'
        else:
            costs[key] = count * len(structure)
    ordered = sorted(costs, key=costs.get)
    for key in ordered[arguments.cheapest :]:
        left_out[key] = f'{costs[key] / 1e6:.2f} million atoms to evaluate: not among the {arguments.cheapest} cheapest'
    return ordered[: arguments.cheapest], left_out


def scan(keys: list[str], structures: dict[str, Structure], potential: str, folder: Path, arguments) -> dict[str, dict]:
    """Descriptors by key. Those that fail are printed with the reason."""
    inputs = folder.parent / 'structures'
    inputs.mkdir(parents=True, exist_ok=True)
    paths = []
    for key in keys:
        paths.append(inputs / f'{key}.json')
        if not paths[-1].exists():
            paths[-1].write_text(json.dumps(structures[key].as_dict()))
    command = [sys.executable, '-m', 'aiida_pesfp.runners.scan', *map(str, paths), '-o', str(folder), '--json', '-q']
    command += ['--potential', potential, '--spacing', str(arguments.spacing), '--device', arguments.device]
    command += ['--adaptive'] if arguments.adaptive else []
    if arguments.finished_only:
        command += ['--time-limit', '0']
    elif arguments.time_limit:
        command += ['--time-limit', str(arguments.time_limit)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    results = dict(zip(keys, json.loads(process.stdout)))
    for key, result in results.items():
        if result['xi'] is None:
            print(f'{key}: {result["error"] or "not scanned yet"}')
    return {key: result for key, result in results.items() if result['xi'] is not None}


def learn(labelled: dict[str, LabelledSet], formulas, structures) -> dict[str, dict[str, dict]]:
    """Scores of the models of Appendix C, learned from the first set: set -> model -> score."""
    other = {name: [matminer_features(structures[name][key]) for key in formulas[name]] for name in labelled}
    found: dict[str, dict[str, dict]] = {name: {} for name in labelled}
    for feature_set in FEATURE_SETS:
        sets = {}
        for name, entry in labelled.items():
            rows = [select_features(feature_set, d, o) for d, o in zip(entry.descriptors, other[name])]
            matrix = np.array([list(row.values()) for row in rows])
            keys, groups = list(formulas[name]), list(formulas[name].values())
            sets[name] = TrainingSet(keys, groups, list(rows[0]), matrix, entry.good, entry.bad)
        training = next(iter(sets.values()))
        for kind in LEARNERS:
            for name, judged in sets.items():
                values = predict_others(kind, training, judged, feature_set)
                found[name][f'{kind}_{feature_set}'] = score(values, judged.good, judged.bad, SCORE).as_dict()
    return found


def report(potential: str, contents, labelled, models, calibration, folder: Path) -> None:
    """Print the table and write the figures."""
    recalibrated = {}
    for name, entry in labelled.items():
        content = contents[name]
        if calibration is not None:
            values = RankingModel.from_xi(calibration.parameters).rank_values(entry.descriptors)
            recalibrated[name] = {'Xi, recalibrated': score(values, entry.good, entry.bad, SCORE).as_dict()}
        rows = [(row['ranking'], row['score']) for row in content['rows'] if row['score']]
        rows += [*recalibrated.get(name, {}).items(), *models.get(name, {}).items(), ('random', content['random'])]
        print(
            f'\n{potential}, {name}: {len(content["materials"])} materials, weights of {content["number_of_good"]:.1f} '
            f'good and {content["number_of_bad"]:.1f} bad'
        )
        shown = [(text, s['value'], s['error'], s['lower'], s['upper']) for text, s in rows]
        print(tabulate(shown, ('ranking', 'score', '+-', 'from', 'to'), floatfmt='.3f'))
        cuts = {'published': (-2.0, -1.15)}
        if calibration is not None:
            found = calibration.parameters
            cuts['recalibrated'] = (found.connected_cut, found.disconnected_cut)
        title = f'{name}, {potential}'
        free_volume_figure(content, cuts, title).write_html(
            folder / f'free-volumes-{name}.html', include_plotlyjs='cdn'
        )
    if contents:
        scores_figure(contents, recalibrated).write_html(folder / 'scores.html', include_plotlyjs='cdn')
    if calibration is not None:
        print(f'\n{potential}: recalibrated Xi')
        print(json.dumps(calibration.as_dict(), indent=1))
    if models:
        references = {
            name: {'Xi': next(r['score'] for r in c['rows'] if r['ranking'] == 'xi'), 'random': c['random']}
            for name, c in contents.items()
        }
        models_figure(models, references).write_html(folder / 'models.html', include_plotlyjs='cdn')


def evaluate(potential: str, sets, arguments) -> None:
    """All of it for one potential."""
    label = re.sub(r'\W+', '-', Path(potential).stem if '/' in potential else potential)
    folder = arguments.output / (f'{label}-adaptive' if arguments.adaptive else label) / f'{arguments.spacing:g}'
    contents, labelled, formulas = {}, {}, {}
    for name, (table, rows, structures, chosen) in sets.items():
        spec = str(WEIGHTS) if potential == 'paper' else potential
        found = scan(chosen, structures, spec, folder / name / 'scans', arguments)
        densities = {key: carrier_density(structure, 'Li') for key, structure in structures.items()}
        taken = {row: key for row, key in rows.items() if key in found}
        try:
            content = judge_rankings(table.measurements, taken, densities, found, SETS[name][2], SCORE)
        except EvaluationError as error:
            print(f'{potential}, {name}: {error}')
            continue
        keys = list(content['materials'])
        for key in keys:
            own = {what: found[key][what] for what in ('xi', 'fv_connected', 'fv_disconnected')}
            content['materials'][key] |= own | {'formula': found[key]['formula']}
        contents[name] = content
        formulas[name] = {key: found[key]['formula'] for key in keys}
        weights = np.array([[content['materials'][k][w] for k in keys] for w in ('good_weight', 'bad_weight')])
        labelled[name] = LabelledSet(name, [found[key] for key in keys], *weights)
    calibration = calibrate(list(labelled.values())) if labelled else None
    models = {}
    if arguments.models and labelled:
        models = learn(labelled, formulas, {name: entry[2] for name, entry in sets.items()})
    folder.mkdir(parents=True, exist_ok=True)
    report(potential, contents, labelled, models, calibration, folder)
    result = {'date': date.today().isoformat(), 'potential': potential, 'sets': contents, 'models': models}
    result['calibration'] = None if calibration is None else calibration.as_dict()
    (folder / 'evaluation.json').write_text(json.dumps(result, indent=1))
    print(f'\nfigures and evaluation.json are in {folder}')


def main():
    """Scan what is missing, judge, print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('potentials', nargs='+')
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-evaluate'))
    parser.add_argument('--sets', nargs='+', choices=SETS, default=list(SETS), help='models learn from the first')
    parser.add_argument('--largest', type=float, default=np.inf, help='most evaluations times atoms, in millions')
    parser.add_argument('--cheapest', type=int, default=10**6, help='take only so many of each set')
    parser.add_argument('--spacing', type=float, default=0.25, help='A')
    parser.add_argument('--adaptive', action='store_true', help='see adaptive.py for what it costs and gives')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--time-limit', type=float, help='of each call of pesfp-scan, s')
    parser.add_argument('--models', action='store_true', help='learn those of Appendix C too (needs the extra models)')
    parser.add_argument('--plan', action='store_true', help='say what would be scanned, and stop')
    parser.add_argument('--finished-only', action='store_true', help='use what is there, scan nothing new')
    arguments = parser.parse_args()
    arguments.output = arguments.output.absolute()
    arguments.output.mkdir(parents=True, exist_ok=True)
    sets = {}
    for name in arguments.sets:
        table, rows, structures = load_set(name)
        chosen, left_out = choose(structures, arguments, arguments.output / f'evaluations-{name}.json')
        for key, reason in left_out.items():
            print(f'{name}: {key} ({structures[key].composition.reduced_formula}) left out: {reason}')
        print(f'{name}: {len(chosen)} of {len(structures)} structures are taken')
        sets[name] = (table, rows, structures, chosen)
    for potential in () if arguments.plan else arguments.potentials:
        evaluate(potential, sets, arguments)


if __name__ == '__main__':
    main()
