"""How much room merge trees take beside their grids, and whether they give the same descriptors.

Run ``python benchmarks/merge_trees.py FOLDER`` on what ``pesfp-scan -o FOLDER`` left: bytes of ``pes.npz``, and of the
tree up to each of some energies; in how many of a hundred random choices of thresholds and smearing all descriptors of
the highest tree are those of the grid to the last digit; and the time to make that tree.
"""

import argparse
import io
import time
from pathlib import Path

import numpy as np
from tabulate import tabulate

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.merge_tree import MergeTree
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters
from aiida_pesfp.settings.keep import KeepSettings

#: Energies up to which trees are made, eV: the default of ``--tree-limit``, and lower ones.
LIMITS = (KeepSettings().limit(DescriptorSettings()), 2.0, 1.0)
CHOICES = 100


def random_settings(random: np.random.Generator, highest: float) -> DescriptorSettings:
    """Thresholds and smearing below an energy, eV."""
    smearing = tuple(random.uniform(-0.1, 0.1, 3).tolist())
    thresholds = random.uniform(0, highest - 0.1, 6).tolist()
    return DescriptorSettings(
        thresholds=tuple(thresholds[1:]), smearing=smearing, xi=XiParameters(threshold=thresholds[0])
    )


def size(tree: MergeTree) -> int:
    """Bytes of its file."""
    content = io.BytesIO()
    tree.save(content)
    return len(content.getvalue())


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    rows, random = [], np.random.default_rng(0)
    for path in sorted(parser.parse_args().folder.glob('*/pes.npz')):
        surface = PotentialEnergySurface.load(path)
        MergeTree.of(surface, LIMITS[0])  # compiles
        start = time.monotonic()
        trees = [MergeTree.of(surface, LIMITS[0])]
        seconds = time.monotonic() - start
        trees += [MergeTree.of(surface, limit) for limit in LIMITS[1:]]
        chosen = [random_settings(random, LIMITS[0]) for _ in range(CHOICES)]
        same = sum(describe(trees[0], one).as_dict() == describe(surface, one).as_dict() for one in chosen)
        grid = 'x'.join(map(str, surface.shape))
        row = path.parent.name, len(surface.atomic_numbers), len(surface.scanned_ions), grid, path.stat().st_size
        rows.append((*row, *map(size, trees), len(trees[0].basins), f'{same}/{CHOICES}', seconds))
    limits = (f'to {limit:g} eV' for limit in LIMITS)
    heads = ('structure', 'atoms', 'scanned', 'grid', 'pes.npz', *limits, 'minima', 'the same', 'seconds')
    print(tabulate(rows, heads, floatfmt='.2f'))


if __name__ == '__main__':
    main()
