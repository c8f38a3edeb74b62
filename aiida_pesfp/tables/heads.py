"""Columns of numbers: heads of known words and units, and cells. What is not understood to its end is refused."""

import contextlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from aiida_pesfp.errors import ImplausibleValue, TableError
from aiida_pesfp.settings.units import MEASURES, SCALED
from aiida_pesfp.tables.numbers import LONGEST, Number, decimal_mark, is_blank, plain, read_number
from aiida_pesfp.tables.table import Row

_GREEK = {'\u03bc': 'u', '\u03a9': ' ohm', '\u03c3': ' sigma ', '\u03b4': ' delta ', '\u0394': ' delta ', '\u00c5': 'A'}
_PLAIN = str.maketrans(_GREEK | {'\u00b0': ' deg ', '@': ' at ', '\u22c5': '\u00b7', '\u2219': '\u00b7'})
#: How the parts of units are written. Capitals count: MS is not mS.
_SIEMENS, _OHM, _DEGREES = '(?:[Ss]|(?i:siemens)|mho)', '(?i:ohms?)', '(?:o|deg(?:rees?|[.])? ?)?'
_PARTS = {
    'S': _SIEMENS,
    **{f'{one[0]}S': f'(?:{one[0]}|(?i:{one[1]})[ -]?){_SIEMENS}' for one in zip('mun', ('milli', 'micro', 'nano'))},
    **{f'{length}2': rf'{length} ?\^?2' for length in ('cm', 'mm', 'um', 'nm', 'm')},
    'A2': r'(?:A|(?i:ang(?:stroms?)?)) ?\^?2',
    'K': f'(?i:{_DEGREES}k(?:elvins?)?)',
    'C': f'(?i:{_DEGREES}c(?:elsius|entigrade)?)',
    'eV': '(?:eV|ev|EV|(?i:electron ?volts?))',
    'meV': 'me[vV]',
    'atom': '(?i:at(?:oms?)?)',
}
_TIMES, _INVERSE, _END = r'[ _.\u00b7*]*', r' ?\^?[ ({]*-1[)}]*', r'(?![^\W\d_])'
_PER = rf'{_TIMES}(?:(?:/|per)[ _(]*)?'
#: Words that may stand in the head of a column; those behind the bar tell one kind of values from another.
_WORDS = {
    '': """value values in of the at and from by unit units mobile data rt room temperature temp ion ions ionic
        | mean average avg median max maximum exp test experiment experimental meas measured measurement ref reference
        lit literature calc calculated computed sim md simulation simulated aimd mlmd dft pbe pbesol gga lda scan r2scan
        hse hse06 run sample mp target label y result reported published li lithium na sodium""",
    'temperature': 't temps temperatures temperatur température temperatura thermostat',
    'conductivity': r"""sigma \(t\) conductivity conductivities cond conduction ic superionic solid electrolyte
        conductivité conductividad leitfähigkeit ionenleitfähigkeit | total tot bulk grain boundary gb overall dc ac""",
    'diffusion': """d diff diffusion diffusivity diffusivities coefficient coefficients coeff diffusionskoeffizient
        | self tracer jump chemical msd slope""",
    'band_gap': """band gap bandgap bandgaps gaps bg eg egap e g energy bandlücke
        | direct indirect optical fundamental electronic gw g0w0 mbj optb88vdw""",
    'energy_above_hull': 'e energy energies above hull ehull convex distance to stability d delta phase per atom',
    'error': r"""err e errs error errors bar bars uncertainty uncertainties unc abs absolute delta d fehler \+/?-
        | std stdev stddev sd sem se stderr standard deviation dev""",
}
_KINDS = {word for words in _WORDS.values() for word in words.partition('|')[2].split()}
_LOGARITHM = r'(?i:(?P<ln>ln)|(?P<log10>log ?_?10(?![0-9])|log|lg))(?=(?i:sigma|cond|diff|d(?![a-z]))|[^a-zA-Z0-9]|$)'
#: Temperature at which the values of a column were measured.
_AT = rf'(?P<at>[0-9]+(?:[.][0-9]+)? ?(?:{_PARTS["K"]}|{_PARTS["C"]})|(?i:(?:s_)?rt|room[ _]?temp(?:erature)?)){_END}'
_BETWEEN = r'[ _()\[\]{},:]|[.](?![0-9])|(?<=[^\W\d_])-(?=[^\W\d_])|(?<=[^-] )- '
_ALONE = r'(?<![^\W\d_])(?:{})(?![^\W\d_])'.format
#: What tells that a column is about one of these, whatever else stands in its head.
_TELLS = {
    'temperature': f'(?i:{_ALONE("t|temp[a-zé]*")})',
    'conductivity': f'(?i:sigma|conduct|leitf|{_ALONE("cond|ic")})',
    'diffusion': f'(?i:diff)|{_ALONE("D")}',
    'band_gap': f'(?i:gap|bandlücke|{_ALONE("e_?g")})',
    'energy_above_hull': '(?i:hull)',
    'error': rf'(?i:err|unc|std|dev|delta|fehler|\+/?-|{_ALONE("s[de]|sem")})',
}
#: A head with such a word is about a property, but does not hold its values.
_ABOUT = re.compile(r'(?i:(?<![^\W\d_])(?:is|types?|kind|units?|err|errors?|std|uncertainty)(?![^\W\d_]))')
#: An attempt to write a number; but 1/(ohm cm) is a unit.
_NUMBER = re.compile(r'(?i:(?:[<>=~+ -]|ca\.?|approx\.?|about|\((?=.*\+-))*(?:[.,]?\d(?! ?/)|inf\b))')
#: Names of a row of units.
_UNITS = re.compile(r'(?i:[\W_]*(?:in )?(?:units?|dimensions?|einheit(?:en)?)?[\W_]*)')

