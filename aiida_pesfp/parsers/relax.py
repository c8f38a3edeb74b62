"""Parser of ``pesfp-relax``: the structure as far as it was relaxed."""

from __future__ import annotations

from aiida.engine import ExitCode
from aiida.orm import Dict, StructureData

from aiida_pesfp.parsers.program import ProgramParser


class RelaxParser(ProgramParser):
    """Stores the last structure, and says whether it is relaxed."""

    CACHE_VERSION = 1

    def parse(self, **kwargs) -> ExitCode | None:
        run = self.read_run()
        if isinstance(run, ExitCode):
            return run
        try:
            relaxed, found = (self.read_json(run['name'], name) for name in ('relaxed.json', 'relaxation.json'))
            general = {'seconds': run['outcome']['seconds'], 'device': run['device'], 'version': run['version']}
            structure = self._structure(relaxed)
        except FileNotFoundError:
            return self.exit_code(run) or self.exit_codes.ERROR_NO_OUTPUT.format(reason='no structure was written')
        except (ValueError, KeyError) as error:
            return self.exit_codes.ERROR_CORRUPT_OUTPUT.format(reason=f'{type(error).__name__}: {error}')
        self.out('structure', structure)
        self.out('output_parameters', Dict(found | general))
        return self.exit_code(run)

    def _structure(self, relaxed: dict) -> StructureData:
        """The input with other positions and another cell; its kinds and label stay."""
        structure = self.node.inputs.structure.clone()
        structure.reset_cell(relaxed['lattice']['matrix'])
        structure.reset_sites_positions([site['xyz'] for site in relaxed['sites']])
        structure.label = self.node.inputs.structure.label
        return structure
