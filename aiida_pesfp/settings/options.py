"""Options of the programs, made from the fields of settings."""

from collections.abc import Callable, Collection
from dataclasses import astuple
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import click
from pydantic.fields import FieldInfo

from aiida_pesfp.settings.base import Settings, default_of, is_flag, kind, options

T = TypeVar('T', bound=Settings)


class Numbers(click.ParamType):
    """Numbers with commas between them."""

    name = 'numbers'

    def convert(self, value, parameter, context) -> tuple[float, ...]:
        try:
            return tuple(float(number) for number in value.split(',')) if isinstance(value, str) else value
        except ValueError:
            self.fail(f'{value!r} is not a comma-separated list of numbers', parameter, context)


class NumberOr(click.ParamType):
    """A whole number, or a word in its place."""

    def __init__(self, word: str):
        self.word, self.name = word, f'number|{word}'

    def convert(self, value, parameter, context) -> int | str:
        return value if value == self.word else click.INT.convert(value, parameter, context)


def options_of(
    settings: type[Settings],
    *,
    only: Collection[str] | None = None,
    overriding: bool = False,
    **changes: dict[str, Any] | None,
) -> Callable[[Callable], Callable]:
    """A decorator that gives a command an option for each key of some settings.

    :param only: the keys that have an option; all by default.
    :param overriding: the options override other inputs: without the option the value is None, not the default.
    :param changes: key -> keyword arguments of :func:`click.option` that differ, or None: the key has no option.
    """

    def decorate(command: Callable) -> Callable:
        for key, info in reversed(settings.known().items()):
            if (only is None or key in only) and (change := changes.get(key, {})) is not None:
                arguments = {'help': settings.help_of(key), **_arguments(info)}
                if overriding:
                    arguments |= {'help': f'{arguments["help"]}  [default: {default_of(info)}]', 'default': None}
                arguments |= change
                command = click.option(*options(key, info), key, **arguments)(command)
        return command

    return decorate


def take(settings: type[T], options: dict[str, Any]) -> T:
    """Make settings of the options of a command, and remove these from ``options``.

    :raises click.UsageError: for a value that is not allowed.
    """
    try:
        return settings.from_dict({key: options.pop(key) for key in settings.known() if key in options})
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _callback(of: type[T]) -> Callable[..., T]:
    def make(context: click.Context, parameter: click.Parameter, values: tuple[float, ...]) -> T:
        try:
            return of(*values)
        except ValueError as error:
            reasons = ', '.join(f'{one["input"]}: {one["msg"]}' for one in error.errors())
            raise click.BadParameter(reasons, context, parameter) from None

    return make


def _arguments(info: FieldInfo) -> dict[str, Any]:
    """Default and type of an option."""
    of, default = kind(info), info.default
    if is_flag(info):
        return {'is_flag': True, 'default': bool(default)}
    if isinstance(default, Settings):
        values = astuple(default)
        return {
            'type': float,
            'nargs': len(values),
            'default': values,
            'callback': _callback(of),
        }
    kinds = {tuple: Numbers(), Path: click.Path(path_type=Path, file_okay=False)}
    given = {'required': True} if info.is_required() else {} if default is None else {'default': default}
    return given | {'type': click.Choice(get_args(info.annotation)) if of is Literal else kinds.get(of, of)}
