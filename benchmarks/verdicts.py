"""How often an early verdict is wrong: ``python benchmarks/verdicts.py [-n 10000] [-o FILE]``.

Scans random crystals with random potentials (``tests/helpers/synthetic.py``) to the end and with ``stop_below``, and
counts verdicts against structures whose Xi is not below the limit. Resumable: seeds in the file are not computed again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from common import REPOSITORY  # noqa: F401  (finds tests.helpers)
from scipy.stats import beta

from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers.synthetic import RandomPotential, random_crystal

_LIMIT, _SPACING = 0.25, 0.35


def verdict(seed: int) -> dict:
    """Exact Xi, and what a scan with an early verdict found; empty if the crystal cannot be scanned."""
    random = np.random.default_rng(seed)
    crystal, scale = random_crystal(random), float(np.exp(random.uniform(np.log(0.8), np.log(8))))
    potential = RandomPotential(crystal, random, scale)
    try:
        full = scan(crystal, potential, settings=ScanSettings(spacing=_SPACING))
        early = scan(crystal, potential, settings=ScanSettings(spacing=_SPACING, stop_below=_LIMIT))
    except StructureError:
        return {}
    exact, found = describe(full), describe(early)
    return {
        'xi': exact.xi, 'found': found.xi, 'xi_upper': found.xi_upper, 'stopped': early.stopped_early,
        'points': full.evaluations, 'evaluated': early.evaluations,
    }  # fmt: skip


def main():
    """Scan and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--first', type=int, default=0, help='first seed')
    parser.add_argument('-n', '--number', type=int, default=10000)
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-verdicts.jsonl'))
    arguments = parser.parse_args()
    done = {}
    if arguments.output.exists():
        done = {one['seed']: one for one in map(json.loads, arguments.output.read_text().splitlines())}
    with open(arguments.output, 'a') as stream:
        for seed in range(arguments.first, arguments.first + arguments.number):
            if seed not in done:
                done[seed] = {'seed': seed} | verdict(seed)
                print(json.dumps(done[seed]), file=stream, flush=True)
    scanned = [one for one in done.values() if 'xi' in one]
    stopped = [one for one in scanned if one['stopped']]
    negative = sum(one['xi'] < _LIMIT for one in scanned)
    wrong = [one for one in stopped if one['xi'] >= _LIMIT]
    above = sum(one['xi'] > one['xi_upper'] for one in stopped)
    highest = beta.ppf(0.95, len(wrong) + 1, len(scanned) - len(wrong))
    print(f'{len(scanned)} crystals, {negative} with Xi below {_LIMIT}; {len(stopped)} scans stopped early')
    share = f'{len(wrong) / len(scanned):.2%} of all, at most {highest:.2%} with 95 % (Clopper-Pearson)'
    print(f'wrong verdicts: {len(wrong)}, {share}')
    print(f'Xi above its bound: {above} of {len(stopped)}')
    used, points = (sum(one[name] for one in stopped) for name in ('evaluated', 'points'))
    print(f'points evaluated of those that stopped: {used / max(points, 1):.1%}')
    for one in wrong[:20]:
        print(one)


if __name__ == '__main__':
    main()
