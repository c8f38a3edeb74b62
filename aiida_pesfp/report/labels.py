"""Where the labels of points stand in a figure."""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from aiida_pesfp.report.parts import Guide

#: Labels of points: the area of a plot, pixels, in which they must have room, and where they are tried.
_FRAME, _LONGEST_LABEL = np.array([430, 300]), 24
_SIDES = {
    'top center': (0, 1),
    'bottom center': (0, -1),
    'middle right': (1, 0),
    'middle left': (-1, 0),
    'top right': (1, 1),
    'top left': (-1, 1),
    'bottom right': (1, -1),
    'bottom left': (-1, -1),
}


def place_labels(
    points: np.ndarray, labels: Sequence[str], limits: Sequence[tuple[float, float]], parts: Iterable = ()
) -> dict[str, list]:
    """``labels`` and ``label_places`` such that no label covers another or a point; those without room are empty.

    :param points: (2, n) in the units of the axes, with ``limits`` of each.
    :param labels: of the first points, the most important first.
    :param parts: of the plot; labels keep off its guides as far as they can.
    """
    low, high = np.array(limits).T
    pixels = (points.T - low) / (high - low) * _FRAME
    taken = [(*(point - 6), *(point + 6)) for point in pixels]
    lines = []
    for axis, value in ((('x', 'y').index(part.axis), part.value) for part in parts if isinstance(part, Guide)):
        box = np.array([[0, 0], _FRAME], dtype=float)
        box[:, axis] = (value - low[axis]) / (high[axis] - low[axis]) * _FRAME[axis]
        lines.append(tuple(box.ravel()))
    texts, places = [''] * len(pixels), ['top center'] * len(pixels)
    for number, label in enumerate(labels):
        if label in labels[:number]:
            continue
        text = short(label)
        size = np.array([6.5 * len(text), 14])
        others = taken[:number] + taken[number + 1 :]
        for obstacles, place in product(([*others, *lines], others), _SIDES):
            corner = pixels[number] + np.array(_SIDES[place]) * (8 + size / 2) - size / 2
            box = np.array([*corner, *(corner + size)])
            if (
                (box < np.tile(_FRAME, 2)).all()
                and (corner > 0).all()
                and not any(_overlap(box, other) for other in obstacles)
            ):
                texts[number], places[number] = text, place
                taken.append(box)
                break
    return {'labels': texts, 'label_places': places}


def short(label: str) -> str:
    """A label that is not too long for a figure."""
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + '…'


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
