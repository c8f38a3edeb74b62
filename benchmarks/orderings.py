"""Orderings of the disordered crystals of OBELiX: ``python benchmarks/orderings.py [FILE...]``.

For every disordered CIF with at most 200 sites in its cell, or atoms by its occupancies: whether it has five valid
orderings (no pair of atoms too close, no charge, the composition within 2 % of all atoms or the deviation told, all
different), and how long they take. The ordered structures alone are checked, by rules written here again. Resumes from
``--output``.
"""

import argparse
import itertools
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
from ase.data import covalent_radii
from common import SHARED
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.crystals.ordering.order import Ordering, order
from aiida_pesfp.errors import StructureError
from aiida_pesfp.settings.ordering import OrderingSettings

MOST_SITES = 200
ALKALI = {'Li', 'Na', 'K', 'Rb', 'Cs'}


def closest(structure: Structure, contacts: str) -> float:
    """The least distance between two atoms over the hard core of their elements."""
    radii = covalent_radii[list(structure.atomic_numbers)]
    first, second, _, distances = structure.get_neighbor_list(4.0)
    symbols = np.array([site.specie.symbol for site in structure])
    ions = (symbols[first] == symbols[second]) & np.isin(symbols[first], list(ALKALI)) & (contacts != 'closest')
    limits = np.maximum(0.5, np.where(ions, 0.75, 0.6) * (radii[first] + radii[second]))
    return float((distances / limits).min()) if len(distances) else np.inf


def fingerprint(structure: Structure) -> tuple:
    """Pairs of elements and their distances: structures with other ones are different."""
    first, second, _, distances = structure.get_neighbor_list(5.0)
    numbers = np.array(structure.atomic_numbers)
    pairs = Counter(zip(numbers[first].tolist(), numbers[second].tolist(), np.round(distances, 2).tolist()))
    return tuple(sorted(pairs.items()))


def number_of_different(structures: list[Structure]) -> int:
    """How many of some structures are different."""
    alike = StructureMatcher(primitive_cell=False, scale=False, ltol=0.01, stol=0.01, angle_tol=0.1).fit
    prints, kept = [fingerprint(one) for one in structures], []
    for index, one in enumerate(structures):
        if not any(prints[index] == prints[other] and alike(one, structures[other]) for other in kept):
            kept.append(index)
    return len(kept)


def objections(parent: Structure, orderings: list[Ordering], number: int) -> list[str]:
    """What is wrong with the orderings of one crystal."""
    found = []
    structures = [one.structure for one in orderings]
    if min(closest(one.structure, one.contacts['kind']) for one in orderings) < 1 - 1e-4:
        found.append('atoms are too close')
    states = orderings[0].oxidation_states
    if not states:
        found.append('oxidation states unknown')
    elif any(abs(sum(states[site.specie.symbol] for site in one)) > 0.499 for one in structures):
        found.append('charged')
    own = parent.composition.element_composition.fractional_composition
    deviations = [max(abs(one.composition.get_atomic_fraction(e) - own[e]) for e in own) for one in structures]
    if any(abs(one.composition_deviation - d) > 1e-3 for one, d in zip(orderings, deviations)):
        found.append('another deviation of the composition than told')
    if (different := number_of_different(structures)) < number:
        found.append(f'only {different} different')
    return found


def run(path: Path, parent: Structure, settings: OrderingSettings) -> dict:
    """Order one crystal, and check the orderings."""
    start = time.perf_counter()
    try:
        orderings = order(parent, settings)
    except StructureError as error:
        return {'seconds': time.perf_counter() - start, 'error': f'{type(error).__name__}: {error}'}
    seconds = time.perf_counter() - start
    first = orderings[0]
    return {
        'seconds': seconds,
        'error': '; '.join(objections(parent, orderings, settings.number)),
        'orderings': len(orderings),
        'atoms': len(first.structure),
        'deviation': first.composition_deviation,
        'contacts': first.contacts['kind'],
        'doubts': list(first.doubts),
    }


def main():
    """Order, check and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('files', nargs='*', type=Path)
    parser.add_argument('-n', '--number', type=int, default=5)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--choose', default='random')
    parser.add_argument('-o', '--output', type=Path, default=Path('orderings.json'))
    arguments = parser.parse_args()
    settings = OrderingSettings(number=arguments.number, seed=arguments.seed, choice=arguments.choose)
    done = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    for path in arguments.files or sorted((SHARED / 'obelix' / 'train_cifs').glob('*.cif')):
        if path.stem in done:
            continue
        for reading in itertools.islice(read_file(path), 1):
            parent = reading.structure
            if parent is None or parent.is_ordered:
                continue
            if min(len(parent), parent.composition.num_atoms) <= MOST_SITES:
                formula = parent.composition.element_composition.reduced_formula
                done[path.stem] = {'formula': formula} | run(path, parent, settings)
                arguments.output.write_text(json.dumps(done, indent=1))
    seconds = [one['seconds'] for one in done.values()]
    good = [one for one in done.values() if not one['error']]
    print(f'{len(good)} of {len(done)} ({100 * len(good) / len(done):.1f} %) have {arguments.number} valid orderings')
    print(f'time: median {np.median(seconds):.2f} s, longest {max(seconds):.1f} s')
    exact = sum(one['deviation'] <= settings.deviation for one in good)
    print(f'composition within {100 * settings.deviation:g} % of all atoms: {exact}; hard cores:', end=' ')
    print(', '.join(f'{kind} {n}' for kind, n in Counter(one['contacts'] for one in good).most_common()))
    rows = [(name, one['formula'][:40], one['error'][:150]) for name, one in done.items() if one['error']]
    print(tabulate(rows, ('CIF', 'formula', 'why not'), maxcolwidths=[None, 30, 80]))
    rows = [
        (name, one['formula'][:30], f'{100 * one["deviation"]:.1f} %', one['contacts'])
        for name, one in done.items()
        if not one['error'] and (one['deviation'] > settings.deviation or one['contacts'] == 'closest')
    ]
    print(tabulate(rows, ('CIF', 'formula', 'deviation', 'hard cores')))


if __name__ == '__main__':
    main()
