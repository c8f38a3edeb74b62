"""Protocols: named sets of inputs in YAML files, one file for each workchain."""

import copy
import math
from importlib import resources
from numbers import Real
from typing import Any

import yaml

#: Entries that go to SIESTA as they are, which takes numbers with units and without.
_OF_SIESTA = ('parameters',), ('basis',)


class ProtocolMixin:
    """Reads the protocols of a workchain from ``protocols/<_protocol>.yaml``."""

    _protocol: str

    @classmethod
    def get_available_protocols(cls) -> dict[str, str]:
        """Description of each protocol, by its name."""
        return {name: entry['description'] for name, entry in cls._protocol_file()['protocols'].items()}

    @classmethod
    def get_default_protocol(cls) -> str:
        """Name of the protocol that is taken if none is named."""
        return cls._protocol_file()['default_protocol']

    @classmethod
    def get_protocol_inputs(cls, protocol: str | None = None, overrides: dict | None = None) -> dict:
        """Inputs of a protocol.

        :param protocol: its name.
        :param overrides: inputs that take precedence, nested like those of the protocol.
        :raises ValueError: if there is no such protocol, or an override is of another kind than what it overrides.
        """
        content = cls._protocol_file()
        protocol = protocol or content['default_protocol']
        if protocol not in content['protocols']:
            raise ValueError(f'there is no protocol {protocol!r}: take one of {", ".join(content["protocols"])}')
        inputs = merge(content['default_inputs'], content['protocols'][protocol].get('inputs') or {})
        overrides = {} if overrides is None else overrides
        check_overrides(inputs, overrides)
        return merge(inputs, overrides)

    @classmethod
    def _protocol_file(cls) -> dict:
        return yaml.safe_load(resources.files(__package__).joinpath(f'{cls._protocol}.yaml').read_text())


def check_overrides(inputs: Any, overrides: Any, where: tuple[str, ...] = ()) -> None:
    """Compare the kinds of overrides with those of the inputs.

    :param where: the keys that lead there.
    :raises ValueError: with the key, its value and what is expected.
    """
    kinds = {dict: 'a dictionary', list: 'a list', bool: 'true or false', Real: 'a finite number'}  # a bool is a Real
    kind = next((one for one in kinds if isinstance(inputs, one)), None)
    if kind is None:
        return  # text or nothing, in whose place may be anything
    fits = isinstance(overrides, kind) and isinstance(overrides, bool) == (kind is bool)
    if not fits or (kind is Real and not -math.inf < overrides < math.inf):
        raise ValueError(f'{".".join(where) or "the overrides"} = {overrides!r:.200}: this must be {kinds[kind]}')
    if kind is dict:
        for key, value in overrides.items():
            if not isinstance(key, str):
                raise ValueError(f'{".".join(where) or "the overrides"} have the key {key!r:.200}: it must be a text')
            if where[-1:] not in _OF_SIESTA:
                check_overrides(inputs.get(key), value, (*where, key))


def merge(base: dict, update: dict) -> dict:
    """A copy of ``base`` with the entries of ``update``, which is nested alike, taking precedence."""
    nested = [key for key in update if isinstance(update[key], dict) and isinstance(base.get(key), dict)]
    return copy.deepcopy(base | update | {key: merge(base[key], update[key]) for key in nested})
