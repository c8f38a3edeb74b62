"""The paper's potential, the original M3GNet ``MP-2021.2.8-EFS``, on a frozen graph.

Whatever does not depend on the ion's place is computed once: the framework's graph and the basis functions of its
bonds, and the first layers' products for each element. Bonds of the moving ion are made for a whole batch at once.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from pymatgen.core import Structure
from pymatgen.optimization.neighbors import find_points_in_spheres
from torch import Tensor

from aiida_pesfp.potentials.base import PotentialIdentity
from aiida_pesfp.potentials.batching import MATERIALS_PROJECT_SYMBOLS, BatchedEvaluator, NetworkPotential
from aiida_pesfp.potentials.frozen_graph import Edges
from aiida_pesfp.potentials.m3gnet.fused import FusedBlock
from aiida_pesfp.potentials.m3gnet.network import CUTOFF, Bonds, M3GNetNetwork
from aiida_pesfp.potentials.m3gnet.weights import load_weights


class M3GNetPotential(NetworkPotential):
    """The original M3GNet from its converted weights or its published checkpoint."""

    symbols, cutoff = MATERIALS_PROJECT_SYMBOLS, CUTOFF

    def __init__(
        self,
        identity: PotentialIdentity,
        device: str = 'auto',
        batch_size: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(identity, device, batch_size)
        self.dtype = dtype
        weights = load_weights(Path(identity.path))
        tensors = {name: torch.tensor(tensor, dtype=dtype) for name, tensor in weights.tensors.items()}
        self.network = M3GNetNetwork(tensors, weights.scale).to(self.device)
        #: The blocks as they are evaluated without derivatives.
        self.blocks = list(self.network.blocks)
        if self.device.type == 'cpu' and dtype == torch.float32:
            self.blocks = [FusedBlock(block) for block in self.network.blocks]
        self.element_references = weights.element_references

    def evaluator(self, structure: Structure) -> M3GNetEvaluator:
        return M3GNetEvaluator(self, structure)

    def calculator(self, structure: Structure) -> M3GNetCalculator:
        self.check_elements(structure)
        return M3GNetCalculator(self)

    def energy_and_forces(self, structure: Structure) -> tuple[float, np.ndarray]:
        """Total energy, eV, and (n, 3) forces, eV/A, of a structure as it is."""
        self.check_elements(structure)
        numbers = np.array(structure.atomic_numbers)
        return self.energy_forces_stress(numbers, structure.cart_coords, structure.lattice.matrix)[:2]

    def energy_forces_stress(
        self, numbers: np.ndarray, positions: np.ndarray, lattice: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Total energy, eV, (n, 3) forces, eV/A, and (3, 3) stress, eV/A^3, positive under tension.

        :param numbers: (n,) atomic numbers.
        :param positions: (n, 3) anywhere, not only inside the cell, A.
        :param lattice: (3, 3) lattice vectors as rows, A.
        """
        sources, targets, vectors = _bond_vectors(positions, lattice)
        sources, targets = (torch.tensor(index, device=self.device) for index in (sources, targets))
        vectors = torch.tensor(vectors, dtype=self.dtype, device=self.device, requires_grad=True)
        bonds = Bonds.from_vectors(sources, targets, vectors)
        energy = self.network(torch.tensor(numbers, device=self.device), bonds).sum()
        (gradient,) = torch.autograd.grad(energy, vectors)
        forces = torch.zeros(len(numbers), 3, dtype=torch.float64, device=self.device)
        forces.index_add_(0, sources, gradient.double()).index_add_(0, targets, -gradient.double())
        # A strain takes each bond vector v to v + strain v, so the energy's derivative is the sum of gradient x vector.
        virial = (gradient.double().T @ vectors.detach().double()).cpu().numpy()
        stress = (virial + virial.T) / 2 / abs(np.linalg.det(lattice))
        reference = self.element_references[list(numbers)].sum()
        return float(energy.detach()) + float(reference), forces.cpu().numpy(), stress


