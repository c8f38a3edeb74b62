"""Settings of the fit of an activation energy (arXiv:2411.06804, Sec. II C)."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting

SCALES = ('linear', 'log')
#: Every flag that a conductivity can have.
FLAGS = (
    'framework_diffuses',
    'slope_changes',
    'compatible_with_zero',
    'negative_slope',
    'whole_run_falls',
    'too_few_windows',
    'fit_starts_early',
)


@dataclass(frozen=True)
class ArrheniusSettings(Settings):
    """All settings of ``pesfp.transport.arrhenius``."""

    scale: Literal[SCALES] = setting('scale of the least squares; linear is that of the paper', 'linear')
    exclude: dict[str, Annotated[str, Field(min_length=1)]] = setting('key of a conductivity -> why it is left out', {})
    exclude_flags: list[Literal[FLAGS]] = setting('flags of conductivities that are left out', [])
