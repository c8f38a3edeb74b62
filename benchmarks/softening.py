"""How soft a potential is: its relaxed barriers against those by DFT, from ``results/barriers.txt``.

Run ``python benchmarks/softening.py`` for the table; ``barriers.py`` computes the barriers.
"""

import argparse
import re

import numpy as np
from common import REPOSITORY
from tabulate import tabulate

RESULTS = REPOSITORY / 'benchmarks' / 'results' / 'barriers.txt'
_COMMAND = re.compile(r'\$ (python benchmarks/barriers\.py \S+/(\w+)\.json --potential (\S+) --method (\w+) .*)')
RESAMPLES, SEED = 1000, 0


def barriers() -> dict[tuple[str, str, str], tuple[str, np.ndarray]]:
    """Potential, ion and method -> the command, and (hops, 3) barriers in eV: DFT, relaxed, frozen."""
    found, lines = {}, None
    for line in RESULTS.read_text().splitlines():
        if match := _COMMAND.match(line):
            command, ion, potential, method = match.groups()
            lines = []
            found[potential.rpartition('/')[2], ion, method] = command, lines
        elif line.startswith('$') or not line.strip():
            lines = lines if not line.startswith('$') and not lines else None
        elif lines is not None and (numbers := re.match(r'\S+ +\d+ +([\d.]+) +(-?[\d.]+) +(-?[\d.]+) ', line)):
            lines.append([float(number) for number in numbers.groups()])
    return {key: (command, np.array(rows)) for key, (command, rows) in found.items() if rows}


def slope(expected: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """Slope of the line through the origin, and its standard error over resamples of the hops."""
    drawn = np.random.default_rng(SEED).integers(len(expected), size=(RESAMPLES, len(expected)))
    slopes = (expected[drawn] * found[drawn]).sum(axis=1) / (expected[drawn] ** 2).sum(axis=1)
    return float(expected @ found / (expected @ expected)), float(slopes.std(ddof=1))


def softening(potential: str, ion: str = 'Li', method: str = 'pinned') -> dict | None:
    """What a calibration says of the barriers of a potential; None if they were not computed."""
    if (potential, ion, method) not in barriers():
        return None
    command, table = barriers()[potential, ion, method]
    of_relaxed, of_frozen = (slope(table[:, 0], table[:, column]) for column in (1, 2))
    found = dict(zip(('slope', 'error'), of_relaxed)) | dict(zip(('frozen_slope', 'frozen_error'), of_frozen))
    return found | {'hops': len(table), 'ion': ion, 'method': method, 'command': command}


def main():
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rows = [(*key, len(table), *slope(table[:, 0], table[:, 1])) for key, (_, table) in barriers().items()]
    print(tabulate(rows, ('potential', 'ion', 'method', 'hops', 'slope', '+-'), floatfmt='.2f'))


if __name__ == '__main__':
    main()