#: A smaller number in a column of logarithms is the value itself.
SMALLEST_LOGARITHM = 0.01
#: A plain number that is not larger than this, in whatever unit, is a logarithm.
SURELY_LOGARITHM = -1.0
#: A lower temperature in a column that names no unit may be one in degrees Celsius, K.
SURELY_KELVIN = 273.0
#: Degrees Celsius at 0 K.
CELSIUS = 273.15
_BASES = {'log10': 10.0, 'ln': math.e}
#: Room temperature, K, and how far two temperatures of one measurement may be apart: it is from 20 °C to 302 K.
ROOM, SAME = 297.0, 5.0


def read_head(name: str, measure: str, error: bool = False, below: str = '') -> tuple:
    """What the name of a column tells: its unit or None, ``log10``, ``ln`` or None, and temperatures of its values.

    :param measure: of :data:`~aiida_pesfp.settings.units.MEASURES`.
    :param error: whether the column holds errors of this measure.
    :param below: what a row of units below the name has.
    :raises TableError: naming what is neither a word that is known for the measure nor one of its units.
    """
    text, (tokens, units), place, found = _words(f'{name} {below}'), _tokens(measure, error), 0, []
    while place < len(text) and (token := tokens.match(text, place)):
        found += [(token.lastgroup, token[0])] if token.lastgroup else []
        place = token.end()
    at, found = [text for kind, text in found if kind == 'at'], [kind for kind, _ in found if kind != 'at']
    scales, ours = [one for one in found if one not in units], {units[one] for one in found if one in units}
    if place < len(text) or len(scales) > 1 or len(ours) > 1:
        column = f'the column {name!r}' + (f', with {below!r} in its first row,' if below else '')
        known = f'known are words for {measure} and one of {", ".join(MEASURES[measure].units)}'
        way_out = 'write relative errors as 20 %, each in its cell' if error else 'convert its numbers if need be'
        raise TableError(f'{column} is not understood from {text[place:] or text!r} on: {known}. Rename it; {way_out}')
    return next(iter(ours), None), next(iter(scales), None), tuple(at)


def find_column(measure: str, names: list[str]) -> str | None:
    """The column of a property: that of its name, whatever case and signs, else the only one whose head tells it.

    :param measure: of :class:`~aiida_pesfp.settings.screen.Properties`.
    :raises TableError: if several may be it, or one that may be is not understood.
    """
    tells = [name for name in names if re.search(_TELLS[measure], _words(name))]
    alike = [name for name in tells if not _ABOUT.search(_words(name))]
    same = [name for name in alike if re.sub(r'[\W_]', '', name).lower() == measure.replace('_', '')]
    for found in ([name for name in same if name == measure], same, alike):
        if len(found) == 1:
            read_head(found[0], measure)
            return found[0]
    if alike:
        option = f'--{measure.replace("_", "-")}-column'
        raise TableError(f'each of the columns {", ".join(alike)} may be the {measure}: say which one with {option}')
    return None


def units_in(text: str, measure: str) -> set[str]:
    """The units of a measure that stand anywhere in a text; of temperatures, not K and C, which are elements too."""
    tokens, units = _tokens(measure)
    found = re.finditer(rf'(?<![^\W\d_])(?:{tokens.pattern})', _words(text))
    return {units[one.lastgroup] for one in found if one.lastgroup in units and len(one[0]) > 1}


def is_about(text: str, measure: str) -> bool:
    """Whether a text tells that it is about a measure or an ``error``, be it by its unit."""
    by_unit = measure in ('temperature', *SCALED) and units_in(text, measure)
    return bool(by_unit or re.search(_TELLS[measure], _words(text)))


def kinds_in(text: str) -> set[str]:
    """The words in a head that tell one kind of values from another, as ``bulk`` or ``measured``."""
    return _KINDS & set(re.findall('[^\\W_]+', _words(text).lower()))


