"""What all networks share: devices, batches, and what to do when memory is short."""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch

from aiida_pesfp.errors import OutOfMemory, PotentialError
from aiida_pesfp.potentials.base import POINTS_PER_CALL, Evaluator


class BatchedEvaluator(Evaluator):
    """An evaluator that computes several configurations at once, and fewer if they do not fit."""

    def __init__(self, batch_size: int, workers: int = 1):
        """:param workers: how many batches are computed side by side, each by one thread."""
        self.batch_size = batch_size
        self.points_per_call = batch_size * max(-(-POINTS_PER_CALL // batch_size), 4 * workers if workers > 1 else 1)
        self._workers = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        self._map = self._workers.map if workers > 1 else map

    @abstractmethod
    def batch_energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """As :meth:`energies`, all positions in one batch."""

    def prepare(self, ion: int) -> None:
        """Make what all batches with this ion share. Called before them."""

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        self.prepare(ion)
        while True:
            size = self.batch_size
            batches = [positions[begin : begin + size] for begin in range(0, len(positions), size)]
            try:
                return np.concatenate([np.empty(0), *self._map(partial(self.batch_energies, ion), batches)])
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._halve_batch(error)

    def _halve_batch(self, error: RuntimeError) -> None:
        if self.batch_size == 1:
            raise OutOfMemory(
                f'one configuration does not fit into memory ({str(error).splitlines()[0]}): use a device with more'
            ) from error
        self.batch_size = -(-self.batch_size // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


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


def choose_batch_size(device: torch.device, edges: int, bytes_per_edge: int, edges_in_cache: int) -> int:
    """Configurations per batch.

    On a CPU as many as keep the working set near the caches: beyond that larger batches are slower, not faster. On a
    GPU as many as half of its free memory holds.

    :param edges: of one configuration.
    :param bytes_per_edge: memory at the peak.
    :param edges_in_cache: most edges of a batch on a CPU.
    """
    if device.type == 'cuda':
        free, _ = torch.cuda.mem_get_info(device)
        return int(max(1, min(4096, free // 2 // (edges * bytes_per_edge + 1))))
    return max(1, edges_in_cache // max(1, edges))


def _keep_freed_memory() -> None:
    """Let glibc keep what tensors free for the next ones.

    By default it gives every block above some size back to the kernel and has it mapped and zeroed again, page by page,
    at the next allocation of the same size: a third to a half of the time of a network of many small layers.
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
