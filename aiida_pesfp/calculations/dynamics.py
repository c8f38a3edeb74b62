"""Checks of settings that a user gives in a ``Dict``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiida.orm import Dict

from aiida_pesfp.settings.md import Dynamics


def validator_of(settings: type[Dynamics]) -> Callable[[Dict | None, Any], str | None]:
    """A validator for an input port: it returns the error message, if any."""

    def validate(node: Dict | None, _) -> str | None:
        if node is None:
            return None
        try:
            settings.from_dict(node.get_dict())
        except ValueError as error:
            return str(error)
        return None

    return validate
