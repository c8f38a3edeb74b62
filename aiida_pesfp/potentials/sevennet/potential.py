"""SevenNet through the ``sevenn`` package.

The scan needs energies only; dynamics and relaxation use the package's own ASE calculator.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from pymatgen.core import Element, Structure

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import PotentialIdentity
from aiida_pesfp.potentials.batching import BatchedEvaluator, NetworkPotential, check_pickle
from aiida_pesfp.potentials.frozen_graph import Edges

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # its dependencies warn about each other
    import sevenn._keys as KEY
    from sevenn.calculator import SevenNetCalculator
    from sevenn.checkpoint import SevenNetCheckpoint
    from sevenn.nn.convolution import IrrepsConvolution

    from aiida_pesfp.potentials.sevennet.convolution import KERNELS, FrozenConvolution

#: Largest cell whose edges are summed for pairs of atoms: kernels of N atoms take 100 kB N^2, and grow useless where
#: most pairs are out of reach.
MOST_ATOMS_OF_KERNELS = 64

#: What checkpoints call to restore arrays of numpy, beyond what torch considers safe itself.
_RESTORE_ARRAYS = {
    *('numpy.core.multiarray._reconstruct', 'numpy._core.multiarray._reconstruct', 'numpy.dtype', 'numpy.ndarray'),
    *('numpy.core.multiarray.scalar', 'numpy._core.multiarray.scalar'),
}
#: Modules of a SevenNet after the one that gives the energies of the atoms. Forces need derivatives, the scan does not.
_AFTER_ATOMIC_ENERGIES = ('reduce_total_enegy', 'force_output')


class SevenNetPotential(NetworkPotential):
    """A SevenNet checkpoint of a single modality."""

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        super().__init__(identity, device, batch_size)
        try:
            check_pickle(identity.path, _RESTORE_ARRAYS)
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')  # it recommends accelerators
                network = SevenNetCheckpoint(identity.path).build_model()
        except Exception as error:  # unpickling foreign or damaged files can raise anything
            raise PotentialError(f'{identity.path} is no SevenNet checkpoint that sevenn can load: {error}') from error
        if network.modal_map:
            raise PotentialError(
                f'the checkpoint {identity.path} has several modalities ({", ".join(network.modal_map)}): '
                'take one of a single modality, such as sevennet-0'
            )
        for name in _AFTER_ATOMIC_ENERGIES:
            network.delete_module_by_key(name)
        network.key_grad = None
        network.set_is_batch_data(True)
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.convolutions = []
        for name, module in list(network.named_children()):
            if isinstance(module, IrrepsConvolution):
                self.convolutions.append(FrozenConvolution(module, name))
                network.replace_module(name, self.convolutions[-1])
        self.cutoff = float(network.cutoff)
        self.symbols = {Element.from_Z(number).symbol for number in network.type_map}

    def evaluator(self, structure: Structure) -> SevenNetEvaluator:
        return SevenNetEvaluator(self, structure)

    def calculator(self, structure: Structure) -> SevenNetCalculator:
        self.check_elements(structure)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return SevenNetCalculator(self.identity.path, device=self.device)


class SevenNetEvaluator(BatchedEvaluator):
    """Energies of one structure by a SevenNet."""

    # Edges of the framework are summed, one for each atom; throughput is flat around this number.
    edges_in_cache = 3000
    # Measured with SevenNet-0 edge by edge; kernels need less.
    bytes_per_edge = 60_000

    def freeze(self) -> None:
        self._frozen = len(self.structure) <= MOST_ATOMS_OF_KERNELS
        if self._frozen:
            data = self.potential.network.edge_embedding(self._data(1, self.graph.fixed))
            self._kernels = {layer.name: layer.kernels(data) for layer in self.potential.convolutions}

    def edges(self) -> int:
        return super().edges() + (len(self.structure) - len(self.graph.fixed) if self._frozen else 0)

    def batch_energies(self, positions: np.ndarray) -> np.ndarray:
        data = self._data(len(positions), (self.graph.moving if self._frozen else self.graph.batch)(positions))
        if self._frozen:
            data[KERNELS] = self._kernels
        atomic = self.potential.network(data)[KEY.ATOMIC_ENERGY]
        return atomic.view(len(positions), -1).double().sum(dim=1).cpu().numpy()

    def _data(self, size: int, edges: Edges) -> dict:
        """Input of a network of sevenn for several configurations with these edges."""
        device, numbers = self.potential.device, self.numbers.repeat(size)
        return {
            KEY.NODE_FEATURE: numbers,
            KEY.ATOMIC_NUMBERS: numbers,
            KEY.EDGE_IDX: torch.tensor(np.stack([edges.sources, edges.targets]), device=device),
            KEY.EDGE_VEC: torch.tensor(edges.vectors, dtype=torch.float32, device=device),
        }
