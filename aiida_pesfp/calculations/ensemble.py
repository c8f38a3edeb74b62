"""Calculation functions of disordered structures."""

import json

from aiida.engine import calcfunction
from aiida.orm import Dict, StructureData

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.ensemble import EnsembleData
from aiida_pesfp.fingerprint.ensemble import pool
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.settings.scan import SCAN_SETTINGS

#: What the members of an ensemble have in common.
_COMMON = ('species', 'potential_name', 'potential_sha256', 'settings', *SCAN_SETTINGS)


@calcfunction
def pool_orderings(structure: StructureData, parameters: Dict, **members: DescriptorsData) -> EnsembleData:
    """The descriptors of a disordered structure from those of its orderings.

    :param structure: the disordered one.
    :param parameters: ``weights`` of the members by key, equal by default; ``largest_error`` of log10 of a free volume
        (:class:`~aiida_pesfp.settings.ordering.OrderingSettings`).
    :param members: descriptors of the orderings.
    :raises ValueError: if they differ in potential or settings.
    """
    given, keys = parameters.get_dict(), sorted(members)
    nodes = [members[key] for key in keys]
    for name in _COMMON:
        if len({json.dumps(node.get(name), sort_keys=True) for node in nodes}) > 1:
            raise ValueError(f'the orderings of {structure} differ in {name}: scan them alike')
    weights = {key: float(given.get('weights', {}).get(key, 1.0)) for key in keys}
    settings = DescriptorSettings.from_dict(nodes[0].get('settings', {}))
    ensemble = pool([node.get_dict() for node in nodes], list(weights.values()), settings.xi)
    doubts = list(dict.fromkeys(doubt for node in nodes for doubt in node.get('doubts', [])))
    if 'largest_error' in given and (shortfall := ensemble.shortfall(given['largest_error'])):
        doubts.append(shortfall)
    about = {name: nodes[0].get(name) for name in _COMMON} | {
        'formula': structure.get_pymatgen_structure().composition.reduced_formula,
        'structure_uuid': structure.uuid,
        'orderings': len(nodes),
        'weights': weights,
        'doubts': doubts,
        'ions': [],
    }
    return EnsembleData(ensemble.as_dict() | about, label=structure.label)
