"""The executables of the compute node. They need no AiiDA profile and work the same when called by hand."""

import os

# OpenMP's threads spin while they wait, by default. Two jobs side by side on the same cores then slow each other down
# many times over. It is read once, when torch is imported.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
