"""Settings of molecular dynamics, those that every engine has and those of one, and of relaxations."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting


@dataclass(frozen=True, kw_only=True)
class MdSettings(Settings):
    """Molecular dynamics at constant temperature.

    A step is stored if its number, counted from 0, is a multiple of ``stride``.
    """

    temperature: float = setting(
        'temperature of the thermostat and of the first velocities',
        unit='K',
        ge=1,
        le=10_000,
        option=('-T', '--temperature'),
    )
    steps: int = setting('number of steps of this run', gt=0, le=10**10)
    timestep: float = setting('length of a step', 1.0, unit='fs', ge=0.01, le=20, option='--timestep-fs')
    stride: int = setting('every stride-th step is stored', 1, gt=0, le=10**10)


@dataclass(frozen=True, kw_only=True)
class SiestaMdSettings(MdSettings):
    """Dynamics with the Nose thermostat of SIESTA. A step need not converge."""

    nose_mass: float = setting('mass of the thermostat', 100.0, unit='Ry fs^2', ge=1e-3, le=1e6)  # SIESTA's own default
    max_scf_iterations: int = setting('maximum number of SCF iterations in a step', 10, gt=0, le=10_000)  # Sec. II C


@dataclass(frozen=True, kw_only=True)
class PotentialMdSettings(MdSettings):
    """Dynamics with a machine-learned potential and a Nose-Hoover chain."""

    # ASE recommends a hundred steps.
    thermostat_time: float = setting('characteristic time of the Nose-Hoover chain', 100.0, unit='fs', ge=1, le=1e6)
    seed: int = setting('seed of the first velocities', 0, ge=0, lt=2**63)


#: Distance between images of an ion: "capable of accommodating a sphere with a diameter of at least 6.5 A", Sec. II C.
MINIMUM_DISTANCE = 6.5
#: Largest supercell, in cells (the cost of the search for one grows with its cube), and minimum distance, A.
MOST_CELLS, LARGEST_DISTANCE = 500, 100.0
_Row = Annotated[list[Annotated[int, Field(ge=-(10**6), le=10**6)]], Field(min_length=3, max_length=3)]


@dataclass(frozen=True)
class SupercellSettings(Settings):
    """The supercell of the dynamics: the smallest whose inter-planar distances are large enough, or the given one."""

    minimum_distance: float = setting(
        'smallest inter-planar distance',
        MINIMUM_DISTANCE,
        unit='A',
        gt=0,
        le=LARGEST_DISTANCE,
    )
    diagonal: bool = setting('only multiples of the vectors, not any integer matrix', False)
    matrix: Annotated[list[_Row], Field(min_length=3, max_length=3)] | None = setting(
        'rows are the new vectors in units of the old: counts instead of minimum_distance and diagonal', None
    )

    def __post_init__(self):
        if self.matrix is None:
            return
        first, (a, b, c), (d, e, f) = self.matrix
        determinant = sum(one * minor for one, minor in zip(first, (b * f - c * e, c * d - a * f, a * e - b * d)))
        if not 1 <= determinant <= MOST_CELLS:
            raise ValueError(
                f'matrix = {self.matrix!r:.200}: its determinant, the number of cells in the supercell, must be from 1 '
                f'to {MOST_CELLS}, and is {determinant:.6g}'
            )


@dataclass(frozen=True)
class RelaxSettings(Settings):
    """When a relaxation has converged, and when it gives up."""

    fmax: float = setting('largest force on an atom at the end', 0.01, unit='eV/A', ge=1e-6, le=1)
    smax: float = setting('largest component of the stress at the end', 0.1, unit='GPa', ge=1e-6, le=10)
    steps: int = setting('maximum number of steps', 500, gt=0, le=10**6)
    variable_cell: bool = setting('whether the cell is relaxed too', True, option='--variable-cell/--fixed-cell')
