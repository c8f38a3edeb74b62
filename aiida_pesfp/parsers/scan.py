"""Parser of ``pesfp-scan``: one surface and one set of descriptors for each structure that is done."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict
from aiida.parsers import Parser

from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.data.descriptors import GRID_SETTINGS, DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.parsers.program import last_words


class ScanParser(Parser):
    """Keeps whatever is done, however the job ended, and says what a restart could still add."""

    CACHE_VERSION = 3

    def parse(self, retrieved_temporary_folder: str | None = None, **kwargs) -> ExitCode | None:
        codes = self.exit_codes
        try:
            run = json.loads(self.retrieved.base.repository.get_object_content(f'{ScanCalculation.RESULTS}/run.json'))
            structures = run['structures']
        except FileNotFoundError:
            return codes.ERROR_NO_RESULTS.format(reason=last_words(self.node))
        except (json.JSONDecodeError, KeyError) as error:
            return codes.ERROR_CORRUPT_RESULTS.format(reason=f'run.json: {error}')
        if run['fatal'] is not None:
            return codes.ERROR_POTENTIAL_UNUSABLE.format(reason=run['fatal'])

        failures = {}
        for key, entry in structures.items():
            if entry['state'] == 'failed':
                failures[key] = {'error_type': entry['error_type'], 'error': entry['error']}
            elif entry['state'] == 'done':
                problem = self._add_outputs(key, run, Path(retrieved_temporary_folder))
                if problem:
                    failures[key] = {'error_type': 'CorruptResults', 'error': problem}
        if failures:
            self.out('failures', Dict(failures))
        self.out('output_parameters', Dict(self._totals(run)))

        if not run['complete']:
            return self._reason_to_restart(run)
        if len(failures) == len(structures):
            return codes.ERROR_ALL_STRUCTURES_FAILED
        return None

    def _add_outputs(self, key: str, run: dict, folder: Path) -> str | None:
        """Attach the outputs of one structure; the problem, if they cannot be read."""
        results = f'{ScanCalculation.RESULTS}/{key}'
        structure = self.node.inputs.structures[key]
        attributes = {
            'formula': run['structures'][key]['formula'],
            'species': run['species'],
            'potential_name': self.node.inputs.potential.name,
            'potential_sha256': self.node.inputs.potential.sha256,
            'structure_uuid': structure.uuid,
        }
        try:
            surface = PotentialEnergySurface.load(folder / results / 'pes.npz')
            found = json.loads(self.retrieved.base.repository.get_object_content(f'{results}/descriptors.json'))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            return f'{type(error).__name__}: {error}'
        pes = PesData.from_surface(surface, **attributes, **run['scan_settings'])
        grid = {name: run['scan_settings'][name] for name in GRID_SETTINGS}
        descriptors = DescriptorsData(found | attributes | grid | {'settings': run['descriptor_settings']})
        pes.label = descriptors.label = structure.label or attributes['formula']
        self.out(f'pes.{key}', pes)
        self.out(f'descriptors.{key}', descriptors)
        return None

    def _totals(self, run: dict) -> dict:
        done = [entry for entry in run['structures'].values() if entry['state'] == 'done']
        return {
            'version': run['version'],
            'device': run['device'],
            'structures_done': len(done),
            'structures': len(run['structures']),
            'evaluations': sum(entry['evaluations'] for entry in done),
            'seconds': sum(entry['seconds'] for entry in done),
        }

    def _reason_to_restart(self, run: dict) -> ExitCode:
        scheduler = self.node.exit_status
        if scheduler == ScanCalculation.exit_codes.ERROR_SCHEDULER_OUT_OF_MEMORY.status:
            return self.exit_codes.ERROR_OUT_OF_MEMORY
        if run['stopped'] or scheduler == ScanCalculation.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status:
            return self.exit_codes.ERROR_OUT_OF_WALLTIME
        return self.exit_codes.ERROR_INTERRUPTED
