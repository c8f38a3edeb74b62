"""Calculation functions: what is computed in the daemon itself, with provenance."""

from aiida.engine import calcfunction
from aiida.orm import Dict

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.errors import StoppedEarly
from aiida_pesfp.fingerprint.descriptors import describe as describe_surface
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.settings.scan import SCAN_SETTINGS, FingerprintSettings


@calcfunction
def describe(pes: PesData, parameters: Dict) -> DescriptorsData:
    """New descriptors from a stored surface, without a new scan.

    :param pes: the surface.
    :raises StoppedEarly: if the scan stopped as soon as it was certain that Xi is small.
    :param parameters: ``thresholds`` (eV), ``smearing`` (eV), ``neighbours`` and ``xi``, each optional.
    """
    settings, surface = FingerprintSettings.from_dict(parameters.get_dict()).descriptors, pes.to_surface()
    if surface.stopped_early:
        raise StoppedEarly(f'the scan of {pes} stopped early, with estimates only: scan again without stop_below')
    found = describe_surface(surface, settings).as_dict()
    # Attributes of the surface, to be queried without a join.
    names = ('formula', 'species', 'potential_name', 'potential_sha256', 'structure_uuid', 'doubts', *SCAN_SETTINGS)
    inherited = {name: pes.base.attributes.get(name) for name in names if name in pes.base.attributes}
    return DescriptorsData(found | inherited | {'settings': settings.as_dict()})


# AiiDA asks this: descriptors that lack a quantity, because the table has grown since, are computed again.
describe.is_valid_cache = lambda node: set(NAMES) <= set(node.outputs.result.keys())
