"""Models of matgl, and those of its first two major versions.

The scan needs energies only; dynamics and relaxation use the package's own ASE calculator.

matgl 1 and 2 summed the messages of an M3GNet on the atom at which a bond ends; since version 3 they are summed on the
atom at which it begins. Old weights load into the new code without an error and give wrong energies, by tenths to
hundreds of eV. So a model must show which code it was trained for before it is evaluated:

- its saved arguments tell, if they have names that only the one or the other wrote;
- if they do not, the lattice parameters that it predicts for simple crystals must be right one way and wrong the other.
"""

from __future__ import annotations

import copy
import json
import types
import warnings
from pathlib import Path

import numpy as np
import torch
from pymatgen.core import Lattice, Structure

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import PotentialIdentity
from aiida_pesfp.potentials.batching import BatchedEvaluator, NetworkPotential

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # its dependencies warn about each other
    import matgl
    from matgl.apps.pes import Potential as MatglNetwork
    from matgl.ext.ase import PESCalculator
    from matgl.models import M3GNet, TensorNet
    from torch_geometric.data import Batch

#: Arguments of ``matgl.apps.pes.Potential`` that matgl 4 saves and no version before 3 knew ...
_NEW_ARGUMENTS = {'compile_model', 'compile_mode'}
#: ... and one of ``M3GNet`` that every version since 1.3 saves.
_ARGUMENT_SINCE_1_3 = 'dropout'

#: Rock salts and their cubic lattice parameters, A (Materials Project, PBE; experiment is within 2 %).
_ROCK_SALTS = (('Li', 'F', 4.08), ('Na', 'Cl', 5.69), ('Mg', 'O', 4.26), ('K', 'Cl', 6.39))
#: Largest relative error of a model that is evaluated right. Evaluated wrong, the old ``M3GNet-MP-2021.2.8-PES`` has
#: errors of up to 10 % (the end of the range that is tried), evaluated right none above 1 %.
_LATTICE_TOLERANCE = 0.03


class MatglPotential(NetworkPotential):
    """A potential energy model of matgl, from a folder of ``model.json``, ``model.pt`` and ``state.pt``."""

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        super().__init__(identity, device, batch_size)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                network = matgl.load_model(Path(identity.path))
        except Exception as error:  # it raises RuntimeError for any cause
            raise PotentialError(
                f'matgl {identity.package_version} cannot load {identity.path}: {error.__cause__ or error}'
            ) from error
        if not isinstance(network, MatglNetwork):
            raise PotentialError(f'{identity.path} is a {type(network).__name__}: give a model of the potential energy')
        # Forces and stresses need derivatives, the scan does not.
        network.calc_forces = network.calc_stresses = network.calc_hessian = False
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.symbols = tuple(network.model.element_types)
        self.cutoff = float(network.model.cutoff)
        self._settle_convention()

    def evaluator(self, structure: Structure) -> MatglEvaluator:
        return MatglEvaluator(self, structure)

    def calculator(self, structure: Structure) -> PESCalculator:
        self.check_elements(structure)
        network = copy.copy(self.network)  # the same weights with other flags
        network.calc_forces = network.calc_stresses = True
        return PESCalculator(network, stress_unit='eV/A3', use_voigt=True)

    def _settle_convention(self) -> None:
        """Make sure that messages are summed on the atoms for which the weights were trained.

        :raises PotentialError: if that cannot be told, or the model cannot be evaluated so.
        """
        saved = json.loads((Path(self.identity.path) / 'model.json').read_text())['kwargs']
        if set(saved) >= _NEW_ARGUMENTS or isinstance(self.network.model, TensorNet):
            return  # a TensorNet is the same in both
        model = self.network.model
        if isinstance(model, M3GNet) and _ARGUMENT_SINCE_1_3 not in _arguments(saved['model']):
            sum_on_neighbours(model)
            return
        errors = {'as matgl 4 does': self._lattice_errors()}
        if isinstance(model, M3GNet):
            sum_on_neighbours(model)
            errors['as matgl 1 and 2 did'] = self._lattice_errors()
        right = [way for way, values in errors.items() if max(values) < _LATTICE_TOLERANCE]
        if right == ['as matgl 4 does']:
            sum_on_centres(model)
        elif right != ['as matgl 1 and 2 did']:
            raise PotentialError(
                f'{self.identity.name}, a {type(model).__name__} that was not saved by matgl 4 or later, cannot be '
                f'trusted: the relative errors of its lattice parameters of rock salts are {errors}, so that it cannot '
                'be told how it must be evaluated. Take a model saved by matgl 4 or later'
            )

    def _lattice_errors(self) -> list[float]:
        """Relative error of the predicted lattice parameter for each rock salt that the model knows."""
        errors = []
        for cation, anion, expected in _ROCK_SALTS:
            if {cation, anion} <= set(self.symbols):
                trials = expected * np.linspace(0.9, 1.1, 21)
                energies = [self._rock_salt_energy(cation, anion, a) for a in trials]
                errors.append(float(abs(trials[int(np.argmin(energies))] / expected - 1)))
        return errors or [np.inf]

    def _rock_salt_energy(self, cation: str, anion: str, a: float) -> float:
        lattice = Lattice([[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]])
        structure = Structure(lattice, [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])
        return float(self.evaluator(structure).energies(0, np.zeros((1, 3)))[0])


