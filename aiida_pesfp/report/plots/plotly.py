"""The figures of the report by plotly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from ase.data import atomic_numbers, covalent_radii
from ase.data.colors import jmol_colors

from aiida_pesfp.fingerprint.percolation import EnergyProfile
from aiida_pesfp.report.content import Entry
from aiida_pesfp.report.drawings import (
    COLOURS,
    CUT,
    EXCLUDED,
    FAINT,
    FLAGGED,
    ISOSURFACE,
    LINE,
    ROOM_TEMPERATURE,
    XI_CONTOURS,
    ArrheniusPlot,
    Displacements,
    Marker,
    XiMap,
)
from aiida_pesfp.report.view import StructureView, bonds, cell_edges

_LAYOUT = {
    'template': 'simple_white',
    'font': {'size': 13},
    'hovermode': 'closest',
    'margin': {'l': 70, 'r': 20, 't': 30, 'b': 60},
}
_TITLED = _LAYOUT | {'margin': {}, 'width': 720, 'height': 500}
_LEGEND_BELOW = {'orientation': 'h', 'x': 0, 'y': -0.22, 'yanchor': 'top'}
#: The template would make lines at limits faint.
_CUT = {'line': {'color': CUT, 'width': 1.5, 'dash': 'dash'}, 'opacity': 1}
_CAMERA = {'projection': {'type': 'orthographic'}, 'eye': {'x': 1.7, 'y': 0.6, 'z': 0.35}}
#: Size of the structure in its frame.
_ZOOM = 1.6


def xi_map(entries: Sequence[Entry]) -> go.Figure:
    """Connected against disconnected free volume, with the cuts of Xi (Eq. 4) and its contours.

    The customdata of a marker is the entry's position in the sequence. Entries without a free volume lie at the lower
    edge, as open triangles.
    """
    drawn, figure = XiMap.of(entries), go.Figure()
    if drawn.grid is not None:
        x, y, values = drawn.grid
        for level in XI_CONTOURS:
            figure.add_contour(
                x=x,
                y=y,
                z=values.astype(np.float32),
                contours={'coloring': 'none', 'start': level, 'end': level, 'size': 1, 'showlabels': True},
                line={'color': FAINT, 'width': 1},
                hoverinfo='skip',
                showscale=False,
                name=f'Xi = {level}',
                showlegend=False,
            )
    figure.add_scatter(
        x=drawn.x,
        y=drawn.y,
        mode='markers+text' if len(entries) <= 15 else 'markers',
        text=[entry.key for entry in entries],
        textposition='top center',
        textfont={'size': 11, 'color': LINE},
        customdata=list(range(len(entries))),
        marker={
            'size': 10,
            'color': [entry['xi'] for entry in entries],
            'cmin': 0,
            'cmax': 1,
            'colorscale': 'Cividis_r',
            'colorbar': {'title': {'text': 'Ξ'}, 'thickness': 12, 'outlinewidth': 0},
            'symbol': ['triangle-down-open' if gone else 'circle' for gone in drawn.vanishing],
            'line': {'color': 'white', 'width': 0.5},
        },
        hovertext=[
            f'<b>{entry.key}</b> {entry.formula}<br>Ξ = {entry["xi"]:.4f}, MPE = {entry["mpe"]:.3f} eV<br>'
            f'FV connected {entry["fv_connected"]:.4g}, disconnected {entry["fv_disconnected"]:.4g}'
            for entry in entries
        ],
        hoverinfo='text',
        showlegend=False,
    )
    for parameters in drawn.settings:
        figure.add_vline(x=parameters.disconnected_cut, **_CUT)
        figure.add_hline(y=parameters.connected_cut, **_CUT)
    figure.update_layout(**_LAYOUT, height=480)
    figure.update_xaxes(title=f'log₁₀ of disconnected free volume at {drawn.threshold} eV', range=drawn.x_range)
    figure.update_yaxes(title=f'log₁₀ of connected free volume at {drawn.threshold} eV', range=drawn.y_range)
    return figure


def spectra(entries: Sequence[Entry]) -> go.Figure:
    """Free volumes against the threshold: connected as solid, disconnected as dashed lines."""
    figure = go.Figure()
    for entry, colour in zip(entries, COLOURS * len(entries)):
        for kind, dash in (('connected', 'solid'), ('disconnected', 'dash')):
            values, name = np.array(entry.spectrum[kind]), entry.key if len(entries) > 1 else kind
            figure.add_scatter(
                x=entry.spectrum['thresholds'],
                y=np.where(values > 0, values, np.nan),
                mode='lines+markers',
                line={'color': colour, 'dash': dash, 'width': 2},
                marker={'size': 5},
                name=name,
                legendgroup=name,
                showlegend=kind == 'connected' or len(entries) == 1,
                hovertemplate=f'{entry.key}, {kind}<br>%{{x:g}} eV: %{{y:.4g}}<extra></extra>',
            )
    for threshold in sorted({entry.settings.xi.threshold for entry in entries}):
        figure.add_vline(x=threshold, line={'color': FAINT, 'width': 1.5, 'dash': 'dot'}, opacity=1)
    figure.update_layout(
        **_LAYOUT, height=480 if len(entries) > 1 else 360, legend={'x': 1.0, 'y': 0.0, 'xanchor': 'right'}
    )
    figure.update_xaxes(title='threshold t (eV)', rangemode='tozero')
    figure.update_yaxes(title='free volume (fraction of the cell)', type='log', exponentformat='power', dtick=1)
    return figure


def profile(path: EnergyProfile) -> go.Figure:
    """Energy along the easiest path from an ion's site to a periodic image of it."""
    along = '[' + ' '.join(map(str, path.translation)).replace('-', '\N{MINUS SIGN}') + ']'
    figure = go.Figure()
    figure.add_scatter(
        x=path.length.astype(np.float32),
        y=path.energy.astype(np.float32),
        mode='lines+markers',
        line={'color': COLOURS[0], 'width': 2},
        marker={'size': 5},
        hovertemplate='%{x:.2f} Å: %{y:.3f} eV<extra></extra>',
    )
    figure.add_hline(
        y=path.barrier,
        **_CUT,
        annotation={'text': f'barrier {path.barrier:.3f} eV', 'font': {'color': CUT}},
        annotation_position='top left',
    )
    figure.update_layout(**_LAYOUT, height=360, showlegend=False)
    figure.update_xaxes(title=f'length of the path along {along} (Å)', rangemode='tozero')
    figure.update_yaxes(title='energy (eV)', range=[-0.04 * path.barrier, 1.15 * path.barrier])
    return figure


