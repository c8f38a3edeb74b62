"""The files that a run writes to, and how it ends: main output, MESSAGES, XML, and SIESTA's way to stop."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from .cml import Cml


class Journal:
    """Output of one run in the current folder; stdout is the main output.

    The main output and MESSAGES are on disk at once, the XML after each step, so that a kill leaves what was written.
    """

    def __init__(self, started: float):
        self.started = started
        self.messages = Path('MESSAGES').open('w')  # noqa: SIM115 (open until the process ends)
        self.cml: Cml | None = None
        self.timings: dict[str, int] | None = None
        self.label = 'siesta'

    def open_xml(self) -> Cml:
        """Begin the XML file."""
        self.cml = Cml(Path(f'{self.label}.xml').open('w'))  # noqa: SIM115
        return self.cml

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
        if self.cml:
            self.cml.file.flush()

    @property
    def seconds(self) -> float:
        """Wall time of the run."""
        return time.monotonic() - self.started

    def times(self) -> None:
        """The timers at the end, and time.json where it was asked for."""
        print(f'\ntimer: Elapsed wall time (sec) = {self.seconds:11.3f}\n')
        if self.timings is None:
            return
        steps = self.timings['steps']
        entry = {'_calls': 1, '_time': round(self.seconds, 3), '_%': 100.0}
        geometry = {'IterGeom': {**entry, '_calls': steps, 'IterSCF': {**entry, '_calls': self.timings['cycles']}}}
        Path('time.json').write_text(json.dumps({'global_section': {**entry, 'siesta': {**entry, **geometry}}}))

    def die(self, text: str) -> NoReturn:
        """Stop as SIESTA does: the reason in MESSAGES, then SIGABRT (exit code 134 in a shell)."""
        self.message('FATAL', text)
        print('Stopping Program from Node:    0')
        print('Stopping Program from Node:    0', file=sys.stderr)
        if self.cml:
            self.cml.close()
        self.flush()
        os.abort()

    def complete(self) -> None:
        """The end of a good run."""
        self.times()
        if self.cml:
            self.cml.close()
        print(f'>> End of run:  {time.strftime("%d-%b-%Y  %H:%M:%S").upper()}')
        self.message('INFO', 'Job completed')
        Path('0_NORMAL_EXIT').write_text('SIESTA completed successfully\n')
        self.flush()
