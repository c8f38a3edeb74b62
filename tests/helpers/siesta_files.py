"""Files of SIESTA with invented content."""

import struct

import numpy as np


def write_frames(path, frames, marker='<i'):
    """Frames (step, positions, velocities) as a Fortran compiler would write them."""
    order = marker[0]
    with path.open('wb') as stream:
        for step, positions, velocities in frames:
            record = struct.pack(f'{order}i', step)
            record += np.concatenate([positions, velocities]).astype(f'{order}f8').tobytes()
            length = struct.pack(marker, len(record))
            stream.write(length + record + length)


def write_energies(path, labels):
    """``.MDE`` of some steps with invented energies."""
    rows = [f'{k:6d} {300 + k:9.2f} {-10.0 - k:13.5f} {-9.0:13.5f} {100.0:11.3f} {1.0:11.3f}\n' for k in labels]
    path.write_text('# Step     T (K)     E_KS (eV)    E_tot (eV)   Vol (A^3)    P (kBar)\n' + ''.join(rows))
