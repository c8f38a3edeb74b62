"""Parser of ``pesfp-scan``: one surface and one set of descriptors for each structure that is done."""

import zipfile
from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict

from aiida_pesfp.data.descriptors import GRID_SETTINGS, DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.parsers.program import ProgramParser


class ScanParser(ProgramParser):
    """Stores all that is done, however the job ended, and says what a restart could add."""

    CACHE_VERSION = 3

    def store(self, run: dict, folder: Path) -> ExitCode | None:
        failures = {}
        for key, entry in run['structures'].items():
            if entry['state'] == 'failed':
                failures[key] = {name: entry[name] for name in ('error_type', 'error')}
            elif entry['state'] == 'done':
                try:
                    self._add_outputs(key, run, folder)
                except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                    failures[key] = {'error_type': 'CorruptResults', 'error': f'{type(error).__name__}: {error}'}
        if failures:
            self.out('failures', Dict(failures))
        done = [entry for entry in run['structures'].values() if entry['state'] == 'done']
        totals = {
            'version': run['version'],
            'device': run['device'],
            'structures_done': len(done),
            'structures': len(run['structures']),
            'evaluations': sum(entry['evaluations'] for entry in done),
            'seconds': sum(entry['seconds'] for entry in done),
        }
        self.out('output_parameters', Dict(totals))
        if not run['complete']:
            return self.interruption(run)
        return self.exit_codes.ERROR_ALL_STRUCTURES_FAILED if len(failures) == len(run['structures']) else None

    def _add_outputs(self, key: str, run: dict, folder: Path) -> None:
        structure, potential = self.node.inputs.structures[key], self.node.inputs.potential
        attributes = {
            'formula': run['structures'][key]['formula'],
            'species': run['species'],
            'potential_name': potential.name,
            'potential_sha256': potential.sha256,
            'structure_uuid': structure.uuid,
        }
        surface = PotentialEnergySurface.load(folder / key / 'pes.npz')
        found = self.read_json(key, 'descriptors.json')
        pes = PesData.from_surface(surface, **attributes, **run['scan_settings'])
        grid = {name: run['scan_settings'][name] for name in GRID_SETTINGS}
        descriptors = DescriptorsData(found | attributes | grid | {'settings': run['descriptor_settings']})
        pes.label = descriptors.label = structure.label or attributes['formula']
        self.out(f'pes.{key}', pes)
        self.out(f'descriptors.{key}', descriptors)
