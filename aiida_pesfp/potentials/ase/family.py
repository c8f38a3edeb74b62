"""Any calculator of ASE (Larsen et al., doi:10.1088/1361-648X/aa680e)."""

import hashlib
import json
import os
import re
from pathlib import Path

from aiida_pesfp.errors import PotentialError, one_line
from aiida_pesfp.potentials.base import Family, PotentialIdentity, version
from aiida_pesfp.settings.yaml_files import load_yaml
from aiida_pesfp.text import read_text

PREFIX = 'ase:'
#: Largest description that is read, bytes.
_LARGEST = 1 << 16


class AseFamily(Family):
    """Calculators named by their class, or described in a YAML or JSON file with their parameters."""

    kind, package = 'ase', 'ase'
    implementation = 'aiida_pesfp.potentials.ase.potential:AsePotential'
    accepts = f'{PREFIX}package.module.Calculator, or a YAML or JSON file with the keys calculator and parameters'

    def recognises(self, path: Path) -> bool:
        is_text = path.suffix.lower() in ('.yaml', '.yml', '.json')
        described = is_text and path.is_file() and path.stat().st_size < _LARGEST
        return described and bool(describe(path))

    def by_name(self, name: str) -> PotentialIdentity | None:
        named = name.startswith(PREFIX)
        return self._identity(name, {'calculator': name.removeprefix(PREFIX)}, None) if named else None

    def identity(self, path: Path, name: str) -> PotentialIdentity:
        return self._identity(name, describe(path), str(path))

    def _identity(self, name: str, description: dict, path: str | None) -> PotentialIdentity:
        package = description['calculator'].partition('.')[0]
        parameters = _contents(description.get('parameters', {}))
        content = description | {'parameters': parameters, 'version': version(package)}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
        return PotentialIdentity(name, self.kind, digest, package, content['version'], path)


def _contents(value):
    """A parameter, or all of them, with the SHA-256 of a file in the place of its path."""
    if isinstance(value, dict):
        return {name: _contents(one) for name, one in value.items()}
    if isinstance(value, list):
        return list(map(_contents, value))
    if not isinstance(value, str):
        return value
    if os.path.isfile(value):
        return hashlib.sha256(Path(value).read_bytes()).hexdigest()
    return re.sub(r'\S+', lambda word: word[0] if word[0] == value else _contents(word[0]), value)


def describe(path: Path) -> dict:
    """``calculator`` and ``parameters`` of a file, which is refused if it does not describe an ASE calculator."""
    try:
        description = load_yaml(read_text(path))
    except ValueError as error:
        raise PotentialError(f'{path}: {one_line(error)}') from error
    description = {'parameters': None} | description if isinstance(description, dict) else {}
    if set(description) != {'calculator', 'parameters'} or not isinstance(description['calculator'], str):
        raise PotentialError(f'{path} must have the key calculator (package.module.Class) and may have parameters')
    parameters = description['parameters'] or {}
    if not (isinstance(parameters, dict) and all(isinstance(name, str) for name in parameters)):
        raise PotentialError(f'{path}: the parameters {parameters!r} must be a dictionary of arguments by their names')
    return description | {'parameters': parameters}
