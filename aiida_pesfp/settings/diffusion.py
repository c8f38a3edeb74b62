"""Settings of the analysis of a trajectory (arXiv:2411.06804, Sec. II C and Appendix D)."""

from pydantic.dataclasses import dataclass
from pymatgen.core import Element

from aiida_pesfp.settings.base import Settings, setting
from aiida_pesfp.settings.units import MEASURES

#: The paper leaves out this much at the beginning of every run, ps (Sec. II C).
EQUILIBRATION = 5.0


def check_charge(species: str, charge: float | None) -> None:
    """Raise ``ValueError`` if ions of an element do not have a charge, e, that is given."""
    if charge is not None:
        known = sorted({*Element(species).common_oxidation_states, *Element(species).icsd_oxidation_states} - {0})
        if charge not in known:
            raise ValueError(f'charge = {charge:g}: ions of {species} have {", ".join(map("{:+d}".format, known))}')


@dataclass(frozen=True)
class DiffusionSettings(Settings):
    """How diffusion coefficients are taken from a trajectory; window and fit are the paper's.

    Nothing is left out of a trajectory by default: only who ran the dynamics knows whether it was equilibrated.
    """

    window: float = setting('length of an independent window', 15.0, unit='ps', ge=0, le=1e6, alias='window_ps')
    fit_start: float = setting('lag at which the linear fit begins', 1.0, unit='ps', ge=0, le=1e6, alias='fit_start_ps')
    equilibration: float = setting('left out at the beginning', 0.0, unit='ps', ge=0, le=1e6, alias='equilibration_ps')

    def __post_init__(self):
        if self.fit_start >= self.window:
            raise ValueError(f'the fit begins at {self.fit_start:g} ps, after the window of {self.window:g} ps')


@dataclass(frozen=True)
class ConductivitySettings(Settings):
    """All settings of ``pesfp.transport.conductivity``."""

    species: str = setting('chemical symbol of the mobile ion', 'Li')
    temperature: float | None = setting(
        'temperature, by default that of the trajectory', None, **MEASURES['temperature'].limits
    )
    charge: float | None = setting('charge of an ion, by default that of its element', None, unit='e', ge=-8, le=8)
    diffusion: DiffusionSettings = setting(default=DiffusionSettings(equilibration=EQUILIBRATION), flat=True)
    unwrapped: bool = setting('positions are not wrapped, however far ions go between two frames', False)
    bayesian: bool = setting('also estimate D with kinisi', False)

    def __post_init__(self):
        check_charge(self.species, self.charge)
