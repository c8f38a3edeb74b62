"""Validators of input ports that jobs and workchains share: they return the error message, if any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida.orm import Dict

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


def validate_structures(structures: Mapping, _) -> str | None:
    """At least one structure is needed."""
    return None if structures else 'the list of structures is empty: give at least one StructureData'


def validate_positive(node, _) -> str | None:
    """A number must be positive."""
    return None if node.value > 0 else f'{node.value} is not a positive number'
