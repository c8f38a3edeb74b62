"""Tables of the conductivities of one material at several temperatures."""

import contextlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from aiida_pesfp import errors
from aiida_pesfp.assessment.labels import ion_of, read_table
from aiida_pesfp.settings.assessment import TableFormat
from aiida_pesfp.tables.columns import Column, read_heads
from aiida_pesfp.tables.heads import is_about, kinds_in
from aiida_pesfp.tables.table import Row, leave_out, open_table
from aiida_pesfp.transport.arrhenius import Point
from aiida_pesfp.transport.statements import Statement, statements_in

#: Columns of the table that ``arrhenius`` reads, by their roles.
ROLES = {'temperature': 'T_K', 'conductivity': 'sigma_S_cm', 'error': 'sigma_error_S_cm'}
#: Columns that tell what a row is about, and cells that are no reason to exclude it.
_NAMES = 'name|id|material(?:[ _]id)?|compound|formula|composition|sample|structure|series'
_ABOUT = re.compile(f'(?i:{_NAMES}|(?:mobile[ _])?(?:species|ion))')
_VERDICT = re.compile('(?i:[-+]?[0-9.]*|true|false|yes|no|[xynft])')


@dataclass(frozen=True)
class Points:
    """What a table of conductivities says.

    :param unit: of its temperatures, ``K`` or ``C``, if they may be taken for the other.
    :param column: how its conductivities are read.
    :param statements: what lines beside its rows say of what a fit of the points gives.
    :param notes: how the table was understood, in sentences.
    """

    points: list[Point]
    unit: str | None
    column: Column
    statements: list[Statement]
    notes: list[str]


def read_points(path: Path, ignore: Collection[str] = (), relative_error: float | None = None) -> Points:
    """The rows of a table of conductivities, read as labels are.

    :param ignore: columns, or patterns, that are not read, nor compared with others.
    :param relative_error: error over value of points without an error.
    :raises TableError: if there is no table with these columns.
    :raises LabelError: naming the row and the value that is wrong, or two materials: no point is left out without
        being told to.
    """
    roles, names, rows, comments = _open(path, ignore)
    quantities = {role: name for role, name in roles.items() if role in ROLES}
    columns, rows, _ = read_heads(quantities, rows, [roles['id']], 'conductivity')
    texts = {line: [text] for line, text in comments.items()}
    texts |= {row.line: row.cells.values() for row in rows if _is_beside(row, columns)}
    statements = [one for line, cells in texts.items() for one in statements_in(cells, line)]
    beside = {row.line for row in rows} & {one.line for one in statements}
    cells = [(name, text) for row in rows if row.line not in beside for name, text in row.cells.items() if text]
    for name in filter(_ABOUT.fullmatch, names):
        if len(found := dict.fromkeys(text for one, text in cells if one == name)) > 1:
            raise errors.LabelError(f'{path}: {name} is {", ".join(found)[:100]}: one material, one table')
    reasons = [text for name, text in cells if name == 'excluded']
    if not any(map(_VERDICT.fullmatch, reasons)):  # as --json writes it
        roles |= {'series': 'excluded'} if 'excluded' in names else {}
    ion = next(filter(None, (ion_of(*cell) for cell in cells)), 'Li')
    value = columns['conductivity']
    unit = ' '.join(filter(None, [value.scale, value.unit or 'S/cm']))
    table = read_table(path, TableFormat(roles, unit, species=ion, ignore=[*ignore]))
    wrong = [(entry['row'], entry['reason']) for entry in table.excluded if entry['row'] not in beside]
    wrong += [(one.row, 'its conductivity is a limit') for one in table.measurements if one.limit]
    if wrong:
        raise errors.LabelError('{}, row {}: {}: correct the row, or remove it'.format(path, *min(wrong)))
    bare = [one.row for one in table.measurements if one.error is None]
    if bare and relative_error is None and 'error' not in roles:
        words = f'name one column {ROLES["error"]}, or say how well they are known: --relative-error 0.05 for 5 %'
        raise errors.LabelError(f'{path}: none of {", ".join(names)} says that it is the error: {words}')
    notes, points = table.notes + [f'{one.name}: it is compared with the fit' for one in statements], []
    if bare and relative_error is not None:
        notes.append(f'{len(bare)} points have no error: {relative_error:g} of the conductivity is taken')
    for one in table.measurements:
        error = abs(one.value) * relative_error if one.error is None and relative_error is not None else one.error
        points.append(Point(one.temperature, one.value, error, one.series, f'row {one.row} ({one.temperature:g} K)'))
    temperature = columns['temperature']
    return Points(points, None if temperature.over else temperature.unit or 'K', value, statements, notes)


