"""Disordered crystals, from published lattice parameters and positions."""

from pathlib import Path

from pymatgen.core import Lattice, Structure

#: Awaka et al., Chem. Lett. 40, 60 (2011): cubic Li7La3Zr2O12. Two of its three kinds of neighbouring Li sites are too
#: close to be full together.
LLZO = Structure.from_spacegroup(
    'Ia-3d',
    Lattice.cubic(12.9827),
    [{'Li': 0.94}, {'Li': 0.349}, 'La', 'Zr', 'O'],
    [[0.375, 0, 0.25], [0.0959, 0.6853, 0.5772], [0.125, 0, 0.25], [0, 0, 0], [-0.0312, 0.0546, 0.1495]],
)
#: Kamaya et al., Nat. Mater. 10, 682 (2011): Li10GeP2S12.
LGPS = Structure.from_spacegroup(
    'P4_2/nmc',
    Lattice.tetragonal(8.71771, 12.63452),
    [{'Li': 0.691}, 'Li', {'Li': 0.643}, {'Ge': 0.515, 'P': 0.485}, 'P', 'S', 'S', 'S'],
    [
        *([0.256, 0.272, 0.190], [0, 0.5, 0.945], [0.246, 0.246, 0]),
        *([0, 0.5, 0.69084], [0, 0, 0.5]),
        *([0, 0.1843, 0.4084], [0, 0.2956, 0.0950], [0, 0.69795, 0.79374]),
    ],
)
#: Kraft et al., J. Am. Chem. Soc. 139, 10909 (2017): Li6PS5Cl, whose S and Cl are exchanged on two sites.
ARGYRODITE = Structure.from_spacegroup(
    'F-43m',
    Lattice.cubic(9.8598),
    [{'Li': 0.5}, 'P', 'S', {'Cl': 0.615, 'S': 0.385}, {'Cl': 0.385, 'S': 0.615}],
    [[0.183, 0.183, 0.024], [0, 0, 0.5], [0.1197, -0.1197, 0.6197], [0, 0, 0], [0.25, 0.25, 0.75]],
)
#: Aatiq et al., J. Mater. Chem. 12, 2971 (2002), for LiTi2(PO4)3, with Al and a second Li site as of Redhammer
#: et al., Solid State Sci. 60, 99 (2016), for Li1.3Al0.3Ti1.7(PO4)3.
LATP = Structure.from_spacegroup(
    'R-3c',
    Lattice.hexagonal(8.5110, 20.843),
    [{'Li': 0.9}, {'Li': 0.0667}, {'Ti': 0.85, 'Al': 0.15}, 'P', 'O', 'O'],
    [
        *([0, 0, 0], [0.07, 0.34, 0.07], [0, 0, 0.1417], [0.2904, 0, 0.25]),
        *([0.1858, 0.9946, 0.1898], [0.1899, 0.1642, 0.0814]),
    ],
)
#: Asano et al., Adv. Mater. 30, 1803075 (2018): Li3YCl6.
LI3YCL6 = Structure.from_spacegroup(
    'P-3m1',
    Lattice.hexagonal(11.2018, 6.0324),
    ['Li', {'Li': 0.5}, 'Y', {'Y': 0.75}, {'Y': 0.25}, 'Cl', 'Cl', 'Cl'],
    [
        *([0.3397, 0, 0], [0.3397, 0, 0.5], [0, 0, 0], [1 / 3, 2 / 3, 0.488], [1 / 3, 2 / 3, 0.065]),
        *([0.1131, -0.1131, 0.7717], [0.2182, -0.2182, 0.2603], [0.4436, -0.4436, 0.7615]),
    ],
)
ELECTROLYTES = {
    'Li7La3Zr2O12': LLZO,
    'Li10GeP2S12': LGPS,
    'Li6PS5Cl': ARGYRODITE,
    'Li1.3Al0.3Ti1.7P3O12': LATP,
    'Li3YCl6': LI3YCL6,
}


def write_cif(path: Path, structure: Structure) -> Path:
    """Write a disordered structure as a CIF; returns its path."""
    structure.to(filename=str(path), fmt='cif')
    return path
