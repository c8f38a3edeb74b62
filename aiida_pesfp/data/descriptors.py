"""Node of the descriptors of one structure."""

from aiida.orm import Dict

from aiida_pesfp.data.required import RequiredAttributes, attribute
from aiida_pesfp.fingerprint.quantities import QUANTITIES


class DescriptorsData(RequiredAttributes, Dict):
    """Descriptors of one structure, all of them attributes and so to be queried.

    Every quantity of :data:`~aiida_pesfp.fingerprint.quantities.QUANTITIES` is an attribute to query and a property of
    the node, such as ``xi`` and ``mpe`` (eV); nodes that are older than a quantity have None. Further attributes:
    ``spectrum`` with the lists ``thresholds`` (eV), ``connected`` and ``disconnected``; ``ions``, for each mobile ion
    its ``index``, ``equivalent_to``, ``fractional_coordinates`` and quantities; ``stopped_early``, whether all but
    ``xi_upper`` are estimates; ``formula``, ``species``, ``potential_name``, ``potential_sha256``, ``structure_uuid``;
    ``cell``, ``cell_size`` (A; None but for cells of a minimal size), ``others``, ``spacing``, ``minimum_distance`` (A)
    and ``grid`` of the scan; ``settings`` of the descriptors; ``doubts``, reasons in sentences not to trust the
    structure or its surface.
    """

    #: Rankings and the report need these.
    _REQUIRED = ('xi', 'mpe', 'fv_connected', 'fv_disconnected', 'spectrum')

    ions = attribute('ions', 'Descriptors of every mobile ion on its own.')


for _one in QUANTITIES:
    setattr(DescriptorsData, _one.name, attribute(_one.name, _one.meaning))
