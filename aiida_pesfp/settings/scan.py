"""Settings of a scan (arXiv:2411.06804, Sec. II A)."""

from __future__ import annotations

from dataclasses import dataclass

GRIDS = ('paper', 'symmetric')


@dataclass(frozen=True)
class ScanSettings:
    """How finely, and how close to other atoms, the potential energy surface is scanned.

    :param spacing: largest distance between neighbouring grid points along a lattice vector, in A (Sec. II A: 0.25).
    :param minimum_distance: grid points closer than this to any other atom, in A, are not evaluated (Sec. II A: 1.2).
    :param grid: ``'paper'``, the fewest points along each lattice vector that keep the spacing (Sec. II A);
        ``'symmetric'``, some more where that makes more of them equivalent.
    :param symmetry: whether only inequivalent ions and grid points are evaluated. The result is the same.
    :param adaptive: None, to evaluate every point; or the threshold of Xi, eV, to evaluate only those on which Xi and
        MPE depend (see :mod:`aiida_pesfp.fingerprint.adaptive`).
    """

    spacing: float = 0.25
    minimum_distance: float = 1.2
    grid: str = 'paper'
    symmetry: bool = True
    adaptive: float | None = None

    def __post_init__(self):
        if not self.spacing > 0:
            raise ValueError(f'the grid spacing is {self.spacing} A: it must be positive (the paper takes 0.25)')
        if self.minimum_distance < 0:
            raise ValueError(f'the minimum distance is {self.minimum_distance} A: it must not be negative')
        if self.grid not in GRIDS:
            raise ValueError(f'the grid is {self.grid!r}: it must be one of {", ".join(GRIDS)}')
