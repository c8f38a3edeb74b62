"""Heads of columns of numbers: known words and units. What is not understood to its end is refused."""

import contextlib
import re
from functools import cache

from aiida_pesfp.errors import TableError
from aiida_pesfp.settings.units import MEASURES, SCALED
from aiida_pesfp.tables.numbers import plain

_GREEK = {
    '\u03bc': 'u',
    '\u03a9': ' ohm',
    '\u03c3': ' sigma ',
    '\u03c1': ' rho ',
    '\u03b4': ' delta ',
    '\u0394': ' delta ',
    '\u00c5': 'A',
}
_PLAIN = str.maketrans(_GREEK | {'\u00b0': ' deg ', '@': ' at ', '\u22c5': '\u00b7', '\u2219': '\u00b7'})
#: How the parts of units are written. Capitals count: MS is not mS.
_SIEMENS, _OHM, _DEGREES = '(?:[Ss]|(?i:siemens)|mho)', '(?i:ohms?)', '(?:o|deg(?:rees?|[.])? ?)?'
_PARTS = {
    'S': _SIEMENS,
    **{f'{one[0]}S': f'(?:{one[0]}|(?i:{one[1]})[ -]?){_SIEMENS}' for one in zip('mun', ('milli', 'micro', 'nano'))},
    **{f'{length}2': rf'{length} ?\^?2' for length in ('cm', 'mm', 'um', 'nm', 'm')},
    'A2': r'(?:A|(?i:ang(?:stroms?)?)) ?\^?2',
    'K': f'(?:(?!ok|OK){_DEGREES})(?i:k(?:elvins?)?)',
    'C': f'(?i:{_DEGREES}c(?:elsius|entigrade)?)',
    'eV': '(?:eV|ev|EV|(?i:electron ?volts?))',
    'meV': 'me[vV]',
    'atom': '(?i:at(?:oms?)?)',
    'J': '(?i:j(?:oules?)?)',
    'kJ': '(?i:kj)',
    'kcal': '(?i:kcal)',
}
_TIMES, _INVERSE, _END = r'[ _.\u00b7*]*', r' ?\^?[ ({]*-1[)}]*', r'(?![^\W\d_])'
_PER = rf'{_TIMES}(?:(?:/|per)[ _(]*)?'
#: Words that may stand in the head of a column; those behind the bar tell one kind of values from another.
_WORDS = {
    '': """value values in of the at and from by unit units mobile data rt room temperature temp ion ions ionic
        | mean average avg median max maximum exp test experiment experimental meas measured measurement ref reference
        lit literature calc calculated computed sim md simulation simulated aimd mlmd dft pbe pbesol gga lda scan r2scan
        hse hse06 run sample mp target label y result reported published li lithium na sodium""",
    'temperature': """t temps temperatures temperatur température temperatura
        | set setpoint target bath nominal thermostat""",
    'conductivity': r"""sigma \(t\) conductivity conductivities cond conduction ic superionic solid electrolyte
        conductivité conductividad leitfähigkeit ionenleitfähigkeit | total tot bulk grain boundary gb overall dc ac""",
    'diffusion': """d diff diffusion diffusivity diffusivities coefficient coefficients coeff diffusionskoeffizient
        | self tracer jump chemical msd slope""",
    'band_gap': """band gap bandgap bandgaps gaps bg eg egap e g energy bandlücke
        abs absorption edge onset cutoff cut.?off threshold absorptionskante
        | direct indirect optical fundamental electronic gw g0w0 mbj optb88vdw""",
    'energy_above_hull': 'e energy energies above hull ehull convex distance to stability d delta phase per.?atom',
    'activation_energy': 'activation energy e_?a act',
    'error': r"""err e errs error errors bar bars uncertainty uncertainties unc abs absolute delta d fehler \+/?-
        | std stdev stddev sd sem se stderr standard deviation dev""",
}
#: Words of heads of columns that change no number and no row, whatever they hold. One letter is one as it is.
_HARMLESS = """
    # id ids identifier uuid auid jid stru src name names label labels key code index unnamed row line entry no nr
    number numbers of material materials compound formula composition substance family sample samples probe specimen
    pellet batch structure series file filename cif path folder database collection group Z icsd cod csd mp oqmd aflow
    jarvis ref refs reference references source sources quelle citation paper article journal title doi url link year
    jahr date datum author authors operator lab laboratory institute note notes comment comments remark remarks
    bemerkung bemerkungen kommentar condition conditions"""
