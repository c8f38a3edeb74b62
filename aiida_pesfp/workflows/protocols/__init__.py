"""Protocols: named sets of inputs in YAML files, one file for each workchain."""

import copy
import functools
from importlib import resources

import yaml
from aiida.plugins import WorkflowFactory

from aiida_pesfp.workflows.overrides import check_overrides, known_ports, known_values


class ProtocolMixin:
    """Reads the protocols of a workchain from ``protocols/<_protocol>.yaml``."""

    _protocol: str
    #: Inputs that overrides of the protocol do not reach.
    NOT_OVERRIDDEN: tuple[str, ...] = ()

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
        :raises ValueError: if there is no such protocol, or an override is not known or of another kind.
        """
        content = cls._protocol_file()
        protocol = protocol or content['default_protocol']
        if protocol not in content['protocols']:
            raise ValueError(f'there is no protocol {protocol!r}: take one of {", ".join(content["protocols"])}')
        inputs = merge(content['default_inputs'], content['protocols'][protocol].get('inputs') or {})
        overrides = {} if overrides is None else overrides
        check_overrides(overrides, cls.known_overrides())
        return merge(inputs, overrides)

    @classmethod
    @functools.cache
    def known_overrides(cls) -> dict:
        """What overrides may hold: entries of the protocols, and inputs of the workchains that read them."""
        content = cls._protocol_file()
        known = known_values(content['default_inputs'])
        for protocol in content['protocols'].values():
            known = merge(known, known_values(protocol.get('inputs') or {}))
        for workchain in map(WorkflowFactory, content['workchains']):
            own = known_ports(workchain.spec().inputs)
            known = merge(known, {name: own[name] for name in own if name not in workchain.NOT_OVERRIDDEN})
        return known

    @classmethod
    def _protocol_file(cls) -> dict:
        return yaml.safe_load(resources.files(__package__).joinpath(f'{cls._protocol}.yaml').read_text())


def merge(base: dict, update: dict) -> dict:
    """A copy of ``base`` with the entries of ``update``, which is nested alike, taking precedence."""
    nested = [key for key in update if isinstance(update[key], dict) and isinstance(base.get(key), dict)]
    return copy.deepcopy(base | update | {key: merge(base[key], update[key]) for key in nested})
