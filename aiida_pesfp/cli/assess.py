"""``aiida-pesfp assess`` and ``calibrate``: descriptors against labels, and Xi for another potential or ion."""

from pathlib import Path

import click
from aiida.cmdline.params import types
from aiida.cmdline.utils import decorators, echo
from tabulate import tabulate

from aiida_pesfp.cli.compare import print_comparison
from aiida_pesfp.cli.parameters import ASSESSMENT, POTENTIAL
from aiida_pesfp.cli.tracebacks import without_tracebacks_of_ours
from aiida_pesfp.fingerprint.quantities import QUANTITIES, listing
from aiida_pesfp.settings import assessment as settings
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.scan import SCAN_SETTINGS, FingerprintSettings

#: Settings of scans of which one can be chosen, if structures were scanned with several.
_CHOSEN = ('cell', 'cell_size', 'others', 'spacing')


def _many(*names: str, help: str, **options):
    """An option that can be repeated."""
    return click.option(*names, multiple=True, help=f'{help} Repeatable.', **options)


def _columns(_context, _parameter, pairs):
    columns = dict(pair.split('=', 1) for pair in pairs if '=' in pair)
    if len(columns) != len(pairs):
        raise click.BadParameter('give each as ROLE=NAME, each role once')
    return columns


@click.command('assess', context_settings={'show_default': True})
@click.argument('table', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_many(
    '--column',
    'columns',
    required=True,
    callback=_columns,
    metavar='ROLE=NAME',
    help='Meaning of a column of TABLE, such as id=name. Roles: id, composition, space_group, structure (identify the '
    'material), series (rows of one experiment at several temperatures), temperature (K), conductivity or diffusion '
    '(the value), error (its standard error).',
)
@options_of(
    settings.TableFormat, columns=None, temperature=None, ignore={'type': str, 'multiple': True, 'metavar': 'COLUMN'}
)
@click.option('--table-temperature', type=float, help='Temperature of all rows, K, if no column has it.')
@options_of(settings.ClassSettings)
@click.option('--potential', type=POTENTIAL, required=True, help='With which the structures were scanned.')
@click.option('--group', type=types.GroupParamType(), help='Only structures of this group.')
@options_of(
    FingerprintSettings,
    only=_CHOSEN,
    overriding=True,
    **{key: {'help': 'Only scans with this; by default the newest of each structure.'} for key in _CHOSEN},
)
@_many(
    '--match',
    'match_by',
    type=click.Choice(settings.MATCHING_METHODS),
    default=('id',),
    help='How to find the structure of a label, tried in this order.',
)
@_many(
    '--expression',
    'expressions',
    help=f'Score this ranking too, such as "log10(connected(0.5)) - mpe". Names: {listing(QUANTITIES)}; connected(t) '
    'and disconnected(t) at a threshold t, eV.',
)
@_many('--model', 'kinds', type=click.Choice(settings.TRAINABLE), help='Train a ranking model of this kind too.')
@_many('--features', type=click.Choice(settings.FEATURE_SETS), default=('pes',), help='Features of the models.')
@options_of(
    settings.TrainingSettings, **dict.fromkeys(('kind', 'feature_set', 'regularisation', 'iterations', 'depth', 'seed'))
)
@options_of(settings.ScoreSettings)
@click.option('--all', 'everything', is_flag=True, help='Print all rankings and everything that took no part.')
@click.option('--figures', type=click.Path(file_okay=False, path_type=Path), help='Write figures into this folder.')
@decorators.with_dbenv()
@without_tracebacks_of_ours()
def assess(table, **options):
    """Assess the stored descriptors of a potential with the labels of TABLE, a text file with a header.

    Its columns are separated by commas, semicolons or tabs. Values such as <1e-10 are limits: sure bad conductors. The
    structures are those that were scanned with the potential. If a structure has several descriptors, the newest win:
    --cell, --others and --spacing choose others. An id matches the label of a structure. All rankings are compared with
    Xi on the same materials. The result is a node, the input of `aiida-pesfp calibrate` and `aiida-pesfp compare`.

    \b
    aiida-pesfp assess labels.csv --column id=name --column conductivity=sigma --unit S/cm \\
        --table-temperature 300 --good 1e-3 --bad 1e-5 --potential sevennet-0
    """
    from aiida.engine import run_get_node
    from aiida.orm import Dict, SinglefileData

    from aiida_pesfp.calculations.assessment import read_labels
    from aiida_pesfp.queries.calibrations import calibrations, node_of
    from aiida_pesfp.queries.descriptors import scanned_structures
    from aiida_pesfp.queries.nodes import how_it_ended
    from aiida_pesfp.report.plots.assessment import write_figures
    from aiida_pesfp.workflows.assess import AssessWorkChain, check_parameters

    if options['leave_out'] != settings.TrainingSettings().leave_out and not options['kinds']:
        raise click.BadParameter('no model is trained: add --model', param_hint='--leave-out')
    parameters = _parameters(options)
    check_parameters(parameters)
    potential, species, group = options['potential'], options['species'], options['group']
    chosen = {name: options[name] for name in _CHOSEN if options[name] is not None}
    structures, descriptors = scanned_structures(potential, species, group, chosen)
    if not structures:
        where = f' in the group {group.label}' if group else ''
        where += ''.join(f', with {name} = {value}' for name, value in chosen.items())
        echo.echo_critical(
            f'no structure{where} was scanned for {species} with {potential.name}: `aiida-pesfp rank` lists '
            'what was scanned, `aiida-pesfp launch screen` scans'
        )
    _check_scans(descriptors)
    form = {name: options[name] for name in ('columns', 'unit', 'temperature_unit', 'species', 'charge')}
    form |= {'temperature': options['table_temperature'], 'ignore': list(options['ignore'])}
    labels = read_labels(SinglefileData(table.absolute()), Dict(form))
    _print_labels(table.name, labels, options['everything'])
    echo.echo_report(f'{len(structures)} structures were scanned for {species} with {potential.name}: assessing them')
    inputs = {'structures': structures, 'descriptors': descriptors, 'parameters': Dict(parameters)}
    if calibration := calibrations().of(next(iter(descriptors.values()))):
        inputs['calibration_of_xi'] = node_of(calibration)
    results, node = run_get_node(AssessWorkChain, labels={'labels': labels}, **inputs)
    if 'assessments' not in results:
        echo.echo_critical(how_it_ended(node))
    assessment = results['assessments']['labels']
    assessment.label = table.stem
    predictions = {model: sets['labels'] for model, sets in results.get('predictions', {}).items()}
    _print_assessment(assessment, predictions, options)
    if not node.is_finished_ok:
        echo.echo_warning(node.exit_message)
    if options['figures']:
        name, content = assessment.label, assessment.get_dict()
        for path in write_figures(options['figures'], {name: content}, {name: predictions}):
            echo.echo_report(f'wrote {path}')
    echo.echo_success(f'stored the assessment {assessment.label}<{assessment.pk}>')


@click.command('calibrate', context_settings={'show_default': True})
@click.argument('assessments', nargs=-1, required=True, type=ASSESSMENT, metavar='ASSESSMENT...')
@_many('--vary', type=click.Choice(['slope', 'threshold']), help='Find this too, besides the two cuts.')
@_many('--threshold', 'thresholds', type=float, help='With --vary threshold: try this, eV, not 0.3 to 0.7.')
@options_of(settings.ScoreSettings, resamples={'default': 200})
@click.option('--label', help='Of the result.  [default: xi-POTENTIAL]')
@decorators.with_dbenv()
@without_tracebacks_of_ours()
def calibrate(assessments, vary, thresholds, label, **options):
    """Find the cuts of Xi for the potential and the ion of ASSESSMENTs, made by `aiida-pesfp assess`.

    With several, their mean score decides. From then on these cuts rank what was scanned with the potential, for the
    ion and by the same settings, in `aiida-pesfp rank`, the report and new screenings; the newest calibration counts.

    \b
    aiida-pesfp calibrate labels --vary slope --label my-xi
    """
    from aiida.orm import Dict

    from aiida_pesfp.calculations.assessment import calibrate as find_xi

    if thresholds and 'threshold' not in vary:
        raise click.BadParameter('it is not varied: add --vary threshold', param_hint='--threshold')
    echo.echo_report(
        f'searching the parameters on {len(assessments)} sets of labels, and on {options["resamples"]} resamples'
    )
    parameters = {'vary': list(vary)} | ({'thresholds': list(thresholds)} if thresholds else {})
    sets = {}
    for node in assessments:
        if node.creator is None:
            echo.echo_critical(f'assessment<{node.pk}> has no creator, so its descriptors are unknown')
        descriptors = {key: node.creator.inputs[key] for key in node['materials']}
        sets[f'assessment_{node.pk}'] = {'assessment': node, 'descriptors': descriptors}
    parameters['score'] = take(settings.ScoreSettings, options).as_dict()
    model = find_xi(Dict(parameters), **sets)
    model.label = label or f'xi-{model.base.attributes.get("potential_name")}'
    found = model.base.attributes.get('calibration')
    _print_calibration(found)
    for doubt in found['doubts']:
        echo.echo_warning(doubt)
    potential, species = (model.base.attributes.get(name) for name in ('potential_name', 'species'))
    echo.echo_success(f'stored the calibration {model.label}<{model.pk}>: it ranks scans of {species} with {potential}')


def _check_scans(descriptors: dict) -> None:
    """Stop with the way out if structures were scanned with different settings."""
    for name in SCAN_SETTINGS:
        values = list(dict.fromkeys(node.get(name) for node in descriptors.values()))
        if len(values) > 1:
            of_each = ' and '.join(map(str, values))
            how = f'choose with --{name.replace("_", "-")} {values[0]}' if name in _CHOSEN else 'scan them alike'
            echo.echo_critical(f'the newest scans differ in the {name.replace("_", " ")}, {of_each}: {how}')


def _parameters(options: dict) -> dict:
    classes, score = take(settings.ClassSettings, options).as_dict(), take(settings.ScoreSettings, options).as_dict()
    labels = {'classes': classes, 'match_by': list(options['match_by'])}
    found = {'sets': {'labels': labels}, 'score': score, 'expressions': list(options['expressions'])}
    if options['kinds']:
        models = {'kinds': list(options['kinds']), 'feature_sets': list(options['features'])}
        found['models'] = models | {'training': {'seed': score['seed'], 'leave_out': options['leave_out']}}
    return found


#: Rankings and entries that are printed without ``--all``.
_FIRST, _FEW = 5, 3


def _print_labels(name: str, labels, everything: bool) -> None:
    excluded = labels.base.attributes.get('excluded')
    echo.echo_report(
        f'{name}: {labels.base.attributes.get("number_of_measurements")} labels, {len(excluded)} rows left out'
    )
    for note in labels.base.attributes.get('notes'):
        echo.echo_report(note)
    _print_excluded('unreadable rows', excluded, everything)


def _print_assessment(assessment, predictions: dict, options: dict) -> None:
    materials, everything = assessment['materials'], options['everything']
    good, bad = assessment['number_of_good'], assessment['number_of_bad']
    echo.echo(f'{len(materials)} materials; weights: {good:.1f} good, {bad:.1f} bad')
    print_comparison(assessment['comparison'])
    compared = {row['ranking'] for row in assessment['comparison'].get('rows', [])}
    others = [row for row in assessment['rows'] if row['ranking'] not in compared]
    rankings = others if everything or not compared else others[:_FIRST]
    rows = [
        *((row['ranking'], row['score'] or {}, row['materials'], row['error'] or '') for row in rankings),
        *((f'{model} (left out)', entry['score'], len(entry['values']), '') for model, entry in predictions.items()),
        ('random', assessment['random'], len(materials), ''),
    ]
    printed = [(name, score.get('value'), score.get('error'), *rest) for name, score, *rest in rows]
    heads = ('ranking alone, not compared', 'score', '+-', 'materials', '')
    echo.echo(tabulate(printed, heads, floatfmt='.3f', missingval='-'))
    if len(rankings) < len(others):
        echo.echo(f'{len(others) - len(rankings)} more rankings: --all')
    for model, entry in predictions.items():
        bins = ', '.join(f'{one["predicted"]:.2f} ({one["observed"]:.2f})' for one in entry['reliability'])
        brier = f'{entry["brier"]:.3f}, {entry["share"]["brier"]:.3f} for models without features'
        echo.echo(f'{model} as a probability: Brier score {brier}')
        echo.echo(f'  predicted (and found): {bins}')
    clipped = [key for key, entry in materials.items() if any(value['clipped'] for value in entry['values'])]
    _print_excluded('raised to the floor', clipped, everything)
    _print_excluded('rows are used, but doubtful', assessment.get('doubts', []), everything)
    for what, entries in assessment['excluded'].items():
        if what != 'unreadable_rows':  # printed with the table
            _print_excluded(what.replace('_', ' '), entries, everything)


def _print_excluded(what: str, entries: list, everything: bool) -> None:
    """Print how many there are, and the first of them."""
    if entries:
        echo.echo_report(f'{len(entries)} {what}:')
    for entry in entries if everything else entries[:_FEW]:
        text = entry if isinstance(entry, str) else _describe(entry)
        echo.echo(f'  {text}')
    if len(entries) > _FEW and not everything:
        echo.echo(f'  and {len(entries) - _FEW} more: --all')


def _describe(entry: dict) -> str:
    rows = ', '.join(map(str, entry.get('rows', [entry.get('row')])))
    return f'row {rows} ({entry.get("id")}): {entry["reason"]}'


def _print_calibration(found: dict) -> None:
    rows = [
        (name, found['start'][name], value, found['errors'].get(name), *found['intervals'].get(name, (None, None)))
        for name, value in found['parameters'].items()
    ]
    headers = ('parameter', 'before', 'found', '+-', 'from', 'to')
    echo.echo(tabulate(rows, headers, floatfmt='.3f', missingval='kept'))
    echo.echo(f'score before {found["before"]:.3f}, after {found["after"]:.3f} on the same materials')
    echo.echo(f'to expect for other materials: {found["corrected"]:.3f} (optimism {found["optimism"]:.3f})')