def _open(path: Path, ignore: Collection[str]) -> tuple[dict[str, str], list[str], list[Row], dict[int, str]]:
    """Columns by roles, names, rows and comments. Without the names of ``ROLES``, the heads tell the roles."""
    try:
        names, rows, comments = open_table(path, ROLES.values())
        roles = {**ROLES}
    except errors.TableError as error:
        names = []
        with contextlib.suppress(errors.TableError):
            names, rows, comments = open_table(path, ())
        roles = _roles([name for name in names if name not in ignore])
        if sum(map(bool, names)) < 2:  # no header, but a title
            raise
        unclear = [name for name in names if is_about(name, 'conductivity') and name not in (*roles.values(), *ignore)]
        if unclear and 'conductivity' not in roles:
            Column.of(unclear[0], 'conductivity')  # says what is not understood
        if missing := [role for role in ('temperature', 'conductivity') if role not in roles]:
            role = missing[0]
            words = f'none of {", ".join(names)} says that it is the {role}: name one column {ROLES[role]}'
            raise errors.TableError(f'{words}. The first line is the header: begin titles above it with #') from error
    names, rows, _ = leave_out(names, rows, ignore, {*roles.values(), *({'excluded'} - {*ignore})})
    return {'id': roles['temperature']} | roles, names, rows, comments  # T names a point


def _roles(names: list[str]) -> dict[str, str]:
    """The columns of the quantities by their heads: of several, that of plain numbers. The others are compared with it.

    :raises TableError: if several may be it that are of different kinds, or an error may be that of several.
    """
    columns = {role: _columns(names, role) for role in ROLES}
    error, roles = next(iter(columns['error']), None), {}
    for role, found in columns.items():
        ranks = [_rank(one, error) if role != 'error' else () for one in found]
        heads = [one.name for one, rank in zip(found, ranks) if rank == min(ranks)]
        kinds = {frozenset(kinds_in(head)) for head in heads}
        if len(heads) > 1 and (role == 'error' or len(kinds) > 1 or len({*heads}) < len(heads)):
            raise errors.TableError(
                f'{" and ".join(heads)} all say that it is the {role}: name one column {ROLES[role]}'
            )
        roles |= {role: heads[0]} if heads else {}
    if error and not (error.unit or error.scale):
        scales = {(one.unit, one.scale, one.times): one.name for one in columns['conductivity']}
        if len(scales) > 1:
            words = f'{error.name!r} may be the error of {" or of ".join(scales.values())}'
            raise errors.TableError(f'{words}: put the unit, or log10 or ln, into its name')
    return roles


def _columns(names: list[str], role: str) -> list[Column]:
    """The columns of which the heads say that they are a quantity, as far as they are understood."""
    found, is_error = [], role == 'error'
    for name in names:
        with contextlib.suppress(errors.TableError):
            found += [Column.of(name, 'conductivity' if is_error else role, is_error)] if is_about(name, role) else []
    return found


def _rank(column: Column, error: Column | None) -> tuple:
    """The smaller, the sooner a column is read: it must suit its error."""
    differs = error and (error.scale not in (None, column.scale) or error.unit not in (None, column.unit))
    return bool(differs), bool(column.scale), column.over, column.times, len(kinds_in(column.name))


def _is_beside(row: Row, columns: dict[str, Column]) -> bool:
    """Whether a row has no temperature, so that it may be a remark."""
    text = row.cells.get(columns['temperature'].name, '')
    with contextlib.suppress(ValueError):
        columns['temperature'].number(text)
        return False
    return True