def structure(view: StructureView, species: str) -> go.Figure:
    """The structure in space with the level-map isosurface and the easiest path."""
    figure = go.Figure()
    if view.isosurface is not None:
        vertices, faces = view.isosurface.vertices, view.isosurface.faces
        smallest = np.uint16 if len(vertices) < 2**16 else np.uint32
        figure.add_mesh3d(
            **dict(zip('xyz', vertices.T)),
            **dict(zip('ijk', faces.astype(smallest).T)),
            color=ISOSURFACE,
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
                'line': {'color': LINE, 'width': 1},
            },
            hovertemplate=f'{symbol}<extra></extra>',
            name=symbol,
        )
    _add_lines(figure, view.path[None], {'color': 'black', 'width': 6}, 'easiest path')
    box = cell_edges(2 * view.cell, -view.cell.sum(axis=0))
    _add_lines(figure, box, {'color': FAINT, 'width': 2}, 'doubled cell')
    extent = np.ptp(box.reshape(-1, 3), axis=0)
    axis = {'visible': False, 'showspikes': False}
    figure.update_layout(
        **_LAYOUT | {'margin': {'l': 0, 'r': 0, 't': 0, 'b': 0}},
        height=560,
        legend={'x': 0, 'y': 1, 'itemsizing': 'constant', 'bgcolor': 'rgba(255, 255, 255, 0.7)'},
        scene={
            **dict.fromkeys(('xaxis', 'yaxis', 'zaxis'), axis),
            'aspectmode': 'manual',
            'aspectratio': dict(zip('xyz', _ZOOM * extent / extent.max())),
            'camera': _CAMERA,
        },
    )
    return figure


def displacements(drawn: Displacements, title: str = '', remarks: dict[str, str] | None = None) -> go.Figure:
    """Mean squared displacement of the mobile species in each window and on average, its fit, and the framework's.

    :param remarks: flags of the conductivity, written below the title.
    """
    figure = go.Figure()
    for number, msd in enumerate(drawn.windows, start=1):
        figure.add_scatter(
            x=drawn.lags,
            y=msd,
            mode='lines',
            line={'color': COLOURS[0], 'width': 1},
            opacity=0.35,
            name=f'{drawn.species}, single windows',
            legendgroup='windows',
            showlegend=number == 1,
            hovertemplate=f'window {number}<br>%{{x:.2f}} ps, %{{y:.3g}} Å²<extra></extra>',
        )
    lines = [(drawn.lags, drawn.mean, {'color': COLOURS[0], 'width': 3}, f'{drawn.species}, mean')]
    lines.append((*drawn.fit, {'color': 'black', 'dash': 'dash'}, f'fit: D = {drawn.coefficient:.2g} cm²/s'))
    for (element, msd), colour in zip(drawn.framework.items(), COLOURS[1:] * len(drawn.framework)):
        lines.append((drawn.lags, msd, {'color': colour, 'width': 2}, element))
    for x, y, style, name in lines:
        figure.add_scatter(x=x, y=y, mode='lines', line=style, name=name)
    figure.update_layout(**_TITLED, title=_title(title, remarks), legend=_LEGEND_BELOW)
    figure.update_xaxes(title='lag (ps)', range=[0, float(drawn.lags[-1])])
    figure.update_yaxes(title='mean squared displacement (Å²)', rangemode='tozero')
    return figure


