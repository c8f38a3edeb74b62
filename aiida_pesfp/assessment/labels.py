"""Labels: conductivities or diffusion coefficients read from a table. Each row that cannot be used is reported."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pymatgen.core import Element, Structure

from aiida_pesfp.assessment.cells import NUMBERS, check_heads, kelvin, read_cell, unit_of_temperatures, value_and_error
from aiida_pesfp.crystals.heads import read_heads
from aiida_pesfp.crystals.tables import open_table
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

    @contextlib.contextmanager
    def excluding(self, row: int, id: str | None) -> Iterator[None]:
        """Exclude a row if what is done with it raises a LabelError."""
        try:
            yield
        except LabelError as error:
            self.excluded.append({'row': row, 'id': id or None, 'reason': str(error)})


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
    table, cells = LabelTable(), {}
    for row in rows:
        with table.excluding(row.line, row.cells.get(form.columns.get('id'))):
            if row.problem:
                raise LabelError(row.problem)
            texts = {role: row.cells[name] for role, name in form.columns.items()}
            cells[row.line] = dict.fromkeys(ROLES) | {
                role: read_cell(role, text, form, mark) for role, text in texts.items()
            }
    check_heads(form, heads, [found[form.quantity] for found in cells.values()])
    unit, table.notes = unit_of_temperatures(form, heads, [found['temperature'] for found in cells.values()])
    seen = {}
    for line, found in cells.items():
        with table.excluding(line, found['id']):
            measurement = _measurement(line, found, form, unit)
            first = seen.setdefault(replace(measurement, row=0), line)
            if first != line:
                raise LabelError(f'the same as row {first}')
            table.measurements.append(measurement)
            table.structures |= {line: found['structure']} if found['structure'] is not None else {}
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


def _measurement(line: int, values: dict, form: TableFormat, unit: str) -> Measurement:
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
    return Measurement(**known, value=value, error=error)


def _exclude_contradictions(table: LabelTable) -> None:
    """Exclude rows whose id belongs to several compositions."""
    formulas = defaultdict(set)
    for entry in table.measurements:
        formulas[entry.id] |= {entry.formula} - {None}
    for entry in [entry for entry in table.measurements if entry.id and len(formulas[entry.id]) > 1]:
        with table.excluding(entry.row, entry.id):
            table.measurements.remove(entry)
            table.structures.pop(entry.row, None)
            raise LabelError(f'its id belongs to several compositions: {", ".join(sorted(formulas[entry.id]))}')
    table.excluded.sort(key=lambda entry: entry['row'])
