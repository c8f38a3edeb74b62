"""Heads and cells of a table of labels: what each says, or why it cannot be used."""

import json
import math
import unicodedata

import numpy as np
from ase.data import chemical_symbols
from pymatgen.core import Composition, Structure

from aiida_pesfp.crystals.checks import check_cell
from aiida_pesfp.crystals.heads import Head, read_quantity
from aiida_pesfp.crystals.numbers import Number, is_blank
from aiida_pesfp.errors import LabelError
from aiida_pesfp.settings.assessment import ROLES, SURELY_KELVIN, TableFormat, check_temperature
from aiida_pesfp.settings.units import MEASURES

#: Degrees Celsius at 0 K.
CELSIUS = 273.15
#: A smaller number in a column of logarithms is the conductivity itself.
SMALLEST_LOGARITHM = 0.01
#: A plain number that is not larger than this, in whatever unit, is a logarithm.
SURELY_LOGARITHM = -1.0
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


def read_cell(role: str, text: str, form: TableFormat, mark: str | None) -> Number | None:
    """The number in a cell, with its unit if it has its own; None if it is blank and may be.

    :param mark: decimal mark of the column.
    :raises LabelError: naming the cell.
    """
    of_value = role in ('error', form.quantity)
    try:
        number = read_quantity(text, form.quantity if of_value else role, mark, percent=role == 'error')
    except ValueError as what:
        raise LabelError(f'its {role} {text[:40]!r} is {what}') from None
    if number is None and role != 'error':
        raise LabelError(f'it has no {role}')
    if number is None:
        return None
    if number.limit and role != form.quantity:
        raise LabelError(f'its {role} {text[:40]!r} is not a number but a limit')
    if of_value and form.logarithmic and number.unit not in ('', '%'):
        raise LabelError(f'its {role} {text[:40]!r} has a unit among logarithms')
    return number


def check_heads(form: TableFormat, heads: dict[str, Head], values: list[Number]) -> None:
    """Raise :class:`~aiida_pesfp.errors.LabelError` if the given unit is not that of the columns of values and errors.

    :param values: numbers of the column of values.
    """
    for role in (form.quantity, 'error'):
        head, column = heads.get(role, Head()), f'the column {form.columns.get(role)!r}'
        if head.scale == 'ln':
            raise LabelError(f'{column} holds natural logarithms: convert them to decimal ones or to plain numbers')
        if head.scale and not form.logarithmic:
            raise LabelError(
                f"{column} holds logarithms: give the unit 'log10 {head.unit or form.plain_unit}', not {form.unit!r}"
            )
        if head.unit not in (None, form.plain_unit):
            raise LabelError(f'{column} is in {head.unit}, but the unit is given as {form.unit!r}: change one of them')
        if role == 'error' and head.unit and form.logarithmic and not head.scale:
            raise LabelError(f'{column} is in {head.unit}, but the values are logarithms: give errors of logarithms')
    column, half = f'the column {form.columns[form.quantity]!r}', len(values) / 2
    if not form.logarithmic and sum(number.value <= SURELY_LOGARITHM for number in values) > half:
        raise LabelError(
            f"most numbers of {column} are below -1: if they are logarithms, give 'log10 {form.plain_unit}'"
        )
    if form.logarithmic and sum(number.value + math.log10(form.factor) > 1 for number in values) > half:
        raise LabelError(f'most numbers of {column} are logarithms of more than 10: do they lack their minus?')


def unit_of_temperatures(form: TableFormat, head: Head, temperatures: list[Number]) -> tuple[str, str]:
    """``K`` or ``C`` for the temperatures that have no unit of their own, and a sentence that says how it was found.

    :raises LabelError: if the name of the column says another one than the table's format, or nobody can tell.
    """
    given, column = form.temperature_unit, f'the column {form.columns["temperature"]!r}'
    if given != 'header':
        if head.unit not in (None, given):
            raise LabelError(f'{column} is in {head.unit}, but temperature_unit is {given!r}: change one of them')
        return given, f'temperatures of {column} are in {given}, as given'
    if head.unit:
        return head.unit, f'temperatures of {column} are in {head.unit}, by its name'
    way_out = "give temperature_unit (--temperature-unit) 'K' or 'C'"
    for number in temperatures:
        if not number.unit and number.value < SURELY_KELVIN:
            doubt = f'{column} has {number.value:g} without a unit: kelvin or degrees Celsius?'
            raise LabelError(f"{doubt} {way_out[0].upper()}{way_out[1:]}, or put it into the name, as in 'T (K)'")
    return 'K', f'temperatures of {column} are taken as kelvin; otherwise {way_out}'


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
    measure, what = MEASURES[form.quantity], f'its {form.quantity}'
    units = measure.units | {'': form.factor}
    if form.logarithmic and 0 < abs(number.value) < SMALLEST_LOGARITHM:
        raise LabelError(f'{what} of {number.value:g} is hardly a logarithm')
    if not form.logarithmic and number.value <= SURELY_LOGARITHM:
        raise LabelError(f'{what} of {number.value:g} is hardly one, but a logarithm among plain numbers')
    value = 10 ** min(number.value, 300.0) * form.factor if form.logarithmic else number.value * units[number.unit]
    error = error or Number(number.error, unit=number.unit)
    if error.value is None:
        deviation = None
    elif error.unit == '%':
        deviation = abs(value) * error.value / 100
    else:  # The error of a logarithm is a part of the value.
        deviation = error.value * (math.log(10) * value if form.logarithmic else units[error.unit])
    if (number.limit or form.logarithmic) and value <= 0:
        raise LabelError(f'{what} of {number.value:g} says nothing')
    if deviation is not None and deviation < 0:
        raise LabelError(f'its error of {deviation:g} is negative')
    try:
        measure.check(value, what)
        measure.check(deviation or 0.0, 'its error')
    except ValueError as reason:
        raise LabelError(str(reason)) from None
    return value, deviation
