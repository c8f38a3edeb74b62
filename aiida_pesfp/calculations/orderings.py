"""Calculation functions of disordered structures: ordered structures of one, and the mean of what these have."""

import json
from collections.abc import Collection

from aiida.engine import calcfunction
from aiida.orm import Dict, Str, StructureData

from aiida_pesfp.crystals.names import safe_name
from aiida_pesfp.crystals.ordering.order import order as ordered_structures
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.ensemble import EnsembleData
from aiida_pesfp.data.record import RecordData
from aiida_pesfp.fingerprint.ensemble import pool
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.settings.ordering import OrderingSettings
from aiida_pesfp.settings.scan import SCAN_SETTINGS

#: What the members of an ensemble have in common.
_COMMON = ('species', 'potential_name', 'potential_sha256', 'settings', *SCAN_SETTINGS)


def ordering_keys(key: str, number: int, taken: Collection[str]) -> list[str]:
    """Keys of the orderings of a structure in a screening, none of which is ``taken``."""
    keys: list[str] = []
    for place in range(number):
        keys.append(safe_name(f'{key}_{place}', [*taken, *keys]))
    return keys


@calcfunction
def order(structure: StructureData, species: Str, parameters: Dict, record: RecordData | None = None) -> dict:
    """Ordered structures of a disordered one.

    :param species: the mobile ion, whose number balances the charge.
    :param parameters: fields of :class:`~aiida_pesfp.settings.ordering.OrderingSettings`.
    :param record: of the structure; its file may have oxidation states, which a StructureData does not hold.
    :returns: the structures as ``ordering_0`` and so on, and ``about``: how each was made, by these keys
        (:class:`~aiida_pesfp.crystals.ordering.order.Ordering`), with its ``weight``.
    :raises StructureError: if it has no ordering that fits, with the sites and the way out.
    """
    settings = OrderingSettings.from_dict(parameters.get_dict())
    given = record and record.to_structure().properties.get('oxidation_states')
    found = ordered_structures(structure.get_pymatgen_structure(), settings, species.value, given)
    name = structure.label or structure.get_formula()
    outputs, about = {}, {}
    for number, one in enumerate(found):
        key = f'ordering_{number}'
        outputs[key] = StructureData(pymatgen=one.structure, label=f'{name}, ordering {number}')
        about[key] = one.provenance()
    return outputs | {'about': Dict(about)}


@calcfunction
def pool_orderings(structure: StructureData, parameters: Dict, **members: DescriptorsData) -> EnsembleData:
    """The descriptors of a disordered structure from those of its orderings.

    :param structure: the disordered one.
    :param parameters: ``weights`` of the members by key, equal by default; ``doubts`` of the orderings; and
        ``largest_error`` (:class:`~aiida_pesfp.settings.ordering.OrderingSettings`).
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
    every = (*given.get('doubts', ()), *(doubt for node in nodes for doubt in node.get('doubts', [])))
    doubts = list(dict.fromkeys(every))
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
