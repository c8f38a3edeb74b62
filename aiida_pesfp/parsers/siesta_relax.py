"""Parser of a relaxation with SIESTA, however it ended."""

import re

from aiida.engine import ExitCode
from aiida.orm import Dict, StructureData
from aiida.parsers import Parser
from aiida_siesta.calculations.siesta import SiestaCalculation

from aiida_pesfp.parsers.siesta_md import lines_of
from aiida_pesfp.trajectories.siesta import CorruptFile, Messages, read_messages, read_out, read_struct_out


class SiestaRelaxParser(Parser):
    """Reads the structure from ``.STRUCT_OUT``, which SIESTA writes at every step, and the exit code from its messages.

    ``.XV`` is not used: it has the next structure of the search, which may be a long trial step away. The parser of
    aiida-siesta 2.0 is not used: it excepts if the XML is cut off, as after a kill, and for two kinds of messages, and
    it reports a failure if any SCF cycle did not converge.
    """

    def parse(self, **kwargs) -> ExitCode | None:
        messages = read_messages(lines_of(self.retrieved, SiestaCalculation._MESSAGES_FILE))
        output = list(lines_of(self.retrieved, self.node.get_option('output_filename')))
        summary = read_out(output)
        relaxed = messages.completed and not summary.unrelaxed
        energies = re.findall(r'^siesta: E_KS\(eV\) = *(\S+)', ''.join(output), re.MULTILINE)
        parameters = {
            'relaxed': relaxed,
            'energy': float(energies[-1]) if energies else None,
            'energy_units': 'eV',
            'geometry_steps': len(energies),
            'unconverged_steps': len(messages.unconverged),
            'seconds': summary.seconds,
            'siesta_version': summary.version,
            'messages': list(messages.fatal),
            'variable_geometry': False,
        }
        if structure := self._structure():
            parameters['variable_geometry'] = True  # the handlers of SiestaBaseWorkChain ask for it
            self.out('output_structure', structure)
        self.out('output_parameters', Dict(parameters))
        return self._verdict(messages, relaxed)

    def _structure(self) -> StructureData | None:
        """The input with the last cell and positions. Floating sites come last and are left out."""
        try:
            with self.retrieved.base.repository.as_path(f'{self.node.get_option("prefix")}.STRUCT_OUT') as path:
                cell, fractions = read_struct_out(path)
        except (OSError, CorruptFile):
            return None
        structure = self.node.inputs.structure.clone()
        structure.reset_cell(cell.tolist())
        structure.reset_sites_positions((fractions[: len(structure.sites)] @ cell).tolist())
        structure.label = self.node.inputs.structure.label
        return structure

    def _verdict(self, messages: Messages, relaxed: bool) -> ExitCode | None:
        codes, reason = self.exit_codes, '; '.join(messages.fatal)
        if relaxed:
            return None
        if 'split options' in reason:
            return codes.SPLIT_NORM
        if 'SCF_NOT_CONV' in reason:
            return codes.SCF_NOT_CONV
        if messages.completed or messages.out_of_time or 'GEOM_NOT_CONV' in reason:
            return codes.GEOM_NOT_CONV
        return codes.UNEXPECTED_TERMINATION
