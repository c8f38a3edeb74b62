"""Units that stand in the names of columns, or behind numbers."""

import contextlib
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator

from aiida_pesfp.crystals.numbers import Number, read_number
from aiida_pesfp.errors import LabelError
from aiida_pesfp.settings.assessment import SURELY_KELVIN, TableFormat

#: Before and after a word.
_BEGIN, _END = '(?<![a-z])', '(?![a-z])'
_DEGREES = rf'{_BEGIN}(?:deg(?:rees?)? ?)?'
_TEMPERATURES = {
    'C': re.compile(rf'{_DEGREES}o?c(?:elsius|entigrade)?{_END}'),
    'K': re.compile(rf'{_DEGREES}k(?:elvins?)?{_END}'),
    'F': re.compile(rf'{_DEGREES}f(?:ahrenheit)?{_END}'),
}
#: Not kelvin, though it looks like it.
_OTHER_TEMPERATURE = re.compile(rf'{_BEGIN}(?:m(?:illi)? ?k(?:elvin)?|m?ev|k ?b ?t|kt|beta){_END}|[+] ?273')
_INVERSE = re.compile(rf'{_BEGIN}(?:10 ?\d+|1) ?/ ?t|{_BEGIN}k ?-1{_END}|inverse|reciprocal')
_LOGARITHM = re.compile(rf'{_BEGIN}(log ?10|log|lg|ln)(?=[^a-z]|sigma|cond|diff|d{_END}|s{_END}|$)')
_SIEMENS = re.compile(rf'{_BEGIN}(milli|micro|[mun])?s(?:iemens)? ?(?:/|per)? ?(cm|m)(?: ?-?1)?{_END}')
_PER_OHM = re.compile(rf'{_BEGIN}(?:ohm ?-1 ?(cm|m) ?-1|1 ?/ ?ohm ?(cm|m)|ohm ?(cm|m) ?-1){_END}')
_AREA = re.compile(rf'{_BEGIN}(cm|mm|nm|m|a|ang|angstrom) ?2 ?(?:/|per)? ?(s|ps|fs|ns)(?: ?-?1)?{_END}')
_TIMES_TEN = '(?<![a-z])[x\u00d7\u00b7*] ?10(?![0-9])'
_TEN_TO_THE = '10 ?(?:\\^|\\*\\*)|10[\u2070-\u207b\u00b9\u00b2\u00b3]'
_SMALL = '(?<![\\w.])(?:x? ?(?:10 ?[-\u2212]|1e-?|e[-\u2212])[0-9]|0?[.]0+1(?![0-9]))'
_POWER_OF_TEN = re.compile(f'{_TIMES_TEN}|{_TEN_TO_THE}|{_SMALL}')
_MINUS_LOGARITHM = re.compile('(?:^|[^\\w])[-\u2212] ?(?:log|lg|ln)|neg(?:ative)?[ _]?log')
_RESISTIVITY = re.compile(rf'resisti|{_BEGIN}[km]?ohm')
_PRODUCT = re.compile(rf'(?:\u03c3|sigma) ?[x\u00d7\u00b7\u22c5*]? ?t{_END}')
_PRODUCT_UNIT = re.compile(rf'{_BEGIN}(?:s ?k|k ?s) ?/? ?cm')
_ENERGY = re.compile(rf'{_BEGIN}(?:m?ev|kj|kcal){_END}')
_CONDUCTANCE = re.compile(rf'conductance|siemens|{_BEGIN}ms{_END}')
#: In the name of a column of errors.
_RELATIVE = re.compile('%|percent|relative')
_SHORT = {'milli': 'm', 'micro': 'u', 'a': 'A', 'ang': 'A', 'angstrom': 'A'}
_WORDS = {'\u03bc': 'u', '\u03c9': 'ohm', '\u03c3': 'sigma', '\u2212': '-', '\u00e5': 'a', '\u00b0': ' deg '}


def temperature_unit(text: str) -> str | None:
    """``K``, ``C`` or ``F``, found in the name of a column; None if there is no unit, or several.

    :raises ValueError: with its name, if it is another quantity.
    """
    plain = _plain(text)
    if _INVERSE.search(plain):
        raise ValueError('an inverse temperature')
    if _OTHER_TEMPERATURE.search(plain):
        raise ValueError('something else')
    found = [unit for unit, pattern in _TEMPERATURES.items() if pattern.search(plain)]
    return found[0] if len(found) == 1 else None


def value_unit(text: str, quantity: str) -> tuple[str | None, str | None]:
    """Unit of a ``conductivity`` or ``diffusion``, and ``log10`` or ``ln``, each None if it is not there.

    :raises ValueError: with its name, if it is another quantity.
    """
    plain, own = _plain(text), text.casefold()
    if _POWER_OF_TEN.search(own):
        raise ValueError('a power of ten in its name')
    if _MINUS_LOGARITHM.search(own):
        raise ValueError('negative logarithms')
    logarithm = _LOGARITHM.search(plain)
    scale = logarithm and ('ln' if logarithm[1] == 'ln' else 'log10')
    if _ENERGY.search(plain):
        raise ValueError('an energy')
    if quantity == 'diffusion':
        if _SIEMENS.search(plain):
            raise ValueError('a conductivity')
        found = _AREA.search(plain)
        return found and f'{_SHORT.get(found[1], found[1])}2/{found[2]}', scale
    if found := _PER_OHM.search(plain):
        return f'S/{next(filter(None, found.groups()))}', scale
    if _RESISTIVITY.search(plain):
        raise ValueError('a resistivity')
    if _PRODUCT.search(own) or _PRODUCT_UNIT.search(plain):
        raise ValueError('a conductivity times a temperature')
    if _AREA.search(plain):
        raise ValueError('a diffusion coefficient')
    found = _SIEMENS.search(plain)
    if not found and _CONDUCTANCE.search(plain):
        raise ValueError('a conductance without a length')
    return found and f'{_SHORT.get(found[1], found[1] or "")}S/{found[2]}', scale


