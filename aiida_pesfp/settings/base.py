"""The base of all settings. A key, its unit, default, limits and help text stand once, in a field of a dataclass.

Pydantic checks the fields. From them also follow the plain dictionary that a user gives or reads
(:meth:`Settings.from_dict`, :meth:`Settings.as_dict`), the options of the programs (:meth:`Settings.command_line`,
:func:`~aiida_pesfp.settings.options.options_of`) and the help texts of input ports (:meth:`Settings.describe`).
"""

import copy
import json
import re
from collections.abc import Collection, Mapping
from numbers import Real
from types import NoneType
from typing import Any, ClassVar, Self, get_args, get_origin

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

#: Characters of a value in a message.
_LONGEST = 200


def setting(help: str = '', default: Any = ..., *, unit: str = '', **changes) -> Any:
    """A field of a subclass of :class:`Settings`.

    :param help: what the value means, without its unit and without a full stop.
    :param changes: arguments of :func:`pydantic.Field`: limits such as ``gt=0``, or ``alias``, the key in dictionaries
        if it is not the name of the field. Further ``option`` of the command line, if not the key with hyphens: a
        string or several, with a slash between the two options of a boolean; ``flag``: the option has no value;
        ``flat``: the field holds settings whose keys stand beside those of the others.
    """
    extra = {name: changes.pop(name) for name in ('option', 'flag', 'flat') if name in changes}
    text = f'{help} ({unit})' if unit else help
    return Field(default, description=text, json_schema_extra=extra, **changes)


def options(key: str, info: FieldInfo) -> tuple[str, ...]:
    """The names of the option of a key; the last one is the long one."""
    option = info.json_schema_extra.get('option', '--' + key.replace('_', '-'))
    return (option,) if isinstance(option, str) else option


def kind(info: FieldInfo) -> Any:
    """The type of the values of a field, apart from None."""
    found = get_args(info.annotation)
    return found[0] if NoneType in found else get_origin(info.annotation) or info.annotation


def is_flag(info: FieldInfo) -> bool:
    """Whether the option has no value."""
    return info.annotation is bool or 'flag' in info.json_schema_extra


def default_of(info: FieldInfo) -> str:
    """The default of a key as a help text has it; empty for None."""
    value = info.default.as_dict() if isinstance(info.default, Settings) else info.default
    if info.is_required():
        return 'required'
    return '' if value is None else value if isinstance(value, str) else json.dumps(value)


