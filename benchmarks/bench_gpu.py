"""A GPU against the CPU: ``python benchmarks/bench_gpu.py [IDENTIFIER...]``, on a machine with both.

For each structure and potential: the largest difference of sixteen energies, and the energies per second of two full
batches on the GPU.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from common import PAPER, structure_file
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.potentials import load_potential

POTENTIALS = {'paper': PAPER, 'sevennet-0': 'sevennet-0', 'chgnet-0.3.0': 'chgnet-0.3.0'}


def measure(identifier: str, name: str, device: str) -> tuple:
    """One row of the table."""
    structure = Structure.from_file(structure_file(identifier))
    ion = next(index for index, site in enumerate(structure) if site.specie.symbol == 'Li')
    places = structure.cart_coords[ion] + np.random.default_rng(0).normal(scale=0.5, size=(20000, 3))
    on_cpu = load_potential(POTENTIALS[name], device='cpu').evaluator(structure).energies(ion, places[:16])
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    evaluator = load_potential(POTENTIALS[name], device=device).evaluator(structure)
    difference = np.abs(evaluator.energies(ion, places[:16]) - on_cpu).max()
    evaluator.energies(ion, places[: evaluator.batch_size])  # warm
    number = min(2 * evaluator.batch_size, len(places))
    start = time.perf_counter()
    evaluator.energies(ion, places[:number])  # ends on the CPU, so it is finished when it returns
    rate = number / (time.perf_counter() - start)
    gibibytes = torch.cuda.max_memory_allocated() / 2**30
    return name, identifier, len(structure), evaluator.batch_size, gibibytes, difference * 1e3, rate


def main():
    """Measure and print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('structures', nargs='*', default=('mp-1185319', 'mp-641703'))
    parser.add_argument('--device', default='cuda')
    arguments = parser.parse_args()
    rows = [measure(identifier, name, arguments.device) for name in POTENTIALS for identifier in arguments.structures]
    print(f'{torch.cuda.get_device_name(arguments.device)}, torch {torch.__version__}')
    headers = ('potential', 'structure', 'atoms', 'batch', 'GiB', 'dE/meV', 'points/s')
    print(tabulate(rows, headers, floatfmt=('', '', '', '', '.1f', '.4f', '.0f')))


if __name__ == '__main__':
    main()
