"""Files of a run: each is replaced as a whole, and a scan that was stopped resumes from its own."""

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from aiida_pesfp.crystals.files import MARKER
from aiida_pesfp.errors import ForeignFolder, OutputError
from aiida_pesfp.fingerprint.adaptive import ADAPTIVE_VERSION
from aiida_pesfp.fingerprint.plan import ScanPlan
from aiida_pesfp.fingerprint.scan import assemble
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.settings.descriptors import XiParameters

#: Files of a scan that is done, and of one that is not.
SURFACE, CHECKPOINT = PotentialEnergySurface.FILE, 'checkpoint.npz'
#: What the marker of each folder of results says. Nothing is written into, or discarded from, others.
_MEANING = 'aiida-pesfp has made this folder. --fresh discards the results in it.\n'


def claim(folder: Path) -> None:
    """Make a folder for results and mark it as ours, unless it is.

    :raises ForeignFolder: if what has this name is not ours.
    :raises OutputError: if it cannot be made.
    """
    if _is_ours(folder):
        return
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        what = 'a folder with files' if folder.is_dir() and not folder.is_symlink() else 'something'
        raise ForeignFolder(f'{folder} is {what} that this program did not make: choose another folder with --output')
    with replacing(folder / MARKER) as partial:
        partial.write_text(_MEANING)


def discard(folder: Path, patterns: Iterable[str]) -> None:
    """Delete the files of these names from a folder, if it is ours; others are somebody's own."""
    if _is_ours(folder):
        with writing(folder):
            for pattern in (*patterns, '.*.partial'):
                for file in folder.glob(pattern):
                    file.unlink()


def size_of(folder: Path) -> int:
    """Bytes of the results in a folder."""
    return sum(file.stat().st_size for file in folder.glob('[!.]*') if file.is_file())


def _is_ours(folder: Path) -> bool:
    return not folder.is_symlink() and (folder / MARKER).is_file()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of an error of the system that ``path`` cannot be written.

    :raises OutputError: with the cause.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f'{path} cannot be written ({error.strerror or error}): make room or choose another folder with --output'
        ) from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file that becomes ``path`` at the end: a reader sees the file before or after, never half of it.

    :raises OutputError: if it cannot be written.
    """
    partial = path.with_name(f'.{path.name}.partial')
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)


def write_json(path: Path, content) -> None:
    """Write JSON as a whole."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=1))


def _signature(plan: ScanPlan, potential_sha256: str) -> str:
    """Hash of all that the energies of a scan depend on. A scan does not resume from results with another one."""
    digest = hashlib.sha256(repr((plan.species, plan.shape, plan.settings, potential_sha256)).encode())
    if not plan.is_full:  # the version decides which points are evaluated
        digest.update(repr((ADAPTIVE_VERSION, plan.descriptors)).encode())
    if plan.settings.stop_below is not None and plan.settings.stop_xi != XiParameters():
        digest.update(repr(plan.settings.stop_xi).encode())
    structure = plan.structure
    points = [of_ion.points for of_ion in plan.ions]
    for array in (structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers), *points):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class Checkpoint:
    """The energies of one scan so far, in pieces, and the ``seconds`` spent on them, over all runs."""

    def __init__(self, folder: Path | None, plan: ScanPlan, potential_sha256: str):
        """With ``folder`` None nothing is saved."""
        self.folder, self.plan, self.mark = folder, plan, _signature(plan, potential_sha256)
        self.pieces, self.seconds = [np.empty(0)], 0.0

    @property
    def energies(self) -> np.ndarray:
        """(finished,) in the order of their evaluation, eV."""
        self.pieces[:] = [np.concatenate(self.pieces)]
        return self.pieces[0]

    def resume(self) -> PotentialEnergySurface | None:
        """Read what an earlier run left; the surface, if that run finished the scan."""
        if (found := self._load(SURFACE)) is not None:
            self.seconds = float(found['seconds'])
            return PotentialEnergySurface.from_arrays(found)
        if (found := self._load(CHECKPOINT)) is not None:
            self.pieces, self.seconds = [found['energies']], float(found['seconds'])
        return None

    def save(self) -> None:
        """Write the energies so far."""
        self._write(CHECKPOINT, energies=self.energies)

    def assemble(self, surfaces: list[np.ndarray], xi_upper: float) -> PotentialEnergySurface:
        """Make the surface from what the evaluation returns at its end."""
        return assemble(self.plan, surfaces, len(self.energies), xi_upper)

    def finish(self, surface: PotentialEnergySurface) -> None:
        """Write the surface instead of the energies."""
        self._write(SURFACE, **surface.as_arrays())
        self.discard()

    def discard(self) -> None:
        """Delete the energies: what follows from them is written."""
        if self.folder is not None:
            with writing(self.folder):
                (self.folder / CHECKPOINT).unlink(missing_ok=True)

    def _write(self, name: str, **arrays) -> None:
        if self.folder is not None:
            with replacing(self.folder / name) as partial, open(partial, 'wb') as stream:
                np.savez_compressed(stream, mark=self.mark, seconds=self.seconds, **arrays)

    def _load(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays of a file, unless it is missing, damaged, or of another scan."""
        if self.folder is None:
            return None
        try:
            with np.load(self.folder / name) as arrays:
                return dict(arrays) if str(arrays['mark']) == self.mark else None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
