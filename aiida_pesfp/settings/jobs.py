"""How long jobs run, and how many: the limits of the inputs of these names, wherever they stand."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting
from aiida_pesfp.settings.units import MEASURES

_TEN_YEARS, _MOST = 10 * 366 * 24 * 3600, 10**6

_Temperature = Annotated[float, Field(ge=MEASURES['temperature'].lowest, le=MEASURES['temperature'].highest)]


@dataclass(frozen=True, kw_only=True)
class JobSettings(Settings):
    """A table of limits, of which no settings are made: each input stands where it belongs."""

    max_wallclock_seconds: int | None = setting('longest time of a job', None, unit='s', gt=0, le=_TEN_YEARS)
    max_memory_kb: int | None = setting('most memory of a node', None, unit='kB', ge=10_000, le=10**11)
    max_iterations: int = setting('most jobs for one task', gt=0, le=_MOST)
    max_steps_per_job: int = setting(
        'most steps of one job; by default as many as its walltime allows', gt=0, le=10**10
    )
    max_structures_per_job: int = setting('most structures of one job', gt=0, le=_MOST)
    max_structures_per_shard: int = setting('most structures of one shard of a campaign', gt=0, le=_MOST)
    max_concurrent_jobs: int = setting('most jobs at once', gt=0, le=_MOST)
    max_concurrent_candidates: int = setting('candidates whose dynamics run at once', gt=0, le=_MOST)
    candidates: int = setting('most candidates of a stage', gt=0, le=_MOST)
    temperatures: Annotated[list[_Temperature], Field(min_length=1)] = setting(
        'of the dynamics; 25 degrees Celsius are 298.15 K', unit='K'
    )
    duration_ps: float = setting('length of each run', unit='ps', gt=0, le=1e6)
    reciprocal_density: float = setting('k-points for each A^-3 of the reciprocal cell', gt=0, le=1e5)
