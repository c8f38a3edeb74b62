"""Figures for papers: the report's, by matplotlib, as .png and .pdf in the width of one column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from ase.data.colors import jmol_colors
from matplotlib import rc_context
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

from aiida_pesfp.fingerprint.percolation import EnergyProfile
from aiida_pesfp.report.content import Activation, Candidate, Report, Transport, load_curves, load_surface
from aiida_pesfp.report.landscape import XI_CONTOURS, distinct_settings, log_of, map_range, xi_grid
from aiida_pesfp.report.page import SPECTRA, view_of
from aiida_pesfp.report.plots.plotly import COLOURS, EXCLUDED_COLOUR
from aiida_pesfp.report.table import engine_of
from aiida_pesfp.report.view import StructureView, bonds, cell_edges

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


def write_figures(report: Report, folder: str | Path, top: int = 10) -> list[Path]:
    """Write the figures of a report: the overview, and those of the best candidates.

    :param top: number of candidates that have figures of their own, ``structure``, ``profile``, ``spectrum``, ``msd``
        and ``arrhenius``, as far as there are data.
    :returns: the files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    with rc_context(_STYLE):
        if report.candidates:
            figures['xi-map'] = xi_map(report.candidates)
            figures['spectra'] = spectra(report.candidates[:SPECTRA])
        for place, candidate in enumerate(report.candidates[:top], start=1):
            name = f'{place:02d}-' + re.sub(r'[^\w.-]', '_', candidate.key)
            figures |= {f'{name}-{kind}': figure for kind, figure in _of_candidate(candidate).items()}
        written = []
        for name, figure in figures.items():
            for ending in ENDINGS:
                written.append(folder / f'{name}.{ending}')
                figure.savefig(written[-1])
    return written


def _of_candidate(candidate: Candidate) -> dict[str, Figure]:
    found = {'spectrum': spectra([candidate])}
    if candidate.pes is not None:
        view = view_of(candidate, load_surface(candidate.pes))
        found |= {'structure': structure(view, candidate.species), 'profile': profile(view.profile)}
    for number, one in enumerate(candidate.transport, start=1):
        found[f'msd-{number}-{one.attributes["temperature"]:g}K'] = mean_squared_displacement(one)
    for number, one in enumerate(candidate.activations, start=1):
        found[f'arrhenius-{number}'] = arrhenius(one)
    return found


def xi_map(candidates: Sequence[Candidate]) -> Figure:
    """Connected against disconnected free volume, with the cuts of Xi and its contours."""
    figure = Figure(SIZE, layout='constrained')
    axes = figure.subplots()
    x_range, y_range = map_range(candidates, 'fv_disconnected'), map_range(candidates, 'fv_connected')
    settings = distinct_settings(candidates)
    if len(settings) == 1:
        x, y, values = xi_grid(settings[0], x_range, y_range)
        lines = axes.contour(x, y, values, levels=XI_CONTOURS, colors='#9AA5B1', linewidths=0.6)
        axes.clabel(lines, fontsize=6)
    for parameters in settings:
        axes.axvline(parameters.disconnected_cut, color=COLOURS[1], linestyle='--', linewidth=0.9)
        axes.axhline(parameters.connected_cut, color=COLOURS[1], linestyle='--', linewidth=0.9)
    for vanishing, marker in ((False, 'o'), (True, 'v')):
        chosen = [one for one in candidates if (min(one.fv_connected, one.fv_disconnected) <= 0) == vanishing]
        points = axes.scatter(
            [log_of(one.fv_disconnected) for one in chosen],
            [log_of(one.fv_connected) for one in chosen],
            c=[one.xi for one in chosen],
            vmin=0,
            vmax=1,
            cmap='cividis_r',
            s=22,
            marker=marker,
            edgecolors='#4A5560',
            linewidths=0.4,
            zorder=3,
        )
    figure.colorbar(points, ax=axes, aspect=30).ax.set_title('Ξ', fontsize=8)
    thresholds = ', '.join(f'{value:g}' for value in sorted({one.threshold for one in settings}))
    axes.set(
        xlim=x_range,
        ylim=y_range,
        xlabel=f'log$_{{10}}$ of disconnected FV at {thresholds} eV',
        ylabel=f'log$_{{10}}$ of connected FV at {thresholds} eV',
    )
    return figure


def spectra(candidates: Sequence[Candidate]) -> Figure:
    """Free volumes against the threshold: connected as full, disconnected as dashed lines."""
    figure = Figure(SIZE, layout='constrained')
    axes = figure.subplots()
    for candidate, colour in zip(candidates, COLOURS * len(candidates)):
        for kind, style in (('connected', '-'), ('disconnected', '--')):
            values = np.array(candidate.spectrum[kind])
            label = kind if len(candidates) == 1 else candidate.key if kind == 'connected' else None
            shown = np.where(values > 0, values, np.nan)
            axes.plot(
                candidate.spectrum['thresholds'], shown, style, color=colour, marker='.', markersize=3, label=label
            )
    for threshold in sorted({one.settings.xi.threshold for one in candidates}):
        axes.axvline(threshold, color='#9AA5B1', linestyle=':', linewidth=0.8)
    axes.set(yscale='log', xlabel='threshold $t$ (eV)', ylabel='free volume (fraction of the cell)')
    axes.set_xlim(left=0)
    axes.legend(loc='lower right', fontsize=7)
    return figure


