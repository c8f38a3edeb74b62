"""Time per point of the potentials that need no download: ``python benchmarks/bench_potentials.py``.

For each potential and structure, measured in turn in one run: the ASE calculator of the potential's own package, energy
and forces, one place of the ion after the other, as a user would write it; and our batched energies.
"""

import argparse
import os
import sys
import time
import warnings

import numpy as np
import torch
from ase import Atoms
from common import structure_file
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.potentials import load_potential

STRUCTURES = ('mp-2530', 'mp-1185319', 'mp-644223', 'mp-1211100', 'mp-641703', 'mp-696128')
POTENTIALS = ('sevennet-0', 'sevennet-l3i5', 'sevennet-mf-0:PBE', 'chgnet-0.3.0')
ROUNDS, LOOP = 3, 2


def measure(identifier: str, name: str, potential, other) -> tuple:
    """One row of the table: a potential, and that whose ASE calculator is called one place after the other."""
    structure = Structure.from_file(structure_file(identifier))
    ion = next(index for index, site in enumerate(structure) if site.specie.symbol == 'Li')
    places = structure.cart_coords[ion] + np.random.default_rng(0).normal(scale=0.3, size=(4096, 3))
    evaluator = potential.evaluator(structure)
    start = time.perf_counter()
    evaluator.energies(ion, places[:1])
    first = time.perf_counter() - start
    ours = places[: evaluator.batch_size * max(1, 16 // evaluator.batch_size)]
    atoms = Atoms(structure.atomic_numbers, structure.cart_coords, cell=structure.lattice.matrix, pbc=True)
    atoms.calc = other.calculator(structure)

    def loop(number=LOOP):
        for place in places[:number]:
            atoms.positions[ion] = place
            atoms.get_potential_energy()
            atoms.get_forces()

    def seconds(function) -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    loop()  # warm; the first calls compile
    evaluator.energies(ion, ours)
    times = np.array(
        [(seconds(loop) / LOOP, seconds(lambda: evaluator.energies(ion, ours)) / len(ours)) for _ in range(ROUNDS)]
    )
    theirs, mine = np.median(times, axis=0) * 1e3
    return name, identifier, len(structure), first, evaluator.batch_size, theirs, mine, theirs / mine


def main():
    """Measure and print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('structures', nargs='*', default=STRUCTURES)
    parser.add_argument('--potential', nargs='+', default=POTENTIALS)
    parser.add_argument('--calculator', help='of the package, as a YAML file: the default is that of the potential')
    parser.add_argument('--device', default='auto')
    arguments = parser.parse_args()
    rows = []
    for name in arguments.potential:
        potential = load_potential(name, device=arguments.device)
        other = load_potential(arguments.calculator, device='auto') if arguments.calculator else potential
        for identifier in arguments.structures:
            rows.append(measure(identifier, name, potential, other))
            print(*rows[-1], file=sys.stderr, flush=True)
    headers = ('potential', 'structure', 'atoms', 'first point/s', 'batch', 'ASE/ms', 'ours/ms', 'ratio')
    print(f'{torch.get_num_threads()} threads, {potential.device}, load {os.getloadavg()[0]:.1f}')
    print(tabulate(rows, headers, floatfmt=('', '', '', '.1f', '', '.1f', '.1f', '.1f')))


if __name__ == '__main__':
    main()
