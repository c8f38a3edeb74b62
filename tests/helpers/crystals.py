"""Small crystals for tests, from lattice parameters."""

import numpy as np
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.groups import SpaceGroup

GROUPS = (1, 2, 4, 7, 9, 14, 19, 36, 62, 63, 82, 105, 122, 148, 152, 160, 166, 173, 186, 194, 198, 205, 216, 225, 227)


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


def lattice_of(system, a, b, c, alpha, beta, gamma):
    """A lattice of a crystal system from six numbers, of which it needs some."""
    match system:
        case 'triclinic':
            return Lattice.from_parameters(a, b, c, alpha, beta, gamma)
        case 'monoclinic':
            return Lattice.monoclinic(a, b, c, beta)
        case 'orthorhombic':
            return Lattice.orthorhombic(a, b, c)
        case 'tetragonal':
            return Lattice.tetragonal(a, c)
        case 'cubic':
            return Lattice.cubic(a)
    return Lattice.hexagonal(a, c)  # hexagonal and trigonal, the latter in hexagonal axes


@st.composite
def crystals(draw):
    """A random crystal of a random space group, with a mobile ion on a general or special position.

    Hydrogen and helium may come closest: with larger elements few random crystals would be accepted.
    """
    group = SpaceGroup.from_int_number(draw(st.sampled_from(GROUPS)), hexagonal=True)
    lengths = draw(st.tuples(*[st.floats(4.0, 6.0)] * 3))
    angles = draw(st.tuples(*[st.floats(75.0, 105.0)] * 3))
    lattice = lattice_of(group.crystal_system, *lengths, *angles)
    coordinate = st.sampled_from([0.0, 0.25, 0.5, 1 / 3, 0.1234, 0.37, 0.811])
    places = draw(st.lists(st.tuples(*[coordinate] * 3), min_size=2, max_size=2, unique=True))
    crystal = Structure.from_spacegroup(group.symbol, lattice, ['H', 'He'], places, tol=0.1)
    return crystal.get_primitive_structure() if draw(st.booleans()) else crystal