class M3GNetCalculator(Calculator):
    """The original M3GNet as an ASE calculator."""

    implemented_properties = ('energy', 'free_energy', 'forces', 'stress')

    def __init__(self, potential: M3GNetPotential):
        super().__init__()
        self._potential = potential

    def calculate(self, atoms: Atoms | None = None, properties=None, system_changes=all_changes) -> None:
        super().calculate(atoms, properties or ['energy'], system_changes)
        energy, forces, stress = self._potential.energy_forces_stress(
            self.atoms.numbers, self.atoms.positions, self.atoms.cell.array
        )
        self.results = {
            'energy': energy,
            'free_energy': energy,
            'forces': forces,
            'stress': full_3x3_to_voigt_6_stress(stress),
        }


def _bond_vectors(positions: np.ndarray, lattice: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(E,) sources, (E,) targets and (E, 3) vectors, A, of all bonds."""
    positions, lattice = np.ascontiguousarray(positions), np.ascontiguousarray(lattice)
    sources, targets, images, distances = find_points_in_spheres(
        positions, positions, r=CUTOFF, pbc=np.ones(3, dtype=np.int64), lattice=lattice, tol=1e-8
    )
    bonds = (sources != targets) | (distances > 1e-8)
    sources, targets, images = sources[bonds], targets[bonds], images[bonds]
    return sources, targets, positions[targets] - positions[sources] + images @ lattice


class M3GNetEvaluator(BatchedEvaluator):
    """Energies of one structure by the original M3GNet.

    In the first block, bonds know of the ion only if it is within the three-body range of their centre. What the block
    gives for all other bonds of the framework is computed once per ion. Beyond it, after two blocks, the ion's reach is
    at least 10 A, which few cells exceed.
    """

    # Blocks go through the edges in tiles: more edges are no slower, fewer cost more around the blocks.
    edges_in_cache = 25_000
    bytes_per_edge = 4_000  # measured

    def __init__(self, potential: M3GNetPotential, structure: Structure):
        super().__init__(potential, structure, torch.get_num_threads() if potential.device.type == 'cpu' else 1)
        self._reference = float(potential.element_references[list(structure.atomic_numbers)].sum())

    def batch_energies(self, positions: np.ndarray) -> np.ndarray:
        size = len(positions)
        framework = self._repeated(size)
        moving = self._bonds(self.graph.moving(positions))
        h, e = self._first_block(size, framework, moving)
        bonds = framework.joined(moving)
        for block in self.potential.blocks[1:]:
            h, e = block(h, e, bonds)
        atomic = self.potential.network.readout(h)
        return atomic.view(size, -1).double().sum(dim=1).cpu().numpy() + self._reference

    def _first_block(self, size: int, framework: Bonds, moving: Bonds) -> tuple[Tensor, Tensor]:
        """Features of atoms and bonds after the first block: computed where the ion is near, known elsewhere."""
        network, number = self.potential.network, len(self.structure)
        near = torch.zeros(size * number, dtype=torch.bool, device=self.numbers.device)
        near[moving.short_centres] = True
        near[self.graph.ion :: number] = True
        recomputed = near[framework.centres]
        bonds = framework.selected(recomputed).joined(moving)
        h = network.atom_embedding[self.numbers].repeat(size, 1)
        sums, e = self.potential.blocks[0].summed_updates(h, network.initial_bonds(bonds), bonds)
        known = self._sums.repeat(size, 1)
        known[near] = 0
        h = h + sums + known
        fixed = len(bonds.centres) - len(moving.centres)
        e_framework = self._features.repeat(size, 1)
        e_framework[recomputed] = e[:fixed]
        return h, torch.cat([e_framework, e[fixed:]])

    def freeze(self) -> None:
        network = self.potential.network
        framework = self._bonds(self.graph.fixed)
        # Two sizes: whole batches, and the last one.
        self._repeated = lru_cache(2)(lambda size: framework.repeated(size, len(self.structure)))
        h = network.atom_embedding[self.numbers]
        first = self.potential.blocks[0]
        self._sums, self._features = first.summed_updates(h, network.initial_bonds(framework), framework)

    def _bonds(self, edges: Edges) -> Bonds:
        device, dtype = self.potential.device, self.potential.dtype
        return Bonds.from_vectors(
            torch.tensor(edges.sources, device=device),
            torch.tensor(edges.targets, device=device),
            torch.tensor(edges.vectors, dtype=dtype, device=device),
        )
