"""Trajectories of which the diffusion coefficient is known."""

import numpy as np

from aiida_pesfp.trajectories.trajectory import Trajectory

CELL = np.array([[12.0, 0, 0], [2.0, 11.0, 0], [-1.0, 1.5, 13.0]])
#: Of the walks below, A^2/ps; in cm^2/s.
D = 0.05
D_CM2_S = 5e-6


def make(mobile, framework, time_step, cell=CELL):
    """Trajectory of lithium and sulphur at these (s, n, 3) positions."""
    positions = np.concatenate([mobile, framework], axis=1)
    symbols = ('Li',) * mobile.shape[1] + ('S',) * framework.shape[1]
    return Trajectory(symbols, positions, np.arange(len(positions)) * time_step, cell)


def sites(rng, atoms):
    """(1, atoms, 3) places about 3 A apart, some of a simple cubic lattice in random order."""
    count = max(4, int(np.ceil(atoms ** (1 / 3))))
    order = rng.uniform(0, 10, (1, atoms, 3))[0, :, 0].argsort()
    return np.argwhere(np.ones((count,) * 3))[None, order] * (11.0 / count)


def vibrating(rng, frames, atoms, amplitude=0.1):
    """Positions of a framework that stays where it is, on average."""
    return sites(rng, atoms) + 1.5 + rng.normal(size=(frames, atoms, 3)) * amplitude


def brownian(rng, duration=60.0, time_step=0.1, atoms=16, coefficient=D, factor=None):
    """Independent Brownian walkers in a vibrating framework.

    :param coefficient: D, A^2/ps.
    :param factor: of D as a function of time.
    """
    frames = round(duration / time_step) + 1
    steps = rng.normal(size=(frames - 1, atoms, 3)) * np.sqrt(2 * coefficient * time_step)
    if factor is not None:
        steps *= np.sqrt(factor(np.arange(frames - 1) * time_step))[:, None, None]
    walks = np.concatenate([np.zeros((1, atoms, 3)), np.cumsum(steps, axis=0)])
    return make(walks + sites(rng, atoms), vibrating(rng, frames, 8), time_step)


def hopping(rng, duration=60.0, time_step=0.1, atoms=16, rate=0.05, distance=3.0, amplitude=0.2):
    """Ions that vibrate on the sites of a simple cubic lattice and hop to neighbours: D = rate distance^2 / 6."""
    frames = round(duration / time_step) + 1
    hops = rng.random((frames - 1, atoms)) < 1 - np.exp(-rate * time_step)
    directions = np.concatenate([np.eye(3), -np.eye(3)])[rng.integers(6, size=hops.shape)]
    walks = np.concatenate([np.zeros((1, atoms, 3)), np.cumsum(hops[..., None] * directions * distance, axis=0)])
    return make(walks + rng.normal(size=walks.shape) * amplitude, vibrating(rng, frames, 8), time_step)
