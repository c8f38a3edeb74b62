"""Xi of Table I and Fig. 2 of arXiv:2411.06804, and ours with the paper's potential.

Run ``python benchmarks/table1.py``. With ``--sizes 0 6.5``, the materials with molecular dynamics are scanned
adaptively in the primitive and in the size-consistent cell, and printed beside the conductivities of those dynamics.

Resumable: what lies in the output folder is not computed again. Alone on two cores it takes about two hours.
"""

import argparse
from pathlib import Path

from common import scan
from scipy.stats import spearmanr
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


def beside_dynamics(output: Path, spacing: float, sizes: list[float], finished_only: bool) -> None:
    """Scan in the primitive cell and in larger ones, and print Xi beside conductivities.

    :param sizes: smallest inter-planar distances, A; 0 stands for the primitive cell.
    """
    published, options = {one: xi for one, xi, _ in FULL}, ['--adaptive', f'--spacing={spacing:g}']
    folders, chosen = {size: output / f'{size:g}-{spacing:g}' for size in sizes}, list(DYNAMICS)
    if finished_only:
        chosen = [one for one in chosen if all((of / one / 'pes.npz').exists() for of in folders.values())]
    cells = []
    for size, folder in folders.items():
        cell = [f'--cell-size={size:g}'] if size else []
        cells.append(scan(chosen, folder, *options, *cell, cell='size_consistent' if size else 'primitive'))
    texts = [[DYNAMICS[one][place] for one in chosen] for place in range(len(TEMPERATURES))]
    numbers = [[float(text.partition('(')[0] or 'nan') for text in column] for column in texts]
    measured, formulas = (
        [f'{temperature} K' for temperature in TEMPERATURES],
        [cells[0][one]['formula'] for one in chosen],
    )
    for name in ('xi', 'barrier_joint', 'atoms_scanned'):
        columns = {
            f'{size:g} A' if size else 'primitive': [of[one][name] for one in chosen] for size, of in zip(sizes, cells)
        }
        if name == 'xi':
            columns = {'paper': [published[one] for one in chosen], **columns}
        rows, texted = zip(formulas, *columns.values(), *texts), range(len(columns) + 1, len(columns) + 1 + len(texts))
        print(tabulate(rows, (name, *columns, *measured), floatfmt='.3f', disable_numparse=texted), '\n')
        if name != 'atoms_scanned':
            found = [
                [spearmanr(own, other, nan_policy='omit').statistic for other in numbers] for own in columns.values()
            ]
            heads = (f'Spearman, {name}', *measured)
            print(tabulate(map(lambda head, own: (head, *own), columns, found), heads, floatfmt='+.2f'), '\n')


def main():
    """Scan and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-table1'))
    parser.add_argument('--finished-only', action='store_true', help='print what is there, compute nothing new')
    parser.add_argument('--sizes', type=float, nargs='+', help='distances between the faces of cells, A; 0: primitive')
    parser.add_argument('--spacing', type=float, default=0.25, help='with --sizes, A')
    arguments = parser.parse_args()
    if arguments.sizes:
        return beside_dynamics(arguments.output, arguments.spacing, arguments.sizes, arguments.finished_only)
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