def temperatures_in(text: str) -> tuple[str, ...]:
    """The temperatures that stand in a text, as :class:`Column` has them."""
    return tuple(one['at'] for one in re.finditer(rf'(?<![^\W_]){_AT}', _words(text)))


def _tells_unit(text: str, measure: str) -> bool:
    """Whether a text is a head with a unit."""
    with contextlib.suppress(TableError):
        return read_head(text, measure)[0] is not None
    return False


@dataclass(frozen=True)
class Column:
    """How the numbers of a column are read.

    :param measure: of :data:`~aiida_pesfp.settings.units.MEASURES`; values are in the first of its units.
    :param mark: decimal mark.
    :param unit: of the cells without their own; None for the first one of the measure, and if K or C may be meant.
    :param scale: ``log10`` for logarithms.
    :param at: temperatures in its name.
    :param is_error: whether they are the errors of this measure: they stay as they are for :meth:`error_of`.
    :param over: if not 0, the numbers are this divided by those of the measure, as in ``1000/T``.
    """

    name: str
    measure: str
    mark: str | None = None
    unit: str | None = None
    scale: str | None = None
    at: tuple[str, ...] = ()
    is_error: bool = False
    over: float = 0.0

    def read(self, text: str) -> Number:
        """The number in a cell.

        :raises ValueError: if it is none, with the reason.
        :raises ImplausibleValue: if it cannot be right.
        :raises TableError: if its unit may be K or C.
        """
        number, scaled = self.number(text), self.measure in SCALED
        if number.limit and (self.is_error or not scaled):
            raise ValueError('not a number but a limit')
        if self.is_error:
            return number
        if self.scale and 0 < abs(number.value) < SMALLEST_LOGARITHM:
            raise ImplausibleValue('hardly a logarithm')
        if scaled and not self.scale and number.value <= SURELY_LOGARITHM:
            raise ImplausibleValue(f"a logarithm among plain numbers: if all are, give the unit 'log10 {self.unit}'")
        value = self._in_first_unit(number)
        if value <= 0 and (number.limit or self.scale):
            raise ValueError('without a meaning')
        MEASURES[self.measure].check(value)
        error = Number(number.error, unit=number.unit) if scaled and number.error is not None else None
        number = replace(number, value=value)
        return replace(number, error=error and self.error_of(number, error))

    def number(self, text: str) -> Number:
        """What is written in a cell, with its unit as the measure has it; raises ValueError as :meth:`read` does."""
        number = read_number(text, self.mark)
        if not number.unit or (self.is_error and number.unit == '%'):
            return number
        tokens, units = _tokens(self.measure)
        found = tokens.fullmatch(_words(number.unit).strip('()[]'))
        if self.scale or self.over or found is None or found.lastgroup not in units:
            raise ValueError(f'not a number in a known unit: known are {", ".join(MEASURES[self.measure].units)}')
        return replace(number, unit=units[found.lastgroup])

    def bounds(self, number: Number, values: Iterable[float] = ()) -> tuple[float, float]:
        """Between what, in the first unit, a quantity lies that was rounded to a number.

        :param values: the bounds of the value of which it is the error.
        """
        number = replace(number, unit=number.unit or self.unit or MEASURES[self.measure].unit)
        ends = [replace(number, value=number.value + half) for half in (-number.rounding, number.rounding)]
        found = [self.plain_error_of(Number(value, unit=number.unit), end) for value in values for end in ends]
        found = found if self.is_error else [self._in_first_unit(end) for end in ends]
        return min(found), max(found)

    def check(self, rows: list[Row]) -> None:
        """Raise :class:`~aiida_pesfp.errors.TableError` if most numbers cannot be right, or one is another head."""
        texts, wrong = [text for row in rows if not is_blank(text := row.cells.get(self.name, ''))], []
        for text in texts:
            try:
                self.read(text)
            except ImplausibleValue as reason:
                wrong.append(f'{text[:40]!r} is {reason}')
            except ValueError:  # costs its row only
                if text != self.name and _tells_unit(text, self.measure):
                    problem = f'the column {self.name!r} has {text!r} among its numbers: split the table'
                    raise TableError(problem) from None
        if len(wrong) > len(texts) / 2:
            raise TableError(f'most numbers of the column {self.name!r} cannot be right: {wrong[0]}')

    def check_temperature(self, temperature: float) -> None:
        """Raise ValueError if the name of the column tells another temperature (K)."""
        for text in self.at:
            at = Column(self.name, 'temperature').read(text).value if text[0].isdigit() else ROOM
            if abs(at - temperature) > SAME:
                raise ValueError(f'the column {self.name!r} is of {at:g} K, not of {temperature:g} K')

    def error_of(self, value: Number, error: Number) -> float:
        """The standard error of a value of :meth:`read`, in its unit. That of a logarithm is a part of the value.

        :raises ValueError: if it may be in the unit of the column or in that of the other cell.
        :raises ImplausibleValue: if it cannot be right.
        """
        found = self.plain_error_of(value, error)
        if found < 0:
            raise ImplausibleValue(f'its error of {found:g} is negative')
        MEASURES[self.measure].check(found, 'its error is ')
        return found

    def plain_error_of(self, value: Number, error: Number) -> float:
        """The same, whether it can be right or not."""
        if '%' in (error.unit, self.scale):
            return abs(value.value) * error.value / 100
        if self.scale:
            return error.value * math.log(_BASES[self.scale]) * value.value
        if bool(value.unit) != bool(error.unit) and self._factor(value.unit) != self._factor(error.unit):
            raise ValueError(f'either value or error is in {value.unit or error.unit}: give the other one a unit too')
        return error.value * self._factor(error.unit)

    def _in_first_unit(self, number: Number) -> float:
        unit = number.unit or self.unit
        if unit is None and self.measure == 'temperature' and number.value < SURELY_KELVIN:
            doubt = f'the column {self.name!r} has {number.value:g} without a unit: kelvin or degrees Celsius?'
            raise TableError(f"{doubt} Give temperature_unit (--temperature-unit) 'K' or 'C', or put it into the name")
        if self.over:
            return self.over / number.value if number.value > 0 else math.inf
        if unit == 'C':
            return number.value + CELSIUS
        return self._factor(unit) * (_BASES[self.scale] ** min(number.value, 300.0) if self.scale else number.value)

    def _factor(self, unit: str | None) -> float:
        return MEASURES[self.measure].units[unit or self.unit or MEASURES[self.measure].unit]


