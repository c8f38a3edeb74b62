"""Potentials that other packages offer through torch-sim, many configurations at once, energies only if they can."""

import inspect
import pkgutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from pymatgen.core import Element, Structure
from torch import Tensor

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import PotentialIdentity
from aiida_pesfp.potentials.batching import MEMORY_OF_DERIVATIVES, BatchedEvaluator, NetworkPotential
from aiida_pesfp.potentials.description import describe
from aiida_pesfp.potentials.torchsim.family import PREFIX, Model, models
from aiida_pesfp.potentials.trust import WAY_OUT

#: Range of bonds that the size of a batch is estimated with, A: that of most models.
_TYPICAL_CUTOFF = 6.0
#: Parameters of most models that leave out derivatives.
_DERIVATIVES = 'compute_forces', 'compute_stress'


class TorchSimEvaluator(BatchedEvaluator):
    """Energies of one structure by a model of torch-sim."""

    edges_in_cache = 6000
    bytes_per_edge = 100_000  # estimated; too many for the memory are halved

    def prepare(self, ion: int) -> None:
        self.ion = ion

    def edges(self) -> int:
        return _typical_edges(self.structure)

    def batch_energies(self, positions: np.ndarray) -> Tensor:
        places = np.repeat(self.structure.cart_coords[None], len(positions), axis=0)
        places[:, self.ion] = positions
        cells = np.repeat(self.structure.lattice.matrix[None], len(positions), axis=0)
        return self.potential.evaluate(places, cells, self.numbers.repeat(len(positions)))['energy']


