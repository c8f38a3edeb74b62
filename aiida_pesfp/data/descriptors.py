"""Node of the descriptors of one structure."""

from __future__ import annotations

from aiida.common.exceptions import ValidationError
from aiida.orm import Dict

#: Settings of the scan on which the numbers depend.
GRID_SETTINGS = ('spacing', 'minimum_distance')


class DescriptorsData(Dict):
    """Descriptors of one structure, all of them attributes and so to be queried.

    ``xi``, ``mpe`` (eV), ``fv_connected`` and ``fv_disconnected`` (at the threshold of Xi), ``spectrum`` with the lists
    ``thresholds`` (eV), ``connected`` and ``disconnected``, ``barrier_1d``, ``barrier_2d`` and ``barrier_3d`` (eV) for
    percolation in so many dimensions, ``ions`` with the fields of
    :class:`~aiida_pesfp.fingerprint.descriptors.IonDescriptors` for every mobile ion; besides them ``formula``,
    ``species``, ``potential_name``, ``potential_sha256``, ``structure_uuid``, ``spacing`` and ``minimum_distance``
    (A) of the scan, and ``settings`` of the descriptors, so that a query need not join.
    """

    _REQUIRED = ('xi', 'mpe', 'fv_connected', 'fv_disconnected', 'spectrum')

    def _validate(self) -> bool:
        super()._validate()
        missing = [name for name in self._REQUIRED if name not in self]
        if missing:
            raise ValidationError(f'a DescriptorsData needs {", ".join(missing)}')
        return True

    @property
    def xi(self) -> float:
        """The ranking descriptor of Eq. 4."""
        return self['xi']

    @property
    def mpe(self) -> float:
        """Minimal percolation energy, eV."""
        return self['mpe']

    @property
    def fv_connected(self) -> float:
        """Connected free volume at the threshold of Xi, a fraction of the cell."""
        return self['fv_connected']

    @property
    def fv_disconnected(self) -> float:
        """Disconnected free volume at the threshold of Xi, a fraction of the cell."""
        return self['fv_disconnected']

    @property
    def barriers(self) -> tuple[float, float, float]:
        """Barriers for percolation in one, two and three dimensions, eV."""
        return self['barrier_1d'], self['barrier_2d'], self['barrier_3d']

    @property
    def ions(self) -> list[dict]:
        """Descriptors of every mobile ion on its own."""
        return self['ions']
