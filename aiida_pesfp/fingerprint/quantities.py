"""The table of quantities: the numbers by which structures are described and ranked (arXiv:2411.06804, Eq. 2 to 4).

To add a descriptor, write the function that computes it and its row in :data:`QUANTITIES`. Programs, nodes, rankings,
expressions, tables, the report and the documentation read the table. :data:`XI_CALIBRATED` follows from what is stored
and from a calibration, so it is computed when it is read, and a better calibration needs no new scan.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters


@dataclass(frozen=True)
class Distribution:
    """How often each value occurs in a map: all that free volumes need of it, without the places.

    :param values: (k,) distinct values below ``limit`` (eV), ascending; ``counts`` (k,) how often each occurs.
    :param size: number of all points of the map, those at or above the limit too.
    """

    values: np.ndarray
    counts: np.ndarray
    size: int
    limit: float

    @classmethod
    def of(cls, values: np.ndarray, limit: float) -> Self:
        """That of an array of any shape."""
        # Above the limit there is no need to sort. A double is no rounded single.
        found = np.unique(values[values < np.float64(limit)], return_counts=True)
        return cls(*found, values.size, float(limit))

    def below(self, levels: np.ndarray) -> np.ndarray:
        """Number of points below each of (...) levels, eV; ``ValueError`` for one above the limit."""
        if levels.size and levels.max() > self.limit:
            raise ValueError(f'{levels.max():g} eV is above {self.limit:g} eV, up to which values were kept')
        counts = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])
        return counts[np.searchsorted(self.values.astype(np.float64), levels, side='left')]


@dataclass(frozen=True)
class Landscape:
    """What a quantity is computed from: the maps of one mobile ion, or the lowest of all ions at each place, in eV.

    The maps are arrays, or the :class:`Distribution` of each if it comes from a merge tree.

    :param energies: (N1, N2, N3) in the frame of the cell.
    :param levels: (2N1, 2N2, 2N3) level map in the frame of the doubled cell; it can be infinite above the highest
        threshold of the spectrum.
    :param periodic: (N1, N2, N3) levels on the periodic grid, in the frame of the cell.
    :param mpe: percolation energy of the ion; NaN, as the three ``barriers``, for all ions together.
    :param joint: for all ions together, the barrier at which ions that follow each other percolate.
    :param xi_upper: upper bound of Xi if the scan stopped early; else NaN.
    """

    energies: np.ndarray | Distribution
    levels: np.ndarray | Distribution
    periodic: np.ndarray | Distribution
    mpe: float = np.nan
    joint: float = np.nan
    xi_upper: float = np.nan
    barriers: tuple[float, float, float] = (np.nan, np.nan, np.nan)

    def lowest(self, other: Self) -> Self:
        """The lower value of both at each place, and of each barrier; for maps that are arrays."""
        maps = (np.minimum(getattr(self, name), getattr(other, name)) for name in ('energies', 'levels', 'periodic'))
        return Landscape(*maps, min(self.mpe, other.mpe), barriers=tuple(map(min, self.barriers, other.barriers)))


@dataclass(frozen=True)
class Quantity:
    """One descriptor.

    :param name: in JSON files, attributes of nodes and expressions.
    :param symbol: in the heads of tables, with the ``unit``, if any.
    :param digits: after the decimal point, in tables.
    :param better: whether ``higher`` or ``lower`` values promise faster ions.
    :param function: computes the value from a :class:`Landscape` and the settings; None for what is not computed
        from a surface.
    :param meaning: what it is, in a few words.
    :param over_ions: how the values of the ions give that of the structure, such as ``min``. None: the function is
        applied to the landscape of all ions together.
    :param of_each_ion: whether it is reported for each ion too; needed for ``over_ions``.
    :param in_rankings: whether tables of many structures show it; those of one structure show all quantities.
    :param in_spectrum: whether assessments rank by it already: a free volume of the spectrum, or the bound of Xi.
    :param feature: whether learned ranking models use it.
    :param letter: the symbol in figures and in the report, if it differs.
    """

    name: str
    symbol: str
    unit: str
    digits: int
    better: str
    function: Callable[[Landscape, DescriptorSettings], float] | None
    meaning: str
    over_ions: Callable[[Iterable[float]], float] | None = None
    of_each_ion: bool = True
    in_rankings: bool = True
    in_spectrum: bool = False
    feature: bool = True
    letter: str = ''

    @property
    def head(self) -> str:
        """Head of a column: symbol and unit."""
        return f'{self.symbol}/{self.unit}' if self.unit else self.symbol

    @property
    def format(self) -> str:
        """Format specification of a value."""
        return f'.{self.digits}f'

    @property
    def ranking(self) -> str:
        """The expression that ranks by this quantity alone, the higher the better."""
        return f'-{self.name}' if self.better == 'lower' else self.name

    def text(self, value: float | None, more_digits: int = 0) -> str:
        """A value with its unit; empty for None."""
        return '' if value is None else f'{value:.{self.digits + more_digits}f} {self.unit}'.rstrip()


def xi(fv_connected: float, fv_disconnected: float, parameters: XiParameters = XiParameters()) -> float:
    """The ranking descriptor Xi of Eq. 4, between 0 and 1. A vanishing free volume gives 0."""

    def sigmoid(free_volume: float, cut: float) -> float:
        if free_volume <= 0:
            return 0.0
        # tanh does not overflow far below the cut.
        return float(0.5 * (1 + np.tanh(0.5 * parameters.slope * (np.log10(free_volume) - cut))))

    return sigmoid(fv_connected, parameters.connected_cut) * sigmoid(fv_disconnected, parameters.disconnected_cut)


def free_volumes(values: np.ndarray | Distribution, thresholds, smearing) -> list[float]:
    """Fraction of ``values`` (eV, any shape) below each threshold t (eV), the mean over t + smearing (Eq. 3).

    :raises ValueError: if values are a distribution that does not reach as high.
    """
    levels = np.add.outer(np.asarray(thresholds, dtype=float), np.asarray(smearing, dtype=float))
    found = values if isinstance(values, Distribution) else Distribution.of(values, levels.max())
    return [float(value) for value in found.below(levels).mean(axis=1) / found.size]


def fv_connected(landscape: Landscape, settings: DescriptorSettings) -> float:
    """Connected free volume at the threshold of Xi, a fraction of the cell (Eq. 3)."""
    return free_volumes(landscape.levels, [settings.xi.threshold], settings.smearing)[0]


def fv_disconnected(landscape: Landscape, settings: DescriptorSettings) -> float:
    """Disconnected free volume at the threshold of Xi, a fraction of the cell (Eq. 3)."""
    return free_volumes(landscape.energies, [settings.xi.threshold], settings.smearing)[0]


def fv_joint(landscape: Landscape, settings: DescriptorSettings) -> float:
    """Fraction of the cell that ions reach from their sites below the threshold of Xi, on the periodic grid.

    It is that of the connected free volume (Eq. 3) for ions in all cells, and converges with the size of the cell.
    """
    return free_volumes(landscape.periodic, [settings.xi.threshold], settings.smearing)[0]


def _xi(landscape: Landscape, settings: DescriptorSettings) -> float:
    return xi(fv_connected(landscape, settings), fv_disconnected(landscape, settings), settings.xi)


def _xi_upper(landscape: Landscape, settings: DescriptorSettings) -> float:
    value = _xi(landscape, settings)
    # A bound is above the estimate, also where both vanish: that marks a scan that stopped early.
    return value if np.isnan(landscape.xi_upper) else max(landscape.xi_upper, float(np.nextafter(value, np.inf)))


def _barrier(dimensions: int) -> Callable[[Landscape, DescriptorSettings], float]:
    return lambda landscape, settings: landscape.barriers[dimensions - 1]


_FV = 'free volume at the threshold of Xi, fraction of the cell (Eq. 3)'
_BARRIER = 'barrier for percolation in'
# Options of rows.
_ONLY_XI = {'of_each_ion': False, 'feature': False, 'letter': 'Ξ'}
_SPECTRUM = {'in_spectrum': True, 'feature': False}
_JOINT = {'of_each_ion': False, 'in_rankings': False, 'feature': False}
_UPPER = {'in_rankings': False, 'in_spectrum': True, 'letter': 'Ξ ≤'}
_JOINT_FV = 'volume that ions reach below the threshold of Xi, fraction of the cell'
_JOINT_BARRIER = 'barrier for percolation of ions that follow each other'
_DETAIL = {'over_ions': min, 'in_rankings': False, 'feature': False}

#: The table.
QUANTITIES = (
    Quantity('xi', 'Xi', '', 4, 'higher', _xi, 'ranking descriptor (Eq. 4), 0 to 1', **_ONLY_XI),
    Quantity(
        'xi_upper',
        'Xi <=',
        '',
        4,
        'higher',
        _xi_upper,
        'what Xi is at most: more if the scan stopped early',
        **_ONLY_XI | _UPPER,
    ),
    Quantity(
        'mpe', 'MPE', 'eV', 3, 'lower', lambda own, _: own.mpe, 'minimal percolation energy (Eq. 2)', over_ions=min
    ),
    Quantity('fv_connected', 'FV conn.', '', 4, 'higher', fv_connected, f'connected {_FV}', **_SPECTRUM),
    Quantity('fv_disconnected', 'FV disc.', '', 4, 'higher', fv_disconnected, f'disconnected {_FV}', **_SPECTRUM),
    Quantity('fv_joint', 'FV joint', '', 4, 'higher', fv_joint, _JOINT_FV, **_JOINT),
    Quantity('barrier_joint', 'joint', 'eV', 3, 'lower', lambda union, _: union.joint, _JOINT_BARRIER, **_JOINT),
    Quantity('barrier_1d', '1D', 'eV', 3, 'lower', _barrier(1), f'{_BARRIER} one dimension', **_DETAIL),
    Quantity('barrier_2d', '2D', 'eV', 3, 'lower', _barrier(2), f'{_BARRIER} two dimensions', **_DETAIL),
    Quantity('barrier_3d', '3D', 'eV', 3, 'lower', _barrier(3), f'{_BARRIER} three dimensions', **_DETAIL),
)
#: Xi with the cuts that belong to the potential, see :mod:`aiida_pesfp.assessment.calibrated`; None if it has none.
XI_CALIBRATED = Quantity(
    'xi_calibrated',
    'Xi own',
    '',
    4,
    'higher',
    None,
    'Xi with the cuts of this potential',
    of_each_ion=False,
    letter='Ξ own',
)
NAMES = tuple(quantity.name for quantity in QUANTITIES)
#: What rankings and their expressions name.
RANKING_NAMES = (*NAMES, XI_CALIBRATED.name)
BY_NAME = {quantity.name: quantity for quantity in (*QUANTITIES, XI_CALIBRATED)}
#: Those that tables of many structures show.
IN_RANKINGS = (QUANTITIES[0], XI_CALIBRATED, *(quantity for quantity in QUANTITIES[1:] if quantity.in_rankings))
#: Those that each ion has.
OF_EACH_ION = tuple(quantity for quantity in QUANTITIES if quantity.of_each_ion)
#: The first of these decides between structures of equal rank, then the next.
TIES = ('xi', 'fv_connected', 'mpe')
#: A structure with a higher Xi is promising: both free volumes are at their cuts or beyond (Sec. II B).
PROMISING = 0.25


def rank_key(values: Mapping[str, float | None]) -> tuple[float, ...]:
    """Key by which ``sorted`` puts the best structure first: by ``xi_calibrated``.

    A structure without it ranks by the product of its free volumes: the order of Xi whose cuts lie far above all of
    them, where each sigmoid of Eq. 4 is a power of its free volume. Such numbers do not compare with Xi, so these
    structures are below those with a calibration. Structures whose scan stopped early are below all others.
    """
    own = values.get(XI_CALIBRATED.name)
    worth = values['fv_connected'] * values['fv_disconnected'] if own is None else own
    ties = (values[name] if BY_NAME[name].better == 'lower' else -values[name] for name in TIES)
    return (stopped_early(values), own is None, -worth, *ties)


def is_promising(values: Mapping[str, float | None]) -> bool:
    """Whether Xi with the cuts of the potential is above :data:`PROMISING`; true for a potential without any."""
    own = values.get(XI_CALIBRATED.name)
    return own is None or own > PROMISING


def shown_in(rows: Iterable[Mapping[str, float | None]]) -> tuple[Quantity, ...]:
    """The quantities of :data:`IN_RANKINGS` that some rows have, ``xi_calibrated`` only where it is not Xi itself."""
    rows = list(rows)
    hidden = {one.name for one in IN_RANKINGS if all(row.get(one.name) is None for row in rows)}
    if not any(_differs(row.get(XI_CALIBRATED.name), row.get('xi')) for row in rows):
        hidden.add(XI_CALIBRATED.name)
    return tuple(one for one in IN_RANKINGS if one.name not in hidden)


def _differs(own: float | None, published: float) -> bool:
    # That of an ensemble comes from its spectrum, which is rounded otherwise.
    return own is not None and abs(own - published) > 1e-9


def stopped_early(values: Mapping[str, float]) -> bool:
    """Whether the scan stopped as soon as it was certain that Xi is small: all but ``xi_upper`` are estimates."""
    return values.get('xi_upper') is not None and values['xi_upper'] > values['xi']


def listing(quantities: Iterable[Quantity] = (*QUANTITIES, XI_CALIBRATED)) -> str:
    """Names of quantities with their units, for help texts."""
    return ', '.join(f'{one.name} ({one.unit})' if one.unit else one.name for one in quantities)
