"""Labels: conductivities or diffusion coefficients read from a table. Each row that cannot be used is reported."""

import csv
import json
import math
import sys
import warnings
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

from pymatgen.core import Composition, Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_pesfp.errors import LabelError
from aiida_pesfp.settings.assessment import ROLES, UNITS, TableFormat
from aiida_pesfp.transport.conductivity import charge_of, nernst_einstein


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)


#: Role of a column -> what its cells must be, and the function that reads one.
_READERS = {
    **dict.fromkeys(ROLES, ('a number', _finite)),
    **dict.fromkeys(('id', 'series'), ('text', str)),
    'composition': ('a formula', lambda text: Composition(text, strict=True).reduced_formula),
    'space_group': ('a number', lambda text: int(_finite(text))),
    'structure': ("a structure in pymatgen's JSON", lambda text: Structure.from_dict(json.loads(text))),
}


@dataclass(frozen=True)
class Measurement:
    """One row of a table.

    :param row: its number; the header is row 1.
    :param formula: reduced formula, if the row has one.
    :param temperature: K.
    :param quantity: ``conductivity`` (S/cm) or ``diffusion`` (cm^2/s).
    :param value: with its standard ``error`` if known; fits can give zero and negative values.
    :param carrier_density: of the mobile ion with its ``charge`` (e) in the row's own structure, 1/cm^3.
    """

    row: int
    id: str | None
    series: str | None
    formula: str | None
    space_group: int | None
    temperature: float
    quantity: str
    value: float
    error: float | None
    carrier_density: float | None
    charge: float | None

    def conductivity(self, carrier_density: float | None = None) -> tuple[float, float | None]:
        """Value and standard error, S/cm; diffusion coefficients are converted by the Nernst-Einstein relation.

        :param carrier_density: for a row without a structure of its own, 1/cm^3.
        """
        if self.quantity == 'conductivity':
            return self.value, self.error
        density = self.carrier_density if self.carrier_density is not None else carrier_density
        factor = nernst_einstein(1.0, density, self.charge, self.temperature)
        return self.value * factor, None if self.error is None else self.error * factor

    @property
    def name(self) -> str:
        """For messages."""
        return f'row {self.row} ({self.id or self.formula})'


@dataclass
class LabelTable:
    """The rows of a table that can be used, their structures by row, and ``row``, ``id``, ``reason`` of the others."""

    measurements: list[Measurement] = field(default_factory=list)
    excluded: list[dict] = field(default_factory=list)
    structures: dict[int, Structure] = field(default_factory=dict)


def read_table(path: Path, form: TableFormat) -> LabelTable:
    """Read a CSV file with a header. A row that cannot be used is excluded with its reason; the others are kept.

    :raises LabelError: if columns are missing, or no row can be used.
    """
    table, seen = LabelTable(), {}
    csv.field_size_limit(sys.maxsize)  # a structure is longer than the default limit
    with open(path, newline='', encoding='utf-8-sig') as stream:
        reader = csv.DictReader(stream)
        missing = sorted(set(form.columns.values()) - set(reader.fieldnames or ()))
        if missing:
            known = ', '.join(reader.fieldnames or ['none'])
            raise LabelError(f'{Path(path).name} has no column {missing[0]!r}: it has {known}')
        for number, row in enumerate(reader, start=2):
            cells = {role: (row[name] or '').strip() for role, name in form.columns.items()}
            try:
                measurement, structure = _read_row(number, cells, form)
                first = seen.setdefault(replace(measurement, row=0), number)
                if first != number:
                    raise LabelError(f'the same as row {first}')
            except LabelError as error:
                table.excluded.append({'row': number, 'id': cells.get('id') or None, 'reason': str(error)})
                continue
            table.measurements.append(measurement)
            if structure is not None:
                table.structures[number] = structure
    _exclude_contradictions(table)
    if not table.measurements:
        first = f', the first because {table.excluded[0]["reason"]}' if table.excluded else ''
        raise LabelError(f'no row of {Path(path).name} can be used{first}')
    return table


def carrier_density(structure: Structure, species: str) -> float:
    """Number density of a species in a structure, 1/cm^3."""
    return structure.composition[Element(species)] / structure.volume * 1e24


def primitive_cell(structure: Structure) -> Structure:
    """The primitive cell, with the atoms in place to 0.001 A; the structure itself if spglib finds none.

    It is cheaper to scan. But the moving ion is closer to its periodic images, which move with it, so its surface is
    not quite that of the larger cell.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = SpacegroupAnalyzer(structure, symprec=1e-3).find_primitive() or structure.copy()
    found.remove_oxidation_states()
    return found


def _read_row(number: int, cells: dict[str, str], form: TableFormat) -> tuple[Measurement, Structure | None]:
    values = dict.fromkeys(ROLES) | {'temperature': form.temperature}
    for role, text in cells.items():
        what, read = _READERS[role]
        if not text and role in ('temperature', form.quantity):
            raise LabelError(f'it has no {role}')
        try:
            values[role] = read(text) if text else None
        except Exception as error:  # pymatgen raises many kinds
            raise LabelError(f'its {role.replace("_", " ")} {text[:40]!r} is not {what}') from error
    structure, formula, error = values['structure'], values['composition'], values['error']
    if structure is not None:
        formula = formula or structure.composition.reduced_formula
    if values['id'] is None and formula is None:
        raise LabelError('it does not identify a material')
    if values['temperature'] <= 0:
        raise LabelError(f'{values["temperature"]:g} K is not a temperature')
    if error is not None and error < 0:
        raise LabelError(f'its error of {cells["error"]} is negative')
    density, charge, factor = None, None, UNITS[form.quantity][form.unit]
    if form.quantity == 'diffusion':
        charge = form.charge if form.charge is not None else charge_of(form.species)
        density = None if structure is None else carrier_density(structure, form.species)
        if density == 0.0:
            raise LabelError(f'its structure has no {form.species}')
    value, error = values[form.quantity] * factor, None if error is None else error * factor
    known = {name: values[name] for name in ('id', 'series', 'space_group', 'temperature')}
    known |= {'row': number, 'formula': formula, 'quantity': form.quantity, 'carrier_density': density}
    return Measurement(**known, value=value, error=error, charge=charge), structure


def _exclude_contradictions(table: LabelTable) -> None:
    """Exclude rows whose id belongs to several compositions."""
    formulas = defaultdict(set)
    for entry in table.measurements:
        formulas[entry.id] |= {entry.formula} - {None}
    for entry in [entry for entry in table.measurements if entry.id and len(formulas[entry.id]) > 1]:
        reason = f'its id belongs to several compositions: {", ".join(sorted(formulas[entry.id]))}'
        table.excluded.append({'row': entry.row, 'id': entry.id, 'reason': reason})
        table.measurements.remove(entry)
        table.structures.pop(entry.row, None)
