"""Cells and surfaces to test with."""

import numpy as np
from hypothesis import strategies as st

from aiida_pesfp.fingerprint.surface import PotentialEnergySurface

skewed_cells = st.builds(
    lambda lengths, skews: np.diag(lengths) + np.array([[0, 0, 0], [skews[0], 0, 0], [skews[1], skews[2], 0]]),
    st.tuples(*[st.floats(1.0, 4.0)] * 3),
    st.tuples(*[st.floats(-3.0, 3.0)] * 3),
)


def make_surface(energies, lattice=None, ions=None):
    """A surface without symmetry from one grid per ion, eV, NaN where excluded."""
    energies = np.asarray(energies, dtype=np.float64)
    number = len(energies)
    lowest = np.nanmin(energies, axis=(1, 2, 3))
    ions = np.arange(number) if ions is None else np.asarray(ions)
    return PotentialEnergySurface(
        energies=(energies - lowest[:, None, None, None]).astype(np.float32),
        reference_energies=lowest,
        scanned_ions=ions,
        mobile_ions=ions,
        representatives=np.arange(number),
        rotations=np.tile(np.eye(3, dtype=int), (number, 1, 1)),
        translations=np.zeros((number, 3)),
        lattice=np.diag(energies.shape[1:]) * 0.25 if lattice is None else lattice,
        fractional_coordinates=np.zeros((number, 3)),
        atomic_numbers=np.full(number, 3),
        evaluations=int(np.isfinite(energies).sum()),
    )


@st.composite
def surfaces(draw, largest=5):
    """Smooth-ish random surfaces of one to three ions with excluded points, in skewed cells."""
    shape = draw(st.tuples(*[st.integers(2, largest)] * 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    energies = random.gamma(2.0, 0.5, size=(draw(st.integers(1, 3)), *shape))
    excluded = random.random(energies.shape) < draw(st.sampled_from([0.0, 0.3]))
    excluded[:, 0, 0, 0] = False
    return make_surface(np.where(excluded, np.nan, energies), draw(skewed_cells))
