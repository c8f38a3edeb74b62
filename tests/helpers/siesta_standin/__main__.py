"""``python -m tests.helpers.siesta_standin < aiida.fdf > aiida.out``, or with the input's name as the only argument."""

import sys
import time
from pathlib import Path

STARTED = time.monotonic()


def main() -> None:
    """Run in the current folder."""
    from .run import run

    text = Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else sys.stdin.read()
    run(text, STARTED)


if __name__ == '__main__':
    main()
