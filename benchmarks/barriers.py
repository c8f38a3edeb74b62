"""Barriers with a relaxed framework against published DFT barriers of the same hops, smallest cells first.

Run ``python benchmarks/barriers.py FILE.json --potential NAME --max-sites 60``: FILE.json is a list of hops with
``name``, ``ion``, ``lattice``, ``framework``, ``framework_elements``, the ``path`` of the ion, ``barrier_eV`` by DFT,
and what MACE gave (``mace_relaxed_eV``, ``mace_unrelaxed_eV``), such as those of the reference data. It resumes. Only
both ends of the given path are used. Before any barrier is computed, hops are left out whose geometry is odd.
``--mpe`` also scans the frozen crystal of each hop for this ion, adaptively on the grid of a screening.
"""

import argparse
import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from pymatgen.core import Lattice, Structure
from scipy.stats import spearmanr
from tabulate import tabulate

from aiida_pesfp import errors
from aiida_pesfp.barriers.forces import Forces
from aiida_pesfp.barriers.methods import METHODS
from aiida_pesfp.barriers.paths import path_of_hop
from aiida_pesfp.barriers.relaxation import Relaxer
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.fingerprint.scan import assemble, drain, evaluate
from aiida_pesfp.potentials.registry import load_potential
from aiida_pesfp.programs.checkpoint import write_json
from aiida_pesfp.settings.barrier import BarrierSettings
from aiida_pesfp.settings.scan import ScanSettings

#: The ion is at no site where it is nearer to an atom than this, nor passes nearer, in sums of covalent radii.
NEAREST_AT_END, NEAREST_ON_WAY = 0.8, 0.5
#: Candidates have lower barriers, eV.
THRESHOLD = 0.5


def why_not(hop: dict) -> str | None:
    """Why the geometry of a hop is odd."""
    lattice, path = Lattice(hop['lattice']), np.array(hop['path'])
    radii = covalent_radii[[atomic_numbers[one] for one in hop['framework_elements']]]
    nearest = lattice.get_all_distances(path, hop['framework']) / (radii + covalent_radii[atomic_numbers[hop['ion']]])
    if nearest[1:-1].min(initial=np.inf) < NEAREST_ON_WAY:
        return 'its straight path leads through an atom'
    if nearest[[0, -1]].min() < NEAREST_AT_END:
        return 'an end of its path is in contact with an atom'
    length = np.linalg.norm((path[-1] - path[0]) @ lattice.matrix)
    if length > lattice.get_all_distances(path[0], path[-1])[0, 0] + 0.1:
        return 'a nearer image of the end of its path is another hop'
    return None


def compute(hop: dict, potential, settings: BarrierSettings) -> dict:
    """The barrier of one hop, as JSON types."""
    lattice, ion, begun = Lattice(hop['lattice']), len(hop['framework']), time.monotonic()
    structure = Structure(lattice, [*hop['framework_elements'], hop['ion']], [*hop['framework'], hop['path'][0]])
    end, closest = lattice.get_cartesian_coords(hop['path'][-1]), ScanSettings().minimum_distance
    try:
        path = path_of_hop(potential.evaluator(structure), structure, ion, end, settings.path_spacing, closest)
        forces = Forces(potential.calculator(structure), together=potential.energies_and_forces)
        relaxer = Relaxer(path.atoms, ion, forces, settings, {})
        found = METHODS[settings.method](path, relaxer)
    except errors.PesfpError as error:
        return {'error': f'{type(error).__name__}: {error}'}
    values = {'forward': found.forward, 'reverse': found.reverse, 'frozen': found.frozen, 'flags': found.flags}
    return values | {'calls': forces.calls, 'seconds': time.monotonic() - begun, 'error': None}


def mpe_of(hop: dict, potential) -> float | None:
    """The minimal percolation energy of the ion of a hop through the frozen crystal, eV; None if it has none."""
    sites, ion = [*hop['framework'], hop['path'][0]], len(hop['framework'])
    structure = Structure(Lattice(hop['lattice']), [*hop['framework_elements'], hop['ion']], sites)
    try:
        plan = plan_scan(structure, hop['ion'], ScanSettings(adaptive=True, symmetry=False))
        of_ion = next(one for one in plan.ions if one.ion == ion)
        alone = replace(plan, ions=(of_ion,), mobile_ions=np.array([ion]), owners=np.array([0]))
        pieces = []
        surfaces, _ = drain(evaluate(alone, potential.evaluator(structure)), pieces.append)
        return describe(assemble(alone, surfaces, sum(map(len, pieces)))).values['mpe']
    except errors.PesfpError as error:
        print(f'no MPE: {hop["name"]}: {error}')
        return None


def statistics(name: str, expected: np.ndarray, found: np.ndarray) -> tuple:
    """A row of the table: all but the first are numbers, eV."""
    right = ((found < THRESHOLD) == (expected < THRESHOLD)).mean()
    slope = (expected @ found) / (expected @ expected)
    errors_ = np.abs(found - expected)
    return name, len(found), spearmanr(expected, found).statistic, np.median(errors_), 100 * right, slope


