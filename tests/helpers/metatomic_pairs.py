"""A metatomic model of exp(-r) for each pair, in eV. TorchScript knows the older forms of annotations only."""
# ruff: noqa: UP006, UP035, UP045

from typing import Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import ModelOutput, NeighborListOptions, System


class Pairs(torch.nn.Module):
    """The sum over pairs closer than 4 A."""

    def __init__(self):
        super().__init__()
        self.pairs = NeighborListOptions(cutoff=4.0, full_list=False, strict=True)

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        return [self.pairs]

    def forward(
        self, systems: List[System], outputs: Dict[str, ModelOutput], selected_atoms: Optional[Labels]
    ) -> Dict[str, TensorMap]:
        energies: List[torch.Tensor] = []
        for system in systems:
            vectors = system.get_neighbor_list(self.pairs).values.reshape(-1, 3)
            energies.append(torch.exp(-torch.linalg.vector_norm(vectors, dim=1)).sum().reshape(1, 1))
        block = TensorBlock(
            values=torch.vstack(energies),
            samples=Labels(['system'], torch.arange(len(systems)).reshape(-1, 1)),
            components=torch.jit.annotate(List[Labels], []),
            properties=Labels(['energy'], torch.zeros(1, 1, dtype=torch.int64)),
        )
        return {'energy': TensorMap(Labels(['_'], torch.zeros(1, 1, dtype=torch.int64)), [block])}
