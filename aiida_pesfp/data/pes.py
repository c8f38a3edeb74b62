"""Node of a potential energy surface."""

import hashlib
import tempfile
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Self

import numpy as np
from aiida.common import timezone
from aiida.common.exceptions import ValidationError
from aiida.orm import ArrayData, FolderData, Node

from aiida_pesfp.errors import GridDropped
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

    ``node.drop_grid()`` gives up the energies to make room; the node, its attributes and its links remain.
    """

    #: The extra that says when a grid was dropped, its bytes and SHA-256, and which merge tree stands for it; of the
    #: results of a job, the same by the key of each structure.
    DROPPED = 'pesfp_grid_dropped'
    #: The file of the energies.
    GRID = 'energies.npy'

    @classmethod
    def from_surface(cls, surface: PotentialEnergySurface, **attributes) -> Self:
        """An unstored node of a surface.

        :param attributes: further attributes to query by, of plain JSON types.
        """
        node = cls()
        for name, array in surface.as_arrays().items():
            node.set_array(name, array.astype(np.float32) if name == 'energies' else array)
        own = {'shape': [int(n) for n in surface.shape], **surface.numbers()}
        node.base.attributes.set_many(attributes | own)
        return node

    @property
    def has_grid(self) -> bool:
        """Whether the energies are still there."""
        return not self.is_stored or self.GRID in self.base.repository.metadata.get('o', {})

    @property
    def grid_bytes(self) -> int:
        """Bytes of the energies, by their number."""
        return int(np.prod(self.get_shape('energies'))) * np.dtype(np.float32).itemsize

    def get_array(self, name: str | None = None) -> np.ndarray:
        """As of every ``ArrayData``; :class:`~aiida_pesfp.errors.GridDropped` if the energies were dropped."""
        if name == 'energies' and not self.has_grid:
            told = self.base.extras.get(self.DROPPED, {})
            when = f' on {told["time"][:10]}' if 'time' in told else ''
            tree = f'descriptors follow from its merge tree {told["tree"]}; ' if told.get('tree') else ''
            raise GridDropped(
                f'the grid of {self.label or "the surface"}<{self.pk}> was dropped{when}: {tree}for energies, maps and '
                'paths, scan the structure again, as by `aiida-pesfp launch scan`'
            )
        return super().get_array(name)

    def drop_grid(self, tree: Node | None = None) -> int:
        """Give up the energies, here and in the results of the job that they come from; the number of their bytes.

        The file is no longer among those of the nodes, so that ``verdi storage maintain`` frees its bytes, unless
        another node has a file with the same. Deleting a node instead would delete all that made it or returned it.
        What has lost files is no source for the cache, and its job none for later screenings.

        :param tree: the merge tree that stands for the surface.
        :raises GridDropped: if it was dropped before.
        """
        self.get_array('energies')
        content = self.base.repository.get_object_content(self.GRID, 'rb')
        told = {'time': timezone.now().isoformat(), 'bytes': len(content), 'tree': tree and tree.uuid}
        told['sha256'] = hashlib.sha256(content).hexdigest()
        key = self.base.repository.metadata['o'][self.GRID]['k']
        results = self.creator.base.links.get_incoming(FolderData).all_nodes() if self.creator else []
        with self.backend.transaction():
            self.base.extras.set(self.DROPPED, told)
            for node in results:
                folders = node.base.repository.metadata['o'].items()
                lost = [name for name, one in folders if one.get('o', {}).get(self.GRID, {}).get('k') == key]
                node.base.extras.set(self.DROPPED, node.base.extras.get(self.DROPPED, {}) | dict.fromkeys(lost, told))
            for node in (self, *results):
                node.backend_entity.repository_metadata = _without(node.base.repository.metadata, key)
                node.base.caching.is_valid_cache = False
        self.clear_internal_cache()
        return len(content)

    def to_surface(self) -> PotentialEnergySurface:
        """The surface; :class:`~aiida_pesfp.errors.GridDropped` if its energies were dropped."""
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


def _without(folder: dict, key: str) -> dict:
    """Metadata of a repository without the files that have some content."""
    inner = folder.get('o', {}).items()
    return folder | {
        'o': {name: _without(one, key) if 'o' in one else one for name, one in inner if one.get('k') != key}
    }
