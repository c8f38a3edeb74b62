"""Xi and MPE of five crystals, speed and agreement: ``python benchmarks/crystals.py --potential NAME...``.

Each potential scans the primitive cells of the crystals with the settings of the paper. *dE* is the largest difference
of our energies from those of the potential's own ASE calculator, at four places in each crystal.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from common import PAPER, REPOSITORY
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.crystals.canonical import canonical_cell
from aiida_pesfp.errors import PesfpError
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials import load_potential
from tests.helpers.potentials import by_calculator, random_places

CRYSTALS = ('Li2Te', 'LiI_wurtzite', 'Li3N', 'Li2O', 'LiCl')
POTENTIALS = (
    *(PAPER, 'sevennet-0', 'sevennet-0-2024-05-22', 'sevennet-l3i5', 'sevennet-mf-0:PBE', 'sevennet-mf-0:R2SCAN'),
    *('chgnet-0.3.0', 'chgnet-0.2.0', 'chgnet-r2scan'),
)


def measure(potential, other, structure) -> dict:
    """Xi, MPE (eV), time of a point (s), and largest difference from an ASE calculator (eV)."""
    evaluator, ion = potential.evaluator(structure), structure.indices_from_symbol('Li')[0]
    places = random_places(structure, ion, 4)
    found = evaluator.energies(ion, places)
    difference = np.abs(found - by_calculator(structure, ion, places, other.calculator(structure))).max()
    begun = time.process_time()  # of this process, whatever else the machine does
    surface = scan(structure, evaluator)
    seconds = (time.process_time() - begun) / surface.evaluations
    values = describe(surface).values
    return {'xi': values['xi'], 'mpe': values['mpe'], 'seconds': seconds, 'difference': float(difference)}


def main():
    """Measure what is missing, and print."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--potential', nargs='+', default=POTENTIALS)
    parser.add_argument('--calculator', help='of the package, as a YAML file: the default is that of the potential')
    parser.add_argument('--trust-weights', action='store_true')
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-crystals.json'))
    arguments = parser.parse_args()
    results = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    for name in arguments.potential:
        if name in results:
            continue
        try:
            potential = load_potential(name, trusted=arguments.trust_weights)
            other = load_potential(arguments.calculator) if arguments.calculator else potential
            results[name] = {}
            for crystal in CRYSTALS:
                structure = canonical_cell(
                    Structure.from_file(REPOSITORY / 'examples' / 'structures' / f'{crystal}.cif')
                )
                results[name][crystal] = measure(potential, other, structure)
        except PesfpError as error:
            print(f'{name}: {error}', file=sys.stderr)
            results.pop(name, None)
        arguments.output.write_text(json.dumps(results, indent=1))
    rows = [
        (
            Path(name).name,
            *(f'{of[crystal]["xi"]:.2f} ({of[crystal]["mpe"]:.2f})' for crystal in CRYSTALS),
            1e3 * np.median([one['seconds'] for one in of.values()]),
            max(one['difference'] for one in of.values()),
        )
        for name, of in results.items()
    ]
    print(f'Xi (MPE/eV); {torch.get_num_threads()} thread')
    print(tabulate(rows, ('potential', *CRYSTALS, 'CPU ms/point', 'dE/eV'), floatfmt=('',) * 6 + ('.1f', '.0e')))


if __name__ == '__main__':
    main()
