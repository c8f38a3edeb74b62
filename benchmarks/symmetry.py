"""Evaluations that symmetry saves, without evaluating any: ``python benchmarks/symmetry.py [FOLDER...]``.

For every structure of the folders, of all reference structures if none is given: the evaluations of a scan of every ion
on the whole grid over those of the irreducible ions and points, on the paper's grid and on the symmetric one.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from common import SHARED
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.settings.scan import ScanSettings

SYMMETRIC = ScanSettings(grid='symmetric')


def evaluations(structure: Structure) -> tuple[int, int, int]:
    """Of every point of every ion, of the irreducible ones, and of those of the symmetric grid."""
    every = plan_scan(structure, settings=ScanSettings(symmetry=False))
    return every.evaluations, plan_scan(structure).evaluations, plan_scan(structure, settings=SYMMETRIC).evaluations


def main():
    """Count and print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folders', nargs='*', type=Path, default=[SHARED / 'structures'])
    arguments = parser.parse_args()
    seen, counts = set(), []
    for path in sorted(path for folder in arguments.folders for path in folder.rglob('*.cif')):
        if path.name in seen:
            continue
        seen.add(path.name)
        try:
            counts.append(evaluations(Structure.from_file(path)))
        except StructureError as error:
            print(f'{path.stem}: {error}')
    every, irreducible, symmetric = np.array(counts, dtype=float).T
    rows = [
        (name, every.sum() / found.sum(), np.exp(np.mean(np.log(every / found))))
        for name, found in (('paper', irreducible), ('symmetric', symmetric))
    ]
    print(f'{len(counts)} structures, {every.sum():.0f} evaluations without symmetry')
    print(tabulate(rows, ('grid', 'saved, of all evaluations', 'saved, geometric mean'), floatfmt=('', '.1f', '.1f')))


if __name__ == '__main__':
    main()
