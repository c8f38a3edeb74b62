"""The report as one HTML file that needs no network: plotly.js and DataTables are inside.

What is drawn only when a candidate is opened lies in the file as compressed JSON, a piece for each candidate.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.io import templates
from plotly.offline import get_plotlyjs
from pymatgen.util.string import unicodeify

from aiida_pesfp import __version__
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.report.content import Candidate, Report, Source, load_curves, load_surface
from aiida_pesfp.report.landscape import distinct_settings, profile_figure, spectra_figure, structure_figure, xi_map
from aiida_pesfp.report.plots.plotly import arrhenius_figure, msd_figure
from aiida_pesfp.report.table import columns, engine_of
from aiida_pesfp.report.view import StructureView, structure_view

#: So many candidates have their spectra in the overview.
SPECTRA = 6
_UNITS = {'band_gap': 'eV', 'energy_above_hull': 'eV/atom'}


def write_html(
    report: Report, path: str | Path, progress: Callable[[int], None] | None = None, title: str | None = None
) -> None:
    """Write a report.

    :param progress: called with 1 after each candidate.
    :param title: by default from the label of the workchain or group.
    """
    environment = _environment()
    payloads = []
    for place, candidate in enumerate(report.candidates, start=1):
        payloads.append(_packed(_payload(environment, candidate, place, len(report.candidates))))
        if progress is not None:
            progress(1)
    overview = {'template': templates['simple_white'].to_plotly_json()}
    if report.candidates:
        overview |= {
            'map': _plain(xi_map(report.candidates)),
            'spectra': _plain(spectra_figure(report.candidates[:SPECTRA])),
        }
    text = environment.get_template('report.html').render(
        title=title or f'Fast-ion screening: {report.subject.label or report.subject}',
        report=report,
        version=__version__,
        potentials=_potentials(report),
        settings=distinct_settings(report.candidates),
        spectra_count=min(SPECTRA, len(report.candidates)),
        columns=columns(report.candidates),
        payloads=payloads,
        overview=_safe_json(overview),
        plotly_js=get_plotlyjs(),
        datatables_js=base64.b64encode(_datatables('js').encode()).decode(),
        datatables_css=_datatables('css'),
        css=_own('report.css'),
        js=_own('report.js'),
    )
    Path(path).write_text(text, encoding='utf-8')


def view_of(candidate: Candidate, surface: PotentialEnergySurface) -> StructureView:
    """The view of a candidate around its ion with the easiest path."""
    ion = int(surface.mobile_ions[0]) if candidate.ion is None else candidate.ion
    return structure_view(surface, ion, candidate.settings.xi.threshold, candidate.settings.neighbours)


def node_list(candidate: Candidate) -> list[tuple[str, Source]]:
    """The nodes behind a candidate, and what they are."""
    named = (
        ('descriptors', candidate.source),
        ('energy surface', candidate.pes),
        ('structure', candidate.structure),
        ('potential', candidate.potential),
    )
    return [(what, source) for what, source in named if source is not None]


def _payload(environment: Environment, candidate: Candidate, place: int, count: int) -> dict:
    """What is shown when a candidate is opened."""
    view, sentences, figures = None, [], {'spectrum': spectra_figure([candidate])}
    if candidate.pes is None:
        sentences.append('No energy surface is stored for this candidate: there is no view and no energy profile.')
    else:
        view = view_of(candidate, load_surface(candidate.pes))
        figures |= {'view': structure_figure(view, candidate.species), 'profile': profile_figure(view.profile)}
    for number, one in enumerate(candidate.transport, start=1):
        values = one.attributes
        title = f'{values["temperature"]:g} K, {engine_of(one)}'
        curves = {name: _thinned(values) for name, values in load_curves(one.source).items()}
        figures[f'msd-{number}'] = msd_figure(curves, values['species'], values['fit_start'], title, one.flags)
    for number, one in enumerate(candidate.activations, start=1):
        figures[f'arrhenius-{number}'] = arrhenius_figure(one.fit, engine_of(one), one.flags)
    html = environment.get_template('details.html').render(
        candidate=candidate,
        place=place,
        count=count,
        view=view,
        sentences=sentences,
        nodes=node_list(candidate),
        units=_UNITS,
    )
    return {'html': html, 'figures': {name: _plain(figure) for name, figure in figures.items()}}


def _thinned(curve: np.ndarray, most: int = 300) -> np.ndarray:
    """Points of a curve, evenly along its last axis with the first and the last, in single precision."""
    count = curve.shape[-1]
    chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    return curve[..., chosen].astype(np.float32)


def _plain(figure: go.Figure) -> dict:
    """A figure as JSON types without its template, which the page holds once."""
    content = json.loads(figure.to_json(engine='json'))
    content['layout'].pop('template', None)
    return content


def _packed(content: dict) -> str:
    """Compressed JSON, the same for the same content, as text."""
    return base64.b64encode(gzip.compress(json.dumps(content).encode(), mtime=0)).decode()


def _safe_json(content: dict) -> str:
    """JSON that cannot end the script element around it."""
    return json.dumps(content).replace('<', '\\u003c')


def _potentials(report: Report) -> list[dict[str, str]]:
    found = dict.fromkeys((one.potential_name, one.potential_sha256) for one in report.candidates)
    return [{'name': name, 'sha256': sha256} for name, sha256 in found]


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
    """With subscripts, unless it is none that pymatgen understands."""
    return unicodeify(formula) if formula.isascii() else formula


def _with_minus(number: str) -> str:
    """With a true minus sign."""
    return number.replace('-', '−')  # noqa: RUF001


def _with_commands(sentence: str) -> Markup:
    """With what stands between backticks as commands."""
    return Markup(re.sub(r'`([^`]+)`', r'<code class="command">\1</code>', str(escape(sentence))))
