"""Models of matgl, and those of its first two major versions.

The scan needs energies only; dynamics and relaxation use the package's own ASE calculator.

matgl 1 and 2 summed messages on the atom at which a bond ends; since version 3 they are summed on the atom at which it
begins. A TensorNet is the same from either end but for its first layer, which has the features of both atoms in a row,
now in the other order. The new code, and so matgl's own calculator, loads old weights of M3GNet and TensorNet without
an error and gives energies that are wrong by tenths to hundreds of eV. So a model must show for which code it was
trained before it is evaluated:

- its saved arguments tell, if they have names that only one of the two wrote;
- otherwise, the lattice parameters that it predicts for simple crystals must be right one way and wrong the other.
"""

import copy
import json
import types
from pathlib import Path

import numpy as np
import torch
from ase.build import bulk
from pymatgen.core import Structure
from torch import Tensor

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import PotentialIdentity
from aiida_pesfp.potentials.batching import BatchedEvaluator, NetworkPotential, quiet
from aiida_pesfp.potentials.trust import WAY_OUT

with quiet():
    import matgl
    from matgl.apps.pes import Potential as MatglNetwork
    from matgl.ext.ase import PESCalculator
    from matgl.models import M3GNet, TensorNet
    from torch_geometric.data import Batch

#: Where the classes are that a saved model may name, and what they are called.
_MODULES = ('matgl.models', 'matgl.apps.pes', 'matgl.apps._pes')
_CLASSES = {'Potential', *matgl.models.__all__}
#: Arguments of ``matgl.apps.pes.Potential`` that matgl 4 saves and no version before 3 knew ...
_NEW_ARGUMENTS = {'compile_model', 'compile_mode'}
#: ... and one of ``M3GNet`` that every version since 1.3 saves.
_ARGUMENT_SINCE_1_3 = 'dropout'

#: Rock salts and their cubic lattice parameters, A (Materials Project, PBE; experiment is within 2 %).
_ROCK_SALTS = (('Li', 'F', 4.08), ('Na', 'Cl', 5.69), ('Mg', 'O', 4.26), ('K', 'Cl', 6.39))
#: Largest relative error of a model that is evaluated right. The old ``M3GNet-MP-2021.2.8-PES`` then has errors of up
#: to 1 %. Evaluated wrong, it has errors of up to 10 %, the end of the range that is tried.
_LATTICE_TOLERANCE = 0.03


class MatglEvaluator(BatchedEvaluator):
    """Energies of one structure by a model of matgl."""

    edges_in_cache, bytes_per_edge = 3000, 60_000  # as for SevenNet

    def batch_energies(self, positions: np.ndarray) -> Tensor:
        size, number, to_device = len(positions), len(self.structure), self.potential.tensor
        edges = self.graph.batch(positions)
        edges = edges[np.argsort(edges.sources, kind='stable')]  # its three-body indices rely on this order
        lattice = np.array(self.structure.lattice.matrix)
        places = np.tile(self.structure.cart_coords, (size, 1))
        places[self.graph.ion :: number] = positions
        inverse = np.linalg.inv(lattice)
        graph = Batch(
            edge_index=to_device(np.stack([edges.sources, edges.targets])),
            batch=to_device(np.arange(size).repeat(number)),
            node_type=to_device(np.tile([self.potential.symbols.index(s.specie.symbol) for s in self.structure], size)),
            frac_coords=to_device(places @ inverse),
            pbc_offset=to_device(np.rint((edges.vectors - places[edges.targets] + places[edges.sources]) @ inverse)),
            num_nodes=len(places),
        )
        graph._num_graphs = size
        return self.potential.network(graph, to_device(np.tile(lattice, (size, 1, 1))))[0]


