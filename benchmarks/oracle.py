"""Our scans against those of an independent implementation: ``python benchmarks/oracle.py``.

Both with the paper's potential. For each crystal of ``tests/data/oracle``: the largest difference of an energy on any
grid, those of MPE and Xi, and the largest of a free volume, relative and in points of the grid that it is counted on.
"""

import argparse
import warnings

import numpy as np
from common import PAPER
from tabulate import tabulate

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials import load_potential
from tests.helpers.reference import CRYSTALS, Oracle


def compare(name: str, potential) -> tuple:
    """A row of the table."""
    oracle = Oracle.read(name)
    surface = scan(oracle.structure, potential.evaluator(oracle.structure))
    found, expected = describe(surface), oracle.descriptors
    differences = []
    for position, ion in enumerate(surface.mobile_ions):
        reference = surface.reference_energies[surface.representatives[position]]
        grid, ours = oracle.grids[ion], surface.on_grid(position) + reference
        # The independent implementation gave excluded points the largest energy.
        differences.append(np.abs(np.where(np.isnan(ours), grid.max(), ours) - grid).max())
    # Connected volumes are counted on the level map, which has twice the points along each axis.
    points, relative, counted = np.prod(surface.shape), [], []
    for kind, size in (('connected', 8 * points), ('disconnected', points)):
        ours, theirs = np.array(found.spectrum[kind]), np.array(expected[kind])
        with np.errstate(divide='ignore', invalid='ignore'):
            relative.append(np.nan_to_num(np.abs(ours - theirs) / theirs, nan=0.0).max())
        counted.append(np.abs(ours - theirs).max() * size)
    return (
        name,
        surface.evaluations,
        max(differences) * 1000,
        (found.mpe - expected['mpe']) * 1000,
        found.xi,
        found.xi - expected['xi'],
        max(relative),
        max(counted),
    )


def main():
    """Scan and print."""
    warnings.simplefilter('ignore')
    argparse.ArgumentParser(description=__doc__).parse_args()
    potential = load_potential(PAPER)
    rows = [compare(name, potential) for name in CRYSTALS]
    headers = ('structure', 'evaluations', 'dE/meV', 'dMPE/meV', 'Xi', 'dXi', 'dFV/FV', 'dFV/points')
    print(tabulate(rows, headers, floatfmt=('', '', '.3f', '+.3f', '.4f', '+.5f', '.1e', '.2f')))


if __name__ == '__main__':
    main()
