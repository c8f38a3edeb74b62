"""Columns of numbers: heads of known words and units, and cells. What is not understood to its end is refused."""

import math
import re
from dataclasses import dataclass, replace
from functools import cache

from aiida_pesfp.crystals.numbers import Number, decimal_mark, is_blank, plain, read_number
from aiida_pesfp.crystals.tables import Row
from aiida_pesfp.errors import TableError
from aiida_pesfp.settings.units import MEASURES, ImplausibleValue

_GREEK = {'\u03bc': 'u', '\u03a9': ' ohm', '\u03c3': ' sigma ', '\u03b4': ' delta ', '\u0394': ' delta ', '\u00c5': 'A'}
_PLAIN = str.maketrans(_GREEK | {'\u00b0': ' deg ', '@': ' at ', '\u22c5': '\u00b7', '\u2219': '\u00b7'})
#: How the parts of units are written. Capitals count: MS is not mS.
_SIEMENS, _DEGREES = '(?:[Ss]|(?i:siemens)|mho)', '(?:o|deg(?:rees?|[.])? ?)?'
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
_ANYWHERE = """
    mean average avg median max maximum value values in of the at and from by unit units mobile exp experiment test data
    experimental meas measured measurement ref reference lit literature calc calculated computed sim simulation
    simulated md aimd mlmd dft run sample target label y result reported published li lithium na sodium ion ions
    ionic"""
#: Words that may stand in the head of a column.
_WORDS = {
    'temperature': 't temp temps temperature temperatures temperatur temp\u00e9rature temperatura thermostat room',
    'conductivity': r"""sigma _t \(t\) s_rt rt conductivity conductivities cond conduction ic total tot bulk grain
        boundary gb overall dc ac room temperature temp superionic solid electrolyte conductivit\u00e9 conductividad
        leitf\u00e4higkeit ionenleitf\u00e4higkeit""",
    'diffusion': """d diff diffusion diffusivity diffusivities coefficient coefficients coeff self tracer jump msd slope
        rt room temperature temp diffusionskoeffizient""",
    'band_gap': """band gap bandgap gaps eg e g energy direct indirect optical fundamental electronic pbe pbesol gga lda
        hse hse06 scan r2scan gw g0w0 mbj optb88vdw bandl\u00fccke""",
    'energy_above_hull': """e energy energies above hull ehull convex distance to stability d phase pbe pbesol gga lda
        scan r2scan""",
    'error': r"""err e errs error errors std stdev stddev sd sem se stderr standard deviation dev uncertainty
        uncertainties unc abs absolute delta d fehler \+/?-""",
}
_LOGARITHM = r'(?i:(?P<ln>ln)|(?P<log10>log ?_?10(?![0-9])|log|lg))(?=(?i:sigma|cond|diff|d(?![a-z]))|[^a-zA-Z0-9]|$)'
#: Temperature at which the values of a column were measured.
_AT = rf'[0-9]+(?:[.][0-9]+)? ?(?:{_PARTS["K"]}|{_PARTS["C"]}){_END}'
_BETWEEN = r'[ _()\[\]{},:]|[.](?![0-9])|(?<=[^\W\d_])-(?=[^\W\d_])|(?<=[^-] )- '
_WORDY = re.compile(r'[^\W\d_]|%')
#: A number, or an attempt to write one; but 1/(ohm cm) is a unit.
_LIKE_NUMBER = re.compile(r'(?i:[<>\u2264\u2265~\u2248+\u2212-]?\s*(?:[.,]?\d(?! ?/)|inf))')


#: Measures of which tables have logarithms and limits.
SCALED = ('conductivity', 'diffusion')
#: A smaller number in a column of logarithms is the value itself.
SMALLEST_LOGARITHM = 0.01
#: A plain number that is not larger than this, in whatever unit, is a logarithm.
SURELY_LOGARITHM = -1.0
#: A lower temperature in a column that names no unit may be one in degrees Celsius, K.
SURELY_KELVIN = 273.0
#: Degrees Celsius at 0 K.
CELSIUS = 273.15


@dataclass(frozen=True)
class Head:
    """What the head of a column says: its unit, and ``log10`` or ``ln``, each None if it is not there."""

    unit: str | None = None
    scale: str | None = None


def read_head(name: str, measure: str, error: bool = False, below: str = '') -> Head:
    """The unit that the name of a column tells.

    :param measure: of :data:`~aiida_pesfp.settings.units.MEASURES`.
    :param error: whether the column holds errors of this measure.
    :param below: what a row of units below the name has.
    :raises TableError: naming what is neither a word that is known for the measure nor one of its units.
    """
    text, tokens, place, found = _words(f'{name} {below}'), _tokens(measure, error), 0, []
    while place < len(text) and (token := tokens.match(text, place)):
        found += [token.lastgroup] if token.lastgroup else []
        place = token.end()
    units = _units(measure)
    scales, ours = [one for one in found if one not in units], {units[one] for one in found if one in units}
    if place < len(text) or len(scales) > 1 or len(ours) > 1:
        column = f'the column {name!r}' + (f', with {below!r} in its first row,' if below else '')
        known = f'known are words for {measure} and one of {", ".join(MEASURES[measure].units)}'
        way_out = 'write relative errors as 20 %, each in its cell' if error else 'convert its numbers if need be'
        raise TableError(f'{column} is not understood from {text[place:] or text!r} on: {known}. Rename it; {way_out}')
    return Head(*(next(iter(one), None) for one in (ours, scales)))


