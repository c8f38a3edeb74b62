"""Potentials that a YAML or JSON file describes: a class of an installed package, and its parameters."""

import hashlib
import json
import os
import re
from pathlib import Path

from aiida_pesfp.errors import PotentialError, one_line
from aiida_pesfp.potentials.base import version
from aiida_pesfp.settings.yaml_files import load_yaml
from aiida_pesfp.text import read_text

#: What names the class, and of which kind it is.
KEYS = {'calculator': 'package.module.Class of ASE', 'model': 'package.module.Class of torch-sim'}
#: Largest description that is read, bytes.
_LARGEST = 1 << 16


def describe(path: Path) -> dict | None:
    """The class and the ``parameters`` of a file, by one of the :data:`KEYS`; None if it is no such file.

    :raises PotentialError: if it is one, but describes no potential.
    """
    if path.suffix.lower() not in ('.yaml', '.yml', '.json') or not path.is_file() or path.stat().st_size >= _LARGEST:
        return None
    try:
        description = load_yaml(read_text(path))
    except ValueError as error:
        raise PotentialError(f'{path}: {one_line(error)}') from error
    description = {'parameters': None} | description if isinstance(description, dict) else {}
    keys = [key for key in KEYS if isinstance(description.get(key), str)]
    if len(keys) != 1 or len(description) != 2:
        known = ' or '.join(f'{key} ({what})' for key, what in KEYS.items())
        raise PotentialError(f'{path} must have the key {known} and may have parameters')
    parameters = description['parameters'] or {}
    if not (isinstance(parameters, dict) and all(isinstance(name, str) for name in parameters)):
        raise PotentialError(f'{path}: the parameters {parameters!r} must be a dictionary of arguments by their names')
    return description | {'parameters': parameters}


def digest(description: dict, package: str) -> str:
    """SHA-256 of a description, of the content of the files that it names, and of the version of the package."""
    content = description | {'parameters': _contents(description.get('parameters', {})), 'version': version(package)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


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
