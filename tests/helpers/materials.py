"""Invented descriptors with a known relation to invented conductivities."""

import numpy as np

THRESHOLDS = [0.3, 0.5, 0.7]


def descriptors_of(connected: float, disconnected: float, mpe: float = 0.5) -> dict:
    """Descriptors of one structure whose free volumes double from one threshold to the next."""
    return {
        'xi': 0.5,
        'mpe': mpe,
        'fv_connected': 2 * connected,
        'fv_disconnected': 2 * disconnected,
        'barrier_1d': mpe,
        'barrier_2d': mpe + 0.1,
        'barrier_3d': mpe + 0.2,
        'spectrum': {
            'thresholds': THRESHOLDS,
            'connected': [connected * 2**k for k in range(3)],
            'disconnected': [disconnected * 2**k for k in range(3)],
        },
    }


def random_descriptors(number: int, seed: int = 0) -> list[dict]:
    """Descriptors whose logarithmic free volumes at 0.5 eV are uniform between -3 and 0."""
    generator = np.random.default_rng(seed)
    volumes = 10 ** generator.uniform(-3, 0, (number, 2)) / 2
    return [descriptors_of(c, d, mpe) for (c, d), mpe in zip(volumes, generator.uniform(0, 2, number))]
