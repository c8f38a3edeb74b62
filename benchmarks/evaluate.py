"""Descriptors of real materials judged against published labels, after Fig. 3, 7, 8 and 9 of arXiv:2411.06804.

Run ``python benchmarks/evaluate.py POTENTIAL...``, with names or paths as ``pesfp-scan --potential`` takes them;
``paper`` is the paper's own. Structures are reduced to primitive cells. What is too large by ``--largest`` or
``--cheapest`` is left out and listed.

Resumable: ``pesfp-scan`` fills the output folder, and no energy that lies there is computed again. The structures that
were scanned with all potentials of the call become nodes: jobs that go on from that folder, and a ``pesfp.assess``
over their descriptors. All of it ends as an archive, ``evaluation.aiida``, in which the surfaces behind each score can
be queried.
"""

import argparse
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict
from datetime import date
from pathlib import Path

os.environ['AIIDA_PATH'] = tempfile.mkdtemp(prefix='pesfp-bench-')  # before anything imports aiida

from aiida.common.log import configure_logging
from aiida.engine import run_get_node
from aiida.manage.configuration import get_config, load_profile
from aiida.orm import (
    Computer,
    Dict,
    InstalledCode,
    RemoteData,
    SinglefileData,
    StructureData,
)
from aiida.storage.sqlite_temp import SqliteTempBackend
from aiida.tools.archive import create_archive
from common import REPOSITORY, SHARED, WEIGHTS
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.assessment.classes import ClassSettings
from aiida_pesfp.assessment.features import FEATURE_SETS
from aiida_pesfp.assessment.labels import TableFormat, primitive_cell
from aiida_pesfp.assessment.scores import ScoreSettings, score
from aiida_pesfp.calculations.assessment import label_structures, read_labels
from aiida_pesfp.data.labels import LabelsData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.scan import plan_scan
from aiida_pesfp.queries.descriptors import surfaces_of
from aiida_pesfp.report.plots.assessment import free_volume_figure, models_figure, scores_figure
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.scan import FingerprintSettings, ScanSettings
from aiida_pesfp.workflows.assess import AssessWorkChain
from aiida_pesfp.workflows.scan import ScanBaseWorkChain

SCRATCH = Path(os.environ['AIIDA_PATH'])
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
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


def make_code() -> InstalledCode:
    """``pesfp-scan`` of this environment, on this machine."""
    computer = Computer('localhost', 'localhost', '', 'core.local', 'core.direct', str(SCRATCH / 'run')).store()
    computer.configure()
    computer.set_minimum_job_poll_interval(0.0)
    executable = str(Path(sys.executable).parent / 'pesfp-scan')
    return InstalledCode(
        label='pesfp-scan',
        computer=computer,
        filepath_executable=executable,
        prepend_text=f'export PYTHONPATH={REPOSITORY}',  # should another checkout be installed
    ).store()


def load_set(name: str) -> tuple[LabelsData, dict[str, StructureData]]:
    """Labels, and primitive cells by key, labelled by the ids of the table."""
    table, form, _ = SETS[name]
    labels = read_labels(SinglefileData(SHARED / 'labels' / table), Dict(asdict(form)))
    content = labels.to_table()
    for entry in content.excluded:
        print(f'{name}: row {entry["row"]} ({entry["id"]}): {entry["reason"]}')
    if content.structures:
        nodes = label_structures(labels, Dict({'reduce': True}))
        ids = {measurement.row: measurement.id for measurement in content.measurements}
        for row in content.structures:
            nodes[f'row_{row}'].label = ids[row]
        return labels, nodes
    nodes = {}
    for path in sorted((SHARED / 'structures' / name).glob('*.cif')):
        node = StructureData(pymatgen=primitive_cell(Structure.from_file(path)), label=path.stem)
        nodes[path.stem.replace('-', '_')] = node.store()
    return labels, nodes


