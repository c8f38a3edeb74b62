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
_SYMMETRIC = re.compile(r'^\s*ATOMIC_POSITIONS.*crystal_sg|\bspace_group\s*=', re.IGNORECASE | re.MULTILINE)
#: Texts in quotes, which say nothing of the crystal; comments; a blank between two items, where ASE needs a comma.
_QUOTED, _COMMENT = r"""('[^'\n]*'|"[^"\n]*")""", '[!#].*'
_BLANK = re.compile(r'(=[ \t]*[^\s,=]+)[ \t]+(?=[a-z]\w*(?:\(\d+\))?[ \t]*=)', re.IGNORECASE)
#: The card of lattice vectors, whose unit may have a length, as copied from an output.
_CELL = re.compile(r'^\s*CELL_PARAMETERS[^=\n]*(?:=\s*([\d.]+))?', re.IGNORECASE | re.MULTILINE)
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
    text = _BLANK.sub(r'\1, ', re.sub(f'{_QUOTED}|{_COMMENT}', lambda found: "''" if found[1] else '', text))
    if _SYMMETRIC.search(text):
        raise UnreadableStructure('it lists atoms up to symmetry: give all of the cell, not crystal_sg, or a CIF')
    in_bohr, given = _LATTICE_PARAMETER.subn(lambda a: f'celldm(1) = {to_numbers(a.groups())[0] / Bohr!r}', text)
    system = read_fortran_namelist(io.StringIO(in_bohr))[0].get('system', {})
    kind, cell = system.get('ibrav'), _CELL.search(text)
    alat, first = float(cell[1] or np.nan) if cell else np.nan, system.get('celldm(1)', np.nan)
    if (kind and cell) or (given and 'celldm(' in text.lower()) or abs(alat / first - 1) > 1e-3:  # NaN is not
        words = 'keep one of ibrav and CELL_PARAMETERS, of A and celldm, of celldm(1) and alat'
        raise UnreadableStructure(f'it gives its lattice twice: {words}')
    if not kind:
        return in_bohr
    b, c = (system.get(f'celldm({row})', system.get(name, np.nan) / first / Bohr) for row, name in ((2, 'b'), (3, 'c')))
    lengths = np.array([1, b if kind >= 8 else 1, c if kind >= 4 else 1])
    if kind not in _LATTICES or not (first * lengths > 0).all():  # NaN neither
        words = f'ibrav = {kind} is not read, or lacks one of A, B and C'
        raise UnreadableStructure(f'{words} (or celldm): give ibrav = 0 and CELL_PARAMETERS')
    rows = (' '.join(map(str, row)) for row in np.array(_LATTICES[kind]) * lengths / 2)
    return '\n'.join([re.sub(r'(?i)\bibrav\s*=\s*[-+\d]+', 'ibrav = 0', in_bohr), 'CELL_PARAMETERS alat', *rows, ''])
