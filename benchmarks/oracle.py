"""Our scans against those of an independent implementation: ``python benchmarks/oracle.py``.

Both with the paper's potential. For each structure of the reference data: the largest difference of an energy on any
grid, those of MPE and Xi, and the largest of a free volume, relative and in points of the grid that it is counted on.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from common import SHARED, WEIGHTS
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials import load_potential


def compare(path: Path, potential) -> tuple:
    """A row of the table.

    :param path: CIF of the structure, beside which lie the grids (.npz) and descriptors (.json) to compare with.
    """
    structure = Structure.from_file(path)
    surface = scan(structure, potential.evaluator(structure))
    found, expected = describe(surface), json.loads(path.with_suffix('.json').read_text())['exact']
    differences = []
    with np.load(path.with_suffix('.npz')) as grids:
        for position, ion in enumerate(surface.mobile_ions):
            reference = surface.reference_energies[surface.representatives[position]]
            grid, ours = grids[f'site{ion}'], surface.on_grid(position) + reference
            # Points that are excluded hold the largest energy there.
            differences.append(np.abs(np.where(np.isnan(ours), grid.max(), ours) - grid).max())
    # Connected volumes are counted on the level map, which has twice the points along each axis.
    points, relative, counted = np.prod(surface.shape), [], []
    for threshold, *volumes in zip(*found.spectrum.values()):
        for kind, volume, size in zip(('connected', 'disconnected'), volumes, (8 * points, points)):
            other = expected[f'fv_{threshold:.1f}_{kind}_union'.replace('.', 'p')]
            relative.append(abs(volume - other) / other if other else (np.inf if volume else 0.0))
            counted.append(abs(volume - other) * size)
    return (
        path.stem,
        structure.composition.reduced_formula,
        surface.evaluations,
        max(differences) * 1000,
        (found.mpe - expected['mpe']) * 1000,
        found.xi,
        found.xi - expected['Xi'],
        max(relative),
        max(counted),
    )


def main():
    """Scan and print."""
    warnings.simplefilter('ignore')
    argparse.ArgumentParser(description=__doc__).parse_args()
    potential = load_potential(str(WEIGHTS))
    rows = [compare(path, potential) for path in sorted((SHARED / 'oracle').glob('*.cif'))]
    headers = ('structure', 'formula', 'evaluations', 'dE/meV', 'dMPE/meV', 'Xi', 'dXi', 'dFV/FV', 'dFV/points')
    print(tabulate(rows, headers, floatfmt=('', '', '', '.3f', '+.3f', '.4f', '+.5f', '.1e', '.2f')))


if __name__ == '__main__':
    main()
