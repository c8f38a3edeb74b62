"""Lines of the main output (``.out``) that the package or a person looks for, in SIESTA's words and columns."""

from __future__ import annotations

import numpy as np

from .fdf import Crystal, normalise
from .formats import rows
from .units import ANGSTROM

HEADER = """Siesta Version  : 4.1.5
Architecture    : stand-in of the tests
SERIAL version

* Running in serial mode
>> Start of run:  {start}

reinit: System Label: {label}
"""
GAMMA_WARNING = (
    'Gamma-point calculation with interaction between periodic images',
    'Some features might not work optimally:',
    'e.g. DM initialization from atomic data',
)


def banner(step: int, kind: str) -> str:
    """Heads each step; ``kind`` is ``MD step`` or ``CG opt. move``."""
    rule = 21 * ' ' + 36 * '='
    return f'\n{rule}\n{24 * " "}Begin {kind} = {step:6d}\n{rule}'


def coordinates(crystal: Crystal, form: str, head: str = '') -> str:
    """``outcoor``: atoms in the input's own format; ``head`` is ``Relaxed`` or ``Final (unrelaxed)`` at the end."""
    form = normalise(form)
    if form in ('fractional', 'scaledbylatticevectors'):
        name, values = '(fractional):', crystal.positions @ np.linalg.inv(crystal.cell)
    elif form in ('ang', 'notscaledcartesianang'):
        name, values = '(Ang):', crystal.positions / ANGSTROM
    elif form == 'scaledcartesian':
        name, values = '(scaled):', crystal.positions / crystal.lattice_constant
    else:
        name, values = '(Bohr):', crystal.positions
    title = ' '.join(filter(None, [head, 'atomic coordinates' if head else 'Atomic coordinates', name]))
    lines = ['', f'outcoor: {title}'.ljust(60)]
    lines += [
        f'{row}{kind:4d}{index:8d}  {label}'
        for index, (row, kind, label) in enumerate(zip(rows(values, 14, 8), crystal.species, crystal.labels), start=1)
    ]
    return '\n'.join(lines)