def unit_of_cell(text: str, quantity: str) -> str | None:
    """The unit behind a number: a ``temperature``, ``conductivity`` or ``diffusion``; None if it is anything else."""
    plain = _plain(text)
    if quantity == 'temperature':
        return next((unit for unit, pattern in _TEMPERATURES.items() if pattern.fullmatch(plain)), None)
    patterns = (_AREA,) if quantity == 'diffusion' else (_PER_OHM, _SIEMENS)
    return value_unit(text, quantity)[0] if any(pattern.fullmatch(plain) for pattern in patterns) else None


def _plain(text: str) -> str:
    """Lower case, with a blank for brackets, underscores and signs of multiplication."""
    text = unicodedata.normalize('NFKC', text.replace('\u00ba', '\u00b0')).casefold()
    text = ''.join(_WORDS.get(character, character) for character in text)
    return ' '.join(re.sub(r'[\s_()\[\]{}^*\u00b7\u22c5.,:]+', ' ', text).split())


def check_unit(form: TableFormat, texts: list[str], mark: str | None) -> None:
    """Raise :class:`~aiida_pesfp.errors.LabelError` if the unit that is given is not that of the values.

    :param texts: cells of the column of values.
    :param mark: its decimal mark.
    """
    name, wanted = form.columns[form.quantity], form.unit.split()[-1]
    column = f'the column {name!r}'
    try:
        unit, scale = value_unit(name, form.quantity)
    except ValueError as what:
        raise LabelError(f'{column} has {what}, not a plain {form.quantity}: convert it, then rename it') from None
    if scale == 'ln':
        raise LabelError(f'{column} holds natural logarithms: convert them to decimal ones or to plain numbers')
    if scale and not form.logarithmic:
        raise LabelError(f"{column} holds logarithms: give the unit 'log10 {unit or wanted}', not {form.unit!r}")
    if unit not in (None, wanted):
        raise LabelError(f'{column} is in {unit}, but the unit is given as {form.unit!r}: change one of them')
    _check_errors(form, wanted)
    numbers = [number.value for number in _numbers(texts, mark)]
    if not form.logarithmic and sum(number <= -1 for number in numbers) > len(numbers) / 2:
        raise LabelError(f"most numbers of {column} are below -1: if they are logarithms, give 'log10 {wanted}'")
    if form.logarithmic and sum(number + math.log10(form.factor) > 1 for number in numbers) > len(numbers) / 2:
        raise LabelError(f'most numbers of {column} are logarithms of more than 10: do they lack their minus?')


def _check_errors(form: TableFormat, wanted: str) -> None:
    """The same for the column of errors, if there is one."""
    name = form.columns.get('error', '')
    if _RELATIVE.search(name.casefold()):
        raise LabelError(f'the column {name!r} holds relative errors: write the unit into its cells, as in 20 %')
    try:
        unit = value_unit(name, form.quantity)[0]
    except ValueError as what:
        raise LabelError(f'the column {name!r} has {what}, not a plain error: convert it, then rename it') from None
    if unit not in (None, wanted):
        raise LabelError(
            f'the column {name!r} is in {unit}, but the unit is given as {form.unit!r}: change one of them'
        )


def unit_of_temperatures(form: TableFormat, texts: list[str], mark: str | None) -> tuple[str, list[str]]:
    """``K`` or ``C`` for the temperatures that have no unit of their own, and a sentence that says how it was found.

    :param texts: cells of the column of temperatures, if there is one.
    :param mark: its decimal mark.
    :raises LabelError: if it is another quantity or unit, or nobody can tell.
    """
    if 'temperature' not in form.columns:
        return 'K', []
    name, given = form.columns['temperature'], form.temperature_unit
    column, way_out = f'the column {name!r}', "give temperature_unit (--temperature-unit) 'K' or 'C'"
    try:
        found = temperature_unit(name)
    except ValueError as what:
        raise LabelError(f'{column} holds {what}, not a temperature: convert it') from None
    if found == 'F':
        raise LabelError(f'{column} is in degrees Fahrenheit: convert it')
    if given != 'header':
        if found not in (None, given):
            raise LabelError(f'{column} is in {found}, but temperature_unit is {given!r}: change one of them')
        return given, [f'temperatures of {column} are in {given}, as given']
    if found:
        return found, [f'temperatures of {column} are in {found}, by its name']
    for number in _numbers(texts, mark):
        if not number.unit and number.value < SURELY_KELVIN:
            doubt = f'{column} has {number.value:g} without a unit: kelvin or degrees Celsius?'
            raise LabelError(f"{doubt} {way_out[0].upper()}{way_out[1:]}, or put it into the name, as in 'T (K)'")
    return 'K', [f'temperatures of {column} are taken as kelvin; otherwise {way_out}']


def _numbers(texts: Iterable[str], mark: str | None) -> Iterator[Number]:
    for text in texts:
        with contextlib.suppress(ValueError):
            yield read_number(text, mark)
