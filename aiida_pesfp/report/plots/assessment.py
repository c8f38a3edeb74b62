"""Figures of an assessment, after Fig. 3, 7, 8 and 9 of arXiv:2411.06804, as plotly figures."""

from __future__ import annotations

import re

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from aiida_pesfp.report.drawings import COLOURS, EXCLUDED

_SERIES = {'connected': (COLOURS[0], 'circle'), 'disconnected': (COLOURS[1], 'square')}
_LINES = {'-mpe': ('MPE', COLOURS[2], 'solid'), 'xi': ('Xi', '#B00000', 'dash')}
_KIND_NAMES = {'logistic_l1': 'logistic, L1', 'logistic_l2': 'logistic, L2', 'catboost': 'CatBoost'}
_LAYOUT = {'template': 'simple_white', 'font': {'size': 14}}


def scores_figure(assessments: dict[str, dict], further: dict[str, dict[str, dict]] | None = None) -> go.Figure:
    """Score of each descriptor, one panel for each set of labels (Fig. 3).

    :param assessments: name of a set -> content of its ``AssessmentData``.
    :param further: set -> name -> score (value, error), drawn as lines too, such as that of a recalibrated Xi.
    """
    figure = make_subplots(rows=len(assessments), cols=1, shared_xaxes=True, subplot_titles=list(assessments))
    for row, (name, content) in enumerate(assessments.items(), start=1):
        scores = {entry['ranking']: entry['score'] for entry in content['rows'] if entry['score']}
        panel, thresholds = {'row': row, 'col': 1}, []
        for kind, (colour, symbol) in _SERIES.items():
            matches = ((re.fullmatch(rf'{kind}\(([\d.]+)\)', text), score) for text, score in scores.items())
            found = sorted(((float(match[1]), score) for match, score in matches if match), key=lambda pair: pair[0])
            thresholds += [threshold for threshold, _ in found]
            figure.add_scatter(
                x=[threshold for threshold, _ in found],
                y=[score['value'] for _, score in found],
                error_y={'array': [score['error'] for _, score in found], 'color': colour, 'thickness': 1},
                mode='lines+markers',
                marker={'color': colour, 'symbol': symbol, 'size': 8},
                **_legend(f'{kind} FV', row),
                **panel,
            )
        ends = [min(thresholds), max(thresholds)]
        lines = [
            (label, scores[text], colour, dash) for text, (label, colour, dash) in _LINES.items() if text in scores
        ]
        extra = (further or {}).get(name, {})
        lines += [(label, score, colour, 'dot') for (label, score), colour in zip(extra.items(), COLOURS[4:] * 9)]
        for label, score, colour, dash in [*lines, ('random', content['random'], COLOURS[3], 'dash')]:
            figure.add_scatter(
                x=[*ends, *ends[::-1]],
                y=[score['value'] + sign * score['error'] for sign in (1, 1, -1, -1)],
                fill='toself',
                fillcolor=_faint(colour),
                line={'width': 0},
                mode='lines',
                hoverinfo='skip',
                legendgroup=label,
                showlegend=False,
                **panel,
            )
            _add_line(figure, ends, score, colour, dash, **_legend(label, row), **panel)
        figure.update_yaxes(title='score', range=[-0.05, 1.05], **panel)
    figure.update_xaxes(title='threshold of the free volume (eV)', row=len(assessments), col=1)
    return figure.update_layout(_LAYOUT, width=760, height=120 + 300 * len(assessments))


