"""The fast mean squared displacement against the plain sum."""

import subprocess
import sys

import numpy as np
import pytest

from aiida_pesfp.transport import msd as module
from aiida_pesfp.transport.msd import mean_squared_displacement


def plain(positions):
    """Mean over atoms and time origins of the squared displacement, as it is defined."""
    found = [0.0]
    for lag in range(1, len(positions)):
        displacements = positions[lag:] - positions[:-lag]
        found.append((displacements**2).sum(axis=2).mean())
    return np.array(found)


@pytest.mark.parametrize('frames', [2, 3, 64, 97])
@pytest.mark.parametrize('chunk', [1, 10**9])
def test_agrees_with_the_direct_sum(frames, chunk, monkeypatch):
    monkeypatch.setattr(module, '_CHUNK', chunk)
    positions = np.cumsum(np.random.default_rng(frames).normal(size=(frames, 5, 3)), axis=0) + 100
    np.testing.assert_allclose(mean_squared_displacement(positions), plain(positions), rtol=1e-9)
    some = np.array([0, 3])
    drift = np.cumsum(np.random.default_rng(0).normal(size=(frames, 3)), axis=0)
    np.testing.assert_allclose(
        mean_squared_displacement(positions, some, drift), plain(positions[:, some] - drift[:, None]), rtol=1e-9
    )


def test_keeps_its_digits_far_from_the_origin_and_over_long_runs():
    """A small vibration on top of a long straight way: the sums are 10^9 times larger than their difference."""
    time = np.arange(20000)
    positions = np.zeros((len(time), 1, 3))
    positions[:, 0, 0] = 1e6 + 0.1 * (-1.0) ** time
    found = mean_squared_displacement(positions)
    np.testing.assert_allclose(found[1:1000:2], 0.04, rtol=1e-9)
    np.testing.assert_allclose(found[2:1000:2], 0, atol=1e-10)


SCRIPT = """
import resource, numpy as np
from aiida_pesfp.transport.msd import mean_squared_displacement
positions = np.zeros((20000, 400, 3))
positions[:, :, 0] = np.arange(20000)[:, None]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = mean_squared_displacement(positions)
assert np.allclose(found, np.arange(20000.0) ** 2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_number_of_atoms():
    """20000 frames of 400 atoms are 192 MB; their transforms all at once would be 800 MB."""
    process = subprocess.run([sys.executable, '-c', SCRIPT], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert int(process.stdout) < 150_000
