"""The text of the main output (``.out``), in SIESTA's words and columns. Bohr and Ry unless said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .fdf import Crystal, normalise
from .formats import fixed, rows
from .units import ANGSTROM, EV, KBAR

FORCE_TABLE_RULE = 40 * '-'

HEADER = """Siesta Version  : 4.1.5
Architecture    : stand-in of the tests
Compiler version: none
Compiler flags  : none
SERIAL version

* Running in serial mode
>> Start of run:  {start}

                           ***********************
                           *  WELCOME TO SIESTA  *
                           ***********************

reinit: Reading from standard input
************************** Dump of input data file ****************************
{fdf}************************** End of input data file *****************************

reinit: -----------------------------------------------------------------------
reinit: System Name: {name}
reinit: -----------------------------------------------------------------------
reinit: System Label: {label}
reinit: -----------------------------------------------------------------------
"""


def initial_coordinates(crystal: Crystal) -> str:
    """Atoms at the start."""
    lines = ['', 'siesta: Atomic coordinates (Bohr) and species']
    for index, (kind, row) in enumerate(zip(crystal.species, rows(crystal.positions, 10, 5)), start=1):
        lines.append(f'siesta: {"   "}{row[1:]}{kind:3d}{index:9d}')
    return '\n'.join([*lines, '', 'siesta: System type = bulk      ', ''])


def banner(step: int, kind: str) -> str:
    """Heads each step; ``kind`` is ``MD step`` or ``CG opt. move``."""
    rule = 21 * ' ' + 36 * '='
    return f'\n{rule}\n{f"Begin {kind} = {step:6d}":>{24 + len(f"Begin {kind} = {step:6d}")}}\n{rule}'


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


def cell(vectors: np.ndarray) -> str:
    """``outcell``: the cell in A."""
    angstrom = vectors / ANGSTROM
    lengths = np.linalg.norm(angstrom, axis=1)
    angles = [
        np.degrees(np.arccos(angstrom[i] @ angstrom[j] / lengths[i] / lengths[j])) for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    return '\n'.join(
        [
            '',
            'outcell: Unit cell vectors (Ang):',
            *['    ' + row for row in rows(angstrom, 12, 6)],
            '',
            'outcell: Cell vector modules (Ang)   :' + ''.join(fixed(length, 12, 6) for length in lengths),
            'outcell: Cell angles (23,13,12) (deg):' + ''.join(fixed(angle, 12, 4) for angle in angles),
            f'outcell: Cell volume (Ang**3)        :{fixed(abs(np.linalg.det(angstrom)), 12, 4)}',
        ]
    )


SINGLE_POINT = f'\n{21 * " "}{36 * "="}\n{24 * " "}Single-point calculation\n{21 * " "}{36 * "="}'

GAMMA_WARNING = (
    'Gamma-point calculation with interaction between periodic images',
    'Some features might not work optimally:',
    'e.g. DM initialization from atomic data',
)

SCF_HEADER = '\n        iscf     Eharris(eV)        E_KS(eV)     FreeEng(eV)     dDmax    Ef(eV) dHmax(eV)'


def scf_line(cycle: int, energies: tuple[float, float], changes: tuple[float, float]) -> str:
    """One SCF cycle: Harris and Kohn-Sham energy (eV), changes of the density and the Hamiltonian (eV)."""
    harris, kohn_sham = (fixed(energy, 16, 6) for energy in energies)
    return (
        f'   scf:{cycle:5d}{harris}{kohn_sham}{kohn_sham}{fixed(changes[0], 10, 6)} {0:9.6f}{fixed(changes[1], 10, 6)}'
    )


def scf_converged(cycles: int, changes: tuple[float, float]) -> str:
    """What follows the last cycle."""
    return '\n'.join(
        [
            '',
            'SCF Convergence by DM+H criterion',
            f'max |DM_out - DM_in|         :{fixed(changes[0], 17, 10)}',
            f'max |H_out - H_in|      (eV) :{fixed(changes[1], 17, 10)}',
            f'SCF cycle converged after {cycles} iterations',
        ]
    )


def force_rows(forces: np.ndarray, prefix: str = '') -> list[str]:
    """Forces (eV/A) of the atoms, and their sum."""
    lines = [f'{prefix}{index:6d}{row}' for index, row in enumerate(rows(forces, 12, 6), start=1)]
    total = ''.join(fixed(number, 12, 6) for number in forces.sum(0))
    return [*lines, f'{prefix}{FORCE_TABLE_RULE}', f'{prefix}{"Tot":>6}{total}']


def forces(values: np.ndarray, listed: bool) -> str:
    """Forces of a step, eV/A; the atoms only where WriteForces is true."""
    table = force_rows(values)
    largest = fixed(np.abs(values).max(), 12, 6)
    return '\n'.join(
        [
            '',
            'siesta: Atomic forces (eV/Ang):',
            *(table if listed else table[-2:]),
            FORCE_TABLE_RULE,
            f'{"Max":>6}{largest}',
            f'{"Res":>6}{fixed(np.sqrt((values**2).mean()), 12, 6)}    sqrt( Sum f_i^2 / 3N )',
            FORCE_TABLE_RULE,
            f'{"Max":>6}{largest}    constrained',
        ]
    )


def stress(static: np.ndarray, total: np.ndarray, energy: float, volume: float, detailed: bool) -> str:
    """Stress of a step; tensors only where the cell or the atoms have a dynamics of their own."""
    voigt = [total[i, j] / KBAR for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]
    pressure = -np.trace(total) / 3.0
    lines = [
        '',
        'Stress tensor Voigt[x,y,z,yz,xz,xy] (kbar):' + ''.join(fixed(number, 12, 2) for number in voigt),
        f'(Free)E + p*V (eV/cell){fixed((energy + pressure * volume) / EV, 14, 4)}',
        f'Target enthalpy (eV/cell){fixed(energy / EV, 14, 4)}',
    ]
    for name, tensor in (('static', static), ('total', total)) if detailed else ():
        lines += [
            '',
            f'siesta: Stress tensor ({name}) (eV/Ang**3):',
            *['     ' + row for row in rows(tensor * ANGSTROM**3 / EV, 12, 6)],
            '',
            f'siesta: Pressure ({name}):{fixed(-np.trace(tensor) / 3.0 / KBAR, 20, 8)}  kBar',
        ]
    return '\n'.join(lines)


def final(
    energy: float, kinetic: float, values: np.ndarray, tensor: np.ndarray, volume: float, force_tolerance: float
) -> str:
    """The summary at the end: Ry; forces in eV/A are listed where one is larger than the tolerance."""
    total = (energy + kinetic) / EV
    lines = ['', "siesta: Program's energy decomposition (eV):"]
    lines += [
        f'siesta: {name:8s}={fixed(number, 17, 6)}'
        for name, number in (
            ('Ekinion', kinetic / EV),
            ('Eharris', total),
            ('Etot', total),
            ('FreeEng', total),
        )
    ]
    lines += ['', 'siesta: Final energy (eV):']
    lines += [
        f'siesta: {name:>13} ={fixed(number, 15, 6)}' for name, number in (('Ekinion', kinetic / EV), ('Total', total))
    ]
    if np.abs(values).max() > force_tolerance:
        lines += ['', 'siesta: Atomic forces (eV/Ang):', *force_rows(values, 'siesta: ')]
    pressure = -np.trace(tensor) / 3.0
    lines += [
        '',
        'siesta: Stress tensor (static) (eV/Ang**3):',
        *['siesta: ' + row for row in rows(tensor * ANGSTROM**3 / EV, 12, 6)],
        '',
        f'siesta: Cell volume ={fixed(volume / ANGSTROM**3, 18, 6)} Ang**3',
        '',
        'siesta: Pressure (static):',
        f'siesta: {"Solid":>20}{"Molecule":>20}  Units',
    ]
    for factor, unit in ((1.0, 'Ry/Bohr**3'), (ANGSTROM**3 / EV, 'eV/Ang**3'), (1.0 / KBAR, 'kBar')):
        lines.append(f'siesta: {2 * fixed(pressure * factor, 20, 8)}  {unit}')
    return '\n'.join(lines)


def species_lines(crystal: Crystal) -> str:
    """The species as they are read."""
    seen: Sequence[tuple] = sorted(set(zip(crystal.species.tolist(), crystal.numbers.tolist(), crystal.labels)))
    return '\n'.join(
        f'Species number: {kind:3d} Atomic number: {number:4d} Label: {label}' for kind, number, label in seen
    )


def options(kind: str, moves: int, max_cycles: int) -> str:
    """The few of SIESTA's parameters that mean something here."""
    dynamics = 'Nose thermostat MD run' if kind == 'Nose' else 'CG coord. optimization'
    if kind == 'CG' and not moves:
        dynamics = 'Single-point calculation'
    return (
        f'redata: Max. number of SCF Iter                     ={max_cycles:9d}\n'
        f'redata: Dynamics option                             = {dynamics}'
    )
