"""Settings of the reduction of a surface to descriptors (arXiv:2411.06804, Eq. 2 to 4)."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting

NEIGHBOUR_RULES = ('sqrt3', '26', '6')
#: What is exported of a surface: its energies, or the level map.
KINDS = ('energy', 'level')
#: A higher threshold, eV, is one in another unit.
_HIGHEST = 10.0


def _numbers(lowest: float, highest: float) -> type:
    one = Annotated[float, Field(ge=lowest, le=highest)]
    return Annotated[tuple[one, ...], Field(strict=False, min_length=1, max_length=1000)]


@dataclass(frozen=True)
class XiParameters(Settings):
    """Parameters of Eq. 4. They were tuned for one potential and lithium; another potential needs its own."""

    threshold: float = setting('energy t at which both free volumes are taken', 0.5, unit='eV', ge=0, le=_HIGHEST)
    connected_cut: float = setting('cut of log10 of the connected free volume', -2.00, ge=-20, le=0)
    disconnected_cut: float = setting('cut of log10 of the disconnected free volume', -1.15, ge=-20, le=0)
    slope: float = setting('slope of the sigmoid', 10.0, ge=0, le=1e4)


@dataclass(frozen=True)
class DescriptorSettings(Settings):
    """How a surface is reduced to descriptors.

    ``neighbours`` is a rule of :func:`~aiida_pesfp.fingerprint.levels.neighbour_steps`. The published free volumes are
    means over the default ``smearing``.
    """

    thresholds: _numbers(0, _HIGHEST) = setting(
        'energies of the free-volume spectrum',
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0),  # Fig. 3
        unit='eV',
    )
    smearing: _numbers(-1, 1) = setting(
        'a free volume is the mean over its threshold plus each of these', (-0.04, -0.02, 0.0, 0.02, 0.04), unit='eV'
    )
    neighbours: Literal[*NEIGHBOUR_RULES] = setting('steps of a path on the grid', 'sqrt3')
    xi: XiParameters = setting(
        'parameters of Xi: threshold (eV), cut of log10 connected FV, of log10 disconnected FV, slope', XiParameters()
    )

    @property
    def highest(self) -> float:
        """The highest energy at which a free volume is taken, eV."""
        return max(*self.thresholds, self.xi.threshold) + max(self.smearing)
