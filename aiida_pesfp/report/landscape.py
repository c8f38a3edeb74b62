"""Figures of the energy landscape, as plotly figures: map of Xi, free-volume spectra, energy profile, view in space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from ase.data import atomic_numbers, covalent_radii
from ase.data.colors import jmol_colors

from aiida_pesfp.fingerprint.percolation import EnergyProfile
from aiida_pesfp.fingerprint.quantities import xi
from aiida_pesfp.report.content import Candidate
from aiida_pesfp.report.plots.plotly import COLOURS
from aiida_pesfp.report.view import StructureView, bonds, cell_edges
from aiida_pesfp.settings.descriptors import XiParameters

#: Contours of Xi on its map: the middle one is the limit above which the paper takes candidates seriously.
XI_CONTOURS = (0.05, 0.25, 0.5, 0.95)
#: log10 of a free volume that is not resolved: of no point, or of less than one in a million.
LOWEST_LOG = -6.0
_MARGIN = 0.15
_LAYOUT = {
    'template': 'simple_white',
    'font': {'size': 13},
    'hovermode': 'closest',
    'margin': {'l': 70, 'r': 20, 't': 30, 'b': 60},
}
_ISOSURFACE = '#C43C39'
#: Lines at limits; the template would make them faint.
_CUT = {'line': {'color': COLOURS[1], 'width': 1.5, 'dash': 'dash'}, 'opacity': 1}
_CAMERA = {'projection': {'type': 'orthographic'}, 'eye': {'x': 1.7, 'y': 0.6, 'z': 0.35}}
#: Of the view in its frame.
_ZOOM = 1.6


def log_of(free_volume: float) -> float:
    """log10 of a free volume, from :data:`LOWEST_LOG` upwards."""
    return max(float(np.log10(free_volume)), LOWEST_LOG) if free_volume > 0 else LOWEST_LOG


def map_range(candidates: Sequence[Candidate], name: str) -> list[float]:
    """Range of log10 of ``fv_connected`` or ``fv_disconnected`` that shows all candidates and the cuts of Xi."""
    cut = name.replace('fv_', '') + '_cut'
    values = [log_of(getattr(one, name)) for one in candidates] + [getattr(one.settings.xi, cut) for one in candidates]
    return [min(values) - _MARGIN, min(max(values) + _MARGIN, 0.0)]


def xi_grid(parameters: XiParameters, x_range: list[float], y_range: list[float], points: int = 80):
    """Xi on a grid of log10 of disconnected (columns) and connected (rows) free volume; the two axes and the values."""
    x, y = np.linspace(*x_range, points), np.linspace(*y_range, points)
    return x, y, np.array([[xi(10**c, 10**d, parameters) for d in x] for c in y])


def distinct_settings(candidates: Sequence[Candidate]) -> list[XiParameters]:
    """The parameters of Xi that are behind the candidates, each once."""
    return list(dict.fromkeys(one.settings.xi for one in candidates))


def xi_map(candidates: Sequence[Candidate]) -> go.Figure:
    """Connected against disconnected free volume, with the cuts of Xi (Eq. 4) and its contours.

    A candidate's number in the sequence is the customdata of its marker. Free volumes that vanish lie at the lower
    edge, as open triangles.
    """
    x_range, y_range = map_range(candidates, 'fv_disconnected'), map_range(candidates, 'fv_connected')
    figure = go.Figure()
    settings = distinct_settings(candidates)
    if len(settings) == 1:
        x, y, values = xi_grid(settings[0], x_range, y_range)
        for level in XI_CONTOURS:
            figure.add_contour(
                x=x,
                y=y,
                z=values.astype(np.float32),
                contours={'coloring': 'none', 'start': level, 'end': level, 'size': 1, 'showlabels': True},
                line={'color': '#9AA5B1', 'width': 1},
                hoverinfo='skip',
                showscale=False,
                name=f'Xi = {level}',
                showlegend=False,
            )
    vanishing = [one.fv_connected <= 0 or one.fv_disconnected <= 0 for one in candidates]
    figure.add_scatter(
        x=[log_of(one.fv_disconnected) for one in candidates],
        y=[log_of(one.fv_connected) for one in candidates],
        mode='markers+text' if len(candidates) <= 15 else 'markers',
        text=[one.key for one in candidates],
        textposition='top center',
        textfont={'size': 11, 'color': '#4A5560'},
        customdata=list(range(len(candidates))),
        marker={
            'size': 10,
            'color': [one.xi for one in candidates],
            'cmin': 0,
            'cmax': 1,
            'colorscale': 'Cividis_r',
            'colorbar': {'title': {'text': 'Ξ'}, 'thickness': 12, 'outlinewidth': 0},
            'symbol': ['triangle-down-open' if gone else 'circle' for gone in vanishing],
            'line': {'color': 'white', 'width': 0.5},
        },
        hovertext=[
            f'<b>{one.key}</b> {one.formula}<br>Ξ = {one.xi:.4f}, MPE = {one.mpe:.3f} eV<br>'
            f'FV connected {one.fv_connected:.4g}, disconnected {one.fv_disconnected:.4g}'
            for one in candidates
        ],
        hoverinfo='text',
        showlegend=False,
    )
    for parameters in settings:
        figure.add_vline(x=parameters.disconnected_cut, **_CUT)
        figure.add_hline(y=parameters.connected_cut, **_CUT)
    thresholds = ', '.join(f'{value:g}' for value in sorted({one.threshold for one in settings}))
    figure.update_layout(**_LAYOUT, height=480)
    figure.update_xaxes(title=f'log₁₀ of disconnected free volume at {thresholds} eV', range=x_range)
    figure.update_yaxes(title=f'log₁₀ of connected free volume at {thresholds} eV', range=y_range)
    return figure


def spectra_figure(candidates: Sequence[Candidate]) -> go.Figure:
    """Free volumes against the threshold: connected as full, disconnected as dashed lines."""
    figure = go.Figure()
    for candidate, colour in zip(candidates, COLOURS * len(candidates)):
        for kind, dash in (('connected', 'solid'), ('disconnected', 'dash')):
            values = np.array(candidate.spectrum[kind])
            figure.add_scatter(
                x=candidate.spectrum['thresholds'],
                y=np.where(values > 0, values, np.nan),
                mode='lines+markers',
                line={'color': colour, 'dash': dash, 'width': 2},
                marker={'size': 5},
                name=candidate.key if len(candidates) > 1 else kind,
                legendgroup=candidate.key if len(candidates) > 1 else kind,
                showlegend=kind == 'connected' or len(candidates) == 1,
                hovertemplate=f'{candidate.key}, {kind}<br>%{{x:g}} eV: %{{y:.4g}}<extra></extra>',
            )
    for threshold in sorted({one.settings.xi.threshold for one in candidates}):
        figure.add_vline(x=threshold, line={'color': '#9AA5B1', 'width': 1.5, 'dash': 'dot'}, opacity=1)
    figure.update_layout(
        **_LAYOUT, height=480 if len(candidates) > 1 else 360, legend={'x': 1.0, 'y': 0.0, 'xanchor': 'right'}
    )
    figure.update_xaxes(title='threshold t (eV)', rangemode='tozero')
    figure.update_yaxes(title='free volume (fraction of the cell)', type='log', exponentformat='power', dtick=1)
    return figure


def profile_figure(profile: EnergyProfile) -> go.Figure:
    """Energy along the easiest path from an ion's site to a periodic image of it."""
    along = '[' + ' '.join(map(str, profile.translation)).replace('-', '\N{MINUS SIGN}') + ']'
    figure = go.Figure()
    figure.add_scatter(
        x=profile.length.astype(np.float32),
        y=profile.energy.astype(np.float32),
        mode='lines+markers',
        line={'color': COLOURS[0], 'width': 2},
        marker={'size': 5},
        hovertemplate='%{x:.2f} Å: %{y:.3f} eV<extra></extra>',
    )
    figure.add_hline(
        y=profile.barrier,
        **_CUT,
        annotation={'text': f'barrier {profile.barrier:.3f} eV', 'font': {'color': COLOURS[1]}},
        annotation_position='top left',
    )
    figure.update_layout(**_LAYOUT, height=360, showlegend=False)
    figure.update_xaxes(title=f'length of the path along {along} (Å)', rangemode='tozero')
    figure.update_yaxes(title='energy (eV)', range=[-0.04 * profile.barrier, 1.15 * profile.barrier])
    return figure


