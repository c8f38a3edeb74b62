"""What all programs with a potential share. A request is one call of a program for structures, each of which has a
result or an error of its own.

The AiiDA calculation job calls the same program with the same options as a person would. ``OUT/run.json`` has the
settings and the state of each structure (``done``, ``failed`` or ``pending``), and is rewritten after each.
"""

import contextlib
import functools
import inspect
import json
import shutil
import signal
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click
from ase import Atoms
from pymatgen.io.ase import AseAtomsAdaptor
from tqdm import tqdm

from aiida_pesfp import __version__, errors
from aiida_pesfp.crystals.checks import check_crystal
from aiida_pesfp.crystals.files import NamedStructure, read_named_structures
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.programs.checkpoint import write_json
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.program import ProgramSettings

EXIT_FAILED, EXIT_UNUSABLE, EXIT_STOPPED, EXIT_OUT_OF_MEMORY = 1, 2, 3, 4
#: The end of every help text.
HELP = """A STRUCTURE is a CIF, POSCAR, (extended) XYZ or JSON file, compressed or not, or a folder of such; what is
passed over in a folder is printed. If one has no result, the reason is printed, and the others are not affected. The
exit status is 0 if all succeeded, 1 if some did not, 2 if the potential is unusable, 3 if the run was stopped before
its end, and 4 if a structure did not fit into memory."""
Result = TypeVar('Result')


class Stopped(Exception):
    """The run has to end before all is done; the text says why."""


@dataclass
class Outcome(ABC):
    """The result of one structure; ``state`` is ``done``, ``failed`` or ``pending``."""

    input: NamedStructure
    state: str = field(default='pending', kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)
    error: Exception | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """Unique in the request; names the results."""
        return self.input.name

    @property
    def formula(self) -> str | None:
        """Reduced formula, if the structure could be read."""
        structure = self.input.structure
        return None if structure is None else structure.composition.reduced_formula

    @abstractmethod
    def results(self) -> dict:
        """What was found, as plain JSON types; without a result the same keys with None."""

    def fail(self, error: Exception) -> None:
        """Note why there is no result."""
        self.state, self.error = 'failed', error

    def summary(self) -> dict:
        """The object that ``--json`` prints for this structure."""
        return {
            'structure': self.input.source,
            'formula': self.formula,
            **self.results(),
            'seconds': round(self.seconds, 3),
            'doubts': list(self.input.doubts),
            'error': self.error and f'{self.input.source}: {self.error}',
        }

    def report(self) -> dict:
        """The entry of this structure in ``run.json``."""
        return {
            'state': self.state,
            'structure': self.input.source,
            'formula': self.formula,
            'doubts': list(self.input.doubts),
            'error': self.error and str(self.error),
            'error_type': self.error and type(self.error).__name__,
            'seconds': round(self.seconds, 3),
        }