def tables(hops: list[dict], results: dict[str, dict], what: str) -> dict[str, list[tuple]]:
    """The table of all computed hops, and that of those without a flag."""
    found = {}
    for title, wanted in (('all', lambda one: True), ('without a flag', lambda one: not one['flags'])):
        rows = [hop for hop in hops if not results.get(hop['name'], {'error': ''})['error'] and hop['name'] in results]
        rows = [hop for hop in rows if wanted(results[hop['name']])]
        if len(rows) < 3:
            continue
        columns = {
            what: [results[hop['name']]['forward'] for hop in rows],
            f'{what}, frozen': [results[hop['name']]['frozen'] for hop in rows],
            'MPE': [results[hop['name']].get('mpe') for hop in rows],
            'MACE, relaxed': [hop['mace_relaxed_eV'] for hop in rows],
            'MACE, unrelaxed': [hop['mace_unrelaxed_eV'] for hop in rows],
        }
        expected = np.array([hop['barrier_eV'] for hop in rows])
        known = {name: np.array([value is not None for value in values]) for name, values in columns.items()}
        found[title] = [
            statistics(name, expected[known[name]], np.array(values)[known[name]].astype(float))
            for name, values in columns.items()
            if known[name].sum() > 2
        ]
    return found


def main():
    """Compute what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('hops', type=Path, metavar='FILE.json')
    parser.add_argument('--potential', default='sevennet-0')
    parser.add_argument('--method', choices=METHODS, default=BarrierSettings().method)
    parser.add_argument('--max-sites', type=int, default=60, help='most atoms of a cell')
    parser.add_argument('--minutes', type=float, help='no barrier is begun later')
    parser.add_argument('--mpe', action='store_true', help='scan the frozen crystals too')
    parser.add_argument('--json', action='store_true', help='print the tables as JSON')
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-barriers'))
    arguments = parser.parse_args()
    hops, begun = json.loads(arguments.hops.read_text()), time.monotonic()
    hops = [hop for hop in hops if len(hop['framework']) + 1 <= arguments.max_sites]
    odd = {hop['name']: reason for hop in hops if (reason := why_not(hop))}
    hops = sorted((hop for hop in hops if hop['name'] not in odd), key=lambda hop: len(hop['framework']))
    potential = load_potential(arguments.potential, device='auto')
    name, digest = potential.identity.name, potential.identity.sha256[:8]
    path = arguments.output / f'{arguments.hops.stem}-{name.replace(":", "-")}-{digest}-{arguments.method}.json'
    results = json.loads(path.read_text()) if path.exists() else {}
    for hop in hops:
        known = results.get(hop['name'])
        if known and not (arguments.mpe and 'mpe' not in known and not known['error']):
            continue
        if arguments.minutes is not None and time.monotonic() - begun > 60 * arguments.minutes:
            break
        known = known or compute(hop, potential, BarrierSettings(method=arguments.method))
        if arguments.mpe and not known['error']:
            known |= {'mpe': mpe_of(hop, potential)}
        results[hop['name']] = known
        write_json(path, results)
    found = tables(hops, results, f'{name}, {arguments.method}')
    computed = [results[hop['name']] for hop in hops if hop['name'] in results]
    flags = Counter(flag for one in computed for flag in one.get('flags', ()))
    if arguments.json:
        print(json.dumps({'left_out': odd, 'flags': flags, 'tables': found}, indent=1))
        return
    for hop, reason in odd.items():
        print(f'left out: {hop}: {reason}')
    for hop in hops:
        if results.get(hop['name'], {}).get('error'):
            print(f'failed: {hop["name"]}: {results[hop["name"]]["error"]}')
    rows = [
        (hop['name'], len(hop['framework']) + 1, hop['barrier_eV'], one['forward'], one['frozen'], one.get('mpe'),
         hop['mace_relaxed_eV'], one['calls'], one['calls'] / 1000, one['seconds'], ', '.join(one['flags']))
        for hop in hops if not (one := results.get(hop['name'], {'error': 'not yet'}))['error']
    ]  # fmt: skip
    heads = ('hop', 'atoms', 'DFT/eV', 'ours/eV', 'frozen/eV', 'MPE/eV', 'MACE/eV', 'calls', 'ps', 'seconds', 'flags')
    print(tabulate(rows, heads, floatfmt=('', '', *['.3f'] * 5, '', '.3f', '.0f', '')))
    headers = ('', 'number', 'Spearman', 'median error/eV', f'right side of {THRESHOLD:g} eV/%', 'slope')
    for title, rows in found.items():
        print(f'\n{title}\n{tabulate(rows, headers, floatfmt=("", "", ".2f", ".3f", ".0f", ".2f"))}')
    done = [one for one in computed if not one['error']]
    if done:
        calls, seconds = (np.median([one[what] for one in done]) for what in ('calls', 'seconds'))
        print(
            f'\nmedian of {calls:.0f} calls (steps of dynamics) and {seconds:.0f} s for a barrier; flags: {dict(flags)}'
        )


if __name__ == '__main__':
    main()
