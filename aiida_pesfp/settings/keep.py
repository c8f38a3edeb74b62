"""What is kept of surfaces, for those who have not the room for all grids."""

from typing import Literal

from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting
from aiida_pesfp.settings.descriptors import DescriptorSettings

#: By default, merge trees reach so far above the highest threshold, eV.
_MARGIN = 0.1


@dataclass(frozen=True)
class KeepSettings(Settings):
    """What is kept of each surface that was scanned.

    From a merge tree (:mod:`aiida_pesfp.fingerprint.merge_tree`) follow all descriptors, at any threshold below its
    limit, but no maps and no paths.
    """

    keep: Literal['full', 'merge-tree', 'descriptors'] = setting(
        'keep of each surface its whole grid (full), its merge tree, or nothing but its descriptors', 'full'
    )
    full_above: float | None = setting(
        'keep the whole grid all the same of structures whose Xi, or its upper bound, is above this', None, ge=0, lt=1
    )
    tree_limit: float | None = setting(
        'a merge tree gives free volumes up to this energy, by default a little above the highest threshold',
        None,
        unit='eV',
        gt=0,
    )

    def __post_init__(self):
        if self.keep == 'full' and self.full_above is not None:
            raise ValueError(f'full_above = {self.full_above:g} counts only if not all grids are kept (keep)')
        if self.keep != 'merge-tree' and self.tree_limit is not None:
            raise ValueError(f'tree_limit = {self.tree_limit:g} eV counts with keep merge-tree only')

    def of(self, xi_upper: float) -> str:
        """What is kept of a structure with this upper bound of Xi."""
        return 'full' if self.full_above is not None and xi_upper > self.full_above else self.keep

    def covers(self, wanted: 'KeepSettings') -> bool:
        """Whether what is kept by these settings is, for any structure, at least what is wanted."""
        return self == wanted or self.keep == 'full' or wanted == KeepSettings(keep='descriptors')

    def limit(self, descriptors: DescriptorSettings) -> float:
        """Up to which energy merge trees give free volumes, eV."""
        return descriptors.highest + _MARGIN if self.tree_limit is None else self.tree_limit