def choose(structures: dict[str, StructureData], arguments, cache: Path) -> tuple[list[str], dict[str, str]]:
    """Keys of those to scan, the cheapest first, and why others are left out."""
    counts = json.loads(cache.read_text()) if cache.exists() else {}
    settings = ScanSettings(spacing=arguments.spacing)
    for key, node in structures.items():
        name = f'{key} {arguments.spacing}'
        if name not in counts:
            try:
                counts[name] = plan_scan(node.get_pymatgen_structure(), settings=settings).evaluations
            except StructureError as error:
                counts[name] = f'{type(error).__name__}: {error}'
    cache.write_text(json.dumps(counts, indent=1))
    left_out, costs = {}, {}
    for key, node in structures.items():
        count, atoms = counts[f'{key} {arguments.spacing}'], len(node.sites)
        if isinstance(count, str):
            left_out[key] = count
        elif count * atoms > arguments.largest * 1e6:
            left_out[key] = f'{count} evaluations of {atoms} atoms: over --largest'
        else:
            costs[key] = count * atoms
    ordered = sorted(costs, key=costs.get)
    for key in ordered[arguments.cheapest :]:
        left_out[key] = f'{costs[key] / 1e6:.2f} million atoms to evaluate: not among the {arguments.cheapest} cheapest'
    return ordered[: arguments.cheapest], left_out


