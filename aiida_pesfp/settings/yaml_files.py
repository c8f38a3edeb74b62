"""YAML that people write: each key once, no references, and numbers that are what they look like."""

import re
from typing import Any

import yaml

#: What is not text, by the kind of its value. YAML 1.1 reads 1e-2 as text, but 010 as 8, 1:30 as 90 and 1_0 as 10.
_GRAMMAR = {
    'null': r'~|null|',
    'bool': r'true|false|yes|no|on|off',
    'int': r'[-+]?(0|[1-9]\d*)',
    'float': r'[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)(e[-+]?\d+)?|[-+]?\.inf|\.nan',
}


class _Loader(yaml.SafeLoader):
    """Without references, of which a few lines stand for a text of any size, and without tags."""

    yaml_implicit_resolvers = {}

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

    def construct_number(self, node):
        """1e5 is as whole as 100000, so that it can be a number of steps."""
        number = super().construct_yaml_float(node)
        return int(number) if number.is_integer() and '.' not in node.value else number


for _kind, _pattern in _GRAMMAR.items():
    _whole = re.compile(rf'({_pattern})\Z', re.ASCII | re.IGNORECASE)
    _Loader.add_implicit_resolver(f'tag:yaml.org,2002:{_kind}', _whole, None)
_Loader.add_constructor('tag:yaml.org,2002:float', _Loader.construct_number)


def load_yaml(text: str) -> Any:
    """What a text in YAML, or JSON, holds.

    :raises ValueError: if it is neither, or does not mean what it seems to.
    """
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, OverflowError, RecursionError) as error:
        raise ValueError(f'it is neither YAML nor JSON: {error}') from error


def is_text(text: str) -> bool:
    """Whether it is text without quotes too."""
    return _Loader('').resolve(yaml.ScalarNode, text, (True, False)) == 'tag:yaml.org,2002:str'
