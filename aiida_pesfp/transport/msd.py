"""Mean squared displacements (arXiv:2411.06804, Eq. 5)."""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

#: Largest number of values in one Fourier transform, which limits the memory for any number of atoms.
_CHUNK = 2**21


def mean_squared_displacement(
    positions: np.ndarray, atoms: np.ndarray | None = None, drift: np.ndarray | None = None
) -> np.ndarray:
    """(s,) mean squared displacement, A^2, at lags of 0, 1, ..., s - 1 frames.

    The mean is over the atoms and over all time origins of each lag. A fast Fourier transform gives the autocorrelation
    (Calandrini et al., Collection SFN 12, 201 (2011), DOI 10.1051/sfn/201112010): s log s operations instead of s^2.

    :param positions: (s, n, 3) Cartesian, not wrapped, A; the average is over all ``atoms`` or those with some indices.
    :param drift: (s, 3) displacement to subtract from that of every atom, A.
    """
    frames = len(positions)
    atoms = np.arange(positions.shape[1]) if atoms is None else atoms
    length = next_fast_len(2 * frames - 1, real=True)
    spectrum, squares = np.zeros(length // 2 + 1), np.zeros(frames)
    for chunk in np.array_split(atoms, max(1, 3 * len(atoms) * length // _CHUNK)):
        if not len(chunk):
            continue
        places = positions[:, chunk].astype(float)
        if drift is not None:
            places -= drift[:, None]
        series = np.ascontiguousarray(places.reshape(frames, -1).T)
        # Displacements do not change, and the sums below lose fewer digits.
        series -= series.mean(axis=1, keepdims=True)
        transform = rfft(series, length)
        spectrum += (transform.real**2 + transform.imag**2).sum(axis=0)
        squares += (series**2).sum(axis=0)
    correlation = irfft(spectrum, length)[:frames]
    # For all pairs (t, t + lag), the sum of the squares at t and at t + lag.
    cumulated = np.concatenate([[0.0], np.cumsum(squares)])
    lags = np.arange(frames)
    ends = cumulated[frames - lags] + cumulated[frames] - cumulated[lags]
    sums = np.maximum(ends - 2 * correlation, 0)
    sums[0] = 0
    return sums / (len(atoms) * (frames - lags))
