"""Descriptors of real materials assessed with published labels, after Fig. 3, 7, 8 and 9 of arXiv:2411.06804.

Run ``python benchmarks/assess.py POTENTIAL...``, with names or paths as for ``pesfp-scan --potential``; ``paper`` is
the paper's own. Structures are reduced to primitive cells. Structures beyond ``--largest`` and ``--of-each-class``
are listed and not scanned.

``--ship`` writes what ``aiida-pesfp calibrate`` finds with all these sets, and what it was found from, to the files of
the package in ``aiida_pesfp/assessment/calibrations``. For the paper's potential they have its published cuts.

Resumable: ``pesfp-scan`` fills the output folder, and no energy in it is computed again. The structures that were
scanned with all potentials of the call become nodes: jobs that resume in that folder, and a ``pesfp.assess`` of their
descriptors. The result is an archive, ``assessment.aiida``, in which the surfaces behind each score can be queried.
"""

import argparse
import atexit
import json
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import asdict
from datetime import date
from pathlib import Path

os.environ['AIIDA_PATH'] = tempfile.mkdtemp(prefix='pesfp-bench-')  # before anything imports aiida

from aiida.common.log import configure_logging
from aiida.engine import run_get_node
from aiida.manage.configuration import get_config, load_profile
from aiida.orm import Dict
from aiida.storage.sqlite_temp import SqliteTempBackend
from aiida.tools.archive import create_archive
from common import PAPER, SHARED
from labelled import SETS, cells_of, choose, classes_of, load_set, make_code, scan, store
from softening import softening
from tabulate import tabulate

import aiida_pesfp
from aiida_pesfp.assessment.calibrated import BY_VOLUMES, FOLDER
from aiida_pesfp.assessment.scores import MEMBERSHIP, score
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.queries.descriptors import surfaces_of
from aiida_pesfp.report.plots.assessment import write_figures
from aiida_pesfp.settings.assessment import FEATURE_SETS, ScoreSettings
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.workflows.assess import AssessWorkChain

SCRATCH = Path(os.environ['AIIDA_PATH'])
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
SCORE = ScoreSettings(resamples=1000, seed=0)
#: What ranks structures of a potential without a calibration.
VOLUMES = 'fv_connected * fv_disconnected'
_RECALIBRATED = 'xi, recalibrated'


def folder_of(potential: str, arguments) -> Path:
    """Where all of a potential and of these settings lies."""
    label = re.sub(r'\W+', '-', Path(potential).stem if '/' in potential else potential)
    words = (label, 'adaptive' if arguments.adaptive else '', *unusual(arguments))
    return arguments.output / '-'.join(filter(None, words)) / f'{arguments.spacing:g}'


def results_of(name: str, potential: str, arguments) -> Path:
    """Where the scans of a set of labels lie."""
    return folder_of(potential, arguments) / (SETS[name].scans or name) / 'results'


def unusual(arguments) -> list[str]:
    """The cell, the surroundings of the ion and the number of orderings, where they are not the usual ones."""
    usual = FingerprintSettings().compared()
    words = [getattr(arguments, name) for name in ('cell', 'others') if getattr(arguments, name) != usual[name]]
    return words + ([f'{arguments.orderings}-orderings'] if arguments.orderings else [])


