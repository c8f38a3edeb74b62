"""The report as one HTML file that needs no network: it holds plotly.js and DataTables.

What a structure shows when it is opened lies in the file as compressed JSON, a piece for each structure.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.io import templates
from plotly.offline import get_plotlyjs
from pymatgen.util.string import unicodeify

from aiida_pesfp import __version__
from aiida_pesfp.fingerprint.quantities import QUANTITIES
from aiida_pesfp.report.content import Entry, Report
from aiida_pesfp.report.drawings import SPECTRA, ArrheniusPlot, Displacements, distinct_settings
from aiida_pesfp.report.plots import plotly as plots
from aiida_pesfp.report.table import columns
from aiida_pesfp.report.view import view_of

_UNITS = {'band_gap': 'eV', 'energy_above_hull': 'eV/atom'}


def write_html(
    report: Report, path: str | Path, progress: Callable[[int], None] | None = None, title: str | None = None
) -> None:
    """Write a report.

    :param progress: called with 1 after each structure.
    :param title: by default from the label of the workchain or group.
    """
    environment = _environment()
    payloads = []
    for place, entry in enumerate(report.entries, start=1):
        payloads.append(_packed(_payload(environment, entry, place, len(report.entries))))
        if progress is not None:
            progress(1)
    overview = {'template': templates['simple_white'].to_plotly_json()}
    if report.entries:
        overview['map'] = _plain(plots.xi_map(report.entries))
        overview['spectra'] = _plain(plots.spectra(report.entries[:SPECTRA]))
    potentials = dict.fromkeys((entry.potential_name, entry.potential_sha256) for entry in report.entries)
    text = environment.get_template('report.html').render(
        title=title or f'Fast-ion screening: {report.subject.label or report.subject}',
        report=report,
        version=__version__,
        potentials=potentials,
        settings=distinct_settings(report.entries),
        spectra_count=min(SPECTRA, len(report.entries)),
        columns=columns(report.entries),
        payloads=payloads,
        # "<" in the JSON could end the script element around it.
        overview=json.dumps(overview).replace('<', '\\u003c'),
        plotly_js=get_plotlyjs(),
        datatables_js=base64.b64encode(_datatables('js').encode()).decode(),
        datatables_css=_datatables('css'),
        css=_own('report.css'),
        js=_own('report.js'),
    )
    Path(path).write_text(text, encoding='utf-8')


def _payload(environment: Environment, entry: Entry, place: int, count: int) -> dict:
    """What the page shows when a structure is opened: its HTML and its figures."""
    view, figures = view_of(entry), {'spectrum': plots.spectra([entry])}
    if view is not None:
        figures |= {'view': plots.structure(view, entry.species), 'profile': plots.profile(view.profile)}
    for number, one in enumerate(entry.transport, start=1):
        figures[f'msd-{number}'] = plots.displacements(Displacements.of(one).thinned(), one.title, one.flags)
    for number, one in enumerate(entry.activations, start=1):
        figures[f'arrhenius-{number}'] = plots.arrhenius(ArrheniusPlot.of_activation(one), one.title)
    details = environment.get_template('details.html')
    html = details.render(entry=entry, place=place, count=count, view=view, units=_UNITS, quantities=QUANTITIES)
    return {'html': html, 'figures': {name: _plain(figure) for name, figure in figures.items()}}


def _plain(figure: go.Figure) -> dict:
    """A figure as JSON types without its template, which the page holds once."""
    content = json.loads(figure.to_json(engine='json'))
    content['layout'].pop('template', None)
    return content


def _packed(content: dict) -> str:
    """Compressed JSON as text; equal content gives equal text."""
    return base64.b64encode(gzip.compress(json.dumps(content).encode(), mtime=0)).decode()


def _datatables(ending: str) -> str:
    """DataTables as itables ships it. Importing itables would read configuration files from the working directory."""
    folder = Path(find_spec('itables').origin).parent
    return (folder / 'html' / f'dt_bundle.{ending}').read_text(encoding='utf-8')


def _own(name: str) -> str:
    return (Path(__file__).parent / 'templates' / name).read_text(encoding='utf-8')


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader('aiida_pesfp.report'), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {'formula': _formula, 'minus': _with_minus, 'commands': _with_commands}
    environment.globals['macros'] = environment.get_template('macros.html').module
    return environment


def _formula(formula: str) -> str:
    """With subscripts, if pymatgen understands it."""
    return unicodeify(formula) if formula.isascii() else formula


def _with_minus(number: str) -> str:
    """With a true minus sign."""
    return number.replace('-', '−')  # noqa: RUF001


def _with_commands(sentence: str) -> Markup:
    """With the text between backticks as commands."""
    return Markup(re.sub(r'`([^`]+)`', r'<code class="command">\1</code>', str(escape(sentence))))