class TorchSimPotential(NetworkPotential):
    """A model of torch-sim: of the rows of ``models.yaml``, or a class that is named or described."""

    evaluator_class = TorchSimEvaluator

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        """:raises PotentialError: if the model cannot be made, or would run code that comes with its weights."""
        from torch_sim.models.interface import ModelInterface  # which docs and tests of other Pythons do without

        super().__init__(identity, device, batch_size)
        self._row, self._parameters = self._model()
        if self._row.weights and identity.package_version == 'unknown':
            raise PotentialError(
                f'the Python package {self._row.package} is not installed here: pip install {self._row.package}'
            )
        if self._row.code and not identity.trusted:
            raise PotentialError(f'{identity.path}: {self._row.code}: {WAY_OUT}')
        self._function = _function(self._row.model)
        if self._row.weights is None and not (
            isinstance(self._function, type) and issubclass(self._function, ModelInterface)
        ):
            raise PotentialError(f"{self._row.model} is no class of torch-sim's models: give package.module.Model")
        self._can_skip = [name for name in _DERIVATIVES if name in inspect.signature(self._function).parameters]
        self.model = self._make(dict.fromkeys(self._can_skip, False))
        self.dtype = self.model.dtype
        if self._row.elements:
            self.symbols = {Element.from_Z(int(z)).symbol for z in _attribute(self.model, self._row.elements)}
        names = list(_attribute(self.model, self._row.choices, ())) if self._row.choices else []
        if len(names) < 2 and self._row.choices and identity.variant is not None:
            raise PotentialError(f'{identity.path} holds one potential: leave out :{identity.variant}')
        if len(names) > 1 and identity.variant is None:
            what = f'{identity.path} holds several potentials'
            raise PotentialError(f'{what}: add one of them to its name, {" or ".join(f":{name}" for name in names)}')

    @cached_property
    def with_derivatives(self) -> torch.nn.Module:
        """The model that computes forces and, if it can, stresses too.

        :raises PotentialError: if it computes no forces.
        """
        model = self._make(dict.fromkeys(self._can_skip, True)) if self._can_skip else self.model
        if not model.compute_forces:
            raise PotentialError(f'{self.identity.name} gives no forces: take another potential')
        return model

    def check_elements(self, structure: Structure) -> None:
        if self.symbols is not None:
            super().check_elements(structure)

    def evaluate(
        self, places: np.ndarray, cells: np.ndarray, numbers: Tensor, *, systems: Tensor | None = None, model=None
    ) -> dict[str, Tensor]:
        """What the model computes for several configurations at once.

        :param places: (M, N, 3) or (M N, 3) positions, A.
        :param cells: (M, 3, 3) lattice vectors in rows, A.
        :param numbers: (M N) atomic numbers.
        :param systems: (M N) to which configuration an atom belongs, if not all have the same number.
        """
        from torch_sim import SimState

        if systems is None:
            systems = torch.arange(len(cells), device=self.device).repeat_interleave(len(numbers) // len(cells))
        # Models that compute forces without being asked to need gradients, which a scan switches off.
        with torch.inference_mode(False), torch.enable_grad():
            positions = self.tensor(places.reshape(-1, 3))
            state = SimState(
                positions=positions,
                masses=torch.ones_like(positions[:, 0]),
                cell=self.tensor(cells.transpose(0, 2, 1)),  # lattice vectors in columns
                pbc=True,
                atomic_numbers=numbers.clone(),
                system_idx=systems.clone(),
            )
            return {name: value.detach() for name, value in (model or self.model)(state).items()}

    def energies(self, structures: Sequence[Structure]) -> list[float]:
        memory = 1 if self._can_skip else MEMORY_OF_DERIVATIVES
        return [energy for one in self._batches(structures, self.model, memory) for energy in one['energy'].tolist()]

    def energies_and_forces(self, structures: Sequence[Structure]) -> list[tuple[float, np.ndarray]]:
        batches = list(self._batches(structures, self.with_derivatives, MEMORY_OF_DERIVATIVES))
        energies = [energy for one in batches for energy in one['energy'].tolist()]
        forces = np.concatenate([one['forces'].double().cpu().numpy() for one in batches])
        return list(zip(energies, np.split(forces, np.cumsum([len(one) for one in structures])[:-1])))

    def calculator(self, structure: Structure) -> Calculator:
        self.check_elements(structure)
        return TorchSimCalculator(self)

    def _batches(self, structures: Sequence[Structure], model: torch.nn.Module, memory: int):
        for structure in structures:
            self.check_elements(structure)
        edges = max(map(_typical_edges, structures))
        size = self.batch_size or self.evaluator_class.fitting(self.device, memory * edges)
        for batch in (structures[begin : begin + size] for begin in range(0, len(structures), size)):
            counts = torch.tensor([len(one) for one in batch], device=self.device)
            yield self.evaluate(
                np.concatenate([one.cart_coords for one in batch]),
                np.array([one.lattice.matrix for one in batch]),
                self.tensor(np.concatenate([one.atomic_numbers for one in batch])),
                systems=torch.arange(len(batch), device=self.device).repeat_interleave(counts),
                model=model,
            )

    def _model(self) -> tuple[Model, dict]:
        """The row of the model, and the parameters beyond it."""
        if self.identity.model:
            row = models()[self.identity.model]
            chosen = {row.variant: self.identity.variant} if row.variant and self.identity.variant else {}
            return row, row.parameters | chosen
        described = describe(Path(self.identity.path)) if self.identity.path else None
        described = described or {'model': self.identity.name.removeprefix(PREFIX), 'parameters': {}}
        return Model(described['model'], self.identity.package), described['parameters']

    def _make(self, further: dict) -> torch.nn.Module:
        parameters = self._parameters | further
        with tempfile.TemporaryDirectory() as folder:
            if self._row.weights:
                # Some packages write beside the weights, which may be anyone's.
                link = Path(folder, Path(self.identity.path).name)
                link.symlink_to(Path(self.identity.path).absolute())
                parameters[self._row.weights] = str(link)
            return self.load(lambda _: self._call(parameters))

    def _call(self, parameters: dict) -> torch.nn.Module:
        if not self._row.before:
            return self._function(**self._own(self._function, parameters))
        before = _function(self._row.before)
        if isinstance(before, Mapping):
            name = self.identity.variant
            if name not in before:
                close = ', '.join(get_close_matches(name, before, cutoff=0.3) or before)
                raise PotentialError(f'{self.identity.package} has no {name}: close are {close}')
            before = before[name]
        made = before(**self._own(before, parameters))
        return self._function(*made, **self._own(self._function, {}))

    def _own(self, function: Callable, parameters: dict) -> dict:
        """The parameters, with device and precision if the function takes them."""
        known = inspect.signature(function).parameters
        usual = {'device': self.device, 'dtype': torch.float32}
        found = {name: value for name, value in usual.items() if name in known} | parameters
        if isinstance(found.get('dtype'), str):
            found['dtype'] = getattr(torch, found['dtype'], None)
        return found


class TorchSimCalculator(Calculator):
    """Energy, forces and, if the model has it, stress of a model of torch-sim."""

    def __init__(self, potential: TorchSimPotential):
        super().__init__()
        self._potential, self._model = potential, potential.with_derivatives
        self.implemented_properties = ['energy', 'free_energy', 'forces']
        if self._model.compute_stress:
            self.implemented_properties.append('stress')

    def calculate(self, atoms: Atoms | None = None, properties=('energy',), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        numbers = self._potential.tensor(self.atoms.numbers)
        found = self._potential.evaluate(
            self.atoms.positions, np.array(self.atoms.cell)[None], numbers, model=self._model
        )
        energy = float(found['energy'].reshape(-1)[0])
        self.results = {'energy': energy, 'free_energy': energy, 'forces': found['forces'].double().cpu().numpy()}
        if self._model.compute_stress:
            stress = found['stress'].double().cpu().numpy().reshape(3, 3)
            self.results['stress'] = full_3x3_to_voigt_6_stress(stress)


def _typical_edges(structure: Structure) -> int:
    """Number of edges of a structure, estimated from its density."""
    return int(len(structure) ** 2 / structure.volume * 4 / 3 * np.pi * _TYPICAL_CUTOFF**3) + 1


def _function(name: str) -> Callable | Mapping:
    """:raises PotentialError: if the package is not here, or has nothing of this name."""
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        package = name.partition('.')[0]
        raise PotentialError(f'{name} is not here ({error}): install the package {package}') from error


def _attribute(thing, path: str, default=None):
    """An attribute of attributes, or of keys of dictionaries: ``config.atomic_numbers``."""
    for name in path.split('.'):
        thing = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
    return default if thing is None else thing
