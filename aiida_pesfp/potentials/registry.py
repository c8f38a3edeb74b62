"""Which potential it is: found by name or path, told apart by the hash of its content.

Needs neither torch nor the packages of the potentials, so the AiiDA side can use it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.m3gnet.weights import is_m3gnet, load_weights, weight_files

#: Weights that lie inside an installed package: name -> (kind, package, file).
EMBEDDED = {
    'sevennet-0': ('sevennet', 'sevenn', 'pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth'),
    'chgnet-0.3.0': ('chgnet', 'chgnet', 'pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar'),
}
#: Packages that an extra of the same name installs.
EXTRAS = ('chgnet',)
#: What a matgl model is saved as.
MATGL_FILES = ('model.json', 'model.pt', 'state.pt')

_KNOWN = (
    f'known are {", ".join(EMBEDDED)}, a SevenNet checkpoint file, the .npz file or checkpoint folder of the original '
    'M3GNet MP-2021.2.8-EFS, a matgl model folder or its name on the Hugging Face Hub, ase:package.module.Calculator, '
    'and a YAML or JSON file with the keys calculator and parameters'
)


@dataclass(frozen=True)
class PotentialIdentity:
    """Identity of a potential.

    :param name: for people: the name it was asked for by, or that of its file or folder.
    :param kind: ``'sevennet'``, ``'chgnet'``, ``'m3gnet'``, ``'matgl'`` or ``'ase'``: who evaluates it.
    :param sha256: of the weights; for an ASE calculator of its description.
    :param package: distribution that evaluates it, and
    :param package_version: its version on this machine.
    :param path: file or folder of the weights on this machine; None for an ASE calculator without a file.
    """

    name: str
    kind: str
    sha256: str
    package: str
    package_version: str
    path: str | None

    def as_dict(self) -> dict:
        """As a dictionary of plain JSON types."""
        return asdict(self)


def identify(spec: str) -> PotentialIdentity:
    """Find a potential by name or path.

    :param spec: a name of :data:`EMBEDDED`; the path of a SevenNet checkpoint; a folder of matgl's three files, or the
        name of a matgl model on the Hugging Face Hub; ``ase:package.module.Calculator``; the path of a YAML or JSON
        file with the keys ``calculator`` and ``parameters``; or a folder that holds nothing but one such file.
    :raises PotentialError: if there is no such potential, or it is damaged.
    """
    if spec.startswith('ase:'):
        return _identify_calculator(spec, {'calculator': spec.removeprefix('ase:')}, None)
    if spec in EMBEDDED:
        kind, package, file = EMBEDDED[spec]
        path = _package_folder(package) / file
        if not path.is_file():
            raise PotentialError(
                f'the Python package {package} {_version(package)} lacks {file}: '
                f'pip install --upgrade {_requirement(package)}'
            )
        return _identify_weights(path, spec, kind, package)
    path = Path(spec)
    if path.exists():
        return _identify_path(path)
    if path.suffix in ('.pth', '.pt', '.yaml', '.yml', '.json', '.npz') or spec.startswith(('.', '/', '~')):
        raise PotentialError(f'there is no file {spec!r}; {_KNOWN}')
    return _identify_path(_download_matgl(spec), name=spec)


def describe_calculator(path: Path) -> dict:
    """The content of a file that describes an ASE calculator: ``calculator`` and, if any, ``parameters``.

    :raises PotentialError: if it is not of this form.
    """
    try:
        description = yaml.safe_load(path.read_text())  # JSON is YAML
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PotentialError(f'{path} is neither YAML nor JSON: {error}') from error
    if not isinstance(description, dict) or not {'calculator'} <= set(description) <= {'calculator', 'parameters'}:
        raise PotentialError(f'{path} must have the key calculator (package.module.Class) and may have parameters')
    return description


def _identify_path(path: Path, name: str | None = None) -> PotentialIdentity:
    if is_m3gnet(path):
        return _identify_m3gnet(path, name)
    if path.is_dir():
        if all((path / file).is_file() for file in MATGL_FILES):
            return _identify_weights(path, name or path.name, 'matgl', 'matgl')
        files = [entry for entry in sorted(path.iterdir()) if entry.is_file() and not entry.name.startswith('.')]
        weights = [file for file in files if is_m3gnet(file)] or files
        if len(weights) == 1:
            return _identify_path(weights[0])
        raise PotentialError(f'the folder {path} holds neither {", ".join(MATGL_FILES)} nor a single file; {_KNOWN}')
    if path.suffix in ('.yaml', '.yml', '.json'):
        return _identify_calculator(path.stem, describe_calculator(path), str(path))
    return _identify_weights(path, path.stem, 'sevennet', 'sevenn')


def _identify_weights(path: Path, name: str, kind: str, package: str) -> PotentialIdentity:
    files = [path / file for file in MATGL_FILES] if path.is_dir() else [path]
    for file in files:
        # torch writes ZIP archives, whose directory stands at the end: a truncated file has none.
        if file.suffix != '.json' and not zipfile.is_zipfile(file):
            raise PotentialError(f'{file} is damaged or holds no weights ({file.stat().st_size} bytes): fetch it again')
    return PotentialIdentity(name, kind, _hash_files(files), package, _version(package), str(path))


def _identify_m3gnet(path: Path, name: str | None) -> PotentialIdentity:
    return PotentialIdentity(
        name or path.name.removesuffix('.npz'),
        'm3gnet',
        load_weights(path).sha256(),
        'torch',
        _version('torch'),
        str(path),
    )


def _identify_calculator(name: str, description: dict, path: str | None) -> PotentialIdentity:
    package = description['calculator'].partition('.')[0]
    version = _version(package)
    parameters = description.get('parameters') or {}
    content = {'calculator': description['calculator'], 'parameters': parameters, 'version': version}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return PotentialIdentity(name, 'ase', digest, package, version, path)


def files_of(identity: PotentialIdentity) -> list[Path]:
    """The files of a potential that is not part of an installed package: what has to travel to another machine."""
    if identity.path is None or identity.name in EMBEDDED:
        return []
    path = Path(identity.path).absolute()
    if identity.kind == 'm3gnet':
        return weight_files(path)
    return [path / file for file in MATGL_FILES] if path.is_dir() else [path]


def _hash_files(files: list[Path]) -> str:
    """Hash of one file's content; of several, of their names and hashes, so that a copy elsewhere has the same."""
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    if len(files) == 1:
        return digests[0]
    listing = ''.join(f'{digest}  {file.name}\n' for file, digest in sorted(zip(files, digests)))
    return hashlib.sha256(listing.encode()).hexdigest()


def _package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)  # of a top-level package, this does not import it
    if found is None or not found.submodule_search_locations:
        raise PotentialError(f'the Python package {package} is not installed here: pip install {_requirement(package)}')
    return Path(found.submodule_search_locations[0])


def _requirement(package: str) -> str:
    return f'aiida-pesfp[{package}]' if package in EXTRAS else package


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return 'unknown'


def _download_matgl(name: str) -> Path:
    from huggingface_hub import snapshot_download

    repository = name if '/' in name else f'materialyze/{name}'  # the organisation of matgl's own models
    try:
        return Path(snapshot_download(repository, allow_patterns=list(MATGL_FILES), etag_timeout=10))
    except Exception as error:  # the client raises its own, the HTTP library's and the system's errors
        raise PotentialError(
            f'{name!r} is no file, and could not be fetched as the matgl model {repository} from the Hugging Face Hub '
            f'({type(error).__name__}); {_KNOWN}'
        ) from error
