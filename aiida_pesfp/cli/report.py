"""``aiida-pesfp report``: look at the results of a screening."""

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import FILE, FOLDER, GroupOrNodeParamType


@click.command('report')
@click.argument('subject', metavar='GROUP_OR_NODE', type=GroupOrNodeParamType())
@click.option('-o', '--output', type=FILE, default='report.html', help='File to write.')
@click.option('--figures', type=FOLDER, help='Folder for static figures for a paper, as .png and .pdf.')
@click.option('--top', type=click.IntRange(min=0), default=10, help='Structures with own --figures.')
@click.option('--overwrite', is_flag=True, help='Replace files of the same names that are there.')
@decorators.with_dbenv()
def report(subject, output, figures, top, overwrite):
    """Write what is known of structures that were scanned into one HTML file that opens without a network.

    GROUP_OR_NODE is a screening, any workchain that called one, a DescriptorsData, PesData or StructureData, or
    a group of them, by PK, UUID or label. The report of a workchain that is running or has failed shows the results
    so far. A report replaces an older one of the same name; it replaces no other file, and figures no files at all,
    without --overwrite.
    """
    from aiida_pesfp.report.collect import collect
    from aiida_pesfp.report.page import is_report, write_html
    from aiida_pesfp.report.plots.matplotlib import write_figures

    if not overwrite and output.exists() and not is_report(output):
        echo.echo_critical(f'{output} is there and no report: take another name with -o, or --overwrite')
    if not overwrite and figures and figures.exists() and any(figures.iterdir()):
        echo.echo_critical(f'the folder {figures} is not empty: take another one for --figures, or --overwrite')
    found = collect(subject)
    for sentence in found.ranked_by:
        echo.echo_report(sentence)
    for note in found.notes:
        echo.echo_warning(note)
    output.parent.mkdir(parents=True, exist_ok=True)
    count = len(found.entries)
    with click.progressbar(length=count, label='Drawing', hidden=not click.get_text_stream('stderr').isatty()) as bar:
        write_html(found, output, bar.update)
    size = output.stat().st_size / 1e6
    echo.echo_success(f'{found.structures} structures in {output} ({size:.1f} MB): open it with a browser')
    if figures:
        written = write_figures(found, figures, top)
        echo.echo_success(f'{len(written)} figures in {figures}')
