"""What all networks share: devices, batches, the frozen graph, and what to do when memory is short."""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from pymatgen.core import Element, Structure
from torch.serialization import get_unsafe_globals_in_checkpoint

from aiida_pesfp.errors import OutOfMemory, PotentialError
from aiida_pesfp.potentials.base import POINTS_PER_CALL, Evaluator, Potential, PotentialIdentity
from aiida_pesfp.potentials.frozen_graph import FrozenGraph

#: Elements of the Materials Project's relaxations: 1 to 83 and 89 to 94. Networks trained on these have weights for
#: polonium to radium too, but those of the initialisation.
MATERIALS_PROJECT_SYMBOLS = tuple(Element.from_Z(z).symbol for z in (*range(1, 84), *range(89, 95)))


class NetworkPotential(Potential):
    """A potential that is a network of torch.

    :ivar cutoff: range of the bonds, A.
    :ivar batch_size: largest number of configurations that are evaluated at once; None if it follows from memory.
    """

    cutoff: float

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        """:raises PotentialError: if the device cannot be used, or the weights cannot be loaded or trusted."""
        self.identity, self.batch_size, self.device = identity, batch_size, choose_device(device)


class BatchedEvaluator(Evaluator):
    """An evaluator that computes several configurations at once, and fewer if they do not fit.

    :cvar edges_in_cache: edges of a batch on a CPU.
    :cvar bytes_per_edge: memory at the peak of the forward pass without gradients.
    """

    edges_in_cache: int
    bytes_per_edge: int

    def __init__(self, potential: NetworkPotential, structure: Structure, workers: int = 1):
        """:param workers: how many batches are computed side by side, each by one thread."""
        potential.check_elements(structure)
        self.potential, self.structure = potential, structure
        self.numbers = torch.tensor(structure.atomic_numbers, device=potential.device)
        self._set_ion(0)
        self.batch_size = size = potential.batch_size or self._choose_batch_size()
        self.points_per_call = size * max(-(-POINTS_PER_CALL // size), 4 * workers if workers > 1 else 1)
        self._workers = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        self._map = self._workers.map if workers > 1 else map

    @abstractmethod
    def batch_energies(self, positions: np.ndarray) -> np.ndarray:
        """As :meth:`energies` of the ion of ``self.graph``, all positions in one batch."""

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
                self._halve_batch(error)

    @torch.inference_mode()
    def _batch_energies(self, positions: np.ndarray) -> np.ndarray:
        return self.batch_energies(positions)

    @torch.inference_mode()
    def _set_ion(self, ion: int) -> None:
        self._ready_for = None  # until all has been computed: memory may run out on the way
        self.graph = FrozenGraph(self.structure, ion, self.potential.cutoff)
        self.freeze()
        self._ready_for = ion

    def _choose_batch_size(self) -> int:
        """On a CPU, as many configurations as keep the working set near the caches: larger batches are slower, not
        faster. On a GPU, as many as half of its free memory holds.
        """
        device, edges = self.potential.device, self.edges()
        if device.type == 'cuda':
            free, _ = torch.cuda.mem_get_info(device)
            return int(max(1, min(4096, free // 2 // (edges * self.bytes_per_edge + 1))))
        return max(1, self.edges_in_cache // max(1, edges))

    def _halve_batch(self, error: RuntimeError) -> None:
        if self.batch_size == 1:
            raise OutOfMemory(
                f'one configuration does not fit into memory ({str(error).splitlines()[0]}): use a device with more'
            ) from error
        self.batch_size = -(-self.batch_size // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def check_pickle(path: str, allowed: Collection[str] = ()) -> None:
    """Refuse a checkpoint that does more than restore tensors when it is read, which the packages of potentials allow.

    :param allowed: functions that it may call beyond those that torch considers safe.
    :raises ValueError: if it calls others.
    """
    unsafe = set(get_unsafe_globals_in_checkpoint(path)).difference(allowed)
    if unsafe:
        raise ValueError(f'it would call {", ".join(sorted(unsafe))} when it is read')


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
    the next allocation of the same size: a third to a half of the time of a network of many small layers.
    """
    try:
        libc = ctypes.CDLL('libc.so.6')
    except OSError:
        return  # another C library
    trim_threshold, mmap_threshold, largest = -1, -3, 1 << 30
    libc.mallopt(mmap_threshold, largest)
    libc.mallopt(trim_threshold, largest)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the memory of the device is exhausted."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
