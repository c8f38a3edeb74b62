"""The base of the parsers of :class:`~aiida_pesfp.calculations.program.ProgramCalculation`: how the job ended."""

import json
import re
from abc import abstractmethod
from pathlib import Path

from aiida.engine import CalcJob, ExitCode
from aiida.orm import CalcJobNode, FolderData
from aiida.parsers import Parser

from aiida_pesfp.calculations.ports import EXIT_STATUS
from aiida_pesfp.calculations.program import ProgramCalculation

#: A shell adds the number of the signal that has killed a program.
_SIGNALS = 128
#: What Slurm writes on standard error of a job that it stops for its use of memory, without and with cgroups.
_OUT_OF_MEMORY = re.compile('exceeded (job )?memory limit|oom.kill', re.IGNORECASE)


class ProgramParser(Parser):
    """Reads ``run.json``, and turns the way in which the program ended into an exit code."""

    #: Errors of the program that have an exit code of their own, by its label.
    ERRORS = {
        'DynamicsDiverged': 'ERROR_DIVERGED',
        'RelaxationDiverged': 'ERROR_DIVERGED',
        'CannotContinue': 'ERROR_NOT_RESTARTED',
        'NotConverged': 'ERROR_NOT_CONVERGED',
        'OutOfMemory': 'ERROR_OUT_OF_MEMORY',
    }

    def parse(self, retrieved_temporary_folder: str | None = None, **kwargs) -> ExitCode | None:
        try:
            run = self.read_json('run.json')
            if 'structure' in self.node.inputs:
                [(run['name'], run['outcome'])] = run['structures'].items()
            fatal, _ = run['fatal'], run['structures']
        except FileNotFoundError:
            if has_died(self.retrieved):
                return self.interruption({'stopped': None})
            return self.exit_codes.ERROR_NO_OUTPUT.format(reason=last_words(self.node))
        except (json.JSONDecodeError, KeyError, ValueError) as error:
            return self.exit_codes.ERROR_CORRUPT_OUTPUT.format(reason=f'run.json: {error}')
        if fatal is not None:
            return self.exit_codes.ERROR_POTENTIAL_UNUSABLE.format(reason=fatal)
        try:
            return self.store(run, Path(retrieved_temporary_folder or '', ProgramCalculation.RESULTS))
        except (OSError, ValueError, KeyError) as error:
            return self.exit_codes.ERROR_CORRUPT_OUTPUT.format(reason=f'{type(error).__name__}: {error}')

    @abstractmethod
    def store(self, run: dict, folder: Path) -> ExitCode | None:
        """Attach the outputs.

        :param run: ``run.json``; for a single structure, ``name`` and ``outcome`` are the key and the value of its
            entry.
        :param folder: of the results that are retrieved for the parser only.
        """

    def read_json(self, *path: str) -> dict:
        """The content of a file among the results.

        :raises FileNotFoundError: if the job did not write it.
        """
        name = '/'.join((ProgramCalculation.RESULTS, *path))
        return json.loads(self.retrieved.base.repository.get_object_content(name))

    def exit_code(self, run: dict) -> ExitCode | None:
        """The exit code that says how the program ended for its single structure; None if all is done."""
        outcome = run['outcome']
        if outcome['state'] == 'done':
            return None
        if outcome['state'] == 'failed':
            label = self.ERRORS.get(outcome['error_type'], 'ERROR_STRUCTURE_FAILED')
            return getattr(self.exit_codes, label).format(reason=outcome['error'])
        return self.interruption(run)

    def interruption(self, run: dict) -> ExitCode:
        """The exit code that says why the job ended before all was done."""
        scheduler = ProgramCalculation.exit_codes
        if lacked_memory(self.node):
            return self.exit_codes.ERROR_OUT_OF_MEMORY
        if run['stopped'] or self.node.exit_status == scheduler.ERROR_SCHEDULER_OUT_OF_WALLTIME.status:
            return self.exit_codes.ERROR_OUT_OF_WALLTIME
        return self.exit_codes.ERROR_INTERRUPTED


def has_died(retrieved: FolderData) -> bool:
    """Whether a program was killed, or lost with its machine or its folder, before it could say anything."""
    try:
        status = int(retrieved.base.repository.get_object_content(EXIT_STATUS))
    except (FileNotFoundError, ValueError):
        return True
    return status == 0 or status > _SIGNALS


def lacked_memory(job: CalcJobNode) -> bool:
    """Whether its scheduler stopped a job for its use of memory.

    AiiDA asks the accounting of Slurm, which knows it only with cgroups, and looks at the first line on standard error,
    which may be one of the program.
    """
    known = job.exit_status == CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_MEMORY.status
    return known or _OUT_OF_MEMORY.search(job.get_scheduler_stderr() or '') is not None


def last_words(job: CalcJobNode) -> str:
    """The last line on standard error: mostly the reason why a program did not start."""
    lines = (job.get_scheduler_stderr() or '').strip().splitlines()
    return lines[-1] if lines else 'nothing on standard error either'
