"""The files that a run writes to, and how it ends: main output, MESSAGES, and SIESTA's way to stop."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NoReturn


class Journal:
    """Output of one run in the current folder; stdout is the main output.

    Everything is on disk at once, so that a kill leaves what was written.
    """

    def __init__(self, started: float):
        self.started = started
        self.messages = Path('MESSAGES').open('w')  # noqa: SIM115 (open until the process ends)
        self.label = 'siesta'

    def print(self, text: str) -> None:
        """A piece of the main output."""
        print(text, flush=True)

    def message(self, level: str, text: str) -> None:
        """A line of MESSAGES, which is also on stdout and stderr."""
        print(text)
        print(text, file=sys.stderr)
        self.messages.write(f'{level}: {text}\n')
        self.messages.flush()

    def append(self, suffix: str, text: str | bytes) -> None:
        """Add to a file that grows over steps and runs."""
        with Path(f'{self.label}{suffix}').open('ab') as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def replace(self, suffix: str, text: str | bytes) -> None:
        """Write a file that holds the last step only."""
        Path(f'{self.label}{suffix}').write_bytes(text if isinstance(text, bytes) else text.encode())

    def flush(self) -> None:
        """Bring all to disk."""
        sys.stdout.flush()
        sys.stderr.flush()

    @property
    def seconds(self) -> float:
        """Wall time of the run."""
        return time.monotonic() - self.started

    def times(self) -> None:
        """The timer at the end."""
        print(f'\ntimer: Elapsed wall time (sec) = {self.seconds:11.3f}\n')

    def die(self, text: str) -> NoReturn:
        """Stop as SIESTA does: the reason in MESSAGES, then SIGABRT (exit code 134 in a shell)."""
        self.message('FATAL', text)
        print('Stopping Program from Node:    0')
        print('Stopping Program from Node:    0', file=sys.stderr)
        self.flush()
        os.abort()

    def complete(self) -> None:
        """The end of a good run."""
        self.times()
        print(f'>> End of run:  {time.strftime("%d-%b-%Y  %H:%M:%S").upper()}')
        self.message('INFO', 'Job completed')
        self.flush()
