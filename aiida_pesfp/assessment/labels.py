"""Labels: conductivities or diffusion coefficients read from a table. Each row that cannot be used is reported."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from ase.data import atomic_names, chemical_symbols
from pymatgen.core import Element, Structure

from aiida_pesfp.assessment.cells import NUMBERS, agree, read_cell
from aiida_pesfp.crystals.statements import check_row, has_more_than_a_formula, kind_of
from aiida_pesfp.errors import ImplausibleValue, InconsistentFile, LabelError, TableError
from aiida_pesfp.settings.assessment import MATCHING_METHODS, ROLES, TableFormat
from aiida_pesfp.tables.agreement import Again
from aiida_pesfp.tables.beside import Beside, check_errors
from aiida_pesfp.tables.columns import read_heads
from aiida_pesfp.tables.table import Row, leave_out, open_table
from aiida_pesfp.transport.conductivity import charge_of, nernst_einstein

#: Columns that tell rows apart which are otherwise the same, and those of the mobile ion.
_REPLICATES = re.compile('(?i:(?:random )?seed|run|repli(?:ca|cate)|repeat|repetition|trial)')
_ION = re.compile('(?i:(?:mobile|conducting|diffusing|charge)?[ _]*(?:ions?|species|carrier))')
_CHECKED = re.compile(f'{_REPLICATES.pattern}|{_ION.pattern}')


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
    :param told: heads and cells that tell of its crystal, see :func:`~aiida_pesfp.crystals.statements.check_row`.
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
    told: tuple[tuple[str, str], ...] = ()

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
    """Read a table with a header, see :func:`~aiida_pesfp.tables.table.open_table`.

    A row that cannot be used is excluded with its reason; the others are kept.

    :raises LabelError: if columns are missing, no row can be used, or the table leaves open what its numbers mean: the
        name of a column contradicts the given unit, temperatures may be in kelvin or in degrees Celsius, or a column is
        neither used, compared nor plainly harmless.
    """
    table, seen = LabelTable(), {}
    try:
        names, rows, comments = open_table(path, form.columns.values())
        names, rows, ignored = leave_out(names, rows, form.ignore, form.columns.values())
        numeric = {role: name for role, name in form.columns.items() if role in NUMBERS}
        columns, rows, units = read_heads(numeric, rows, map(form.columns.get, MATCHING_METHODS), form.quantity)
        columns, table.notes = agree(form, columns)
        for column in columns.values():
            column.check(rows)
        if 'error' in columns:
            check_errors(columns['error'], columns[form.quantity], rows)
        others = [name for name in names if not (name in form.columns.values() or kind_of(name))]
        beside = Beside.of(others, rows, units, comments, Again(columns, form.temperature), _CHECKED.fullmatch)
        table.notes += [*beside.notes, *ignored]
        for row in rows:
            try:
                measurement, structure = _read_row(row, form, beside)
                replicate = tuple(text for name, text in row.cells.items() if _REPLICATES.fullmatch(name))
                first = seen.setdefault((replace(measurement, row=0, told=()), replicate), row.line)
                if first != row.line:
                    raise ValueError(f'the same as row {first}')
            except (ValueError, ImplausibleValue, InconsistentFile) as error:
                identifier = row.cells.get(form.columns.get('id')) or None
                table.excluded.append({'row': row.line, 'id': identifier, 'reason': str(error)})
                continue
            table.measurements.append(measurement)
            if structure is not None:
                table.structures[row.line] = structure
    except TableError as error:
        raise LabelError(str(error)) from error
    if not table.measurements:
        first = f', the first because {table.excluded[0]["reason"]}' if table.excluded else ''
        raise LabelError(f'no row of {Path(path).name} can be used{first}')
    limits = sum(measurement.limit is not None for measurement in table.measurements)
    table.notes += [f'limits, such as <1e-10, in {limits} rows: they count where they decide a class'] if limits else []
    return table


def carrier_density(structure: Structure, species: str) -> float:
    """Number density of a species in a structure, 1/cm^3."""
    return structure.composition[Element(species)] / structure.volume * 1e24


def ion_of(head: str, text: str) -> str | None:
    """The mobile ion that a column tells, by its head: Li of Li+, Li-ion and lithium."""
    if not _ION.fullmatch(head):
        return None
    symbol = re.match('[A-Z][a-z]?(?![a-z])', text)
    names = {name: symbol for name, symbol in zip(atomic_names, chemical_symbols) if symbol != 'X'}
    return names.get(text.capitalize(), symbol[0] if symbol and symbol[0] in chemical_symbols else None)


def _read_row(row: Row, form: TableFormat, beside: Beside) -> tuple[Measurement, Structure | None]:
    """The measurement of a row and its structure, if it has one.

    :raises ValueError: if it cannot be used.
    """
    if row.problem:
        raise ValueError(row.problem)
    columns, cells = beside.again.columns, {role: row.cells[name] for role, name in form.columns.items()}
    temperature = read_cell('temperature', cells.get('temperature', ''), columns.get('temperature'))
    kelvin = temperature.value if temperature else form.temperature
    columns = {role: column.at_temperature(kelvin) for role, column in columns.items()}
    values = {role: read_cell(role, text, columns.get(role)) for role, text in cells.items()}
    for role in columns:
        if values[role] is None and role != 'error':
            raise ValueError(f'it has no {role}')
    values = dict.fromkeys(ROLES) | values
    structure, formula = values['structure'], values['composition']
    told = [(name, text) for name, text in row.cells.items() if kind_of(name) and name not in form.columns.values()]
    told += [(role, str(values[role])) for role in ('composition', 'space_group') if values[role]]
    if structure is not None:
        check_row(told, structure)
        formula = formula or structure.composition.reduced_formula
        told += [('formula', formula)]
    if values['id'] is None and formula is None:
        raise ValueError('it does not identify a material')
    density, charge = None, None
    if form.quantity == 'diffusion':
        charge = form.charge if form.charge is not None else charge_of(form.species)
        density = None if structure is None else carrier_density(structure, form.species)
        if density == 0.0:
            raise ValueError(f'its structure has no {form.species}')
    found = values[form.quantity]
    error = found.error if values['error'] is None else columns['error'].error_of(found, values['error'])
    for column in columns.values():
        column.check_temperature(kelvin)
    beside.check(row.cells)
    for name, text in row.cells.items():
        what = f'the column {name!r} has {text[:40]!r}'
        if ion_of(name, text) not in (None, form.species):
            raise ValueError(f'{what}, but the mobile ion is {form.species}')
        if name not in form.columns.values() and has_more_than_a_formula(name, text):
            raise ValueError(f'{what}, more than a formula: if it is the same crystal, --ignore {name!r}')
    known = {name: values[name] for name in ('id', 'series', 'space_group')}
    known |= {'row': row.line, 'formula': formula, 'quantity': form.quantity, 'carrier_density': density}
    known |= {'temperature': kelvin, 'charge': charge}
    return Measurement(**known, value=found.value, error=error, limit=found.limit, told=tuple(told)), structure
