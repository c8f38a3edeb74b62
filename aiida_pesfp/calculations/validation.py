"""Validators of input ports, which return the error message, if any, and a port that several workchains have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida.engine.processes.process_spec import ProcessSpec
from aiida.orm import Dict, Int

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


def validate_structures(structures: Mapping, _) -> str | None:
    """At least one structure is needed."""
    return None if structures else 'the list of structures is empty: give at least one StructureData'


def positive_port(spec: ProcessSpec, name: str, default: int, help: str) -> None:
    """Add an input port for a positive whole number."""

    def validate(node: Int, _) -> str | None:
        return None if node.value > 0 else f'{node.value} is not a positive number'

    spec.input(name, valid_type=Int, default=lambda: Int(default), validator=validate, help=help)
