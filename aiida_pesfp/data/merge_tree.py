"""Node of the merge tree of a potential energy surface."""

import io
from typing import Self

from aiida.common.exceptions import ValidationError
from aiida.orm import SinglefileData

from aiida_pesfp.data.required import RequiredAttributes
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.merge_tree import MergeTree
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters


class MergeTreeData(RequiredAttributes, SinglefileData):
    """Merge tree of the surface of the mobile ions of one structure: what is kept of it in place of a ``PesData``.

    Its one file holds a :class:`~aiida_pesfp.fingerprint.merge_tree.MergeTree`. Attributes: ``shape`` of the grid,
    ``neighbours``, the rule of its paths, ``energy_limit``, up to which it has free volumes (eV),
    ``number_of_minima``, ``number_of_mobile_ions``, ``number_of_scanned_ions``, ``evaluations``, ``stopped_early``, and
    whatever else is given, such as ``formula``, ``species``, ``structure_uuid``, ``potential_sha256`` and the settings
    of the scan.
    """

    _REQUIRED = ('shape', 'neighbours', 'energy_limit', 'number_of_minima')
    _MAKER = 'from_tree'
    FILE = 'tree.npz'

    @classmethod
    def from_tree(cls, tree: MergeTree, **attributes) -> Self:
        """An unstored node of a merge tree.

        :param attributes: further attributes to query by, of plain JSON types.
        """
        content = io.BytesIO()
        tree.save(content)
        content.seek(0)
        node = cls(content, filename=cls.FILE)
        own = {
            'shape': [int(n) for n in tree.shape],
            'neighbours': tree.neighbours,
            'energy_limit': tree.limit,
            'number_of_minima': len(tree.basins),
            **tree.numbers(),
        }
        node.base.attributes.set_many(attributes | own)
        return node

    def to_tree(self) -> MergeTree:
        """The merge tree."""
        return MergeTree.load(io.BytesIO(self.get_content(mode='rb')))

    def free_volumes(self, threshold: float, smearing: tuple[float, ...] = DescriptorSettings().smearing) -> dict:
        """Free volumes by name (``fv_connected``, ...) at a threshold, eV, as fractions of the cell (Eq. 3).

        :param smearing: each is the mean over the threshold plus each of these, eV.
        :raises ValueError: if these are above ``energy_limit``.
        """
        return self._quantities('fv_', threshold, smearing)

    def barriers(self) -> dict:
        """``mpe`` and the barriers for percolation by name, eV."""
        return self._quantities(('mpe', 'barrier_'), 0.0, (0.0,))

    def _quantities(self, beginning: str | tuple[str, ...], threshold: float, smearing: tuple[float, ...]) -> dict:
        tree = self.to_tree()
        settings = DescriptorSettings(
            thresholds=(threshold,),
            smearing=tuple(smearing),
            neighbours=tree.neighbours,
            xi=XiParameters(threshold=threshold),
        )
        values = describe(tree, settings).values
        return {name: values[name] for name in NAMES if name.startswith(beginning)}

    def _validate(self) -> bool:
        super()._validate()
        try:
            tree = self.to_tree()
        except ValueError as error:
            raise ValidationError(f'{error}: make it with MergeTreeData.from_tree') from error
        stated = {'energy_limit': tree.limit, 'number_of_minima': len(tree.basins), 'neighbours': tree.neighbours}
        for name, value in stated.items():
            if self.base.attributes.get(name) != value:
                raise ValidationError(
                    f'the attribute {name} is {self.base.attributes.get(name)}, but the tree has {value}'
                )
        return True
