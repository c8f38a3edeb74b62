"""How descriptors depend on what is scanned: on the cell of a crystal, and on what surrounds the ion.

Run ``python benchmarks/cells.py [IDENTIFIER...]``: the cells of the Materials Project, on which published numbers were
made, beside the canonical primitive cells, with the paper's potential. With ``--others`` it compares what surrounds the
ion in size-consistent cells, with two potentials that know no charges, and the voltage against lithium metal at which
the ion goes to its lowest point. All scans are adaptive; they resume.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from common import PAPER, scan
from pymatgen.io.ase import AseAtomsAdaptor
from tabulate import tabulate

from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.potentials.registry import load_potential

#: The best five of Table I in small cells.
SMALL = ['mp-1211100', 'mp-1211296', 'mp-570935', 'mp-2530', 'mp-644223']
#: For ``--others``: LiF, LiCl, Li2O and Li3PO4 do not conduct, Li3N, LiBH4, Li6PS5Cl and LGPS do.
KNOWN = ['mp-1138', 'mp-22905', 'mp-1960', 'mp-13725', 'mp-2251', 'mp-644223', 'mp-985592', 'mp-696128']
OTHERS = ('fixed', 'removed', 'interstitial')
#: Lattice constant of lithium metal, A (PBE).
LITHIUM = 3.44


def cells(structures: list[str], output: Path) -> None:
    """Scan in both cells and print the table."""
    given, primitive = (scan(structures, output / cell, '--adaptive', cell=cell) for cell in ('as_given', 'primitive'))
    rows = []
    for identifier, one in given.items():
        other = primitive[identifier]
        rows.append((identifier, one['formula'], one['xi'], other['xi'], one['mpe'], other['mpe']))
    headers = ('structure', 'formula', 'Xi, as given', 'Xi, primitive', 'MPE/eV, as given', 'MPE/eV, primitive')
    print(tabulate(rows, headers, floatfmt=('', '', '.4f', '.4f', '.3f', '.3f')))


def voltage(surface: PotentialEnergySurface, potential) -> float:
    """Energy that the ion at its lowest point gains over lithium metal, eV: the voltage at which it goes there.

    The highest over the scanned ions; all other atoms keep their places.
    """

    def energy(atoms: Atoms) -> float:
        atoms.calc = potential.calculator(AseAtomsAdaptor.get_structure(atoms))
        return atoms.get_potential_energy()

    metal, gains = energy(bulk('Li', 'bcc', a=LITHIUM)), []
    for ion, with_ion in zip(surface.scanned_ions, surface.reference_energies):
        host = np.delete(np.arange(len(surface.atomic_numbers)), ion)
        numbers, places = surface.atomic_numbers[host], surface.fractional_coordinates[host]
        without = energy(Atoms(numbers, scaled_positions=places, cell=surface.lattice, pbc=True))
        gains.append(without + metal - with_ion)
    return max(gains)


def surroundings(structures: list[str], output: Path, spacing: float) -> None:
    """Scan with each of :data:`OTHERS` by both potentials; print the table, and how far the potentials differ."""
    rows, names, common = {}, ('sevennet-0', PAPER), ('--adaptive', f'--spacing={spacing:g}')
    for name in names:
        potential = load_potential(name, device='cpu')
        for others in OTHERS:
            folder = output / f'{others}-{name}'
            options = (*common, f'--others={others}', f'--potential={name}')
            for one, found in scan(structures, folder, *options, cell='size_consistent').items():
                gained = voltage(PotentialEnergySurface.load(folder / one / 'pes.npz'), potential)
                values = (found['xi'], found['mpe'], gained)
                rows.setdefault((one, found['formula'].removesuffix(' '), others), []).append(values)
    ordered = sorted(rows.items(), key=lambda row: (structures.index(row[0][0]), OTHERS.index(row[0][2])))
    heads = [f'{what}, {name}' for what in ('Xi', 'MPE/eV', 'V') for name in ('SevenNet-0', "paper's")]
    table = [(formula, others, *np.transpose(values).ravel()) for (_, formula, others), values in ordered]
    print(tabulate(table, ('', 'others', *heads), floatfmt=('', '', *['.3f'] * 4, '.2f', '.2f')), '\n')
    differences = [
        (others, *np.median([abs(np.subtract(*values)) for key, values in ordered if key[2] == others], axis=0))
        for others in OTHERS
    ]
    print(tabulate(differences, ('median difference', 'Xi', 'MPE/eV', 'V'), floatfmt='.3f'))


def main():
    """Scan and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('structures', nargs='*')
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-cells'))
    parser.add_argument('--others', action='store_true')
    parser.add_argument('--spacing', type=float, default=0.5, help='with --others, A')
    arguments = parser.parse_args()
    if arguments.others:
        surroundings(arguments.structures or KNOWN, arguments.output, arguments.spacing)
    else:
        cells(arguments.structures or SMALL, arguments.output)


if __name__ == '__main__':
    main()
