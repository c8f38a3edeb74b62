"""Input of Quantum ESPRESSO as ASE reads it: lattices by number become vectors (``ibrav`` in the manual of pw.x)."""

import io
import re

import numpy as np
from ase.io.espresso import read_fortran_namelist
from ase.units import Bohr

from aiida_pesfp.crystals.poscar import to_numbers
from aiida_pesfp.errors import UnreadableStructure

#: ``A``, the first lattice parameter in A.
_LATTICE_PARAMETER = re.compile(r'(?:(?<=[\s,])|^)A\s*=\s*([-+.\d]+(?:[eEdD][-+]?\d+)?)', re.IGNORECASE)
_SYMMETRIC = re.compile(r'^\s*ATOMIC_POSITIONS.*crystal_sg|^[^!\n]*\bspace_group\s*=', re.IGNORECASE | re.MULTILINE)
#: ``ibrav`` -> twice the lattice vectors in units of a, b and c, from 4 on with c, from 8 on with b.
_LATTICES = {
    **{kind: [[2, 0, 0], [0, 2, 0], [0, 0, 2]] for kind in (1, 6, 8)},
    **{kind: [[1, 1, 1], [-1, 1, 1], [-1, -1, 1]] for kind in (3, 11)},
    2: [[-1, 0, 1], [0, 1, 1], [-1, 1, 0]],
    4: [[2, 0, 0], [-1, 3**0.5, 0], [0, 0, 2]],
    7: [[1, -1, 1], [1, 1, 1], [-1, -1, 1]],
    9: [[1, 1, 0], [-1, 1, 0], [0, 0, 2]],
    10: [[1, 0, 1], [1, 1, 0], [0, 1, 1]],
}


def for_ase(text: str) -> str:
    """An input with ``celldm(1)`` for ``A`` and with vectors for ``ibrav``, as ASE needs it.

    :raises UnreadableStructure: if it does not list all atoms of a cell, or its lattice is not known or given twice.
    """
    if _SYMMETRIC.search(text):
        raise UnreadableStructure('it lists atoms up to symmetry: give all of the cell, not crystal_sg, or a CIF')
    in_bohr, given = _LATTICE_PARAMETER.subn(lambda a: f'celldm(1) = {to_numbers(a.groups())[0] / Bohr!r}', text)
    system = read_fortran_namelist(io.StringIO(in_bohr))[0].get('system', {})
    if not (kind := system.get('ibrav')):
        return in_bohr
    if re.search(r'(?im)^\s*CELL_PARAMETERS', text) or (given and 'celldm(' in text.lower()):
        raise UnreadableStructure('it gives its lattice twice: keep one of ibrav and CELL_PARAMETERS, of A and celldm')
    first = system.get('celldm(1)', np.nan)
    b, c = (system.get(f'celldm({row})', system.get(name, np.nan) / first / Bohr) for row, name in ((2, 'b'), (3, 'c')))
    lengths = np.array([1, b if kind >= 8 else 1, c if kind >= 4 else 1])
    if kind not in _LATTICES or not (first * lengths > 0).all():  # NaN neither
        words = f'ibrav = {kind} is not read, or lacks one of A, B and C'
        raise UnreadableStructure(f'{words} (or celldm): give ibrav = 0 and CELL_PARAMETERS')
    rows = (' '.join(map(str, row)) for row in np.array(_LATTICES[kind]) * lengths / 2)
    return '\n'.join([re.sub(r'(?i)\bibrav\s*=\s*[-+\d]+', 'ibrav = 0', in_bohr), 'CELL_PARAMETERS alat', *rows, ''])
