"""What the step of the grid changes in the free volumes, next to the errors of the cuts of Xi.

Run ``python benchmarks/grid_step.py FOLDER COARSE FINE`` on what ``assess.py -o`` left in a folder for one potential,
with the ``--spacing`` of both, such as ``benchmark-assess/paper-adaptive 0.5 0.25``: log10 of the free volumes at
0.5 eV with the coarse grid less that with the fine one, of all structures that have both.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from tabulate import tabulate

#: A structure counts if its free volume is not smaller, with both grids: others have Xi = 0 with any cuts in use.
LEAST = 1e-4


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('coarse')
    parser.add_argument('fine')
    arguments = parser.parse_args()
    rows, pattern = [], '*/results/*/descriptors.json'
    fine = {path.parts[-4:]: path for path in (arguments.folder / arguments.fine).glob(pattern)}
    pairs = [(path, fine.get(path.parts[-4:])) for path in (arguments.folder / arguments.coarse).glob(pattern)]
    pairs = [[json.loads(path.read_text()) for path in both] for both in pairs if None not in both]
    for name in ('fv_connected', 'fv_disconnected'):
        volumes = np.array([[one[name] for one in both] for both in pairs])
        used = np.log10(volumes[(volumes > LEAST).all(axis=1)])
        shifts = used[:, 0] - used[:, 1]
        error = shifts.std(ddof=1) / np.sqrt(len(shifts))
        rows.append((name, len(pairs), len(shifts), shifts.mean(), error, np.median(shifts), shifts.std(ddof=1)))
    heads = ('log10', 'structures', f'above {LEAST:g}', 'mean shift', '+-', 'median', 'spread')
    print(tabulate(rows, heads, floatfmt=('', '', '', '.3f', '.3f', '.3f', '.3f')))


if __name__ == '__main__':
    main()
