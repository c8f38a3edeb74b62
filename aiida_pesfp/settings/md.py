"""Settings of molecular dynamics.

What every engine knows is in :class:`Dynamics`; an engine adds its own keys in a subclass.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """Molecular dynamics at constant temperature.

    :param temperature: of the thermostat and of the first velocities, K.
    :param steps: number of steps of the run.
    :param timestep: length of a step, fs.
    :param stride: every stride-th step is stored: those whose number, counted from 0, is a multiple of it.
    """

    temperature: float
    steps: int
    timestep: float = 1.0
    stride: int = 1

    #: Keys whose values must be whole numbers and keys that may be zero; subclasses extend both.
    INTEGERS: ClassVar[frozenset[str]] = frozenset({'steps', 'stride'})
    MAY_BE_ZERO: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            kind = int if field.name in self.INTEGERS else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind):
                expected = 'a whole number' if kind is int else 'a number'
                raise ValueError(f'{field.name} must be {expected}, not {value!r}')
            if not math.isfinite(value) or value < 0 or (value == 0 and field.name not in self.MAY_BE_ZERO):
                raise ValueError(f'{field.name} must be positive, not {value!r}')

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From a flat dictionary; what is missing has its default.

        :raises ValueError: naming the key, its value and what is allowed.
        """
        names = [field.name for field in fields(cls)]
        for key in values:
            if key not in names:
                raise ValueError(f'unknown key {key!r} of the dynamics: known are {", ".join(names)}')
        for name in ('temperature', 'steps'):
            if name not in values:
                raise ValueError(f'the dynamics need {name!r}')
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """All settings, those with their default too."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SiestaDynamics(Dynamics):
    """Dynamics with the Nose thermostat of SIESTA.

    :param nose_mass: mass of the thermostat, Ry fs^2. SIESTA's own default is 100.
    :param max_scf_iterations: per step; not converging within them is allowed. 10 in the paper (Sec. II C).
    """

    nose_mass: float = 100.0
    max_scf_iterations: int = 10

    INTEGERS: ClassVar[frozenset[str]] = Dynamics.INTEGERS | {'max_scf_iterations'}


@dataclass(frozen=True, kw_only=True)
class PotentialDynamics(Dynamics):
    """Dynamics with a machine-learned potential and a Nose-Hoover chain.

    :param thermostat_time: characteristic time of the chain, fs. ASE recommends a hundred steps.
    :param seed: of the first velocities.
    """

    thermostat_time: float = 100.0
    seed: int = 0

    INTEGERS: ClassVar[frozenset[str]] = Dynamics.INTEGERS | {'seed'}
    MAY_BE_ZERO: ClassVar[frozenset[str]] = frozenset({'seed'})


@dataclass(frozen=True)
class DynamicsSettings:
    """Settings of the dynamics.

    :param temperature: target, K.
    :param timestep: fs.
    :param stride: every stride-th step is stored.
    :param thermostat_time: characteristic time of the Nose-Hoover chain, fs.
    :param seed: of the first velocities.
    """

    temperature: float
    timestep: float = 1.0
    stride: int = 1
    thermostat_time: float = 100.0
    seed: int = 0

    def __post_init__(self):
        for name in ('temperature', 'timestep', 'stride', 'thermostat_time'):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f'the {name} must be positive, not {getattr(self, name)}')
        if self.seed < 0:
            raise ValueError(f'the seed must not be negative, as {self.seed} is')
