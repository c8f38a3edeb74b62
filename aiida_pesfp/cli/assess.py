"""``aiida-pesfp assess`` and ``calibrate``: descriptors judged against labels, Xi for another potential or ion."""

from __future__ import annotations

import re
from pathlib import Path

import click
from aiida.cmdline.params import types
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import POTENTIAL


def _columns(_context, _parameter, pairs):
    columns = dict(pair.split('=', 1) for pair in pairs if '=' in pair)
    if len(columns) != len(pairs):
        raise click.BadParameter('give each as ROLE=NAME, each role once')
    return columns


@click.command('evaluate')
@click.argument('table', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    '--column',
    'columns',
    multiple=True,
    required=True,
    callback=_columns,
    metavar='ROLE=NAME',
    help='What a column of TABLE means, such as id=name. Roles: id, composition, space_group, structure (say which '
    'material), series (rows of one experiment at several temperatures), temperature (K), conductivity or diffusion '
    '(the value), error (its standard error). Repeatable.',
)
@click.option(
    '--unit',
    required=True,
    help='Of value and error: S/cm, mS/cm, uS/cm, S/m, mS/m; of diffusion cm2/s, m2/s, A2/ps, A2/fs.',
)
@click.option('--table-temperature', type=float, help='Temperature of all rows, K, if no column has it.')
@click.option('--good', type=float, required=True, help='sigma+, S/cm: conductors above are good.')
@click.option('--bad', type=float, required=True, help='sigma-, S/cm: those below are bad.')
@click.option('--temperature', default=300.0, show_default=True, help='At which --good and --bad are meant, K.')
@click.option(
    '--floor',
    type=float,
    help='Raise lower values to this, S/cm. Without, those that are zero or negative and have no error are left out.',
)
@click.option(
    '--relative-error',
    default=1.0,
    show_default=True,
    help='Standard error over value where a label has none.',
)
@click.option('--species', default='Li', show_default=True, help='The mobile ion.')
@click.option('--potential', type=POTENTIAL, required=True, help='By which the structures were scanned.')
@click.option('--group', type=types.GroupParamType(), help='Only structures of this group.')
@click.option(
    '--match',
    'match_by',
    type=click.Choice(['id', 'composition', 'structure']),
    multiple=True,
    default=('id',),
    show_default=True,
    help='How labels find their structures. Repeatable: tried in this order.',
)
@click.option(
    '--expression',
    'expressions',
    multiple=True,
    help='Judge this ranking too, such as "log10(connected(0.5)) - mpe". Names: xi, mpe, fv_connected, '
    'fv_disconnected, barrier_1d, barrier_2d, barrier_3d, connected(t), disconnected(t) at a threshold t, eV. '
    'Repeatable.',
)
@click.option(
    '--model',
    'kinds',
    type=click.Choice(['logistic_l1', 'logistic_l2', 'catboost']),
    multiple=True,
    help='Learn a ranking model of this kind too. Repeatable.',
)
@click.option(
    '--features',
    type=click.Choice(['pes', 'matminer', 'both']),
    multiple=True,
    default=('pes',),
    show_default=True,
    help='What models learn from. Repeatable.',
)
@click.option('--resamples', default=1000, show_default=True, help='How often the bootstrap draws.')
@click.option('--seed', default=0, show_default=True, help='Of the bootstrap and of models.')
@click.option('--figures', type=click.Path(file_okay=False, path_type=Path), help='Write figures into this folder.')
@decorators.with_dbenv()
def evaluate(table, columns, unit, table_temperature, species, potential, group, figures, **options):
    """Judge the stored descriptors of a potential against the labels of TABLE, a CSV file.

    Structures are those that were scanned with the potential; of several descriptors of one structure the newest are
    taken. An id matches the label of a structure. The result is a node, which `aiida-pesfp calibrate` takes.

    \b
    aiida-pesfp assess labels.csv --column id=name --column conductivity=sigma --unit S/cm \\
        --table-temperature 300 --good 1e-3 --bad 1e-5 --potential sevennet-0
    """
    from aiida.engine import run_get_node
    from aiida.orm import Dict, SinglefileData

    from aiida_pesfp.calculations.assessment import read_labels
    from aiida_pesfp.errors import LabelError
    from aiida_pesfp.workflows.assess import AssessWorkChain, validate_evaluation

    form = {'columns': columns, 'unit': unit, 'temperature': table_temperature, 'species': species}
    parameters = Dict(_parameters(**options))
    wrong = validate_evaluation(parameters, None)
    if wrong:
        echo.echo_critical(wrong)
    structures, descriptors = scanned_structures(potential, species, group)
    if not structures:
        where = f' in the group {group.label}' if group else ''
        echo.echo_critical(
            f'no structure{where} was scanned for {species} with {potential.name}: see `aiida-pesfp rank` for what '
            'was, or begin with `aiida-pesfp launch screen`'
        )
    try:
        labels = read_labels(SinglefileData(table.absolute()), Dict(form))
    except LabelError as error:
        echo.echo_critical(str(error))
    results, node = run_get_node(
        AssessWorkChain,
        labels={'labels': labels},
        structures=structures,
        descriptors=descriptors,
        parameters=parameters,
    )
    if 'evaluations' not in results:
        echo.echo_critical(f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')
    evaluation = results['evaluations']['labels']
    evaluation.label = table.stem
    _print_evaluation(evaluation, results)
    if not node.is_finished_ok:
        echo.echo_warning(node.exit_message)
    if figures:
        _write_figures(figures, evaluation, results)
    echo.echo_success(f'stored the evaluation {evaluation.label}<{evaluation.pk}>')


@click.command('calibrate')
@click.argument(
    'evaluations',
    nargs=-1,
    required=True,
    type=types.DataParamType(sub_classes=('aiida.data:pesfp.assessment',)),
    metavar='EVALUATION...',
)
@click.option(
    '--vary',
    type=click.Choice(['slope', 'threshold']),
    multiple=True,
    help='Find this too, besides the two cuts. Repeatable.',
)
@click.option(
    '--threshold',
    'thresholds',
    multiple=True,
    type=float,
    help='With --vary threshold: try this one, eV. Repeatable.  [default: 0.3 to 0.7]',
)
@click.option('--resamples', default=200, show_default=True, help='How often the bootstrap draws.')
@click.option('--seed', default=0, show_default=True, help='Of the bootstrap.')
@click.option('--label', help='Of the result.  [default: xi-POTENTIAL]')
@decorators.with_dbenv()
def calibrate(evaluations, vary, thresholds, resamples, seed, label):
    """Find the cuts of Xi for the potential and the ion of EVALUATIONs, made by `aiida-pesfp assess`.

    With several, their mean score decides. The result is a ranking model: give it as the input `model` to pesfp.screen.

    \b
    aiida-pesfp calibrate labels --vary slope --label my-xi
    """
    from aiida.orm import Dict

    from aiida_pesfp.calculations.assessment import calibrate as find_xi
    from aiida_pesfp.errors import AssessmentError

    if thresholds and 'threshold' not in vary:
        raise click.BadParameter('it is not varied: add --vary threshold', param_hint='--threshold')
    parameters = {'vary': list(vary), 'score': {'resamples': resamples, 'seed': seed}}
    if thresholds:
        parameters['thresholds'] = list(thresholds)
    sets = {}
    for evaluation in evaluations:
        if evaluation.creator is None:
            echo.echo_critical(
                f'evaluation<{evaluation.pk}> was not made by an evaluation, its descriptors are unknown'
            )
        inputs = evaluation.creator.inputs
        descriptors = {key: inputs[key] for key in evaluation['materials']}
        sets[f'evaluation_{evaluation.pk}'] = {'evaluation': evaluation, 'descriptors': descriptors}
    try:
        model = find_xi(Dict(parameters), **sets)
    except AssessmentError as error:
        echo.echo_critical(str(error))
    model.label = label or f'xi-{model.base.attributes.get("potential_name")}'
    _print_calibration(model.base.attributes.get('calibration'))
    echo.echo_success(f'stored the ranking model {model.label}<{model.pk}>: builder.model = load_node({model.pk})')


def scanned_structures(potential, species: str, group=None) -> tuple[dict, dict]:
    """Structures with their newest descriptors by one potential, by keys made of their labels."""
    from aiida.orm import Group, QueryBuilder, StructureData

    from aiida_pesfp.data.descriptors import DescriptorsData

    query = QueryBuilder()
    filters = {'attributes.potential_sha256': potential.sha256, 'attributes.species': species}
    query.append(DescriptorsData, filters=filters, project=['attributes.structure_uuid', '*'])
    newest = dict(query.order_by({DescriptorsData: 'id'}).all())
    chosen = QueryBuilder().append(StructureData, filters={'uuid': {'in': list(newest)}}, tag='structure')
    chosen.add_projection('structure', '*')
    if group is not None:
        chosen.append(Group, filters={'id': group.pk}, with_node='structure')
    structures, descriptors = {}, {}
    for structure in chosen.order_by({'structure': 'id'}).all(flat=True) if newest else ():
        key = re.sub(r'\W+', '_', structure.label or structure.get_formula())
        key = f'{key}_{structure.pk}' if key in structures else key
        structures[key], descriptors[key] = structure, newest[structure.uuid]
    return structures, descriptors


def _parameters(
    good, bad, temperature, floor, relative_error, match_by, expressions, kinds, features, resamples, seed
) -> dict:
    classes = {'good': good, 'bad': bad, 'temperature': temperature, 'floor': floor, 'relative_error': relative_error}
    found = {
        'sets': {'labels': {'classes': classes, 'match_by': list(match_by)}},
        'score': {'resamples': resamples, 'seed': seed},
        'expressions': list(expressions),
    }
    if kinds:
        found['models'] = {'kinds': list(kinds), 'feature_sets': list(features), 'training': {'seed': seed}}
    return found


def _print_evaluation(evaluation, results: dict) -> None:
    from tabulate import tabulate

    materials = evaluation['materials']
    echo.echo(
        f'{len(materials)} materials; weights: {evaluation["number_of_good"]:.1f} good, '
        f'{evaluation["number_of_bad"]:.1f} bad'
    )
    rows = [(row['ranking'], row['score'], row['error'] or '', row['materials']) for row in evaluation['rows']]
    for model, predictions in results.get('predictions', {}).items():
        rows.append((f'{model} (left out)', predictions['labels']['score'], '', len(predictions['labels']['values'])))
    rows.append(('random', evaluation['random'], '', len(materials)))
    shown = [
        (name, *([score['value'], score['error']] if score else [None, None]), number, remark)
        for name, score, remark, number in rows
    ]
    echo.echo(tabulate(shown, ('ranking', 'score', '+-', 'materials', ''), floatfmt='.3f', missingval='-'))
    clipped = [key for key, entry in materials.items() if any(value['clipped'] for value in entry['values'])]
    if clipped:
        echo.echo_report(f'raised to the floor: {", ".join(clipped)}')
    for what, entries in evaluation['excluded'].items():
        for entry in entries:
            text = entry if isinstance(entry, str) else f'{entry.get("id")}: {entry["reason"]}'
            echo.echo_report(f'{what.replace("_", " ")}: {text}')


def _print_calibration(found: dict) -> None:
    from tabulate import tabulate

    rows = [
        (name, found['start'][name], value, found['errors'].get(name), *found['intervals'].get(name, (None, None)))
        for name, value in found['parameters'].items()
    ]
    headers = ('parameter', 'before', 'found', '+-', 'from', 'to')
    echo.echo(tabulate(rows, headers, floatfmt='.3f', missingval='kept'))
    echo.echo(f'score before {found["before"]:.3f}, after {found["after"]:.3f} on the same materials')
    echo.echo(f'to expect of other materials: {found["corrected"]:.3f} (optimism {found["optimism"]:.3f})')


def _write_figures(folder: Path, evaluation, results: dict) -> None:
    from aiida_pesfp.report.plots.assessment import free_volume_figure, models_figure, scores_figure

    folder.mkdir(parents=True, exist_ok=True)
    content, name = evaluation.get_dict(), evaluation.label
    figures = {'scores': scores_figure({name: content}), 'free-volumes': free_volume_figure(content, title=name)}
    if 'predictions' in results:
        scores = {model: entry['labels']['score'] for model, entry in results['predictions'].items()}
        references = {'Xi': evaluation.score_of('xi'), 'random': content['random']}
        figures['models'] = models_figure({name: scores}, {name: references})
    for label, figure in figures.items():
        figure.write_html(folder / f'{label}.html', include_plotlyjs=True)
        echo.echo_report(f'wrote {folder / label}.html')
