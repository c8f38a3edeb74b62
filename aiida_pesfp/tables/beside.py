"""What stands beside the columns that are read, and may give their numbers another meaning: it must not."""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from aiida_pesfp.errors import ImplausibleValue, TableError
from aiida_pesfp.settings.units import MEASURES, SCALED
from aiida_pesfp.tables.agreement import Again
from aiida_pesfp.tables.columns import ROOM, Column
from aiida_pesfp.tables.heads import in_words, is_about, is_harmless, temperatures_in, try_head, units_in
from aiida_pesfp.tables.numbers import LONGEST, is_blank
from aiida_pesfp.tables.table import Row
from aiida_pesfp.text import shortened

#: Most errors are smaller than so many times their values.
LARGE_ERROR = 10.0
#: So many comments are shown, up to so many characters.
MOST_SHOWN, LONGEST_COMMENT = 30, 500
_UNITS = re.compile(r'(?i:[\W_]*(?:in )?(?:units?|einheit(?:en)?)[\W_]*)')
_UNIT = re.compile(r'(?i:(?<![^\W\d_])units?(?![^\W\d_]))')
#: Names of columns that say which rows count, in lower case -> cells of those that do.
_OUT = 'exclu(?:ded?|sion)|flag(?:s|ged)?|outliers?|ignored?|discard(?:ed)?|reject(?:ed)?|deprecated'
_IN = 'used?|includ(?:ed?|es)|converged|valid|quality|keep|kept|accepted'
_VERDICTS = {_OUT: r'|no?|none|false|0(?:\.0)?|\[\]', _IN: r'y|yes|t|true|1(?:\.0)?|x|ok|good|converged|valid'}
#: Remarks on a row that does not count.
_EXCLUDES = re.compile(
    rf'(?i:(?<![^\W\d_])(?:{_OUT}|not (?:used|included|converged)|do not use|placeholder|preliminary|copied'
    r'|guess(?:ed)?|electronic(?: conductivity)? only)(?![^\W\d_]))'
)
#: Heads of columns that say what is measured, and how.
_WHAT = re.compile('(?i:(?:.*[_ ])?(?:property|quantity|measure|parameter|observable|type|kind|method|phase))')
#: A number with its unit that a remark gives to something; it is that of the row within this share.
_STATED = re.compile(r'(?:[=:]\s*|\s(?=-?\d+[.,]\d))([-+\u2212]?\d[\d.,]*(?:[eE][-+]?\d+)?\s*[^\s,;]*)')
_SAME_VALUE = 0.05
#: A power of ten or factor that belongs to no number.
_TENTH = r'(?:10 ?\^ ?[({]?[+-]?\d+|10[+-]\d{1,2}|1e[+-]?\d+)(?![\d.])'
_POWER = re.compile(
    r'(?i:(?<![\d.,-])(?<![\d.,] )(?<!\d\))(?<!\d\) )(?:'
    rf'(?:\b(?:in|units? of)[ (\[]*|[(\[] ?|\b(?:sigma|conductivity)[ ,:]*)(?:x ?)?{_TENTH}|^\W*10 ?\^ ?[({{]?[+-]?\d'
    rf'|(?:\bx|\*|\btimes|(?:multiplied|divided|scaled) by) ?(?:{_TENTH}|10{{2,}}(?![\d.]))|/ ?{_TENTH}))'
)
#: Units of energies that are none of ours.
_ENERGIES = r'(?:(?i:hartrees?|rydbergs?|kj|k?(?:cal|j) ?(?:/|per) ?mol)|Ha|Ry|m?eV ?(?:/|per) ?(?!at)[^\W\d_][\w.]*)'
_FOREIGN = dict.fromkeys(('band_gap', 'energy_above_hull'), re.compile(rf'(?<![^\W\d_]){_ENERGIES}(?![^\W\d_])'))
_CELLS = r'(?:formula unit|f\.?u\.?|(?:unit )?cell|mole(?:cule)?)'
_OF_CELLS = rf'(?i:(?:hull|energ)(?:(?!eV)[^.;])*(?:/|\bper) ?{_CELLS}(?![^\W\d_]))'
_FOREIGN['energy_above_hull'] = re.compile(f'{_FOREIGN["energy_above_hull"].pattern}|{_OF_CELLS}')
#: A unit of temperatures behind no number.
_DEGREES = re.compile(
    r'(?:\bin |[(\[/=] ?|(?<![\d.,] )(?<![\d.,])\bdeg(?:rees?)?[. ]{1,2})(?:deg(?:rees?)?[. ]{1,2})?'
    r'(?i:(c|celsius|centigrade)|(k|kelvin)|f|fahrenheit)(?![^\W\d_]|-)'
)
#: Errors that are none of one standard deviation.
_WIDE = re.compile(
    r'(?i:\b9\d(?:\.\d+)? ?(?:%|per ?cent)? ?(?:conf(?:id|\.)|c\.?i\b)|(?:\bconfidence[a-z ]*|\bci) ?\(?9\d'
    r'|(?<![\w.])(?:2|3|two|three)[ -]?(?:\* ?|x ?)?(?:sigma(?! ?[\w(\[/])|s\.?d\.?\b|std|standard dev'
    r'|sigma (?:err|unc|int|bar|conf))|coverage factor)'
)
#: Heads of remarks, and temperatures at which nothing is measured.
_REMARK = re.compile('(?i:condition|remark|comment|note|measure|bemerkung|kommentar)|^structure$', re.IGNORECASE)
_MADE = re.compile(
    r'(?i:sinter|anneal|calcin|press(?!ure)|synth|quench|heat|dr[iy]|fir(?:ed|ing)|melt|transi|decomp|above|below|stab|from'
    r'|\bto\b|\d ?[-\u2013] ?\d)'
)


