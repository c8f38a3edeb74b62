"""Parser of ``pesfp-scan``: a node with descriptors, and what was kept of the surfaces."""

import json
import zipfile
from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict

from aiida_pesfp.calculations.scan import DESCRIPTORS, add_result, keys_of, results_of
from aiida_pesfp.fingerprint.merge_tree import KEPT
from aiida_pesfp.parsers.program import ProgramParser


class ScanParser(ProgramParser):
    """Stores all that is done, however the job ended, and says what a restart could add."""

    CACHE_VERSION = 8

    def store(self, run: dict, folder: Path) -> ExitCode | None:
        results, failures = results_of(self.node.inputs.potential, run), {}
        for key, entry in run['structures'].items():
            if entry['state'] == 'failed':
                failures[key] = {name: entry[name] for name in ('error_type', 'error')}
            elif entry['state'] == 'done':
                try:
                    structure = self.node.inputs.batch.base.repository.get_object_content(f'{key}.json')
                    kind = KEPT[entry['kept']]
                    scanned = kind.load(folder / key / kind.FILE)
                    descriptors = json.loads((folder / key / DESCRIPTORS).read_text())
                    add_result(results, key, structure, scanned, descriptors, entry['doubts'])
                except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                    failures[key] = {'error_type': 'CorruptResults', 'error': f'{type(error).__name__}: {error}'}
        if keys_of(results):
            self.out('results', results)
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
