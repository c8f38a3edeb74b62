"""A scan that evaluates only points on which the result depends, and interpolates the others.

Xi depends on where the energy is below its threshold, MPE on the highest points of the easiest path. So, for each ion:

1. Some hundred points are evaluated, on a lattice of one point in 26 or more, and those around the ion's site.
2. The surface is interpolated. Points that may lie on either side of a threshold of Xi's free volumes, or below the
   lowest point so far, are evaluated, the most uncertain first, until the allowed share of points is used.
3. The easiest path is found on a surface with the lowest plausible interpolated energies, and its highest points are
   evaluated, until the path no longer changes.

The rest is interpolated. Free volumes at other thresholds than Xi's are less accurate than Xi and MPE: within some
hundredths of a decade (docs/measured.md).
"""

from collections.abc import Callable, Generator

import numpy as np

from aiida_pesfp.crystals.periodic import integer_points
from aiida_pesfp.fingerprint.grid import fractional_points, grid_vectors
from aiida_pesfp.fingerprint.interpolation import Kriging, PairModel
from aiida_pesfp.fingerprint.levels import easiest_path, neighbour_steps

#: Increase it if the points or their order change: a scan resumes only with the version that began it.
ADAPTIVE_VERSION = 3
#: Largest share of the points that step 2 leaves evaluated; step 3 adds little.
SHARE = 0.18
#: Ions with fewer points are scanned in full.
FEWEST_POINTS = 600
_ROUNDS, _PATHS = 10, 60
#: A point is doubtful if it is within so many standard deviations of a threshold.
_DOUBT = 1.5
#: A path may be lower than predicted by this factor times the typical error along earlier paths.
_OPTIMISM = 2.0
#: Standard deviations at walls are large, but no path leads there, eV.
_LARGEST_DOUBT = 0.2
#: Lattices of points: i + f j + g k is a multiple of m. They are evenly spread and in no plane of the grid, and each
#: contains the one before. Early verdicts begin with the coarsest.
LATTICES = {208: (81, 9), 104: (81, 9), 52: (29, 9), 26: (3, 9)}
#: An adaptive scan begins with the first of them that has as many points for an ion, or with the last.
_ENOUGH = 300
#: Xi's free volumes are averaged over its threshold +- this, eV.
_SMEARING = 0.04
#: Only pair terms predict energies that are further above the lowest than this, eV, and than this above what matters.
_RELEVANT, _ABOVE = 2.5, 1.5
_NOISE_FLOOR, _FIRST_DOUBT = 0.01, 0.1

Energies = Generator[np.ndarray, None, np.ndarray]