def assess(potential: str, sets: dict, code, arguments) -> dict[str, dict[str, dict]]:
    """Score all rankings by the surfaces of one potential: set of labels -> ranking -> score.

    :param sets: name -> labels, the structures by key, and the cells that were scanned for each.
    """
    folder, node = folder_of(potential, arguments), PotentialData.from_spec(_spec(potential)).store()
    structures, descriptors = {}, {}
    for name, (_, nodes, cells) in sets.items():
        structures |= nodes
        descriptors |= store(nodes, cells, node, results_of(name, potential, arguments), code, arguments)
    parameters = {
        'sets': {name: {'classes': SETS[name].classes.as_dict(), 'match_by': ['id']} for name in sets},
        'score': SCORE.as_dict(),
        'calibration': {},
        'expressions': [VOLUMES],
    }
    if arguments.models and arguments.sets[0] in sets:
        parameters['models'] = {'train_on': arguments.sets[0], 'feature_sets': list(FEATURE_SETS)}
    labels = {name: entry[0] for name, entry in sets.items()}
    results, process = run_get_node(
        AssessWorkChain, labels=labels, structures=structures, descriptors=descriptors, parameters=Dict(parameters)
    )
    if not process.is_finished_ok:
        print(f'{potential}: {process.exit_message}')
        if 'assessments' not in results:
            return {}
    contents = {name: assessment.get_dict() for name, assessment in results['assessments'].items()}
    models = {name: {} for name in contents} if 'predictions' in results else {}
    for model, predictions in results.get('predictions', {}).items():
        for name, prediction in predictions.items():
            models[name][model] = {key: prediction[key] for key in ('score', 'brier', 'share', 'reliability')}
    recalibrated, calibration = {}, None
    if 'calibration' in results:
        model = results['calibration']
        calibration = model.base.attributes.get('calibration')
        for name, content in contents.items():
            tables = [descriptors[key].get_dict() for key in content['materials']]
            weights = results['assessments'][name].weights()
            found = score(model.to_model().rank_values(tables), *weights, SCORE)
            recalibrated[name] = {_RECALIBRATED: asdict(found)}
    cuts = {'published': asdict(XiParameters())} | ({'recalibrated': calibration['parameters']} if calibration else {})
    pairs = {name: (found['connected_cut'], found['disconnected_cut']) for name, found in cuts.items()}
    write_figures(folder, contents, models, recalibrated, pairs)
    name = ', '.join([potential, *unusual(arguments)])
    summary = {'date': date.today().isoformat(), 'potential': name, 'sets': contents, 'models': models}
    (folder / 'assessment.json').write_text(json.dumps(summary | {'calibration': calibration}, indent=1))
    create_archive([process], filename=folder / 'assessment.aiida', overwrite=True)
    print(f'{potential}: figures, assessment.json and assessment.aiida are in {folder}')
    for name, content in contents.items():
        surfaces = surfaces_of(descriptors[key].pk for key in content['materials'])
        print_materials(f'{potential}, {name}', content, len(set(surfaces.values())))
    if calibration:
        print_calibration(potential, calibration)
    if calibration and arguments.ship:
        found = {name: table[_RECALIBRATED] for name, table in recalibrated.items()}
        ship(potential, model, results['assessments'], found, arguments)
    scores = {}
    for name, content in contents.items():
        rows = {row['ranking']: row['score'] for row in content['rows'] if row['score']}
        trained = {model: one['score'] for model, one in models.get(name, {}).items()}
        scores[name] = rows | recalibrated.get(name, {}) | trained | {'random': content['random']}
    return scores


def ship(potential: str, model, assessments: dict, recalibrated: dict[str, dict], arguments) -> None:
    """Write the calibration of a potential as a file of the package.

    :param recalibrated: set of labels -> score with the new cuts.
    """
    content = model.base.attributes.all
    sets = {}
    for name, assessment in assessments.items():
        numbers = dict(zip(('good', 'bad'), (int((weights > MEMBERSHIP).sum()) for weights in assessment.weights())))
        scores = {'xi': assessment.score_of('xi'), 'xi_calibrated': recalibrated[name]}
        scores |= {BY_VOLUMES: assessment.score_of(VOLUMES), 'random': assessment['random']}
        table = SETS[name].table.relative_to(SHARED).as_posix()
        about = {
            'table': table,
            'sha256': SETS[name].sha256,
            'classes': assessment['classes'],
            'remark': SETS[name].remark,
        }
        sets[name] = about | {'materials': len(assessment['materials'])} | numbers | {'scores': scores}
    numerical = {name: content.pop(name) for name in ('spacing', 'minimum_distance', 'grid')}
    # What was found depends neither on the folder nor on when it was scanned.
    given = re.sub(r'( -o| --output)( |=)\S+| --finished-only', '', ' '.join(['', *arguments.command]))
    content['provenance'] = {
        'date': date.today().isoformat(),
        'version': aiida_pesfp.__version__,
        'command': f'python benchmarks/assess.py{given}'.replace(str(SHARED), '../shared'),
        'scans': numerical | {'adaptive': arguments.adaptive},
        'sets': sets,
    }
    if potential == 'paper':
        # Its cuts are the published ones, for all of its scans of lithium; the fit is a check of the command.
        for name in ('cell', 'cell_size', 'others', 'settings', 'score'):
            content.pop(name, None)
        content['parameters'] = XiParameters().as_dict()
        content['calibration'] = {'source': 'arXiv:2411.06804, Eq. 4', 'refit': content['calibration']}
    if (found := softening(content['potential_name'])) is not None:
        content['softening'] = found
    path = FOLDER / f'{content["potential_name"]}.json'
    path.write_text(json.dumps(_rounded(content), indent=1) + '\n')
    print(f'{potential}: wrote {path.name}')


