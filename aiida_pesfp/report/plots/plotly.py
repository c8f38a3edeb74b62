"""The figures of the report by plotly. Names are escaped, because plotly takes texts for HTML."""

from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.io import templates

from aiida_pesfp.report import colours
from aiida_pesfp.report.parts import Axis, Band, Contours, Guide, Plot, Trace
from aiida_pesfp.report.view import StructureView

#: The look of all figures; the HTML report holds it once.
TEMPLATE = go.layout.Template(templates['simple_white'])
TEMPLATE.layout.update(
    font={'size': 13},
    hovermode='closest',
    margin={'l': 70, 'r': 20, 't': 30, 'b': 60},
    legend={'orientation': 'h', 'x': 0, 'y': 0, 'yref': 'container', 'yanchor': 'bottom'},
    colorway=colours.COLOURS,
    shapedefaults={'opacity': 1, 'line': {'width': 1.5}},
)
TEMPLATE.data.scatter = [{'mode': 'lines', 'error_y': {'thickness': 1}, 'error_x': {'thickness': 1}}]
_EYE = np.array([1.7, 0.6, 0.35])
_CAMERA = {'projection': {'type': 'orthographic'}, 'eye': dict(zip('xyz', _EYE.tolist()))}
_LIGHT = {'x': -6e4, 'y': 8e4, 'z': -1e5}
#: Radii of spheres: of the mobile ions, A, and of other atoms, as a share of the covalent radius.
_MOBILE, _FRAMEWORK = 0.36, 0.5
#: Largest width and height of a structure on the screen, in plotly's units.
_SIZE = np.array([2.1, 1.75])


