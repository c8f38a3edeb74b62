"""Xi of Table I and Fig. 2 of arXiv:2411.06804, and ours with the paper's potential.

Run ``python benchmarks/table1.py``.

Resumable: what lies in the output folder is not computed again. Alone on two cores it takes about two hours.
"""

import argparse
from pathlib import Path

from common import scan
from tabulate import tabulate

#: Evaluated in full: (identifier, Xi of the paper, number of digits it is given with).
FULL = [
    ('mp-1211100', 0.9924, 4),
    ('mp-1211296', 0.9898, 4),
    ('mp-570935', 0.9812, 4),
    ('mp-2530', 0.9712, 4),
    ('mp-644223', 0.9647, 4),
    ('mp-641703', 0.9606, 4),
    ('mp-696127', 0.9645, 4),
    ('mp-1191476', 0.35, 2),
    ('mp-768738', 0.00, 2),
]
#: LGPS-like cells of 50 atoms, by the adaptive scan.
ADAPTIVE = [
    ('mp-696128', 0.9379, 4),
    ('mp-705516', 0.9661, 4),
    ('mp-721239', 0.9746, 4),
    ('mp-721252', 0.9729, 4),
    ('mp-721253', 0.9712, 4),
]


def main():
    """Scan and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-table1'))
    parser.add_argument('--finished-only', action='store_true', help='print what is there, compute nothing new')
    arguments = parser.parse_args()
    rows = []
    for name, entries, options in (('full', FULL, []), ('adaptive', ADAPTIVE, ['--adaptive'])):
        output = arguments.output / name
        if arguments.finished_only:
            entries = [entry for entry in entries if (output / entry[0] / 'pes.npz').exists()]
        found = scan([entry[0] for entry in entries], output, *options)
        for identifier, published, digits in entries:
            result = found[identifier]
            ours = result['xi']
            difference = (round(ours, 2) if digits == 2 else ours) - published
            rows.append(
                (identifier, result['formula'], published, ours, difference, result['mpe'], result['evaluations'], name)
            )
    headers = ('structure', 'formula', 'Xi (paper)', 'Xi', 'difference', 'MPE/eV', 'evaluations', 'scan')
    print(tabulate(rows, headers, floatfmt=('', '', 'g', '.4f', '+.4f', '.3f', '', '')))


if __name__ == '__main__':
    main()
