"""Energies and levels (eV) as files for VESTA, XCrySDen, Ovito and others.

``.cube`` is Gaussian's format: N points along each lattice vector, end point excluded, lengths in Bohr. ``.xsf`` is
XCrySDen's general grid: N+1 points, the last of which are periodic images of the first, lengths in A.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io.cube import write_cube
from ase.io.xsf import write_xsf

from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import neighbour_steps
from aiida_pesfp.fingerprint.maps import ion_maps, to_cell_frame
from aiida_pesfp.fingerprint.percolation import energy_profile
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.settings.descriptors import KINDS

FORMATS = ('cube', 'xsf')
#: Choices of :func:`export`: volumes in either format, and energy profiles as tables.
EXPORTS = (*FORMATS, 'profile')


def volume(
    surface: PotentialEnergySurface, kind: str = 'energy', positions=None, neighbours: str = 'sqrt3'
) -> tuple[Atoms, np.ndarray]:
    """The crystal and its (N1, N2, N3) energies, eV; or the crystal repeated 2 x 2 x 2 and its (2N1, 2N2, 2N3) levels.

    The first point is at the origin. Points that were not evaluated have the highest energy.

    :param kind: ``'energy'``, the surface, or ``'level'``, the level map, which reaches from the ion to its images.
    :param positions: of the ions in ``surface.mobile_ions`` to combine; all by default. As for the free volumes, a
        point has the lowest value of all these ions, each relative to its own lowest point.
    :param neighbours: rule of :func:`~aiida_pesfp.fingerprint.levels.neighbour_steps`, for level maps.
    """
    lattice, places = surface.lattice, surface.fractional_coordinates
    crystal = Atoms(surface.atomic_numbers, cell=lattice, scaled_positions=places, pbc=True)
    if kind == 'energy':
        chosen = range(len(surface.mobile_ions)) if positions is None else positions
        return crystal, np.minimum.reduce([surface.of_ion(position) for position in chosen])
    if kind == 'level':
        steps = neighbour_steps(grid_vectors(lattice, surface.shape), neighbours)
        every = [to_cell_frame(maps.levels, maps.centre) for maps in ion_maps(surface, steps, positions)]
        return crystal.repeat(2), np.minimum.reduce(every)
    raise ValueError(f'unknown kind {kind!r}: choose one of {", ".join(KINDS)}')


def write_volume(path: Path, crystal: Atoms, values: np.ndarray) -> None:
    """Write a grid of values, eV, and its crystal to a ``.cube`` or ``.xsf`` file, by its ending."""
    if path.suffix == '.cube':
        with open(path, 'w') as stream:
            write_cube(stream, crystal, values, comment='values in eV, by aiida-pesfp')
    elif path.suffix == '.xsf':
        # ASE's default for the spanned vectors is not XCrySDen's general grid.
        closed = np.pad(values, (0, 1), mode='wrap')
        write_xsf(path, [crystal], closed, origin=np.zeros(3), span_vectors=crystal.cell)
    else:
        raise ValueError(f'{path.name}: volumes are written as {", ".join(FORMATS)}, by the ending of the name')


def export(
    surface: PotentialEnergySurface, folder: Path, what: Iterable[str], neighbours: str = 'sqrt3', per_ion: bool = False
) -> None:
    """Write files: ``energy.cube``, ``level.cube``, ``energy.xsf``, ``level.xsf``, ``profile-ionN.csv``.

    :param what: any of :data:`EXPORTS`.
    :param per_ion: one file for each ion, ``energy-ionN.cube`` and so on, instead of one for all; and one profile for
        each ion instead of only that with the lowest barrier.
    """
    folder.mkdir(parents=True, exist_ok=True)
    every = {f'-ion{ion}': [position] for position, ion in enumerate(surface.mobile_ions)}
    endings = [name for name in what if name in FORMATS]
    for suffix, positions in (every if per_ion else {'': None}).items():
        for kind in KINDS if endings else ():
            content = volume(surface, kind, positions, neighbours)
            for ending in endings:
                write_volume(folder / f'{kind}{suffix}.{ending}', *content)
    if 'profile' in what:
        profiles = [energy_profile(surface, position, neighbours) for position in range(len(every))]
        for profile in profiles if per_ion else [min(profiles, key=lambda profile: profile.barrier)]:
            profile.save(folder / f'profile-ion{profile.ion}.csv')
