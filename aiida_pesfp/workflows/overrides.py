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

#: Types of ports that take plain values -> types of these.
_PLAIN = {kind: kind for kind in (bool, int, float, str)} | {Bool: bool, Int: int, Float: float, Str: str}
_PLAIN |= dict.fromkeys((dict, Dict), dict[str, JsonValue]) | dict.fromkeys((list, List), list[JsonValue])
#: What aiida-core gives to every workchain: a builder sets it.
_OF_AIIDA = {*BaseRestartWorkChain.spec().inputs} - {'max_iterations'}


def known_ports(ports: PortNamespace) -> dict:
    """Inputs that a file can give: name -> what is known of its value, nested like the ports and their settings."""
    known = {}
    for name, port in ports.items():
        kinds = port.valid_type if isinstance(port.valid_type, tuple) else (port.valid_type,)
        plain = [_PLAIN[kind] for kind in kinds if kind in _PLAIN]
        if isinstance(port, PortNamespace) and len(port) and (name not in _OF_AIIDA or 'options' in port):
            known[name] = known_ports(port)
        elif limits := getattr(port.validator, 'limits', None):
            known[name] = limits
        elif plain and name not in _OF_AIIDA:
            annotation = Union[*plain, *([None] if NoneType in kinds else [])]
            known[name] = FieldInfo(annotation=annotation, description=port.help or name)
    return known


def known_values(values: dict) -> dict:
    """As :func:`known_ports` from the values of a protocol, beside which other ones may stand."""
    anything, limits = FieldInfo(annotation=JsonValue, description='any value'), JobSettings.known()
    return {
        name: known_values(value) if isinstance(value, dict) and value else limits.get(name, anything)
        for name, value in values.items()
    }


def check_overrides(given: Any, known: dict, here: FieldInfo | dict | None = None, where: tuple[str, ...] = ()) -> None:
    """Raise ``ValueError`` for the first key that is not known, and for the first value of another kind.

    :param here: what is known ``where`` the given entries or value stand; by default at the top.
    """
    here, path = known if here is None else here, '.'.join(where) or 'the overrides'
    if isinstance(here, FieldInfo):
        check_value(path, given, here)
    elif not isinstance(given, dict):
        raise ValueError(f'{path} = {given!r:.200}: it has to hold entries, such as {", ".join(here)}')
    else:
        for key, value in given.items():
            if not isinstance(key, str):
                raise ValueError(f'{path}: the key {key!r:.200} is not a text')
            if key not in here:
                name = '.'.join((*where, key))
                raise ValueError(f'there is no input {name!r:.200}: {_hint(key, here, known, where)}')
            check_overrides(value, known, here[key], (*where, key))


def _hint(key: str, here: dict, known: dict, where: tuple[str, ...]) -> str:
    """What may have been meant instead."""
    if elsewhere := list(_places(key, known)):
        near = [path for path in elsewhere if path.startswith('.'.join(where))] or elsewhere
        return f'it belongs to {" or ".join(near[:3])}'
    if close := closest(key, here):
        return f'did you mean {".".join((*where, close))}?'
    return f'known are {", ".join(sorted(here))}'


def _places(name: str, known: dict, where: str = '') -> Iterator[str]:
    """Where a key stands."""
    for key, inner in known.items():
        if key == name:
            yield f'{where}{key}'
        if isinstance(inner, dict):
            yield from _places(name, inner, f'{where}{key}.')
