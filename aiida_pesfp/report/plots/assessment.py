"""Figures of an assessment by plotly, after Fig. 3, 7, 8 and 9 of arXiv:2411.06804."""

import re
from html import escape
from itertools import cycle
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from aiida_pesfp.assessment.differences import SIGNIFICANT
from aiida_pesfp.assessment.features import SPECTRA
from aiida_pesfp.report.colours import COLOURS, EXCLUDED
from aiida_pesfp.report.comparison import shown, verdict
from aiida_pesfp.report.parts import Axis, Band, Guide, Trace
from aiida_pesfp.report.plots.plotly import TEMPLATE, add, axis

_SYMBOLS = dict(zip(SPECTRA, ('circle', 'square')))
_LINES = {'-mpe': ('MPE', COLOURS[2], 'solid'), 'xi': ('Xi', '#B00000', 'dash')}
_KIND_NAMES = {'logistic_l1': 'logistic, L1', 'logistic_l2': 'logistic, L2', 'catboost': 'CatBoost'}
_KIND_NAMES |= {'logistic_monotone': 'logistic, monotone'}
Scores = dict[str, dict[str, dict]]


def write_figures(
    folder: Path,
    assessments: dict[str, dict],
    models: dict[str, dict[str, dict]],
    further: Scores | None = None,
    cuts: dict[str, tuple[float, float]] | None = None,
) -> list[Path]:
    """Write all figures of some sets of labels; the other parameters are those of the functions below.

    :param models: set -> model -> its predictions, with their ``score`` and ``reliability``.
    """
    found, references = {'scores': scores_figure(assessments, further)}, {}
    for name, content in assessments.items():
        label = f'free-volumes-{name}' if len(assessments) > 1 else 'free-volumes'
        found[label] = free_volume_figure(content, cuts, f'{name}, {content["potential_name"]}')
        scores = {row['ranking']: row['score'] for row in content['rows']}
        references[name] = {'Xi': scores['xi'], 'random': content['random']}
        if 'rows' in content.get('comparison', {}):
            label = f'comparison-{name}' if len(assessments) > 1 else 'comparison'
            found[label] = comparison_figure(content['comparison'], f'{name}, {content["potential_name"]}')
    if any(models.values()):
        scores = {name: {model: one['score'] for model, one in entries.items()} for name, entries in models.items()}
        found['models'] = models_figure(scores, references)
    for name, entries in models.items():
        label = f'reliability-{name}' if len(assessments) > 1 else 'reliability'
        if entries:
            found[label] = reliability_figure({model: one['reliability'] for model, one in entries.items()})
    return [_write(figure, folder, label) for label, figure in found.items()]


def write_comparison(folder: Path, comparison: dict, label: str = 'comparison', title: str = '') -> Path:
    """Write the figure of a comparison of several assessments."""
    return _write(comparison_figure(comparison, title), folder, label)