def profile(path: EnergyProfile) -> Figure:
    """Energy along the easiest path from an ion's site to a periodic image of it."""
    figure = Figure(SIZE, layout='constrained')
    axes = figure.subplots()
    axes.plot(path.length, path.energy, '.-', color=COLOURS[0], markersize=4)
    axes.axhline(path.barrier, color=COLOURS[1], linestyle='--', linewidth=0.9)
    axes.text(0, path.barrier, f' {path.barrier:.3f} eV', color=COLOURS[1], va='bottom')
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
                facecolors='#C43C39',
                shade=True,
                lightsource=LightSource(azdeg=60, altdeg=50),
                alpha=0.45,
                linewidths=0,
            )
        )
    box = cell_edges(2 * view.cell, -view.cell.sum(axis=0))
    axes.add_collection3d(Line3DCollection(box, colors='#9AA5B1', linewidths=0.5))
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
            edgecolors='#4A5560',
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


def mean_squared_displacement(result: Transport) -> Figure:
    """Mean squared displacement of the mobile species in each window and on average, its fit, and the framework's."""
    curves, values = load_curves(result.source), result.attributes
    figure = Figure(SIZE, layout='constrained')
    axes = figure.subplots()
    lags, mean = curves['lags'], curves['window_msds'].mean(axis=0)
    axes.plot(lags, curves['window_msds'].T, color=COLOURS[0], alpha=0.3, linewidth=0.6)
    axes.plot(lags, mean, color=COLOURS[0], linewidth=1.8, label=values['species'])
    fitted = lags >= values['fit_start'] - 1e-6 * lags[-1]
    slope, level = np.polyfit(lags[fitted], mean[fitted], 1)
    ends = lags[fitted][[0, -1]]
    axes.plot(ends, slope * ends + level, 'k--', label=f'D = {values["diffusion_coefficient"]:.2g} cm$^2$/s')
    elements = sorted(name for name in curves if name.startswith('framework_msd_'))
    for name, colour in zip(elements, COLOURS[1:] * len(elements)):
        axes.plot(lags, curves[name], color=colour, label=name.removeprefix('framework_msd_'))
    axes.set(xlabel='lag (ps)', ylabel='mean squared displacement (Å$^2$)', xlim=(0, lags[-1]))
    axes.set_ylim(bottom=0)
    flags = ', '.join(flag.replace('_', ' ') for flag in result.flags)
    axes.set_title(f'{values["temperature"]:g} K, {engine_of(result)}' + (f'\n{flags}' if flags else ''), fontsize=8)
    axes.legend(fontsize=7)
    return figure


def arrhenius(result: Activation, lowest_temperature: float = 300.0) -> Figure:
    """Conductivities against 1/T with their fit and its uncertainty (Fig. 4 of the paper); excluded points are open."""
    fit = result.fit
    figure = Figure(SIZE, layout='constrained')
    axes = figure.subplots()
    every = [point.temperature for point in fit.points]
    temperatures = np.geomspace(min(lowest_temperature, *every), 1.05 * max(every), 200)
    values, errors = np.array([fit.conductivity(temperature) for temperature in temperatures]).T
    shown = [point.conductivity for point in fit.points if point.conductivity > 0]
    floor = min([*shown, float(values.min())]) / 3
    abscissa = 1000 / temperatures
    axes.fill_between(abscissa, np.maximum(values - errors, floor), values + errors, color=COLOURS[0], alpha=0.15, lw=0)
    label = f'$E_A$ = {1000 * fit.activation_energy:.0f} ± {1000 * fit.activation_energy_error:.0f} meV'
    axes.plot(abscissa, values, color=COLOURS[0], label=label)
    for point in fit.points:
        colour = COLOURS[0] if point.excluded is None else EXCLUDED_COLOUR
        value = max(point.conductivity, 1.5 * floor)
        axes.errorbar(
            1000 / point.temperature,
            value,
            [[min(point.error or 0.0, value - floor)], [point.error or 0.0]],
            color=colour,
            marker='o' if value == point.conductivity else 'v',
            markerfacecolor='white' if point.excluded else colour,
            markersize=4,
        )
    axes.set(yscale='log', xlabel='1000 K / $T$', ylabel='conductivity (S/cm)', title=engine_of(result))
    axes.set_ylim(bottom=floor)
    axes.legend()
    return figure
