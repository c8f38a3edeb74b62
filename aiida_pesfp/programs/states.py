"""The relaxed configurations of one structure on disk, from which a program that was stopped resumes."""

import hashlib
import time
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from aiida_pesfp.barriers.relaxation import State
from aiida_pesfp.programs.checkpoint import replacing


class States(dict[str, State]):
    """States by name; ``calls`` and ``seconds`` that they took, over all runs.

    :param path: of the file; None if nothing is saved.
    :param depends_on: all that the states depend on. A file with others is not used.
    """

    def __init__(self, path: Path | None, *depends_on: object):
        super().__init__()
        self.path, self.mark = path, hashlib.sha256(repr(depends_on).encode()).hexdigest()
        self.calls, self.seconds = 0, 0.0
        if path is not None:
            self._read()
        self._saved = self._clock = time.monotonic()

    def count(self, interval: float) -> None:
        """Note another call, and save if the last time is longer ago than ``interval``, s."""
        self.calls += 1
        if time.monotonic() - self._saved > interval:
            self.save()

    def save(self) -> None:
        """Write all states as a whole."""
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        if self.path is None:
            return
        arrays = {f'{name}/{key}': value for name, state in self.items() for key, value in vars(state).items()}
        with replacing(self.path) as partial, open(partial, 'wb') as stream:
            np.savez_compressed(stream, mark=self.mark, calls=self.calls, seconds=self.seconds, **arrays)
        self._saved = time.monotonic()

    def _read(self) -> None:
        try:
            with np.load(self.path) as arrays:
                found = {name: arrays[name] for name in arrays.files}
            if str(found['mark']) != self.mark:
                return
            self.calls, self.seconds = int(found['calls']), float(found['seconds'])
            for name in {key.rpartition('/')[0] for key in found if '/' in key}:
                values = {one.name: found[f'{name}/{one.name}'] for one in fields(State)}
                self[name] = State(**{key: value if value.ndim else value.item() for key, value in values.items()})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # missing or damaged
            return
