"""The original M3GNet written down equation by equation, as one would without thinking of speed.

Pairs of bonds are listed and summed, dense layers take concatenated features, each configuration has its own graph. The
package must give the same energies; benchmarks measure against this network.
"""

import numpy as np
import torch
from ase.calculators.calculator import Calculator, all_changes
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from torch.nn.functional import silu

from aiida_pesfp.potentials.m3gnet.network import CUTOFF, THREE_BODY_CUTOFF, envelope, radial_basis, three_body_radial


class PlainM3GNet:
    """Energies from lists of bonds and of pairs of bonds.

    :param weights: :class:`aiida_pesfp.potentials.m3gnet.weights.M3GNetWeights`.
    """

    def __init__(self, weights, dtype=torch.float32):
        self.scale, self.references, self.dtype = weights.scale, weights.element_references, dtype
        self.weights = {name: torch.tensor(tensor, dtype=dtype) for name, tensor in weights.tensors.items()}

    def graph(self, structure: Structure):
        """Bonds (centres, neighbours, images) ordered by centre, and pairs of different short bonds of one centre."""
        centres, neighbours, images, distances = structure.get_neighbor_list(CUTOFF)
        order = np.argsort(centres, kind='stable')
        centres, neighbours, images, distances = (x[order] for x in (centres, neighbours, images, distances))
        short = np.flatnonzero(distances < THREE_BODY_CUTOFF)
        first, second = [], []
        for centre in range(len(structure)):
            own = short[centres[short] == centre]
            one, other = np.meshgrid(own, own, indexing='ij')
            different = one != other
            first.append(one[different])
            second.append(other[different])
        return centres, neighbours, images, np.concatenate(first), np.concatenate(second)

    def energies(self, structures: list[Structure], derivatives: bool = False):
        """(M,) energies, eV; with derivatives also forces (n, 3), eV/A, and the strain derivative of a single one."""
        numbers, places, vectors, parts = [], [], [], ([], [], [], [], [])
        atoms = bonds = 0
        strain = torch.zeros(3, 3, dtype=self.dtype, requires_grad=derivatives)
        for number, structure in enumerate(structures):
            centres, neighbours, images, first, second = self.graph(structure)
            position = torch.tensor(structure.cart_coords, dtype=self.dtype, requires_grad=derivatives)
            shift = torch.tensor(images @ structure.lattice.matrix, dtype=self.dtype)
            vector = position[neighbours] - position[centres] + shift
            vectors.append(vector + vector @ strain)
            places.append(position)
            numbers += structure.atomic_numbers
            for part, index in zip(parts, (centres + atoms, neighbours + atoms, first + bonds, second + bonds)):
                part.append(index)
            parts[4].append(np.full(len(structure), number))
            atoms, bonds = atoms + len(structure), bonds + len(centres)
        centres, neighbours, first, second, owner = (torch.tensor(np.concatenate(part)) for part in parts)
        atomic = self.atomic_energies(torch.tensor(numbers), torch.cat(vectors), centres, neighbours, first, second)
        total = torch.zeros(len(structures), dtype=self.dtype).index_add(0, owner, atomic)
        offsets = np.array([self.references[list(structure.atomic_numbers)].sum() for structure in structures])
        if not derivatives:
            return total.double().numpy() + offsets
        gradient, strain_derivative = torch.autograd.grad(total.sum(), (places[0], strain))
        return total.detach().double().numpy() + offsets, -gradient.numpy(), strain_derivative.numpy()

    def atomic_energies(self, numbers, vectors, centres, neighbours, first, second):
        weights = self.weights
        r = vectors.norm(dim=1)
        rbf, envelopes = radial_basis(r), envelope(r)
        cosine = ((vectors[first] * vectors[second]).sum(dim=1) / (r[first] * r[second])).clamp(-1, 1)
        legendre = torch.stack([torch.ones_like(cosine), cosine, (3 * cosine**2 - 1) / 2], dim=1)
        basis = three_body_radial(r[second]) * legendre.repeat_interleave(3, dim=1)
        basis = basis * (envelopes[first] * envelopes[second])[:, None]
        h = weights['atom_embedding'][numbers]
        e = silu(rbf @ weights['bond_embedding.kernel'])
        for block in ('block0', 'block1', 'block2'):
            gate = torch.sigmoid(h @ weights[f'{block}.three.atom.kernel'] + weights[f'{block}.three.atom.bias'])
            moments = torch.zeros(len(r), 9, dtype=self.dtype).index_add(0, first, basis * gate[neighbours[second]])
            core = silu(moments @ weights[f'{block}.three.bond.core.0.kernel'])
            e = e + core * torch.sigmoid(moments @ weights[f'{block}.three.bond.gate.0.kernel'])
            features = torch.cat([h[centres], h[neighbours], e], dim=1)
            e = e + self.gated(f'{block}.bond', features) * (rbf @ weights[f'{block}.bond.rbf.kernel'])
            features = torch.cat([h[centres], h[neighbours], e], dim=1)
            messages = self.gated(f'{block}.atom', features) * silu(rbf @ weights[f'{block}.atom.rbf.kernel'])
            h = h.index_add(0, centres, messages)
        core, gate = h, h
        for layer in range(3):
            core = core @ weights[f'readout.core.{layer}.kernel'] + weights[f'readout.core.{layer}.bias']
            gate = gate @ weights[f'readout.gate.{layer}.kernel'] + weights[f'readout.gate.{layer}.bias']
            core, gate = (silu(core), silu(gate)) if layer < 2 else (core, torch.sigmoid(gate))
        return self.scale * (core * gate).squeeze(1)

    def gated(self, prefix, features):
        weights = self.weights
        core, gate = features, features
        for layer in range(2):
            core = silu(core @ weights[f'{prefix}.core.{layer}.kernel'] + weights[f'{prefix}.core.{layer}.bias'])
            gate = gate @ weights[f'{prefix}.gate.{layer}.kernel'] + weights[f'{prefix}.gate.{layer}.bias']
            gate = silu(gate) if layer < 1 else torch.sigmoid(gate)
        return core * gate


class PlainCalculator(Calculator):
    """ASE calculator of the plain network: energy, forces and stress, as ASE users have them."""

    implemented_properties = ('energy', 'forces', 'stress')

    def __init__(self, network: PlainM3GNet):
        super().__init__()
        self.network = network

    def calculate(self, atoms=None, properties=('energy',), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, forces, strain = self.network.energies([AseAtomsAdaptor.get_structure(atoms)], derivatives=True)
        stress = (strain + strain.T).ravel()[[0, 4, 8, 5, 2, 1]] / 2 / atoms.get_volume()
        self.results = {'energy': float(energy[0]), 'forces': forces, 'stress': stress}
