"""Settings of migration barriers with a relaxed framework."""

from typing import Literal

from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, joined, setting
from aiida_pesfp.settings.md import LARGEST_DISTANCE, MINIMUM_DISTANCE
from aiida_pesfp.settings.scan import FingerprintSettings


@dataclass(frozen=True)
class BarrierSettings(Settings):
    """Which path is taken, by which method, and how far all other atoms relax; see :mod:`aiida_pesfp.barriers`."""

    picture: Literal['collective', 'vacancy', 'given'] = setting(
        'an ion and its images move in the cell of the scan (collective); one ion of a supercell hops into a vacancy; '
        'or all STRUCTUREs together, in their order, are the images of one path (given)',
        'vacancy',
    )
    method: Literal['pinned', 'profile', 'neb'] = setting(
        'all else relaxes around the ion at the saddle of the easiest frozen path (pinned) or at points along this '
        'path (profile), or a nudged elastic band with a climbing image begins on it (neb)',
        'pinned',
    )
    distance: float = setting(
        'smallest inter-planar distance of the supercell with the vacancy',
        MINIMUM_DISTANCE,
        unit='A',
        gt=0,
        le=LARGEST_DISTANCE,
        option='--supercell-distance',
    )
    longest_hop: float = setting('hops into a vacancy are not longer', 5.0, unit='A', gt=0, le=10)
    path_spacing: float = setting(
        'distance between the places at which the easiest path of a hop is looked for', 0.3, unit='A', ge=0.05, le=1
    )
    images: int = setting('points between the ends of a profile or band', 5, ge=1, le=50)
    fmax: float = setting('largest force on an atom at the end', 0.05, unit='eV/A', ge=1e-6, le=1)
    steps: int = setting('maximum number of steps of each relaxation or band', 300, gt=0, le=10**5)


#: Settings of a scan that barriers have too.
SCAN = ('species', 'cell', 'cell_size', 'spacing', 'minimum_distance', 'grid', 'symmetry', 'neighbours')
#: All settings of a barrier.
AllBarrierSettings = joined('AllBarrierSettings', (BarrierSettings, None), (FingerprintSettings, SCAN))
