"""The figures of the report by plotly."""

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.io import templates

from aiida_pesfp.report import drawings
from aiida_pesfp.report.drawings import Axis, Band, Contours, Guide, Plot, Trace
from aiida_pesfp.report.view import StructureView

#: The look of all figures; the HTML report holds it once.
TEMPLATE = go.layout.Template(templates['simple_white'])
TEMPLATE.layout.update(
    font={'size': 13},
    hovermode='closest',
    margin={'l': 70, 'r': 20, 't': 30, 'b': 60},
    legend={'orientation': 'h', 'x': 0, 'y': -0.22, 'yanchor': 'top'},
    colorway=drawings.COLOURS,
    shapedefaults={'opacity': 1, 'line': {'width': 1.5}},
)
TEMPLATE.data.scatter = [{'mode': 'lines', 'error_y': {'thickness': 1}}]
_CAMERA = {'projection': {'type': 'orthographic'}, 'eye': {'x': 1.7, 'y': 0.6, 'z': 0.35}}
#: Size of the structure in its frame.
_ZOOM = 1.6


def draw(content: Plot | StructureView) -> go.Figure:
    """A figure of :mod:`aiida_pesfp.report.drawings`, or of a structure in space."""
    if isinstance(content, StructureView):
        return _structure(content)
    title = {'text': content.title, 'subtitle': {'text': content.remark, 'font': {'color': drawings.FLAGGED}}}
    figure = go.Figure(layout={'template': TEMPLATE, 'height': 460})
    if content.title:
        figure.update_layout(title=title, margin_t=80)
    for part in content.parts:
        add(figure, part)
    return figure.update_xaxes(axis(content.x)).update_yaxes(axis(content.y))


def axis(content: Axis) -> dict:
    """The layout of an axis."""
    limits = [None if value is None else float(value) for value in content.limits]
    if not content.logarithmic:
        return {'title': content.title, 'range': limits}
    limits = [None if value is None else float(np.log10(value)) for value in limits]
    return {'title': content.title, 'range': limits, 'type': 'log', 'exponentformat': 'power', 'dtick': 1}


def add(figure: go.Figure, part: Trace | Band | Guide | Contours, **panel) -> None:
    """Add a part of a plot.

    :param panel: ``row`` and ``col`` of a figure with several.
    """
    if isinstance(part, Guide):
        line, place = {'color': part.colour, 'dash': part.dash}, 'top left' if part.axis == 'y' else 'top'
        text = {'annotation': {'text': part.text, 'font': {'color': part.colour}}, 'annotation_position': place}
        draw_line = figure.add_vline if part.axis == 'x' else figure.add_hline
        draw_line(part.value, line=line, **text if part.text else {}, **panel)
    elif isinstance(part, Contours):
        for level in part.levels:
            contours = {'coloring': 'none', 'start': level, 'end': level, 'size': 1, 'showlabels': True}
            look = {'line': {'color': drawings.FAINT, 'width': 1}, 'showscale': False, 'showlegend': False}
            values = {'x': part.x, 'y': part.y, 'z': part.values, 'contours': contours}
            figure.add_contour(**values, **look, hoverinfo='skip', name=f'Xi = {level}', **panel)
    elif isinstance(part, Band):
        x, y = np.concatenate([part.x, part.x[::-1]]), np.concatenate([part.high, part.low[::-1]])
        fill = {'fill': 'toself', 'fillcolor': 'rgba({}, {}, {}, 0.15)'.format(*hex_to_rgb(part.colour))}
        figure.add_scatter(x=x, y=y, line_width=0, hoverinfo='skip', **fill, **_legend(figure, part.name), **panel)
    else:
        figure.add_scatter(x=part.x, y=part.y, **_look(part), **_legend(figure, part.name), **panel)


def _legend(figure: go.Figure, name: str | None) -> dict:
    """Traces of the same name are one entry."""
    first = name is not None and all(trace.name != name for trace in figure.data)
    return {'name': name, 'legendgroup': name, 'showlegend': first}


