"""Parser of a relaxation with SIESTA that copes with every end: the one of aiida-siesta 2.0 does not."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict, StructureData
from aiida.parsers import Parser
from aiida_siesta.calculations.siesta import SiestaCalculation

from aiida_pesfp.trajectories.siesta import CorruptFile, Messages, read_messages, read_out, read_struct_out


class SiestaRelaxParser(Parser):
    """Takes the structure from ``.STRUCT_OUT``, which SIESTA writes at every step, and the verdict from its messages.

    (``.XV`` holds the next structure of the search, which may be a long trial step away.)

    aiida-siesta's own parser reads the whole XML: it excepts if that is cut off, as after a kill, and for two kinds of
    messages; and it takes any SCF that did not converge for a failure of the whole.
    """

    def parse(self, **kwargs) -> ExitCode | None:
        output = self._text(self.node.get_option('output_filename'))
        messages = read_messages(self._text(SiestaCalculation._MESSAGES_FILE).splitlines())
        summary = read_out(output.splitlines())
        relaxed = messages.completed and not summary.unrelaxed
        energies = re.findall(r'^siesta: E_KS\(eV\) = *(\S+)', output, re.MULTILINE)
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
        structure = self._structure()
        if structure is not None:
            parameters['variable_geometry'] = True  # the handlers of SiestaBaseWorkChain ask for it
            self.out('output_structure', structure)
        self.out('output_parameters', Dict(parameters))
        return self._verdict(messages, relaxed)

    def _text(self, name: str) -> str:
        repository = self.retrieved.base.repository
        if name not in repository.list_object_names():
            return ''
        return repository.get_object_content(name, 'rb').decode('utf-8', 'replace')

    def _structure(self) -> StructureData | None:
        """That of the input with the last cell and positions; floating sites, which come last, are left out."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'siesta.STRUCT_OUT'
            path.write_text(self._text(f'{self.node.get_option("prefix")}.STRUCT_OUT'))
            try:
                cell, fractions = read_struct_out(path)
            except CorruptFile:
                return None
        given = self.node.inputs.structure
        structure = StructureData(cell=cell.tolist(), pbc=given.pbc)
        for kind in given.kinds:
            structure.append_kind(kind)
        for site, position in zip(given.sites, fractions @ cell):
            structure.append_site(type(site)(kind_name=site.kind_name, position=position.tolist()))
        structure.label = given.label
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
