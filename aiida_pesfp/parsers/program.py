"""What the parsers of jobs with one structure have in common: which end it was."""

from __future__ import annotations

import json

from aiida.engine import ExitCode
from aiida.orm import CalcJobNode
from aiida.parsers import Parser

from aiida_pesfp.calculations.program import ProgramCalculation


class ProgramParser(Parser):
    """Reads ``run.json``, and turns the way in which the program ended into an exit code."""

    #: Exit codes, by label, of errors of the program.
    ERRORS = {
        'DynamicsDiverged': 'ERROR_DIVERGED',
        'RelaxationDiverged': 'ERROR_DIVERGED',
        'CannotContinue': 'ERROR_NOT_RESTARTED',
        'NotConverged': 'ERROR_NOT_CONVERGED',
        'OutOfMemory': 'ERROR_OUT_OF_MEMORY',
    }

    def read_run(self) -> dict | ExitCode:
        """The content of ``run.json``, or why there is none that could be used."""
        try:
            path = f'{ProgramCalculation.RESULTS}/run.json'
            run = json.loads(self.retrieved.base.repository.get_object_content(path))
            [(run['name'], run['outcome'])] = run['structures'].items()
        except FileNotFoundError:
            return self.exit_codes.ERROR_NO_OUTPUT.format(reason=last_words(self.node))
        except (json.JSONDecodeError, KeyError, ValueError) as error:
            return self.exit_codes.ERROR_CORRUPT_OUTPUT.format(reason=f'run.json: {error}')
        if run['fatal'] is not None:
            return self.exit_codes.ERROR_POTENTIAL_UNUSABLE.format(reason=run['fatal'])
        return run

    def verdict(self, run: dict) -> ExitCode | None:
        """The exit code that says how the program ended; None if all is done."""
        outcome, scheduler = run['outcome'], ProgramCalculation.exit_codes
        if outcome['state'] == 'done':
            return None
        if outcome['state'] == 'failed':
            label = self.ERRORS.get(outcome['error_type'], 'ERROR_STRUCTURE_FAILED')
            return getattr(self.exit_codes, label).format(reason=outcome['error'])
        if self.node.exit_status == scheduler.ERROR_SCHEDULER_OUT_OF_MEMORY.status:
            return self.exit_codes.ERROR_OUT_OF_MEMORY
        if run['stopped'] or self.node.exit_status == scheduler.ERROR_SCHEDULER_OUT_OF_WALLTIME.status:
            return self.exit_codes.ERROR_OUT_OF_WALLTIME
        return self.exit_codes.ERROR_INTERRUPTED


def last_words(job: CalcJobNode) -> str:
    """The last line on standard error: mostly the reason why a program did not start."""
    lines = (job.get_scheduler_stderr() or '').strip().splitlines()
    return lines[-1] if lines else 'nothing on standard error either'