def arrhenius(drawn: ArrheniusPlot, title: str = '') -> go.Figure:
    """Conductivities against 1/T with their fit and its uncertainty (Fig. 4 of the paper).

    Excluded points are open and grey, flagged ones in the fit have a red rim; the reasons appear on hovering.
    """
    fit, figure = drawn.fit, go.Figure()
    figure.add_scatter(
        x=np.concatenate([drawn.x, drawn.x[::-1]]),
        y=np.concatenate([drawn.high, drawn.low[::-1]]),
        fill='toself',
        fillcolor='rgba(0, 114, 178, 0.15)',
        line={'width': 0},
        hoverinfo='skip',
        name='one standard error',
    )
    label = f'E<sub>A</sub> = {1000 * fit.activation_energy:.0f} ± {1000 * fit.activation_energy_error:.0f} meV'
    if fit.chi2_reduced is not None:
        label += f', p = {fit.p_value:.2g}'
    figure.add_scatter(x=drawn.x, y=drawn.line, mode='lines', line={'color': COLOURS[0]}, name=label)
    for kind in ('fitted', 'fitted, flagged', 'excluded'):
        chosen = [marker for marker in drawn.markers if marker.kind == kind]
        if chosen:
            figure.add_scatter(**_markers(chosen, kind))
    if drawn.x[0] >= 1000 / ROOM_TEMPERATURE:
        style = {'color': 'black', 'width': 1, 'dash': 'dot'}
        figure.add_vline(x=1000 / ROOM_TEMPERATURE, line=style, annotation_text=f'{ROOM_TEMPERATURE:g} K')
    figure.update_layout(**_TITLED, title=_title(title, fit.remarks()), legend=_LEGEND_BELOW)
    figure.update_xaxes(title='1000 K / T')
    limits = np.log10(drawn.limits).tolist()
    figure.update_yaxes(title='conductivity (S/cm)', type='log', exponentformat='power', dtick=1, range=limits)
    return figure


def _markers(chosen: list[Marker], kind: str) -> dict:
    """Trace of the points of one kind."""
    colour = EXCLUDED if kind == 'excluded' else COLOURS[0]
    texts = []
    for marker in chosen:
        point = marker.point
        error = point.conductivity_error or float('nan')
        text = f'{point.temperature:g} K: {point.conductivity:.3g} ± {error:.2g} S/cm'
        reason = f'excluded: {point.excluded}' if point.excluded else ''
        texts.append('<br>'.join(filter(None, [text, reason, ', '.join(marker.flags)])))
    return {
        'x': [marker.x for marker in chosen],
        'y': [marker.y for marker in chosen],
        'error_y': {
            'array': [marker.upper for marker in chosen],
            'arrayminus': [marker.lower for marker in chosen],
            'color': colour,
        },
        'mode': 'markers',
        'marker': {
            'size': 11,
            'color': 'white' if kind == 'excluded' else colour,
            'symbol': ['triangle-down' if marker.raised else 'circle' for marker in chosen],
            'line': {'width': 3, 'color': FLAGGED if kind == 'fitted, flagged' else colour},
        },
        'hovertext': texts,
        'hoverinfo': 'text',
        'name': kind,
    }


def _title(title: str, remarks: dict[str, str] | None) -> dict:
    if not remarks:
        return {'text': title}
    flags = ', '.join(name.replace('_', ' ') for name in remarks)
    return {'text': title, 'subtitle': {'text': flags, 'font': {'color': FLAGGED}}}


def _add_lines(figure: go.Figure, lines: np.ndarray, style: dict, name: str) -> None:
    """Add (m, n, 3) polylines as one trace."""
    if not len(lines):
        return
    gaps = np.full((len(lines), 1, 3), np.nan)
    points = np.concatenate([lines, gaps], axis=1).reshape(-1, 3)[:-1].astype(np.float32)
    figure.add_scatter3d(**dict(zip('xyz', points.T)), mode='lines', line=style, hoverinfo='skip', name=name)
