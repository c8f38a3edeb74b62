"""Heads and cells of a table of labels: what each says, or why it cannot be used."""

import json
import unicodedata

import numpy as np
from ase.data import chemical_symbols
from pymatgen.core import Composition, Structure

from aiida_pesfp.crystals.checks import check_cell
from aiida_pesfp.crystals.heads import Column, Head
from aiida_pesfp.crystals.numbers import is_blank
from aiida_pesfp.errors import TableError
from aiida_pesfp.settings.assessment import LOG10, ROLES, TableFormat

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
    """What a cell says that is no number; None if it is blank.

    :raises ValueError: naming the cell.
    """
    if is_blank(text) and text not in chemical_symbols:  # Na is no NA
        return None
    what, read = _READERS[role]
    try:
        return read(text)
    except Exception as error:  # pymatgen raises many kinds
        raise ValueError(f'its {role.replace("_", " ")} {text[:40]!r} is not {what}') from error


def columns_of(form: TableFormat, heads: dict[str, Head], mark: str | None) -> tuple[dict[str, Column], list[str]]:
    """How the columns of numbers are read, but those of errors, and a sentence on the unit of temperatures.

    :raises TableError: if the name of a column says something else than the format.
    """
    scale, notes = LOG10.strip() if form.logarithmic else None, []
    wanted = {form.quantity: (form.plain_unit, scale), 'error': (form.plain_unit, scale)}
    given = form.temperature_unit if form.temperature_unit != 'header' else None
    wanted['temperature'] = given, None
    for role, head in heads.items():
        unit, scale = wanted[role]
        plain_error = role == 'error' and scale and head.unit and not head.scale
        if (unit and head.unit not in (None, unit)) or head.scale not in (None, scale) or plain_error:
            own = ' '.join(filter(None, [head.scale, head.unit or unit]))
            said = form.unit if role != 'temperature' else given
            raise TableError(
                f'the column {form.columns[role]!r} is in {own}, but {said!r} is given: change one of them'
            )
    columns = {
        form.quantity: Column(form.columns[form.quantity], form.quantity, form.plain_unit, mark, form.logarithmic)
    }
    if 'temperature' in heads:
        name, said = form.columns['temperature'], heads['temperature'].unit
        columns['temperature'] = Column(name, 'temperature', given or said, mark)
        how = f'in {given or said}, {"as given" if given else "by its name"}' if given or said else 'taken as kelvin'
        notes = [f'temperatures of the column {name!r} are {how}']
    return columns, notes
