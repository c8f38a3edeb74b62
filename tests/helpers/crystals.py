"""Small crystals for tests, from lattice parameters."""

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


def wurtzite(cation: str, anion: str, a: float, c: float, u: float) -> Structure:
    """Wurtzite with lattice parameters in A and internal parameter ``u``."""
    places = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, u], [2 / 3, 1 / 3, u + 0.5]]
    return Structure(Lattice.hexagonal(a, c), [cation, cation, anion, anion], places)
