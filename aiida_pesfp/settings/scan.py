"""Settings of a scan (arXiv:2411.06804, Sec. II A), alone and with those of the descriptors."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic.dataclasses import dataclass
from pymatgen.core import Element

from aiida_pesfp.settings.base import Settings, setting
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters
from aiida_pesfp.settings.keep import KeepSettings
from aiida_pesfp.settings.md import LARGEST_DISTANCE, MINIMUM_DISTANCE

#: Settings of a scan on which its numbers depend.
SCAN_SETTINGS = ('cell', 'cell_size', 'others', 'spacing', 'minimum_distance', 'grid')


@dataclass(frozen=True)
class ScanSettings(Settings):
    """How finely, and how close to other atoms, the potential energy surface is scanned.

    The grid ``'paper'`` has the fewest points along each lattice vector that keep the spacing (Sec. II A);
    ``'symmetric'`` has some more where that makes more of them equivalent. ``symmetry`` does not change the result.
    ``others`` says what surrounds the ion, as :func:`aiida_pesfp.fingerprint.plan.host_of`; ``adaptive`` and
    ``stop_below``, which points are evaluated (see :mod:`aiida_pesfp.fingerprint.adaptive` and
    :mod:`aiida_pesfp.fingerprint.early`). A scan stops only if Xi with the cuts ``stop_xi`` is below the limit too.
    """

    spacing: float = setting(
        'largest distance between grid points along a lattice vector', 0.25, unit='A', ge=0.03, le=2
    )
    minimum_distance: float = setting(
        'grid points closer than this to another atom are not evaluated', 1.2, unit='A', ge=0, le=5
    )
    grid: Literal['paper', 'symmetric'] = setting(
        'fewest points that keep the spacing (paper), or a few more but fewer evaluations (symmetric)', 'paper'
    )
    others: Literal['fixed', 'removed', 'interstitial'] = setting(
        'what surrounds the ion: all other atoms (fixed), all but the others of its species (removed), or the whole '
        'crystal, to which one ion is added (interstitial)',
        'fixed',
    )
    symmetry: bool = setting('evaluate equivalent points and ions once', True, option='--symmetry/--no-symmetry')
    adaptive: bool = setting(
        'evaluate only the points on which Xi and MPE depend; not on a GPU, which evaluates all of them sooner', False
    )
    stop_below: float | None = setting(
        'stop a scan as soon as it is certain that Xi is below this: its other values are estimates', None, gt=0, lt=1
    )
    # Its repr is that of older results, from which scans resume.
    stop_xi: XiParameters = setting(
        'parameters of Xi that has to be below stop_below too; by default those of the calibration of the potential',
        XiParameters(),
        repr=False,
    )
    stop_probability: float = setting('probability for each point with which a verdict is made', 0.999, ge=0.5, lt=1)


@dataclass(frozen=True)
class FingerprintSettings(Settings):
    """All settings of ``pesfp-scan``: the mobile species, the cell, the scan, the descriptors, and what is kept.

    Descriptors depend on the cell: see :mod:`aiida_pesfp.crystals.canonical`.
    """

    species: str = setting('chemical symbol of the mobile ion', 'Li')
    cell: Literal['primitive', 'size_consistent', 'as_given'] = setting(
        'scan the primitive cell, the same for every description of a crystal; or its smallest supercell in which an '
        'ion is far from its images (size_consistent); or the cell as given',
        'primitive',
    )
    cell_size: float = setting(
        'smallest inter-planar distance of a size-consistent cell',
        MINIMUM_DISTANCE,
        unit='A',
        gt=0,
        le=LARGEST_DISTANCE,
    )
    scan: ScanSettings = setting(default=ScanSettings(), flat=True)
    descriptors: DescriptorSettings = setting(default=DescriptorSettings(), flat=True)
    # Not in the repr, from which barriers resume: it changes no number.
    retention: KeepSettings = setting(default=KeepSettings(), flat=True, repr=False)

    def __post_init__(self):
        if not Element.is_valid_symbol(self.species):
            raise ValueError(f'the species {self.species[:20]!r} is not the symbol of a chemical element')
        if self.cell != 'size_consistent' and self.cell_size != MINIMUM_DISTANCE:
            raise ValueError(f'cell_size = {self.cell_size:g} A counts with cell size_consistent only')
        limit, highest = self.retention.tree_limit, self.descriptors.highest
        if limit is not None and limit < highest:
            raise ValueError(
                f'tree_limit = {limit:g} eV is below the {highest:g} eV of the highest threshold with its smearing: '
                'raise it, or lower the thresholds'
            )

    def compared(self) -> dict[str, Any]:
        """The values of :data:`SCAN_SETTINGS`; the size of the cell is None where it does not count."""
        size = self.cell_size if self.cell == 'size_consistent' else None
        return {name: getattr(self.scan, name, None) for name in SCAN_SETTINGS} | {'cell': self.cell, 'cell_size': size}

    def origin(self, potential_sha256: str, potential_name: str | None = None) -> dict[str, Any]:
        """Attributes of descriptors by these settings that tell whether a calibration was made for them."""
        origin = {'species': self.species, 'potential_sha256': potential_sha256, 'potential_name': potential_name}
        return origin | self.compared() | {'settings': self.descriptors.as_dict()}

    @classmethod
    def unusual(cls, compared: Mapping[str, Any]) -> dict[str, Any]:
        """Of :meth:`compared`, what makes numbers other ones than those of the paper: cell and surroundings, if so."""
        usual = cls().compared()
        names = (name for name in ('cell', 'cell_size', 'others') if compared.get(name) not in (None, usual[name]))
        return {name: compared[name] for name in names}