_KINDS = {word for words in _WORDS.values() for word in words.partition('|')[2].split()}
_LOGARITHMS = 'ln', 'log10'
_LOGARITHM = r'(?i:(?P<ln>ln)|(?P<log10>log ?_?10(?![0-9])|log|lg))(?=(?i:sigma|cond|diff|d(?![a-z]))|[^a-zA-Z0-9]|$)'
#: What a quantity is divided by before its unit, as in ``sigma / 10^-4 S cm^-1``.
_POWER = r'(?:(?<=[\w)\]])|(?<=[\w)\]] ))/[ (\[]*(?:10 ?\^ ?[({]?|1[eE])(?P<power>[+-]?[0-9]{1,2})[)}]?[ \u00b7*(\[]*'
#: ``1000/T (1/K)`` and ``T^-1`` without blanks and brackets.
_INVERSE_T = re.compile(
    r'(?i:(?:(10{3,4}|1e[34]|10\^[34]|1)k?/t(?:emp(?:erature)?)?|inv(?:erse)?t(?:emp(?:erature)?)?|t\^-1)'
    r'(?:(?:in|/)?(?:1/)?k(?:\^?-1)?)?)'
)
#: ``1/kT (1/eV)``, and how many kelvin are 1 eV.
_INVERSE_KT = re.compile(r'1/k_?b?t(?:in|/)?(?:1/ev|ev\^?-1)', re.IGNORECASE)
_KELVINS = 11604.518
#: ``sigma*T`` and ``ln(sigma T)``, and the kelvin in ``S K cm^-1``.
_SIGN, _SIGMA = r'[ _]?[*\u00b7\u00d7x]?[ _]?', '(?:sigma|cond(?:uctivity)?)'
_TIMES_T = re.compile(rf'(?i:(?P<left>{_SIGMA}){_SIGN}T|T{_SIGN}(?P<right>{_SIGMA}))(?![^\W_])')
_SURELY_TIMES = re.compile(r'(?i:[*\u00b7\u00d7]|[ _]x[ _]|(?<![^\W_])(?:ln|log|lg)(?!.*_T))')
_KELVIN = re.compile(
    r'(?:(?<=-1)|(?<=-1[ )])|(?<![/\d])(?<![/\d] ))(?:[\u00b7*.]|(?<![^\W\d_]))K(?![^\W\d_]|[ ^({]*-)'
    r'|(?<=S)K(?=[ _/\u00b7c])'
)
_PER_KELVIN = re.compile(r'/ ?c?m[ \u00b7*.]?K')
#: Temperature at which the values of a column were measured.
_AT = rf'(?P<at>[0-9]+(?:[.][0-9]+)? ?(?:{_PARTS["K"]}|{_PARTS["C"]})|(?i:(?:s_)?rt|room[ _]?temp(?:erature)?)){_END}'
_AT_ANYWHERE = rf'(?<![^\W_]){_AT}'
_BETWEEN = r'[ _()\[\]{},:]|[.](?![0-9])|(?<=[^\W\d_])-(?=[^\W\d_])|(?<=[^-] )- '
_ALONE = r'(?<![^\W\d_])(?:{})(?![^\W\d_])'.format
#: Measures of a crystal, not of its ions.
_OF_CRYSTALS = 'band_gap', 'energy_above_hull'
#: What tells that a column is about one of these, whatever else stands in its head.
_TELLS = {
    'temperature': f'(?i:{_ALONE("t|k_?b?_?t|temp[a-zé]*")})',
    'conductivity': f'(?i:sigma|conduct|leitf|{_ALONE("cond|ic")})',
    'diffusion': f'(?i:diff)|{_ALONE("D")}',
    'band_gap': f'(?i:gap|bandlücke|{_ALONE("e_?g")})',
    'energy_above_hull': '(?i:hull)',
    'error': rf'(?i:err|unc|std|dev|delta|fehler|\+/?-|{_ALONE("s[de]|sem")})',
}
#: A head with such a word is about a property, but does not hold its values.
_ABOUT = re.compile(r'(?i:(?<![^\W\d_])(?:is|types?|kind|units?|err|errors?|std|uncertainty)(?![^\W\d_]))')


