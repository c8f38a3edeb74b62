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
from aiida_pesfp.potentials.batching import BatchedEvaluator, choose_batch_size, choose_device
from aiida_pesfp.potentials.frozen_graph import Edges, FrozenGraph
from aiida_pesfp.potentials.registry import PotentialIdentity

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # its dependencies warn about each other
    import sevenn._keys as KEY
    from sevenn.calculator import SevenNetCalculator
    from sevenn.checkpoint import SevenNetCheckpoint
    from sevenn.nn.convolution import IrrepsConvolution

    from aiida_pesfp.potentials.sevennet.convolution import KERNELS, FrozenConvolution

#: Edges of a batch on a CPU, where edges of the framework are summed one for each atom: throughput is flat around it.
EDGES_IN_CACHE = 3000
#: Memory at the peak of SevenNet-0's forward pass without gradients, measured edge by edge; kernels need less.
BYTES_PER_EDGE = 60_000
#: Largest cell whose edges are summed for pairs of atoms: kernels of N atoms take 100 kB N^2, and grow useless where
#: most pairs are out of reach.
MOST_ATOMS_OF_KERNELS = 64

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
        self.convolutions = []
        for name, module in list(network.named_children()):
            if isinstance(module, IrrepsConvolution):
                self.convolutions.append(FrozenConvolution(module, name))
                network.replace_module(name, self.convolutions[-1])
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
        self._frozen = len(structure) <= MOST_ATOMS_OF_KERNELS
        self._set_ion(0)
        edges = self._graph.typical_edges
        if self._frozen:
            edges += len(structure) - len(self._graph.fixed)
        super().__init__(
            potential.batch_size or choose_batch_size(potential.device, edges, BYTES_PER_EDGE, EDGES_IN_CACHE)
        )

    @torch.inference_mode()
    def batch_energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        if ion != self._graph.ion:
            self._set_ion(ion)
        data = self._data(len(positions), (self._graph.moving if self._frozen else self._graph.batch)(positions))
        if self._frozen:
            data[KERNELS] = self._kernels
        atomic = self._potential.network(data)[KEY.ATOMIC_ENERGY]
        return atomic.view(len(positions), -1).double().sum(dim=1).cpu().numpy()

    @torch.inference_mode()
    def _set_ion(self, ion: int) -> None:
        self._graph = FrozenGraph(self._structure, ion, self._potential.cutoff)
        if self._frozen:
            data = self._potential.network.edge_embedding(self._data(1, self._graph.fixed))
            self._kernels = {layer.name: layer.kernels(data) for layer in self._potential.convolutions}

    def _data(self, size: int, edges: Edges) -> dict:
        """What a network of sevenn takes, for several configurations with these edges."""
        device, numbers = self._potential.device, self._numbers.repeat(size)
        return {
            KEY.NODE_FEATURE: numbers,
            KEY.ATOMIC_NUMBERS: numbers,
            KEY.EDGE_IDX: torch.tensor(np.stack([edges.sources, edges.targets]), device=device),
            KEY.EDGE_VEC: torch.tensor(edges.vectors, dtype=torch.float32, device=device),
        }
