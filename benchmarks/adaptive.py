"""The adaptive scan against the full one, with the paper's potential: ``python benchmarks/adaptive.py``.

Resumable: what lies in the output folder is not computed again. Structures are given by identifier; without any, those
with at least a thousand irreducible points that a full scan of some minutes can treat.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from common import scan
from tabulate import tabulate

STRUCTURES = [
    'mp-10520', 'mp-644223', 'mp-570935', 'mp-1185319', 'mp-1211296', 'mp-1211100', 'mp-3635', 'mp-985582', 'mp-7535',
    'mp-13725', 'mp-2878', 'mp-768738', 'mp-1191476', 'mp-696127', 'mp-27275', 'mp-4556', 'mp-8184', 'mp-28326',
]  # fmt: skip


def largest_difference(one: Path, other: Path) -> float:
    """Largest difference of a free volume at any threshold, in decades; below 1e-4 of the cell they count as equal."""
    spectra = [json.loads((folder / 'descriptors.json').read_text())['spectrum'] for folder in (one, other)]
    volumes = [np.log10(np.maximum([s['connected'], s['disconnected']], 1e-4)) for s in spectra]
    return float(np.abs(volumes[1] - volumes[0]).max())


def main():
    """Scan both ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('structures', nargs='*', default=STRUCTURES)
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-adaptive'))
    arguments = parser.parse_args()
    full = scan(arguments.structures, arguments.output / 'full')
    adaptive = scan(arguments.structures, arguments.output / 'adaptive', '--adaptive')
    rows = []
    for name in arguments.structures:
        one, other = full[name], adaptive[name]
        if one['error'] or other['error']:
            print(one['error'] or other['error'])
            continue
        rows.append(
            (
                name,
                one['formula'],
                one['evaluations'],
                other['evaluations'] / one['evaluations'],
                one['xi'],
                other['xi'] - one['xi'],
                one['mpe'],
                (other['mpe'] - one['mpe']) * 1000,
                largest_difference(arguments.output / 'full' / name, arguments.output / 'adaptive' / name),
            )
        )
    headers = ('structure', 'formula', 'points', 'share', 'Xi', 'dXi', 'MPE/eV', 'dMPE/meV', 'dlog10(FV)')
    print(tabulate(rows, headers, floatfmt=('', '', '', '.3f', '.4f', '+.4f', '.3f', '+.2f', '.3f')))


if __name__ == '__main__':
    main()
