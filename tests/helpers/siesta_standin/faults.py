"""What a test can make go wrong, by environment variables (see README.md)."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

PREFIX = 'SIESTA_STANDIN_'
PLACES = ('scf', 'restart', 'record')


@dataclass(frozen=True)
class Faults:
    """Steps count from 1 in each run; 0 means never."""

    kill_step: int = 0
    kill_place: str = 'scf'
    diverge_step: int = 0
    nan_step: int = 0
    die_step: int = 0
    once: str = ''
    sleep: float = 0.0
    scf_cycles: int = 4

    @classmethod
    def from_environment(cls) -> Faults:
        """Read the variables; raises ValueError for one that nobody knows."""
        known = {f'{PREFIX}{name.upper()}': name for name in cls.__dataclass_fields__}
        found = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
        found.pop(f'{PREFIX}CALCULATOR', None)
        if unknown := set(found) - set(known):
            raise ValueError(f'unknown {", ".join(sorted(unknown))}; known are {", ".join(sorted(known))}')
        kinds = {'str': str, 'int': int, 'float': float}
        faults = cls(
            **{known[name]: kinds[cls.__dataclass_fields__[known[name]].type](value) for name, value in found.items()}
        )
        if faults.kill_place not in PLACES:
            raise ValueError(f'{PREFIX}KILL_PLACE={faults.kill_place}: choose one of {", ".join(PLACES)}')
        return faults

    def due(self, step: int, now: int) -> bool:
        """Whether the fault of ``step`` happens now; with ``once`` only if nobody has left that file yet."""
        if step == 0 or step != now:
            return False
        if not self.once:
            return True
        try:
            Path(self.once).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def kill(self, place: str, step: int) -> None:
        """End this process as a scheduler or the memory guard would, if it is the time and the place."""
        if place == self.kill_place and self.due(self.kill_step, step):
            os.kill(os.getpid(), signal.SIGKILL)
