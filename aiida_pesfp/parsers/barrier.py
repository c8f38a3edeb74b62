"""Parser of ``pesfp-barrier``: whether the barriers are done."""

from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict

from aiida_pesfp.calculations.barrier import BARRIER
from aiida_pesfp.parsers.program import ProgramParser


class BarrierParser(ProgramParser):
    """Says whether there are barriers, and whether they have converged."""

    CACHE_VERSION = 1

    def store(self, run: dict, folder: Path) -> ExitCode | None:
        if run['outcome']['state'] != 'done':
            return self.exit_code(run)
        found = self.read_json(run['name'], BARRIER)
        general = {'device': run['device'], 'version': run['version']}
        left_out = ('structure', 'formula', 'paths', 'error')
        self.out('output_parameters', Dict({name: found[name] for name in found if name not in left_out} | general))
        return None if found['converged'] else self.exit_codes.ERROR_NOT_CONVERGED