@dataclass
class Request(ABC):
    """One call of a program: what is asked for, and how far it got.

    :cvar UNIT: what the progress bar counts.
    """

    outcomes: list[Outcome]
    program_settings: ProgramSettings
    potential: object = field(default=None, init=False)
    fatal: str | None = field(default=None, init=False)
    stopped: str | None = field(default=None, init=False)
    start: float = field(default_factory=time.monotonic, init=False)
    terminated: bool = field(default=False, init=False)

    UNIT: ClassVar[str] = 'step'

    @property
    def output(self) -> Path | None:
        """The folder of the results."""
        return self.program_settings.output

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

    def atoms_of(self, outcome: Outcome) -> Atoms:
        """The structure as ASE's atoms, with a calculator.

        :raises StructureError: if no potential can evaluate the structure.
        """
        structure = outcome.input.structure
        check_crystal(structure)
        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.calc = self.potential.calculator(structure)
        return atoms

    def check_stop(self) -> None:
        """Raise :class:`Stopped` if it is time to end."""
        if self.terminated:
            raise Stopped('terminated')
        limit = self.program_settings.time_limit
        if limit is not None and time.monotonic() - self.start > limit:
            raise Stopped('time limit')

    def run(self) -> None:
        """Load the potential and process all structures one after the other, with a bar on standard error."""
        given = self.program_settings
        if given.fresh and self.output is not None:
            for outcome in self.outcomes:
                shutil.rmtree(self.output / outcome.name, ignore_errors=True)
        self.write()
        try:
            self.potential = load_potential(
                given.potential,
                device=given.device,
                batch_size=given.batch_size,
                expected_sha256=given.potential_sha256,
            )
        except errors.PotentialError as error:
            self.fatal = str(error)
            for outcome in self.outcomes:
                outcome.fail(error)
            return self.write()
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, 'terminated', True))
        for number, outcome in enumerate(self.outcomes, start=1):
            # disable=None: no bar where standard error is not a terminal
            title = f'{outcome.name} ({number}/{len(self.outcomes)})'
            with tqdm(desc=title, unit=self.UNIT, disable=given.quiet or None) as bar:
                try:
                    self.check_stop()
                    self._attempt(outcome, bar)
                except Stopped as reason:
                    self.stopped = str(reason)
                    return
                finally:
                    self.write()

    def _attempt(self, outcome: Outcome, bar: tqdm) -> None:
        """Process a structure. An error becomes part of its outcome and does not affect the others."""
        try:
            if outcome.input.error is not None:
                raise outcome.input.error
            self.process(outcome, bar)
            outcome.state = 'done'
        except Stopped:
            raise
        except (errors.StructureError, errors.OutOfMemory) as error:
            outcome.fail(error)
        except MemoryError as error:
            outcome.fail(errors.OutOfMemory(f'the machine has not enough memory ({error})'))
        except Exception as error:
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
        write_json(self.output / 'run.json', content)

    def finish(self) -> None:
        """Print the results, and exit with the status that tells a caller what to do next."""
        if self.program_settings.as_json:
            click.echo(json.dumps([outcome.summary() for outcome in self.outcomes], indent=1, allow_nan=False))
        elif self.fatal is None:
            lines = [self.table()]
            for one in self.outcomes:
                reason = f'{type(one.error).__name__}: {one.error}' if one.error else 'not finished'
                lines.append('' if one.state == 'done' else f'{one.input.source}: {reason}')
                lines += [f'{one.input.source}: doubtful: {doubt}' for doubt in one.input.doubts]
            click.echo('\n'.join(filter(None, lines)))
        if self.fatal is not None:
            click.echo(f'Error: {self.fatal}', err=True)
            sys.exit(EXIT_UNUSABLE)
        if self.stopped is not None:
            again = 'the same command goes on from here' if self.output else 'with --output the next run could go on'
            click.echo(f'Stopped ({self.stopped}): {again}.', err=True)
            sys.exit(EXIT_STOPPED)
        if any(isinstance(outcome.error, errors.OutOfMemory) for outcome in self.outcomes):
            sys.exit(EXIT_OUT_OF_MEMORY)
        sys.exit(EXIT_FAILED if any(outcome.state != 'done' for outcome in self.outcomes) else 0)


def evaluated(work: Callable[[], Result], when: str) -> Result:
    """Call what needs an ASE calculator, which raises whatever its author chose.

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


def program(**changes: dict[str, Any] | None) -> Callable[[Callable[..., Request]], click.Command]:
    """A decorator that makes a command of a function.

    The function takes the structures, the :class:`ProgramSettings` and its own options, and returns the request.

    :param changes: of the options of ``ProgramSettings``, see :func:`~aiida_pesfp.settings.options.options_of`.
    """

    def decorate(function: Callable[..., Request]) -> click.Command:
        @functools.wraps(function)
        def command(structures: tuple[Path, ...], **options):
            with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print is not our output
                program_settings = take(ProgramSettings, options)
                found = read_named_structures(structures, functools.partial(click.echo, err=True))
                if not found:
                    raise click.UsageError(f'no structure file in {", ".join(map(str, structures))}')
                request = function(found, program_settings, **options)
                request.run()
            request.finish()

        command = click.version_option(__version__)(options_of(ProgramSettings, **changes)(command))
        path = click.Path(path_type=Path)
        command = click.argument('structures', nargs=-1, required=True, type=path, metavar='STRUCTURE...')(command)
        context = {'help_option_names': ['-h', '--help'], 'show_default': True}
        return click.command(context_settings=context, help=f'{inspect.getdoc(function)}\n\n{HELP}')(command)

    return decorate
