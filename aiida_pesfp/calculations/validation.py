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
        try:
            if node is not None:
                settings.from_dict(node.get_dict())
        except ValueError as error:
            return str(error)

    return validate


def settings_port(spec: ProcessSpec, name: str, settings: type[Settings] | None, help: str = '') -> None:
    """Add an input port for settings; None: for any dictionary. Without a required key it may be left out."""
    validator, needed = None, False
    if settings is not None:
        validator, help = validator_of(settings), f'{help} {settings.describe()}'.strip()
        needed = any(key.is_required() for key in settings.known().values())
    default = {} if needed else {'default': Dict}
    spec.input(name, valid_type=Dict, validator=validator, help=help, **default)


def validate_structures(structures: Mapping, _) -> str | None:
    """At least one structure is needed."""
    return None if structures else 'the list of structures is empty: give at least one StructureData'


def positive_port(spec: ProcessSpec, name: str, default: int, help: str) -> None:
    """Add an input port for a positive whole number."""
    validator = lambda node, _: None if node.value > 0 else f'{node.value} is not a positive number'  # noqa: E731
    spec.input(name, valid_type=Int, default=lambda: Int(default), validator=validator, help=help)
