"""The default potential: formal charges, a damped and shifted Coulomb sum, and Born-Mayer repulsion."""

from __future__ import annotations

import importlib
from itertools import product

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from scipy.special import erfc

COULOMB = 14.399645
"""eV A."""

IONS = {
    'H': (-1, 1.30),
    'Li': (1, 0.74),
    'Na': (1, 1.02),
    'B': (3, 0.25),
    'O': (-2, 1.38),
    'P': (5, 0.30),
    'S': (-2, 1.75),
    'Cl': (-1, 1.81),
    'Ge': (4, 0.45),
    'Br': (-1, 1.96),
    'I': (-1, 2.20),
    'Te': (-2, 2.10),
}
"""Formal charge (e) and radius (A). Radii are close to Shannon's (doi:10.1107/S0567739476001551)."""


class IonicPairs(Calculator):
    """Energies, forces and stress of an ionic crystal from pairs within a cutoff; smooth at the cutoff.

    Coulomb: the damped shifted-force sum of Fennell and Gezelter, Eq. 18 (doi:10.1063/1.2206581). Repulsion:
    -B q_i q_j exp((r_i + r_j - r) / rho) between ions of opposite charge, with B such that lithium halides and
    chalcogenides come out at about their real lattice constants. It is there to bind and to be quick, not to be right.
    """

    implemented_properties = ['energy', 'free_energy', 'forces', 'stress']
    cutoff, damping, strength, softness = 8.0, 0.2, 0.19, 0.32

    def calculate(self, atoms=None, properties=('energy',), system_changes=all_changes):
        """See ASE."""
        super().calculate(atoms, properties, system_changes)
        cell = atoms.cell.array
        charges, radii = np.array([IONS.get(symbol, (0, 1.5)) for symbol in atoms.symbols]).T
        fractions = atoms.get_scaled_positions(wrap=True)
        heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        spans = [range(-n, n + 1) for n in np.ceil(self.cutoff / heights).astype(int)]
        images = np.array(list(product(*spans)))

        between = fractions[None, :, :] - fractions[:, None, :]
        vectors = (between[None] + images[:, None, None, :]) @ cell
        distances = np.linalg.norm(vectors, axis=-1)
        image, first, second = np.nonzero((distances < self.cutoff) & (distances > 1e-6))
        vectors, r = vectors[image, first, second], distances[image, first, second]

        energies, slopes = self._pairs(r, charges[first] * charges[second], radii[first] + radii[second])
        pulls = (slopes / r)[:, None] * vectors
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, first, pulls)
        stress = 0.5 * vectors.T @ pulls / atoms.get_volume()
        energy = 0.5 * energies.sum()
        self.results = {
            'energy': energy,
            'free_energy': energy,
            'forces': forces,
            'stress': full_3x3_to_voigt_6_stress(stress),
        }

    def _pairs(self, r: np.ndarray, charge: np.ndarray, contact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energy (eV) and its derivative (eV/A) of each pair."""
        alpha, end = self.damping, self.cutoff
        bell = 2.0 * alpha / np.sqrt(np.pi)
        value, value_end = erfc(alpha * r) / r, erfc(alpha * end) / end
        slope = -value / r - bell * np.exp(-((alpha * r) ** 2)) / r
        slope_end = -value_end / end - bell * np.exp(-((alpha * end) ** 2)) / end
        repulsion = self.strength * np.maximum(-charge, 0.0) * np.exp((contact - r) / self.softness)
        energies = COULOMB * charge * (value - value_end - slope_end * (r - end)) + repulsion
        return energies, COULOMB * charge * (slope - slope_end) - repulsion / self.softness


def make_calculator(spec: str | None) -> Calculator:
    """The calculator that ``spec`` names as ``module:callable`` (called without arguments), or the default."""
    if not spec:
        return IonicPairs()
    module, _, name = spec.partition(':')
    return getattr(importlib.import_module(module), name)()
