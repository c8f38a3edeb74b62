"""What all networks share: devices, batches, the frozen graph, and what to do when memory is short."""

from __future__ import annotations

import contextlib
import ctypes
import io
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from pymatgen.core import Element, Structure
from torch import Tensor
from torch.serialization import safe_globals

from aiida_pesfp.errors import OutOfMemory, PotentialError
from aiida_pesfp.memory import MORE_MEMORY, available_memory
from aiida_pesfp.potentials.base import Evaluator, Potential, PotentialIdentity
from aiida_pesfp.potentials.frozen_graph import Edges, FrozenGraph, all_edges
from aiida_pesfp.potentials.trust import reason, without_code

#: Elements on which networks of the Materials Project's relaxations were trained: 1 to 83 and 89 to 94. Their weights
#: for polonium to radium are those of the initialisation.
TRAINED_SYMBOLS = tuple(Element.from_Z(z).symbol for z in (*range(1, 84), *range(89, 95)))
T = TypeVar('T')
#: Derivatives need so many times the memory of energies.
MEMORY_OF_DERIVATIVES = 4
#: What checkpoints call to restore arrays of numpy, under the names of numpy 1 and 2, beyond what torch considers safe.
_RESTORE_ARRAYS = [
    np.ndarray,
    np.dtype,
    *(type(np.dtype(name)) for name in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', '?', 'U')),
    *(
        (getattr(np._core.multiarray, name), f'numpy.{core}.multiarray.{name}')
        for core in ('core', '_core')
        for name in ('_reconstruct', 'scalar')
    ),
]


class NetworkPotential(Potential):
    """A potential that is a network of torch.

    :cvar evaluator_class: the :class:`BatchedEvaluator` of one structure.
    :ivar cutoff: range of the bonds, A.
    :ivar dtype: precision of the network.
    :ivar element_references: energy by atomic number that is added for each atom, eV; None if the network includes it.
    :ivar batch_size: largest number of configurations that are evaluated at once; None if it follows from memory.
    """

    evaluator_class: type[BatchedEvaluator]
    cutoff: float
    dtype: torch.dtype = torch.float32
    element_references: np.ndarray | None = None

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        """:raises PotentialError: if the device cannot be used, or the weights cannot be loaded or trusted."""
        self.identity, self.batch_size, self.device = identity, batch_size, choose_device(device)

    @property
    def is_parallel(self) -> bool:
        return self.device.type != 'cpu'

    def evaluator(self, structure: Structure) -> BatchedEvaluator:
        return self.evaluator_class(self, structure)

    def load(self, read: Callable[[str], T]) -> T:
        """What ``read`` makes from the path of the weights. Unless they are trusted, they run no code.

        :raises PotentialError: if they would, or cannot be loaded.
        """
        path = self.identity.path
        try:
            with quiet(), without_code(self.identity.trusted), safe_globals(_RESTORE_ARRAYS):
                return read(path)
        except Exception as error:  # foreign or damaged weights can raise anything
            package = f'{self.identity.package} {self.identity.package_version}'
            raise PotentialError(f'{package} cannot load {path}: {reason(error)}') from error

    def tensor(self, array: np.ndarray | Tensor) -> Tensor:
        """An array on the device of the network; real numbers have the network's precision; a tensor stays as it is."""
        if isinstance(array, Tensor):
            return array
        return torch.tensor(array, dtype=self.dtype if array.dtype.kind == 'f' else None, device=self.device)


class GraphPotential(NetworkPotential):
    """A network that computes any graph: whole structures, too, are evaluated several at once."""

    @abstractmethod
    def atom_energies(self, numbers: Tensor, edges: Edges) -> Tensor:
        """(N,) energies of the atoms of a graph, eV, without the reference energies of the elements.

        :param numbers: (N,) atomic numbers.
        """

    @torch.inference_mode()
    def energies(self, structures: Sequence[Structure]) -> list[float]:
        return [
            energy
            for numbers, edges, first in self._batches(structures)
            for energy in self._sums(numbers, first, self.atom_energies(self.tensor(numbers), edges))
        ]

    def energies_and_forces(self, structures: Sequence[Structure]) -> list[tuple[float, np.ndarray]]:
        found = []
        # Derivatives keep what the forward pass alone forgets.
        for numbers, edges, first in self._batches(structures, MEMORY_OF_DERIVATIVES):
            energies, forces, _ = self.derivatives(numbers, edges)
            found += zip(self._sums(numbers, first, energies), np.split(forces, first[1:]))
        return found

    def derivatives(self, numbers: np.ndarray, edges: Edges) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """(N,) energies of the atoms of a graph without the reference energies, eV, their (N, 3) forces, eV/A, and the
        (3, 3) derivative of their sum by strain, eV.
        """
        vectors = self.tensor(edges.vectors).requires_grad_()
        energies = self.atom_energies(self.tensor(numbers), Edges(edges.sources, edges.targets, vectors))
        (gradient,) = torch.autograd.grad(energies.sum(), vectors)
        gradient, sources, targets = gradient.double(), *map(self.tensor, (edges.sources, edges.targets))
        forces = torch.zeros(len(numbers), 3, dtype=torch.float64, device=self.device)
        forces.index_add_(0, sources, gradient).index_add_(0, targets, -gradient)
        # A strain changes each bond vector v to v + strain v: the energy's derivative is the sum of gradient x vector.
        virial = gradient.T @ vectors.detach().double()
        return energies.detach(), forces.cpu().numpy(), virial.cpu().numpy()

    def _batches(
        self, structures: Sequence[Structure], memory: int = 1
    ) -> Iterator[tuple[np.ndarray, Edges, np.ndarray]]:
        """Each batch as one graph: its atomic numbers, its edges, and the first atom of each structure."""
        graphs = []
        for structure in structures:
            self.check_elements(structure)
            graphs.append((np.array(structure.atomic_numbers), all_edges(structure, self.cutoff)))
        most = max(len(edges) for _, edges in graphs)
        size = self.batch_size or self.evaluator_class.fitting(self.device, memory * most)
        for batch in (graphs[begin : begin + size] for begin in range(0, len(graphs), size)):
            first = np.cumsum([0, *(len(numbers) for numbers, _ in batch[:-1])])
            parts = [(one.sources + begin, one.targets + begin, one.vectors) for begin, (_, one) in zip(first, batch)]
            yield np.concatenate([own for own, _ in batch]), Edges(*map(np.concatenate, zip(*parts))), first

    def _sums(self, numbers: np.ndarray, first: np.ndarray, energies: Tensor) -> list[float]:
        """Energy of each structure of a batch from those of the atoms, eV."""
        found = energies.double().flatten().cpu().numpy()
        if self.element_references is not None:
            found = found + self.element_references[numbers]
        return np.add.reduceat(found, first).tolist()


class BatchedEvaluator(Evaluator):
    """An evaluator that computes several configurations at once, and fewer if they do not fit.

    :cvar edges_in_cache: edges of a batch on a CPU.
    :cvar bytes_per_edge: memory at the peak of the forward pass without gradients.
    :cvar side_by_side: whether each thread of a CPU computes a batch of its own.
    """

    edges_in_cache: int
    bytes_per_edge: int
    side_by_side = False

    def __init__(self, potential: NetworkPotential, structure: Structure):
        potential.check_elements(structure)
        self.potential, self.structure, self._reference = potential, structure, 0.0
        self.numbers = potential.tensor(np.array(structure.atomic_numbers))
        if potential.element_references is not None:
            self._reference = float(potential.element_references[list(structure.atomic_numbers)].sum())
        self._set_ion(0)
        self.batch_size = size = potential.batch_size or self._choose_batch_size()
        workers = torch.get_num_threads() if self.side_by_side and potential.device.type == 'cpu' else 1
        self.points_per_call = size * max(-(-Evaluator.points_per_call // size), 4 * workers if workers > 1 else 1)
        self._workers = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        self._map = self._workers.map if workers > 1 else map

    @abstractmethod
    def batch_energies(self, positions: np.ndarray) -> Tensor:
        """(M,) or (M, N) energies of configurations or their atoms with the prepared ion at each position, eV.

        They lack the reference energies of the elements.
        """

    def prepare(self, ion: int) -> None:
        """Set the ion that moves."""
        self.graph = FrozenGraph(self.structure, ion, self.potential.cutoff)
        self.freeze()

    def freeze(self) -> None:
        """Compute what all places of the ion of ``self.graph`` share."""

    def edges(self) -> int:
        """Edges of one configuration for which memory is needed."""
        return self.graph.typical_edges

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        while True:
            size = self.batch_size
            batches = [positions[begin : begin + size] for begin in range(0, len(positions), size)]
            try:
                if ion != self._ready_for:
                    self._set_ion(ion)
                return np.concatenate([np.empty(0), *self._map(self._batch_energies, batches)])
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    what = f'one configuration does not fit into memory ({str(error).splitlines()[0]})'
                    where = (
                        'use a device with more'
                        if self.potential.is_parallel
                        else f'{available_memory()}: {MORE_MEMORY}'
                    )
                    raise OutOfMemory(f'{what}: {where}') from error
            self.batch_size = -(-size // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def _batch_energies(self, positions: np.ndarray) -> np.ndarray:
        energies = self.batch_energies(positions).reshape(len(positions), -1)
        return energies.double().sum(dim=1).cpu().numpy() + self._reference

    @torch.inference_mode()
    def _set_ion(self, ion: int) -> None:
        self._ready_for = None  # until all has been computed: memory may run out on the way
        self.prepare(ion)
        self._ready_for = ion

    def _choose_batch_size(self) -> int:
        return self.fitting(self.potential.device, self.edges())

    @classmethod
    def fitting(cls, device: torch.device, edges: int) -> int:
        """As many configurations as half of the free memory holds, and on a CPU no more than stay near its caches.

        :param edges: of one configuration.
        """
        if device.type == 'cuda':
            (free, _), most, at_once = torch.cuda.mem_get_info(device), 4096, 1
        else:
            free, most = available_memory().free, cls.edges_in_cache // max(1, edges)  # larger batches are slower
            at_once = torch.get_num_threads() if cls.side_by_side else 1
        return int(max(1, min(most, free // 2 // (at_once * edges * cls.bytes_per_edge + 1))))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress the warnings and the output of packages, whose dependencies warn about each other."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        yield


def choose_device(name: str) -> torch.device:
    """The torch device of that name; ``'auto'`` is a GPU if there is one.

    :raises PotentialError: if it is unknown or not there.
    """
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise PotentialError(f'the device {name!r} cannot be used ({str(error).splitlines()[0]}): try cpu') from error
    if device.type == 'cpu':
        _keep_freed_memory()
    # TF32 would round energies to about 1e-3 of their spread; it is off by default for products, not for convolutions.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return device


def _keep_freed_memory() -> None:
    """Let glibc keep what tensors free for the next ones.

    By default it returns every block above some size to the kernel, which maps and zeroes it again, page by page, at
    the next allocation of that size. In a network of many small layers, this takes a third to a half of the time.
    """
    with contextlib.suppress(OSError):  # another C library
        for threshold in (-3, -1):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
            ctypes.CDLL('libc.so.6').mallopt(threshold, 1 << 30)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the memory of the device is exhausted."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