def read_head(name: str, measure: str, error: bool = False, below: str = '') -> tuple:
    """What the name of a column tells: its unit or None, ``log10``, ``ln`` or None, and temperatures of its values.

    :param measure: of :data:`~aiida_pesfp.settings.units.MEASURES`.
    :param error: whether the column holds errors of this measure.
    :param below: what a row of units below the name has.
    :raises TableError: naming what is neither a word that is known for the measure nor one of its units.
    """
    text, (tokens, units), place, found = in_words(f'{name} {below}'), tokens_of(measure, error), 0, []
    while place < len(text) and (token := tokens.match(text, place)):
        found += [(token.lastgroup, token)] if token.lastgroup else []
        place = token.end()
    at, scales = [one[0] for kind, one in found if kind == 'at'], [kind for kind, _ in found if kind in _LOGARITHMS]
    powers = [(one.groupdict().get('power'), units[kind]) for kind, one in found if kind in units]
    ours = {f'1e{int(power)} {unit}' if power else unit for power, unit in powers}
    if place < len(text) or len(scales) > 1 or len(ours) > 1:
        column = f'the column {name!r}' + (f', with {below!r} in its first row,' if below else '')
        known = f'known are words for {measure} and one of {", ".join(MEASURES[measure].units)}'
        way_out = 'write relative errors as 20 %, each in its cell' if error else 'convert its numbers if need be'
        raise TableError(f'{column} is not understood from {text[place:] or text!r} on: {known}. Rename it; {way_out}')
    return next(iter(ours), None), next(iter(scales), None), tuple(at)


def over_temperature(head: str) -> float:
    """What a head such as ``1000/T (1/K)`` says that is divided by the temperature, K; 0 if it says no such thing."""
    text = re.sub(r'[ _()\[\]{}.,*\u00b7]', '', in_words(head))
    found = _INVERSE_T.fullmatch(text)
    if _INVERSE_KT.fullmatch(text):
        return _KELVINS
    return float((found[1] or '1').replace('10^', '1e')) if found else 0.0


def without_temperature(head: str, error: bool = False) -> str | None:
    """A head of conductivities, of one of their products with the temperature such as ``sigma*T (S K/cm)``, or None.

    ``sigma_T`` says where it was measured, and is none unless the unit has a kelvin; ``sigma*T (S/cm)`` is not clear.
    """
    text = in_words(head)
    named = _TIMES_T.sub(lambda found: f'{found["left"] or found["right"]} ', text)
    rest, kelvins = _KELVIN.subn(' ', named)
    unit, *_ = try_head(rest, 'conductivity', error) or ('',)
    if rest == text or kelvins > 1 or unit == '' or bool(unit) != bool(kelvins):
        return None
    unclear = _PER_KELVIN.search(text) if named == text else not (kelvins or _SURELY_TIMES.search(text))
    return None if unclear else rest


def find_column(measure: str, names: list[str]) -> str | None:
    """The column of a property: that of its name, whatever case and signs, else the only one whose head tells it.

    :param measure: of :class:`~aiida_pesfp.settings.screen.Properties`.
    :raises TableError: if several may be it, or one that may be is not understood.
    """
    tells = [name for name in names if re.search(_TELLS[measure], in_words(name))]
    alike = [name for name in tells if not _ABOUT.search(in_words(name))]
    same = [name for name in alike if re.sub(r'[\W_]', '', name).lower() == measure.replace('_', '')]
    for found in ([name for name in same if name == measure], same, alike):
        if len(found) == 1:
            read_head(found[0], measure)
            return found[0]
    if alike:
        option = f'--{measure.replace("_", "-")}-column'
        raise TableError(f'each of the columns {", ".join(alike)} may be the {measure}: say which one with {option}')
    return None


