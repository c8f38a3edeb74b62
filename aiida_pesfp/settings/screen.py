"""Which structures a screening scans (arXiv:2411.06804, Sec. II B)."""

from typing import Literal

from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting
from aiida_pesfp.settings.units import MEASURES


@dataclass(frozen=True)
class Properties(Settings):
    """What is known of a structure before it is scanned, and what a screening filters by."""

    band_gap: float | None = setting('band gap', None, **MEASURES['band_gap'].limits)
    energy_above_hull: float | None = setting('energy above the hull', None, **MEASURES['energy_above_hull'].limits)


@dataclass(frozen=True)
class Criteria(Settings):
    """What is scanned; by default as in the paper. None switches a limit off."""

    species: str | None = setting('chemical symbol of the mobile ion, which the structure must have', 'Li')
    minimum_band_gap: float | None = setting('smallest band gap', 0.5, unit='eV', ge=0, le=20)
    maximum_energy_above_hull: float | None = setting(
        'largest energy above the hull', 0.05, unit='eV/atom', ge=-2, le=2
    )
    allow_transition_metals: bool = setting(
        'scan structures with transition metals or not', False, option='--transition-metals/--no-transition-metals'
    )
    missing_properties: Literal['keep', 'reject'] = setting(
        'keep or reject structures whose band gap or energy above the hull is not known', 'keep'
    )
    duplicates: Literal['similar', 'identical', 'keep'] = setting(
        'scan only one of structures that are similar, only one of identical ones, or all', 'similar'
    )