@dataclass(frozen=True)
class Beside:
    """What stands beside the columns that are read, none of which it contradicts as a whole.

    :param again: the columns of numbers, and those that say them again.
    :param names: the columns that are not used; ``remarks`` those of remarks that differ from row to row.
    :param notes: sentences on them.
    """

    again: Again
    names: tuple[str, ...]
    remarks: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        names: list[str],
        rows: list[Row],
        units: dict[str, str],
        comments: dict[int, str],
        again: Again,
        known: Callable[[str], object],
    ) -> Self:
        """Find it.

        :param names: the columns that are not used.
        :param units: column -> what a row of units has for it.
        :param comments: line -> text.
        :param again: the columns of numbers, as they are read.
        :param known: whether a column, by its head, is compared with something else.
        :raises TableError: if a column or comment has another unit, power of ten or quantity than the numbers are read
            with, a comment another temperature, or a column decides which rows count; and if one is neither compared
            nor plainly harmless.
        """
        empty = [name for name in names if all(is_blank(row.cells.get(name, '')) for row in rows)]
        names = [name for name in names if name not in empty]
        whole = [row for row in rows if not row.problem]
        again = again.find(names, whole, units)
        unknown = []
        for name in names:
            texts = [row.cells[name] for row in whole]
            is_known = _is_known(name, texts, again.columns) or again.compares(name, whole) or is_harmless(name, texts)
            unknown += [] if is_known or known(name) else [name]
        lone = [(row.line, [text for text in row.cells.values() if text]) for row in rows]
        told = [*comments.items(), *((line, texts[0]) for line, texts in lone if len(texts) == 1)]
        seconds = ((row.line, *cell) for row in rows if _is_head(row) for cell in row.cells.items())
        told += [(line, f'{re.split("[(/[]", head)[0]} {text}') for line, head, text in seconds]
        for line, text in told:
            if problem := _claim(text, again.columns) or _other_temperature(text, again.temperature):
                raise TableError(f'line {line}, {text[:80]!r}, {problem}: change one of them, or take the line out')
        if unknown:
            what = f'the columns {", ".join(map(repr, unknown))} may give numbers or rows another meaning'
            raise TableError(f'{what}: take them out, or ignore them: --ignore {" --ignore ".join(map(repr, unknown))}')
        notes = [f'not used are the columns {", ".join(name or "(without a name)" for name in names)}'] if names else []
        notes += [f'empty are the columns {", ".join(map(repr, empty))}'] if any(empty) else []
        remarks = {name: {row.cells[name] for row in whole} for name in names if _REMARK.search(name)}
        alone = {name: one.pop() for name, one in remarks.items() if len(whole) > 1 and len(one) == 1}
        alike = [f'{name} = {shortened(text, LONGEST_COMMENT)!r}' for name, text in alone.items()]
        notes += [f'all lines have {one}: does it fit?' for one in alike]
        shown = [f'{line} ({shortened(text, LONGEST_COMMENT)!r})' for line, text in sorted(comments.items())]
        shown = shown[:MOST_SHOWN] + ['...'] * (len(shown) > MOST_SHOWN)
        notes += [f'lines that begin with # are left out: {", ".join(shown)}'] if comments else []
        return cls(again, tuple(names), tuple(remarks.keys() - alone.keys()), tuple(notes))

    def check(self, cells: dict[str, str]) -> None:
        """Raise ValueError if a row contradicts itself, be it by a remark."""
        self.again.check(cells)
        for name in self.names:
            text, problem = cells[name], None
            if len(text) <= LONGEST and (text[:1].isalpha() or text[:1] in '(['):
                problem = _claim(text, self.again.columns)
            problem = problem or self._other_value(text, cells)
            if _EXCLUDES.search(text):
                problem = problem or 'says that the row does not count'
            if _REMARK.search(name + text) and not _MADE.search(name + text):
                problem = problem or _other_temperature(text, self.again.temperature_of(cells))
            if problem:
                raise ValueError(f'the column {name!r}, {text[:80]!r}, {problem}')

    def _other_value(self, text: str, cells: dict[str, str]) -> str | None:
        """What a remark says of a number of its row, such as ``E_hull = 0.085 eV/atom``, if it is another one."""
        stated = _STATED.search(text)
        for column in self.again.columns.values() if stated else ():
            if not column.is_error and is_about(text[: stated.start(1)], column.measure):
                with contextlib.suppress(ValueError, ImplausibleValue):
                    told, own = (column.read(one).value for one in (stated[1], cells.get(column.name, '')))
                    if None not in (told, own) and abs(told - own) > _SAME_VALUE * max(abs(told), abs(own)):
                        return f'says {stated[1].strip()}, the column {column.name!r} has {cells[column.name]}'
        return None


