"""YAML that people write: each key once, no references, and numbers that are what they look like."""

import re
from typing import Any

import yaml

_INT, _FLOAT, _DATE = (f'tag:yaml.org,2002:{name}' for name in ('int', 'float', 'timestamp'))
#: The numbers of JSON, and those that lack digits on one side of the point; all else is text.
_NUMBER = re.compile(r'[-+]?(?:(?P<integer>0|[1-9]\d*)|(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)', re.ASCII)
_NOT_FINITE = re.compile(r'[-+]?\.inf|\.nan', re.IGNORECASE)


class _Loader(yaml.SafeLoader):
    """Without references, of which a few lines stand for a text of any size, and without tags."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise ValueError('it has a reference (*): write out what it stands for')
        if getattr(self.peek_event(), 'tag', None) is not None:
            raise ValueError('it has a tag (!): write values plainly')
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f'it has {twice[:60]!r} twice, and only one of them would count')
        return super().construct_mapping(node, deep)

    def resolve(self, kind, value, implicit):
        """YAML 1.1 reads 1e-2 as text, but 010 as 8, 1:30 as 90, 1_0 as 10 and 2020-01-01 as a date."""
        tag = super().resolve(kind, value, implicit)
        if kind is not yaml.ScalarNode or not implicit[0]:
            return tag
        if number := _NUMBER.fullmatch(value):
            return _INT if number['integer'] else _FLOAT
        if tag in (_INT, _FLOAT, _DATE) and not _NOT_FINITE.fullmatch(value):
            raise ValueError(f'{value[:60]} is another value in YAML: write it plainly, or put it into quotes')
        return tag

    def construct_number(self, node):
        """1e5 is as whole as 100000, so that it can be a number of steps."""
        number = super().construct_yaml_float(node)
        return int(number) if number.is_integer() and '.' not in node.value else number


_Loader.add_constructor(_FLOAT, _Loader.construct_number)


def load_yaml(text: str) -> Any:
    """What a text in YAML, or JSON, holds.

    :raises ValueError: if it is neither, or does not mean what it seems to.
    """
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, OverflowError, RecursionError) as error:
        raise ValueError(f'it is neither YAML nor JSON: {error}') from error


def is_value(text: str) -> bool:
    """Whether a text would be a number, or true or false, if it stood in YAML without quotes."""
    try:
        return isinstance(load_yaml(text), bool | int | float)
    except ValueError:
        return False
