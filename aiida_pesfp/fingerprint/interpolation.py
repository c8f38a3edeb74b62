"""Surfaces from some of their points: a sum of pair terms, and kriging of the remainder, with their errors.

In a frozen framework, the energy of one ion is nearly a sum of functions of its distances to the other atoms, one
function for each element, the same for all ions. Energies between atoms have known sizes: so the fit has a prior, and
some tens of points suffice. The remainder is smooth on the scale of the grid, and is interpolated from the nearest
points. Both are Gaussian processes, and so have a variance at each place (Rasmussen and Williams, Gaussian Processes
for Machine Learning, 2006, Eq. 2.9 and 2.25).
"""

import numpy as np
from pymatgen.core import Structure
from scipy.spatial import cKDTree

from aiida_pesfp.crystals.periodic import distances_within, images_around_cell

#: Range of the pair terms, A, and number of Gaussians in each.
_RANGE, _GAUSSIANS = 6.0, 14
#: Typical size of a pair term, eV, at this distance, A, and the power of the distance with which it falls.
_SIZE, _AT, _POWER = 1.0, 1.8, 4
#: Typical size of the difference between the energies of ions, eV.
_OFFSET = 5.0
#: Typical size of the remainder, eV, its correlation length, A, and number of neighbours for its interpolation.
_REMAINDER, _LENGTH, _NEIGHBOURS = 0.1, 1.6, 28
#: What neither describes, eV: of low energies, and of those above the second by this share of the excess.
_NOISE, _HIGH, _SHARE = 0.02, 1.0, 0.5
#: Higher energies than this, eV, say nothing about the remainder of low ones.
_WALL = 6.0
_PIECE = 4000


def noise(energies: np.ndarray) -> np.ndarray:
    """What neither the pair terms nor the remainder describe of energies (eV) above the lowest one: variances, eV^2."""
    return _NOISE**2 + (_SHARE * np.maximum(0, energies - _HIGH)) ** 2


class PairModel:
    """Pair terms of the ``ions`` (atoms) of a structure, and the energies from which they are known."""

    def __init__(self, structure: Structure, ions: list[int]):
        self.structure, self.ions = structure, ions
        self._normal: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._solution: tuple[np.ndarray, np.ndarray] | None = None

    def features(self, number: int, positions: np.ndarray) -> np.ndarray:
        """(n, k) values of all terms for the ion of this ``number`` in ``ions`` at (n, 3) Cartesian places, A.

        Each has a weight of typical size 1 eV. The last are the ions' own constants.
        """
        pieces = [self._features(number, positions[i : i + _PIECE]) for i in range(0, len(positions), _PIECE)]
        return np.concatenate(pieces).astype(np.float32)

    def _features(self, number: int, positions: np.ndarray) -> np.ndarray:
        numbers, centres = np.array(self.structure.atomic_numbers), np.linspace(1.2, _RANGE - 0.3, _GAUSSIANS)
        others = np.delete(np.arange(len(self.structure)), self.ions[number])
        which, atoms, distances = distances_within(self.structure, others, positions, _RANGE)
        gaussians = np.exp(-(((distances[:, None] - centres) / (centres[1] - centres[0])) ** 2))
        values = gaussians * (1 - (distances[:, None] / _RANGE) ** 2) ** 2 * _SIZE * (_AT / centres) ** _POWER
        columns = []
        for element in sorted(set(numbers)):
            of_element = numbers[atoms] == element
            columns += [np.bincount(which[of_element], value[of_element], len(positions)) for value in values.T]
        constants = np.zeros((len(positions), len(self.ions)))
        constants[:, number] = _OFFSET
        return np.column_stack([*columns, constants])

    def learn(self, number: int, features: np.ndarray, energies: np.ndarray) -> None:
        """Replace what is known of an ion by (n,) energies above its lowest one, eV, with their (n, k) features."""
        features = features.astype(float)
        weighted = features / (noise(energies) + _REMAINDER**2)[:, None]
        self._normal[number] = weighted.T @ features, weighted.T @ energies
        self._solution = None

    def __call__(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) energies, eV, and their variances, eV^2, from (n, k) features."""
        if self._solution is None:
            matrices, vectors = zip(*self._normal.values())
            covariance = np.linalg.inv(sum(matrices) + np.eye(len(vectors[0])))
            self._solution = covariance @ sum(vectors), covariance
        weights, covariance = self._solution
        energies, variances = np.empty(len(features)), np.empty(len(features))
        for begin in range(0, len(features), _PIECE):
            piece = features[begin : begin + _PIECE].astype(float)
            energies[begin : begin + _PIECE] = piece @ weights
            variances[begin : begin + _PIECE] = ((piece @ covariance) * piece).sum(axis=1)
        return energies, variances


class Kriging:
    """Interpolation between (n,) ``values`` (eV) at (n, 3) fractional places, with a Matern covariance.

    :param energies: (n,) at these places, above the lowest one, eV: high ones are known less well.
    """

    def __init__(self, lattice: np.ndarray, fractional: np.ndarray, values: np.ndarray, energies: np.ndarray):
        near = energies < _WALL
        places, owners = images_around_cell(lattice, fractional[near], 2 * _LENGTH)
        self._lattice, self._tree = lattice, cKDTree(places)
        self._values, self._noise = values[near][owners], noise(energies[near])[owners]

    def __call__(self, fractional: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,) values at (m, 3) fractional places, eV, and their variances, eV^2."""
        neighbours = min(_NEIGHBOURS, self._tree.n)
        values, variances = np.zeros(len(fractional)), np.full(len(fractional), _REMAINDER**2)
        for begin in range(0, len(fractional) if neighbours else 0, _PIECE):
            places = (fractional[begin : begin + _PIECE] % 1.0) @ self._lattice
            distances, nearest = self._tree.query(places, k=range(1, neighbours + 1))
            around = self._tree.data[nearest] - places[:, None]
            squares = distances[:, :, None] ** 2 + distances[:, None] ** 2 - 2 * around @ around.swapaxes(1, 2)
            between = _matern(np.sqrt(np.maximum(squares, 0)))
            between[:, range(neighbours), range(neighbours)] += self._noise[nearest]
            covariance = _matern(distances)
            weights = np.linalg.solve(between, covariance[..., None])[..., 0]
            values[begin : begin + _PIECE] = (weights * self._values[nearest]).sum(axis=1)
            variances[begin : begin + _PIECE] -= (weights * covariance).sum(axis=1)
        return values, np.maximum(variances, 0)


def _matern(distance: np.ndarray) -> np.ndarray:
    """Matern covariance with smoothness 5/2, eV^2."""
    x = np.sqrt(5) * distance / _LENGTH
    return _REMAINDER**2 * (1 + x + x**2 / 3) * np.exp(-x)
