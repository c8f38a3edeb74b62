"""Settings of a relaxation."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting


@dataclass(frozen=True)
class RelaxSettings(Settings):
    """When a relaxation has converged, and when it gives up."""

    fmax: float = setting('largest force on an atom at the end', 0.01, unit='eV/A', gt=0)
    smax: float = setting('largest component of the stress at the end', 0.1, unit='GPa', gt=0)
    steps: int = setting('maximum number of steps', 500, gt=0)
    variable_cell: bool = setting('whether the cell is relaxed too', True, option='--variable-cell/--fixed-cell')
