"""Heads and cells of a table of labels: what each says, or why it cannot be used."""

import json
import operator
from dataclasses import replace

import numpy as np
from ase.data import chemical_symbols
from pymatgen.core import Composition, Structure

from aiida_pesfp.crystals.checks import check_cell
from aiida_pesfp.crystals.statements import read_formula, read_group
from aiida_pesfp.errors import TableError
from aiida_pesfp.settings.assessment import ROLES, TableFormat
from aiida_pesfp.tables.columns import Column
from aiida_pesfp.tables.numbers import is_blank


def _formula(text: str) -> str:
    return Composition(read_formula(text).counts).reduced_formula


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
    'space_group': ('a space group', lambda text: operator.index(read_group(text))),
    'structure': ("a structure in pymatgen's JSON", _structure),
}
#: Roles of columns of numbers.
NUMBERS = [role for role in ROLES if role not in _READERS]


def read_cell(role: str, text: str, column: Column | None):
    """What a cell says, None if it is blank.

    :param column: how its number is read, if its role is one of :data:`NUMBERS`.
    :raises ValueError: naming the cell.
    """
    if is_blank(text) and (column or text not in chemical_symbols):  # Na is no NA
        return None
    what, read = _READERS.get(role) or ('', column.read)
    try:
        return read(text)
    except Exception as error:  # pymatgen raises many kinds
        what = f'not {what}' if what else error
        raise ValueError(f'its {role.replace("_", " ")} {text[:40]!r} is {what}') from error


def agree(form: TableFormat, columns: dict[str, Column]) -> tuple[dict[str, Column], list[str]]:
    """The columns of numbers with what the format says of them, and a sentence on the unit of temperatures.

    :raises TableError: if the name of a column says something else.
    """
    given, found = form.temperature_unit if form.temperature_unit != 'header' else None, {}
    for role, column in columns.items():
        unit, scale = (given, None) if role == 'temperature' else (form.plain_unit, form.scale)
        plain_error = column.is_error and scale and column.unit and not column.scale
        if (unit and column.unit not in (None, unit)) or column.scale not in (None, scale) or plain_error:
            own = ' '.join(filter(None, [column.scale, column.unit or unit]))
            wanted = ' '.join(filter(None, [scale, unit]))
            raise TableError(f'the column {column.name!r} is in {own}, but {wanted!r} is given: change one of them')
        found[role] = replace(column, unit=unit or column.unit, scale=scale)
    if 'temperature' not in found:
        return found, []
    unit = found['temperature'].unit
    how = f'in {unit}, {"as given" if given else "by its name"}' if unit else 'taken as kelvin'
    return found, [f'temperatures of the column {found["temperature"].name!r} are {how}']
