"""Options of the programs, made from the fields of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
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
            return tuple(float(number) for number in value.split(',')) if isinstance(value, str) else tuple(value)
        except ValueError:
            self.fail(f'{value!r} is not a comma-separated list of numbers', parameter, context)


def options_of(settings: type[Settings], **changes: dict[str, Any] | None) -> Callable[[Callable], Callable]:
    """A decorator that gives a command an option for each key of some settings.

    :param changes: key -> keyword arguments of :func:`click.option` that differ, or None: the key has no option.
    """

    def decorate(command: Callable) -> Callable:
        for key in reversed(settings.known()):
            change = changes.get(key.key, {})
            if change is not None:
                command = click.option(*key.option, key.key, **_arguments(settings, key) | change)(command)
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


def _arguments(settings: type[Settings], key: Key) -> dict[str, Any]:
    """The keyword arguments of :func:`click.option`."""
    arguments = {'help': settings.help_of(key.key)}
    if key.default is MISSING:
        arguments['required'] = True
    elif not key.optional:
        arguments['default'] = key.default
    if key.is_flag:
        return arguments | {'is_flag': True, 'default': bool(key.default)}
    if issubclass(key.kind, Settings):
        names = [one.name for one in fields(key.kind)]
        return arguments | {
            'type': float,
            'nargs': len(names),
            'default': tuple(getattr(key.default, name) for name in names),
            'callback': lambda _context, _option, values: key.kind(*values),
        }
    if key.metadata.get('choices'):
        return arguments | {'type': click.Choice(key.metadata['choices'])}
    kinds = {tuple: Numbers(), Path: click.Path(path_type=Path, file_okay=False)}
    return arguments | {'type': kinds.get(key.kind, key.kind)}
