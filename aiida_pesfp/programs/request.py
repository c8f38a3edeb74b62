"""What all programs with a potential share. A request is one call of a program for structures, each of which has a
result or an error of its own.

The AiiDA calculation job calls the same program with the same options as a person would. ``OUT/run.json`` has the
settings and, for each structure, its state (``done``, ``failed`` or ``pending``) and its ``attempts``: how many times a
run began with it and ended without a word, and without more in its folder than ``saved_bytes`` at the beginning. It is
written at once, and before and after each structure.
"""

import json
import os
import signal
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import click
from tqdm import tqdm

from aiida_pesfp import __version__, errors
from aiida_pesfp.crystals.files import RUN
from aiida_pesfp.memory import MORE_MEMORY, available_memory
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.potentials.trust import without_code
from aiida_pesfp.programs.checkpoint import claim, discard, size_of, write_json, writing
from aiida_pesfp.programs.outcome import Outcome
from aiida_pesfp.settings.program import ProgramSettings

#: A structure with which so many runs in a row have died, without any progress, is the cause.
MOST_ATTEMPTS = 3
#: Some schedulers ask a program twice to end: only after so many seconds does that mean at once.
GRACE = 5.0
EXIT_FAILED, EXIT_UNUSABLE, EXIT_STOPPED, EXIT_OUT_OF_MEMORY = 1, 2, 3, 4


class Stopped(Exception):
    """The run has to end before all is done; the text says why."""