def draw(content: Plot | StructureView) -> go.Figure:
    """A figure of :mod:`aiida_pesfp.report.drawings`, or of a structure in space."""
    if isinstance(content, StructureView):
        return _structure(content)
    title = {'text': escape(content.title), 'subtitle': {'text': content.remark, 'font': {'color': colours.FLAGGED}}}
    figure = go.Figure(layout={'template': TEMPLATE, 'height': 460})
    if content.title:
        figure.update_layout(title=title, margin_t=80)
    for part in content.parts:
        add(figure, part)
    figure.update_xaxes(axis(content.x)).update_yaxes(axis(content.y))
    # Rows of the legend, 60 letters each, below the axis.
    names = {trace.name for trace in figure.data if trace.showlegend}
    figure.update_layout(margin_b=60 + 26 * -(-sum(len(name) + 8 for name in names) // 60))
    if content.x.above:
        _add_ticks_above(figure, content.x)
    return figure


def axis(content: Axis) -> dict:
    """The layout of an axis."""
    limits = [None if value is None else float(value) for value in content.limits]
    if not content.logarithmic:
        return {'title': content.title, 'range': limits}
    limits = [None if value is None else float(np.log10(value)) for value in limits]
    # Within few decades, powers of ten alone are too few ticks.
    step = 1 if None in limits or limits[1] - limits[0] > 3 else 'D2'
    return {'title': content.title, 'range': limits, 'type': 'log', 'exponentformat': 'power', 'dtick': step}


def _add_ticks_above(figure: go.Figure, content: Axis) -> None:
    """Further ticks of the horizontal axis at the top. Plotly draws them for an axis with a trace only."""
    ticks = {'tickvals': list(content.above.values()), 'ticktext': list(content.above)}
    figure.add_scatter(x=[None], y=[None], xaxis='x2', showlegend=False, hoverinfo='skip', name='ticks')
    figure.update_layout(xaxis2={'overlaying': 'x', 'matches': 'x', 'side': 'top', **ticks})
    if figure.layout.title.text:
        figure.update_layout(margin_t=110, height=490)


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
            look = {'line': {'color': colours.FAINT, 'width': 1}, 'showscale': False, 'showlegend': False}
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
    name = name and escape(name)
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
    for name, errors in (('error_y', part.errors), ('error_x', part.errors_across)):
        if errors is not None:
            lower, upper = errors
            look[name] = {'array': upper, 'arrayminus': lower, 'color': part.colour}
    if part.labels:
        look |= {'text': [escape(label) for label in part.labels], 'textposition': part.label_places}
        look['textfont'] = {'size': 11, 'color': part.colour}
    if isinstance(part.hover, str):
        look['hovertemplate'] = f'{part.hover}<extra></extra>'
    elif part.hover:
        look |= {'hovertext': part.hover, 'hoverinfo': 'text'}
    return look


def _structure(view: StructureView) -> go.Figure:
    """The structure in space with the level-map isosurface and the easiest path.

    The page draws traces with a radius in their ``meta`` as spheres and tubes of that size, A.
    """
    figure = go.Figure()
    if view.isosurface is not None:
        vertices, faces = view.isosurface.vertices, view.isosurface.faces
        smallest = np.uint16 if len(vertices) < 2**16 else np.uint32
        mesh = dict(zip('xyz', vertices.T)) | dict(zip('ijk', faces.astype(smallest).T))
        light = {'ambient': 0.5, 'diffuse': 0.6, 'specular': 0.3, 'roughness': 0.4, 'fresnel': 0}
        name = f'accessible below {view.threshold:g} eV'
        look = {
            'color': colours.ISOSURFACE,
            'opacity': 0.5,
            'flatshading': False,
            'lighting': light,
            'lightposition': _LIGHT,
        }
        figure.add_mesh3d(**mesh, **look, hoverinfo='skip', name=name, showlegend=True)
    _add_lines(figure, view.bonds, 'bonds', colours.BOND, 0.1)
    for atoms in view.atoms:
        colour = f'rgb{tuple(int(255 * part) for part in atoms.colour)}'
        radius = _MOBILE if atoms.symbol == view.species else _FRAMEWORK * float(atoms.radius)
        points = dict(zip('xyz', atoms.positions.astype(np.float32).T))
        hover = {'hovertemplate': f'{atoms.symbol}<extra></extra>', 'name': atoms.symbol, 'meta': {'radius': radius}}
        figure.add_scatter3d(**points, mode='markers', marker={'size': 12 * radius, 'color': colour}, **hover)
    _add_lines(figure, view.path[None], 'easiest path', 'black', 0.09)
    _add_lines(figure, view.box, 'doubled cell', colours.FAINT, None)
    corner, ends = -view.cell.sum(axis=0), 2 * view.cell
    tips = corner + ends * (1 + 0.8 / np.linalg.norm(ends, axis=1, keepdims=True))
    letters = {'mode': 'text', 'text': ['a', 'b', 'c'], 'textfont': {'size': 15, 'color': colours.LINE}}
    figure.add_scatter3d(**dict(zip('xyz', tips.T)), **letters, showlegend=False, hoverinfo='skip')
    # Equal units along the axes, so that spheres are round.
    corners = np.concatenate([view.box.reshape(-1, 3), tips])
    low, high = corners.min(axis=0) - 1, corners.max(axis=0) + 1
    scene = {
        f'{name}axis': {'visible': False, 'showspikes': False, 'range': [float(least), float(most)]}
        for name, least, most in zip('xyz', low, high)
    }
    right = np.cross([0, 0, 1], _EYE) / np.linalg.norm(_EYE[:2])
    seen = np.ptp(corners @ np.stack([right, np.cross(_EYE, right) / np.linalg.norm(_EYE)]).T, axis=0)
    shares = (high - low) * (_SIZE / seen).min()
    scene |= {'aspectmode': 'manual', 'aspectratio': dict(zip('xyz', shares.tolist())), 'camera': _CAMERA}
    legend = {
        'orientation': 'v',
        'y': 1,
        'yref': 'paper',
        'yanchor': 'top',
        'itemsizing': 'constant',
        'bgcolor': 'rgba(255, 255, 255, 0.7)',
    }
    frame = {'template': TEMPLATE, 'margin': dict.fromkeys('lrtb', 0), 'height': 560}
    return figure.update_layout(**frame, legend=legend, scene=scene)


def _add_lines(figure: go.Figure, lines: np.ndarray, name: str, colour: str, radius: float | None) -> None:
    """Add (m, n, 3) polylines as one trace: tubes of a radius, A, or thin lines."""
    if len(lines):
        gaps = np.full((len(lines), 1, 3), np.nan)
        points = np.concatenate([lines, gaps], axis=1).reshape(-1, 3)[:-1].astype(np.float32)
        look = {'line': {'color': colour, 'width': 30 * radius if radius else 2}, 'meta': radius and {'radius': radius}}
        figure.add_scatter3d(**dict(zip('xyz', points.T)), mode='lines', **look, hoverinfo='skip', name=name)