def _write(figure: go.Figure, folder: Path, label: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{label}.html'
    figure.write_html(path)
    return path


def comparison_figure(content: dict, title: str = '') -> go.Figure:
    """Score of each ranking with its interval, the best on top, and which of them differ from the reference.

    :param content: of :func:`~aiida_pesfp.assessment.comparison.compare_materials`.
    """
    reference, rows = shown(content['reference']), content['rows']
    looks = {
        'reference': (f'{reference}, the reference', 'black', 'diamond'),
        'better': (f'better than {reference} (p < {SIGNIFICANT})', COLOURS[2], 'circle'),
        'worse': (f'worse than {reference} (p < {SIGNIFICANT})', COLOURS[1], 'circle'),
        None: ('no difference is shown', COLOURS[0], 'circle-open'),
    }
    figure = go.Figure(
        layout={'template': TEMPLATE, 'title': escape(title), 'width': 900, 'height': 170 + 30 * len(rows)}
    )
    for kind, (name, colour, symbol) in looks.items():
        own = [row for row in rows if ('reference' if row['difference'] is None else verdict(row)) == kind]
        x, places = ([row['score'] for row in own], [_name(row) for row in own])
        ends = [[row['score'] - row['lower'] for row in own], [row['upper'] - row['score'] for row in own]]
        look = {'symbols': symbol, 'size': 11, 'errors_across': np.maximum(ends, 0), 'hover': list(map(_hover, own))}
        if own:
            add(figure, Trace(x, places, name, colour, **look))
    add(figure, Guide('x', content['chance']['score'], EXCLUDED, 'dot', 'chance'))
    order = [_name(row) for row in reversed(rows)]
    figure.update_yaxes(categoryorder='array', categoryarray=order, automargin=True, showgrid=True)
    figure.update_xaxes(title='score, and 95 % of the draws of whole families', range=[-0.03, 1.03])
    return figure.update_layout(margin={'t': 80, 'b': 110})


def _name(row: dict) -> str:
    return escape(shown(row['ranking']))


def _hover(row: dict) -> str:
    text = f'{_name(row)}<br>score {row["score"]:.2f} ({row["lower"]:.2f} to {row["upper"]:.2f})'
    if one := row['difference']:
        interval = f'{one["lower"]:+.2f} to {one["upper"]:+.2f}'
        text += f'<br>difference {one["value"]:+.2f} ({interval}), p = {one["p_corrected"]:.2g}'
    return text


def scores_figure(assessments: dict[str, dict], further: Scores | None = None) -> go.Figure:
    """Score of each descriptor, one panel for each set of labels (Fig. 3).

    :param assessments: name of a set -> content of its ``AssessmentData``.
    :param further: set -> name -> score (value, error), drawn as lines too, such as that of a recalibrated Xi.
    """
    figure = _panels(assessments)
    for row, (name, content) in enumerate(assessments.items(), start=1):
        scores, parts, ends = {one['ranking']: one['score'] for one in content['rows'] if one['score']}, [], []
        for (kind, symbol), colour in zip(_SYMBOLS.items(), COLOURS):
            matches = (re.fullmatch(rf'{kind}\(([\d.]+)\)', text) for text in scores)
            found = {float(match[1]): scores[match[0]] for match in matches if match}
            x = sorted(found)
            values, errors = ([found[threshold][key] for threshold in x] for key in ('value', 'error'))
            look = {'dash': 'solid', 'symbols': symbol, 'errors': (errors, errors)}
            parts.append(Trace(x, values, f'{kind} FV', colour, **look))
            ends += x
        lines = {label: (scores[text], *look) for text, (label, *look) in _LINES.items() if text in scores}
        for (label, score), colour in zip((further or {}).get(name, {}).items(), cycle(COLOURS[4:])):
            lines[label] = score, colour, 'dot'
        lines['random'] = content['random'], COLOURS[3], 'dash'
        ends = np.array([min(ends), max(ends)])
        for label, (score, colour, dash) in lines.items():
            value, error = np.full(2, score['value']), score['error']
            parts.append(Trace(ends, value, label, colour, dash))
            parts.append(Band(ends, value - error, value + error, colour, label))
        for part in parts:
            add(figure, part, row=row, col=1)
    figure.update_yaxes(title='score', range=[-0.05, 1.05])
    return figure.update_xaxes(title='threshold of the free volume (eV)', row=len(assessments), col=1)


def free_volume_figure(content: dict, cuts: dict[str, tuple[float, float]] | None = None, title: str = '') -> go.Figure:
    """Conductivities against both free volumes at Xi's threshold (Fig. 7 and 8).

    Limits and values that were raised to the floor are triangles, extrapolated values are open. A structure without a
    free volume is at the left edge; means over orderings have their errors. Lines show sigma+ and sigma-, and cuts of
    Xi.

    :param content: of an ``AssessmentData``.
    :param cuts: name -> the cuts of log10 of the connected and of the disconnected free volume.
    """
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    points = [(key, entry, value) for key, entry in content['materials'].items() for value in entry['values']]
    positive = [value['conductivity'] for *_, value in points if value['conductivity'] > 0]
    floor = min(positive, default=content['classes']['bad']) / 3
    shown, errors = np.array([(max(value['conductivity'], floor), value['error']) for *_, value in points]).T
    look = {
        'symbols': [_symbol(value, floor) for *_, value in points],
        'fill': [entry['good_weight'] - entry['bad_weight'] for _, entry, _ in points],
        'scale': ('RdBu_r', -1, 1, 'good - bad'),
        'errors': (np.minimum(errors, shown - floor), errors),
        'hover': [
            f'{key} {entry.get("formula", "")}<br>Xi {entry["xi"]:.3f}<br>'
            f'{value["limit"] or ""}{value["conductivity"]:.3g} ± {value["error"]:.2g} S/cm'
            for key, entry, value in points
        ],
    }
    for column, kind in enumerate(SPECTRA, start=1):
        volumes = np.array([entry[f'fv_{kind}'] for _, entry, _ in points])
        least = volumes[volumes > 0].min(initial=1.0) / 2
        x = np.maximum(volumes, least)
        factors = 10 ** np.array([(entry.get('error') or {}).get(f'fv_{kind}') or 0.0 for _, entry, _ in points])
        across = (x - x / factors, x * factors - x) if factors.max(initial=1.0) > 1 else None
        parts = [Trace(x, shown, None, EXCLUDED, errors_across=across, **look)]
        ends = [floor, max(positive, default=content['classes']['good'])]
        for (name, pair), colour in zip((cuts or {}).items(), cycle(COLOURS)):
            parts.append(Trace([10 ** pair[column - 1]] * 2, ends, f'cuts of Xi, {name}', colour, 'dash'))
        parts += [Guide('y', content['classes'][name], 'black', 'dot') for name in ('good', 'bad')]
        for part in parts:
            add(figure, part, row=1, col=column)
        figure.update_xaxes(axis(Axis(f'{kind} free volume', logarithmic=True)), row=1, col=column)
    figure.update_yaxes(axis(Axis('', logarithmic=True)))
    figure.update_yaxes(title='conductivity (S/cm)', row=1, col=1)
    return figure.update_layout(template=TEMPLATE, width=960, height=520, title=title, margin_t=60)


def models_figure(scores: Scores, references: Scores) -> go.Figure:
    """Scores of trained models (Fig. 9), one panel for each set of labels.

    :param scores: set -> model, as ``logistic_l1_pes`` -> score.
    :param references: set -> name, such as Xi -> score, drawn as lines.
    """
    figure = _panels(scores)
    for row, (name, entries) in enumerate(scores.items(), start=1):
        names = [model.rpartition('_') for model in entries]
        x = [f'{_KIND_NAMES.get(kind, kind)}<br>{features}' for kind, _, features in names]
        values, errors = ([score[key] for score in entries.values()] for key in ('value', 'error'))
        bars = {'error_y': {'array': errors}, 'marker': {'color': COLOURS[0]}, 'showlegend': False}
        figure.add_bar(x=x, y=values, **bars, row=row, col=1)
        for (reference, score), colour in zip(references.get(name, {}).items(), cycle(COLOURS[1:])):
            add(figure, Trace(x, [score['value']] * len(x), reference, colour, 'dash'), row=row, col=1)
    return figure.update_yaxes(title='score', range=[0, 1.05])


def reliability_figure(bins: dict[str, list[dict]]) -> go.Figure:
    """What became of materials of similar probability; a model whose probabilities are right is on the diagonal.

    :param bins: model -> those of :func:`~aiida_pesfp.assessment.validation.reliability`.
    """
    figure = go.Figure()
    add(figure, Trace([0, 1], [0, 1], None, EXCLUDED, 'dot'))
    for (model, found), colour in zip(bins.items(), cycle(COLOURS)):
        x, y = ([one[key] for one in found] for key in ('predicted', 'observed'))
        add(figure, Trace(x, y, model.replace('_', ' '), colour, 'solid', symbols='circle'))
    figure.update_xaxes(title='predicted probability of a good conductor', range=[0, 1])
    figure.update_yaxes(title='share of good conductors', range=[0, 1.02])
    return figure.update_layout(template=TEMPLATE, width=640, height=520)


def _panels(names: dict) -> go.Figure:
    """A figure with a panel for each set of labels."""
    figure = make_subplots(rows=len(names), cols=1, shared_xaxes=True, subplot_titles=list(names))
    legend = {'orientation': 'v', 'x': 1.02, 'y': 1}
    return figure.update_layout(template=TEMPLATE, width=800, height=140 + 300 * len(names), legend=legend)


def _symbol(value: dict, floor: float) -> str:
    if value['limit'] == '>':
        return 'triangle-up'
    if value['limit'] or value['clipped'] or value['conductivity'] <= floor:
        return 'triangle-down'
    return 'circle-open-dot' if value['extrapolated'] else 'circle'
