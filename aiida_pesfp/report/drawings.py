"""What each figure shows, once for both renderers in ``plots/``.

The structure in space is in :mod:`aiida_pesfp.report.view`.
"""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import cycle

import numpy as np

from aiida_pesfp.fingerprint.percolation import EnergyProfile
from aiida_pesfp.fingerprint.quantities import xi
from aiida_pesfp.report.colours import COLOURS, EXCLUDED, FAINT, FLAGGED, PALE
from aiida_pesfp.report.content import Entry, load_curves, load_profile
from aiida_pesfp.report.labels import place_labels, short
from aiida_pesfp.report.parts import Axis, Band, Contours, Guide, Plot, Trace
from aiida_pesfp.report.view import StructureView, view_of
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.transport.arrhenius import ROOM_TEMPERATURE, ArrheniusFit, Point

#: Contours of Xi on its map. The paper takes structures above the second one seriously.
XI_CONTOURS = (0.05, 0.25, 0.5, 0.95)
#: Smallest log10 of a free volume on the map: no point of the grid, or fewer than one in a million.
LOWEST_LOG = -6.0
#: The axes of the map.
_MAPPED = ('fv_disconnected', 'fv_connected')
#: A conductivity axis extends beyond its values by this factor; a fit is drawn down to this conductivity, S/cm.
_MARGIN, _LOWEST = 3.0, 1e-8
#: Most structures whose spectra the overview shows, whose names the map shows, and lags of one run in the report.
SPECTRA, _NAMED, _LAGS = 6, 20, 300


def overview(entries: Sequence[Entry]) -> dict[str, Plot]:
    """The figures of all entries, by name."""
    return {'xi-map': xi_map(entries), 'spectra': spectra(entries[:SPECTRA])} if entries else {}


def of_entry(entry: Entry) -> dict[str, Plot | StructureView]:
    """The figures of one entry, by name: ``structure``, ``profile``, ``spectrum``, ``barrier-1``, ``msd-1-1000K``,
    ``arrhenius-1``."""
    found, view = {'spectrum': spectra([entry])}, view_of(entry)
    if view is not None:
        found |= {'structure': view, 'profile': profile(view.profile)}
    for number, one in enumerate(entry.barriers, start=1):
        title = f'{one["method"]}, {one["picture"]}, {one["potential_name"]}'
        found[f'barrier-{number}'] = relaxation(load_profile(one.source), title, one.flags)
    for number, one in enumerate(entry.transport, start=1):
        at, curves = f'{one["temperature"]:g}', load_curves(one.source)
        options = {'title': f'{at} K, {one.engine}', 'flags': one.flags, 'most': _LAGS}
        found[f'msd-{number}-{at}K'] = displacements(curves, one['species'], one['fit_start'], **options)
    for number, one in enumerate(entry.activations, start=1):
        found[f'arrhenius-{number}'] = arrhenius(one.fit, one.point_flags, one.engine)
    return found


def distinct_settings(entries: Sequence[Entry]) -> list[XiParameters]:
    """The parameters of Xi by which the entries rank, each once."""
    return list(dict.fromkeys(entry.cuts for entry in entries))