def _rounded(content):
    """With numbers of four digits after the decimal point: errors are much larger."""
    if isinstance(content, dict):
        return {name: _rounded(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    # Thresholds of conductivities, such as 5e-5 S/cm, stay as they are.
    return round(content, 4 if abs(content) > 0.01 else 15) if isinstance(content, float) else content


def print_materials(name: str, content: dict, surfaces: int) -> None:
    """The materials of an assessment, and those whose Xi is promising."""
    print(
        f'{name}: {len(content["materials"])} materials, weights of {content["number_of_good"]:.1f} '
        f'good and {content["number_of_bad"]:.1f} bad; {surfaces} surfaces behind their scores'
    )
    for kind in ('good', 'bad'):
        those = [material for material in content['materials'].values() if material[f'{kind}_weight'] > 0.5]
        above = [material['formula'] for material in those if material['xi'] > 0.25]
        print(f'{name}: Xi > 0.25 for {len(above)} of {len(those)} {kind} conductors: {", ".join(above) or "none"}')
    for entry in content['excluded']['rows_without_a_conductivity']:
        print(f'{name}: {entry["id"]}: {entry["reason"]}')


def print_calibration(potential: str, found: dict) -> None:
    """The cuts found for a potential, and what they are worth."""
    cuts = ', '.join(
        f'{name} {found["parameters"][name]:.2f} +- {found["errors"][name]:.2f}' for name in found['errors']
    )
    print(
        f'{potential}, recalibrated Xi: {cuts}; mean score {found["before"]:.2f} before, {found["after"]:.2f} after, '
        f'{found["corrected"]:.2f} to expect for other materials'
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
    path = Path(potential)
    return PAPER if potential == 'paper' else str(path.absolute()) if path.exists() else potential


def main():
    """Scan what is missing, assess, print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('potentials', nargs='+')
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-assess'))
    parser.add_argument('--sets', nargs='+', choices=SETS, default=list(SETS), help='models are trained on the first')
    parser.add_argument('--largest', type=float, default=float('inf'), help='most evaluations times atoms, in millions')
    parser.add_argument('--of-each-class', type=int, help='take only so many good and bad conductors of each set')
    parser.add_argument('--spacing', type=float, default=0.25, help='A')
    parser.add_argument('--cell', default='primitive', help='as that of pesfp-scan')
    parser.add_argument('--others', default='fixed', help='as that of pesfp-scan')
    parser.add_argument('--orderings', type=int, help='of each disordered crystal')
    parser.add_argument('--adaptive', action='store_true', help='see adaptive.py for what it costs and gives')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--time-limit', type=float, help='of each call of pesfp-scan, s')
    parser.add_argument('--models', action='store_true', help='train those of Appendix C too (needs the extra models)')
    parser.add_argument('--plan', action='store_true', help='print what would be scanned, and stop')
    parser.add_argument('--scan-only', action='store_true', help='assess nothing')
    parser.add_argument('--ship', action='store_true', help='write the calibrations that come with the package')
    parser.add_argument('--finished-only', action='store_true', help='take only structures that have results')
    arguments = parser.parse_args(namespace=argparse.Namespace(command=sys.argv[1:]))
    arguments.output = arguments.output.absolute()
    arguments.output.mkdir(parents=True, exist_ok=True)
    load_profile(SqliteTempBackend.create_profile('assess'), allow_switch=True)
    get_config().set_option('logging.aiida_loglevel', 'ERROR')  # only what this script prints
    configure_logging(with_orm=True)
    code, sets = make_code(SCRATCH / 'run'), {}
    for name in arguments.sets:
        labels, nodes = load_set(name)
        classes = classes_of(name, labels, nodes)
        chosen, left_out = choose(name, nodes, classes, arguments, arguments.output / f'plans-{name}.json')
        for key, reason in left_out.items():
            print(f'{name}: {nodes[key].label} ({nodes[key].get_formula("hill_compact")}) left out: {reason}')
        numbers = ', '.join(f'{number} {kind}' for kind, number in Counter(map(classes.get, chosen)).items() if kind)
        print(f'{name}: {len(chosen)} of {len(nodes)} structures are chosen ({numbers} conductors)')
        nodes = {key: nodes[key] for key in chosen}
        sets[name] = (labels, nodes, {} if arguments.plan else cells_of(name, nodes, arguments.orderings))
    if arguments.plan:
        return
    finished = {
        potential: {
            name: scan(cells, _spec(potential), results_of(name, potential, arguments), arguments)
            for name, (*_, cells) in sets.items()
        }
        for potential in arguments.potentials
    }
    if arguments.scan_only:
        return
    common = {}
    for name, (labels, nodes, cells) in sets.items():
        # Potentials are compared on the same materials.
        keys = [key for key in nodes if all(key in found[name] for found in finished.values())]
        of_each = ', '.join(f'{len(found[name])} with {potential}' for potential, found in finished.items())
        print(f'{name}: {len(keys)} of {len(nodes)} structures were scanned with all potentials ({of_each})')
        if keys:
            common[name] = (labels, {key: nodes[key] for key in keys}, cells)
    if not common:
        return
    scores = {potential: assess(potential, common, code, arguments) for potential in arguments.potentials}
    for name in common:
        print_scores(name, {potential: found.get(name, {}) for potential, found in scores.items()})


if __name__ == '__main__':
    main()
