"""The merge tree of a surface: what is kept of it where there is no room for the grid.

It has two parts. The *basins* of each scanned ion are the tree itself: the minima of the periodic surface, the saddles
at which their regions merge as the energy rises, and the energies at which these percolate (see
:class:`~aiida_pesfp.fingerprint.percolation.Regions`). The *distributions* say how often each energy and level occurs,
for each ion and for all together, without the places. From these all descriptors follow exactly, at any threshold below
a limit (:func:`~aiida_pesfp.fingerprint.descriptors.describe`). Barriers are kept however high they are.
"""

import io
import lzma
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, Self

import numpy as np

from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import DEGENERACY, neighbour_steps
from aiida_pesfp.fingerprint.maps import landscapes
from aiida_pesfp.fingerprint.percolation import regions
from aiida_pesfp.fingerprint.quantities import Distribution, Landscape
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface, ScannedIons
from aiida_pesfp.settings.descriptors import DescriptorSettings

#: One basin. Energies in eV, places as grid indices. ``ion`` is a position in ``scanned_ions``, ``parent`` the row of
#: the basin into which it merges. The lowest basin of an ion does not: it is its own parent, with an infinite saddle at
#: (-1, -1, -1). ``barriers``: where what holds the minimum percolates in one, two and three dimensions.
BASIN = np.dtype(
    [
        ('ion', np.int32),
        ('minimum', np.int32, 3),
        ('energy', np.float32),
        ('saddle', np.int32, 3),
        ('saddle_energy', np.float32),
        ('parent', np.int32),
        ('barriers', np.float32, 3),
    ]
)
#: The maps of a landscape.
_MAPS = ('energies', 'levels', 'periodic')


@dataclass(frozen=True, kw_only=True)
class MergeTree(ScannedIons):
    """The merge trees of the scanned ions of a structure, and the distributions of energies and levels.

    :param shape: (3,) number of grid points along each lattice vector.
    :param neighbours: rule of :func:`~aiida_pesfp.fingerprint.levels.neighbour_steps` for all that is in the tree.
    :param limit: free volumes are known up to this energy, eV.
    :param basins: (n,) of the type :data:`BASIN`, with a minimum below the limit. A basin that is not deeper than
        :data:`~aiida_pesfp.fingerprint.levels.DEGENERACY` is noise, and left out, but for the lowest.
    :param barriers: (m, 4) of each mobile ion: MPE, and where it percolates in one, two and three dimensions, eV.
    :param joint: barrier at which ions that follow each other percolate, eV.
    :param values: (v,) float32, for one scanned ion after the other the energies below the limit, distinct, ascending;
        ``sizes`` (n_scanned,) says how many each has.
    :param rows: (m, 3) for each mobile ion, the rows of its energies, levels and periodic levels in ``counts``.
    :param counts: (c,) row after row, how often each value of the ion that was scanned for a mobile ion occurs.
    :param union: (3, v) the same for all ions together. What several ions have counts with the first.
    """

    FILE: ClassVar[str] = 'tree.npz'

    shape: np.ndarray
    neighbours: str
    limit: float
    basins: np.ndarray
    barriers: np.ndarray
    joint: float
    values: np.ndarray
    sizes: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    union: np.ndarray

    @classmethod
    def of(cls, surface: PotentialEnergySurface, limit: float, neighbours: str = 'sqrt3') -> Self:
        """The merge tree of a surface.

        :param limit: highest threshold of free volumes, with its smearing, eV.
        """
        found = landscapes(surface, neighbours, limit)
        tables, rows, numbers, barriers = {}, {}, [], []
        for owner, own in zip(surface.representatives.tolist(), found):
            maps = [Distribution.of(getattr(own, name), limit) for name in _MAPS]
            table = tables.setdefault(owner, maps[0].values)
            # Ions with the same counts share a row.
            keys = [(owner, _counts(one, table).tobytes()) for one in maps]
            numbers.append([rows.setdefault(key, len(rows)) for key in keys])
            barriers.append([own.mpe, *own.barriers])
        every = next(found)
        tables = [tables[owner] for owner in range(len(surface.scanned_ions))]
        values = np.concatenate(tables)
        return cls(
            **vars(surface.ions()),
            shape=np.array(surface.shape),
            neighbours=neighbours,
            limit=float(limit),
            basins=_basins(surface, limit, neighbours),
            barriers=np.array(barriers),
            joint=every.joint,
            values=values,
            sizes=np.array([len(table) for table in tables]),
            rows=np.array(numbers),
            counts=np.concatenate([np.frombuffer(counts, dtype=np.int64) for _, counts in rows]),
            union=np.array([_counts(Distribution.of(getattr(every, name), limit), values) for name in _MAPS]),
        )

    def serves(self, settings: DescriptorSettings) -> bool:
        """Whether descriptors of these settings follow from it."""
        return self.neighbours == settings.neighbours and settings.highest <= self.limit

    def landscapes(self, neighbours: str, highest: float) -> Iterator[Landscape]:
        """As :func:`~aiida_pesfp.fingerprint.maps.landscapes`, with distributions in place of maps.

        :raises ValueError: if ``highest`` (eV) is above the limit, or for another neighbour rule.
        """
        if neighbours != self.neighbours:
            made = f'the merge tree was made with the neighbour rule {self.neighbours!r}, not {neighbours!r}'
            raise ValueError(f'{made}: describe the surface itself')
        if highest > self.limit:
            reach = f'the merge tree has free volumes up to {self.limit:g} eV, and {highest:g} eV are asked for'
            raise ValueError(f'{reach}: describe the surface itself, or lower the thresholds')
        ends = np.cumsum(self.sizes)
        lengths = np.zeros(self.rows.max() + 1, dtype=int)
        lengths[self.rows] = self.sizes[self.representatives][:, None]
        counts = np.split(self.counts, np.cumsum(lengths)[:-1])
        for owner, rows, (mpe, *barriers) in zip(self.representatives, self.rows, self.barriers.tolist()):
            values = self.values[ends[owner] - self.sizes[owner] : ends[owner]]
            yield Landscape(*self._maps(values, [counts[row] for row in rows]), mpe, barriers=tuple(barriers))
        order = np.argsort(self.values, kind='stable')
        maps = self._maps(self.values[order], self.union[:, order])
        yield Landscape(*maps, joint=self.joint, xi_upper=self.xi_upper)

    def _maps(self, values: np.ndarray, counts) -> list[Distribution]:
        points = int(np.prod(self.shape))
        sizes = points, 8 * points, points  # levels are those of the doubled cell
        return [Distribution(values, own, size, self.limit) for own, size in zip(counts, sizes)]

    def barrier_between(self, one: int, other: int) -> float:
        """Lowest energy (eV) at which the minima of two rows of :attr:`basins` are in one region.

        :raises ValueError: if they are of two ions.
        """
        if len({int(ion) for ion in self.basins['ion'][[one, other]]}) > 1:
            raise ValueError(f'basins {one} and {other} are of two ions, each of which moves alone')
        highest = float(self.basins['energy'][[one, other]].max())
        while one != other:  # the later of two merges first
            one, other = sorted((one, other))
            highest = max(highest, float(self.basins['saddle_energy'][other]))
            other = int(self.basins['parent'][other])
        return highest

    def save(self, path: str | Path | IO[bytes]) -> None:
        """Write as .npz, in as few bytes as possible: its only array is another .npz, compressed by LZMA."""
        counts = {name: getattr(self, name) for name in ('counts', 'union')}
        small = {name: array.astype(np.min_scalar_type(array.max(initial=0))) for name, array in counts.items()}
        inner = io.BytesIO()
        np.savez(inner, **self.as_arrays() | small | {'values': _packed(self.values)})
        np.savez(path, merge_tree=np.frombuffer(lzma.compress(inner.getvalue()), dtype=np.uint8))

    @classmethod
    def load(cls, path: str | Path | IO[bytes]) -> Self:
        """Read what :meth:`save` wrote.

        :raises ValueError: if it is something else, or damaged.
        """
        try:
            with np.load(path) as outer, np.load(io.BytesIO(lzma.decompress(outer['merge_tree'].tobytes()))) as inner:
                return cls.from_arrays(dict(inner) | {'values': _unpacked(inner['values'])})
        except (KeyError, EOFError, zipfile.BadZipFile, lzma.LZMAError) as error:
            what = path if isinstance(path, (str, Path)) else 'this'
            raise ValueError(f'{what} holds no merge tree: {error}') from error


