"""Questions about what jobs have computed, so that it is not computed again."""

import contextlib
from dataclasses import replace

from aiida.orm import CalcFunctionNode, CalcJobNode, Dict, FolderData, QueryBuilder, StructureData

from aiida_pesfp.calculations.scan import ScanCalculation, take_scan
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.settings.keep import KeepSettings
from aiida_pesfp.settings.scan import FingerprintSettings


def stored_results(potential: PotentialData, parameters: FingerprintSettings) -> dict[str, int]:
    """:func:`sha256_of` each structure that was scanned with a potential and settings -> PK of the newest results.

    Whatever process has called the job, and whether or not it ended well. What it has kept has to be enough.
    """
    version = {'attributes.cache_version': ScanCalculation.CACHE_VERSION, 'attributes.quantities': sorted(NAMES)}
    kind = {'process_type': ScanCalculation.build_process_type()}
    query = QueryBuilder().append(PotentialData, filters={'attributes.sha256': potential.sha256}, tag='potential')
    query.append(CalcJobNode, filters=kind, with_incoming='potential', tag='job')
    query.append(Dict, with_outgoing='job', edge_filters={'label': 'parameters'}, project='attributes')
    columns = ['id', 'attributes.structures', f'extras.{PesData.DROPPED}']
    of_results = {'edge_filters': {'label': 'results'}, 'project': columns, 'tag': 'results'}
    query.append(FolderData, filters=version, with_incoming='job', **of_results).order_by({'results': 'id'})
    found, wanted = {}, parameters.retention
    for given, pk, structures, dropped in query.iterall():
        # What this version refuses was computed by another one.
        with contextlib.suppress(ValueError):
            made = FingerprintSettings.from_dict(given)
            if replace(made, retention=wanted) == parameters and made.retention.covers(wanted):
                lost = dropped if dropped and wanted != KeepSettings(keep='descriptors') else ()
                found |= {one['sha256']: pk for key, one in structures.items() if key not in lost}
    return found


def taken_from(results: FolderData) -> dict[str, int]:
    """UUID of each structure that has taken its part of the results of a job -> PK of the function that took it."""
    of_function = {'process_label': take_scan.__name__, 'exit_status': 0}
    filters = {f'attributes.{name}': value for name, value in of_function.items()}
    query = QueryBuilder().append(FolderData, filters={'id': results.pk}, tag='results')
    query.append(CalcFunctionNode, filters=filters, with_incoming='results', tag='function', project='id')
    query.append(StructureData, with_outgoing='function', project='uuid')
    return {uuid: pk for pk, uuid in query.order_by({'function': 'id'}).all()}