def xi_map(entries: Sequence[Entry], points: int = 80) -> Plot:
    """Connected against disconnected free volume, with the cuts of Xi and its contours (Eq. 4 of arXiv:2411.06804).

    Entries without a free volume lie at the lower edge, as triangles. Ensembles of orderings have error bars. There are
    no contours if the entries have different parameters of Xi.

    :param points: of Xi along each axis.
    """
    settings = distinct_settings(entries)
    volumes = np.array([[entry[name] for entry in entries] for name in _MAPPED])
    x, y = np.log10(np.maximum(volumes, 10**LOWEST_LOG))
    errors = [np.array([entry.error.get(name) or 0.0 for entry in entries]) for name in _MAPPED]
    cuts = [one.disconnected_cut for one in settings], [one.connected_cut for one in settings]
    limits = tuple(_limits([*(z - error), *(z + error)], own) for z, error, own in zip((x, y), errors, cuts))
    parts = []
    if len(settings) == 1:
        across, up = (np.linspace(*both, points) for both in limits)
        values = np.array([[xi(10**c, 10**d, settings[0]) for d in across] for c in up], np.float32)
        parts.append(Contours(across, up, values, XI_CONTOURS))
    for one in settings:
        parts += [Guide('x', one.disconnected_cut), Guide('y', one.connected_cut)]
    texts = [
        f'<b>{escape(entry.name)}</b> {entry.formula}<br>Ξ = {entry.xi:.4f}, MPE = {entry["mpe"]:.3f} eV<br>'
        f'FV connected {entry["fv_connected"]:.4g}, disconnected {entry["fv_disconnected"]:.4g}'
        for entry in entries
    ]
    bars = {}
    if any(entry.error for entry in entries):
        bars = {name: [error.tolist()] * 2 for name, error in zip(('errors_across', 'errors'), errors)}
    look = {
        'symbols': ['triangle-down' if gone else 'circle' for gone in (volumes <= 0).any(axis=0)],
        'fill': [entry.xi for entry in entries],
        'scale': ('cividis_r', 0, 1, 'Ξ'),
        **place_labels(np.array([x, y]), [entry.label for entry in entries[:_NAMED]], limits, parts),
    }
    parts.append(Trace(x.tolist(), y.tolist(), None, size=10, hover=texts, **look, **bars))
    at = ', '.join(f'{value:g}' for value in sorted({one.threshold for one in settings}))
    titles = (f'log₁₀ of {kind} free volume at {at} eV' for kind in ('disconnected', 'connected'))
    return Plot(*map(Axis, titles, limits), parts)


def spectra(entries: Sequence[Entry]) -> Plot:
    """Free volumes against the threshold: connected as solid, disconnected as dashed lines; means with their errors."""
    parts = [Guide('x', value, FAINT, 'dot') for value in sorted({entry.settings.xi.threshold for entry in entries})]
    for entry, colour in zip(entries, cycle(COLOURS)):
        for kind, dash in (('connected', 'solid'), ('disconnected', 'dash')):
            values, name = np.array(entry.spectrum[kind]), short(entry.name) if len(entries) > 1 else kind
            look = {'dash': dash, 'symbols': 'circle', 'size': 5}
            look['hover'] = f'{escape(name)}, {kind}<br>%{{x:g}} eV: %{{y:.4g}}'
            shown = np.where(values > 0, values, np.nan)
            parts.append(Trace(entry.spectrum['thresholds'], shown, name, colour, **look))
            if None not in entry.spectrum.get(f'{kind}_error', [None]):
                factor = 10 ** np.array(entry.spectrum[f'{kind}_error'])
                parts.append(Band(np.array(entry.spectrum['thresholds']), shown / factor, shown * factor, colour, None))
    y = Axis('free volume (fraction of the cell)', logarithmic=True)
    return Plot(Axis('threshold t (eV)', (0, None)), y, parts)


def profile(path: EnergyProfile) -> Plot:
    """Energy along the easiest path from an ion's site to a periodic image of it."""
    along = '[' + ' '.join(map(str, path.translation)).replace('-', '\N{MINUS SIGN}') + ']'
    look = {'dash': 'solid', 'symbols': 'circle', 'size': 5, 'hover': '%{x:.2f} Å: %{y:.3f} eV'}
    line = Trace(path.length.astype(np.float32), path.energy.astype(np.float32), None, COLOURS[0], **look)
    barrier = Guide('y', path.barrier, text=f'barrier {path.barrier:.3f} eV')
    x = Axis(f'length of the path along {along} (Å)', (0, None))
    return Plot(x, Axis('energy (eV)', (-0.04 * path.barrier, 1.15 * path.barrier)), [line, barrier])