def scan(keys: list[str], structures: dict[str, StructureData], potential: str, folder: Path, arguments) -> list[str]:
    """Scan what is missing in ``folder``, where a job looks for the results of its parent; keys of what is finished.

    Those that fail are printed with the reason.
    """
    there = [key for key in keys if (folder / key / 'descriptors.json').exists()]
    # What is there comes first: nothing is read after the time limit.
    keys = there if arguments.finished_only else [*there, *(key for key in keys if key not in there)]
    inputs = folder.parent / 'structures'
    inputs.mkdir(parents=True, exist_ok=True)
    if not keys:
        return []
    paths = [inputs / f'{key}.json' for key in keys]
    for key, path in zip(keys, paths):  # as the job writes it, to the last bit
        path.write_text(json.dumps(structures[key].get_pymatgen_structure().as_dict()))
    command = [sys.executable, '-m', 'aiida_pesfp.programs.scan', *map(str, paths), '-o', str(folder), '--json', '-q']
    command += ['--potential', potential, '--device', arguments.device]
    command += FingerprintSettings.from_dict(settings_of_job(arguments)['scan']['parameters']).command_line()
    if arguments.time_limit:
        command += ['--time-limit', str(arguments.time_limit)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    results = dict(zip(keys, json.loads(process.stdout)))
    for key, result in results.items():
        if result['xi'] is None:
            print(f'{structures[key].label}: {result["error"] or "not scanned yet"}')
    return [key for key, result in results.items() if result['xi'] is not None]


def settings_of_job(arguments) -> dict:
    """Inputs of ``pesfp.scan.base``."""
    parameters = {'spacing': arguments.spacing, 'adaptive': arguments.adaptive}
    return ScanBaseWorkChain.get_protocol_inputs(overrides={'scan': {'parameters': parameters}})


def record(structures: dict[str, StructureData], potential: PotentialData, folder: Path, code, arguments) -> dict:
    """Descriptors of finished scans as nodes, by a job that goes on from their folder and has no energy to compute."""
    overrides = settings_of_job(arguments)
    builder = ScanBaseWorkChain.get_builder_from_protocol(code, structures, potential, overrides=overrides)
    builder.scan.parent_folder = RemoteData(remote_path=str(folder.parent), computer=code.computer)
    outputs, node = run_get_node(builder)
    if not node.is_finished_ok:
        raise SystemExit(f'{node.process_label} [{node.exit_status}]: {node.exit_message}')
    return outputs['descriptors']


def figures(potential: str, contents: dict, recalibrated: dict, models: dict, calibration, folder: Path) -> None:
    """Write figures like Fig. 3, 7, 8 and 9."""
    published = XiParameters()
    cuts = {'published': (published.connected_cut, published.disconnected_cut)}
    if calibration:
        found = calibration['parameters']
        cuts['recalibrated'] = (found['connected_cut'], found['disconnected_cut'])
    made = {'scores': scores_figure(contents, recalibrated)}
    for name, content in contents.items():
        made[f'free-volumes-{name}'] = free_volume_figure(content, cuts, f'{name}, {potential}')
    if models:
        references = {
            name: {'Xi': next(r['score'] for r in c['rows'] if r['ranking'] == 'xi'), 'random': c['random']}
            for name, c in contents.items()
        }
        made['models'] = models_figure(models, references)
    for label, figure in made.items():
        figure.write_html(folder / f'{label}.html', include_plotlyjs='cdn')


def folder_of(potential: str, arguments) -> Path:
    """Where all of a potential lies."""
    label = re.sub(r'\W+', '-', Path(potential).stem if '/' in potential else potential)
    return arguments.output / (f'{label}-adaptive' if arguments.adaptive else label) / f'{arguments.spacing:g}'


def evaluate(potential: str, sets: dict, code, arguments) -> dict[str, dict[str, dict]]:
    """Judge all rankings by the surfaces of one potential: set of labels -> ranking -> score.

    :param sets: name -> labels, and the structures by key.
    """
    folder, node = folder_of(potential, arguments), PotentialData.from_spec(_spec(potential)).store()
    structures, descriptors = {}, {}
    for name, (_, nodes) in sets.items():
        structures |= nodes
        descriptors |= record(nodes, node, folder / name / 'results', code, arguments)
    parameters = {
        'sets': {name: {'classes': asdict(SETS[name][2]), 'match_by': ['id']} for name in sets},
        'score': asdict(SCORE),
        'calibration': {},
    }
    if arguments.models and arguments.sets[0] in sets:
        parameters['models'] = {'learn_from': arguments.sets[0], 'feature_sets': list(FEATURE_SETS)}
    labels = {name: entry[0] for name, entry in sets.items()}
    results, process = run_get_node(
        AssessWorkChain, labels=labels, structures=structures, descriptors=descriptors, parameters=Dict(parameters)
    )
    if not process.is_finished_ok:
        print(f'{potential}: {process.exit_message}')
        if 'evaluations' not in results:
            return {}
    contents = {name: evaluation.get_dict() for name, evaluation in results['evaluations'].items()}
    models = {name: {} for name in contents} if 'predictions' in results else {}
    for model, predictions in results.get('predictions', {}).items():
        for name, prediction in predictions.items():
            models[name][model] = prediction['score']
    recalibrated, calibration = {}, None
    if 'calibration' in results:
        model = results['calibration']
        calibration = model.base.attributes.get('calibration')
        for name, content in contents.items():
            tables = [descriptors[key].get_dict() for key in content['materials']]
            weights = results['evaluations'][name].weights(list(content['materials']))
            found = score(model.to_model().rank_values(tables), *weights, SCORE)
            recalibrated[name] = {'xi, recalibrated': found.as_dict()}
    figures(potential, contents, recalibrated, models, calibration, folder)
    summary = {'date': date.today().isoformat(), 'potential': potential, 'sets': contents, 'models': models}
    (folder / 'evaluation.json').write_text(json.dumps(summary | {'calibration': calibration}, indent=1))
    create_archive([process], filename=folder / 'evaluation.aiida', overwrite=True)
    print(f'{potential}: figures, evaluation.json and evaluation.aiida are in {folder}')
    for name, content in contents.items():
        surfaces = surfaces_of(descriptors[key].pk for key in content['materials'])
        print(
            f'{potential}, {name}: {len(content["materials"])} materials, weights of {content["number_of_good"]:.1f} '
            f'good and {content["number_of_bad"]:.1f} bad; {len(set(surfaces.values()))} surfaces behind their scores'
        )
        materials = content['materials'].values()
        for weight in ('good_weight', 'bad_weight'):
            those = [material for material in materials if material[weight] > 0.5]
            above = [material['formula'] for material in those if material['xi'] > 0.25]
            print(
                f'{potential}, {name}: Xi > 0.25 for {len(above)} of {len(those)} {weight.partition("_")[0]} conductors'
                f': {", ".join(above) or "none"}'
            )
        for entry in content['excluded']['rows_without_a_conductivity']:
            print(f'{potential}, {name}: {entry["id"]}: {entry["reason"]}')
    if calibration:
        print_calibration(potential, calibration)
    scores = {}
    for name, content in contents.items():
        rows = {row['ranking']: row['score'] for row in content['rows'] if row['score']}
        scores[name] = rows | recalibrated.get(name, {}) | models.get(name, {}) | {'random': content['random']}
    return scores


def print_calibration(potential: str, found: dict) -> None:
    """The cuts found for a potential, and what they are worth."""
    cuts = ', '.join(
        f'{name} {found["parameters"][name]:.2f} +- {found["errors"][name]:.2f}' for name in found['errors']
    )
    print(
        f'{potential}, recalibrated Xi: {cuts}; mean score {found["before"]:.2f} before, {found["after"]:.2f} after, '
        f'{found["corrected"]:.2f} to expect of other materials'
    )


def print_scores(name: str, scores: dict[str, dict[str, dict]]) -> None:
    """Table of a set of labels: a row for each ranking, in the order of thresholds, a column for each potential."""
    rows = []
    for ranking in sorted({ranking for found in scores.values() for ranking in found}, key=_place):
        cells = [found.get(ranking) for found in scores.values()]
        rows.append((ranking, *(f'{cell["value"]:.2f} ± {cell["error"]:.2f}' if cell else '-' for cell in cells)))
    print(f'\n{name}')
    print(tabulate(rows, ('ranking', *scores)))


def _place(ranking: str) -> tuple[int, str, float]:
    """Barriers first, then free volumes by threshold, Xi, models, chance."""
    threshold = re.fullmatch(r'(\w+)\(([\d.]+)\)', ranking)
    if threshold:
        return 1, threshold[1], float(threshold[2])
    places = {'-': 0, 'xi': 2, 'random': 4}
    return next((place for start, place in places.items() if ranking.startswith(start)), 3), ranking, 0.0


def _spec(potential: str) -> str:
    path = WEIGHTS if potential == 'paper' else Path(potential)
    return str(path.absolute()) if path.exists() else potential


def main():
    """Scan what is missing, judge, print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('potentials', nargs='+')
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-evaluate'))
    parser.add_argument('--sets', nargs='+', choices=SETS, default=list(SETS), help='models learn from the first')
    parser.add_argument('--largest', type=float, default=float('inf'), help='most evaluations times atoms, in millions')
    parser.add_argument('--cheapest', type=int, default=10**6, help='take only so many of each set')
    parser.add_argument('--spacing', type=float, default=0.25, help='A')
    parser.add_argument('--adaptive', action='store_true', help='see adaptive.py for what it costs and gives')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--time-limit', type=float, help='of each call of pesfp-scan, s')
    parser.add_argument('--models', action='store_true', help='learn those of Appendix C too (needs the extra models)')
    parser.add_argument('--plan', action='store_true', help='say what would be scanned, and stop')
    parser.add_argument('--scan-only', action='store_true', help='judge nothing')
    parser.add_argument('--finished-only', action='store_true', help='take only structures that have results')
    arguments = parser.parse_args()
    arguments.output = arguments.output.absolute()
    arguments.output.mkdir(parents=True, exist_ok=True)
    load_profile(SqliteTempBackend.create_profile('evaluate'), allow_switch=True)
    get_config().set_option('logging.aiida_loglevel', 'ERROR')  # only what this script prints
    configure_logging(with_orm=True)
    code, sets = make_code(), {}
    for name in arguments.sets:
        labels, nodes = load_set(name)
        chosen, left_out = choose(nodes, arguments, arguments.output / f'evaluations-{name}.json')
        for key, reason in left_out.items():
            print(f'{name}: {nodes[key].label} ({nodes[key].get_formula("hill_compact")}) left out: {reason}')
        print(f'{name}: {len(chosen)} of {len(nodes)} structures are taken')
        sets[name] = (labels, nodes, chosen)
    if arguments.plan:
        return
    finished = {
        potential: {
            name: scan(chosen, nodes, _spec(potential), folder_of(potential, arguments) / name / 'results', arguments)
            for name, (_, nodes, chosen) in sets.items()
        }
        for potential in arguments.potentials
    }
    if arguments.scan_only:
        return
    judged = {}
    for name, (labels, nodes, chosen) in sets.items():
        # Potentials are compared on the same materials.
        keys = [key for key in chosen if all(key in found[name] for found in finished.values())]
        of_each = ', '.join(f'{len(found[name])} with {potential}' for potential, found in finished.items())
        print(f'{name}: {len(keys)} of {len(nodes)} structures were scanned with all potentials ({of_each})')
        if keys:
            judged[name] = (labels, {key: nodes[key] for key in keys})
    if not judged:
        return
    scores = {potential: evaluate(potential, judged, code, arguments) for potential in arguments.potentials}
    for name in judged:
        print_scores(name, {potential: found.get(name, {}) for potential, found in scores.items()})


if __name__ == '__main__':
    main()
