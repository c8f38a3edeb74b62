"""Options of the programs, made from the fields of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, astuple
from pathlib import Path
from typing import Any, TypeVar

import click

from aiida_pesfp.settings.base import Key, Settings

T = TypeVar('T', bound=Settings)


class Numbers(click.ParamType):
    """Numbers with commas between them."""

    name = 'numbers'

    def convert(self, value, parameter, context) -> tuple[float, ...]:
        try:
            return tuple(float(number) for number in value.split(',')) if isinstance(value, str) else value
        except ValueError:
            self.fail(f'{value!r} is not a comma-separated list of numbers', parameter, context)


def options_of(settings: type[Settings], **changes: dict[str, Any] | None) -> Callable[[Callable], Callable]:
    """A decorator that gives a command an option for each key of some settings.

    :param changes: key -> keyword arguments of :func:`click.option` that differ, or None: the key has no option.
    """

    def decorate(command: Callable) -> Callable:
        for key in reversed(list(settings.known())):
            change = changes.get(key.key, {})
            if change is not None:
                arguments = {'help': settings.help_of(key.key), **_arguments(key), **change}
                command = click.option(*key.option, key.key, **arguments)(command)
        return command

    return decorate


def take(settings: type[T], options: dict[str, Any]) -> T:
    """Make settings of the options of a command, and remove these from ``options``.

    :raises click.UsageError: for a value that is not allowed.
    """
    names = [key.key for key in settings.known() if key.key in options]
    try:
        return settings.from_dict({name: options.pop(name) for name in names})
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _arguments(key: Key) -> dict[str, Any]:
    """Default and type of an option."""
    if key.is_flag:
        return {'is_flag': True, 'default': bool(key.default)}
    default = {'required': True} if key.default is MISSING else {} if key.default is None else {'default': key.default}
    if issubclass(key.kind, Settings):
        values = astuple(key.default)
        make = lambda _context, _option, given: key.kind(*given)  # noqa: E731
        return {'type': float, 'nargs': len(values), 'default': values, 'callback': make}
    kinds = {tuple: Numbers(), Path: click.Path(path_type=Path, file_okay=False)}
    choices = key.metadata.get('choices')
    return default | {'type': click.Choice(choices) if choices else kinds.get(key.kind, key.kind)}
