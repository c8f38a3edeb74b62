"""Labels: conductivities or diffusion coefficients read from a table, with nothing dropped in silence."""

from __future__ import annotations

import csv
import json
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pymatgen.core import Composition, Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_pesfp.errors import LabelError
from aiida_pesfp.transport.conductivity import charge_of, nernst_einstein

#: Factors to S/cm and to cm^2/s.
CONDUCTIVITY_UNITS = {'S/cm': 1.0, 'mS/cm': 1e-3, 'uS/cm': 1e-6, 'S/m': 1e-2, 'mS/m': 1e-5}
DIFFUSION_UNITS = {'cm2/s': 1.0, 'm2/s': 1e4, 'A2/ps': 1e-4, 'A2/fs': 1e-1}
#: What a column can mean.
ROLES = (
    'id',
    'series',
    'composition',
    'space_group',
    'structure',
    'temperature',
    'conductivity',
    'diffusion',
    'error',
)


@dataclass(frozen=True)
class TableFormat:
    """What the columns of a table mean.

    :param columns: role -> name of the column. ``id``, ``composition``, ``space_group`` (number) and ``structure``
        (pymatgen's JSON) say which material it is; ``series`` which rows belong to one experiment at several
        temperatures; ``conductivity`` or ``diffusion`` is the value, ``error`` its standard error.
    :param unit: of value and error, one of :data:`CONDUCTIVITY_UNITS` or :data:`DIFFUSION_UNITS`.
    :param temperature: of all rows, K, if there is no column for it.
    :param species: of the mobile ion, whose density turns diffusion coefficients into conductivities.
    :param charge: of the mobile ion, e; by default that of its element.
    """

    columns: dict[str, str]
    unit: str
    temperature: float | None = None
    species: str = 'Li'
    charge: float | None = None

    def __post_init__(self):
        unknown = sorted(set(self.columns) - set(ROLES))
        if unknown:
            raise LabelError(f'unknown role {unknown[0]!r} of a column: known are {", ".join(ROLES)}')
        if ('conductivity' in self.columns) == ('diffusion' in self.columns):
            raise LabelError('exactly one column must be named as conductivity or diffusion')
        if not {'id', 'composition', 'structure'} & set(self.columns):
            raise LabelError('no column says which material it is: name one as id, composition or structure')
        if self.unit not in self.units:
            raise LabelError(f'unknown unit {self.unit!r} of a {self.quantity}: known are {", ".join(self.units)}')
        if ('temperature' in self.columns) == (self.temperature is not None):
            raise LabelError('the temperature is needed once: a column of it, or one for all rows (K)')
        if self.temperature is not None and not self.temperature > 0:
            raise LabelError(f'{self.temperature} K is not a temperature')
        if not Element.is_valid_symbol(self.species):
            raise LabelError(f'the species {self.species!r} is not the symbol of a chemical element')

    @property
    def quantity(self) -> str:
        """``conductivity`` or ``diffusion``."""
        return 'conductivity' if 'conductivity' in self.columns else 'diffusion'

    @property
    def units(self) -> dict[str, float]:
        """The units of the quantity, with their factors."""
        return CONDUCTIVITY_UNITS if self.quantity == 'conductivity' else DIFFUSION_UNITS

    @classmethod
    def from_dict(cls, values: dict) -> TableFormat:
        """From a plain dictionary with the fields of this class.

        :raises LabelError: naming what is wrong.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise LabelError(f'the description of a table has an unknown or missing key: {error}') from error


@dataclass(frozen=True)
class Measurement:
    """One row of a table.

    :param row: its number, the header being row 1.
    :param formula: reduced formula, if the row says it.
    :param temperature: K.
    :param quantity: ``conductivity`` (S/cm) or ``diffusion`` (cm^2/s).
    :param value: in this unit; can be zero or negative, as fits give it.
    :param error: its standard error, in the same unit; None if it is not known.
    :param carrier_density: of the mobile ion in the row's own structure, 1/cm^3.
    :param charge: of the mobile ion, e.
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
        """Value and standard error, S/cm; diffusion coefficients by Nernst and Einstein.

        :param carrier_density: taken if the row has no structure of its own, 1/cm^3.
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
    """A table that was read.

    :param measurements: the rows that can be used.
    :param excluded: ``row``, ``id`` and ``reason`` of every other.
    :param structures: of the rows that have one, by the number of the row.
    """

    measurements: list[Measurement] = field(default_factory=list)
    excluded: list[dict] = field(default_factory=list)
    structures: dict[int, Structure] = field(default_factory=dict)

    def as_dict(self) -> dict:
        """Measurements and exclusions, of plain JSON types."""
        return {'measurements': [asdict(entry) for entry in self.measurements], 'excluded': self.excluded}


def read_table(path: Path, form: TableFormat) -> LabelTable:
    """Read a CSV file with a header. A row that cannot be used is excluded with its reason, and costs no other.

    :raises LabelError: if columns are missing, or no row can be used.
    """
    table, seen = LabelTable(), {}
    with _long_fields(), open(path, newline='', encoding='utf-8-sig') as stream:
        reader = csv.DictReader(stream)
        missing = sorted(set(form.columns.values()) - set(reader.fieldnames or ()))
        if missing:
            raise LabelError(
                f'{Path(path).name} has no column {missing[0]!r}: it has {", ".join(reader.fieldnames or ["none"])}'
            )
        for number, row in enumerate(reader, start=2):
            cells = {role: (row[name] or '').strip() for role, name in form.columns.items()}
            try:
                measurement, structure = _read_row(number, cells, form)
                content = tuple(value for name, value in asdict(measurement).items() if name != 'row')
                if content in seen:
                    raise LabelError(f'the same as row {seen[content]}')
            except LabelError as error:
                table.excluded.append({'row': number, 'id': cells.get('id') or None, 'reason': str(error)})
                continue
            seen[content] = number
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
    """The primitive cell, atoms where they are, to 0.001 A; the structure itself if spglib finds none.

    It costs less to scan. But the moving ion is nearer to its periodic images, which move with it, so that its surface
    is not quite that of the larger cell.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = SpacegroupAnalyzer(structure, symprec=1e-3).find_primitive() or structure.copy()
    found.remove_oxidation_states()
    return found


