"""Input of Quantum ESPRESSO as ASE reads it: lattices by number become vectors (INPUT_PW, ``ibrav``, of its manual)."""

import io
import re

import numpy as np
from ase.cell import Cell
from ase.io.espresso import read_fortran_namelist
from ase.units import Bohr

from aiida_pesfp.crystals.poscar import to_numbers
from aiida_pesfp.errors import UnreadableStructure

#: ``A``, the first lattice parameter in A.
_LATTICE_PARAMETER = re.compile(r'(?:(?<=[\s,])|^)A\s*=\s*([-+.\d]+(?:[eEdD][-+]?\d+)?)', re.IGNORECASE)
_SYMMETRIC = re.compile(r'^\s*ATOMIC_POSITIONS.*crystal_sg|^[^!\n]*\bspace_group\s*=', re.IGNORECASE | re.MULTILINE)
_B, _C = ('b', 2), ('c', 3)
#: ``ibrav`` -> what defines the lattice beside its first parameter, each with the number of its ``celldm``.
_PARAMETERS = {
    **dict.fromkeys((1, 2, 3, -3), ()),
    **dict.fromkeys((4, 6, 7), (_C,)),
    **dict.fromkeys((8, 9, -9, 91, 10, 11), (_B, _C)),
    **dict.fromkeys((12, 13), (_B, _C, ('cosab', 4))),
    -12: (_B, _C, ('cosac', 5)),
    14: (_B, _C, ('cosbc', 4), ('cosac', 5), ('cosab', 6)),
}
#: ``ibrav`` -> twice the lattice vectors in those of the conventional cell.
_CENTRED = {
    2: [[-1, 0, 1], [0, 1, 1], [-1, 1, 0]],
    3: [[1, 1, 1], [-1, 1, 1], [-1, -1, 1]],
    -3: [[-1, 1, 1], [1, -1, 1], [1, 1, -1]],
    7: [[1, -1, 1], [1, 1, 1], [-1, -1, 1]],
    9: [[1, 1, 0], [-1, 1, 0], [0, 0, 2]],
    -9: [[1, -1, 0], [1, 1, 0], [0, 0, 2]],
    91: [[2, 0, 0], [0, 1, -1], [0, 1, 1]],
    10: [[1, 0, 1], [1, 1, 0], [0, 1, 1]],
    11: [[1, 1, 1], [-1, 1, 1], [-1, -1, 1]],
    13: [[1, 0, -1], [0, 2, 0], [1, 0, 1]],
}


def for_ase(text: str) -> str:
    """An input with ``celldm(1)`` for ``A`` and with vectors for ``ibrav``, as ASE needs it.

    :raises UnreadableStructure: if it does not list all atoms of a cell, or its lattice is unknown or given twice.
    """
    if _SYMMETRIC.search(text):
        raise UnreadableStructure('it lists atoms up to symmetry: give all of the cell, not crystal_sg, or a CIF')
    in_bohr, given = _LATTICE_PARAMETER.subn(lambda a: f'celldm(1) = {to_numbers(a.groups())[0] / Bohr!r}', text)
    system = read_fortran_namelist(io.StringIO(in_bohr))[0].get('system', {})
    if not (kind := system.get('ibrav')):
        return in_bohr
    if re.search(r'(?im)^\s*CELL_PARAMETERS', text) or (given and 'celldm(' in text.lower()):
        raise UnreadableStructure('it gives its lattice twice: keep one of ibrav and CELL_PARAMETERS, of A and celldm')
    vectors = [' '.join(map(str, row)) for row in _vectors(kind, system)]
    return '\n'.join([re.sub(r'(?i)\bibrav\s*=\s*[-+\d]+', 'ibrav = 0', in_bohr), 'CELL_PARAMETERS alat', *vectors, ''])


def _vectors(kind: int, system: dict) -> np.ndarray:
    """(3, 3) lattice vectors as rows, in units of the first lattice parameter."""
    if kind not in _PARAMETERS:
        raise UnreadableStructure(f'it has ibrav = {kind}, which is not read: give ibrav = 0 and CELL_PARAMETERS')
    first = system.get('celldm(1)', np.nan) * Bohr
    found = {'b': 1.0, 'c': 1.0, 'cosbc': 0.0, 'cosac': 0.0, 'cosab': -0.5 if kind == 4 else 0.0}
    for name, number in _PARAMETERS[kind]:
        found[name] = system.get(f'celldm({number})', system.get(name, np.nan) / (first if name in 'bc' else 1))
    numbers = np.array([first, *found.values()])
    if not ((numbers[:3] > 0).all() and (abs(numbers[3:]) < 1).all()):  # NaN neither
        names = ', '.join(('A', *(name for name, _ in _PARAMETERS[kind])))
        raise UnreadableStructure(f'ibrav = {kind} needs {names}, or as many celldm: give them all')
    # As there, the first vector is along x and the second in the plane of x and y.
    conventional = Cell.fromcellpar([1.0, *numbers[1:3], *np.degrees(np.arccos(numbers[3:]))]).array
    return np.array(_CENTRED.get(kind, 2 * np.eye(3))) @ conventional / 2
