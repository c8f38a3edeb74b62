"""Time of a scan with the paper's potential: ``python benchmarks/bench_scan.py``.

For each structure, measured in turn in one run: (a) a loop over an ASE calculator of the plain network, energy, forces
and stress, as a user would write it; (b) plain batches of that network, energies only; (c) ours. (a) is charged for the
full grid of every ion, as the paper did it, by its time per point on a sample. The last column is the same against an
adaptive scan, which is run and timed as a whole. ``--project DIR`` extrapolates a screen of the structures in a folder
from their numbers of evaluations.
"""

import argparse
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from common import PAPER, REPOSITORY, structure_file
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.grid import fractional_points
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.potentials.m3gnet.weights import load_weights
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers.plain_m3gnet import PlainCalculator, PlainM3GNet

STRUCTURES = ('mp-2530', 'mp-1185319', 'mp-644223', 'mp-13725', 'mp-1211100', 'mp-641703', 'mp-696128', 'mp-721239')
ROUNDS = 3
#: Structures with more irreducible points are not scanned adaptively here: it would take many minutes.
MOST_ADAPTIVE = 400_000


def seconds(function) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(identifier: str, potential, plain) -> dict:
    """All numbers of one structure."""
    structure = Structure.from_file(structure_file(identifier))
    plan = plan_scan(structure)
    every = plan_scan(structure, settings=ScanSettings(symmetry=False)).evaluations
    of_ion = plan.ions[0]
    random = np.random.default_rng(0)
    places = fractional_points(random.permutation(of_ion.points)[:512], plan.shape) @ structure.lattice.matrix
    evaluator = potential.evaluator(structure)
    sample = places[: min(len(places), max(evaluator.batch_size * 4, 64))]
    few, batch = places[:6], [_moved(structure, of_ion.ion, place) for place in places[:8]]
    atoms = Atoms(structure.atomic_numbers, structure.cart_coords, cell=structure.lattice.matrix, pbc=True)
    atoms.calc = PlainCalculator(plain)

    def loop():
        for place in few:
            atoms.positions[of_ion.ion] = place
            atoms.get_potential_energy()

    def batched():
        with torch.inference_mode():
            plain.energies(batch)

    evaluator.energies(of_ion.ion, sample)  # warm
    times = {'loop': [], 'batch': [], 'ours': []}
    for _ in range(ROUNDS):
        times['loop'].append(seconds(loop) / len(few))
        times['batch'].append(seconds(batched) / len(batch))
        times['ours'].append(seconds(lambda: evaluator.energies(of_ion.ion, sample)) / len(sample))
    adaptive = None
    if plan.evaluations < MOST_ADAPTIVE:
        adaptive = seconds(lambda: scan(structure, evaluator, settings=ScanSettings(adaptive=True)))
    return {
        'structure': identifier,
        'formula': structure.composition.reduced_formula,
        'atoms': len(structure),
        'symmetric': plan.evaluations < every,
        'points': every,
        'evaluated': plan.evaluations,
        **{name: float(np.median(values)) for name, values in times.items()},
        'adaptive': adaptive,
        'network': share_of_network(potential, lambda: evaluator.energies(of_ion.ion, sample)),
    }


def _moved(structure: Structure, ion: int, place) -> Structure:
    moved = structure.copy()
    moved.replace(ion, moved[ion].specie, place, coords_are_cartesian=True)
    return moved


def share_of_network(potential, function) -> float:
    """Share of the time of a call, over all its threads, that is spent in the layers of the network."""
    inside = []

    def timed(layer):
        def call(*inputs):
            start = time.thread_time()
            result = layer(*inputs)
            inside.append(time.thread_time() - start)
            return result

        return call

    layers = [(potential.network, 'initial_bonds'), (potential.network, 'readout')]
    layers += [(block, 'summed_updates') for block in potential.blocks]
    for owner, name in layers:
        setattr(owner, name, timed(getattr(owner, name)))
    start = time.process_time()
    function()
    whole = time.process_time() - start
    for owner, name in layers:
        delattr(owner, name)
    return sum(inside) / whole


def peak_memory(identifier: str) -> float:
    """Peak memory of a process that scans for a few seconds, GiB."""
    command = [sys.executable, '-m', 'aiida_pesfp.programs.scan', str(structure_file(identifier))]
    command += ['--potential', PAPER, '--time-limit', '20', '-q']
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_maxrss / 2**20


def project(folder: Path, rows: list[dict]) -> None:
    """Extrapolate a screen of a folder from the numbers of evaluations and the time per point for each size."""
    sizes, times = zip(*sorted((row['atoms'], row['ours']) for row in rows))
    total = evaluations = scanned = 0
    for path in sorted(folder.rglob('*.cif')):
        try:
            plan = plan_scan(Structure.from_file(path))
        except StructureError:
            continue
        scanned += 1
        evaluations += plan.evaluations
        total += plan.evaluations * np.interp(
            len(plan.structure), sizes, times, right=times[-1] / sizes[-1] * len(plan.structure)
        )
    print(
        f'\n{scanned} structures under {folder}: {evaluations} evaluations, {total / 3600:.1f} h, of which an adaptive'
    )
    print(f'scan needs about a tenth; for 1302 structures in proportion {total / 3600 * 1302 / scanned:.0f} h')


def main():
    """Measure and print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('structures', nargs='*', default=STRUCTURES)
    parser.add_argument('--project', type=Path, help='a folder of structures')
    arguments = parser.parse_args()
    potential = load_potential(PAPER)
    plain = PlainM3GNet(load_weights(Path(potential.identity.path)))
    rows = [
        measure(identifier, potential, plain) | {'memory': peak_memory(identifier)}
        for identifier in arguments.structures
    ]
    table = [
        (
            row['structure'],
            row['formula'],
            row['atoms'],
            row['points'],
            row['evaluated'],
            1 / row['ours'],
            row['memory'],
            row['network'],
            row['loop'] / row['ours'],
            row['batch'] / row['ours'],
            row['loop'] * row['points'] / (row['ours'] * row['evaluated']),
            row['adaptive'] and row['loop'] * row['points'] / row['adaptive'],
        )
        for row in rows
    ]
    headers = (
        *('structure', 'formula', 'atoms', 'points', 'evaluated', 'points/s', 'GiB', 'in network'),
        *('loop/ours', 'batch/ours', 'end to end', 'adaptive'),
    )
    print(f'{torch.get_num_threads()} threads, {potential.device}')
    print(tabulate(table, headers, floatfmt=('', '', '', '', '', '.0f', '.2f', '.2f', '.1f', '.1f', '.0f', '.0f')))
    for name, column in (('end to end', -2), ('adaptive', -1)):
        symmetric = [line[column] for row, line in zip(rows, table) if row['symmetric'] and line[column]]
        print(f'{name}, geometric mean of those with symmetry: {np.exp(np.mean(np.log(symmetric))):.0f}')
    if arguments.project:
        project(arguments.project, rows)


if __name__ == '__main__':
    main()
