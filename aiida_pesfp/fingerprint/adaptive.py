"""A scan that evaluates only points on which the result depends, and interpolates the others.

Xi depends on where the energy is below its threshold, MPE on the highest points of the easiest path. So, for each ion:

1. One point in thirteen is evaluated, on a lattice of points.
2. The surface is interpolated. Points that may lie on either side of a threshold of Xi's free volumes, or below the
   lowest point so far, are evaluated, the most uncertain first, until the allowed share of points is used.
3. The easiest path is found on a surface with the lowest plausible interpolated energies, and its highest points are
   evaluated, until the path no longer changes.

The rest is interpolated. Free volumes at other thresholds than Xi's are less accurate than Xi and MPE: within some
hundredths of a decade (docs/measured.md).
"""

from collections.abc import Callable, Generator

import numpy as np

from aiida_pesfp.fingerprint.grid import fractional_points, grid_vectors
from aiida_pesfp.fingerprint.interpolation import Kriging, PairModel
from aiida_pesfp.fingerprint.levels import easiest_path, neighbour_steps

#: Increase it if the points or their order change: a scan resumes only with the version that began it.
ADAPTIVE_VERSION = 2
#: Largest share of the points that step 2 leaves evaluated; step 3 adds little.
SHARE = 0.18
#: Ions with fewer points are scanned in full.
FEWEST_POINTS = 600
_ROUNDS, _PATHS = 10, 60
#: A path may be lower than predicted by this factor times the typical error along earlier paths.
_OPTIMISM = 2.0
#: Points of the first step: i + 3 j + 9 k is a multiple of 13. They are evenly spread and in no plane of the grid.
_FIRST = (1, 3, 9), 13
#: Xi's free volumes are averaged over its threshold +- this, eV.
_SMEARING = 0.04
#: Only pair terms predict energies that are further above the lowest than this, eV.
_RELEVANT = 2.5
_NOISE_FLOOR = 0.01

Energies = Generator[np.ndarray, None, np.ndarray]