@dataclass
class Request(ABC):
    """One call of a program: what is asked for, and how far it got.

    :cvar UNIT: what the progress bar counts.
    :cvar FILES: patterns of the names of files that the program writes for a structure.
    """

    outcomes: list[Outcome]
    program_settings: ProgramSettings
    potential: object = field(default=None, init=False)
    fatal: str | None = field(default=None, init=False)
    stopped: str | None = field(default=None, init=False)
    unwritable: str | None = field(default=None, init=False)
    start: float = field(default_factory=time.monotonic, init=False)
    terminated: float | None = field(default=None, init=False)
    #: Attempts and bytes in the folder of each structure of an earlier run, by name.
    earlier: dict[str, tuple[int, int | None]] = field(default_factory=dict, init=False)

    UNIT: ClassVar[str] = 'step'
    FILES: ClassVar[tuple[str, ...]]

    @property
    def output(self) -> Path | None:
        """The folder of the results."""
        return self.program_settings.output

    @property
    def needs_potential(self) -> bool:
        """Whether the potential is loaded."""
        return True

    def rounds(self) -> Iterator[None]:
        """What comes before each round of the structures that are pending, with the potential; by default, nothing.

        :raises Stopped: if the run has to end.
        """
        yield

    @abstractmethod
    def process(self, outcome: Outcome, bar: tqdm) -> None:
        """Compute the result of one structure, or resume what an earlier run left.

        :raises StructureError: if there is something wrong with the structure.
        :raises Stopped: if the run has to end; the work so far is saved.
        """

    @abstractmethod
    def reported_settings(self) -> dict:
        """The settings that ``run.json`` reports."""

    @abstractmethod
    def table(self) -> str:
        """The results for a person; empty without any."""

    def check_stop(self) -> None:
        """Raise :class:`Stopped` if it is time to end."""
        if self.terminated is not None:
            raise Stopped('terminated')
        limit = self.program_settings.time_limit
        if limit is not None and time.monotonic() - self.start > limit:
            raise Stopped('time limit')

    def run(self) -> None:
        """Load the potential and process all structures one after the other, with a bar on standard error.

        :raises OutputError: if results cannot be written at all.
        """
        given = self.program_settings
        if self.output is not None:
            self.take_over()
        self.write()
        try:
            if self.needs_potential:
                self.potential = load_potential(
                    given.potential,
                    device=given.device,
                    batch_size=given.batch_size,
                    expected_sha256=given.potential_sha256,
                    trusted=given.trust_weights,
                )
        except errors.PotentialError as error:
            self.fatal = str(error)
            for outcome in self.outcomes:
                outcome.fail(error)
            return self.write()
        signal.signal(signal.SIGTERM, self._terminate)
        try:
            with without_code(given.trust_weights):  # some calculators load their weights when they are first called
                for _ in self.rounds():
                    self._process_all()
        except Stopped as reason:
            self.stopped = str(reason)
            self.write()
        except errors.OutputError as error:
            self.unwritable = str(error)

    def _terminate(self, *_) -> None:
        """Stop at the next occasion; asked again after a while, at once, as a calculator may hang."""
        if self.terminated is None:
            self.terminated = time.monotonic()
        elif time.monotonic() - self.terminated > GRACE:
            os._exit(EXIT_STOPPED)

    def take_over(self) -> None:
        """Learn from ``run.json`` what earlier runs died of."""
        path = self.output / RUN
        with writing(path):
            content = path.read_bytes() if path.exists() else b''
        try:
            earlier = json.loads(content)['structures'] if content else {}
            self.earlier = {
                name: (entry.get('attempts', 0), entry.get('saved_bytes')) for name, entry in earlier.items()
            }
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise errors.OutputError(f'{path} is not of this program: choose another folder with --output') from None
        self.recall(self.outcomes)

    def recall(self, outcomes: Sequence[Outcome]) -> None:
        """Let structures know what earlier runs died of; with ``--fresh``, discard their results instead."""
        if self.output is None:
            return
        for outcome in outcomes:
            if self.program_settings.fresh:
                discard(self.output / outcome.name, self.FILES)
                continue
            number, saved = self.earlier.get(outcome.name, (0, 0))
            outcome.saved_bytes = size_of(self.output / outcome.name)
            outcome.attempts = number if saved == outcome.saved_bytes else 0

    def _process_all(self) -> None:
        """Process what is pending; last those with which an earlier run died, so that the others have their results."""
        pending = [one for one in self.outcomes if one.state == 'pending']
        for number, outcome in enumerate(sorted(pending, key=lambda one: one.attempts), start=1):
            # disable=None: no bar where standard error is not a terminal
            title = f'{outcome.name} ({number}/{len(pending)})'
            with tqdm(desc=title, unit=self.UNIT, disable=self.program_settings.quiet or None) as bar:
                try:
                    self.check_stop()
                    self._attempt(outcome, bar)
                finally:
                    self.write()

    def _attempt(self, outcome: Outcome, bar: tqdm) -> None:
        """Process a structure. An error becomes part of its outcome and does not affect the others."""
        try:
            if outcome.input.error is not None:
                raise outcome.input.error
            if outcome.attempts >= MOST_ATTEMPTS:
                raise errors.ProgramDied(
                    f'the program has died {outcome.attempts} times while it computed this structure, for lack of '
                    'memory or a fault of the potential: take another --output folder (or --fresh) to try again'
                )
            if self.output is not None:
                claim(self.output / outcome.name)
                outcome.saved_bytes = size_of(self.output / outcome.name)
            outcome.attempts += 1
            self.write()
            try:
                self.process(outcome, bar)
            finally:
                outcome.attempts = 0
            outcome.state = 'done'
        except (Stopped, errors.OutputError, KeyboardInterrupt):
            raise
        except (errors.StructureError, errors.OutOfMemory) as error:
            outcome.fail(error)
        except MemoryError as error:
            outcome.fail(errors.OutOfMemory(f'memory ran out ({error}), {available_memory()}: {MORE_MEMORY}'))
        except BaseException as error:  # even an exit: a library that gives up costs this structure only
            traceback.print_exc()
            outcome.fail(errors.EvaluationFailed(f'{type(error).__name__}: {error}'))

    def write(self) -> None:
        """Rewrite ``run.json``."""
        if self.output is None:
            return
        content = {
            'version': __version__,
            'potential': self.potential and asdict(self.potential.identity),
            'device': self.potential and str(self.potential.device),
            **self.reported_settings(),
            'complete': self.fatal is None and all(outcome.state != 'pending' for outcome in self.outcomes),
            'stopped': self.stopped,
            'fatal': self.fatal,
            'structures': {outcome.name: outcome.report() for outcome in self.outcomes},
        }
        write_json(self.output / RUN, content)

    def finish(self) -> None:
        """Print the results, and exit with the status that tells a caller what to do next."""
        if self.program_settings.as_json:
            click.echo(json.dumps([outcome.summary() for outcome in self.outcomes], indent=1, allow_nan=False))
        elif self.fatal is None:
            lines = [self.table()]
            for one in self.outcomes:
                reason = f'{type(one.error).__name__}: {one.error}' if one.error else 'not finished'
                lines.append('' if one.state == 'done' else f'{one.input.source}: {reason}')
                lines += [f'{one.input.source}: doubtful: {doubt}' for doubt in one.doubts]
            click.echo('\n'.join(filter(None, lines)))
        if self.fatal is not None:
            click.echo(f'Error: {self.fatal}', err=True)
            sys.exit(EXIT_UNUSABLE)
        if self.unwritable is not None:
            click.echo(f'Error: {self.unwritable}. The same command goes on from here.', err=True)
            sys.exit(EXIT_STOPPED)
        if self.stopped is not None:
            again = 'the same command goes on from here' if self.output else 'with --output the next run could go on'
            click.echo(f'Stopped ({self.stopped}): {again}.', err=True)
            sys.exit(EXIT_STOPPED)
        if any(isinstance(outcome.error, errors.OutOfMemory) for outcome in self.outcomes):
            sys.exit(EXIT_OUT_OF_MEMORY)
        sys.exit(EXIT_FAILED if any(outcome.state != 'done' for outcome in self.outcomes) else 0)
