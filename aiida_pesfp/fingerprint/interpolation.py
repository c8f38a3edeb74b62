"""A surface from some of its points: a sum of pair terms, and kriging of the remainder.

In a frozen framework, the energy of one ion is nearly a sum of functions of its distances to the framework's atoms, one
function for each element. The remainder of a fit to the evaluated points is smooth on the scale of the grid, and is
interpolated from the nearest of them.
"""

import numpy as np
from pymatgen.core import Structure
from scipy.spatial import cKDTree

from aiida_pesfp.crystals.periodic import distances_within, images_around_cell

#: Range of the pair terms, A, and number of Gaussians in each.
_RANGE, _GAUSSIANS = 6.0, 14
#: Correlation length of the remainder, A, and number of neighbours for its interpolation.
_LENGTH, _NEIGHBOURS = 1.6, 28
_PIECE = 4000


class PairModel:
    """Weighted least-squares fit of pair terms, for (n, 3) Cartesian ``positions`` (A) of an ion of a structure.

    Low energies have the largest weights.
    """

    def __init__(self, structure: Structure, ion: int, positions: np.ndarray):
        pieces = np.split(positions, range(_PIECE, len(positions), _PIECE))
        self.features = np.concatenate([_pair_features(structure, ion, piece) for piece in pieces])

    def fit(self, where: np.ndarray, energies: np.ndarray) -> np.ndarray:
        """(n,) energies of the model at all places, eV, from the known ``energies`` at the indices ``where``."""
        weights = 1 / (0.2 + energies - energies.min())
        design = self.features[where] * weights[:, None]
        scale = np.abs(design).max(axis=0) + 1e-9
        design /= scale
        normal = design.T @ design + 1e-4 * np.eye(design.shape[1])
        return self.features @ (np.linalg.solve(normal, design.T @ (energies * weights)) / scale)


def _pair_features(structure: Structure, ion: int, positions: np.ndarray) -> np.ndarray:
    numbers, centres = np.array(structure.atomic_numbers), np.linspace(1.2, _RANGE - 0.3, _GAUSSIANS)
    framework = np.delete(np.arange(len(structure)), ion)
    which, atoms, distances = distances_within(structure, framework, positions, _RANGE)
    gaussians = np.exp(-(((distances[:, None] - centres) / (centres[1] - centres[0])) ** 2))
    values = (gaussians * (1 - (distances[:, None] / _RANGE) ** 2) ** 2).T
    columns = [np.ones(len(positions))]
    for element in sorted(set(numbers)):
        of_element = numbers[atoms] == element
        columns += [np.bincount(which[of_element], value[of_element], len(positions)) for value in values]
    return np.stack(columns, axis=1)


class Kriging:
    """Interpolation between (n,) ``values`` at (n, 3) fractional places, with a Matern covariance."""

    def __init__(self, lattice: np.ndarray, fractional: np.ndarray, values: np.ndarray):
        places, owners = images_around_cell(lattice, fractional, 2 * _LENGTH)
        self._lattice, self._tree, self._values = lattice, cKDTree(places), values[owners]

    def __call__(self, fractional: np.ndarray) -> np.ndarray:
        """(m,) values at (m, 3) fractional places."""
        neighbours = min(_NEIGHBOURS, self._tree.n)
        values = np.empty(len(fractional))
        for begin in range(0, len(fractional), _PIECE):
            places = (fractional[begin : begin + _PIECE] % 1.0) @ self._lattice
            distances, nearest = self._tree.query(places, k=neighbours)
            around = self._tree.data[nearest]
            between = np.linalg.norm(around[:, :, None] - around[:, None], axis=-1)
            covariance = _matern(between) + 1e-4 * np.eye(neighbours)
            weights = np.linalg.solve(covariance, _matern(distances)[..., None])[..., 0]
            values[begin : begin + _PIECE] = (weights * self._values[nearest]).sum(axis=1)
        return values


def _matern(distance: np.ndarray) -> np.ndarray:
    """Matern covariance with smoothness 5/2."""
    x = np.sqrt(5) * distance / _LENGTH
    return (1 + x + x**2 / 3) * np.exp(-x)