class MatglEvaluator(BatchedEvaluator):
    """Energies of one structure by a model of matgl."""

    edges_in_cache, bytes_per_edge = 3000, 60_000  # as for SevenNet

    def __init__(self, potential: MatglPotential, structure: Structure):
        super().__init__(potential, structure)
        types = [potential.symbols.index(site.specie.symbol) for site in structure]
        self._types = torch.tensor(types, device=potential.device)

    def batch_energies(self, positions: np.ndarray) -> np.ndarray:
        structure, device, number = self.structure, self.potential.device, len(self.structure)
        edges = self.graph.batch(positions)
        order = np.argsort(edges.sources, kind='stable')  # its three-body indices rely on it
        sources, targets, vectors = edges.sources[order], edges.targets[order], edges.vectors[order]
        lattice = np.array(structure.lattice.matrix)
        places = np.tile(structure.cart_coords, (len(positions), 1))
        places[self.graph.ion :: number] = positions
        inverse = np.linalg.inv(lattice)
        images = np.rint((vectors - places[targets] + places[sources]) @ inverse)

        def to_device(array: np.ndarray) -> torch.Tensor:
            return torch.tensor(array, dtype=matgl.float_th, device=device)

        graph = Batch(
            edge_index=torch.tensor(np.stack([sources, targets]), device=device),
            batch=torch.arange(len(positions), device=device).repeat_interleave(number),
            node_type=self._types.repeat(len(positions)),
            frac_coords=to_device(places @ inverse),
            pbc_offset=to_device(images),
            num_nodes=len(places),
        )
        graph._num_graphs = len(positions)
        energies = self.potential.network(graph, to_device(np.tile(lattice, (len(positions), 1, 1))))[0]
        return energies.reshape(-1).double().cpu().numpy()


def sum_on_neighbours(model: M3GNet) -> None:
    """Let an M3GNet sum the messages on the atoms at which bonds end, as matgl 1 and 2 did."""
    for block in model.graph_layers:
        block.conv.node_update_ = types.MethodType(_node_update_on_neighbours, block.conv)


def sum_on_centres(model: M3GNet) -> None:
    """Undo :func:`sum_on_neighbours`."""
    for block in getattr(model, 'graph_layers', ()):
        vars(getattr(block, 'conv', block)).pop('node_update_', None)


def _node_update_on_neighbours(self, edge_index, edge_feat, node_feat, rbf, u_per_edge, num_nodes):
    sources, targets = edge_index
    features = [node_feat[sources], node_feat[targets], edge_feat]
    if self.include_state:
        features.append(u_per_edge)
    messages = self.node_update_func(torch.hstack(features)) * self.node_weight_func(rbf)
    return messages.new_zeros(num_nodes, messages.shape[1]).index_add_(0, targets, messages)


def _arguments(saved_model) -> str:
    """Saved arguments of the inner model, as text: some versions saved a dictionary, some its representation."""
    return json.dumps(saved_model, default=str)
