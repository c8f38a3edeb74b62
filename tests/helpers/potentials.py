"""Cells and places to evaluate potentials at, a calculator that is known in closed form, and a server of weights."""

from pathlib import Path

import numpy as np
import yaml
from ase import Atoms
from pymatgen.core import Lattice, Structure

from aiida_pesfp.potentials import load_potential
from aiida_pesfp.potentials.frozen_graph import FrozenGraph
from tests.helpers.crystals import antifluorite, rock_salt, wurtzite
from tests.helpers.reference import compare

LENNARD_JONES = {'sigma': 2.1, 'epsilon': 0.3, 'rc': 5.0, 'smooth': True}
SKEWED = Structure(
    Lattice([[4.1, 0, 0], [1.7, 3.2, 0], [-1.1, 0.9, 5.3]]),
    ['Li', 'O', 'Li', 'S'],
    [[0, 0, 0], [0.4, 0.5, 0.5], [0.6, 0.1, 0.4], [0.9, 0.5, 0.9]],
)
CELLS = [rock_salt('Li', 'Cl', 5.13), antifluorite('Li', 'Te', 6.517), wurtzite('Li', 'I', 4.51, 7.31, 0.375), SKEWED]


def write_calculator(path: Path, calculator: str = 'ase.calculators.lj.LennardJones', **parameters) -> Path:
    """Write the description of an ASE calculator, which is a potential of the package; returns its path."""
    path.write_text(yaml.safe_dump({'calculator': calculator, 'parameters': parameters}))
    return path


def random_places(structure, ion, number=5, least=1.0):
    """(number, 3) random places in and around the cell, A, at least so far from all other atoms."""
    random = np.random.default_rng(0)
    others = np.delete(structure.frac_coords, ion, axis=0)
    places = random.uniform(-1, 2, size=(1000, 3))
    distances = structure.lattice.get_all_distances(places, others).min(axis=1)
    return places[distances > least][:number] @ structure.lattice.matrix


def by_calculator(structure, ion, places, calculator):
    """Energies by an ASE calculator, place by place."""
    atoms = Atoms(structure.atomic_numbers, structure.cart_coords, cell=structure.lattice.matrix, pbc=True)
    atoms.calc = calculator
    energies = []
    for place in places:
        atoms.positions[ion] = place
        energies.append(atoms.get_potential_energy())
    return np.array(energies)


class PairPotential:
    """A smooth repulsion and attraction that depends on the element; computed from the frozen graph's edges."""

    points_per_call = 500

    def __init__(self, structure):
        self.structure = structure

    def energies(self, ion, positions):
        edges = FrozenGraph(self.structure, ion, 5.0).from_ion(positions)
        which, atoms = np.divmod(edges.targets, len(self.structure))
        r = np.linalg.norm(edges.vectors, axis=1)
        strength = np.array(self.structure.atomic_numbers)[atoms] ** 0.3
        terms = strength * (np.exp(-r) - 0.3 * np.exp(-((r - 2.2) ** 2))) * (1 - (r / 5.0) ** 2) ** 3
        return np.bincount(which, terms, len(positions))


def compare_with_its_calculator(name: str, structure: Structure, tolerance: float) -> None:
    """Compare energies of some places of an ion, eV, with those of the potential's own ASE calculator."""
    potential = load_potential(name, device='cpu')
    ion = next(index for index, site in enumerate(structure) if site.specie.symbol == 'Li')
    places = random_places(structure, ion, 4)
    found = potential.evaluator(structure).energies(ion, places)
    expected = by_calculator(structure, ion, places, potential.calculator(structure))
    compare(structure.formula, f'{name}, its calculator (eV)', found, expected, abs=tolerance)
