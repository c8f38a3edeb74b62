"""Weights of the original M3GNet, from a converted .npz file or straight from the published TensorFlow checkpoint."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.m3gnet.tensorflow_checkpoint import read_tensors

#: Files of the published checkpoint.
CHECKPOINT_FILES = ('m3gnet.index', 'm3gnet.data-00000-of-00001', 'm3gnet.json')

#: Factor of the network's output, eV: the ``std`` of ``MP-2021.2.8-EFS``, for an .npz file without its .json beside.
_SCALE = 32.17109834917642
_NUMBER_OF_TENSORS = 80
#: What our network assumes.
_ARCHITECTURE = {
    'max_n': 3, 'max_l': 3, 'n_blocks': 3, 'units': 64, 'cutoff': 5.0, 'threebody_cutoff': 4.0,
    'include_states': False, 'is_intensive': False, 'mean': 0.0,
}  # fmt: skip

# Names in the checkpoint's object graph, and ours.
_RENAMES = (
    (r'^feature_adjust/update_func/pipe/layers/0', 'bond_embedding'),
    (r'^featurizer/atom_network/embedding/embeddings$', 'atom_embedding'),
    (r'^final/layers/0/atom_network/update_func/', 'readout/'),
    (r'^graph_layers/(\d)/atom_network/bond_dense/', r'block\1/atom/'),
    (r'^graph_layers/(\d)/atom_network/weight_update', r'block\1/atom/rbf'),
    (r'^graph_layers/(\d)/bond_network/update_func/', r'block\1/bond/'),
    (r'^graph_layers/(\d)/bond_network/weight_func', r'block\1/bond/rbf'),
    (r'^three_interactions/(\d)/update_network/pipe/layers/0', r'block\1/three/atom'),
    (r'^three_interactions/(\d)/update_network2/', r'block\1/three/bond/'),
    (r'pipe/layers/', 'core/'),
    (r'gate/layers/', 'gate/'),
    (r'/', '.'),
)


@dataclass(frozen=True)
class M3GNetWeights:
    """Weights of the network.

    :param tensors: the 80 tensors by name, single precision; kernels have the shape (in, out).
    :param scale: factor of the network's output, eV.
    :param element_references: (95,) energy per atom by atomic number, eV, double precision.
    """

    tensors: dict[str, np.ndarray]
    scale: float
    element_references: np.ndarray

    def sha256(self) -> str:
        """Hash of the tensors: the same for the same weights in any file format."""
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            digest.update(f'{name} {self.tensors[name].shape}'.encode())
            digest.update(np.ascontiguousarray(self.tensors[name], dtype='<f4').tobytes())
        return digest.hexdigest()


def load_weights(path: Path) -> M3GNetWeights:
    """Read weights from an .npz file or the folder of a checkpoint.

    :raises PotentialError: if they are damaged, incomplete, or those of another network.
    """
    try:
        weights = _from_checkpoint(path) if path.is_dir() else _from_npz(path)
    except Exception as error:  # damaged weights can raise anything
        raise PotentialError(f'{path} holds no whole weights of an M3GNet ({error}): fetch them again') from error
    if len(weights.tensors) != _NUMBER_OF_TENSORS or weights.tensors['atom_embedding'].shape != (95, 64):
        found = f'{path} has {len(weights.tensors)} tensors'
        raise PotentialError(f'{found}: the original M3GNet MP-2021.2.8-EFS has {_NUMBER_OF_TENSORS}')
    return weights


def _from_npz(path: Path) -> M3GNetWeights:
    with np.load(path) as arrays:
        tensors = {name: arrays[name].astype(np.float32) for name in arrays if name != 'element_refs'}
        references = arrays['element_refs'].astype(np.float64)
    description = path.with_suffix('.json')
    if not description.is_file():
        return M3GNetWeights(tensors, _SCALE, references)
    content = json.loads(description.read_text())
    references = np.array(content['element_refs_by_Z_float64'], dtype=np.float64)
    return M3GNetWeights(tensors, content['derived']['energy_scale_std'], references)


def _from_checkpoint(folder: Path) -> M3GNetWeights:
    content = json.loads((folder / 'm3gnet.json').read_text())
    if isinstance(content, str):  # it was dumped twice
        content = json.loads(content)
    config = content['config']
    for key, value in _ARCHITECTURE.items():
        if config[key] != value:
            raise ValueError(f'its {key} is {config[key]}, only {value} can be evaluated')
    tensors = {}
    for name, tensor in read_tensors(folder / 'm3gnet').items():
        for pattern, replacement in _RENAMES:
            name = re.sub(pattern, replacement, name)
        tensors[name] = tensor
    return M3GNetWeights(tensors, float(config['std']), np.array(config['element_refs'], dtype=np.float64))