def relaxation(curves: dict[str, np.ndarray], title: str = '', flags: Iterable = ()) -> Plot:
    """Energy along one path with a frozen framework, and with one that relaxes.

    :param curves: of :meth:`~aiida_pesfp.data.barrier.BarrierData.profile`.
    :param flags: of the barrier, written below the title.
    """
    parts, highest = [], curves['frozen_energies'].max()
    for kind, prefix, colour, size in (('frozen', 'frozen_', FAINT, 5), ('relaxed', '', COLOURS[0], 9)):
        lengths, energies = curves[f'{prefix}lengths'], curves[f'{prefix}energies']
        # Nothing is known between an ion that is held at the saddle and the ends.
        look = {'dash': 'solid' if len(lengths) > 3 else 'dot', 'symbols': 'circle', 'size': size}
        hover = [f'{length:.2f} Å: {energy:.3f} eV' for length, energy in zip(lengths, energies)]
        name = f'{kind} framework: {energies.max():.3f} eV'
        parts.append(Trace((lengths / lengths[-1]).tolist(), energies.tolist(), name, colour, hover=hover, **look))
        highest = max(highest, energies.max())
    lowest = min(curves[name].min() for name in ('energies', 'frozen_energies'))
    y = Axis('energy (eV)', (float(lowest - 0.04 * highest), float(1.3 * highest)))
    return Plot(Axis('share of the way of the ion'), y, parts, title, flags)


def displacements(
    curves: dict[str, np.ndarray], species: str, fit_start: float, title: str = '', flags: Iterable = (), most=1500
) -> Plot:
    """Mean squared displacement of the mobile species in each window and on average, its fit, and the framework's.

    :param curves: of :meth:`~aiida_pesfp.transport.conductivity.Conductivity.curves`.
    :param fit_start: the fit to the mean begins at this lag, ps.
    :param flags: of the conductivity, written below the title.
    :param most: lags to draw, taken evenly with the first and the last; by default as many as a node can have.
    """
    lags, mean = curves['lags'], curves['window_msds'].mean(axis=0)
    fitted = lags >= fit_start - 1e-6 * lags[-1]
    slope, offset = np.polyfit(lags[fitted], mean[fitted], 1)
    ends = lags[fitted][[0, -1]]
    chosen = np.unique(np.linspace(0, len(lags) - 1, min(len(lags), most)).round().astype(int))
    shown = {name: curve[..., chosen].astype(np.float32) for name, curve in (curves | {'mean': mean}).items()}
    x, parts = shown['lags'], []
    for number, msd in enumerate(shown['window_msds'], start=1):
        hover = f'window {number}<br>%{{x:.2f}} ps, %{{y:.3g}} Å²'
        parts.append(Trace(x, msd, f'{species}, single windows', PALE, 'solid', 1, hover=hover))
    parts.append(Trace(x, shown['mean'], f'{species}, mean', COLOURS[0], 'solid', 3))
    fit = f'fit: D = {slope / 6 * 1e-4:.2g} cm²/s'
    parts.append(Trace(ends.tolist(), (slope * ends + offset).tolist(), fit, 'black', 'dash'))
    framework = sorted(name for name in curves if name.startswith('framework_msd_'))
    for name, colour in zip(framework, cycle(COLOURS[1:])):
        parts.append(Trace(x, shown[name], name.removeprefix('framework_msd_'), colour, 'solid'))
    axes = Axis('lag (ps)', (0, float(lags[-1]))), Axis('mean squared displacement (Å²)', (0, None))
    return Plot(*axes, parts, title, flags)


