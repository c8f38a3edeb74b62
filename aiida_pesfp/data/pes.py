"""Node of a potential energy surface."""

import tempfile
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Self

import numpy as np
from aiida.common.exceptions import ValidationError
from aiida.orm import ArrayData

from aiida_pesfp.fingerprint.export import volume, write_volume
from aiida_pesfp.fingerprint.percolation import energy_profile
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface


class PesData(ArrayData):
    """Potential energy surface of the mobile ions of one structure.

    The arrays are the fields of :class:`~aiida_pesfp.fingerprint.surface.PotentialEnergySurface`, with the energies
    (eV, relative to the lowest of each ion) in single precision. Attributes: ``formula``, ``species``, ``shape`` of the
    grid, ``number_of_mobile_ions``, ``number_of_scanned_ions``, ``evaluations``, ``stopped_early``, and whatever else
    is given.

    ``node.export(path)`` writes the surface as ``.cube`` or ``.xsf``, with ``kind='level'`` the level map, with
    ``ion=3`` those of one ion instead of the union; or as ``.csv`` the energy profile along the easiest path.
    """

    @classmethod
    def from_surface(cls, surface: PotentialEnergySurface, **attributes) -> Self:
        """An unstored node of a surface.

        :param attributes: further attributes to query by, of plain JSON types.
        """
        node = cls()
        for name, array in surface.as_arrays().items():
            node.set_array(name, array.astype(np.float32) if name == 'energies' else array)
        own = {
            'shape': [int(n) for n in surface.shape],
            'number_of_mobile_ions': len(surface.mobile_ions),
            'number_of_scanned_ions': len(surface.scanned_ions),
            'evaluations': surface.evaluations,
            'stopped_early': surface.stopped_early,
        }
        node.base.attributes.set_many(attributes | own)
        return node

    def to_surface(self) -> PotentialEnergySurface:
        """The surface."""
        return PotentialEnergySurface.from_arrays({name: self.get_array(name) for name in self.get_arraynames()})

    def _volume(self, ending, main_file_name='', kind='energy', ion=None, neighbours='sqrt3') -> tuple[bytes, dict]:
        surface = self.to_surface()
        values = volume(surface, kind, None if ion is None else [surface.position_of(ion)], neighbours)
        return _content_of(f'{kind}.{ending}', lambda path: write_volume(path, *values))

    # AiiDA finds the formats of ``export`` by these names.
    _prepare_cube, _prepare_xsf = partialmethod(_volume, 'cube'), partialmethod(_volume, 'xsf')

    def _prepare_csv(self, main_file_name='', ion=None, neighbours='sqrt3') -> tuple[bytes, dict]:
        surface = self.to_surface()
        positions = range(len(surface.mobile_ions)) if ion is None else [surface.position_of(ion)]
        profiles = [energy_profile(surface, position, neighbours) for position in positions]
        return _content_of('profile.csv', min(profiles, key=lambda profile: profile.barrier).save)

    def _validate(self) -> bool:
        super()._validate()
        try:
            surface = self.to_surface()
        except KeyError as error:
            raise ValidationError(f'a PesData needs the array {error}: make it with PesData.from_surface') from error
        if surface.energies.ndim != 4 or len(surface.energies) != len(surface.scanned_ions):
            raise ValidationError(
                f'the energies have the shape {surface.energies.shape}: expected are {len(surface.scanned_ions)} grids'
            )
        return True


def _content_of(name: str, write: Callable[[Path], None]) -> tuple[bytes, dict]:
    """Content of a file that a function writes, and no further files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes(), {}
