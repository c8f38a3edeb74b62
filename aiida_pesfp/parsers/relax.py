"""Parser of ``pesfp-relax``: the structure as far as it was relaxed."""

from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict

from aiida_pesfp.parsers.program import ProgramParser


class RelaxParser(ProgramParser):
    """Stores the last structure, and says whether it is relaxed."""

    CACHE_VERSION = 1

    def store(self, run: dict, folder: Path) -> ExitCode | None:
        try:
            relaxed, found = (self.read_json(run['name'], name) for name in ('relaxed.json', 'relaxation.json'))
        except FileNotFoundError:
            return self.exit_code(run) or self.exit_codes.ERROR_NO_OUTPUT.format(reason='no structure was written')
        general = {'seconds': run['outcome']['seconds'], 'device': run['device'], 'version': run['version']}
        structure = self.node.inputs.structure.clone()  # the kinds stay
        structure.reset_cell(relaxed['lattice']['matrix'])
        structure.reset_sites_positions([site['xyz'] for site in relaxed['sites']])
        structure.label = self.node.inputs.structure.label
        self.out('structure', structure)
        self.out('output_parameters', Dict(found | general))
        return self.exit_code(run)
