"""Parser of ``pesfp-order``: the ordered structures of a disordered one, and how they were made."""

from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict
from pymatgen.core import Structure

from aiida_pesfp.calculations.orderings import orderings_as_nodes
from aiida_pesfp.parsers.program import ProgramParser
from aiida_pesfp.settings.ordering import OrderingSettings


class OrderParser(ProgramParser):
    """Stores the orderings, or says why there are none."""

    CACHE_VERSION = 1
    ERRORS = {'OutOfMemory': 'ERROR_OUT_OF_MEMORY'}

    def store(self, run: dict, folder: Path) -> ExitCode | None:
        told = {name: run['outcome'][name] for name in ('error_type', 'error', 'seconds')}
        self.out('output_parameters', Dict(told | {'device': run['device'], 'version': run['version']}))
        if (exit_code := self.exit_code(run)) is not None:
            return exit_code
        found = [
            (Structure.from_dict(one.pop('structure')), one) for one in self.read_json(run['name'], 'orderings.json')
        ]
        settings = OrderingSettings.from_dict(self.node.inputs.parameters.get_dict())
        for name, node in orderings_as_nodes(self.node.inputs.structure, settings, found).items():
            self.out(name, node)
        return None
