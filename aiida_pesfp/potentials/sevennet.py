"""SevenNet potentials (Park et al., doi:10.1021/acs.jctc.4c00190) through the ``sevenn`` package.

The scan needs energies only; dynamics and relaxation use the package's own ASE calculator.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from pymatgen.core import Element, Structure

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import Potential
from aiida_pesfp.potentials.frozen_graph import FrozenGraph
from aiida_pesfp.potentials.identity import PotentialIdentity
from aiida_pesfp.potentials.network import BatchedEvaluator, choose_batch_size, choose_device

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # its dependencies warn about each other
    import sevenn._keys as KEY
    from sevenn.calculator import SevenNetCalculator
    from sevenn.checkpoint import SevenNetCheckpoint

#: Edges of a batch on a CPU: throughput is flat around this number, and falls where the caches overflow.
EDGES_IN_CACHE = 3000
#: Memory at the peak of SevenNet-0's forward pass without gradients, measured.
BYTES_PER_EDGE = 60_000

#: Modules of a SevenNet after the one that gives the energies of the atoms. Forces need derivatives, the scan does not.
_AFTER_ATOMIC_ENERGIES = ('reduce_total_enegy', 'force_output')


class SevenNetPotential(Potential):
    """A SevenNet checkpoint of a single modality."""

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        """:raises PotentialError: if the file is no SevenNet checkpoint that can be evaluated here."""
        self.identity, self.batch_size = identity, batch_size
        self.device = choose_device(device)
        try:
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
        self.cutoff = float(network.cutoff)
        self.symbols = {Element.from_Z(number).symbol for number in network.type_map}

    def evaluator(self, structure: Structure) -> BatchedEvaluator:
        self.check_elements(structure, self.symbols)
        return SevenNetEvaluator(self, structure)

    def calculator(self, structure: Structure) -> SevenNetCalculator:
        self.check_elements(structure, self.symbols)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return SevenNetCalculator(self.identity.path, device=self.device)


class SevenNetEvaluator(BatchedEvaluator):
    """Energies of one structure by a SevenNet."""

    def __init__(self, potential: SevenNetPotential, structure: Structure):
        self._potential, self._structure = potential, structure
        self._numbers = torch.tensor(structure.atomic_numbers, device=potential.device)
        self._graph = FrozenGraph(structure, 0, potential.cutoff)
        edges = self._graph.typical_edges
        super().__init__(
            potential.batch_size or choose_batch_size(potential.device, edges, BYTES_PER_EDGE, EDGES_IN_CACHE)
        )

    @torch.inference_mode()
    def batch_energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        if ion != self._graph.ion:
            self._graph = FrozenGraph(self._structure, ion, self._potential.cutoff)
        edges, device = self._graph.batch(positions), self._potential.device
        numbers = self._numbers.repeat(len(positions))
        data = {
            KEY.NODE_FEATURE: numbers,
            KEY.ATOMIC_NUMBERS: numbers,
            KEY.EDGE_IDX: torch.tensor(np.stack([edges.sources, edges.targets]), device=device),
            KEY.EDGE_VEC: torch.tensor(edges.vectors, dtype=torch.float32, device=device),
        }
        atomic = self._potential.network(data)[KEY.ATOMIC_ENERGY]
        return atomic.view(len(positions), -1).double().sum(dim=1).cpu().numpy()
