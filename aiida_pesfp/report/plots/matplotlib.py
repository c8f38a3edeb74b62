"""The figures of the report by matplotlib, for papers: .png and .pdf as wide as one column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from ase.data.colors import jmol_colors
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

from aiida_pesfp.fingerprint.percolation import EnergyProfile
from aiida_pesfp.report.content import Entry, Report
from aiida_pesfp.report.drawings import (
    COLOURS,
    CUT,
    EXCLUDED,
    FAINT,
    ISOSURFACE,
    LINE,
    SPECTRA,
    XI_CONTOURS,
    ArrheniusPlot,
    Displacements,
    XiMap,
)
from aiida_pesfp.report.view import StructureView, bonds, cell_edges, view_of

#: Width and height of a figure, inches: one column of most journals.
SIZE = (3.4, 2.7)
ENDINGS = ('png', 'pdf')
_STYLE = {
    'font.size': 8,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
    'lines.linewidth': 1.2,
    'savefig.dpi': 300,
    'pdf.fonttype': 42,
}
_CUT = {'color': CUT, 'linestyle': '--', 'linewidth': 0.9}


def write_figures(report: Report, folder: str | Path, top: int = 10) -> list[Path]:
    """Write the figures of a report: the overview, and those of the best structures.

    :param top: number of structures with figures of their own: ``structure``, ``profile``, ``spectrum``, ``msd`` and
        ``arrhenius``, as far as there are data.
    :returns: the files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context(_STYLE):
        figures = {}
        if report.entries:
            figures = {'xi-map': xi_map(report.entries), 'spectra': spectra(report.entries[:SPECTRA])}
        for place, entry in enumerate(report.entries[:top], start=1):
            name = f'{place:02d}-' + re.sub(r'[^\w.-]', '_', entry.key)
            figures |= {f'{name}-{kind}': figure for kind, figure in _of_entry(entry).items()}
        files = {folder / f'{name}.{ending}': figure for name, figure in figures.items() for ending in ENDINGS}
        for path, figure in files.items():
            figure.savefig(path)
    return list(files)


def _of_entry(entry: Entry) -> dict[str, Figure]:
    figures, view = {'spectrum': spectra([entry])}, view_of(entry)
    if view is not None:
        figures |= {'structure': structure(view, entry.species), 'profile': profile(view.profile)}
    for number, one in enumerate(entry.transport, start=1):
        flags = ', '.join(flag.replace('_', ' ') for flag in one.flags)
        title = one.title + (f'\n{flags}' if flags else '')
        figures[f'msd-{number}-{one["temperature"]:g}K'] = displacements(Displacements.of(one), title)
    for number, one in enumerate(entry.activations, start=1):
        figures[f'arrhenius-{number}'] = arrhenius(ArrheniusPlot.of_activation(one), one.title)
    return figures


def xi_map(entries: Sequence[Entry]) -> Figure:
    """Connected against disconnected free volume, with the cuts of Xi and its contours."""
    drawn, (figure, axes) = XiMap.of(entries), _figure()
    if drawn.grid is not None:
        lines = axes.contour(*drawn.grid, levels=XI_CONTOURS, colors=FAINT, linewidths=0.6)
        axes.clabel(lines, fontsize=6)
    for parameters in drawn.settings:
        axes.axvline(parameters.disconnected_cut, **_CUT)
        axes.axhline(parameters.connected_cut, **_CUT)
    values = np.array([entry['xi'] for entry in entries])
    for chosen, marker in ((~drawn.vanishing, 'o'), (drawn.vanishing, 'v')):
        points = axes.scatter(
            drawn.x[chosen],
            drawn.y[chosen],
            c=values[chosen],
            vmin=0,
            vmax=1,
            cmap='cividis_r',
            s=22,
            marker=marker,
            edgecolors=LINE,
            linewidths=0.4,
            zorder=3,
        )
    figure.colorbar(points, ax=axes, aspect=30).ax.set_title('Ξ', fontsize=8)
    axes.set(
        xlim=drawn.x_range,
        ylim=drawn.y_range,
        xlabel=f'log$_{{10}}$ of disconnected FV at {drawn.threshold} eV',
        ylabel=f'log$_{{10}}$ of connected FV at {drawn.threshold} eV',
    )
    return figure


def spectra(entries: Sequence[Entry]) -> Figure:
    """Free volumes against the threshold: connected as solid, disconnected as dashed lines."""
    figure, axes = _figure()
    for entry, colour in zip(entries, COLOURS * len(entries)):
        for kind, style in (('connected', '-'), ('disconnected', '--')):
            values = np.array(entry.spectrum[kind])
            label = kind if len(entries) == 1 else entry.key if kind == 'connected' else None
            shown = np.where(values > 0, values, np.nan)
            axes.plot(entry.spectrum['thresholds'], shown, style, color=colour, marker='.', markersize=3, label=label)
    for threshold in sorted({entry.settings.xi.threshold for entry in entries}):
        axes.axvline(threshold, color=FAINT, linestyle=':', linewidth=0.8)
    axes.set(yscale='log', xlabel='threshold $t$ (eV)', ylabel='free volume (fraction of the cell)')
    axes.set_xlim(left=0)
    axes.legend(loc='lower right', fontsize=7)
    return figure


