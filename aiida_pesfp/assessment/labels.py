"""Labels: conductivities or diffusion coefficients read from a table. Each row that cannot be used is reported."""

import contextlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

from pymatgen.core import Element, Structure

from aiida_pesfp.assessment.cells import (
    NUMBERS,
    check_heads,
    kelvin,
    read_cell,
    read_text,
    unit_of_temperatures,
    value_and_error,
)
from aiida_pesfp.crystals.heads import read_heads
from aiida_pesfp.crystals.numbers import Number, read_number
from aiida_pesfp.crystals.tables import Row, open_table
from aiida_pesfp.errors import LabelError, TableError
from aiida_pesfp.settings.assessment import ROLES, TableFormat
from aiida_pesfp.transport.conductivity import charge_of, nernst_einstein


@dataclass(frozen=True)
class Measurement:
    """One row of a table.

    :param row: line of the file on which it begins.
    :param formula: reduced formula, if the row has one.
    :param temperature: K.
    :param quantity: ``conductivity`` (S/cm) or ``diffusion`` (cm^2/s).
    :param value: with its standard ``error`` if known; fits can give zero and negative values.
    :param carrier_density: of the mobile ion with its ``charge`` (e) in the row's own structure, 1/cm^3.
    :param limit: ``<`` if the value is an upper limit, ``>`` if it is a lower one.
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
    limit: str | None = None

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
    """The rows of a table that can be used, their structures by row, and ``row``, ``id``, ``reason`` of the others.

    :param notes: how the table was understood, in sentences.
    """

    measurements: list[Measurement] = field(default_factory=list)
    excluded: list[dict] = field(default_factory=list)
    structures: dict[int, Structure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_table(path: Path, form: TableFormat) -> LabelTable:
    """Read a table with a header, see :func:`~aiida_pesfp.crystals.tables.open_table`.

    A row that cannot be used is excluded with its reason; the others are kept.

    :raises LabelError: if columns are missing, no row can be used, or the table leaves open what its numbers mean: the
        name of a column contradicts the given unit, or temperatures may be in kelvin or in degrees Celsius.
    """
    try:
        _, rows = open_table(path, form.columns.values())
        numeric = {role: name for role, name in form.columns.items() if role in NUMBERS}
        heads, rows, mark = read_heads(numeric, rows, of=form.quantity)
    except TableError as error:
        raise LabelError(str(error)) from error
    check_heads(form, heads, _numbers(rows, form.columns[form.quantity], mark))
    unit, notes = 'K', []
    if 'temperature' in heads:
        temperatures = _numbers(rows, form.columns['temperature'], mark)
        unit, note = unit_of_temperatures(form, heads['temperature'], temperatures)
        notes.append(note)
    table, seen = LabelTable(notes=notes), {}
    for row in rows:
        cells = {role: row.cells.get(name, '') for role, name in form.columns.items()}
        try:
            if row.problem:
                raise LabelError(row.problem)
            measurement, structure = _read_row(row.line, cells, form, unit, mark)
            first = seen.setdefault(replace(measurement, row=0), row.line)
            if first != row.line:
                raise LabelError(f'the same as row {first}')
        except LabelError as error:
            table.excluded.append({'row': row.line, 'id': cells.get('id') or None, 'reason': str(error)})
            continue
        table.measurements.append(measurement)
        if structure is not None:
            table.structures[row.line] = structure
    _exclude_contradictions(table)
    if not table.measurements:
        first = f', the first because {table.excluded[0]["reason"]}' if table.excluded else ''
        raise LabelError(f'no row of {Path(path).name} can be used{first}')
    limits = sum(measurement.limit is not None for measurement in table.measurements)
    table.notes += [f'limits, such as <1e-10, in {limits} rows: they count where they decide a class'] if limits else []
    return table


def carrier_density(structure: Structure, species: str) -> float:
    """Number density of a species in a structure, 1/cm^3."""
    return structure.composition[Element(species)] / structure.volume * 1e24


def _numbers(rows: list[Row], column: str, mark: str | None) -> list[Number]:
    """Those cells of a column that are numbers."""
    found = []
    for row in rows:
        with contextlib.suppress(ValueError):
            found.append(read_number(row.cells.get(column, ''), mark))
    return found


def _read_row(
    line: int, cells: dict[str, str], form: TableFormat, unit: str, mark: str | None
) -> tuple[Measurement, Structure | None]:
    values: dict = dict.fromkeys(ROLES)
    for role, text in cells.items():
        values[role] = read_cell(role, text, form, mark) if role in NUMBERS else read_text(role, text)
    structure, formula = values['structure'], values['composition']
    if structure is not None:
        formula = formula or structure.composition.reduced_formula
    if values['id'] is None and formula is None:
        raise LabelError('it does not identify a material')
    density, charge = None, None
    if form.quantity == 'diffusion':
        charge = form.charge if form.charge is not None else charge_of(form.species)
        density = None if structure is None else carrier_density(structure, form.species)
        if density == 0.0:
            raise LabelError(f'its structure has no {form.species}')
    value, error = value_and_error(values[form.quantity], values['error'], form)
    known = {name: values[name] for name in ('id', 'series', 'space_group')}
    known |= {'row': line, 'formula': formula, 'quantity': form.quantity, 'carrier_density': density, 'charge': charge}
    temperature = form.temperature if values['temperature'] is None else kelvin(values['temperature'], unit)
    known |= {'temperature': temperature, 'limit': values[form.quantity].limit}
    return Measurement(**known, value=value, error=error), structure


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
