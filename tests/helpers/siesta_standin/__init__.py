"""A program that behaves as SIESTA 4.1.5 towards whoever starts it, but moves the atoms with an ASE potential.

README.md beside this file says what it knows. :func:`write_launcher` makes the executable that AiiDA needs.
"""

import sys
from pathlib import Path

from tests.helpers import REPOSITORY


def write_launcher(path: Path) -> Path:
    """Write an executable shell script that starts the stand-in with this Python; returns its absolute path."""
    path = Path(path).absolute()
    path.write_text(
        '#!/bin/sh\n'
        f'export PYTHONPATH="{REPOSITORY}" OMP_NUM_THREADS=1\n'
        f'exec "{sys.executable}" -m tests.helpers.siesta_standin "$@"\n'
    )
    path.chmod(0o755)
    return path