def structure_figure(view: StructureView, species: str) -> go.Figure:
    """The structure in space with the level-map isosurface and the easiest path."""
    figure = go.Figure()
    if view.isosurface is not None:
        vertices, faces = view.isosurface.vertices, view.isosurface.faces
        smallest = np.uint16 if len(vertices) < 2**16 else np.uint32
        figure.add_mesh3d(
            **dict(zip('xyz', vertices.T)),
            **dict(zip('ijk', faces.astype(smallest).T)),
            color=_ISOSURFACE,
            opacity=0.45,
            flatshading=False,
            lighting={'ambient': 0.65, 'diffuse': 0.6, 'specular': 0.15, 'roughness': 0.6},
            hoverinfo='skip',
            name=f'level map at {view.threshold:g} eV',
            showlegend=True,
        )
    symbols = np.array(view.symbols)
    pairs = bonds(view.symbols, view.positions, species)
    _add_lines(figure, view.positions[pairs], {'color': '#8A939C', 'width': 4}, 'bonds')
    for symbol in sorted(set(view.symbols), key=lambda symbol: (symbol != species, symbol)):
        number = atomic_numbers[symbol]
        figure.add_scatter3d(
            **dict(zip('xyz', view.positions[symbols == symbol].astype(np.float32).T)),
            mode='markers',
            marker={
                'size': 7 if symbol == species else 3 + 7 * covalent_radii[number],
                'color': f'rgb{tuple(int(255 * part) for part in jmol_colors[number])}',
                'line': {'color': '#4A5560', 'width': 1},
            },
            hovertemplate=f'{symbol}<extra></extra>',
            name=symbol,
        )
    _add_lines(figure, view.path[None], {'color': 'black', 'width': 6}, 'easiest path')
    box = cell_edges(2 * view.cell, -view.cell.sum(axis=0))
    _add_lines(figure, box, {'color': '#9AA5B1', 'width': 2}, 'doubled cell')
    extent = np.ptp(box.reshape(-1, 3), axis=0)
    axis = {'visible': False, 'showspikes': False}
    figure.update_layout(
        **_LAYOUT | {'margin': {'l': 0, 'r': 0, 't': 0, 'b': 0}},
        height=560,
        legend={'x': 0, 'y': 1, 'itemsizing': 'constant', 'bgcolor': 'rgba(255, 255, 255, 0.7)'},
        scene={
            'xaxis': axis,
            'yaxis': axis,
            'zaxis': axis,
            'aspectmode': 'manual',
            'aspectratio': dict(zip('xyz', _ZOOM * extent / extent.max())),
            'camera': _CAMERA,
        },
    )
    return figure


def _add_lines(figure: go.Figure, lines: np.ndarray, style: dict, name: str) -> None:
    """Add (m, n, 3) polylines as one trace."""
    if not len(lines):
        return
    gaps = np.full((len(lines), 1, 3), np.nan)
    points = np.concatenate([lines, gaps], axis=1).reshape(-1, 3)[:-1].astype(np.float32)
    figure.add_scatter3d(**dict(zip('xyz', points.T)), mode='lines', line=style, hoverinfo='skip', name=name)
