"""Disordered crystals from published parameters: ``examples/disordered``, whose files say where they are from."""

from pathlib import Path

from pymatgen.core import Structure

from tests.helpers import REPOSITORY

ELECTROLYTES = {
    path.stem: Structure.from_file(path) for path in sorted((REPOSITORY / 'examples/disordered').glob('*.cif'))
}
#: Two of the three kinds of neighbouring Li sites of cubic Li7La3Zr2O12 are too close to be full together.
LLZO, LGPS = ELECTROLYTES['Li7La3Zr2O12'], ELECTROLYTES['Li10GeP2S12']
#: S and Cl are exchanged on two sites of Li6PS5Cl.
ARGYRODITE = ELECTROLYTES['Li6PS5Cl']


def write_cif(path: Path, structure: Structure) -> Path:
    """Write a disordered structure as a CIF; returns its path."""
    structure.to(filename=str(path), fmt='cif')
    return path