def free_volume_figure(content: dict, cuts: dict[str, tuple[float, float]] | None = None, title: str = '') -> go.Figure:
    """Conductivities against both free volumes at Xi's threshold (Fig. 7 and 8).

    Values that were raised to the floor are triangles, extrapolated ones are open. A structure without a free volume
    is at the left edge. Lines show sigma+ and sigma-, and cuts of Xi.

    :param content: of an ``AssessmentData``.
    :param cuts: name -> the cuts of log10 of the connected and of the disconnected free volume.
    """
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    points = [(key, entry, value) for key, entry in content['materials'].items() for value in entry['values']]
    positive = [value['conductivity'] for _, _, value in points if value['conductivity'] > 0]
    floor = min(positive, default=content['classes']['bad']) / 3
    shown = [max(value['conductivity'], floor) for _, _, value in points]
    for column, kind in enumerate(_SERIES, start=1):
        panel = {'row': 1, 'col': column}
        volumes = np.array([entry[f'fv_{kind}'] for _, entry, _ in points])
        least = volumes[volumes > 0].min(initial=1.0) / 2
        figure.add_scatter(
            x=np.maximum(volumes, least),
            y=shown,
            error_y={
                'array': [value['error'] for _, _, value in points],
                'arrayminus': [min(value['error'], y - floor) for (_, _, value), y in zip(points, shown)],
                'color': EXCLUDED,
                'thickness': 1,
            },
            mode='markers',
            marker={
                'size': 9,
                'symbol': [_symbol(value, floor) for _, _, value in points],
                'color': [entry['good_weight'] - entry['bad_weight'] for _, entry, _ in points],
                'colorscale': 'RdBu_r',
                'cmin': -1,
                'cmax': 1,
                'line': {'width': 1, 'color': 'black'},
                'showscale': column == 2,
                'colorbar': {'title': 'good - bad'},
            },
            hovertext=[f'{key} {entry.get("formula", "")}<br>Xi {entry["xi"]:.3f}' for key, entry, _ in points],
            showlegend=False,
            **panel,
        )
        for (name, pair), colour in zip((cuts or {}).items(), COLOURS * 9):
            # A trace, because plotly misplaces the text of a vertical line on a logarithmic axis.
            figure.add_scatter(
                x=[10 ** pair[column - 1]] * 2,
                y=[floor, max(positive, default=content['classes']['good'])],
                mode='lines',
                line={'dash': 'dash', 'color': colour},
                **_legend(f'cuts of Xi, {name}', column),
                **panel,
            )
        for threshold in ('good', 'bad'):
            figure.add_hline(y=content['classes'][threshold], line={'dash': 'dot', 'width': 1}, **panel)
        figure.update_xaxes(title=f'{kind} free volume', type='log', exponentformat='power', **panel)
    figure.update_yaxes(type='log', exponentformat='power')
    figure.update_yaxes(title='conductivity (S/cm)', row=1, col=1)
    return figure.update_layout(_LAYOUT, width=960, height=520, title=title, legend={'orientation': 'h', 'y': -0.2})


def models_figure(scores: dict[str, dict[str, dict]], references: dict[str, dict[str, dict]]) -> go.Figure:
    """Scores of trained models (Fig. 9), one panel for each set of labels.

    :param scores: set -> model, as ``logistic_l1_pes`` -> score.
    :param references: set -> name, such as Xi -> score, drawn as lines.
    """
    figure = make_subplots(rows=len(scores), cols=1, shared_xaxes=True, subplot_titles=list(scores))
    for row, (name, entries) in enumerate(scores.items(), start=1):
        labels, panel = [_model_name(model) for model in entries], {'row': row, 'col': 1}
        figure.add_bar(
            x=labels,
            y=[score['value'] for score in entries.values()],
            error_y={'array': [score['error'] for score in entries.values()]},
            marker={'color': COLOURS[0]},
            showlegend=False,
            **panel,
        )
        for (reference, score), colour in zip(references.get(name, {}).items(), COLOURS[1:] * 9):
            _add_line(figure, labels, score, colour, 'dash', **_legend(reference, row), **panel)
        figure.update_yaxes(title='score', range=[0, 1.05], **panel)
    return figure.update_layout(_LAYOUT, width=860, height=160 + 280 * len(scores))


def _legend(name: str, panel: int) -> dict:
    """One entry in the legend for all panels."""
    return {'name': name, 'legendgroup': name, 'showlegend': panel == 1}


def _add_line(figure: go.Figure, x: list, score: dict, colour: str, dash: str, **options) -> None:
    """A horizontal line at a score."""
    line = {'color': colour, 'dash': dash}
    figure.add_scatter(x=x, y=[score['value']] * len(x), mode='lines', line=line, **options)


def _symbol(value: dict, floor: float) -> str:
    if value['clipped'] or value['conductivity'] <= floor:
        return 'triangle-down'
    return 'circle-open-dot' if value['extrapolated'] else 'circle'


def _model_name(model: str) -> str:
    kind, _, features = model.rpartition('_')
    return f'{_KIND_NAMES.get(kind, kind)}<br>{features}'


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f'rgba({red}, {green}, {blue}, 0.12)'
