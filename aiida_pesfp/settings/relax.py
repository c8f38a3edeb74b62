"""Settings of a relaxation."""

from __future__ import annotations

from dataclasses import dataclass

from aiida_pesfp.settings.base import POSITIVE, Settings, setting


@dataclass(frozen=True)
class RelaxSettings(Settings):
    """When a relaxation has converged, and when it gives up."""

    fmax: float = setting('largest force on an atom at the end', 0.01, unit='eV/A', limit=POSITIVE)
    smax: float = setting('largest component of the stress at the end', 0.1, unit='GPa', limit=POSITIVE)
    steps: int = setting('maximum number of steps', 500, limit=POSITIVE)
    variable_cell: bool = setting('whether the cell is relaxed too', True, option='--variable-cell/--fixed-cell')
