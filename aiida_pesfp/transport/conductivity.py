"""Ionic conductivity of one trajectory (arXiv:2411.06804, Eq. 6), with its uncertainty and reasons to doubt it."""

from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from pymatgen.core import Composition
from scipy import constants

from aiida_pesfp.errors import InvalidTrajectory
from aiida_pesfp.settings.arrhenius import FLAGS
from aiida_pesfp.settings.diffusion import DiffusionSettings
from aiida_pesfp.trajectories.trajectory import Trajectory
from aiida_pesfp.transport.diffusion import Diffusion, Estimate, diffuse, window_msds
from aiida_pesfp.transport.flags import ChangePoint, find_change, find_flags
from aiida_pesfp.transport.kinisi import BayesianDiffusion, bayesian_diffusion

#: Charges of conducting ions with a single oxidation state, e. Users must give others (H, Cu, ...).
CHARGES = {
    **dict.fromkeys(('Li', 'Na', 'K', 'Rb', 'Cs', 'Ag'), 1),
    **dict.fromkeys(('Mg', 'Ca', 'Sr', 'Ba', 'Zn'), 2),
    'Al': 3,
    **dict.fromkeys(('F', 'Cl', 'Br', 'I'), -1),
    **dict.fromkeys(('O', 'S'), -2),
}
#: Largest number of points in a stored curve.
_MOST_POINTS = 1500
#: Ions move by no more than this times their thermal speed, as so many frames show.
_FASTEST, _MOST_FRAMES = 2.0, 1000


def nernst_einstein(diffusion_coefficient: float, carrier_density: float, charge: float, temperature: float) -> float:
    """n q^2 D / (k_B T), S/cm (Eq. 6: ions are uncorrelated), for D in cm^2/s, n in 1/cm^3, q in e, T in K."""
    return carrier_density * (charge * constants.e) ** 2 * diffusion_coefficient / (constants.Boltzmann * temperature)


def charge_of(species: str) -> float:
    """Charge of a mobile ion, e; ``ValueError`` if its element has several oxidation states."""
    if species not in CHARGES:
        raise ValueError(f'the charge of {species} is not known: give it')
    return CHARGES[species]


@dataclass(frozen=True)
class Conductivity:
    """Conductivity at one temperature (K), and what it follows from.

    :param charge: e; the ``carrier_density`` is in 1/cm^3.
    :param duration: of the production, ps.
    :param framework: diffusion of each element of the framework.
    :param framework_msds: element -> (m,) mean squared displacement, averaged over the windows, A^2.
    :param change: the most likely change of slope, if the run is long enough.
    :param remarks: flag -> why it applies.
    """

    formula: str
    species: str
    temperature: float
    charge: float
    carrier_density: float
    number_of_mobile_ions: int
    duration: float
    settings: DiffusionSettings
    diffusion: Diffusion
    framework: dict[str, Estimate]
    framework_msds: dict[str, np.ndarray]
    change: ChangePoint | None
    remarks: dict[str, str]
    bayesian: BayesianDiffusion | None = None

    def of(self, diffusion_coefficient: float | None) -> float | None:
        """Conductivity, S/cm, for a diffusion coefficient, cm^2/s, or its uncertainty."""
        known = self.carrier_density, self.charge, self.temperature
        return None if diffusion_coefficient is None else nernst_einstein(diffusion_coefficient, *known)

    @property
    def value(self) -> float:
        """S/cm."""
        return self.of(self.diffusion.estimate.coefficient)

    @property
    def error(self) -> float | None:
        """Half width of the 68.3 % confidence interval, S/cm; None for a single window."""
        return self.of(self.diffusion.estimate.error)

    def as_dict(self) -> dict:
        """All scalars as plain JSON types. Times are in ps, D in cm^2/s, conductivities in S/cm."""
        names = 'formula', 'species', 'temperature', 'charge', 'carrier_density', 'number_of_mobile_ions', 'duration'
        content = {
            **{name: getattr(self, name) for name in names},
            'conductivity': self.value,
            'conductivity_error': self.error,
            **self.diffusion.estimate.as_dict(),
            **{name: getattr(self.settings, name) for name in ('window', 'fit_start', 'equilibration')},
            'window_diffusion_coefficients': [Estimate((s,)).coefficient for s in self.diffusion.estimate.slopes],
            'flagged': bool(self.remarks),
            'flags': {flag: flag in self.remarks for flag in FLAGS},
            'remarks': self.remarks,
            'alternatives': {
                name: other.as_dict() | {'conductivity': self.of(other.coefficient)}
                for name, other in self.diffusion.alternatives.items()
            },
            'framework': {element: other.as_dict() for element, other in self.framework.items()},
            'change_point': self.change and asdict(self.change),
        }
        if self.bayesian is not None:
            conductivity = self.of(self.bayesian.diffusion_coefficient)
            content['bayesian'] = asdict(self.bayesian) | {'conductivity': conductivity}
        return content

    def curves(self) -> dict[str, np.ndarray]:
        """Lags (ps) and mean squared displacements (A^2), thinned evenly to at most 1500 points.

        ``lags`` (m,), ``window_msds`` (w, m), ``framework_msd_X`` (m,) for each element X; for the whole run
        ``whole_lags`` and ``whole_msd``.
        """
        of_window, of_run = _thin(len(self.diffusion.lags)), _thin(len(self.diffusion.whole_lags))
        return {
            'lags': self.diffusion.lags[of_window],
            'window_msds': self.diffusion.window_msds[:, of_window],
            **{f'framework_msd_{element}': msd[of_window] for element, msd in self.framework_msds.items()},
            'whole_lags': self.diffusion.whole_lags[of_run],
            'whole_msd': self.diffusion.whole_msd[of_run],
        }


