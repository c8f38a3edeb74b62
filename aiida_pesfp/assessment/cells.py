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
from aiida_pesfp.settings.assessment import LOG10, ROLES, SURELY_KELVIN, TableFormat, check_temperature
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


def read_cell(role: str, text: str, form: TableFormat, mark: str | None):
    """What a cell says: a :class:`~aiida_pesfp.crystals.numbers.Number`, with its unit if it has its own, or what its
    role tells; None if it is blank.

    :param mark: decimal mark of the numbers.
    :raises LabelError: naming the cell.
    """
    what, read = _READERS.get(role, ('', None))
    if is_blank(text) and not (read and text in chemical_symbols):  # Na is no NA
        if role in ('temperature', form.quantity):
            raise LabelError(f'it has no {role}')
        return None
    try:
        if read:
            return read(text)
        measure = form.quantity if role == 'error' else role
        number = read_quantity(text, measure, mark, percent=role == 'error', limit=role == form.quantity)
        if number.unit not in ('', '%') and form.logarithmic and measure == form.quantity:
            raise ValueError('a number with a unit among logarithms')
    except Exception as error:  # pymatgen raises many kinds
        what = f'not {what}' if read else error
        raise LabelError(f'its {role.replace("_", " ")} {text[:40]!r} is {what}') from error
    return number


def check_heads(form: TableFormat, heads: dict[str, Head], values: list[Number]) -> None:
    """Raise :class:`~aiida_pesfp.errors.LabelError` if the given unit is not that of the columns of values and errors.

    :param values: numbers of the column of values.
    """
    scale = LOG10.strip() if form.logarithmic else None
    for role in (form.quantity, 'error'):
        head, column = heads.get(role, Head()), f'the column {form.columns.get(role)!r}'
        lacks_scale = role == 'error' and form.logarithmic and head.unit is not None and head.scale is None
        if head.unit not in (None, form.plain_unit) or head.scale not in (None, scale) or lacks_scale:
            own = ' '.join(filter(None, [head.scale, head.unit or form.plain_unit]))
            raise LabelError(f'{column} is in {own}, but the unit is given as {form.unit!r}: change one of them')
    wrong = [
        one.value
        for one in values
        if (one.value > -math.log10(form.factor) + 1 if scale else one.value <= SURELY_LOGARITHM)
    ]
    if len(wrong) > len(values) / 2:
        doubt = (
            'do logarithms lack their minus?' if scale else f"if they are logarithms, give 'log10 {form.plain_unit}'"
        )
        raise LabelError(f'most numbers of the column {form.columns[form.quantity]!r} are like {wrong[0]:g}: {doubt}')


def unit_of_temperatures(
    form: TableFormat, heads: dict[str, Head], temperatures: list[Number]
) -> tuple[str, list[str]]:
    """``K`` or ``C`` for the temperatures that have no unit of their own, and a sentence that says how it was found.

    :raises LabelError: if the name of the column says another one than the table's format, or nobody can tell.
    """
    if 'temperature' not in heads:
        return 'K', []
    given = form.temperature_unit if form.temperature_unit != 'header' else None
    said, column = heads['temperature'].unit, f'the column {form.columns["temperature"]!r}'
    if None not in (given, said) and said != given:
        raise LabelError(f'{column} is in {said}, but temperature_unit is {given!r}: change one of them')
    if given or said:
        return given or said, [
            f'temperatures of {column} are in {given or said}, {"as given" if given else "by its name"}'
        ]
    way_out = "ive temperature_unit (--temperature-unit) 'K' or 'C'"
    for number in temperatures:
        if not number.unit and number.value < SURELY_KELVIN:
            doubt = f'{column} has {number.value:g} without a unit: kelvin or degrees Celsius?'
            raise LabelError(f"{doubt} G{way_out}, or put it into the name, as in 'T (K)'")
    return 'K', [f'temperatures of {column} are taken as kelvin; otherwise g{way_out}']


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
    for word, one in ((what, value), ('its error', deviation or 0.0)):
        if problem := measure.problem(one):
            raise LabelError(f'{word} of {problem}')
    return value, deviation