class AdaptiveIon:
    """The surface of one ion, of which some points are known.

    :param number: of the ion in the plan; ``model`` is that of all ions.
    """

    def __init__(self, plan, number: int, model: PairModel):
        of_ion = plan.ions[number]
        self.shape, self.points, self.threshold = plan.shape, of_ion.points, plan.descriptors.xi.threshold
        self.lattice = np.array(plan.structure.lattice.matrix)
        self.fractional = fractional_points(of_ion.points, plan.shape)
        self.number, self.model = number, model
        self.features = model.features(number, self.fractional @ self.lattice)
        self.steps = neighbour_steps(grid_vectors(self.lattice, plan.shape))
        # Position in `points` of the representative of each grid point; -1 if it is excluded.
        position = np.full(len(of_ion.representatives), -1)
        position[of_ion.points] = np.arange(len(of_ion.points))
        self.owners = position[of_ion.representatives]
        self.site = plan.structure.frac_coords[of_ion.ion]
        self.known = np.full(len(of_ion.points), np.nan)
        self.doubt, self.relevant = _FIRST_DOUBT, max(_RELEVANT, self.threshold + _ABOVE)
        self.errors_of_paths, self.standard_errors = np.empty(0), np.empty(0)
        self.predicted = self.deviation = None

    @property
    def evaluated(self) -> np.ndarray:
        """(n,) whether each point has been evaluated."""
        return ~np.isnan(self.known)

    @property
    def first_lattice(self) -> int:
        """Modulus of the lattice of points with which an adaptive scan begins."""
        return next((modulus for modulus in LATTICES if len(self.points) / modulus >= _ENOUGH), min(LATTICES))

    @property
    def excess(self) -> float:
        """Typical error of the predictions so far, in their standard deviations."""
        return float(np.sqrt(np.mean(self.standard_errors**2))) if len(self.standard_errors) else 1.0

    def points_of(self, modulus: int) -> np.ndarray:
        """Positions in ``points`` of those on one of the :data:`LATTICES`, and of those around the site."""
        indices, factors = np.stack(np.unravel_index(self.points, self.shape)), np.array([1, *LATTICES[modulus]])
        corners = (np.floor(self.site * self.shape).astype(int) + integer_points([0] * 3, [1] * 3)) % self.shape
        around = self.owners[np.ravel_multi_index(tuple(corners.T), self.shape)]
        chosen = [np.flatnonzero(factors @ indices % modulus == 0), around[around >= 0]]
        # In case a small asymmetric unit misses the lattice of points.
        if modulus == self.first_lattice or not sum(map(len, chosen)):
            chosen.append(np.arange(0, len(self.points), len(self.points) // 40 + 1))
        return np.unique(np.concatenate(chosen))

    def interpolate(self) -> None:
        """Fit the model and predict every point."""
        where = np.flatnonzero(self.evaluated)
        self.lowest = self.known[where].min()
        self.model.learn(self.number, self.features[where], self.known[where] - self.lowest)
        self.predict()

    def predict(self) -> None:
        """Predict every point from the present model, which may have learnt of other ions."""
        where = np.flatnonzero(self.evaluated)
        self.base, self._variance = self.model(self.features)
        self.base += self.lowest
        self.predicted, self.deviation = self.base.copy(), np.sqrt(self._variance)
        self.predicted[where], self.deviation[where] = self.known[where], 0
        self.open = np.flatnonzero(~self.evaluated & (self.base < self.lowest + self.relevant))
        self.refine(self.open)

    def refine(self, positions: np.ndarray) -> None:
        """Predict some points again from the present model and all known energies."""
        useful = self.evaluated & (
            np.minimum(self.base, np.nan_to_num(self.known, nan=np.inf)) < self.lowest + self.relevant
        )
        everywhere = np.flatnonzero(self.owners >= 0)
        everywhere = everywhere[useful[self.owners[everywhere]]]
        if len(positions):
            owners = self.owners[everywhere]
            remainder, energies = (self.known - self.base)[owners], (self.known - self.lowest)[owners]
            kriging = Kriging(self.lattice, fractional_points(everywhere, self.shape), remainder, energies)
            values, variances = kriging(self.fractional[positions])
            self.predicted[positions] = self.base[positions] + values
            self.deviation[positions] = np.sqrt(self._variance[positions] + variances)

    def learn(self, positions: np.ndarray, energies: np.ndarray) -> None:
        """Store evaluated energies (eV) and estimate the error of predictions from them."""
        if self.predicted is None:
            self.known[positions] = energies
            return
        error = self.predicted[positions] - energies
        self.doubt = max(_NOISE_FLOOR, float(np.sqrt(np.mean(error**2))))
        low = np.minimum(energies, self.predicted[positions]) < self.lowest + self.relevant
        self.standard_errors = np.append(self.standard_errors, error[low] / self.deviation[positions][low])
        self.known[positions] = self.predicted[positions] = energies
        self.deviation[positions] = 0
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
        away /= self.deviation[self.open]
        either = np.flatnonzero(away < _DOUBT * max(1.0, self.excess))
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
        plausible = np.maximum(self.doubt, np.minimum(_OPTIMISM * self.excess * self.deviation, _LARGEST_DOUBT))
        optimistic = np.where(self.evaluated, optimistic, np.maximum(optimistic - plausible, 0))
        path, barrier = easiest_path(self.on_grid(optimistic).astype(np.float32), self.steps)
        if barrier + 1.0 > self.relevant:  # the path may be this high: predict such energies better
            self.relevant = barrier + _ABOVE
            self.interpolate()
        positions = np.unique(self.owners[path])
        positions = positions[positions >= 0]
        high = optimistic[positions] > barrier - 2 * plausible[positions]
        return positions[high & ~self.evaluated[positions]]

    def lower_points(self) -> np.ndarray:
        """Positions of points that may lie below the lowest known one."""
        return self.open[self.predicted[self.open] < self.lowest + 0.005]

    def on_grid(self, energies: np.ndarray) -> np.ndarray:
        """(N1, N2, N3) energies from those of ``points``; excluded points have the highest energy."""
        return np.where(self.owners >= 0, energies[self.owners], energies.max()).reshape(self.shape)


def scan_ion(state: AdaptiveIon, ask: Callable[[np.ndarray], Energies], adaptive: bool = True) -> Energies:
    """Scan one ion: (n,) energies of all points, eV. Interpolated ones are not below the lowest evaluated one.

    :param ask: generator function that evaluates points by their positions. It yields energies piece by piece, which
        this generator passes on, and returns all of them.
    """
    whole = len(state.points) < FEWEST_POINTS or not adaptive
    first = np.arange(len(state.points)) if whole else state.points_of(state.first_lattice)
    first = first[~state.evaluated[first]]
    if len(first):
        state.learn(first, (yield from ask(first)))
    if state.evaluated.all():
        return state.known
    state.doubt = _FIRST_DOUBT  # whatever coarser lattices have shown
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
