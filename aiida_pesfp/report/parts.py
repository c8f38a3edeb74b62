"""What a figure with two axes is made of, for both renderers in ``plots/``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aiida_pesfp.report.colours import CUT, LINE


@dataclass(frozen=True)
class Axis:
    """One axis; limits that are None are left to the data.

    :param above: further ticks on the opposite side, text -> value.
    """

    title: str
    limits: tuple[float | None, float | None] = (None, None)
    logarithmic: bool = False
    above: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """A line, points, or both.

    :param name: in the legend, where traces of the same name are one entry.
    :param colour: of the line, and of points without ``fill`` and ``rim``.
    :param dash: ``solid``, ``dash`` or ``dot``; None for no line.
    :param symbols: ``circle``, ``square``, ``triangle-down``: one for all points or one each; None for no points.
    :param fill: of the points; a number each if there is a ``scale``.
    :param scale: name of the colours, lowest and highest number, title.
    :param errors: (2, n) lengths of the error bars down and up; ``errors_across``, to the left and right.
    :param hover: a text for each point, or one with plotly's placeholders, in HTML.
    :param labels: beside the points.
    :param label_places: of each label, such as ``top center``.
    """

    x: Sequence[float]
    y: Sequence[float]
    name: str | None
    colour: str = LINE
    dash: str | None = None
    width: float = 2
    symbols: str | list[str] | None = None
    size: float = 8
    fill: str | list[float] | None = None
    rim: str | None = None
    scale: tuple[str, float, float, str] | None = None
    errors: Sequence[Sequence[float]] | None = None
    errors_across: Sequence[Sequence[float]] | None = None
    hover: str | list[str] | None = None
    labels: list[str] | None = None
    label_places: list[str] | None = None


@dataclass(frozen=True)
class Band:
    """The area between two curves."""

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str
    name: str | None


@dataclass(frozen=True)
class Guide:
    """A line at one value of the ``axis`` x or y."""

    axis: str
    value: float
    colour: str = CUT
    dash: str = 'dash'
    text: str = ''


@dataclass(frozen=True)
class Contours:
    """Contour lines of ``values`` (y, x)."""

    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    levels: tuple[float, ...]


@dataclass(frozen=True)
class Plot:
    """A figure with two axes, and the flags of the result that it shows."""

    x: Axis
    y: Axis
    parts: list[Trace | Band | Guide | Contours]
    title: str = ''
    flags: Iterable[str] = ()

    @property
    def remark(self) -> str:
        """The flags in words, for the line below the title."""
        return ', '.join(flag.replace('_', ' ') for flag in self.flags)
