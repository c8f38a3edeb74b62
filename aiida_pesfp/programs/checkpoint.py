"""What a scan leaves on disk, so that one that was stopped goes on where it was and gives the same numbers."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from aiida_pesfp.fingerprint.adaptive import ADAPTIVE_VERSION
from aiida_pesfp.fingerprint.scan import ScanPlan, assemble
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.settings.scan import ScanSettings


def signature(plan: ScanPlan, settings: ScanSettings, potential_sha256: str) -> str:
    """Hash of all that the energies of a scan depend on: results with another signature are not gone on with."""
    digest = hashlib.sha256(repr((plan.species, plan.shape, settings, potential_sha256)).encode())
    if settings.adaptive is not None:  # which points are asked for is part of it
        digest.update(str(ADAPTIVE_VERSION).encode())
    structure = plan.structure
    points = [of_ion.points for of_ion in plan.ions]
    for array in (structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers), *points):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class Checkpoint:
    """The energies of one scan so far.

    :ivar energies: (finished,) in the order of their evaluation, eV.
    :ivar seconds: time spent on them, over all runs.
    """

    def __init__(self, folder: Path | None, plan: ScanPlan, mark: str):
        """With ``folder`` None nothing is kept. ``mark`` is the :func:`signature` of the scan."""
        self.folder, self.plan, self.mark = folder, plan, mark
        self.energies, self.seconds = np.empty(0), 0.0

    def resume(self) -> PotentialEnergySurface | None:
        """Take up what an earlier run left; the surface, if that run finished the scan."""
        if self.folder is None:
            return None
        found = _load_marked(self.folder / 'pes.npz', self.mark)
        if found is not None:
            self.seconds = float(found['seconds'])
            return PotentialEnergySurface.from_arrays(found)
        found = _load_marked(self.folder / 'checkpoint.npz', self.mark)
        if found is not None:
            self.energies, self.seconds = found['energies'], float(found['seconds'])
        return None

    def save(self) -> None:
        """Keep the energies so far. A reader sees the file before or after, never half of it."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            _replace(self.folder / 'checkpoint.npz', mark=self.mark, energies=self.energies, seconds=self.seconds)

    def finish(self, surfaces: list[np.ndarray]) -> PotentialEnergySurface:
        """Make the surface from what the evaluation returns at its end, and keep it instead of the energies."""
        surface = assemble(self.plan, surfaces, len(self.energies))
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            _replace(self.folder / 'pes.npz', mark=self.mark, seconds=self.seconds, **surface.as_arrays())
            (self.folder / 'checkpoint.npz').unlink(missing_ok=True)
        return surface


def write_json(path: Path, content) -> None:
    """Write JSON so that a reader sees the file before or after, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.partial')
    partial.write_text(json.dumps(content, indent=1))
    os.replace(partial, path)


def _replace(path: Path, **arrays) -> None:
    partial = path.with_name(f'.{path.name}.partial')
    with open(partial, 'wb') as stream:
        np.savez_compressed(stream, **arrays)
    os.replace(partial, path)


def _load_marked(path: Path, mark: str) -> dict[str, np.ndarray] | None:
    """The arrays of a file, unless it is missing, damaged, or of another scan."""
    try:
        with np.load(path) as arrays:
            return dict(arrays) if str(arrays['mark']) == mark else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