def arrhenius(fit: ArrheniusFit, flags: list[list[str]] | None = None, title: str = '') -> Plot:
    """Conductivities against 1/T with the fit and its standard error (Fig. 4 of arXiv:2411.06804).

    Excluded points are open and grey, flagged ones in the fit have a red rim. Values of zero and below, and error bars
    that reach there, end at the bottom of the axis.

    :param flags: of each point of the fit.
    """
    every = [point.temperature for point in fit.points]
    temperatures = np.geomspace(min(ROOM_TEMPERATURE, *every), max(every) * 1.05, 200)
    line, errors = np.array([fit.conductivity(temperature) for temperature in temperatures]).T
    positive = [point.conductivity for point in fit.points if point.conductivity > 0]
    floor = min([*positive, max(float(line.min()), _LOWEST)]) / _MARGIN
    tops = [point.conductivity + (point.conductivity_error or 0.0) for point in fit.points]
    x = 1000 / temperatures
    label = f'Eₐ = {1000 * fit.activation_energy:.0f} ± {1000 * fit.activation_energy_error:.0f} meV'
    if fit.chi2_reduced is not None:
        label += f', p = {fit.p_value:.2g}'
    parts = [Band(x, np.maximum(line - errors, floor), line + errors, COLOURS[0], 'one standard error')]
    parts.append(Trace(x, line, label, COLOURS[0], 'solid'))
    parts.append(Guide('x', 1000 / ROOM_TEMPERATURE, FAINT, 'dot'))
    kinds = {'fitted': (None, None), 'fitted, flagged': (None, FLAGGED), 'excluded': ('white', EXCLUDED)}
    for kind, (fill, rim) in kinds.items():
        both = zip(fit.points, flags or [[]] * len(fit.points))
        chosen = [(point, own) for point, own in both if _kind(point, own) == kind]
        if chosen:
            colour = EXCLUDED if kind == 'excluded' else COLOURS[0]
            parts.append(_points(chosen, floor, name=kind, colour=colour, fill=fill, rim=rim))
    limits = floor, max(*tops, float(line.max())) * _MARGIN
    above = {f'{temperature:g} K': 1000 / temperature for temperature in sorted({ROOM_TEMPERATURE, *every})}
    across = Axis('1000 K / T', above=_apart(above))
    return Plot(across, Axis('conductivity (S/cm)', limits, True), parts, title, fit.remarks())


def _apart(ticks: dict[str, float]) -> dict[str, float]:
    """Ticks without those that are too close to the one before."""
    extent, kept = max(ticks.values()) - min(ticks.values()), {}
    for text, value in ticks.items():
        if all(abs(value - other) >= extent / 15 for other in kept.values()):
            kept[text] = value
    return kept


def _kind(point: Point, flags: list[str]) -> str:
    return 'excluded' if point.excluded is not None else 'fitted, flagged' if flags else 'fitted'


def _points(chosen: list[tuple[Point, list[str]]], floor: float, **look) -> Trace:
    """Conductivities with their flags, of which those below the axis are triangles at its bottom."""
    values = np.array([point.conductivity for point, _ in chosen])
    errors = np.array([point.conductivity_error or 0.0 for point, _ in chosen])
    y = np.maximum(values, floor * np.sqrt(_MARGIN))
    texts = []
    for point, flags in chosen:
        error = point.conductivity_error or float('nan')
        text = f'{point.temperature:g} K: {point.conductivity:.3g} ± {error:.2g} S/cm'
        reason = f'excluded: {point.excluded}' if point.excluded else ''
        texts.append('<br>'.join(filter(None, [text, reason, ', '.join(flags)])))
    symbols = np.where(y > values, 'triangle-down', 'circle').tolist()
    both = np.minimum(errors, y - floor), np.maximum(values + errors - y, 0)
    x = [1000 / point.temperature for point, _ in chosen]
    return Trace(x, y.tolist(), symbols=symbols, size=11, errors=both, hover=texts, **look)


def _limits(values: np.ndarray, cuts: list[float], margin: float = 0.15) -> tuple[float, float]:
    every = [*values, *cuts]
    return min(every) - margin, min(max(every) + margin, 0.0)