def _look(part: Trace) -> dict:
    modes = {'lines': part.dash, 'markers': part.symbols, 'text': part.labels}
    marker = {'size': part.size, 'symbol': part.symbols, 'color': part.fill or part.colour}
    marker['line'] = {'width': 3 if part.rim else 1, 'color': part.rim or part.colour}
    if part.scale:
        colours, low, high, title = part.scale
        bar = {'title': {'text': title}, 'thickness': 12, 'outlinewidth': 0}
        marker |= {'colorscale': colours, 'cmin': low, 'cmax': high, 'colorbar': bar}
    look = {'mode': '+'.join(mode for mode, wanted in modes.items() if wanted), 'line_color': part.colour}
    if part.dash:
        look |= {'line_dash': part.dash, 'line_width': part.width}
    if part.symbols:
        look['marker'] = marker
    if part.errors is not None:
        lower, upper = part.errors
        look['error_y'] = {'array': upper, 'arrayminus': lower, 'color': part.colour}
    if part.labels:
        look |= {'text': part.labels, 'textposition': 'top center', 'textfont': {'size': 11, 'color': part.colour}}
    if isinstance(part.hover, str):
        look['hovertemplate'] = f'{part.hover}<extra></extra>'
    elif part.hover:
        look |= {'hovertext': part.hover, 'hoverinfo': 'text'}
    return look


def _structure(view: StructureView) -> go.Figure:
    """The structure in space with the level-map isosurface and the easiest path."""
    figure = go.Figure()
    if view.isosurface is not None:
        vertices, faces = view.isosurface.vertices, view.isosurface.faces
        smallest = np.uint16 if len(vertices) < 2**16 else np.uint32
        mesh = dict(zip('xyz', vertices.T)) | dict(zip('ijk', faces.astype(smallest).T))
        light = {'ambient': 0.65, 'diffuse': 0.6, 'specular': 0.15, 'roughness': 0.6}
        name = f'level map at {view.threshold:g} eV'
        look = {'color': drawings.ISOSURFACE, 'opacity': 0.45, 'flatshading': False, 'lighting': light}
        figure.add_mesh3d(**mesh, **look, hoverinfo='skip', name=name, showlegend=True)
    _add_lines(figure, view.bonds, 'bonds', drawings.BOND, 4)
    for atoms in view.atoms:
        colour = f'rgb{tuple(int(255 * part) for part in atoms.colour)}'
        size = 7 if atoms.symbol == view.species else 3 + 7 * atoms.radius
        marker = {'size': size, 'color': colour, 'line': {'color': drawings.LINE, 'width': 1}}
        points = dict(zip('xyz', atoms.positions.astype(np.float32).T))
        hover = {'hovertemplate': f'{atoms.symbol}<extra></extra>', 'name': atoms.symbol}
        figure.add_scatter3d(**points, mode='markers', marker=marker, **hover)
    _add_lines(figure, view.path[None], 'easiest path', 'black', 6)
    _add_lines(figure, view.box, 'doubled cell', drawings.FAINT, 2)
    extent = np.ptp(view.box.reshape(-1, 3), axis=0)
    scene = {name: {'visible': False, 'showspikes': False} for name in ('xaxis', 'yaxis', 'zaxis')}
    scene |= {'aspectmode': 'manual', 'aspectratio': dict(zip('xyz', _ZOOM * extent / extent.max()))}
    legend = {'orientation': 'v', 'y': 1, 'itemsizing': 'constant', 'bgcolor': 'rgba(255, 255, 255, 0.7)'}
    frame = {'template': TEMPLATE, 'margin': dict.fromkeys('lrtb', 0), 'height': 560}
    return figure.update_layout(**frame, legend=legend, scene=scene | {'camera': _CAMERA})


def _add_lines(figure: go.Figure, lines: np.ndarray, name: str, colour: str, width: float) -> None:
    """Add (m, n, 3) polylines as one trace."""
    if len(lines):
        gaps = np.full((len(lines), 1, 3), np.nan)
        points = np.concatenate([lines, gaps], axis=1).reshape(-1, 3)[:-1].astype(np.float32)
        line = {'color': colour, 'width': width}
        figure.add_scatter3d(**dict(zip('xyz', points.T)), mode='lines', line=line, hoverinfo='skip', name=name)
