"""The base of all settings. A key, its unit, default, limits and help text stand once, in a field of a dataclass.

From the fields follow the checks, the plain dictionary that a user gives or reads (:meth:`Settings.from_dict`,
:meth:`Settings.as_dict`), the options of the programs (:meth:`Settings.command_line`,
:func:`~aiida_pesfp.settings.options.options_of`) and the help texts of input ports (:meth:`Settings.describe`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
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
        return self.metadata['help'] + self._unit

    @property
    def _unit(self) -> str:
        return f' ({self.metadata["unit"]})' if 'unit' in self.metadata else ''

    def parse(self, value: Any) -> Any:
        """The value of the field from that of JSON.

        :raises ValueError: naming the key, the value and what is allowed.
        """
        if isinstance(value, list) and self.kind is tuple:
            value = tuple(float(number) if _is_number(number) else number for number in value)
        elif isinstance(value, Mapping) and issubclass(self.kind, Settings):
            value = self.kind.from_dict(value)
        if not (self.optional and value is None) and not self._allows(value):
            raise ValueError(f'{self.key} must be {self._expected()}{self._unit}, not {value!r}')
        return value

    def _allows(self, value: Any) -> bool:
        if 'choices' in self.metadata:
            return value in self.metadata['choices']
        if self.kind is tuple:
            return isinstance(value, tuple) and len(value) > 0 and all(map(_is_number, value))
        if self.kind not in (int, float):
            return isinstance(value, self.kind)
        if not _is_number(value) or (self.kind is int and not isinstance(value, Integral)):
            return False
        return {POSITIVE: value > 0, NOT_NEGATIVE: value >= 0, None: True}[self.metadata.get('limit')]

    def _expected(self) -> str:
        if 'choices' in self.metadata:
            return f'one of {", ".join(self.metadata["choices"])}'
        if self.kind in (int, float):
            words = 'whole number' if self.kind is int else 'number'
            return {POSITIVE: f'a positive {words}', NOT_NEGATIVE: f'a {words}, 0 or more'}.get(
                self.metadata.get('limit'), f'a {words}'
            )
        return {bool: 'true or false', tuple: 'a list of numbers', str: 'a text'}.get(self.kind, 'a dictionary')

    def words(self, value: Any) -> list[str]:
        """The words of a command line for a value."""
        if self.metadata.get('flat'):
            return value.command_line()
        name = self.option[-1]
        if self.is_flag:
            yes, _, no = name.partition('/')
            return list(filter(None, [no if value is None or value is False else yes]))
        if isinstance(value, Settings):
            return [name, *map(_text, value.as_dict().values())]
        return [] if value is None else [f'{name}={_text(value)}']


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _text(value: Any) -> str:
    """A value as it stands on a command line."""
    if isinstance(value, tuple):
        return ','.join(map(_text, value))
    return str(value).removesuffix('.0') if isinstance(value, Real) else str(value)


@dataclass(frozen=True)
class Settings:
    """Settings that are checked whenever they are made. Subclasses are frozen dataclasses."""

    def __post_init__(self):
        for key in _own_keys(type(self)):
            object.__setattr__(self, key.name, key.parse(getattr(self, key.name)))

    @classmethod
    def known(cls) -> Iterator[Key]:
        """The keys that a user may give."""
        for key in _own_keys(cls):
            if key.metadata.get('flat'):
                yield from (replace(one, default=getattr(key.default, one.name)) for one in key.kind.known())
            else:
                yield key

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From a dictionary of plain JSON types. A missing key has its default.

        :raises ValueError: naming the key, its value and what is allowed.
        """
        names = [key.key for key in cls.known()]
        for name in values:
            if name not in names:
                raise ValueError(f'unknown parameter {name!r}: known are {", ".join(names)}')
        chosen = {}
        for key in _own_keys(cls):
            if key.metadata.get('flat'):
                given = {one.name: values[one.key] for one in key.kind.known() if one.key in values}
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
            if isinstance(value, Settings):
                content |= value.as_dict() if key.metadata.get('flat') else {key.key: value.as_dict()}
            else:
                content[key.key] = list(value) if isinstance(value, tuple) else value
        return content

    def command_line(self, *names: str) -> list[str]:
        """The options of the program that mean the same.

        :param names: of the fields that get an option; all by default.
        """
        keys = [key for key in _own_keys(type(self)) if not names or key.name in names]
        return [word for key in keys for word in key.words(getattr(self, key.name))]

    @classmethod
    def describe(cls) -> str:
        """The keys, their meaning and their defaults, for a help text."""
        return '; '.join(f'{key.key}: {key.help}{_default(key)}' for key in cls.known())

    @classmethod
    def help_of(cls, name: str) -> str:
        """What one key means, as a sentence."""
        [text] = [key.help for key in cls.known() if key.key == name]
        return f'{text[0].upper()}{text[1:]}.'


@cache
def _own_keys(cls: type[Settings]) -> tuple[Key, ...]:
    """The keys of the fields. A type is a class, a tuple of numbers, or one of these or None."""
    hints, keys = get_type_hints(cls), []
    for one in fields(cls):
        kinds = get_args(hints[one.name]) or (hints[one.name],)
        kind = tuple if Ellipsis in kinds else kinds[0]
        keys.append(Key(one.name, kind, NoneType in kinds, one.default, one.metadata))
    return tuple(keys)


def _default(key: Key) -> str:
    """The default of a key as a help text has it."""
    if key.default is MISSING:
        return ' [required]'
    value = key.default.as_dict() if isinstance(key.default, Settings) else key.default
    return '' if value is None else f' [{value if isinstance(value, str) else json.dumps(value)}]'
