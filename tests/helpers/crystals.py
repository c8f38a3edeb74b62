"""Small crystals for tests, from lattice parameters."""

import numpy as np
from pymatgen.core import Lattice, Structure


def face_centred(a: float) -> Lattice:
    """Primitive cell of a face-centred cubic lattice with the cubic lattice parameter ``a``, A."""
    return Lattice([[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]])


def rock_salt(cation: str, anion: str, a: float) -> Structure:
    """Primitive cell of a rock salt with the cubic lattice parameter ``a``, A."""
    return Structure(face_centred(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def antifluorite(cation: str, anion: str, a: float) -> Structure:
    """Primitive cell of an antifluorite with the cubic lattice parameter ``a``, A."""
    return Structure(face_centred(a), [cation, cation, anion], [[0.25] * 3, [0.75] * 3, [0, 0, 0]])


def perovskite(large: str, small: str, anion: str, a: float) -> Structure:
    """Cubic perovskite with the lattice parameter ``a``, A."""
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(a), [large, small, *[anion] * 3], places)


def wurtzite(cation: str, anion: str, a: float, c: float, u: float) -> Structure:
    """Wurtzite with lattice parameters in A and internal parameter ``u``."""
    places = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, u], [2 / 3, 1 / 3, u + 0.5]]
    return Structure(Lattice.hexagonal(a, c), [cation, cation, anion, anion], places)


def in_cell(structure: Structure, vectors) -> Structure:
    """The same crystal in a smaller cell.

    :param vectors: of the smaller cell in those of the structure, shape (3, 3).
    """
    lattice = Lattice(np.array(vectors) @ structure.lattice.matrix)
    places = lattice.get_fractional_coords(structure.cart_coords) % 1
    sites: dict[tuple, str] = {}
    for site, place in zip(structure, places):
        sites.setdefault(tuple(np.round(place, 6) % 1), site.specie.symbol)
    return Structure(lattice, list(sites.values()), list(sites))
