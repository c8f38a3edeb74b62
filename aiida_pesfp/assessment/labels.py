"""Labels: conductivities or diffusion coefficients read from a table. Each row that cannot be used is reported."""

from __future__ import annotations

import csv
import json
import math
import sys
import warnings
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pymatgen.core import Composition, Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_pesfp.errors import LabelError
from aiida_pesfp.settings.assessment import AssessmentSettings
from aiida_pesfp.settings.base import POSITIVE, setting
from aiida_pesfp.transport.conductivity import charge_of, nernst_einstein

#: Units of each quantity, with their factors to S/cm and to cm^2/s.
UNITS = {
    'conductivity': {'S/cm': 1.0, 'mS/cm': 1e-3, 'uS/cm': 1e-6, 'S/m': 1e-2, 'mS/m': 1e-5},
    'diffusion': {'cm2/s': 1.0, 'm2/s': 1e4, 'A2/ps': 1e-4, 'A2/fs': 1e-1},
}


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


#: Role of a column -> what its cells must be, and the function that reads one.
_READERS = {
    **dict.fromkeys(('id', 'series'), ('text', str)),
    'composition': ('a formula', lambda text: Composition(text, strict=True).reduced_formula),
    'space_group': ('a number', lambda text: int(_finite(text))),
    'structure': ("a structure in pymatgen's JSON", lambda text: Structure.from_dict(json.loads(text))),
    **dict.fromkeys(('temperature', 'conductivity', 'diffusion', 'error'), ('a number', _finite)),
}
#: What a column can mean.
ROLES = tuple(_READERS)


@dataclass(frozen=True)
class TableFormat(AssessmentSettings):
    """What the columns of a table mean.

    :param columns: role -> name of the column. ``id``, ``composition``, ``space_group`` (number) and ``structure``
        (pymatgen's JSON) identify the material; ``series`` marks the rows of one experiment at several temperatures;
        ``conductivity`` or ``diffusion`` is the value, ``error`` its standard error.
    :param unit: of value and error, one of :data:`UNITS`.
    :param temperature: of all rows, K, if there is no column for it.
    :param species: the mobile ion; its density converts diffusion coefficients to conductivities.
    :param charge: of the mobile ion, e; by default that of its element.
    """

    columns: dict = setting('role of each column -> its name')
    unit: str = setting('unit of value and error')
    temperature: float | None = setting('temperature of all rows', None, unit='K', limit=POSITIVE)
    species: str = setting('the mobile ion', 'Li')
    charge: float | None = setting('charge of the mobile ion', None, unit='e')

    def __post_init__(self):
        super().__post_init__()
        unknown = sorted(set(self.columns) - set(ROLES))
        if unknown:
            raise LabelError(f'unknown role {unknown[0]!r} of a column: known are {", ".join(ROLES)}')
        if ('conductivity' in self.columns) == ('diffusion' in self.columns):
            raise LabelError('exactly one column must be named as conductivity or diffusion')
        if not {'id', 'composition', 'structure'} & set(self.columns):
            raise LabelError('no column identifies the material: name one as id, composition or structure')
        units = UNITS[self.quantity]
        if self.unit not in units:
            raise LabelError(f'unknown unit {self.unit!r} of a {self.quantity}: known are {", ".join(units)}')
        if ('temperature' in self.columns) == (self.temperature is not None):
            raise LabelError('give the temperature once: as a column, or one for all rows (K)')
        if not Element.is_valid_symbol(self.species):
            raise LabelError(f'the species {self.species!r} is not the symbol of a chemical element')

    @property
    def quantity(self) -> str:
        """``conductivity`` or ``diffusion``."""
        return 'conductivity' if 'conductivity' in self.columns else 'diffusion'


@dataclass(frozen=True)
class Measurement:
    """One row of a table.

    :param row: its number; the header is row 1.
    :param formula: reduced formula, if the row has one.
    :param temperature: K.
    :param quantity: ``conductivity`` (S/cm) or ``diffusion`` (cm^2/s).
    :param value: in this unit; fits can give zero and negative values.
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
        """Value and standard error, S/cm; diffusion coefficients are converted by the Nernst-Einstein relation.

        :param carrier_density: used if the row has no structure of its own, 1/cm^3.
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
    """The content of a table.

    :param measurements: the rows that can be used.
    :param excluded: ``row``, ``id`` and ``reason`` of every other row.
    :param structures: of the rows that have one, by the number of the row.
    """

    measurements: list[Measurement] = field(default_factory=list)
    excluded: list[dict] = field(default_factory=list)
    structures: dict[int, Structure] = field(default_factory=dict)

    def as_dict(self) -> dict:
        """Measurements and excluded rows, of plain JSON types."""
        return {'measurements': [asdict(entry) for entry in self.measurements], 'excluded': self.excluded}


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
            raise LabelError(
                f'{Path(path).name} has no column {missing[0]!r}: it has {", ".join(reader.fieldnames or ["none"])}'
            )
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
    measurement = Measurement(
        row=number,
        formula=formula,
        quantity=form.quantity,
        value=values[form.quantity] * factor,
        error=None if error is None else error * factor,
        carrier_density=density,
        charge=charge,
        **{name: values[name] for name in ('id', 'series', 'space_group', 'temperature')},
    )
    return measurement, structure


def _exclude_contradictions(table: LabelTable) -> None:
    """Exclude rows whose id belongs to several compositions."""
    formulas = defaultdict(set)
    for entry in table.measurements:
        if entry.id and entry.formula:
            formulas[entry.id].add(entry.formula)
    for entry in list(table.measurements):
        different = formulas.get(entry.id, ())
        if len(different) > 1:
            reason = f'its id belongs to several compositions: {", ".join(sorted(different))}'
            table.excluded.append({'row': entry.row, 'id': entry.id, 'reason': reason})
            table.measurements.remove(entry)
            table.structures.pop(entry.row, None)
