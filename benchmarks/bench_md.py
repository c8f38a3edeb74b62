"""Speed of ``pesfp-md``: ``python benchmarks/bench_md.py``.

For supercells of Li7P3S11, measured in turn in one run: (a) a plain loop of the potential's ASE calculator under ASE's
own Nose-Hoover chain, as a user would write it, which stores nothing; (b) ours, which stores every tenth step, checks
each, and keeps what is needed to go on. ``overhead`` is the share of our time that is spent outside of the calculator:
integrator, checks and files together. ``ours`` is the part of it that the plain loop does not have.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from ase import units
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from common import structure_file
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from tabulate import tabulate

from aiida_pesfp.potentials import load_potential
from aiida_pesfp.programs.dynamics import Run
from aiida_pesfp.settings.md import PotentialMdSettings

IDENTIFIER, SUPERCELLS = 'mp-641703', ((1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2))
SETTINGS = PotentialMdSettings(temperature=1000.0, steps=1, stride=10)
ROUNDS = 3


class Clock:
    """Wraps the method by which a calculator computes, and adds up the time spent there."""

    def __init__(self, calculator):
        self.seconds, self._calculate = 0.0, calculator.calculate
        calculator.calculate = self._timed

    def _timed(self, *arguments, **options):
        start = time.perf_counter()
        self._calculate(*arguments, **options)
        self.seconds += time.perf_counter() - start


def timed(clock: Clock, function) -> np.ndarray:
    """Wall time of a call, and the part of it inside the calculator, s."""
    before, start = clock.seconds, time.perf_counter()
    function()
    return np.array([time.perf_counter() - start, clock.seconds - before])


def measure(supercell, potential, steps: int) -> tuple:
    """A row of the table."""
    structure = Structure.from_file(structure_file(IDENTIFIER))
    structure.make_supercell(supercell)
    plain, ours = (AseAtomsAdaptor.get_atoms(structure, msonable=False) for _ in range(2))
    calculator = potential.calculator(structure)
    clock = Clock(calculator)
    plain.calc = ours.calc = calculator
    thermalize_momenta(plain, SETTINGS.temperature, rng=np.random.default_rng(0))
    Stationary(plain)
    loop = NoseHooverChainNVT(plain, SETTINGS.timestep * units.fs, SETTINGS.temperature, 100 * units.fs)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(ours, SETTINGS, Path(folder), {})
        loop.run(1)
        run.advance(1, 20.0, lambda: None)
        rounds = []
        for _ in range(ROUNDS):
            of_loop = timed(clock, lambda: loop.run(steps))
            of_ours = timed(clock, lambda: run.advance(run.step + steps, 20.0, lambda: None))
            rounds.append((of_loop, of_ours))
    of_loop, of_ours = np.median(rounds, axis=0) / steps
    outside_loop, outside_ours = of_loop[0] - of_loop[1], of_ours[0] - of_ours[1]
    per_day = SETTINGS.timestep * 1e-6 * 86400
    return (
        len(structure),
        1e3 * of_ours[1],
        per_day / of_loop[0],
        per_day / of_ours[0],
        100 * outside_ours / of_ours[0],
        100 * (outside_ours - outside_loop) / of_ours[0],
    )


def main():
    """Measure and print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--potential', default='sevennet-0')
    parser.add_argument('--steps', type=int, default=20, help='of each round')
    parser.add_argument('--sizes', type=int, default=len(SUPERCELLS), help='how many of the supercells')
    arguments = parser.parse_args()
    potential = load_potential(arguments.potential)
    rows = [measure(supercell, potential, arguments.steps) for supercell in SUPERCELLS[: arguments.sizes]]
    headers = ('atoms', 'ms/step in calculator', 'ns/day loop', 'ns/day pesfp-md', 'overhead %', 'ours %')
    print(f'{potential.identity.name}, {torch.get_num_threads()} threads, {potential.device}')
    print(tabulate(rows, headers, floatfmt=('', '.1f', '.4f', '.4f', '.2f', '.2f')))


if __name__ == '__main__':
    main()
