"""The paper's potential: the original M3GNet (Chen and Ong, doi:10.1038/s43588-022-00349-3)."""

from pathlib import Path

from aiida_pesfp.potentials.archives import members
from aiida_pesfp.potentials.base import Family
from aiida_pesfp.potentials.downloads import Download
from aiida_pesfp.potentials.m3gnet.weights import CHECKPOINT_FILES, load_weights


class M3GNetFamily(Family):
    """``MP-2021.2.8-EFS`` as published for TensorFlow or converted to .npz, evaluated by this package with torch."""

    kind, package = 'm3gnet', 'torch'
    implementation = 'aiida_pesfp.potentials.m3gnet.potential:M3GNetPotential'
    accepts = 'the checkpoint folder or the .npz file of the original M3GNet MP-2021.2.8-EFS'
    downloads = (
        Download(
            name='m3gnet-mp-2021.2.8',
            # The commit of the tag v0.2.4.
            url='https://raw.githubusercontent.com/materialsvirtuallab/m3gnet/'
            '3580bbdd1f87c8b872cb52c428477ee6de5ace86/pretrained/MP-2021.2.8-EFS',
            files={
                'm3gnet.index': '7b6cdf0924e0ba9ac8d66c2905bf49ab3365e56def73de90b154d1506cfcc6ce',
                'm3gnet.data-00000-of-00001': '3d6d4bd777eb7af8efe7ccae0804ffbc58cdb9aac946db08b01e7e5f41eb70eb',
                'm3gnet.json': '1aff67d1a07d460185d6e97286147a3e508cf323a532a70412832f374695ff72',
            },
            size=935_964,
            licence='BSD-3-Clause',
        ),
    )

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            return any((path / name).is_file() for name in CHECKPOINT_FILES)
        return path.suffix == '.npz' and 'atom_embedding.npy' in members(path)

    def files(self, path: Path) -> list[Path]:
        if path.is_dir():
            return [path / name for name in CHECKPOINT_FILES]
        return [file for file in (path, path.with_suffix('.json')) if file.is_file()]

    def sha256(self, path: Path) -> str:
        return load_weights(path).sha256()