def analyse(
    trajectory: Trajectory,
    species: str,
    temperature: float,
    charge: float | None = None,
    settings: DiffusionSettings = DiffusionSettings(),
    bayesian: bool = False,
) -> Conductivity:
    """Conductivity of the mobile species of a trajectory, with uncertainty, alternatives and flags.

    :param temperature: of the thermostat, K.
    :param charge: of an ion, e; by default that of its element.
    :param bayesian: also estimate D with kinisi.
    :raises TrajectoryTooShort: if it is shorter than one window.
    :raises NoMobileSpecies: if it does not contain the species.
    :raises InvalidTrajectory: if ions move faster than heat lets them.
    :raises ValueError: for an invalid temperature or charge.
    """
    charge = charge_of(species) if charge is None else float(charge)
    if not (np.isfinite(charge) and charge != 0):
        raise ValueError(f'an ion of charge {charge:g} carries no current')
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f'{temperature:g} K is not a temperature')
    mobile = trajectory.indices(species)
    production = trajectory.after(settings.equilibration)
    drift = production.framework_drift(species)
    diffusion = diffuse(production, mobile, drift, settings)
    _check_speed(production, mobile, temperature)
    framework, framework_msds = {}, {}
    for element in sorted(set(trajectory.symbols) - {species}):
        lags, msds = window_msds(production, production.indices(element), drift, settings)
        framework[element] = Estimate.fitted(lags, msds, settings.fit_start)
        framework_msds[element] = msds.mean(axis=0)
    change = find_change(production, mobile, drift, diffusion, settings.fit_start)
    fit_length = float(diffusion.lags[-1]) - settings.fit_start
    whole_run = diffusion.alternatives['whole_run'].coefficient
    remarks = find_flags(diffusion.estimate, framework, settings.fit_start, fit_length, change, whole_run)
    second = bayesian_diffusion(production, mobile, drift, settings) if bayesian else None
    formula = Composition(Counter(trajectory.symbols)).reduced_formula
    density = len(mobile) / (trajectory.volume * 1e-24)
    scalars = (formula, species, float(temperature), charge, density, len(mobile), production.duration)
    return Conductivity(*scalars, settings, diffusion, framework, framework_msds, change, remarks, second)


def _check_speed(trajectory: Trajectory, mobile: np.ndarray, temperature: float) -> None:
    """Refuse times between frames that are too short: ions go no farther than at their thermal speed, (3 k_B T/m)^1/2.

    :raises InvalidTrajectory: with both speeds.
    """
    steps = np.diff(trajectory.positions[:_MOST_FRAMES, mobile], axis=0)
    speed = np.sqrt((steps**2).sum(axis=2).mean()) / trajectory.time_step
    mass = atomic_masses[atomic_numbers[trajectory.symbols[mobile[0]]]] * constants.atomic_mass
    thermal = np.sqrt(3 * constants.Boltzmann * temperature / mass) / 100  # m/s to A/ps
    if speed > _FASTEST * thermal:
        found = f'ions move by {speed:.3g} A/ps from frame to frame, and by {thermal:.3g} A/ps at {temperature:g} K'
        raise InvalidTrajectory(
            f'{found}: correct the time between frames (--timestep-fs, --stride), or the temperature'
        )


def _thin(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(int))
