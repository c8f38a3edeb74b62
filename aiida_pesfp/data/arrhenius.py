"""Node of an Arrhenius fit."""

from aiida.orm import Dict

from aiida_pesfp.data.required import RequiredAttributes, attribute
from aiida_pesfp.transport.arrhenius import ArrheniusFit


class ArrheniusData(RequiredAttributes, Dict):
    """Activation energy of one material, all entries attributes and so to be queried.

    ``activation_energy`` and ``activation_energy_error`` (eV), ``chi2_reduced`` and ``p_value`` (None for two points),
    ``conductivity_300K`` and ``conductivity_300K_error`` (S/cm), ``flagged``, ``flags``, ``remarks``; ``points`` with
    the temperature, conductivity and error of each, its flags, the UUID of its node, and, if it was excluded, why.
    """

    _REQUIRED = ('activation_energy', 'activation_energy_error', 'conductivity_300K', 'points')

    activation_energy = attribute('activation_energy', 'eV.')
    activation_energy_error = attribute('activation_energy_error', 'Standard error, eV.')

    def to_fit(self) -> ArrheniusFit:
        """The fit."""
        return ArrheniusFit.from_dict(self.get_dict())

    def conductivity(self, temperature: float) -> tuple[float, float]:
        """Conductivity at any temperature (K) by the fit, and its uncertainty, S/cm."""
        return self.to_fit().conductivity(temperature)
