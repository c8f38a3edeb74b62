"""SevenNet through the ``sevenn`` package.

The scan needs energies only; dynamics and relaxation use the package's own ASE calculator.
"""

import numpy as np
from pymatgen.core import Element, Structure
from torch import Tensor

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import PotentialIdentity
from aiida_pesfp.potentials.batching import BatchedEvaluator, GraphPotential, quiet
from aiida_pesfp.potentials.frozen_graph import Edges

with quiet():
    import sevenn._keys as KEY
    from sevenn.calculator import SevenNetCalculator
    from sevenn.checkpoint import SevenNetCheckpoint
    from sevenn.nn.convolution import IrrepsConvolution

    from aiida_pesfp.potentials.sevennet.convolution import KERNELS, FrozenConvolution

#: Most memory for the sums over edges, bytes. SevenNet-0 takes 110 kB for each pair of neighbours, l3i5 360 kB.
MEMORY_OF_KERNELS = 4_000_000_000
#: Kernels are read from memory once a batch: in smaller batches that takes longer than to compute with them.
LEAST_BATCH = 32


class SevenNetEvaluator(BatchedEvaluator):
    """Energies of one structure by a SevenNet."""

    # Edges of the framework are summed, one for each atom; throughput is flat around this number.
    edges_in_cache = 3000
    # Measured with SevenNet-0 edge by edge; kernels need less.
    bytes_per_edge = 60_000

    def freeze(self) -> None:
        # Each ordered pair has at least one edge.
        pairs = np.unique(np.stack([self.graph.fixed.sources, self.graph.fixed.targets]), axis=1)
        per_pair = sum(layer.bytes_per_pair for layer in self.potential.convolutions)
        self._frozen = pairs.shape[1] * per_pair <= MEMORY_OF_KERNELS
        if self._frozen:
            data = self.potential.network.edge_embedding(self._data(1, self.graph.fixed))
            self._kernels = {layer.name: layer.kernels(data) for layer in self.potential.convolutions}

    def edges(self) -> int:
        return super().edges() + (len(self.structure) - len(self.graph.fixed) if self._frozen else 0)

    def batch_energies(self, positions: np.ndarray) -> Tensor:
        data = self._data(len(positions), (self.graph.moving if self._frozen else self.graph.batch)(positions))
        if self._frozen:
            data[KERNELS] = self._kernels
        return self.potential.network(data)[KEY.ATOMIC_ENERGY]

    def _choose_batch_size(self) -> int:
        return max(LEAST_BATCH if self._frozen else 1, super()._choose_batch_size())

    def _data(self, size: int, edges: Edges) -> dict:
        return self.potential.data(self.numbers.repeat(size), edges)


class SevenNetPotential(GraphPotential):
    """A SevenNet checkpoint; of several modalities, one is named."""

    evaluator_class = SevenNetEvaluator

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        super().__init__(identity, device, batch_size)
        network = self.load(lambda path: SevenNetCheckpoint(path).build_model())
        known, modality = list(network.modal_map or ()), identity.variant
        if modality is None and known:
            what = f'the checkpoint {identity.path} has several modalities'
            raise PotentialError(f'{what}: add one of them to its name, {" or ".join(f":{one}" for one in known)}')
        if modality is not None and modality not in known:
            what = f'{", ".join(known)}' if known else 'none'
            raise PotentialError(f'the checkpoint {identity.path} has no modality {modality!r}: it has {what}')
        self._modality = None if modality is None else self.tensor(np.array([network.modal_map[modality]]))
        network.eval_modal_map = False  # it would read names from the data
        for name in ('reduce_total_enegy', 'force_output'):  # forces need derivatives, the scan does not
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

    def atom_energies(self, numbers: Tensor, edges: Edges) -> Tensor:
        return self.network(self.data(numbers, edges))[KEY.ATOMIC_ENERGY]

    def data(self, numbers: Tensor, edges: Edges) -> dict:
        """Input of a network of sevenn for a graph, of one configuration or several."""
        found = {
            KEY.NODE_FEATURE: numbers,
            KEY.ATOMIC_NUMBERS: numbers,
            KEY.EDGE_IDX: self.tensor(np.stack([edges.sources, edges.targets])),
            KEY.EDGE_VEC: self.tensor(edges.vectors),
        }
        if self._modality is not None:  # the same for all atoms, so they count as one structure
            found |= {KEY.MODAL_TYPE: self._modality, KEY.BATCH: numbers.new_zeros(len(numbers))}
        return found

    def calculator(self, structure: Structure) -> SevenNetCalculator:
        self.check_elements(structure)
        return self.load(lambda path: SevenNetCalculator(path, device=self.device, modal=self.identity.variant))
