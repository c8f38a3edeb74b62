"""Calculation functions: what is computed in the daemon itself, with provenance."""

from aiida.engine import calcfunction
from aiida.orm import Dict

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.merge_tree import MergeTreeData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.errors import StoppedEarly
from aiida_pesfp.fingerprint.descriptors import describe as describe_surface
from aiida_pesfp.fingerprint.merge_tree import MergeTree
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.settings.scan import SCAN_SETTINGS, FingerprintSettings

#: Attributes of a surface that what comes from it has too, to be queried without a join.
_INHERITED = ('formula', 'species', 'potential_name', 'potential_sha256', 'structure_uuid', 'doubts', *SCAN_SETTINGS)


@calcfunction
def describe(surface: PesData | MergeTreeData, parameters: Dict) -> DescriptorsData:
    """New descriptors from a stored surface or its merge tree, without a new scan.

    :param parameters: ``thresholds`` (eV), ``smearing`` (eV), ``neighbours`` and ``xi``, each optional.
    :raises StoppedEarly: if the scan stopped as soon as it was certain that Xi is small.
    :raises ValueError: if a merge tree does not reach as high, or is of other neighbours.
    """
    settings = FingerprintSettings.from_dict(parameters.get_dict()).descriptors
    found = surface.to_tree() if isinstance(surface, MergeTreeData) else surface.to_surface()
    if found.stopped_early:
        raise StoppedEarly(f'the scan of {surface} stopped early, with estimates only: scan again without stop_below')
    values = describe_surface(found, settings).as_dict()
    return DescriptorsData(values | _inherited(surface) | {'settings': settings.as_dict()})


@calcfunction
def merge_tree(surface: PesData, parameters: Dict) -> MergeTreeData:
    """The merge tree of a stored surface.

    :param parameters: as of :func:`describe`, and ``tree_limit`` (eV); it reaches as high as such descriptors need.
    """
    chosen = FingerprintSettings.from_dict(parameters.get_dict() | {'keep': 'merge-tree'})
    limit, neighbours = chosen.retention.limit(chosen.descriptors), chosen.descriptors.neighbours
    tree = MergeTreeData.from_tree(MergeTree.of(surface.to_surface(), limit, neighbours), **_inherited(surface))
    tree.label = surface.label
    return tree


def _inherited(surface: PesData | MergeTreeData) -> dict:
    attributes = surface.base.attributes.all
    return {name: attributes[name] for name in _INHERITED if name in attributes}


# AiiDA asks this: descriptors that lack a quantity, because the table has grown since, are computed again.
describe.is_valid_cache = lambda node: set(NAMES) <= set(node.outputs.result.keys())
