"""The report as one HTML file that needs no network: it holds plotly.js and DataTables, compressed.

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
from aiida_pesfp.fingerprint.quantities import QUANTITIES, stopped_early
from aiida_pesfp.report import drawings
from aiida_pesfp.report.content import Entry, Report, Source
from aiida_pesfp.report.parts import Plot
from aiida_pesfp.report.plots.plotly import TEMPLATE, draw
from aiida_pesfp.report.table import TOO_SHORT, Column, columns, distinctions, with_error
from aiida_pesfp.report.view import StructureView

#: The file says that it is ours, so that a new report replaces an old one and nothing else.
GENERATOR = 'aiida-pesfp report'
_UNITS = {'band_gap': 'eV', 'energy_above_hull': 'eV/atom'}


def write_html(report: Report, path: str | Path, progress: Callable[[int], None] = lambda _: None) -> None:
    """Write a report.

    :param progress: called with 1 after each structure.
    """
    environment, entries = _environment(), report.entries
    shown = columns(entries)
    payloads = []
    for place, entry in enumerate(entries, start=1):
        payloads.append(_packed(json.dumps(_payload(environment, entry, place, len(entries), shown))))
        progress(1)
    overview = {'template': TEMPLATE.to_plotly_json(), **_plain(drawings.overview(entries))}
    cells = [column.cell(entry) for entry in entries for column in shown]
    text = environment.get_template('report.html').render(
        title=f'Fast-ion screening: {report.subject.label or report.subject}',
        generator=GENERATOR,
        report=report,
        version=__version__,
        potentials={entry.potential_sha256: entry.potential_name for entry in entries},
        settings=drawings.distinct_settings(entries),
        spectra_count=min(drawings.SPECTRA, len(entries)),
        columns=shown,
        distinctions=distinctions(entries),
        flagged=any(cell.flagged for cell in cells),
        too_short=any(cell.text == TOO_SHORT for cell in cells),
        payloads=payloads,
        # "<" in the JSON could end the script element around it.
        overview=json.dumps(overview).replace('<', '\\u003c'),
        libraries={'plotly': _packed(get_plotlyjs()), 'datatables': _packed(_datatables('js'))},
        datatables_css=_datatables('css'),
    )
    Path(path).write_text(text, encoding='utf-8')


def is_report(path: Path) -> bool:
    """Whether a file is a report, made by :func:`write_html`."""
    with path.open('rb') as stream:
        return f'name="generator" content="{GENERATOR}"'.encode() in stream.read(1000)


def _payload(environment: Environment, entry: Entry, place: int, count: int, shown: list[Column]) -> dict:
    """What the page shows when a structure is opened: its HTML and its figures."""
    figures = drawings.of_entry(entry)
    words = {'entry': entry, 'place': place, 'count': count, 'view': figures.get('structure'), 'columns': shown}
    words['stopped'] = stopped_early(entry.values)
    html = environment.get_template('details.html').render(**words, units=_UNITS, quantities=QUANTITIES)
    return {'html': html, 'figures': _plain(figures)}


def _plain(figures: dict[str, Plot | StructureView]) -> dict[str, dict]:
    """Figures as JSON types without their template, which the page holds once."""
    found = {name: json.loads(draw(content).to_json(engine='json')) for name, content in figures.items()}
    for figure in found.values():
        figure['layout'].pop('template')
    return found


def _packed(text: str) -> str:
    """Compressed text in letters; equal texts give equal letters."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _datatables(ending: str) -> str:
    """DataTables as itables ships it. Importing itables would read configuration files from the working directory."""
    folder = Path(find_spec('itables').origin).parent
    return (folder / 'html' / f'dt_bundle.{ending}').read_text(encoding='utf-8')


def _environment() -> Environment:
    options = {'autoescape': True, 'undefined': StrictUndefined, 'trim_blocks': True}
    environment = Environment(loader=PackageLoader('aiida_pesfp.report'), **options)
    environment.filters |= {'formula': _formula, 'minus': _with_minus, 'commands': _with_commands, 'source': Source.of}
    environment.globals['with_error'] = with_error
    environment.globals['macros'] = environment.get_template('macros.html').module
    return environment


def _formula(formula: str) -> str:
    """With subscripts, if there are letters for them: there is none for a decimal point."""
    return unicodeify(formula) if formula.isascii() and '.' not in formula else formula


def _with_minus(number: str) -> str:
    """With a true minus sign."""
    return number.replace('-', '−')  # noqa: RUF001


def _with_commands(sentence: str) -> Markup:
    """With the text between backticks as commands."""
    return Markup(re.sub(r'`([^`]+)`', r'<code class="command">\1</code>', str(escape(sentence))))
