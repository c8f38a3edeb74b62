"""Time and memory of parsing a long run of SIESTA into a stored trajectory: ``python benchmarks/siesta_files.py``."""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import common  # noqa: F401  (finds tests.helpers)
import numpy as np
from aiida import load_profile
from aiida.storage.sqlite_temp import SqliteTempBackend

from aiida_pesfp.calculations.trajectories import new_trajectory
from aiida_pesfp.trajectories.siesta import read_mde
from aiida_pesfp.trajectories.siesta_dynamics import read_dynamics
from tests.helpers.siesta_files import write_energies, write_frames


def write_run(folder: Path, steps: int, atoms: int) -> None:
    """Files of a run in which nothing moves."""
    frame = np.random.default_rng(0).normal(size=(2, atoms, 3))
    write_frames(folder / 'a.MD', ((step, *frame) for step in range(1, steps + 1)))
    write_energies(folder / 'a.MDE', range(1, steps + 1))


def parse(folder: Path, atoms: int):
    """What the parser does; its arrays are let go before the node is stored, as by the parser."""
    energies = read_mde(folder / 'a.MDE')
    run = read_dynamics(folder / 'a.MD', energies.steps, np.zeros((atoms, 3)), timestep=1.0)
    count = len(run.indices)
    arrays = {
        'positions': run.positions,
        'velocities': run.velocities,
        'cells': np.repeat(np.eye(3)[None], count, axis=0),
        'times': np.arange(count) / 1000,
        'energies': energies.energies,
        'temperatures': energies.temperatures,
        'conserved': energies.conserved,
    }
    attributes = {'timestep_fs': 1.0, 'temperature': 500.0, 'stride': 1, 'engine': 'siesta'}
    return new_trajectory(['Li'] * atoms, run.indices, arrays, attributes)


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--steps', type=int, default=100_000)
    parser.add_argument('--atoms', type=int, default=100)
    options = parser.parse_args()
    load_profile(SqliteTempBackend.create_profile('benchmark'), allow_switch=True)
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), options.steps, options.atoms)
        begin = time.perf_counter()
        parse(Path(folder), options.atoms).store()
        seconds = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f'{options.steps} steps, {options.atoms} atoms: {seconds:.0f} s, peak memory {memory:.0f} MiB')


if __name__ == '__main__':
    main()
