"""What tables hold: units, and between which values a number can be right."""

import re
from dataclasses import dataclass

from aiida_pesfp.errors import ImplausibleValue


@dataclass(frozen=True)
class Measure:
    """A kind of number in a table.

    :param unit: in which values are kept; of all ``units``, the factors to it.
    :param lowest: smallest value that can be right; ``highest`` is the largest, ``least`` the smallest above zero.
    """

    unit: str
    units: dict[str, float]
    lowest: float
    highest: float
    least: float = 0.0

    @property
    def limits(self) -> dict:
        """For a setting."""
        return {'unit': self.unit, 'ge': self.lowest, 'le': self.highest}

    def factor(self, unit: str) -> float | None:
        """From a unit, or a power of ten of it such as ``1e-4 S/cm``, to the first one; None for an unknown unit."""
        power, plain = re.fullmatch(r'(?:(1e[+-]?\d{1,2}) )?(.*)', unit).groups()
        return self.units[plain] * float(power or 1) if plain in self.units else None

    def check(self, value: float, before: str = '') -> None:
        """Raise :class:`ImplausibleValue` if a value cannot be right."""
        if not self.lowest <= value <= self.highest:
            between = f'{self.lowest:g} and {self.highest:g} {self.unit}'
            raise ImplausibleValue(f'{before}{value:g} {self.unit}, not between {between} (check its unit)')
        if 0 < value < self.least:
            raise ImplausibleValue(f'{before}{value:g} {self.unit}, almost zero (check its unit)')


_CONDUCTIVITY = {'S/cm': 1.0, 'mS/cm': 1e-3, 'uS/cm': 1e-6, 'nS/cm': 1e-9, 'S/m': 1e-2, 'mS/m': 1e-5, 'uS/m': 1e-8}
_DIFFUSION = {'cm2/s': 1.0, 'm2/s': 1e4, 'mm2/s': 1e-2, 'um2/s': 1e-8, 'A2/ps': 1e-4, 'A2/fs': 1e-1, 'A2/ns': 1e-7}
_DIFFUSION |= {'nm2/ps': 1e-2, 'nm2/ns': 1e-5}
#: How many eV other units are.
_EV, _MOLAR = {'eV': 1.0, 'meV': 1e-3}, {'kJ/mol': 1.036427e-2, 'J/mol': 1.036427e-5, 'kcal/mol': 4.336411e-2}
#: Between which temperatures ions are seen to move in solids; electrons conduct better than these ions, and no atom in
#: a solid diffuses faster; fits give values below zero. A hull of -1 stands for a missing value.
MEASURES = {
    'temperature': Measure('K', {'K': 1.0, 'C': 1.0}, 150.0, 5000.0),
    'conductivity': Measure('S/cm', _CONDUCTIVITY, -0.1, 10.0),
    'diffusion': Measure('cm2/s', _DIFFUSION, -1e-3, 1e-2),
    'band_gap': Measure('eV', _EV, 0.0, 30.0, 1e-6),
    'activation_energy': Measure('eV', _EV | _MOLAR, 0.0, 10.0),
    'energy_above_hull': Measure('eV/atom', {'eV/atom': 1.0, 'meV/atom': 1e-3, **_EV}, -0.9, 5.0),
}
#: Measures of which tables have logarithms and limits.
SCALED = ('conductivity', 'diffusion')
