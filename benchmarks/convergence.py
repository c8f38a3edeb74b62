"""How descriptors converge with the size of the cell, and what a size-consistent scan costs.

Run ``python benchmarks/convergence.py [-o FOLDER] [--figure FILE]``: adaptive scans of eight materials in the primitive
cell and in supercells of at least 5 to 13 A between their faces. It is resumable and takes three quarters of an hour
on one core.
"""

import argparse
from pathlib import Path

import numpy as np
from common import scan
from tabulate import tabulate

#: Small primitive cells: salts of one anion, and three borohydrides of Table I.
MATERIALS = ['mp-22905', 'mp-1153', 'mp-2530', 'mp-570935', 'mp-2251', 'mp-644223', 'mp-1211100', 'mp-1211296']
#: Smallest inter-planar distances, A; 0 stands for the primitive cell.
SIZES = (0.0, 5.0, 6.5, 8.0, 10.0, 13.0)
#: Of the table and the figure, with a word for each.
QUANTITIES = {
    'xi': r'$\Xi$',
    'mpe': 'MPE / eV',
    'barrier_joint': 'joint barrier / eV',
    'fv_disconnected': 'disconnected FV',
    'fv_connected': 'connected FV',
    'fv_joint': 'joint FV',
}


def draw(found: dict[float, dict[str, dict]], path: Path) -> None:
    """A panel for each quantity, against the number of atoms in the cell."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(11, 6), layout='constrained', sharex=True)
    for axes, (name, title) in zip(panels.T.ravel(), QUANTITIES.items()):
        for identifier in MATERIALS:
            entries = [of_size[identifier] for of_size in found.values()]
            atoms = [entry['atoms_scanned'] for entry in entries]
            axes.plot(atoms, [entry[name] for entry in entries], 'o-', ms=4, label=entries[0]['formula'])
        axes.set(title=title, yscale='log' if name.startswith('fv') else 'linear')
    for axes in panels[1]:
        axes.set_xlabel('atoms in the cell')
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', frameon=False, ncols=len(MATERIALS))
    figure.savefig(path, dpi=130)


def main():
    """Scan, and print a table for each quantity and that of the cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-convergence'))
    parser.add_argument('--potential', default='sevennet-0')
    parser.add_argument('--spacing', type=float, default=0.4)
    parser.add_argument('--sizes', type=float, nargs='+', default=SIZES, help='6.5 must be among them')
    parser.add_argument('--figure', type=Path)
    arguments = parser.parse_args()
    options = ['--adaptive', f'--spacing={arguments.spacing}', f'--potential={arguments.potential}']
    found = {}
    for size in arguments.sizes:
        cell = [f'--cell-size={size}'] if size else []
        name = 'size_consistent' if size else 'primitive'
        found[size] = scan(MATERIALS, arguments.output / f'{size:g}', *options, *cell, cell=name)
    for name in QUANTITIES:
        rows = [(found[0.0][one]['formula'], *(of_size[one][name] for of_size in found.values())) for one in MATERIALS]
        heads = ('', 'primitive', *(f'{size:g} A' for size in arguments.sizes[1:]))
        print(f'{name}\n{tabulate(rows, heads, floatfmt=".3f" if "fv" not in name else ".4f")}\n')
    rows, ratios = [], []
    for one in MATERIALS:
        primitive, consistent = found[0.0][one], found[6.5][one]
        ratios.append(consistent['seconds'] / primitive['seconds'])
        cost = [(entry['evaluations'], entry['seconds']) for entry in (primitive, consistent)]
        rows.append((primitive['formula'], *cost[0], *cost[1], ratios[-1]))
    heads = ('', 'points, primitive', 'seconds', 'points, 6.5 A', 'seconds', 'ratio of times')
    print(tabulate(rows, heads, floatfmt='.1f'))
    print(f'Median of the ratios: {np.median(ratios):.1f}')
    if arguments.figure:
        draw(found, arguments.figure)


if __name__ == '__main__':
    main()
