"""What the programs share: structures treated one after the other, each with a result or an error of its own."""

from __future__ import annotations

import json
import signal
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import click
from tqdm import tqdm

from aiida_pesfp import __version__, errors
from aiida_pesfp.crystals.files import NamedStructure
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.programs.checkpoint import write_json

EXIT_FAILED, EXIT_UNUSABLE, EXIT_STOPPED, EXIT_OUT_OF_MEMORY = 1, 2, 3, 4
Result = TypeVar('Result')


class Stopped(Exception):
    """The run has to end before all is done; the text says why."""


@dataclass
class Outcome(ABC):
    """What became of one structure; ``state`` is ``done``, ``failed`` or ``pending``."""

    record: NamedStructure
    state: str = field(default='pending', kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)
    error: Exception | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """Unique in the request; names the results."""
        return self.record.name

    @property
    def formula(self) -> str | None:
        """Reduced formula, if the structure could be read."""
        structure = self.record.structure
        return None if structure is None else structure.composition.reduced_formula

    @abstractmethod
    def results(self) -> dict:
        """What was found, as plain JSON types; without a result the same keys with None."""

    def summary(self) -> dict:
        """The object that ``--json`` prints for this structure."""
        return {
            'structure': self.record.source,
            'formula': self.formula,
            **self.results(),
            'seconds': round(self.seconds, 3),
            'error': None if self.error is None else f'{self.record.source}: {self.error}',
        }

    def report(self) -> dict:
        """The entry of this structure in ``run.json``."""
        return {
            'state': self.state,
            'structure': self.record.source,
            'formula': self.formula,
            'error': None if self.error is None else str(self.error),
            'error_type': None if self.error is None else type(self.error).__name__,
            'seconds': round(self.seconds, 3),
        }


@dataclass
class Request(ABC):
    """One call of a program: what is asked for, and how far it got."""

    outcomes: list[Outcome]
    output: Path | None
    time_limit: float | None
    potential: object = field(default=None, init=False)
    fatal: str | None = field(default=None, init=False)
    stopped: str | None = field(default=None, init=False)

    def __post_init__(self):
        self.start = time.monotonic()
        self.terminated = False

    @abstractmethod
    def treat(self, outcome: Outcome, bar: tqdm) -> None:
        """Do what is asked for with one structure, or go on with it.

        :raises StructureError: if there is something wrong with the structure.
        :raises Stopped: if the run has to end; what there is has been kept.
        """

    @abstractmethod
    def settings(self) -> dict:
        """The settings that ``run.json`` reports."""

    def check_stop(self) -> None:
        """Raise :class:`Stopped` if it is time to leave."""
        if self.terminated:
            raise Stopped('terminated')
        if self.time_limit is not None and time.monotonic() - self.start > self.time_limit:
            raise Stopped('time limit')

    def run(self, potential: str, progress: bool, unit: str, **load_options) -> None:
        """Load the potential and treat all structures one after the other, with a bar on standard error.

        :param unit: of the bar.
        :param load_options: of :func:`~aiida_pesfp.potentials.load_potential`.
        """
        self.write()
        try:
            self.potential = load_potential(potential, **load_options)
        except errors.PotentialError as error:
            self.fatal = str(error)
            for outcome in self.outcomes:
                outcome.state, outcome.error = 'failed', error
            self.write()
            return
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, 'terminated', True))
        for number, outcome in enumerate(self.outcomes, start=1):
            # disable=None: no bar where standard error is not a terminal
            title = f'{outcome.name} ({number}/{len(self.outcomes)})'
            with tqdm(desc=title, unit=unit, disable=None if progress else True) as bar:
                try:
                    self.check_stop()
                    attempt(outcome, lambda outcome=outcome, bar=bar: self.treat(outcome, bar))
                except Stopped as reason:
                    self.stopped = str(reason)
                    return
                finally:
                    self.write()

    def write(self) -> None:
        """Rewrite ``run.json``."""
        if self.output is None:
            return
        content = {
            'version': __version__,
            'potential': self.potential and self.potential.identity.as_dict(),
            'device': self.potential and str(self.potential.device),
            **self.settings(),
            'complete': self.fatal is None and all(outcome.state != 'pending' for outcome in self.outcomes),
            'stopped': self.stopped,
            'fatal': self.fatal,
            'structures': {outcome.name: outcome.report() for outcome in self.outcomes},
        }
        write_json(self.output / 'run.json', content)

    def finish(self, as_json: bool, table: Callable[[list], str]) -> None:
        """Print the results, and leave with the exit status that tells a caller what to do next."""
        if as_json:
            click.echo(json.dumps([outcome.summary() for outcome in self.outcomes], indent=1, allow_nan=False))
        elif self.fatal is None:
            click.echo('\n'.join(filter(None, [table(self.outcomes), *self._problems()])))
        if self.fatal is not None:
            click.echo(f'Error: {self.fatal}', err=True)
        if self.stopped is not None:
            again = 'the same command goes on from here' if self.output else 'with --output the next run could go on'
            click.echo(f'Stopped ({self.stopped}): {again}.', err=True)
        sys.exit(self.exit_status())

    def exit_status(self) -> int:
        """The program's exit status: what a caller should do next decides which reason comes first."""
        if self.fatal is not None:
            return EXIT_UNUSABLE
        if self.stopped is not None:
            return EXIT_STOPPED
        if any(isinstance(outcome.error, errors.OutOfMemory) for outcome in self.outcomes):
            return EXIT_OUT_OF_MEMORY
        return EXIT_FAILED if any(outcome.state != 'done' for outcome in self.outcomes) else 0

    def _problems(self) -> list[str]:
        """A line for each structure without a result."""
        lines = []
        for outcome in self.outcomes:
            if outcome.state == 'failed':
                lines.append(f'{outcome.record.source}: {type(outcome.error).__name__}: {outcome.error}')
            elif outcome.state == 'pending':
                lines.append(f'{outcome.record.source}: not finished')
        return lines


def attempt(outcome: Outcome, work: Callable[[], None]) -> None:
    """Do the work for one structure. What is wrong with it becomes part of the outcome.

    :raises Stopped: if the run has to end.
    """
    try:
        if outcome.record.error is not None:
            raise outcome.record.error
        work()
        outcome.state = 'done'
    except (errors.StructureError, errors.OutOfMemory) as error:
        outcome.state, outcome.error = 'failed', error
    except MemoryError as error:
        outcome.state = 'failed'
        outcome.error = errors.OutOfMemory(f'the machine has not enough memory ({error})')
    except (Stopped, KeyboardInterrupt):
        raise
    except Exception as error:  # an error nobody foresaw must not cost the other structures their result either
        traceback.print_exc()
        outcome.state = 'failed'
        outcome.error = errors.EvaluationFailed(f'{type(error).__name__}: {error}')


def evaluated(work: Callable[[], Result], when: str) -> Result:
    """Do what needs a calculator, which raises whatever its author chose.

    :param when: for the message.
    :raises OutOfMemory: if the structure does not fit into the memory of the device.
    :raises EvaluationFailed: for any other cause.
    """
    try:
        return work()
    except Exception as error:
        from aiida_pesfp.potentials.batching import is_out_of_memory  # imports torch, which not every potential needs

        if is_out_of_memory(error):
            raise errors.OutOfMemory('the structure does not fit into memory: use a device with more') from error
        raise errors.EvaluationFailed(f'the potential failed {when}: {type(error).__name__}: {error}') from error
