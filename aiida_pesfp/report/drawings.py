"""The numbers that each figure shows. Both renderers in ``plots/`` draw them.

The structure in space is in :mod:`aiida_pesfp.report.view`; its energy profile comes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiida_pesfp.fingerprint.quantities import xi
from aiida_pesfp.report.content import Activation, Entry, Transport, load_curves
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.transport.arrhenius import ArrheniusFit, Point

#: Colours that everybody can tell apart (Okabe and Ito): blue, vermilion, green, purple, orange, sky blue.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
EXCLUDED, FLAGGED, CUT, FAINT, LINE, ISOSURFACE = '#7F7F7F', '#D55E00', COLOURS[1], '#9AA5B1', '#4A5560', '#C43C39'
#: Contours of Xi on its map. The paper takes structures above the second one seriously.
XI_CONTOURS = (0.05, 0.25, 0.5, 0.95)
#: Smallest log10 of a free volume on the map: no point of the grid, or fewer than one in a million.
LOWEST_LOG = -6.0
#: A conductivity axis extends beyond its values by this factor; a fit is drawn down to this conductivity, S/cm.
_MARGIN, _LOWEST = 3.0, 1e-8
ROOM_TEMPERATURE = 300.0
#: Number of structures whose spectra the overview shows.
SPECTRA = 6


def distinct_settings(entries: Sequence[Entry]) -> list[XiParameters]:
    """The parameters of Xi behind the entries, each once."""
    return list(dict.fromkeys(entry.settings.xi for entry in entries))


@dataclass(frozen=True)
class XiMap:
    """Connected against disconnected free volume, with Xi (Eq. 4 of arXiv:2411.06804).

    :param x: (n,) log10 of the disconnected free volume of each entry, at least :data:`LOWEST_LOG`.
    :param y: (n,) log10 of the connected free volume.
    :param vanishing: (n,) whether one of the two is zero.
    :param x_range: of the axis; it shows all entries and cuts.
    :param y_range: the same of the other axis.
    :param settings: distinct parameters of Xi; their cuts are drawn.
    :param grid: axes (x, y) and values (y, x) of Xi, for contours; None if the entries have different parameters.
    """

    x: np.ndarray
    y: np.ndarray
    vanishing: np.ndarray
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    settings: list[XiParameters]
    grid: tuple[np.ndarray, np.ndarray, np.ndarray] | None

    @classmethod
    def of(cls, entries: Sequence[Entry], points: int = 80) -> XiMap:
        """The map of some entries; Xi is drawn from ``points`` values along each axis."""
        settings = distinct_settings(entries)
        x, y = (np.array([_log(entry[f'fv_{kind}']) for entry in entries]) for kind in ('disconnected', 'connected'))
        x_range = _range(x, [one.disconnected_cut for one in settings])
        y_range = _range(y, [one.connected_cut for one in settings])
        grid = None
        if len(settings) == 1:
            axes = np.linspace(*x_range, points), np.linspace(*y_range, points)
            grid = (*axes, np.array([[xi(10**c, 10**d, settings[0]) for d in axes[0]] for c in axes[1]]))
        vanishing = np.array([min(entry['fv_connected'], entry['fv_disconnected']) <= 0 for entry in entries])
        return cls(x, y, vanishing, x_range, y_range, settings, grid)

    @property
    def threshold(self) -> str:
        """Thresholds of the free volumes, eV, for the titles of the axes."""
        return ', '.join(f'{value:g}' for value in sorted({one.threshold for one in self.settings}))


@dataclass(frozen=True)
class Displacements:
    """Mean squared displacements of one run, A^2 against ps.

    :param lags: (n,) ps.
    :param windows: (m, n) of the mobile species in each window.
    :param fit: (2, 2) both ends of the linear fit to the mean: lags and values.
    :param coefficient: diffusion coefficient of the fit, cm^2/s.
    :param framework: element -> (n,) of the framework.
    """

    species: str
    lags: np.ndarray
    windows: np.ndarray
    fit: np.ndarray
    coefficient: float
    framework: dict[str, np.ndarray]

    @classmethod
    def of(cls, result: Transport) -> Displacements:
        """Those of a conductivity in the graph."""
        return cls.from_curves(load_curves(result.source), result['species'], result['fit_start'])

    @classmethod
    def from_curves(cls, curves: dict[str, np.ndarray], species: str, fit_start: float) -> Displacements:
        """From :meth:`~aiida_pesfp.transport.conductivity.Conductivity.curves`.

        :param fit_start: the fit begins at this lag, ps.
        """
        lags, windows = curves['lags'], curves['window_msds']
        mean = windows.mean(axis=0)
        fitted = lags >= fit_start - 1e-6 * lags[-1]
        slope, offset = np.polyfit(lags[fitted], mean[fitted], 1)
        ends = lags[fitted][[0, -1]]
        prefix = 'framework_msd_'
        framework = {name.removeprefix(prefix): curves[name] for name in sorted(curves) if name.startswith(prefix)}
        return cls(species, lags, windows, np.array([ends, slope * ends + offset]), slope / 6 * 1e-4, framework)

    @property
    def mean(self) -> np.ndarray:
        """(n,) mean over the windows."""
        return self.windows.mean(axis=0)

    def thinned(self, most: int = 300) -> Displacements:
        """At most so many lags, evenly with the first and the last, in single precision; the fit is that of all."""
        count = len(self.lags)
        chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))

        def thin(curve: np.ndarray) -> np.ndarray:
            return curve[..., chosen].astype(np.float32)

        framework = {element: thin(msd) for element, msd in self.framework.items()}
        return replace(self, lags=thin(self.lags), windows=thin(self.windows), framework=framework)


@dataclass(frozen=True)
class Marker:
    """One conductivity of an Arrhenius plot.

    :param x: 1000 K / T.
    :param y: conductivity, S/cm, or the bottom of the axis for what has no logarithm.
    :param lower: length of the error bar downwards, S/cm, as far as the axis shows it.
    :param upper: the same upwards.
    :param kind: ``fitted``, ``flagged`` (fitted all the same) or ``excluded``.
    """

    point: Point
    flags: list[str]
    x: float
    y: float
    lower: float
    upper: float

    @property
    def kind(self) -> str:
        if self.point.excluded is not None:
            return 'excluded'
        return 'fitted, flagged' if self.flags else 'fitted'

    @property
    def raised(self) -> bool:
        """Whether the value lies below the axis."""
        return self.y != self.point.conductivity


@dataclass(frozen=True)
class ArrheniusPlot:
    """Conductivities against 1/T with their fit and its standard error (Fig. 4 of arXiv:2411.06804).

    Values of zero and below, and error bars that reach there, end at the bottom of the axis.

    :param x: (n,) 1000 K / T of the fitted line.
    :param line: (n,) fitted conductivity, S/cm, with its error band ``low`` and ``high``.
    :param limits: of the conductivity axis, S/cm.
    """

    fit: ArrheniusFit
    x: np.ndarray
    line: np.ndarray
    low: np.ndarray
    high: np.ndarray
    limits: tuple[float, float]
    markers: list[Marker]

    @classmethod
    def of(cls, fit: ArrheniusFit, flags: list[list[str]] | None = None, lowest: float = ROOM_TEMPERATURE):
        """
        :param flags: of each point of the fit.
        :param lowest: temperature to which the line is drawn, K.
        """
        points, flags = fit.points, flags or [[] for _ in fit.points]
        every = [point.temperature for point in points]
        temperatures = np.geomspace(min(lowest, *every), max(every) * 1.05, 200)
        line, errors = np.array([fit.conductivity(temperature) for temperature in temperatures]).T
        positive = [point.conductivity for point in points if point.conductivity > 0]
        floor = min([*positive, max(float(line.min()), _LOWEST)]) / _MARGIN
        tops = [point.conductivity + (point.conductivity_error or 0.0) for point in points]
        ceiling = max(*tops, float(line.max())) * _MARGIN
        markers = []
        for point, own in zip(points, flags):
            y, error = max(point.conductivity, floor * np.sqrt(_MARGIN)), point.conductivity_error or 0.0
            upper = max(point.conductivity + error - y, 0.0)
            markers.append(Marker(point, own, 1000 / point.temperature, y, min(error, y - floor), upper))
        low = np.maximum(line - errors, floor)
        return cls(fit, 1000 / temperatures, line, low, line + errors, (floor, ceiling), markers)

    @classmethod
    def of_activation(cls, result: Activation) -> ArrheniusPlot:
        """Of a fit in the graph."""
        return cls.of(result.fit, result.flags)


def _log(free_volume: float) -> float:
    return max(float(np.log10(free_volume)), LOWEST_LOG) if free_volume > 0 else LOWEST_LOG


def _range(values: np.ndarray, cuts: list[float], margin: float = 0.15) -> tuple[float, float]:
    every = [*values, *cuts]
    return min(every) - margin, min(max(every) + margin, 0.0)