class Settings:
    """Settings that are checked whenever they are made. Subclasses are frozen dataclasses of pydantic."""

    __pydantic_config__ = ConfigDict(extra='forbid', strict=True, allow_inf_nan=False, validate_by_name=True)
    __pydantic_fields__: ClassVar[dict[str, FieldInfo]] = {}
    #: What :meth:`from_dict` raises.
    ERROR: ClassVar[type[Exception]] = ValueError

    @classmethod
    def known(cls) -> dict[str, FieldInfo]:
        """The keys that a user may give, and what is known of them."""
        found = {}
        for name, info in cls.__pydantic_fields__.items():
            if 'flat' not in info.json_schema_extra:
                found[info.alias or name] = info
                continue
            for inner, one in kind(info).__pydantic_fields__.items():
                one = found[one.alias or inner] = copy.copy(one)
                one.default = getattr(info.default, inner)
        return found

    @classmethod
    def limits(cls) -> dict[str, Any]:
        """What is known of the value of each key, nested like the dictionary."""
        return {
            key: kind(info).limits()
            if isinstance(info.default, Settings)
            else FieldInfo(annotation=bool, description=info.description)
            if is_flag(info)
            else info
            for key, info in cls.known().items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From a dictionary of plain JSON types. A missing key has its default.

        Raises ``ERROR``, which names the key, its value and what is allowed.
        """
        known, values = cls.known(), cls.mapping(values)
        for key in values:
            if key not in known:
                raise cls.ERROR(f'unknown parameter {key!r:.{_LONGEST}}: known are {", ".join(known)}')
        for key, info in known.items():
            if info.is_required() and key not in values:
                raise cls.ERROR(f'the parameters need {key!r}: {info.description}')
        for name, info in cls.__pydantic_fields__.items():
            if 'flat' in info.json_schema_extra:
                given = {key: values.pop(key) for key in kind(info).known() if key in values}
                values[name] = kind(info).from_dict(info.default.as_dict() | given)
            elif isinstance(info.default, Settings) and isinstance(values.get(name), Mapping):
                values[name] = kind(info).from_dict(values[name])
        try:
            return cls(**values)
        except ValidationError as error:
            problems = [_explain(one, one['loc'], known.get(next(iter(one['loc']), None))) for one in error.errors()]
            raise cls.ERROR('; '.join(problems)) from error

    @classmethod
    def mapping(cls, values: Any) -> dict:
        """A copy of a dictionary; ``ERROR`` if it is something else."""
        if not isinstance(values, Mapping):
            raise cls.ERROR(
                f'{values!r:.{_LONGEST}} is no dictionary of parameters: known are {", ".join(cls.known())}'
            )
        return dict(values)

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain JSON types, those with their default too."""
        content, known = {}, self.known()
        for key, value in to_jsonable_python(self, by_alias=True).items():
            content |= {key: value} if key in known else value
        return content

    def command_line(self, *names: str) -> list[str]:
        """The options of the program that mean the same.

        :param names: of the fields that get an option; all by default.
        """
        words = []
        for name in names or self.__pydantic_fields__:
            info, value = self.__pydantic_fields__[name], getattr(self, name)
            option = options(info.alias or name, info)[-1]
            if 'flat' in info.json_schema_extra:
                words += value.command_line()
            elif is_flag(info):
                yes, _, no = option.partition('/')
                words += filter(None, [no if value is None or value is False else yes])
            elif isinstance(value, Settings):
                words += [option, *map(_text, value.as_dict().values())]
            elif value is not None:
                words.append(f'{option}={_text(value)}')
        return words

    @classmethod
    def describe(cls) -> str:
        """The keys, their meaning and their defaults, for a help text."""
        defaults = {key: f' [{default_of(info)}]' if default_of(info) else '' for key, info in cls.known().items()}
        return '; '.join(f'{key}: {info.description}{defaults[key]}' for key, info in cls.known().items())

    @classmethod
    def help_of(cls, key: str) -> str:
        """What one key means, as a sentence."""
        text = cls.known()[key].description
        return f'{text[0].upper()}{text[1:]}.'


def joined(name: str, *parts: tuple[type[Settings], Collection[str] | None]) -> type[Settings]:
    """A class of settings that has keys of several others, with their checks.

    :param parts: each class, and which of its keys; None for all.
    """
    keys = [(settings, [key for key in settings.known() if only is None or key in only]) for settings, only in parts]
    fields = {key: settings.known()[key] for settings, own in keys for key in own}

    def check(self) -> None:
        for settings, own in keys:
            settings.from_dict({key: value for key, value in vars(self).items() if key in own})

    annotations = {key: info.annotation for key, info in fields.items()}
    return dataclass(frozen=True)(
        type(name, (Settings,), fields | {'__annotations__': annotations, '__post_init__': check})
    )


def check_value(key: str, value: Any, info: FieldInfo) -> None:
    """Raise ``ValueError`` if a value is not of the kind, or within the limits, of a field."""
    kind = TypeAdapter(info.rebuild_annotation(), config=Settings.__pydantic_config__)
    try:
        kind.validate_python(value)
    except ValidationError as error:
        raise ValueError('; '.join(_explain(one, (key, *one['loc']), info) for one in error.errors()[:3])) from error


def _explain(error: dict, where: tuple, info: FieldInfo | None) -> str:
    if 'error' in error.get('ctx', {}):  # raised by a check of several fields
        return str(error['ctx']['error'])
    value = error['input']
    comma = ', with a decimal point, not a comma' if re.fullmatch(r'-?\d+,\d+', str(value)) else ''
    return f'{".".join(map(str, where))} = {value!r:.{_LONGEST}}: {error["msg"]}{comma} ({info.description})'


def _text(value: Any) -> str:
    """A value as it stands on a command line."""
    if isinstance(value, tuple):
        return ','.join(map(_text, value))
    return str(value).removesuffix('.0') if isinstance(value, Real) else str(value)
