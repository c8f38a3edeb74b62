"""Figures of transport: mean squared displacements and Arrhenius plots, as plotly figures.

A figure is a plotly ``Figure``: ``write_html`` makes it a page, ``write_image`` (with kaleido) a picture.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from aiida_pesfp.transport.arrhenius import ArrheniusFit

#: Of Okabe and Ito, to be told apart by everybody: blue, vermilion, green, purple, orange, sky blue.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
EXCLUDED_COLOUR, FLAGGED_COLOUR = '#7F7F7F', '#D55E00'
_LAYOUT = {'template': 'simple_white', 'width': 720, 'height': 500, 'font': {'size': 14}, 'hovermode': 'closest'}
#: Factor by which a conductivity axis goes beyond the values.
_MARGIN = 3.0
#: A fit is not followed below this conductivity, S/cm.
_LOWEST = 1e-8
_LEGEND_BELOW = {'orientation': 'h', 'x': 0, 'y': -0.22, 'yanchor': 'top'}


def msd_figure(
    curves: dict[str, np.ndarray],
    species: str,
    fit_start: float,
    title: str = '',
    remarks: dict[str, str] | None = None,
) -> go.Figure:
    """Mean squared displacement of the mobile species in each window and on average, its fit, and the framework's.

    :param curves: of :meth:`aiida_pesfp.transport.conductivity.Conductivity.curves`, or the arrays of a
        ``ConductivityData``.
    :param fit_start: the fit begins at this lag, ps.
    :param remarks: flags of the conductivity, written below the title.
    """
    lags, msds = curves['lags'], curves['window_msds']
    figure = go.Figure()
    for number, msd in enumerate(msds, start=1):
        figure.add_scatter(
            x=lags,
            y=msd,
            mode='lines',
            line={'color': COLOURS[0], 'width': 1},
            opacity=0.35,
            name=f'{species}, single windows',
            legendgroup='windows',
            showlegend=number == 1,
            hovertemplate=f'window {number}<br>%{{x:.2f}} ps, %{{y:.3g}} Å²<extra></extra>',
        )
    mean = msds.mean(axis=0)
    figure.add_scatter(x=lags, y=mean, mode='lines', line={'color': COLOURS[0], 'width': 3}, name=f'{species}, mean')
    fitted = lags >= fit_start - 1e-6 * lags[-1]
    line = np.polyfit(lags[fitted], mean[fitted], 1)
    ends = lags[fitted][[0, -1]]
    figure.add_scatter(
        x=ends,
        y=np.polyval(line, ends),
        mode='lines',
        line={'color': 'black', 'width': 2, 'dash': 'dash'},
        name=f'fit: D = {line[0] / 6 * 1e-4:.2g} cm²/s',
    )
    elements = [name.removeprefix('framework_msd_') for name in curves if name.startswith('framework_msd_')]
    for element, colour in zip(sorted(elements), (COLOURS[1:] * len(elements))):
        figure.add_scatter(
            x=lags, y=curves[f'framework_msd_{element}'], mode='lines', line={'color': colour, 'width': 2}, name=element
        )
    figure.update_layout(**_LAYOUT, title=_title(title, remarks), legend=_LEGEND_BELOW)
    figure.update_xaxes(title='lag (ps)', range=[0, float(lags[-1])])
    figure.update_yaxes(title='mean squared displacement (Å²)', rangemode='tozero')
    return figure


def arrhenius_figure(
    fit: ArrheniusFit, title: str = '', flags: list[list[str]] | None = None, lowest_temperature: float = 300.0
) -> go.Figure:
    """Conductivities against 1/T with their fit and its uncertainty (Fig. 4 of the paper).

    Points that are excluded from the fit are open and grey, flagged ones in the fit have a red rim; the reasons are
    shown on hovering. Values of zero and below, and error bars that reach there, end at the bottom of the axis.

    :param flags: of each point of the fit.
    :param lowest_temperature: to which the line is drawn, K.
    """
    points, flags = fit.points, flags or [[] for _ in fit.points]
    temperatures = np.geomspace(
        min(lowest_temperature, *(p.temperature for p in points)), max(p.temperature for p in points) * 1.05, 200
    )
    values, errors = np.array([fit.conductivity(t) for t in temperatures]).T
    lowest = min([p.conductivity for p in points if p.conductivity > 0] + [max(float(values.min()), _LOWEST)])
    highest = max([p.conductivity + (p.error or 0.0) for p in points] + [float(values.max())])
    floor, ceiling = lowest / _MARGIN, highest * _MARGIN
    figure = go.Figure()
    figure.add_scatter(
        x=np.concatenate([1000 / temperatures, 1000 / temperatures[::-1]]),
        y=np.concatenate([values + errors, np.maximum(values - errors, floor)[::-1]]),
        fill='toself',
        fillcolor='rgba(0, 114, 178, 0.15)',
        line={'width': 0},
        hoverinfo='skip',
        name='one standard error',
    )
    label = f'E<sub>A</sub> = {1000 * fit.activation_energy:.0f} ± {1000 * fit.activation_energy_error:.0f} meV'
    if fit.chi2_reduced is not None:
        label += f', p = {fit.p_value:.2g}'
    figure.add_scatter(x=1000 / temperatures, y=values, mode='lines', line={'color': COLOURS[0]}, name=label)
    kinds = {
        'fitted': [k for k, p in enumerate(points) if p.excluded is None and not flags[k]],
        'fitted, flagged': [k for k, p in enumerate(points) if p.excluded is None and flags[k]],
        'excluded': [k for k, p in enumerate(points) if p.excluded is not None],
    }
    for name, chosen in kinds.items():
        if chosen:
            figure.add_scatter(**_markers([points[k] for k in chosen], [flags[k] for k in chosen], name, floor))
    room = 1000 / 300
    if temperatures[0] <= 300:
        figure.add_vline(x=room, line={'color': 'black', 'width': 1, 'dash': 'dot'}, annotation_text='300 K')
    figure.update_layout(**_LAYOUT, title=_title(title, fit.remarks()), legend=_LEGEND_BELOW)
    figure.update_xaxes(title='1000 K / T')
    figure.update_yaxes(
        title='conductivity (S/cm)',
        type='log',
        exponentformat='power',
        dtick=1,
        range=np.log10([floor, ceiling]).tolist(),
    )
    return figure


def _markers(points: list, flags: list[list[str]], name: str, floor: float) -> dict:
    """Trace of the points of one kind."""
    values = np.array([point.conductivity for point in points])
    errors = np.array([point.error or 0.0 for point in points])
    shown = np.maximum(values, floor * np.sqrt(_MARGIN))
    texts = [
        f'{point.temperature:g} K: {point.conductivity:.3g} ± {point.error or float("nan"):.2g} S/cm'
        + (f'<br>excluded: {point.excluded}' if point.excluded else '')
        + (f'<br>{", ".join(own)}' if own else '')
        for point, own in zip(points, flags)
    ]
    colour = EXCLUDED_COLOUR if name == 'excluded' else COLOURS[0]
    return {
        'x': [1000 / point.temperature for point in points],
        'y': shown,
        'error_y': {
            'array': np.maximum(values + errors - shown, 0),
            'arrayminus': np.minimum(errors, shown - floor),
            'color': colour,
        },
        'mode': 'markers',
        'marker': {
            'size': 11,
            'color': 'white' if name == 'excluded' else colour,
            'symbol': ['circle' if value == place else 'triangle-down' for value, place in zip(values, shown)],
            'line': {'width': 3, 'color': FLAGGED_COLOUR if name == 'fitted, flagged' else colour},
        },
        'hovertext': texts,
        'hoverinfo': 'text',
        'name': name,
    }


def _title(title: str, remarks: dict[str, str] | None) -> dict:
    if not remarks:
        return {'text': title}
    flags = ', '.join(name.replace('_', ' ') for name in remarks)
    return {'text': title, 'subtitle': {'text': flags, 'font': {'color': FLAGGED_COLOUR}}}
