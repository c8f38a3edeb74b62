"""The XML (CML) file as SIESTA 4.1 writes it, step by step; only what its readers use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

import numpy as np

from .units import ANGSTROM, EV, KBAR

HEADER = """<?xml version="1.0" encoding="UTF-8" ?>
<cml convention="CMLComp" xmlns="http://www.xml-cml.org/schema"
 xmlns:siesta="http://www.uam.es/siesta/namespace"
 xmlns:siestaUnits="http://www.uam.es/siesta/namespace/units"
 xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 xmlns:fpx="http://www.uszla.me.uk/fpx"
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:units="http://www.uszla.me.uk/FoX/units"
 xmlns:cmlUnits="http://www.xml-cml.org/units/units"
 xmlns:siUnits="http://www.xml-cml.org/units/siUnits"
 xmlns:atomicUnits="http://www.xml-cml.org/units/atomic">
"""
SCALAR_WIDTH = 100


def significant(number: float) -> str:
    """A number with 12 significant digits: fixed between 0.1 and 1e12, else with the mantissa from 0.1 to 1."""
    if not np.isfinite(number):
        return str(number)
    if number == 0.0:
        return '0.00000000000'
    if 0.1 <= abs(number) < 1e12:
        whole = len(str(int(abs(number)))) if abs(number) >= 1.0 else 0
        return f'{number:.{12 - whole}f}'
    mantissa, exponent = f'{abs(number):.11E}'.split('E')
    return f'{"-" if number < 0 else ""}0.{mantissa.replace(".", "")}E{int(exponent) + 1:+03d}'


def block(numbers: np.ndarray) -> str:
    """Numbers in rows of three."""
    form = '{:12d}' if np.issubdtype(numbers.dtype, np.integer) else '{:20.12E}'
    return '\n'.join(''.join(form.format(number) for number in row) for row in numbers.reshape(-1, 3)) + '\n'


class Cml:
    """Writes to an open file; modules are closed in the order they were opened."""

    def __init__(self, file: TextIO):
        self.file = file
        self.open: list[str] = []
        self.file.write(HEADER)
        self.open.append('cml')

    def write(self, *lines: str) -> None:
        """Lines, indented by depth."""
        pad = ' ' * len(self.open)
        self.file.writelines(f'{pad}{line}\n' for line in lines)

    def start(self, element: str, **attributes: str) -> None:
        """Open an element."""
        self.write(f'<{element}{"".join(f" {name}={chr(34)}{value}{chr(34)}" for name, value in attributes.items())}>')
        self.open.append(element)

    def end(self) -> None:
        """Close the element opened last."""
        element = self.open.pop()
        self.write(f'</{element}>')

    def close(self) -> None:
        """Close all elements, so that the file is whole."""
        while self.open:
            self.end()
        self.file.flush()

    def metadata(self, items: dict[str, str]) -> None:
        """The list at the top."""
        self.start('metadataList')
        self.write(*[f'<metadata name="siesta:{name}" content="{content}" />' for name, content in items.items()])
        self.end()

    def parameter(self, value: int | str, name: str, **more: str) -> None:
        """One input parameter."""
        kind = 'string' if isinstance(value, str) else 'integer" units="cmlUnits:countable'
        self.start('parameter', name=name, **more)
        self.write(f'<scalar dataType="xsd:{kind}">{value}', '</scalar>')
        self.end()

    def scalar(self, name: str, value: float, units: str = 'siestaUnits:eV', digits: int | None = None, **more: str):
        """A property that is one number."""
        text = significant(value) if digits is None else f'{value:.{digits}f}'
        self.start('property', **more, dictRef=f'siesta:{name}')
        self.write(f'<scalar dataType="xsd:double" units="{units}">{text.ljust(SCALAR_WIDTH)}', '</scalar>')
        self.end()

    def integers(self, name: str, value: int, title: str) -> None:
        """A property that is one count."""
        self.start('property', title=title, dictRef=f'siesta:{name}')
        self.write(f'<scalar dataType="xsd:integer" units="cmlUnits:countable">{value}', '</scalar>')
        self.end()

    def matrix(self, name: str, value: np.ndarray, units: str, **more: str) -> None:
        """A property that is a matrix (or, of shape (3,), an array)."""
        self.start('property', **more, dictRef=f'siesta:{name}')
        kind = 'double' if np.issubdtype(value.dtype, np.floating) else 'integer'
        if value.ndim == 1:
            element, size = 'array', f'size="{len(value)}"'
        else:
            element, size = 'matrix', f'columns="{len(value)}" rows="3"'
        self.write(f'<{element} units="{units}" {size} dataType="xsd:{kind}">')
        self.file.write(block(value) + '\n')
        self.write(f'</{element}>')
        self.end()

    def geometry(
        self, symbols: Sequence[str], species: np.ndarray, positions: np.ndarray, cell: np.ndarray, initial: bool
    ) -> None:
        """Atoms in A and the cell; the first one is in Bohr whatever its unit says, as in SIESTA."""
        self.start('molecule')
        self.start('atomArray')
        for index, (symbol, kind, row) in enumerate(zip(symbols, species, positions / ANGSTROM), start=1):
            x, y, z = (f'{number:14.8f}'.ljust(45) for number in row)
            self.write(
                f'<atom elementType="{symbol}" id="a{index}" ref="siesta:e{kind:03d}"',
                f' x3="{x}"',
                f' y3="{y}"',
                f' z3="{z}" />',
            )
        self.end()
        self.end()
        self.start('lattice', dictRef='siesta:ucell')
        for vector in cell if initial else cell / ANGSTROM:
            unit = 'siestaUnits:angstrom' if initial else 'siestaUnits:Ang'
            self.write(f'<latticeVector units="{unit}" dictRef="cml:latticeVector">')
            self.file.write(block(vector) + '\n')
            self.write('</latticeVector>')
        self.end()

    def sizes(self, orbitals: int) -> None:
        """Counts that readers of SIESTA's files expect with the geometry; a mesh of one point."""
        self.start('propertyList', title='Orbital info')
        self.integers('no_u', orbitals, 'Number of orbitals in unit cell')
        self.integers('nnz', orbitals**2, 'Number of non-zeros')
        self.end()
        self.start('propertyList')
        self.matrix('ntm', np.ones(3, dtype=int), 'cmlUnits:countable', title='Mesh')
        self.end()

    def scf_cycle(self, serial: int, energies: tuple[float, float], changes: tuple[float, float]) -> None:
        """One SCF cycle: Harris and Kohn-Sham energy (eV), changes of the density and the Hamiltonian."""
        self.start('module', dictRef='SCF', role='step', serial=str(serial))
        self.start('propertyList', title='SCF Cycle')
        self.scalar('Eharrs', energies[0], digits=7)
        self.scalar('dDmax', changes[0], 'siestaUnits:none', digits=7)
        self.scalar('dHmax', changes[1], digits=7)
        self.scalar('Etot', energies[1], digits=7)
        self.scalar('FreeE', energies[1], digits=7)
        self.scalar('Ef', 0.0, digits=7)
        self.end()
        self.end()

    def energies(self, energy: float) -> None:
        """Energies (eV) after the SCF cycle; there are no electrons here, so no band energy."""
        self.start('propertyList', title='Energies and spin')
        for name, value in (('E_KS', energy), ('FreeE', energy), ('Ebs', 0.0), ('E_Fermi', 0.0)):
            self.scalar(name, value, digits=6)
        self.end()

    def forces(self, forces: np.ndarray) -> None:
        """Forces of a step, eV/A."""
        self.start('propertyList', title='Forces')
        self.matrix('forces', forces, 'siestaUnits:evpa')
        self.matrix('ftot', forces.sum(0), 'siestaUnits:evpa')
        for name, value in (
            ('fmax', np.abs(forces).max()),
            ('fres', np.sqrt((forces**2).mean())),
            ('cfmax', np.abs(forces).max()),
        ):
            self.scalar(name, float(value), 'siestaUnits:evpa')
        self.end()

    def stress(self, static: np.ndarray, total: np.ndarray, detailed: bool) -> None:
        """Stress (Ry/Bohr^3): written in Ry/A^3, and the pressures, where there are any, in Ry/Bohr^3 called kbar."""
        self.matrix('stress', static * ANGSTROM**3, 'siestaUnits:evpa3', title='Stress')
        if not detailed:
            return
        self.scalar('psol', -float(np.trace(static)) / 3.0, 'siestaUnits:kBar', title='Pressure (Static)')
        self.matrix('tstress', total * ANGSTROM**3, 'siestaUnits:evpa3', title='Total Stress')
        self.scalar('tpsol', -float(np.trace(total)) / 3.0, 'siestaUnits:kBar', title='Pressure (Total)')

    def final(
        self, energy: float, forces: np.ndarray, stress: np.ndarray, volume: float, force_tolerance: float
    ) -> None:
        """What stands in the last module: eV, eV/A, Ry/Bohr^3, Bohr^3; forces where one is above the tolerance."""
        self.start('propertyList', title='Final Energy')
        self.scalar('Etot', energy)
        self.end()
        if np.abs(forces).max() > force_tolerance:
            self.start('propertyList', title='Force Summary')
            self.matrix('forces', forces, 'siestaUnits:evpa')
            self.matrix('ftot', forces.sum(0), 'siestaUnits:evpa')
            self.end()
        self.matrix('stress', stress * ANGSTROM**3 / EV, 'siestaUnits:eV_Ang__3')
        self.start('propertyList', title='Final Pressure')
        self.scalar('cellvol', volume / ANGSTROM**3, 'siestaUnits:Ang__3', title='cell volume')
        pressure = -float(np.trace(stress)) / 3.0 / KBAR
        self.scalar('pressSol', pressure, 'siestaUnits:kbar', title='Pressure of Solid')
        self.end()
