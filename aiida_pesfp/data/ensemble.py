"""Node of the descriptors of a disordered structure."""

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.required import attribute


class EnsembleData(DescriptorsData):
    """Descriptors of a disordered structure: means over its orderings, with their spread.

    Its attributes are those of :class:`~aiida_pesfp.data.descriptors.DescriptorsData`, and those of
    :class:`~aiida_pesfp.fingerprint.ensemble.Ensemble`: ``spread`` and ``error`` by the names of quantities, ``xi_low``
    and ``xi_high``. ``orderings`` is their number, ``weights`` are theirs by key, and ``ions`` is empty: each ordering
    has descriptors of its own.
    """

    _REQUIRED = (*DescriptorsData._REQUIRED, 'spread', 'error', 'orderings', 'weights')

    xi_low = attribute('xi_low', 'Xi at the lower end of the interval that holds that of all orderings.')
    xi_high = attribute('xi_high', 'Xi at the upper end of the interval.')
    orderings = attribute('orderings', 'Number of orderings.')
