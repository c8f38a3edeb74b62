"""What overrides of a protocol may hold, found in the ports of the workchains that read it; all else is refused."""

from collections.abc import Iterator
from types import NoneType
from typing import Any, Union

from aiida.engine import BaseRestartWorkChain
from aiida.engine.processes.ports import PortNamespace
from aiida.orm import Bool, Dict, Float, Int, List, Str
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from aiida_pesfp.errors import closest
from aiida_pesfp.settings.base import check_value
from aiida_pesfp.settings.jobs import JobSettings

_DICT, _LIST = dict[str, JsonValue], list[JsonValue]
#: Types of ports that take plain values -> types of these.
_PLAIN = {bool: bool, int: int, float: float, str: str, dict: _DICT, list: _LIST, NoneType: None}
_PLAIN |= {Bool: bool, Int: int, Float: float, Str: str, Dict: _DICT, List: _LIST}
#: What aiida-core gives to every workchain: a builder sets it.
_OF_AIIDA = {*BaseRestartWorkChain.spec().inputs} - {'max_iterations'}


def known_ports(ports: PortNamespace) -> dict:
    """Inputs that a file can give: name -> what is known of its value, nested like the ports and their settings."""
    known = {}
    for name, port in ports.items():
        if isinstance(port, PortNamespace):
            if len(port) and (name not in _OF_AIIDA or 'options' in port):
                known[name] = known_ports(port)
        elif limits := getattr(port.validator, 'limits', None):
            known[name] = limits
        elif name not in _OF_AIIDA:
            kinds = port.valid_type if isinstance(port.valid_type, tuple) else (port.valid_type,)
            if plain := [_PLAIN[kind] for kind in kinds if _PLAIN.get(kind)]:
                annotation = Union[*plain, *([None] if NoneType in kinds else [])]
                known[name] = FieldInfo(annotation=annotation, description=port.help or name)
    return known


def known_values(values: dict) -> dict:
    """As :func:`known_ports` from the values of a protocol. An empty dictionary may hold anything."""
    known, kinds = {}, {bool: bool, int: float, float: float, str: str, list: _LIST, dict: _DICT}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            known[name] = known_values(value)
        else:
            info = FieldInfo(annotation=kinds.get(type(value), JsonValue), description=f'such as {value}')
            known[name] = JobSettings.known().get(name, info)
    return known


def check_overrides(overrides: Any, known: dict) -> None:
    """Raise ``ValueError`` for the first key that is not known, and for the first value of another kind."""
    _check(overrides, known, known, ())


def _check(given: Any, here: FieldInfo | dict, known: dict, where: tuple[str, ...]) -> None:
    path = '.'.join(where) or 'the overrides'
    if isinstance(here, FieldInfo):
        check_value(path, given, here)
        return
    if not isinstance(given, dict):
        raise ValueError(f'{path} = {given!r:.200}: it has to hold entries, such as {", ".join(here)}')
    for key, value in given.items():
        if not isinstance(key, str):
            raise ValueError(f'{path}: the key {key!r:.200} is not a text')
        if key not in here:
            name = '.'.join((*where, key))
            raise ValueError(f'there is no input {name!r:.200}: {_hint(key, here, known, where)}')
        _check(value, here[key], known, (*where, key))


def _hint(key: str, here: dict, known: dict, where: tuple[str, ...]) -> str:
    """What may have been meant instead."""
    if elsewhere := list(_places(key, known)):
        near = [path for path in elsewhere if path.startswith('.'.join(where))] or elsewhere
        return f'it belongs to {" or ".join(near[:3])}'
    if close := closest(key, here):
        return f'did you mean {".".join((*where, close))}?'
    if close := closest(key, (path.rpartition('.')[2] for path in _places(None, known))):
        return f'did you mean {next(_places(close, known))}?'
    return f'known are {", ".join(sorted(here))}'


def _places(name: str | None, known: dict, where: str = '') -> Iterator[str]:
    """Where a key, or any, stands."""
    for key, inner in known.items():
        if name in (None, key):
            yield f'{where}{key}'
        if isinstance(inner, dict):
            yield from _places(name, inner, f'{where}{key}.')
