"""The base of all settings. A key, its unit, default, limits and help text stand once, in a field of a dataclass.

From the fields follow the checks, the plain dictionary that a user gives or reads (:meth:`Settings.from_dict`,
:meth:`Settings.as_dict`), the options of the programs (:meth:`Settings.command_line`,
:func:`~aiida_pesfp.settings.options.options_of`) and the help texts of input ports (:meth:`Settings.describe`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import Any, Self, get_args, get_type_hints

#: Limits of a number.
POSITIVE, NOT_NEGATIVE = 'positive', 'not negative'


def setting(help: str = '', default: Any = MISSING, **metadata) -> Any:
    """A field of a subclass of :class:`Settings`.

    :param help: what the value means, without its unit and without a full stop.
    :param metadata: ``unit``; ``limit`` of a number, ``POSITIVE`` or ``NOT_NEGATIVE``; ``choices`` of a text; ``key``
        in dictionaries, if not the name of the field; ``option`` of the command line, if not the key with hyphens:
        a string or several, with a slash between the two options of a boolean; ``flag``: the option has no value;
        ``flat``: the field holds settings whose keys stand beside those of the others.
    """
    return field(default=default, metadata={'help': help, **metadata})


@dataclass(frozen=True)
class Key:
    """What is known of one key of some settings."""

    name: str
    kind: type
    optional: bool
    default: Any
    metadata: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The key in dictionaries."""
        return self.metadata.get('key', self.name)

    @property
    def option(self) -> tuple[str, ...]:
        """The names of the option; the last one is the long one."""
        option = self.metadata.get('option', '--' + self.key.replace('_', '-'))
        return (option,) if isinstance(option, str) else option

    @property
    def is_flag(self) -> bool:
        """Whether the option has no value."""
        return self.kind is bool or self.metadata.get('flag', False)

    @property
    def help(self) -> str:
        """What the value means, and its unit."""
        unit = self.metadata.get('unit')
        return self.metadata['help'] + (f' ({unit})' if unit else '')

    @property
    def expected(self) -> str:
        """What is allowed, as a message says it."""
        if self.metadata.get('choices'):
            return f'one of {", ".join(self.metadata["choices"])}'
        if self.kind in (int, float):
            noun, limit = {int: 'whole number', float: 'number'}[self.kind], self.metadata.get('limit')
            words = (
                f'a {"positive " if limit == POSITIVE else ""}{noun}{", 0 or more" if limit == NOT_NEGATIVE else ""}'
            )
        else:
            words = {bool: 'true or false', tuple: 'a list of numbers', str: 'a text'}.get(self.kind, 'a dictionary')
        return words + (f' ({self.metadata["unit"]})' if 'unit' in self.metadata else '')

    def plain(self, value: Any) -> Any:
        """The value of a field from what JSON has for it."""
        if isinstance(value, list) and self.kind is tuple:
            return tuple(float(number) if _is_number(number) else number for number in value)
        return self.kind.from_dict(value) if isinstance(value, Mapping) and issubclass(self.kind, Settings) else value

    def check(self, value: Any) -> None:
        """:raises ValueError: naming the key, its value and what is allowed."""
        if not (self.optional and value is None) and not self._allows(value):
            raise ValueError(f'{self.key} must be {self.expected}, not {value!r}')

    def _allows(self, value: Any) -> bool:
        if self.metadata.get('choices'):
            return value in self.metadata['choices']
        if self.kind is tuple:
            return isinstance(value, tuple) and len(value) > 0 and all(map(_is_number, value))
        if self.kind not in (int, float):
            return isinstance(value, self.kind)
        if not _is_number(value) or (self.kind is int and not isinstance(value, Integral)):
            return False
        return {POSITIVE: value > 0, NOT_NEGATIVE: value >= 0, None: True}[self.metadata.get('limit')]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Settings:
    """Settings with a name each, checked when they are made. Subclasses are frozen dataclasses."""

    def __post_init__(self):
        for key in _own_keys(type(self)):
            value = key.plain(getattr(self, key.name))
            key.check(value)
            object.__setattr__(self, key.name, value)

    @classmethod
    def known(cls) -> list[Key]:
        """The keys that a user may give."""
        found = []
        for key in _own_keys(cls):
            if not key.metadata.get('flat'):
                found.append(key)
                continue
            found += [replace(inner, default=getattr(key.default, inner.name)) for inner in key.kind.known()]
        return found

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From a dictionary of plain JSON types. A missing key has its default.

        :raises ValueError: naming the key, its value and what is allowed.
        """
        names = [key.key for key in cls.known()]
        for key in values:
            if key not in names:
                raise ValueError(f'unknown parameter {key!r}: known are {", ".join(names)}')
        chosen = {}
        for key in _own_keys(cls):
            if key.metadata.get('flat'):
                inner = {one.key: one.name for one in key.kind.known()}
                given = {inner[name]: value for name, value in values.items() if name in inner}
                chosen[key.name] = replace(key.default, **given)
            elif key.key in values:
                chosen[key.name] = values[key.key]
            elif key.default is MISSING:
                raise ValueError(f'the parameters need {key.key!r}: {key.help}')
        return cls(**chosen)

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain JSON types, those with their default too."""
        content = {}
        for key in _own_keys(type(self)):
            value = getattr(self, key.name)
            if key.metadata.get('flat'):
                content |= value.as_dict()
            elif isinstance(value, Settings):
                content[key.key] = value.as_dict()
            else:
                content[key.key] = list(value) if isinstance(value, tuple) else value
        return content

    def command_line(self, *names: str) -> list[str]:
        """The options of the program that mean the same.

        :param names: of the fields that get an option; all by default.
        """
        keys = [key for key in _own_keys(type(self)) if not names or key.name in names]
        return [word for key in keys for word in _words(key, getattr(self, key.name))]

    @classmethod
    def describe(cls) -> str:
        """The keys, their meaning and their defaults, for a help text."""
        return '; '.join(
            f'{key.key}: {key.help}' + ('' if key.default is None else f' [{_shown(key.default)}]')
            for key in cls.known()
        )

    @classmethod
    def help_of(cls, name: str) -> str:
        """What one key means, as a sentence."""
        [key] = [key for key in cls.known() if key.key == name]
        return f'{key.help[0].upper()}{key.help[1:]}.'


