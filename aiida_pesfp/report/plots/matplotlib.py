"""The figures of the report by matplotlib, for papers: .png and .pdf as wide as one column."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

from aiida_pesfp.report import colours, drawings
from aiida_pesfp.report.content import Report
from aiida_pesfp.report.parts import Axis, Band, Contours, Guide, Plot, Trace
from aiida_pesfp.report.view import StructureView

#: Width and height of a figure, inches: one column of most journals.
SIZE = (3.4, 2.7)
ENDINGS = ('png', 'pdf')
_STYLE = {
    'font.size': 8,
    'axes.titlesize': 8,
    'legend.fontsize': 7,
    'legend.frameon': False,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'figure.constrained_layout.use': True,
    'savefig.dpi': 300,
    'pdf.fonttype': 42,
}
_LONGEST_NAME = 120
#: A width or size of the drawings in points.
_SCALE = 0.5
_DASHES = {'solid': '-', 'dash': '--', 'dot': ':', None: 'none'}
_SYMBOLS = {'circle': 'o', 'square': 's', 'triangle-down': 'v'}


def write_figures(report: Report, folder: str | Path, top: int = 10) -> list[Path]:
    """Write the figures of a report: the overview, and those of the best structures. Files of these names are replaced.

    :param top: number of structures with figures of their own, see :func:`~aiida_pesfp.report.drawings.of_entry`.
    :returns: the files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, content in _named_figures(report, top):
        with rc_context(_STYLE):
            figure = draw(content)
            for ending in ENDINGS:
                files.append(folder / f'{name}.{ending}')
                figure.savefig(files[-1])
    return files


def _named_figures(report: Report, top: int) -> Iterator[tuple[str, Plot | StructureView]]:
    """Names of files, without an ending, and their figures."""
    yield from drawings.overview(report.entries).items()
    for place, entry in enumerate(report.entries[:top], start=1):
        # Letters of any language, but no more bytes than a file system takes.
        name = re.sub(r'[^\w.-]', '_', entry.name).encode()[:_LONGEST_NAME].decode(errors='ignore')
        for kind, figure in drawings.of_entry(entry).items():
            yield f'{place:02d}-{name}-{kind}', figure


def draw(content: Plot | StructureView) -> Figure:
    """A figure of :mod:`aiida_pesfp.report.drawings`, or of a structure in space."""
    if isinstance(content, StructureView):
        return _structure(content)
    figure = Figure(SIZE)
    axes = figure.subplots()
    for part in content.parts:
        _add(axes, part)
    axes.set(**_axis('x', content.x), **_axis('y', content.y))
    axes.set_title('\n'.join(filter(None, [_plain(content.title), content.remark])))
    if content.x.above:
        above = axes.secondary_xaxis('top')
        above.set_xticks(list(content.x.above.values()), list(content.x.above))
        above.spines['top'].set_visible(True)
    if axes.get_legend_handles_labels()[1]:
        axes.legend()
    return figure


def _plain(text: str) -> str:
    """A text in which matplotlib finds no mathematics."""
    return text.replace('$', r'\$')


def _axis(name: str, content: Axis) -> dict:
    scale = 'log' if content.logarithmic else 'linear'
    return {f'{name}label': content.title, f'{name}scale': scale, f'{name}lim': content.limits}


def _add(axes: Axes, part: Trace | Band | Guide | Contours) -> None:
    if isinstance(part, Contours):
        lines = axes.contour(part.x, part.y, part.values, levels=part.levels, colors=colours.FAINT, linewidths=0.6)
        axes.clabel(lines, fontsize=6)
    elif isinstance(part, Band):
        axes.fill_between(part.x, part.low, part.high, color=part.colour, alpha=0.15, lw=0, label=part.name)
    elif isinstance(part, Guide) and part.axis == 'x':
        axes.axvline(part.value, color=part.colour, linestyle=_DASHES[part.dash], linewidth=0.9)
        text = {'transform': axes.get_xaxis_transform(), 'ha': 'right', 'va': 'top', 'rotation': 'vertical'}
        axes.text(part.value, 1, part.text, color=part.colour, **text)
    elif isinstance(part, Guide):
        axes.axhline(part.value, color=part.colour, linestyle=_DASHES[part.dash], linewidth=0.9)
        text = {'transform': axes.get_yaxis_transform(), 'va': 'bottom'}
        axes.text(0.02, part.value, part.text, color=part.colour, **text)
    else:
        _add_trace(axes, part)


def _add_trace(axes: Axes, part: Trace) -> None:
    x, y = np.asarray(part.x), np.asarray(part.y)
    label = _plain(part.name or '')
    label = label if label not in axes.get_legend_handles_labels()[1] else ''
    if part.dash:
        style = {'color': part.colour, 'linestyle': _DASHES[part.dash], 'linewidth': part.width * _SCALE}
        axes.plot(x, y, label=label, **style)
        label = ''
    if part.errors is not None or part.errors_across is not None:
        axes.errorbar(x, y, part.errors, part.errors_across, fmt='none', ecolor=part.colour, elinewidth=0.8)
    symbols = np.broadcast_to(part.symbols or [], len(x) if part.symbols else 0)
    for symbol in dict.fromkeys(symbols.tolist()):
        chosen, colour = symbols == symbol, {'color': part.fill or part.colour}
        if part.scale:
            cmap, low, high, title = part.scale
            colour = {'c': np.array(part.fill)[chosen], 'cmap': cmap, 'vmin': low, 'vmax': high}
        look = {'marker': _SYMBOLS[symbol], 's': (part.size * _SCALE) ** 2, 'linewidths': 0.6, 'zorder': 3}
        points = axes.scatter(x[chosen], y[chosen], edgecolors=part.rim or part.colour, label=label, **colour, **look)
        label = ''
    if part.scale:
        axes.figure.colorbar(points, ax=axes, aspect=30).ax.set_title(title)


def _structure(view: StructureView) -> Figure:
    """The structure in space with the level-map isosurface and the easiest path."""
    figure = Figure((SIZE[0], SIZE[0]))
    axes = figure.add_subplot(projection='3d', proj_type='ortho')
    axes.view_init(elev=18, azim=32)
    if view.isosurface is not None:
        triangles = view.isosurface.vertices[view.isosurface.faces]
        look = {'facecolors': colours.ISOSURFACE, 'alpha': 0.45, 'linewidths': 0}
        light = LightSource(azdeg=60, altdeg=50)
        axes.add_collection3d(Poly3DCollection(triangles, shade=True, lightsource=light, **look))
    axes.add_collection3d(Line3DCollection(view.box, colors=colours.FAINT, linewidths=0.5))
    if len(view.bonds):
        axes.add_collection3d(Line3DCollection(view.bonds, colors=colours.BOND, linewidths=1.0))
    corners = view.box.reshape(-1, 3)
    extent, middle = np.ptp(corners, axis=0), (corners.min(axis=0) + corners.max(axis=0)) / 2
    for atoms in view.atoms:
        look = {'s': (90 * atoms.radius / extent.max()) ** 2, 'edgecolors': colours.LINE, 'linewidths': 0.3}
        axes.scatter(*atoms.positions.T, color=atoms.colour, label=atoms.symbol, **look)
    axes.plot(*view.path.T, color='black', linewidth=1.6, zorder=5)
    for name, low, high in zip('xyz', middle - extent / 2, middle + extent / 2):
        axes.set(**{f'{name}lim': (low, high)})
    axes.set_box_aspect(extent, zoom=1.1)
    axes.set_axis_off()
    axes.legend(loc='upper left', handletextpad=0.1)
    return figure