#: What there is of a surface, by what is kept of it: a value of ``KeepSettings.keep``.
KEPT = {'full': PotentialEnergySurface, 'merge-tree': MergeTree, 'descriptors': ScannedIons}


def _counts(distribution: Distribution, values: np.ndarray) -> np.ndarray:
    """(v,) how often each of some values occurs in a distribution; of equal ones, the first has the count."""
    distinct, first = np.unique(values, return_index=True)
    counts = np.zeros(len(values), dtype=np.int64)
    counts[first[np.searchsorted(distinct, distribution.values)]] = distribution.counts
    return counts


def _basins(surface: PotentialEnergySurface, limit: float, neighbours: str) -> np.ndarray:
    """(n,) the basins of all scanned ions, of the type :data:`BASIN`."""
    steps, tables, number = neighbour_steps(grid_vectors(surface.lattice, surface.shape), neighbours), [], 0
    for position, ion in enumerate(surface.scanned_ions):
        energies = surface.of_ion(surface.position_of(ion))
        found, flat = regions(energies, steps), energies.ravel()
        heights = np.where(found.saddles < 0, np.inf, flat[found.saddles])
        depths = heights.astype(np.float64) - flat[found.minima]
        # A basin is neither deeper nor lower than that into which it merges, so the kept ones are a tree.
        kept = np.flatnonzero((depths > DEGENERACY) & (flat[found.minima] < np.float64(limit)) | (found.saddles < 0))
        table = np.zeros(len(kept), dtype=BASIN)
        table['ion'] = position
        table['minimum'] = np.stack(np.unravel_index(found.minima[kept], surface.shape), axis=-1)
        table['energy'] = flat[found.minima[kept]]
        table['saddle'] = np.stack(np.unravel_index(np.maximum(found.saddles[kept], 0), surface.shape), axis=-1)
        table['saddle'][found.saddles[kept] < 0] = -1
        table['saddle_energy'] = heights[kept]
        table['parent'] = number + np.searchsorted(kept, found.parents[kept])
        table['barriers'] = flat[found.ways[kept]]
        tables.append(table)
        number += len(kept)
    return np.concatenate(tables)


def _packed(values: np.ndarray) -> np.ndarray:
    """(4, v) bytes of the steps between float32, which are small where these ascend, so that they compress."""
    bits = values.view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))  # as integers, in the order of the numbers
    return np.diff(ordered, prepend=np.uint32(0)).astype('<u4').view(np.uint8).reshape(-1, 4).T


def _unpacked(packed: np.ndarray) -> np.ndarray:
    """(v,) float32 from :func:`_packed`."""
    ordered = np.cumsum(np.ascontiguousarray(packed.T).view('<u4').ravel(), dtype=np.uint32)
    return np.where(ordered >> 31, ordered & np.uint32((1 << 31) - 1), ~ordered).view(np.float32)