@cache
def _own_keys(cls: type[Settings]) -> tuple[Key, ...]:
    hints = get_type_hints(cls)
    return tuple(_key(one, hints[one.name]) for one in fields(cls))


def _key(one: Field, hint: Any) -> Key:
    """The key of a field, whose type is a class, a tuple of numbers, or one of these or None."""
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    optional = NoneType in get_args(hint)
    kind = tuple if Ellipsis in kinds else kinds[0]
    return Key(one.name, kind, optional, one.default, one.metadata)


def _words(key: Key, value: Any) -> list[str]:
    """The words of a command line for one key."""
    if key.metadata.get('flat'):
        return value.command_line()
    name = key.option[-1]
    if key.is_flag:
        yes, _, no = name.partition('/')
        chosen = no if value is None or value is False else yes
        return [chosen] if chosen else []
    if value is None:
        return []
    if isinstance(value, Settings):
        return [name, *map(_text, value.as_dict().values())]
    return [f'{name}={_text(value)}']


def _text(value: Any) -> str:
    """A value as it stands on a command line."""
    if isinstance(value, tuple):
        return ','.join(map(_text, value))
    return repr(float(value)).removesuffix('.0') if isinstance(value, Real) else str(value)


def _shown(default: Any) -> str:
    if default is MISSING:
        return 'required'
    if isinstance(default, Settings):
        return ', '.join(f'{name} {value}' for name, value in default.as_dict().items())
    if isinstance(default, tuple):
        return ', '.join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default)
