"""Settings of a relaxation."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class RelaxationParameters:
    """When a relaxation is done.

    :param fmax: largest force on an atom, eV/A.
    :param smax: largest component of the stress, GPa.
    :param steps: most steps.
    :param variable_cell: whether the cell is relaxed too.
    """

    fmax: float = 0.01
    smax: float = 0.1
    steps: int = 500
    variable_cell: bool = True

    @classmethod
    def from_dict(cls, values: dict) -> RelaxationParameters:
        """From a dictionary; what is missing has its default.

        :raises ValueError: naming the key, its value and what is allowed.
        """
        names = [field.name for field in fields(cls)]
        for key, value in values.items():
            if key not in names:
                raise ValueError(f'unknown parameter {key!r}: known are {", ".join(names)}')
            kinds = {'steps': (int,), 'variable_cell': (bool,)}.get(key, (int, float))
            if not isinstance(value, kinds) or (key != 'variable_cell' and (isinstance(value, bool) or not value > 0)):
                expected = {'steps': 'a positive whole number', 'variable_cell': 'true or false'}
                raise ValueError(f'{key} must be {expected.get(key, "a positive number")}, not {value!r}')
        return cls(**values)
