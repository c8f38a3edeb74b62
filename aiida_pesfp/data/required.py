"""What node types share: attributes as properties, attributes without which a node cannot be stored, and equality."""

from aiida.common.exceptions import ValidationError
from aiida.orm import Node


def attribute(name: str, meaning: str) -> property:
    """Property of a node that is one of its attributes; None if the node has no such attribute."""
    return property(lambda self: self.base.attributes.get(name, None), doc=meaning)


class RequiredAttributes:
    """Mixin of nodes that refuses to store one without all of ``_REQUIRED``.

    Such nodes are equal if they are the same node. A ``Dict`` compares contents, which it reads from the database each
    time; AiiDA compares each new link of a process with all others, so that a ranking of n structures took n^2 reads.
    """

    _REQUIRED: tuple[str, ...] = ()
    #: Name of the class method that makes a complete node, if there is one.
    _MAKER = ''

    def _validate(self) -> bool:
        super()._validate()
        missing = [name for name in self._REQUIRED if name not in self.base.attributes]
        if missing:
            name = type(self).__name__
            way_out = self._MAKER and f': make it with {name}.{self._MAKER}'
            raise ValidationError(f'{name} needs {", ".join(missing)}{way_out}')
        return True

    __eq__, __hash__ = Node.__eq__, Node.__hash__
