"""The paper's potential, the original M3GNet ``MP-2021.2.8-EFS``, on a frozen graph.

The framework's graph, the basis functions of its bonds and, away from the ion, the first block are computed once. Bonds
of the moving ion are made for a whole batch at once.
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
from aiida_pesfp.potentials.batching import TRAINED_SYMBOLS, BatchedEvaluator, GraphPotential
from aiida_pesfp.potentials.frozen_graph import Edges
from aiida_pesfp.potentials.m3gnet.fused import FusedBlock
from aiida_pesfp.potentials.m3gnet.network import BLOCKS, CUTOFF, Bonds, M3GNetNetwork
from aiida_pesfp.potentials.m3gnet.weights import load_weights


class M3GNetEvaluator(BatchedEvaluator):
    """Energies of one structure by the original M3GNet.

    In the first block, the ion affects only bonds whose centre is within the three-body range of it. For all other
    bonds of the framework, this block is computed once per ion. After two blocks, the ion affects all within at least
    10 A, which few cells exceed.
    """

    # Blocks go through the edges in tiles, so more edges are no slower. With fewer, the work around the blocks shows.
    edges_in_cache = 25_000
    bytes_per_edge = 4_000  # measured
    side_by_side = True

    def batch_energies(self, positions: np.ndarray) -> Tensor:
        size = len(positions)
        framework = self._repeated(size)
        moving = self._bonds(self.graph.moving(positions))
        h, e = self._first_block(size, framework, moving)
        bonds = framework.joined(moving)
        for block in self.potential.blocks[1:]:
            h, e = block(h, e, bonds)
        return self.potential.network.readout(h)

    def _first_block(self, size: int, framework: Bonds, moving: Bonds) -> tuple[Tensor, Tensor]:
        """Features of atoms and bonds after the first block, which is computed only for atoms near the ion."""
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
        self._repeated = lru_cache(2)(lambda size: self._bonds(self.graph.fixed.repeated(size, len(self.structure))))
        h = network.atom_embedding[self.numbers]
        first = self.potential.blocks[0]
        self._sums, self._features = first.summed_updates(h, network.initial_bonds(framework), framework)

    def _bonds(self, edges: Edges) -> Bonds:
        return self.potential.bonds(edges)


class M3GNetPotential(GraphPotential):
    """The original M3GNet from its converted weights or its published checkpoint."""

    evaluator_class, symbols, cutoff = M3GNetEvaluator, TRAINED_SYMBOLS, CUTOFF

    def __init__(
        self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None, dtype=torch.float32
    ):
        super().__init__(identity, device, batch_size)
        self.dtype = dtype
        weights = load_weights(Path(identity.path))
        tensors = {name: self.tensor(tensor) for name, tensor in weights.tensors.items()}
        self.network = M3GNetNetwork(tensors, weights.scale)
        #: The blocks as they are evaluated without derivatives.
        self.blocks = self.network.blocks
        if self.device.type == 'cpu' and dtype == torch.float32:
            self.blocks = [FusedBlock(tensors, f'block{b}') for b in range(BLOCKS)]
        self.element_references = weights.element_references

    def calculator(self, structure: Structure) -> M3GNetCalculator:
        self.check_elements(structure)
        return M3GNetCalculator(self)

    def bonds(self, edges: Edges) -> Bonds:
        """The edges with their basis functions."""
        return Bonds.from_vectors(*map(self.tensor, (edges.sources, edges.targets, edges.vectors)))

    def atom_energies(self, numbers: Tensor, edges: Edges) -> Tensor:
        return self.network(numbers, self.bonds(edges))

    def energy_forces_stress(
        self, numbers: np.ndarray, positions: np.ndarray, lattice: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Total energy, eV, (n, 3) forces, eV/A, and (3, 3) stress, eV/A^3, positive under tension.

        :param numbers: (n,) atomic numbers.
        :param positions: (n, 3) anywhere, not only inside the cell, A.
        :param lattice: (3, 3) lattice vectors as rows, A.
        """
        positions, lattice, periodic = *map(np.ascontiguousarray, (positions, lattice)), np.ones(3, dtype=int)
        found = find_points_in_spheres(positions, positions, r=CUTOFF, pbc=periodic, lattice=lattice, tol=1e-8)
        sources, targets, images, distances = found
        edges = Edges(sources, targets, positions[targets] - positions[sources] + images @ lattice)
        edges = edges[(sources != targets) | (distances > 1e-8)]
        energies, forces, virial = self.derivatives(np.asarray(numbers), edges)
        stress = (virial + virial.T) / 2 / abs(np.linalg.det(lattice))
        reference = self.element_references[list(numbers)].sum()
        return float(energies.sum()) + float(reference), forces, stress


class M3GNetCalculator(Calculator):
    """The original M3GNet as an ASE calculator."""

    implemented_properties = ('energy', 'free_energy', 'forces', 'stress')

    def __init__(self, potential: M3GNetPotential):
        super().__init__()
        self._potential = potential

    def calculate(self, atoms: Atoms | None = None, properties=None, system_changes=all_changes) -> None:
        super().calculate(atoms, properties or ['energy'], system_changes)
        given = self.atoms.numbers, self.atoms.positions, self.atoms.cell.array
        energy, forces, stress = self._potential.energy_forces_stress(*given)
        self.results = {'energy': energy, 'free_energy': energy, 'forces': forces}
        self.results['stress'] = full_3x3_to_voigt_6_stress(stress)
