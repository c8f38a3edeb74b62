"""The paper's potential: the original M3GNet (Chen and Ong, doi:10.1038/s43588-022-00349-3)."""

from pathlib import Path

from aiida_pesfp.potentials.archives import names_in
from aiida_pesfp.potentials.base import Family
from aiida_pesfp.potentials.m3gnet.weights import CHECKPOINT_FILES, load_weights


class M3GNetFamily(Family):
    """``MP-2021.2.8-EFS`` as published for TensorFlow or converted to .npz, evaluated by this package with torch."""

    kind, package = 'm3gnet', 'torch'
    implementation = 'aiida_pesfp.potentials.m3gnet.potential:M3GNetPotential'
    accepts = 'the checkpoint folder or the .npz file of the original M3GNet MP-2021.2.8-EFS'

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            return any((path / name).is_file() for name in CHECKPOINT_FILES)
        return path.suffix == '.npz' and 'atom_embedding.npy' in names_in(path)

    def files(self, path: Path) -> list[Path]:
        if path.is_dir():
            return [path / name for name in CHECKPOINT_FILES]
        return [file for file in (path, path.with_suffix('.json')) if file.is_file()]

    def sha256(self, path: Path) -> str:
        return load_weights(path).sha256()
