"""Xi of Table I and Fig. 2 of arXiv:2411.06804, and ours with the paper's potential.

Run ``python benchmarks/table1.py``. With ``--consistent``, the materials with molecular dynamics are scanned
adaptively in the primitive and in the size-consistent cell, and printed beside the conductivities of those dynamics.

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
#: AIMD conductivities of Table I, S/cm, at the temperatures below. In order of the cost of a scan.
DYNAMICS = {
    'mp-2530': ('4.19(17)', '0.0014(6)', '-0.0005(18)', ''),
    'mp-570935': ('3.7(4)', '0.5(6)', '0.0022(10)', ''),
    'mp-1211296': ('0.9(5)', '0.32(13)', '0.10(5)', '0.26(12)'),
    'mp-644223': ('4.9(9)', '1.1(4)', '0.24(17)', '0.016(12)'),
    'mp-1211100': ('2.6(6)', '1.27(9)', '1.5(4)', '1.03(30)'),
    'mp-641703': ('1.96(14)', '0.86(14)', '0.193(39)', '0.18(9)'),
}
TEMPERATURES = (1000, 667, 500, 417)


def consistent(output: Path, spacing: float, finished_only: bool) -> None:
    """Scan in the primitive and in the size-consistent cell, and print Xi beside conductivities."""
    published, options = {one: xi for one, xi, _ in FULL}, ['--adaptive', f'--spacing={spacing:g}']
    folders = {cell: output / f'{cell}-{spacing:g}' for cell in ('primitive', 'size_consistent')}
    chosen = list(DYNAMICS)
    if finished_only:
        chosen = [one for one in DYNAMICS if all((of / one / 'pes.npz').exists() for of in folders.values())]
    cells = [scan(chosen, folder, *options, cell=cell) for cell, folder in folders.items()]
    rows = []
    for one in chosen:
        values = [found[one][name] for name in ('xi', 'barrier_joint', 'atoms_scanned', 'seconds') for found in cells]
        rows.append((cells[0][one]['formula'], published[one], *values, *DYNAMICS[one]))
    heads = [f'{name}, {cell}' for name in ('Xi', 'joint/eV', 'atoms', 's') for cell in ('prim.', 'cons.')]
    heads = ('', 'Xi (paper)', *heads, *(f'{temperature} K' for temperature in TEMPERATURES))
    floats = ('', 'g', *['.3f'] * 4, '', '', '.0f', '.0f')
    print(tabulate(rows, heads, floatfmt=floats, disable_numparse=range(10, 14)))


def main():
    """Scan and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-table1'))
    parser.add_argument('--finished-only', action='store_true', help='print what is there, compute nothing new')
    parser.add_argument('--consistent', type=float, metavar='SPACING', help='scan in size-consistent cells, A')
    arguments = parser.parse_args()
    if arguments.consistent:
        return consistent(arguments.output, arguments.consistent, arguments.finished_only)
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