def read_heads(columns: dict[str, str], rows: list[Row], of: str = '') -> tuple[dict[str, Head], list[Row], str | None]:
    """Heads of all columns of numbers, the rows below them, and the decimal mark of the numbers.

    If the first row has words and no number, it holds units, and belongs to the heads.

    :param columns: measure, or ``error``, -> name of its column.
    :param of: the measure of which ``error`` is the error.
    :raises TableError: as :func:`read_head`.
    """
    first = {name: rows[0].cells.get(name, '') for name in columns.values()}
    below = {name: text for name, text in first.items() if _WORDY.search(text) and not is_blank(text)}
    if any(_LIKE_NUMBER.match(text) for text in first.values()):
        below = {}
    rows = rows[1:] if below else rows
    heads = {
        role: read_head(name, of if role == 'error' else role, role == 'error', below.get(name, ''))
        for role, name in columns.items()
    }
    return heads, rows, decimal_mark(row.cells.get(name, '') for row in rows for name in first)


@dataclass(frozen=True)
class Column:
    """How the numbers of a column are read.

    :param measure: of :data:`~aiida_pesfp.settings.units.MEASURES`; values are in the first of its units.
    :param unit: of the cells without their own; None if nobody knows.
    :param mark: decimal mark.
    :param logarithmic: whether the numbers are decimal logarithms.
    """

    name: str
    measure: str
    unit: str | None
    mark: str | None
    logarithmic: bool = False

    def read(self, text: str) -> Number:
        """The number in a cell.

        :raises ValueError: if it is none or cannot be right, with the reason.
        :raises TableError: if its unit may be K or C.
        """
        number = self._number(text)
        if number.limit and self.measure not in SCALED:
            raise ValueError('not a number but a limit')
        if self.logarithmic and 0 < abs(number.value) < SMALLEST_LOGARITHM:
            raise ImplausibleValue('hardly a logarithm')
        if self.measure in SCALED and not self.logarithmic and number.value <= SURELY_LOGARITHM:
            raise ImplausibleValue(f"a logarithm among plain numbers: if all are, give the unit 'log10 {self.unit}'")
        value = self._in_first_unit(number)
        if value <= 0 and (number.limit or self.logarithmic):
            raise ValueError('without a meaning')
        MEASURES[self.measure].check(value)
        return replace(number, value=value, error=number.error and self._error(number.error, number.unit, value))

    def read_error(self, text: str, value: float) -> float:
        """The standard error of a value, from a cell of its own; see :meth:`read`."""
        number = self._number(text, percent=True)
        if number.limit or number.value < 0:
            raise ValueError('negative' if number.value < 0 else 'not a number but a limit')
        return self._error(number.value, number.unit, value)

    def _number(self, text: str, percent: bool = False) -> Number:
        """With a known unit."""
        number = read_number(text, self.mark)
        if number.unit == '' or (percent and number.unit == '%'):
            return number
        found, units = _tokens(self.measure, False).fullmatch(_words(number.unit).strip('()[]')), _units(self.measure)
        if self.logarithmic or found is None or found.lastgroup not in units:
            raise ValueError(f'not a number in a known unit: known are {", ".join(MEASURES[self.measure].units)}')
        return replace(number, unit=units[found.lastgroup])

    def _in_first_unit(self, number: Number) -> float:
        unit, units = number.unit or self.unit, MEASURES[self.measure].units
        if unit is None:
            if number.value < SURELY_KELVIN:
                doubt = f'the column {self.name!r} has {number.value:g} without a unit: kelvin or degrees Celsius?'
                raise TableError(
                    f"{doubt} Give temperature_unit (--temperature-unit) 'K' or 'C', or put it into the name"
                )
            unit = 'K'
        if unit == 'C':
            return number.value + CELSIUS
        return units[unit] * (10 ** min(number.value, 300.0) if self.logarithmic else number.value)

    def _error(self, error: float, unit: str, value: float) -> float:
        """In the first unit; the error of a logarithm is a part of the value."""
        if unit == '%':
            found = abs(value) * error / 100
        elif self.logarithmic:
            found = error * math.log(10) * value
        else:
            found = error * MEASURES[self.measure].units[unit or self.unit]
        MEASURES[self.measure].check(found)
        return found


@cache
def _units(measure: str) -> dict[str, str]:
    """Names of groups in a pattern -> units, those with parts in common from the longest one on."""
    return {f'unit{n}': unit for n, unit in enumerate(sorted(MEASURES[measure].units, key=len, reverse=True))}


@cache
def _tokens(measure: str, error: bool) -> re.Pattern:
    """What the head of a column may consist of."""
    units = '|'.join(f'(?P<{name}>{_written(unit)})' for name, unit in _units(measure).items())
    words = ' '.join([_ANYWHERE, _WORDS[measure], _WORDS['error'] if error else '']).split()
    words = f'(?i:{"|".join(sorted(words, key=len, reverse=True))}){_END}'
    values = f'|{_LOGARITHM}|{_AT}' if measure in SCALED else ''
    return re.compile(rf'(?:/[ (\[]*)?(?:{units}){_END}{values}|{words}|{_BETWEEN}')


def _written(unit: str) -> str:
    """A pattern of all ways to write a unit."""
    above, per, below = unit.partition('/')
    pattern = _PARTS[above]
    if per:
        pattern += f'{_PER}{_PARTS.get(below, below)}(?:{_INVERSE})?'
    if above == 'S':
        ohm = f'ohm{_TIMES}{below}'
        pattern += rf'|1 ?/[ (]*{ohm}|{ohm}\)?{_INVERSE}|ohm{_INVERSE}{_PER}{below}(?:{_INVERSE})?'
    return pattern


def _words(text: str) -> str:
    """The same in few characters, with words for Greek letters."""
    return ' '.join(plain(text).translate(_PLAIN).split())