def _read_row(number: int, cells: dict[str, str], form: TableFormat) -> tuple[Measurement, Structure | None]:
    structure = _structure(cells['structure']) if cells.get('structure') else None
    formula = _formula(cells['composition']) if cells.get('composition') else None
    if structure is not None:
        formula = formula or structure.composition.reduced_formula
    if not cells.get('id') and formula is None:
        raise LabelError('nothing says which material it is')
    factor = form.units[form.unit]
    temperature = form.temperature or _number(cells['temperature'], 'temperature')
    if temperature <= 0:
        raise LabelError(f'{temperature:g} K is not a temperature')
    error = _number(cells['error'], 'error') * factor if cells.get('error') else None
    if error is not None and error < 0:
        raise LabelError(f'its error of {cells["error"]} is negative')
    space_group = int(_number(cells['space_group'], 'space group')) if cells.get('space_group') else None
    density, charge = None, None
    if form.quantity == 'diffusion':
        charge = form.charge if form.charge is not None else charge_of(form.species)
        density = None if structure is None else carrier_density(structure, form.species)
        if density == 0.0:
            raise LabelError(f'no {form.species} in its structure')
    measurement = Measurement(
        number,
        cells.get('id') or None,
        cells.get('series') or None,
        formula,
        space_group,
        temperature,
        form.quantity,
        _number(cells[form.quantity], form.quantity) * factor,
        error,
        density,
        charge,
    )
    return measurement, structure


def _exclude_contradictions(table: LabelTable) -> None:
    """Take out rows that give one id to several compositions."""
    formulas: dict[str, set[str]] = {}
    for entry in table.measurements:
        if entry.id and entry.formula:
            formulas.setdefault(entry.id, set()).add(entry.formula)
    for entry in list(table.measurements):
        different = formulas.get(entry.id, ())
        if len(different) > 1:
            reason = f'its id belongs to several compositions: {", ".join(sorted(different))}'
            table.excluded.append({'row': entry.row, 'id': entry.id, 'reason': reason})
            table.measurements.remove(entry)
            table.structures.pop(entry.row, None)


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise LabelError(f'its {what} {text!r} is not a number')
    return value


def _formula(text: str) -> str:
    try:
        composition = Composition(text, strict=True)
    except Exception as error:  # pymatgen raises many kinds
        raise LabelError(f'its composition {text[:40]!r} cannot be read') from error
    return composition.reduced_formula


def _structure(text: str) -> Structure:
    try:
        return Structure.from_dict(json.loads(text))
    except Exception as error:  # pymatgen raises many kinds
        raise LabelError(f'its structure cannot be read ({type(error).__name__})') from error


@contextmanager
def _long_fields() -> Iterator[None]:
    """Whole structures are longer than the fields that ``csv`` allows by default."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