def read_heads(
    columns: dict[str, str], rows: list[Row], names: Iterable[str] = (), of: str = ''
) -> tuple[dict[str, Column], list[Row], dict[str, str]]:
    """How each column of numbers is read, the rows below the heads, and what the row of units has for each column.

    The first row belongs to the heads if it has a unit without a number, or no name: it holds units.

    :param columns: measure, or ``error``, -> name of its column.
    :param names: columns that name what a row is about.
    :param of: the measure of which ``error`` is the error.
    :raises TableError: as :func:`read_head`.
    """
    first = {role: rows[0].cells.get(name, '') for role, name in columns.items()}
    below = {columns[role]: text for role, text in first.items() if not is_blank(text)}
    told = [rows[0].cells.get(name, '') for name in names]
    no_name = told and all(map(_UNITS.fullmatch, told))
    is_unit = any(
        not _NUMBER.match(plain(text[:LONGEST])) and (_tells_unit(text, measure) or units_in(text[:LONGEST], measure))
        for measure, text in ((of if role == 'error' else role, text) for role, text in first.items())
    )
    below = below if no_name or is_unit else {}
    units, rows, found = (rows[0].cells, rows[1:], {}) if below else ({}, rows, {})
    mark = decimal_mark(row.cells.get(name, '') for row in rows for name in columns.values())
    for role, name in columns.items():
        measure, is_error = (of, True) if role == 'error' else (role, False)
        found[role] = Column(name, measure, mark, *read_head(name, measure, is_error, below.get(name, '')), is_error)
    return found, rows, units


@cache
def _tokens(measure: str, error: bool = False) -> tuple[re.Pattern, dict[str, str]]:
    """What the head of a column may consist of, and the unit that each group of the pattern stands for."""
    units = {f'unit{n}': unit for n, unit in enumerate(sorted(MEASURES[measure].units, key=len, reverse=True))}
    written = '|'.join(f'(?P<{name}>{_written(unit)})' for name, unit in units.items())
    words = ' '.join([_WORDS[''], _WORDS[measure], _WORDS['error'] if error else '']).replace('|', '').split()
    words = f'(?i:{"|".join(sorted(words, key=len, reverse=True))}){_END}'
    values = f'|{_LOGARITHM}|{_AT}' if measure in SCALED else ''
    return re.compile(rf'(?:/[ (\[]*)?(?:{written}){_END}{values}|{words}|{_BETWEEN}'), units


def _written(unit: str) -> str:
    """A pattern of all ways to write a unit."""
    above, per, below = unit.partition('/')
    pattern = _PARTS[above] + (f'{_PER}{_PARTS.get(below, below)}(?:{_INVERSE})?' if per else '')
    if above == 'S':
        product = f'{_OHM}{_TIMES}{below}'
        pattern += rf'|1 ?/[ (]*{product}|{product}\)?{_INVERSE}|{_OHM}{_INVERSE}{_PER}{below}(?:{_INVERSE})?'
    return pattern


def _words(text: str) -> str:
    """The same in few characters, with words for Greek letters."""
    return ' '.join(plain(text).translate(_PLAIN).split())