class AdaptiveIon:
    """The surface of one ion, of which some points are known. ``threshold`` is Xi's, eV."""

    def __init__(self, plan, of_ion, threshold: float):
        self.shape, self.points, self.threshold = plan.shape, of_ion.points, threshold
        self.lattice = np.array(plan.structure.lattice.matrix)
        self.fractional = fractional_points(of_ion.points, plan.shape)
        self.model = PairModel(plan.structure, of_ion.ion, self.fractional @ self.lattice)
        self.steps = neighbour_steps(grid_vectors(self.lattice, plan.shape))
        # Position in `points` of the representative of each grid point; -1 if it is excluded.
        position = np.full(len(of_ion.representatives), -1)
        position[of_ion.points] = np.arange(len(of_ion.points))
        self.owners = position[of_ion.representatives]
        self.known = np.full(len(of_ion.points), np.nan)
        self.doubt, self.relevant = 0.1, _RELEVANT
        self.errors_of_paths = np.empty(0)

    @property
    def evaluated(self) -> np.ndarray:
        """(n,) whether each point has been evaluated."""
        return ~np.isnan(self.known)

    def first_points(self) -> np.ndarray:
        """Positions in ``points`` of the first points to evaluate."""
        factors, modulus = _FIRST
        indices = np.stack(np.unravel_index(self.points, self.shape))
        chosen = np.flatnonzero(np.array(factors) @ indices % modulus == 0)
        few = len(self.points) // 40 + 1  # in case a small asymmetric unit misses the lattice of points
        return np.union1d(chosen, np.arange(0, len(self.points), few))

    def interpolate(self) -> None:
        """Fit the model and predict every point."""
        where = np.flatnonzero(self.evaluated)
        self.base = self.model.fit(where, self.known[where])
        self.lowest = self.known[where].min()
        self.predicted = self.base.copy()
        self.predicted[where] = self.known[where]
        self.open = np.flatnonzero(~self.evaluated & (self.base < self.lowest + self.relevant))
        self.refine(self.open)

    def refine(self, positions: np.ndarray) -> None:
        """Predict some points again from the present model and all known energies."""
        useful = self.evaluated & (
            np.minimum(self.base, np.nan_to_num(self.known, nan=np.inf)) < self.lowest + self.relevant
        )
        everywhere = np.flatnonzero(self.owners >= 0)
        everywhere = everywhere[useful[self.owners[everywhere]]]
        if len(positions) and len(everywhere) > 40:
            remainder = (self.known - self.base)[self.owners[everywhere]]
            kriging = Kriging(self.lattice, fractional_points(everywhere, self.shape), remainder)
            self.predicted[positions] = self.base[positions] + kriging(self.fractional[positions])

    def learn(self, positions: np.ndarray, energies: np.ndarray) -> None:
        """Store evaluated energies (eV) and estimate the error of predictions from them."""
        if np.isnan(self.known).all():
            self.known[positions] = energies
            return
        error = self.predicted[positions] - energies
        self.doubt = max(_NOISE_FLOOR, float(np.sqrt(np.mean(error**2))))
        self.known[positions] = self.predicted[positions] = energies
        self.lowest = min(self.lowest, float(energies.min()))
        self.open = self.open[np.isnan(self.known[self.open])]

    def doubtful_points(self, rounds_left: int) -> np.ndarray:
        """Positions of the most useful points to evaluate in this round."""
        energies = self.predicted[self.open] - self.lowest
        away = np.maximum(0, np.abs(energies - self.threshold) - _SMEARING)
        left = int(SHARE * len(self.points)) - int(self.evaluated.sum())
        if left <= 0:
            return np.empty(0, dtype=int)
        low = np.flatnonzero(energies < max(0.01, self.doubt))
        low = low[np.argsort(energies[low], kind='stable')][: max(20, left // 4)]
        either = np.flatnonzero(away < 1.5 * self.doubt)
        either = either[np.argsort(away[either], kind='stable')][: max(10, -(-left // max(1, rounds_left)))]
        return self.open[np.union1d(low, either)]

    def learn_path(self, positions: np.ndarray, energies: np.ndarray) -> None:
        """As :meth:`learn`, for the few points of a path: errors of all paths so far give the error of predictions."""
        self.errors_of_paths = np.append(self.errors_of_paths, self.predicted[positions] - energies)
        self.learn(positions, energies)
        self.doubt = max(_NOISE_FLOOR, _OPTIMISM * float(np.sqrt(np.mean(self.errors_of_paths**2))))

    def points_of_path(self) -> np.ndarray:
        """Positions of points that determine the easiest path and have not been evaluated."""
        optimistic = np.maximum(self.predicted - self.lowest, 0)
        optimistic[~self.evaluated] = np.maximum(optimistic[~self.evaluated] - self.doubt, 0)
        path, barrier = easiest_path(self.on_grid(optimistic).astype(np.float32), self.steps)
        if barrier + 1.0 > self.relevant:  # the path may be this high: predict such energies better
            self.relevant = barrier + 1.5
            self.interpolate()
        positions = np.unique(self.owners[path])
        positions = positions[positions >= 0]
        high = optimistic[positions] > barrier - 2 * self.doubt
        return positions[high & ~self.evaluated[positions]]

    def lower_points(self) -> np.ndarray:
        """Positions of points that may lie below the lowest known one."""
        return self.open[self.predicted[self.open] < self.lowest + 0.005]

    def on_grid(self, energies: np.ndarray) -> np.ndarray:
        """(N1, N2, N3) energies from those of ``points``; excluded points have the highest energy."""
        return np.where(self.owners >= 0, energies[self.owners], energies.max()).reshape(self.shape)


def scan_ion(state: AdaptiveIon, ask: Callable[[np.ndarray], Energies]) -> Energies:
    """Scan one ion: (n,) energies of all points, eV. Interpolated ones are not below the lowest evaluated one.

    :param ask: generator function that evaluates points by their positions. It yields energies piece by piece, which
        this generator passes on, and returns all of them.
    """
    if len(state.points) < FEWEST_POINTS:
        return (yield from ask(np.arange(len(state.points))))
    first = state.first_points()
    state.learn(first, (yield from ask(first)))
    state.interpolate()
    for rounds_left in range(_ROUNDS, 0, -1):
        doubtful = state.doubtful_points(rounds_left)
        if not len(doubtful):
            break
        state.learn(doubtful, (yield from ask(doubtful)))
        state.interpolate()
    for find, learn in ((state.points_of_path, state.learn_path), (state.lower_points, state.learn)):
        for _ in range(_PATHS):
            deciding = find()
            if not len(deciding):
                break
            learn(deciding, (yield from ask(deciding)))
            state.refine(state.open)
    return np.maximum(state.predicted, state.lowest)