def units_in(text: str, measure: str, behind_numbers: bool = True) -> set[str]:
    """The units of a measure that stand anywhere in a text; of temperatures, not K and C, which are elements too."""
    tokens, units = tokens_of(measure)
    place = r'(?<![^\W\d_])' if behind_numbers else r'(?<![^\W_])(?<!\d )'
    found = re.finditer(rf'{place}(?:{tokens.pattern})', in_words(text))
    return {units[one.lastgroup] for one in found if one.lastgroup in units and len(one[0]) > 1}


def is_about(text: str, measure: str) -> bool:
    """Whether a text tells that it is about a measure or an ``error``, be it by its unit."""
    by_unit = measure in ('temperature', *SCALED) and units_in(text, measure)
    return bool(by_unit or re.search(_TELLS[measure], in_words(text)))


def kinds_in(text: str) -> set[str]:
    """The words in a head that tell one kind of values from another, as ``bulk`` or ``measured``."""
    return _KINDS & set(re.findall('[^\\W_]+', in_words(text).lower()))


def is_harmless(name: str, texts: list[str]) -> bool:
    """Whether the head of a column says that it is a name, number, source or remark, or another property of a crystal.

    A column without a name must have whole numbers, as an index has.
    """
    words = [word if len(word) == 1 else word.lower() for word in re.findall(r'#|[^\W\d_]+', name)]
    if not words:
        return all(text.isdigit() for text in texts if text)
    known = words[-1].lower() in ('id', 'doi') or {*words} <= {*_HARMLESS.split()}
    return known or any(is_about(name, one) and try_head(name, one) for one in _OF_CRYSTALS)


def temperatures_in(text: str) -> tuple[str, ...]:
    """The temperatures that stand in a text, as :class:`Column` has them."""
    return tuple(one['at'] for one in re.finditer(_AT_ANYWHERE, in_words(text)))


def without_temperatures(text: str) -> str:
    """The same without these."""
    return re.sub(_AT_ANYWHERE, '', in_words(text))


def try_head(name: str, measure: str, error: bool = False, below: str = '') -> tuple | None:
    """As :func:`read_head`, None for what is not understood."""
    with contextlib.suppress(TableError):
        return read_head(name, measure, error, below)
    return None


def tells_unit(text: str, measure: str) -> bool:
    """Whether a text is a head with a unit."""
    return (try_head(text, measure) or (None,))[0] is not None


@cache
def tokens_of(measure: str, error: bool = False) -> tuple[re.Pattern, dict[str, str]]:
    """What the head of a column may consist of, and the unit that each group of the pattern stands for."""
    units = {f'unit{n}': unit for n, unit in enumerate(sorted(MEASURES[measure].units, key=len, reverse=True))}
    written = '|'.join(f'(?P<{name}>{_written(unit)})' for name, unit in units.items())
    words = ' '.join([_WORDS[''], _WORDS[measure], _WORDS['error'] if error else '']).replace('|', '').split()
    words = f'(?i:{"|".join(sorted(words, key=len, reverse=True))}){_END}'
    power = f'{_POWER}|' if measure in SCALED else ''
    values = f'|{_LOGARITHM}|{_AT}' if measure in SCALED else ''
    return re.compile(rf'(?:{power}(?:/[ (\[]*)?)(?:{written}){_END}{values}|{words}|{_BETWEEN}'), units


def _written(unit: str) -> str:
    """A pattern of all ways to write a unit."""
    above, per, below = unit.partition('/')
    pattern = _PARTS[above] + (f'{_PER}{_PARTS.get(below, below)}(?:{_INVERSE})?' if per else '')
    if above == 'S':
        product = f'{_OHM}{_TIMES}{below}'
        pattern += rf'|1 ?/[ (]*{product}|{product}\)?{_INVERSE}|{_OHM}{_INVERSE}{_PER}{below}(?:{_INVERSE})?'
    return pattern


def in_words(text: str) -> str:
    """The same in few characters, with words for Greek letters."""
    return ' '.join(plain(text).translate(_PLAIN).split())
