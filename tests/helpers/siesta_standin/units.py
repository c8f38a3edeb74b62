"""Units inside the stand-in: Bohr, Ry, fs, amu, K, with the factors of SIESTA 4.1: digits can be compared."""

ANGSTROM = 1.0 / 0.529177
"""Bohr."""
EV = 1.0 / 13.60580
"""Ry."""
KBAR = 1.0 / 1.47108e5
"""Ry / Bohr^3."""
BOLTZMANN = 8.617e-5 * EV
"""Ry / K."""
FORCE_TO_ACCELERATION = 0.009579038 * ANGSTROM**2 / EV
"""(Ry / Bohr) / amu in Bohr / fs^2."""

FDF_UNITS = {
    # length, in Bohr
    'bohr': 1.0,
    'ang': ANGSTROM,
    'nm': 10.0 * ANGSTROM,
    # energy, in Ry
    'ry': 1.0,
    'ev': EV,
    'mev': 1e-3 * EV,
    'hartree': 2.0,
    # time, in fs (MaxWalltime asks for seconds and converts)
    'fs': 1.0,
    'ps': 1e3,
    's': 1e15,
    'min': 60e15,
    'mins': 60e15,
    'hours': 3600e15,
    'days': 86400e15,
    # temperature
    'k': 1.0,
    # force, in Ry / Bohr
    'ry/bohr': 1.0,
    'ev/ang': EV / ANGSTROM,
    # pressure, in Ry / Bohr^3
    'ry/bohr**3': 1.0,
    'ev/ang**3': EV / ANGSTROM**3,
    'kbar': KBAR,
    'gpa': 10.0 * KBAR,
    # mass of the thermostat, in Ry fs^2
    'ry*fs**2': 1.0,
    'ev*fs**2': EV,
}
"""Units that an fdf file may name, in the units above."""
