"""``aiida-pesfp compare``: assessments of several potentials or scans, on the same materials."""

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import ASSESSMENT, FOLDER
from aiida_pesfp.cli.tracebacks import without_tracebacks_of_ours
from aiida_pesfp.settings.assessment import ScoreSettings
from aiida_pesfp.settings.options import options_of, take


@click.command('compare', context_settings={'show_default': True})
@click.argument('assessments', nargs=-1, required=True, type=ASSESSMENT, metavar='ASSESSMENT...')
@options_of(ScoreSettings, resamples={'default': 4000})
@click.option('--figures', type=FOLDER, help='Write a figure into this folder.')
@click.option('--label', help='Of the result.')
@decorators.with_dbenv()
@without_tracebacks_of_ours()
def compare(assessments, figures, label, **options):
    """Compare the rankings of ASSESSMENTS of the same labels, made by `aiida-pesfp assess`, with Xi of the first.

    They may be of several potentials, or of scans in other cells or surroundings. The structures that all have are
    compared; the same stored structure has to be scanned for each.

    \b
    aiida-pesfp compare labels-sevennet labels-chgnet
    """
    from aiida.orm import Dict

    from aiida_pesfp.calculations.assessment import compare as compare_assessments
    from aiida_pesfp.report.plots.assessment import write_comparison

    if len({node.pk for node in assessments}) < len(assessments):
        raise click.BadParameter('each once', param_hint='ASSESSMENT')
    nodes = {f'assessment_{node.pk}': node for node in assessments}
    parameters = Dict({'order': list(nodes), 'score': take(ScoreSettings, options).as_dict()})
    found = compare_assessments(parameters, **nodes)
    if label:
        found.label = label
    print_comparison(found.get_dict())
    if figures:
        echo.echo_report(f'wrote {write_comparison(figures, found.get_dict())}')
    echo.echo_success(f'stored the comparison {f"{label}<{found.pk}>" if label else found.pk}')


def print_comparison(content: dict) -> None:
    """Print a comparison as a table, and in sentences what follows from it."""
    from aiida_pesfp.report.comparison import sentences, table

    if 'error' in content:
        echo.echo_warning(f'rankings are not compared: {content["error"]}')
        return
    echo.echo(table(content))
    for sentence in sentences(content):
        echo.echo_report(sentence)
