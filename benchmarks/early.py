"""Early verdicts on structures of the paper's list: ``python benchmarks/early.py [-o FOLDER] [--minutes 60]``.

Scans the sample of the 1,302 structures with the paper's potential, those with few points first, adaptively and with
``--stop-below``, then adaptively to the end. Resumable: what lies in the output folder is not computed again. Says how
far it came, what was saved, whether a structure with Xi above the limit was lost, and how the order agrees with the
published ranks.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import PAPER, REPOSITORY, SHARED
from pymatgen.core import Structure
from scipy.stats import spearmanr
from tabulate import tabulate

from aiida_pesfp.fingerprint.plan import plan_scan

_FOLDER = SHARED / 'structures' / 'list1302_sample'
_LIST = 1302


def published() -> dict[str, int]:
    """Rank among the 1,302 structures by identifier."""
    with open(SHARED / 'labels' / 'list1302_sample.csv') as lines:
        return {row['mp_id']: int(row['rank_in_1302']) for row in csv.DictReader(lines)}


def by_size(names: list[str], output: Path) -> dict[str, int]:
    """Irreducible points of each structure at 0.25 A, the fewest first."""
    path = output / 'points.json'
    if not path.exists():
        output.mkdir(parents=True, exist_ok=True)
        counts = {name: plan_scan(Structure.from_file(_FOLDER / f'{name}.cif')).evaluations for name in names}
        path.write_text(json.dumps(counts))
    return dict(sorted(json.loads(path.read_text()).items(), key=lambda item: item[1]))


def scan(name: str, output: Path, seconds: float, *options: str) -> dict | None:
    """The summary of one structure; None if it is not done after so many seconds."""
    stored = output / f'{name}.json'
    if stored.exists():
        return json.loads(stored.read_text())
    if seconds <= 0:
        return None
    command = [sys.executable, '-m', 'aiida_pesfp.programs.scan', str(_FOLDER / f'{name}.cif'), '--potential', PAPER]
    command += ['--cell', 'as_given', '-o', str(output), '--json', '--quiet', *options]
    try:
        run = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=REPOSITORY, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return None
    [found] = json.loads(run.stdout)
    stored.write_text(json.dumps(found))
    return found


def main():
    """Scan, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-early'))
    parser.add_argument('--minutes', type=float, default=60, help='no scan runs longer')
    parser.add_argument('--stop-below', type=float, default=0.25)
    arguments = parser.parse_args()
    ranks, end = published(), time.monotonic() + 60 * arguments.minutes
    counts, output, limit = (
        by_size(list(ranks), arguments.output.absolute()),
        arguments.output.absolute(),
        arguments.stop_below,
    )
    early, exact = {}, {}
    for found, folder, options in (
        (early, f'stop-below-{limit:g}', [f'--stop-below={limit}']),
        (exact, 'adaptive', []),
    ):
        for name in counts:
            one = scan(name, output / folder, end - time.monotonic(), '--adaptive', *options)
            if one is not None and one['error']:
                print(one['error'])
            elif one is not None:
                found[name] = one
    stopped = [name for name, one in early.items() if one['xi_upper'] > one['xi']]
    both = [name for name in counts if name in early and name in exact]
    rows = [
        (
            name,
            early[name]['formula'],
            ranks[name],
            counts[name],
            early[name]['evaluations'],
            exact[name]['evaluations'] if name in exact else None,
            early[name]['xi'],
            early[name]['xi_upper'] if name in stopped else None,
            exact[name]['xi'] if name in exact else None,
        )
        for name in sorted(early, key=ranks.get)
    ]
    heads = ('structure', 'formula', 'rank', 'points', 'evaluated', 'adaptive', 'Xi', 'Xi <=', 'exact Xi')
    print(tabulate(rows, heads, floatfmt=('', '', '', '', '', '', '.4f', '.4f', '.4f')))
    used = sum(early[name]['evaluations'] for name in both)
    needed = sum(exact[name]['evaluations'] for name in both)
    lost = [name for name in both if name in stopped and exact[name]['xi'] >= limit]
    seconds = sum(one['seconds'] for one in early.values())
    share = sum(counts[name] for name in early) / sum(counts.values())
    print(f'\n{len(early)} of {len(counts)} structures, {share:.0%} of their points; {len(stopped)} stopped early')
    print(f'of the {len(both)} that were scanned to the end: {needed} evaluations, {needed / max(1, used):.1f} times '
          f'the {used} with early verdicts; lost: {", ".join(lost) or "none"}')  # fmt: skip
    hours = seconds / 3600 / share * _LIST / len(counts)
    print(f'{seconds:.0f} s; for {_LIST} structures in proportion {hours:.1f} h')
    values = [early[name]['xi'] for name in early]
    agreement = spearmanr(values, [-ranks[name] for name in early]).statistic
    print(f'Spearman coefficient of Xi with the published order: {agreement:.3f}')
    order = sorted((name for name in early if name not in stopped), key=lambda name: -early[name]['xi'])
    words = {name: f'{name} {one["formula"]} ({one["xi"]:.4f})' for name, one in early.items()}
    swapped = [
        f'{words[one]} above {words[other]}'
        for i, one in enumerate(order)
        for other in order[i + 1 :]
        if ranks[one] > ranks[other] and early[one]['xi'] > limit
    ]
    print('pairs of another order than published: ' + ('; '.join(swapped) or 'none'))
    assert np.isfinite(values).all()


if __name__ == '__main__':
    main()
