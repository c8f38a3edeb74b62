"""Early verdicts: a scan ends as soon as it is certain that Xi stays below a limit.

All ions are scanned on lattices of points, from coarse to fine. After each, the lowest plausible surfaces are made:
what was evaluated, and elsewhere the prediction less some standard deviations, those of the wanted probability for a
normal distribution. Both free volumes grow where a surface is lowered, and Xi with them, so Xi of these surfaces is an
upper bound. Where the lowest point of an ion is not certain, there is a level map around each place that may be it,
which starts from all of them; if there are too many such places, there is no verdict yet.

Standard deviations are those of the interpolation (see :mod:`~aiida_pesfp.fingerprint.interpolation`). Each lattice
tests the predictions from the one before: if the errors were larger than predicted, the deviations are multiplied.
"""

from collections.abc import Callable

import numpy as np
from pymatgen.core import Lattice
from scipy.stats import norm

from aiida_pesfp.fingerprint.adaptive import LATTICES, AdaptiveIon, Energies
from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import DEGENERACY, level_map, neighbour_steps, tile_around
from aiida_pesfp.fingerprint.maps import to_cell_frame
from aiida_pesfp.fingerprint.quantities import free_volumes, xi
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.settings.descriptors import DescriptorSettings

#: Coarser lattices have less than one point in this volume, A^3, or fewer points than this for all ions together.
_LARGEST_VOLUME, _FEWEST = 3.5, 20
#: Predictions that have to be tested before a verdict.
_TESTS = 10
#: Places that may be the lowest point of an ion are one place within this, A; and no verdict with more of them.
_APART, _MOST_PLACES = 1.0, 6


def lattices(states: list[AdaptiveIon]) -> list[int]:
    """The moduli of :data:`~aiida_pesfp.fingerprint.adaptive.LATTICES` to use, the coarsest first."""
    voxel = abs(np.linalg.det(states[0].lattice)) / np.prod(states[0].shape)
    points = sum(len(state.points) for state in states)
    return [m for m in LATTICES if m * voxel < _LARGEST_VOLUME and points / m >= _FEWEST]


def scan_lattice(states: list[AdaptiveIon], asks: list[Callable[[np.ndarray], Energies]], modulus: int):
    """Evaluate the points of one lattice for all ions, and predict all others. A generator as of an adaptive scan."""
    for state, ask in zip(states, asks):
        new = state.points_of(modulus)
        new = new[~state.evaluated[new]]
        if len(new):
            state.learn(new, (yield from ask(new)))
        state.interpolate()
    for state in states:  # the model has learnt of the ions after it
        state.predict()


def estimates(states: list[AdaptiveIon]) -> list[np.ndarray]:
    """(n,) energies, eV, of the points of each ion, predicted where they were not evaluated."""
    return [np.maximum(state.predicted, state.lowest) for state in states]


def are_tested(states: list[AdaptiveIon]) -> bool:
    """Whether enough predictions of the surfaces were tested for a verdict."""
    tests = sum(len(state.standard_errors) for state in states)
    return tests >= _TESTS and all(state.predicted is not None for state in states)


def lowest_plausible(states: list[AdaptiveIon], probability: float) -> list[np.ndarray]:
    """(n,) energies, eV, of the points of each ion, below which none lies with this probability; for 0.5, predictions.

    :param states: which :func:`are_tested`.
    """
    tests = np.concatenate([state.standard_errors for state in states])
    factor = norm.ppf(probability) * max(1.0, float(np.sqrt(np.mean(tests**2))))
    return [np.maximum(state.predicted - factor * state.deviation, state.lowest) for state in states]


def upper_bound(surface: PotentialEnergySurface, settings: DescriptorSettings, enough: float) -> float:
    """Xi of the lowest plausible surfaces; whatever bound is found first below ``enough``, or 1 if there is none."""
    highest = settings.xi.threshold + max(settings.smearing)
    steps = neighbour_steps(grid_vectors(surface.lattice, surface.shape), settings.neighbours)
    grids = [surface.of_ion(position) for position in range(len(surface.mobile_ions))]
    [disconnected] = free_volumes(np.minimum.reduce(grids), [settings.xi.threshold], settings.smearing)
    # What is connected lies below the threshold, too.
    bound, levels = xi(disconnected, disconnected, settings.xi), np.asarray(np.inf)
    if bound < enough:
        return bound
    shape, most = np.array(surface.shape), _MOST_PLACES * max(1, len(surface.starts))
    for energies in grids:
        places = np.concatenate([np.argwhere(energies <= DEGENERACY), surface.starts.astype(int)])
        centres = _apart(places, surface, most)
        if len(centres) > most:
            return 1.0
        for centre in centres:
            nearest = (places - centre + shape // 2) % shape - shape // 2 + shape
            own = level_map(tile_around(energies, centre), nearest, steps, highest)
            levels = np.minimum(levels, to_cell_frame(own, centre))
    [connected] = free_volumes(levels, [settings.xi.threshold], settings.smearing)
    return xi(connected, disconnected, settings.xi)


def _apart(places: np.ndarray, surface: PotentialEnergySurface, most: int) -> list[tuple[int, ...]]:
    """The first of (n, 3) grid indices, and others far from all chosen before; at most one more than wanted."""
    lattice, chosen = Lattice(surface.lattice), []
    while len(places) and len(chosen) <= most:
        chosen.append(tuple(map(int, places[0])))
        distances = lattice.get_all_distances(places[0] / surface.shape, places / surface.shape)[0]
        places = places[distances > _APART]
    return chosen
