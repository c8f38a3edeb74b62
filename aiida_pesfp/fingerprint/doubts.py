"""Signs in a surface that the potential is not one for the crystal."""

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from pymatgen.core import Lattice

from aiida_pesfp.fingerprint.scan import SMALLEST_RANGE
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface

#: No ion rests nearer to an atom, by the sum of their covalent radii: 0.9 or more in oxides, halides and sulfides.
_NEAREST = 0.7
#: The median energy over all places where the ion may be is 1.3 to 10 eV above the lowest by M3GNet, and in no crystal
#: outside these limits, eV.
_USUAL_MEDIAN = 0.01, 1000.0
#: No bond is as strong, eV; by M3GNet the lowest barriers are 0.2 to 1.5 eV, also on grids of 1 A.
_HIGHEST_BARRIER = 20.0


def doubts_of_surface(surface: PotentialEnergySurface, mpe: float) -> list[str]:
    """Why a potential is hardly one for the crystal: an ion is drawn into another atom, or energies are absurd.

    :param mpe: minimum percolation energy of the surface, eV.
    """
    way_out = 'is the potential right, with its parameters, for this crystal?'
    if mpe < SMALLEST_RANGE:
        return [f'no energy at all holds an ion back: {way_out}']
    for ion, energies in zip(surface.scanned_ions, surface.energies):
        others = np.delete(np.arange(len(surface.atomic_numbers)), ion)
        lowest = np.array(np.unravel_index(np.nanargmin(energies), surface.shape)) / surface.shape
        distances = Lattice(surface.lattice).get_all_distances(lowest, surface.fractional_coordinates[others])[0]
        radii = covalent_radii[surface.atomic_numbers]
        ratios = distances / (radii[others] + radii[ion])
        if len(others) and ratios.min() < _NEAREST:
            other = chemical_symbols[surface.atomic_numbers[others[ratios.argmin()]]]
            where = f'{distances[ratios.argmin()]:.2f} A from {other}, nearer than in any solid'
            return [f'the energy of ion {ion} is lowest {where}: {way_out}']
        least, most = _USUAL_MEDIAN
        if not least <= (median := np.nanmedian(energies)) <= most:
            return [
                f'half of all places have {median:.3g} eV or more for ion {ion}, not {least:g} to {most:g}: {way_out}'
            ]
    return [f'the MPE of {mpe:.3g} eV is above any bond: {way_out}'] if mpe > _HIGHEST_BARRIER else []
