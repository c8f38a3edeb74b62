"""Potentials that the interpolation of a surface cannot represent, and random crystals to count wrong verdicts."""

import numpy as np
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.periodic import distances_within
from tests.helpers.crystals import wurtzite

CRYSTALS = {
    'wurtzite': wurtzite('Li', 'I', 4.514, 7.311, 0.375),
    'no symmetry': Structure(
        Lattice([[5.2, 0.1, 0], [-1.3, 4.9, 0.2], [0.7, 0.9, 5.6]]),
        ['Li', 'S', 'S', 'Li', 'P'],
        [[0.02, 0.05, 0.1], [0.45, 0.52, 0.13], [0.1, 0.45, 0.6], [0.6, 0.1, 0.48], [0.63, 0.83, 0.8]],
    ),
}


class ManyBody:
    """Repulsion and attraction of pairs, and the square root of a density, as in an embedded-atom model."""

    points_per_call, stiffness = 64, 1

    def __init__(self, structure):
        self.structure, self.evaluations = structure, 0

    def energies(self, ion, positions):
        self.evaluations += len(positions)
        framework = np.delete(np.arange(len(self.structure)), ion)
        which, atoms, r = distances_within(self.structure, framework, positions, 5.0)
        smooth = (1 - (r / 5.0) ** 2) ** 3
        charge = np.where(np.array(self.structure.atomic_numbers)[atoms] == 3, 1.0, -1.2)
        pairs = np.bincount(which, (30 * np.exp(-2.6 * r) + 0.9 * charge / r) * smooth, len(positions))
        density = np.bincount(which, 4 * np.exp(-1.3 * r) * smooth, len(positions))
        return self.stiffness * pairs - 1.5 * np.sqrt(density)


def random_crystal(random: np.random.Generator) -> Structure:
    """One to three Li, and others around them, no two closer than 1.9 A, in a triclinic cell of 4 to 6.5 A."""
    lattice = Lattice.from_parameters(*random.uniform(4, 6.5, 3), *random.uniform(70, 110, 3))
    symbols = ['Li'] * random.integers(1, 4) + list(random.choice(['S', 'Cl', 'P'], random.integers(2, 5)))
    crystal = Structure(lattice, [], [])
    for symbol in symbols:
        for _ in range(60):
            place = random.random(3)
            far = lattice.get_all_distances(place, crystal.frac_coords).min() > 1.9 if len(crystal) else True
            if far:
                crystal.append(symbol, place)
                break
    return crystal


class RandomPotential:
    """Repulsion and attraction of pairs, the square root of a density, and waves that no pair term describes.

    ``scale`` multiplies all energies.
    """

    points_per_call = 4096

    def __init__(self, structure: Structure, random: np.random.Generator, scale: float):
        self.structure, self.scale = structure, scale
        numbers = sorted(set(structure.atomic_numbers))
        self.radii = {z: random.uniform(1.5, 2.4) for z in numbers}
        self.charges = {z: random.uniform(-1.2, 0.6) if z != 3 else random.uniform(0.3, 0.9) for z in numbers}
        self.embedding = random.uniform(0, 1.5)
        self.waves = random.integers(-3, 4, (6, 3))
        self.phases, self.heights = random.uniform(0, 2 * np.pi, 6), random.uniform(0, 0.05, 6)

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """As of every potential."""
        framework = np.delete(np.arange(len(self.structure)), ion)
        which, atoms, r = distances_within(self.structure, framework, positions, 5.0)
        numbers = np.array(self.structure.atomic_numbers)[atoms]
        radius = np.array([self.radii.get(z, 0) for z in range(100)])[numbers]
        charge = np.array([self.charges.get(z, 0) for z in range(100)])[numbers]
        smooth = (1 - (r / 5.0) ** 2) ** 3
        pairs = (np.exp(4.0 * (radius - r)) + 2.0 * charge / r) * smooth
        pairs = np.bincount(which, pairs, len(positions))
        density = np.bincount(which, 4 * np.exp(-1.3 * r) * smooth, len(positions))
        fractional = positions @ np.linalg.inv(self.structure.lattice.matrix)
        waves = np.cos(2 * np.pi * fractional @ self.waves.T + self.phases) @ self.heights
        return self.scale * (pairs - self.embedding * np.sqrt(density)) + waves
