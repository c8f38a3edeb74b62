"""Colours of figures: of lines and points, and of the elements of a structure."""

from collections.abc import Iterable
from functools import cache

import numpy as np
from ase.data import atomic_numbers
from ase.data.colors import jmol_colors
from pymatgen.vis.structure_vtk import EL_COLORS
from skimage.color import deltaE_ciede2000, rgb2lab

#: Colours that everybody can tell apart (Okabe and Ito): blue, vermilion, green, purple, orange, sky blue.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
FLAGGED, CUT, PALE, EXCLUDED = COLOURS[1], COLOURS[1], '#A6CAE0', '#7F7F7F'
FAINT, BOND, LINE, ISOSURFACE = '#9AA5B1', '#B4BBC2', '#4A5560', '#1FA7B8'
#: For elements whose own colours are taken: those above, black, yellow, brown, navy, olive, pale pink, pale green.
_SPARE = (*COLOURS, '#262626', '#F0E442', '#7A4419', '#1B2A80', '#6B7A00', '#FBC4D2', '#B8F2C0')
#: Colours closer than this (CIEDE2000) look alike, and those of a chroma above the second number have a hue.
_ALIKE, _HUED = 15.0, 20.0


def element_colours(symbols: Iterable[str], mobile: str) -> dict[str, np.ndarray]:
    """RGB of each element, 0 to 1, such that no two of a structure look alike.

    An element has Jmol's colour. If another has a similar one, it gets VESTA's, or else a spare one. The
    mobile ion gives way to the framework: violet Li turns green beside violet I.
    """
    chosen = {}
    for symbol in sorted(set(symbols), key=lambda symbol: (symbol == mobile, symbol)):
        distances = [
            min((_distance(option, other) for other in chosen.values()), default=100.0) for option in _options(symbol)
        ]
        enough = [place for place, distance in enumerate(distances) if distance >= _ALIKE]
        chosen[symbol] = _options(symbol)[enough[0] if enough else int(np.argmax(distances))]
    return {symbol: np.array(colour) for symbol, colour in chosen.items()}


@cache
def _options(symbol: str) -> tuple[tuple[float, ...], ...]:
    jmol, vesta = jmol_colors[atomic_numbers[symbol]], np.array(EL_COLORS['VESTA'].get(symbol, (255, 255, 255))) / 255
    others = [[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in _SPARE]
    return tuple(tuple(map(float, colour)) for colour in (jmol, vesta, *others))


@cache
def _distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """How different two colours look on shaded spheres: between two hues, lightness counts less."""
    labs = rgb2lab(np.array([one, other]))
    hued = np.hypot(*labs[:, 1:].T).min() > _HUED
    return float(deltaE_ciede2000(*labs, kL=3 if hued else 1))