def profile(path: EnergyProfile) -> Figure:
    """Energy along the easiest path from an ion's site to a periodic image of it."""
    figure, axes = _figure()
    axes.plot(path.length, path.energy, '.-', color=COLOURS[0], markersize=4)
    axes.axhline(path.barrier, **_CUT)
    axes.text(0, path.barrier, f' {path.barrier:.3f} eV', color=CUT, va='bottom')
    along = ' '.join(map(str, path.translation))
    axes.set(xlabel=f'length of the path along [{along}] (Å)', ylabel='energy (eV)', xlim=(0, path.length[-1]))
    return figure


def structure(view: StructureView, species: str) -> Figure:
    """The structure in space with the level-map isosurface and the easiest path."""
    figure = Figure((SIZE[0], SIZE[0]), layout='constrained')
    axes = figure.add_subplot(projection='3d', proj_type='ortho')
    axes.view_init(elev=18, azim=32)
    if view.isosurface is not None:
        axes.add_collection3d(
            Poly3DCollection(
                view.isosurface.vertices[view.isosurface.faces],
                facecolors=ISOSURFACE,
                shade=True,
                lightsource=LightSource(azdeg=60, altdeg=50),
                alpha=0.45,
                linewidths=0,
            )
        )
    box = cell_edges(2 * view.cell, -view.cell.sum(axis=0))
    axes.add_collection3d(Line3DCollection(box, colors=FAINT, linewidths=0.5))
    pairs = bonds(view.symbols, view.positions, species)
    if len(pairs):
        axes.add_collection3d(Line3DCollection(view.positions[pairs], colors='#8A939C', linewidths=1.0))
    symbols = np.array(view.symbols)
    extent = np.ptp(box.reshape(-1, 3), axis=0)
    for symbol in sorted(set(view.symbols), key=lambda symbol: (symbol != species, symbol)):
        number = atomic_numbers[symbol]
        axes.scatter(
            *view.positions[symbols == symbol].T,
            s=(90 * covalent_radii[number] / extent.max()) ** 2,
            color=jmol_colors[number],
            edgecolors=LINE,
            linewidths=0.3,
            label=symbol,
        )
    axes.plot(*view.path.T, color='black', linewidth=1.6, zorder=5)
    middle = box.reshape(-1, 3).min(axis=0) + extent / 2
    for set_limits, centre, length in zip((axes.set_xlim, axes.set_ylim, axes.set_zlim), middle, extent):
        set_limits(centre - length / 2, centre + length / 2)
    axes.set_box_aspect(extent, zoom=1.1)
    axes.set_axis_off()
    axes.legend(loc='upper left', handletextpad=0.1)
    return figure


def displacements(drawn: Displacements, title: str = '') -> Figure:
    """Mean squared displacement of the mobile species in each window and on average, its fit, and the framework's."""
    figure, axes = _figure()
    axes.plot(drawn.lags, drawn.windows.T, color=COLOURS[0], alpha=0.3, linewidth=0.6)
    axes.plot(drawn.lags, drawn.mean, color=COLOURS[0], linewidth=1.8, label=drawn.species)
    axes.plot(*drawn.fit, 'k--', label=f'D = {drawn.coefficient:.2g} cm$^2$/s')
    for (element, msd), colour in zip(drawn.framework.items(), COLOURS[1:] * len(drawn.framework)):
        axes.plot(drawn.lags, msd, color=colour, label=element)
    axes.set(xlabel='lag (ps)', ylabel='mean squared displacement (Å$^2$)', xlim=(0, drawn.lags[-1]))
    axes.set_ylim(bottom=0)
    axes.set_title(title, fontsize=8)
    axes.legend(fontsize=7)
    return figure


def arrhenius(drawn: ArrheniusPlot, title: str = '') -> Figure:
    """Conductivities against 1/T with their fit and its uncertainty (Fig. 4 of the paper); excluded points are open."""
    fit, (figure, axes) = drawn.fit, _figure()
    axes.fill_between(drawn.x, drawn.low, drawn.high, color=COLOURS[0], alpha=0.15, lw=0)
    label = f'$E_A$ = {1000 * fit.activation_energy:.0f} ± {1000 * fit.activation_energy_error:.0f} meV'
    axes.plot(drawn.x, drawn.line, color=COLOURS[0], label=label)
    for marker in drawn.markers:
        colour = EXCLUDED if marker.kind == 'excluded' else COLOURS[0]
        axes.errorbar(
            marker.x,
            marker.y,
            [[marker.lower], [marker.upper]],
            color=colour,
            marker='v' if marker.raised else 'o',
            markerfacecolor='white' if marker.kind == 'excluded' else colour,
            markersize=4,
        )
    axes.set(yscale='log', xlabel='1000 K / $T$', ylabel='conductivity (S/cm)', title=title, ylim=drawn.limits)
    axes.legend()
    return figure


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(SIZE, layout='constrained')
    return figure, figure.subplots()
