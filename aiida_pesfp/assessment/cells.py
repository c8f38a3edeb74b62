"""Cells of a table of labels: what each says, or why it cannot be used."""

import json
import math
import unicodedata
from dataclasses import replace

import numpy as np
from ase.data import chemical_symbols
from pymatgen.core import Composition, Structure

from aiida_pesfp.assessment.units import unit_of_cell
from aiida_pesfp.crystals.checks import check_cell
from aiida_pesfp.crystals.numbers import Number, is_blank, read_number
from aiida_pesfp.errors import LabelError
from aiida_pesfp.settings.assessment import ROLES, UNITS, TableFormat, check_temperature

#: Degrees Celsius at 0 K.
CELSIUS = 273.15
#: Electrons conduct better than this, not ions, S/cm; no atom in a solid diffuses faster, cm^2/s.
LARGEST = {'conductivity': 1e3, 'diffusion': 1e4}
#: A smaller number in a column of logarithms is the conductivity itself.
SMALLEST_LOGARITHM = 0.01
#: No formula is longer.
LONGEST_FORMULA = 500


def _formula(text: str) -> str:
    formula = Composition(unicodedata.normalize('NFKC', text[:LONGEST_FORMULA]), strict=True).reduced_formula
    if not formula or len(text) > LONGEST_FORMULA:
        raise ValueError(text)
    return formula


def _space_group(text: str) -> int:
    number = float(text)  # tables of pandas have 225.0
    if number not in range(1, 231):
        raise ValueError(text)
    return int(number)


def _structure(text: str) -> Structure:
    structure = Structure.from_dict(json.loads(text))
    check_cell(structure.lattice.matrix, structure.lattice.pbc)
    if not (len(structure) and np.isfinite(structure.frac_coords).all()):
        raise ValueError(text)
    return structure


#: Role of a column of something else than numbers -> what its cells must be, and the function that reads one.
_READERS = {
    **dict.fromkeys(('id', 'series'), ('text', str)),
    'composition': ('a formula', _formula),
    'space_group': ('the number of a space group', _space_group),
    'structure': ("a structure in pymatgen's JSON", _structure),
}
#: Roles of columns of numbers.
NUMBERS = [role for role in ROLES if role not in _READERS]


def read_text(role: str, text: str):
    """What a cell says that is no number; None if it is blank."""
    if is_blank(text) and text not in chemical_symbols:  # Na is no NA
        return None
    what, read = _READERS[role]
    try:
        return read(text)
    except Exception as error:  # pymatgen raises many kinds
        raise LabelError(f'its {role.replace("_", " ")} {text[:40]!r} is not {what}') from error


def read_quantity(role: str, text: str, form: TableFormat, mark: str | None) -> Number | None:
    """The number in a cell, with its unit if it has its own; None if it is blank and may be.

    :param mark: decimal mark of the column.
    :raises LabelError: naming the cell.
    """
    if is_blank(text):
        if role in ('temperature', form.quantity):
            raise LabelError(f'it has no {role}')
        return None
    try:
        number = read_number(text, mark)
    except ValueError as what:
        raise LabelError(f'its {role} {text[:40]!r} is {what}') from None
    if number.unit == '%' and role == 'error':
        return number
    quantity = form.quantity if role == 'error' else role
    known = {'temperature': ('K', 'C')}.get(quantity, UNITS.get(quantity))
    unit = unit_of_cell(number.unit, quantity) if number.unit else ''
    if unit not in ('', *known) or (unit and form.logarithmic and role != 'temperature'):
        raise LabelError(f'its {role} {text[:40]!r} is not a number in a known unit: known are {", ".join(known)}')
    if number.limit and role != form.quantity:
        raise LabelError(f'its {role} {text[:40]!r} is not a number but a limit')
    return replace(number, unit=unit)


def kelvin(number: Number, unit: str) -> float:
    """A temperature, K.

    :param unit: ``K`` or ``C``, of a number without its own.
    :raises LabelError: if no ion moves at it.
    """
    temperature = number.value + CELSIUS if (number.unit or unit) == 'C' else number.value
    check_temperature(temperature)
    return temperature


def value_and_error(number: Number, error: Number | None, form: TableFormat) -> tuple[float, float | None]:
    """A value and its standard error, S/cm or cm^2/s.

    :param error: from its own column; without it, what stands beside the value.
    :raises LabelError: if one of them cannot be right.
    """
    units = UNITS[form.quantity] | {'': form.factor}
    if form.logarithmic and 0 < abs(number.value) < SMALLEST_LOGARITHM:
        raise LabelError(f'its {form.quantity} of {number.value:g} is hardly a logarithm')
    value = 10 ** min(number.value, 300.0) * form.factor if form.logarithmic else number.value * units[number.unit]
    if abs(value) > LARGEST[form.quantity]:
        what = f'its {form.quantity} of {number.value:g} is larger than that of any ion'
        raise LabelError(f'{what}: check the unit {form.unit!r}')
    if (number.limit or form.logarithmic) and value <= 0:
        raise LabelError(f'its {form.quantity} of {number.value:g} says nothing')
    if error is not None and error.unit == '%':
        return value, _positive(abs(value) * error.value / 100)
    error = error or Number(number.error, unit=number.unit)
    if error.value is None:
        return value, None
    # The error of a logarithm is a part of the value.
    return value, _positive(error.value * (math.log(10) * value if form.logarithmic else units[error.unit]))


def _positive(error: float) -> float:
    if error < 0:
        raise LabelError(f'its error of {error:g} is negative')
    return error
