"""Calculations of disordered structures: ordered structures of one, and the mean of what these have."""

import json
from collections.abc import Collection, Iterable, Mapping

from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import calcfunction
from aiida.orm import Dict, Str, StructureData
from pymatgen.core import Structure

from aiida_pesfp.calculations.program import ProgramCalculation, as_json
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


def ordering_keys(key: str, numbers: Iterable[int], taken: Collection[str]) -> list[str]:
    """Keys of the orderings of a structure in a screening, none of which is ``taken``."""
    keys: list[str] = []
    for number in numbers:
        keys.append(safe_name(f'{key}_{number}', [*taken, *keys]))
    return keys


def ordering_numbers(about: Mapping) -> list[int]:
    """The numbers of some orderings in the sequence of their seed: those of the outputs of :func:`order`."""
    return sorted(int(name.rpartition('_')[2]) for name in about)


class OrderCalculation(ProgramCalculation):
    """As :func:`order`, where orderings are chosen by a potential, or relaxed with one."""

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 2

    PROGRAM, SETTINGS = 'pesfp-order', OrderingSettings

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('species', valid_type=Str, help='The mobile ion, whose number balances the charge.')
        words = 'Record of the structure, whose file may have oxidation states.'
        spec.input('record', valid_type=RecordData, required=False, help=words)
        spec.outputs.valid_type = StructureData
        spec.output('about', valid_type=Dict, required=False, help='How each was made, by the names of the outputs.')
        spec.outputs['output_parameters'].help = 'error_type and error, or None; seconds, device, version.'
        del spec.exit_codes['ERROR_DIVERGED']

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        info.codes_info[0].cmdline_params.append(f'--species={self.inputs.species.value}')
        info.retrieve_list.append((f'{self.RESULTS}/*/orderings.json', '.', 3))
        return info

    def structure_as_json(self) -> str:
        return as_json(self.inputs.structure, _stated(self.inputs.get('record')))


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
    found = ordered_structures(structure.get_pymatgen_structure(), settings, species.value, _stated(record))
    return orderings_as_nodes(structure, settings, [(one.structure, one.provenance()) for one in found])


def orderings_as_nodes(
    parent: StructureData, settings: OrderingSettings, found: Iterable[tuple[Structure, dict]]
) -> dict[str, StructureData | Dict]:
    """The outputs of :func:`order` for some structures, and how they were made."""
    name, outputs, about = parent.label or parent.get_formula(), {}, {}
    for number, (structure, how) in enumerate(found, start=settings.skip_orderings):
        outputs[f'ordering_{number}'] = StructureData(pymatgen=structure, label=f'{name}, ordering {number}')
        about[f'ordering_{number}'] = how
    return outputs | {'about': Dict(about)}


def _stated(record: RecordData | None) -> dict[str, float] | None:
    """Oxidation states in the file of a structure."""
    return record and record.to_structure().properties.get('oxidation_states')


@calcfunction
def pool_orderings(structure: StructureData, parameters: Dict, **members: DescriptorsData) -> EnsembleData:
    """The descriptors of a disordered structure from those of its orderings.

    :param structure: the disordered one.
    :param parameters: ``weights`` of the members by key, equal by default; ``doubts`` of the orderings;
        ``largest_error`` (:class:`~aiida_pesfp.settings.ordering.EnsembleSettings`), and the ``way_out`` of a larger
        one.
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
    limits = [given[name] for name in ('largest_error', 'way_out') if name in given]
    if limits and (shortfall := ensemble.shortfall(*limits)):
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
