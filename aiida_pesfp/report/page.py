"""The report as one HTML file that needs no network: it holds plotly.js and DataTables.

What a structure shows when it is opened lies in the file as compressed JSON, a piece for each structure.
"""

import base64
import gzip
import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs
from pymatgen.util.string import unicodeify

from aiida_pesfp import __version__
from aiida_pesfp.fingerprint.quantities import QUANTITIES
from aiida_pesfp.report import drawings
from aiida_pesfp.report.content import Entry, Report
from aiida_pesfp.report.plots.plotly import TEMPLATE, draw
from aiida_pesfp.report.table import columns
from aiida_pesfp.report.view import StructureView

_UNITS = {'band_gap': 'eV', 'energy_above_hull': 'eV/atom'}


def write_html(report: Report, path: str | Path, progress: Callable[[int], None] = lambda _: None) -> None:
    """Write a report.

    :param progress: called with 1 after each structure.
    """
    environment = _environment()
    payloads = []
    for place, entry in enumerate(report.entries, start=1):
        payloads.append(_packed(_payload(environment, entry, place, len(report.entries))))
        progress(1)
    overview = {'template': TEMPLATE.to_plotly_json(), **_plain(drawings.overview(report.entries))}
    text = environment.get_template('report.html').render(
        title=f'Fast-ion screening: {report.subject.label or report.subject}',
        report=report,
        version=__version__,
        potentials=dict.fromkeys((entry.potential_name, entry.potential_sha256) for entry in report.entries),
        settings=drawings.distinct_settings(report.entries),
        spectra_count=min(drawings.SPECTRA, len(report.entries)),
        columns=columns(report.entries),
        payloads=payloads,
        # "<" in the JSON could end the script element around it.
        overview=json.dumps(overview).replace('<', '\\u003c'),
        plotly_js=get_plotlyjs(),
        datatables_js=base64.b64encode(_datatables('js').encode()).decode(),
        datatables_css=_datatables('css'),
    )
    Path(path).write_text(text, encoding='utf-8')


def _payload(environment: Environment, entry: Entry, place: int, count: int) -> dict:
    """What the page shows when a structure is opened: its HTML and its figures."""
    figures = drawings.of_entry(entry)
    words = {'entry': entry, 'place': place, 'count': count, 'view': figures.get('structure')}
    html = environment.get_template('details.html').render(**words, units=_UNITS, quantities=QUANTITIES)
    return {'html': html, 'figures': _plain(figures)}


def _plain(figures: dict[str, drawings.Plot | StructureView]) -> dict[str, dict]:
    """Figures as JSON types without their template, which the page holds once."""
    found = {name: json.loads(draw(content).to_json(engine='json')) for name, content in figures.items()}
    for figure in found.values():
        figure['layout'].pop('template')
    return found


def _packed(content: dict) -> str:
    """Compressed JSON as text; equal content gives equal text."""
    return base64.b64encode(gzip.compress(json.dumps(content).encode(), mtime=0)).decode()


def _datatables(ending: str) -> str:
    """DataTables as itables ships it. Importing itables would read configuration files from the working directory."""
    folder = Path(find_spec('itables').origin).parent
    return (folder / 'html' / f'dt_bundle.{ending}').read_text(encoding='utf-8')


def _environment() -> Environment:
    options = {'autoescape': True, 'undefined': StrictUndefined, 'trim_blocks': True}
    environment = Environment(loader=PackageLoader('aiida_pesfp.report'), **options)
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
