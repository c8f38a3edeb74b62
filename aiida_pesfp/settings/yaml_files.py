"""YAML that people write: each key once, no references, and numbers that are what they look like."""

import re
from typing import Any

import yaml

#: YAML 1.1 reads 010 as 8, 1:30 as 90 and 1_0 as 10.
_SURPRISING = re.compile(r'[-+]?0[0-9]+|.*[:_].*')


class _Loader(yaml.SafeLoader):
    """Without references: a few lines of them stand for a text of any size."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError('it has a reference (*): write out what it stands for')
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise yaml.YAMLError(f'it has {twice[:60]!r} twice, and only one of them would count')
        return super().construct_mapping(node, deep)

    def construct_plain_int(self, node):
        return super().construct_yaml_int(_plain(node))

    def construct_plain_float(self, node):
        return super().construct_yaml_float(_plain(node))


_Loader.add_constructor('tag:yaml.org,2002:int', _Loader.construct_plain_int)
_Loader.add_constructor('tag:yaml.org,2002:float', _Loader.construct_plain_float)


def _plain(node):
    if _SURPRISING.fullmatch(node.value):
        raise yaml.YAMLError(f'{node.value[:60]} is another number in YAML: write it plainly, or put it into quotes')
    return node


def load_yaml(text: str) -> Any:
    """What a text in YAML, or JSON, holds.

    :raises yaml.YAMLError: if it is neither, or does not mean what it seems to.
    """
    return yaml.load(text, _Loader)
