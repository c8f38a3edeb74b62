"""What node types share: attributes without which a node cannot be stored."""

from __future__ import annotations

from aiida.common.exceptions import ValidationError


class RequiredAttributes:
    """Mixin of nodes that refuses to store one without all of ``_REQUIRED``."""

    _REQUIRED: tuple[str, ...] = ()
    #: Name of the class method that makes a complete node, if there is one.
    _MAKER = ''

    def _validate(self) -> bool:
        super()._validate()
        missing = [name for name in self._REQUIRED if name not in self.base.attributes]
        if missing:
            name, way_out = type(self).__name__, self._MAKER and f': make it with {type(self).__name__}.{self._MAKER}'
            raise ValidationError(f'{name} needs {", ".join(missing)}{way_out}')
        return True
