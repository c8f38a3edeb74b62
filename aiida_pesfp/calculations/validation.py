"""Input ports that several processes have, with their validators, which return the error message, if any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida.engine.processes.process_spec import ProcessSpec
from aiida.orm import Dict, Int, StructureData

from aiida_pesfp.settings.base import Settings


def validator_of(settings: type[Settings]) -> Callable[[Dict | None, Any], str | None]:
    """The validator of a ``Dict`` that holds some settings."""

    def validate(node: Dict | None, _) -> str | None:
        if node is None:
            return None
        try:
            settings.from_dict(node.get_dict())
        except ValueError as error:
            return str(error)
        return None

    return validate


def settings_port(spec: ProcessSpec, name: str, settings: type[Settings] | None, help: str = '') -> None:
    """Add an input port for settings that may all be left out; None: for any dictionary."""
    validator, help = (None, help) if settings is None else (validator_of(settings), f'{help} {settings.describe()}')
    spec.input(name, valid_type=Dict, default=Dict, validator=validator, help=help.strip())


def structures_port(spec: ProcessSpec, help: str) -> None:
    """Add the input namespace ``structures``, which must not be empty."""

    def validate(structures: Mapping, _) -> str | None:
        return None if structures else 'the list of structures is empty: give at least one StructureData'

    spec.input_namespace('structures', valid_type=StructureData, dynamic=True, validator=validate, help=help)


def positive_port(spec: ProcessSpec, name: str, default: int | None, help: str) -> None:
    """Add an input port for a positive whole number. Without a default it is not required."""

    def validate(node: Int | None, _) -> str | None:
        return f'{node.value} is not a positive number' if node is not None and node.value < 1 else None

    optional = {'required': False} if default is None else {'default': lambda: Int(default)}
    spec.input(name, valid_type=Int, validator=validate, help=help, **optional)