def _is_head(row: Row) -> bool:
    """Whether a row says something of each column, as a second header does: no cell has a digit or is blank."""
    return not any(is_blank(text) or re.match(r'[\W_]*\d', text) for text in row.cells.values())


def check_errors(errors: Column, values: Column, rows: list[Row]) -> None:
    """Raise :class:`~aiida_pesfp.errors.TableError` if most errors are far larger than their values."""
    large, (errors, values) = [], (column.at_temperature(ROOM) for column in (errors, values))
    for row in rows:
        with contextlib.suppress(ValueError, ImplausibleValue):  # costs its row only
            value, error = (column.read(row.cells.get(column.name, '')) for column in (values, errors))
            if value.value:
                large.append(errors.plain_error_of(value, error) > LARGE_ERROR * abs(value.value))
    if sum(large) > len(large) / 2:
        problem = f'most errors of the column {errors.name!r} are more than {LARGE_ERROR:g} times their values'
        raise TableError(f'{problem}: are they in percent? Write each as 10 %')


def _is_known(name: str, texts: list[str], columns: dict[str, Column]) -> bool:
    """Whether a column has units, verdicts on rows, or one word for what is measured.

    :raises TableError: if they change something.
    """
    texts = ['' if is_blank(text) else text for text in texts]
    measures, used = {column.measure for column in columns.values()}, {_unit(column) for column in columns.values()}
    is_unit = _UNITS.fullmatch(name) or (_UNIT.search(name) and any(try_head(name, measure) for measure in measures))
    rules = []
    for verdict, rule in _VERDICTS.items():
        rest, found = re.subn(rf'(?<![^\W\d_])(?:is[ _])?(?:{verdict})(?![^\W_])', ' ', name.lower().rstrip('?'))
        if found and any(try_head(rest, column.measure, column.is_error) for column in columns.values()):
            rules.append(rule)
    for text in texts:
        way_out = None if all(re.fullmatch(rule, text.lower()) for rule in rules) else 'remove such rows'
        if is_unit and text and not any((at := try_head(text, measure)) and at[0] in used for measure in measures):
            wanted = f'but numbers are read in {", ".join(sorted(used))}: write each unit behind its number'
            way_out = f"{wanted}, as '3 {text}'"
        if way_out:
            raise TableError(f'the column {name!r} has {text!r}, {way_out}, or take the column out')
    one_word = _WHAT.fullmatch(name) and len(set(texts)) == 1 and any(try_head(texts[0], one) for one in measures)
    return bool(is_unit or rules or one_word)


def _claim(text: str, columns: dict[str, Column]) -> str | None:
    """What a text says of units and powers of ten, if numbers are read otherwise."""
    words, used = in_words(re.sub(r'\S+://\S+', ' ', text)), {_unit(column) for column in columns.values()}
    if power := _POWER.search(words):
        return f'has {power[0].strip()!r}, but numbers are read as they are'
    if any(column.measure in SCALED for column in columns.values()) and (wide := _WIDE.search(words)):
        return f'has {wide[0]!r}, but errors are read as standard errors: give these'
    for column in [one for one in columns.values() if is_about(text, one.measure)] or columns.values():
        told = units_in(text, column.measure, behind_numbers=False)
        if column.measure == 'temperature':
            degrees = _DEGREES.finditer(words) if is_about(text, 'temperature') or 'deg' in words else ()
            told = {'C' if one[1] else 'K' if one[2] else 'F' for one in degrees}
        elif column.measure in _FOREIGN and (foreign := _FOREIGN[column.measure].search(words)):
            told = {foreign[0]}
        if told - used and _unit(column) not in told:
            return f'has {", ".join(sorted(told - used))}, but {column.name!r} is read in {_unit(column)}'
    return None


def _other_temperature(text: str, temperature: float | None) -> str | None:
    """The temperature in a text, if there are some and none is this one, K."""
    told = temperatures_in(text) if temperature is not None else ()
    for one in told:
        try:
            return Column('', 'temperature', at=(one,)).check_temperature(temperature)
        except (ValueError, ImplausibleValue):
            continue
    return f'has {told[0]}, but {temperature:g} K is given' if told else None


def _unit(column: Column) -> str:
    return column.unit or MEASURES[column.measure].unit
