"""Arrangements of low electrostatic energy: point charges, whose Ewald sums are taken once for all pairs of sites.

Energies are whole numbers of a small unit, so that they are the same on every machine.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numba
import numpy as np
from ase.units import kB
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.ordering.parent import Supercell
from aiida_pesfp.crystals.ordering.sampling import Sampler, conflicts, propose

#: Energies are in units of so many eV, charges in tenths of e.
UNIT, TENTH = 1e-6, 10
#: Temperatures (K) of the annealing, and sweeps at each. The dielectric is vacuum, so energies are large.
TEMPERATURES = tuple(np.geomspace(1e5, 3e2, 24).round(1).tolist())
SWEEPS = 20
#: So many annealings; arrangements at the end of each temperature are kept.
ANNEALINGS = 20


class Electrostatics:
    """The electrostatic energy of arrangements on the sites of a supercell."""

    def __init__(self, supercell: Supercell, species: tuple[str, ...], states: Mapping[str, float]):
        sites = Structure(Lattice(supercell.lattice), ['H+'] * len(supercell.fractions), supercell.fractions)
        matrix = EwaldSummation(sites).total_energy_matrix
        self.matrix = np.rint((matrix + matrix.T) / 2 / UNIT).astype(np.int64)
        tenths = [0.0, *(TENTH * states[symbol] for symbol in species[1:])]
        self.charges = np.rint(tenths).astype(np.int64)

    def energy(self, state: np.ndarray) -> int:
        """The energy of (sites,) species, in units of ``UNIT / TENTH**2`` eV."""
        charges = self.charges[state]
        return int(charges @ self.matrix @ charges)

    def in_ev(self, energy: int) -> float:
        """The same in eV."""
        return energy * UNIT / TENTH**2

    def lowest(self, sampler: Sampler) -> list[np.ndarray]:
        """Arrangements without close pairs, the lowest in energy first, of several annealings by swaps."""
        found: dict[bytes, tuple[int, np.ndarray]] = {}
        for _ in range(ANNEALINGS):
            state = sampler.draw()
            for temperature in TEMPERATURES:
                found[state.tobytes()] = self.energy(state), state.copy()
                self._walk(sampler, state, temperature)
            found[state.tobytes()] = self.energy(state), state.copy()
        return [state for _, state in sorted(found.values(), key=lambda one: (one[0], one[1].tobytes()))]

    def _walk(self, sampler: Sampler, state: np.ndarray, temperature: float) -> None:
        problem = sampler.problem
        if len(problem.active):
            thermal = kB * temperature / UNIT * TENTH**2
            charges = Charges(self.charges, self.matrix, 2 * self.matrix @ self.charges[state])
            steps = SWEEPS * len(problem.active)
            walk(state, problem.moves, problem.exclusion, charges, thermal, steps, sampler.rng)


class Charges(NamedTuple):
    """Charges on sites.

    :param of_species: (species,) tenths of e.
    :param matrix: (sites, sites) energy of unit charges, in ``UNIT``.
    :param potentials: (sites,) twice the potential of all charges at each site; it is kept up to date.
    """

    of_species: np.ndarray
    matrix: np.ndarray
    potentials: np.ndarray


@numba.njit(cache=True)
def walk(state, moves, pairs, charges, thermal, steps, rng):
    """Metropolis swaps of ``state``, in place, that make no close pair."""
    matrix, potentials = charges.matrix, charges.potentials
    for _ in range(steps):
        first, second = propose(moves, rng)
        if state[first] == state[second]:
            continue
        # What the first site gains and the second one loses.
        moved = charges.of_species[state[second]] - charges.of_species[state[first]]
        change = moved * (potentials[first] - potentials[second])
        change += moved * moved * (matrix[first, first] + matrix[second, second] - 2 * matrix[first, second])
        if change > 0 and rng.random() >= np.exp(-change / thermal):
            continue
        state[first], state[second] = state[second], state[first]
        if conflicts(state, first, second, pairs) > 0:
            state[first], state[second] = state[second], state[first]
        else:
            for site in range(len(potentials)):
                potentials[site] += 2 * moved * (matrix[first, site] - matrix[second, site])