class MatglPotential(NetworkPotential):
    """A potential energy model of matgl, from a folder of ``model.json``, ``model.pt`` and ``state.pt``."""

    evaluator_class, dtype = MatglEvaluator, matgl.float_th

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        super().__init__(identity, device, batch_size)
        network = self.load(self._read)
        if not isinstance(network, MatglNetwork):
            raise PotentialError(f'{identity.path} is a {type(network).__name__}: give a model of the potential energy')
        # Forces and stresses need derivatives, the scan does not.
        network.calc_forces = network.calc_stresses = network.calc_hessian = False
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.symbols = tuple(network.model.element_types)
        self.cutoff = float(network.model.cutoff)
        self._choose_convention()

    def _read(self, path: str) -> MatglNetwork:
        """The model, whose files name classes to be called with arguments: only those of networks of matgl, if any."""
        folder = Path(path)
        named = json.loads((folder / 'model.json').read_text()), torch.load(folder / 'model.pt', map_location='cpu')
        for one in () if self.identity.trusted else classes_in(named):
            module, name = one.get('@module'), one.get('@class')
            if not (str(module).startswith(_MODULES) and name in _CLASSES):
                raise ValueError(f'it would call {name} of {module}, which is no network of matgl: {WAY_OUT}')
        return matgl.load_model(folder)

    def calculator(self, structure: Structure) -> PESCalculator:
        self.check_elements(structure)
        network = copy.copy(self.network)  # the same weights with other flags
        network.calc_forces = network.calc_stresses = True
        return PESCalculator(network, stress_unit='eV/A3', use_voigt=True)

    def _choose_convention(self) -> None:
        """Sum messages on the atoms for which the weights were trained.

        :raises PotentialError: if that is not clear, or the model cannot be evaluated so.
        """
        saved, model = json.loads((Path(self.identity.path) / 'model.json').read_text())['kwargs'], self.network.model
        if set(saved) >= _NEW_ARGUMENTS:
            return
        # Some versions saved the arguments of the model as a dictionary, some as its representation.
        if isinstance(model, M3GNet) and _ARGUMENT_SINCE_1_3 not in json.dumps(saved['model'], default=str):
            evaluate_as_before(model)
            return
        errors = {'as matgl 4 does': self._lattice_errors()}
        if evaluate_as_before(model):
            errors['as matgl 1 and 2 did'] = self._lattice_errors()
        right = [way for way, values in errors.items() if max(values) < _LATTICE_TOLERANCE]
        if len(right) != 1:
            raise PotentialError(
                f'{self.identity.name}, a {type(model).__name__} that was not saved by matgl 4 or later, cannot be '
                'trusted: it is not clear how to evaluate it, as the relative errors of its lattice parameters of rock '
                f'salts are {errors}. Take a model saved by matgl 4 or later'
            )
        if right == ['as matgl 4 does']:
            evaluate_as_now(model)

    def _lattice_errors(self) -> list[float]:
        """Relative error of the predicted lattice parameter for each rock salt that the model knows."""
        errors = []
        for cation, anion, expected in _ROCK_SALTS:
            if {cation, anion} <= set(self.symbols):
                trials = expected * np.linspace(0.9, 1.1, 21)
                crystals = [Structure.from_ase_atoms(bulk(cation + anion, 'rocksalt', a)) for a in trials]
                energies = [self.evaluator(crystal).energies(0, np.zeros((1, 3)))[0] for crystal in crystals]
                errors.append(float(abs(trials[int(np.argmin(energies))] / expected - 1)))
        return errors or [np.inf]


def classes_in(content) -> list[dict]:
    """All dictionaries with a key ``@class`` or ``@module`` in nested lists and dictionaries."""
    if isinstance(content, dict):
        own = [content] if '@class' in content or '@module' in content else []
        return own + [one for value in content.values() for one in classes_in(value)]
    return [one for value in content for one in classes_in(value)] if isinstance(content, list | tuple) else []


def evaluate_as_before(model: torch.nn.Module) -> bool:
    """Let a model do what matgl 1 and 2 did; whether there is a difference."""
    if isinstance(model, M3GNet):
        for block in model.graph_layers:
            block.conv.node_update_ = types.MethodType(_node_update_on_neighbours, block.conv)
    elif isinstance(model, TensorNet):
        _exchange_ends(model)
    return isinstance(model, M3GNet | TensorNet)


def evaluate_as_now(model: torch.nn.Module) -> None:
    """Let a model do again what the installed matgl does."""
    if isinstance(model, M3GNet):
        for block in model.graph_layers:
            vars(block.conv).pop('node_update_', None)
    elif isinstance(model, TensorNet):
        _exchange_ends(model)


@torch.no_grad()
def _exchange_ends(model: TensorNet) -> None:
    """Exchange the weights of the two ends of a bond in the first layer, which each of matgl's implementations has."""
    weight = model.tensor_embedding.emb2.weight  # its columns are those of one end, then those of the other
    weight.copy_(weight.roll(weight.shape[1] // 2, dims=1))


def _node_update_on_neighbours(self, edge_index, edge_feat, node_feat, rbf, u_per_edge, num_nodes):
    sources, targets = edge_index
    features = [node_feat[sources], node_feat[targets], edge_feat]
    if self.include_state:
        features.append(u_per_edge)
    messages = self.node_update_func(torch.hstack(features)) * self.node_weight_func(rbf)
    return messages.new_zeros(num_nodes, messages.shape[1]).index_add_(0, targets, messages)
