"""Numbers as people write them in tables: limits, uncertainties, powers of ten, decimal commas. Nothing is guessed."""

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

#: No number is longer.
LONGEST = 100
#: Cells that say that there is no number.
_BLANK = re.compile(r'[-.?/()\[\]]*|n\.? ?[/.]? ?[ad]\.?|nan|null|none|missing|unknown|#n/a|tb[acd]', re.IGNORECASE)
_PLAIN = str.maketrans(
    dict.fromkeys('\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d', '-')
    | {'\u2264': '<=', '\u2a7d': '<=', '\u2265': '>=', '\u2a7e': '>=', '\u2019': "'", '\u00b1': '+-'}
    | dict.fromkeys('\u223c\u2248\u2243\u2245', '~')
)
#: In LaTeX: multiplication, plus-minus, and what means nothing.
_LATEX = re.compile(r'(\\times|\\cdot)|(\\pm)|\$|\\[,;!]')
_TIMES_TEN = re.compile('[\u00d7\u00b7\u22c5\u2219*](?=\\s*10)')
#: The power in 10⁻⁴; behind another number it is the mark of a footnote, and the number is refused.
_SUPERSCRIPT = re.compile('(?<=[0-9])[\u207a\u207b]?[\u00b9\u00b2\u00b3\u2070-\u2079\u2080-\u2089\u2460-\u249b]+')
_LIMIT = re.compile(r'([<>])=?\s*')
_ABOUT = re.compile(r'(?<![^\W\d_])(~|(?:ca|approx|about)(?![^\W\d_])\.?)\s*', re.IGNORECASE)
_MANTISSA = r"[0-9][0-9.,' ]*|[.,][0-9]+"
#: Without a sign in the exponent, 1x104 may be 1x10^4 or 1x104.
_POWER = r'\s*(?:[eEdD]([+-]?[0-9]+)|[xX]?\s*10\s*\^\s*[({]?([+-]?[0-9]+)[)}]?|[xX]\s*10([+-][0-9]+))'
_PART = rf'([+-]?)\s*(?:({_MANTISSA})\s*(?:\(([0-9.,]+)\))?(?:{_POWER})?|10\s*\^\s*([+-]?[0-9]+))'
#: Not the rest of a number, such as the second half of 1e-4-1e-3.
_UNIT = r'\s*((?![eEdDxX]\s*[+-]?[0-9])[^\W\d_].*|[%\u00b0].*)?'
#: A value, perhaps with its uncertainty; a power of ten behind brackets belongs to both.
_NUMBER = re.compile(rf'(\()?{_PART}(?:\s*\+/?-\s*{_PART})?(?(1)\)(?:{_POWER})?){_UNIT}')
_GROUPS = re.compile(r"[0-9]{1,3}(?:([.,' ])[0-9]{3}(?:\1[0-9]{3})*)?")
_AMBIGUOUS = re.compile(r'[1-9][0-9]{0,2}[.,][0-9]{3}')
_MANTISSAS = re.compile(rf'({_MANTISSA})((?:\([0-9.,]+\))?{_POWER})?')


@dataclass(frozen=True)
class Number:
    """A number of a table.

    :param error: its uncertainty, if it stands beside it, as in ``1.2(3)`` and ``1.2 +- 0.3``.
    :param limit: ``<`` for an upper limit, ``>`` for a lower one.
    :param unit: what follows the number.
    :param rounding: half a unit of its last digit; ``error_rounding`` is that of its uncertainty.
    """

    value: float
    error: float | None = None
    limit: str | None = None
    unit: str = ''
    rounding: float = field(default=0.0, compare=False)
    error_rounding: float = field(default=0.0, compare=False)


def is_blank(text: str) -> bool:
    """Whether a cell says that there is no number: nothing, a dash, NA, n.d., null and the like."""
    return _BLANK.fullmatch(plain(text)) is not None


def read_number(text: str, mark: str | None = None) -> Number:
    """The number in a cell, such as ``<1E-10``, ``~2``, ``1,5e-3``, ``1.2(3)e-4``, ``(1.2 +- 0.3) x 10^-4``, ``25 K``.

    :param mark: decimal mark of the column, from :func:`decimal_mark`: it decides what ``1,234`` means.
    :raises ValueError: if this is not a number or has two meanings, with the reason.
    """
    text = plain(text)
    limit = _LIMIT.match(text)
    text = _ABOUT.sub('', text[limit.end() :] if limit else text, count=1) if len(text) <= LONGEST else ''
    found = _NUMBER.fullmatch(text)
    if not found or (found[1] and not any(found.groups()[8:15])):  # brackets hold a value and its uncertainty
        raise ValueError('not a number')
    bracket, *parts, e, p, x, unit = found.groups()
    mark = mark or decimal_mark([text])
    first, second, power = parts[:7], parts[7:], e or p or x or '0'
    if not bracket and any(second[3:]) and not any(first[3:]):
        raise ValueError('not clear: put both numbers of the power of ten into brackets')
    number = _part(first, mark, power)
    if any(second):
        error = _part(second, mark, power)
        number = replace(number, error=error.value, error_rounding=error.rounding)
    if limit and number.error is not None:
        raise ValueError('a limit with an uncertainty')
    return replace(number, limit=limit and limit[1], unit=(unit or '').strip())


def decimal_mark(texts: Iterable[str]) -> str | None:
    """The decimal mark of a column, ``.`` or ``,``, if its numbers leave no doubt."""
    marks = set()
    for text in texts:
        for mantissa, power, *_ in _MANTISSAS.findall(plain(text[:LONGEST])):
            kinds = set(mantissa) & set('.,')
            # Nobody groups the digits of 5,372e-06.
            is_clear = (power and mantissa[1:2] in kinds) or not _AMBIGUOUS.fullmatch(mantissa.strip())
            beyond_doubt = len(kinds) == 2 or (kinds and is_clear)
            if beyond_doubt and mantissa.count(last := max(kinds, key=mantissa.rfind)) == 1:
                marks.add(last)
    return marks.pop() if len(marks) == 1 else None


def is_plain_number(text: str) -> bool:
    """Whether a cell has one number and nothing else."""
    return re.fullmatch(rf'[+-]?(?:{_MANTISSA})', text) is not None


def plain(text: str) -> str:
    """The same in few characters: one minus, one sign for times, powers of ten with ``^``."""
    text = _LATEX.sub(lambda found: ' \u00b7 ' if found[1] else ' \u00b1 ' if found[2] else '', text)
    text = _SUPERSCRIPT.sub(lambda found: f'^{unicodedata.normalize("NFKC", found[0])}', text)
    text = unicodedata.normalize('NFKC', text).replace('**', '^').translate(_PLAIN)
    return ' '.join(_TIMES_TEN.sub('x', text).split())


def _part(groups: list[str | None], mark: str | None, common: str = '0') -> Number:
    """Value and uncertainty from sign, mantissa, digits of the uncertainty, and the four ways to write the power."""
    sign, mantissa, digits, *powers = groups
    power = int(next(filter(None, powers), '0')) + int(common)
    whole, fraction = _split(mantissa or '1', mark)
    value, last = _float(f'{sign}{whole}.{fraction}', power), power - len(fraction)
    if digits is None:
        return Number(value, rounding=_half(last))
    if digits.isdigit():  # of the last digits
        return Number(value, _float(digits, last), rounding=_half(last), error_rounding=_half(last))
    whole, fraction = _split(digits, mark)
    error, half = _float(f'{whole}.{fraction}', power), _half(power - len(fraction))
    return Number(value, error, rounding=_half(last), error_rounding=half)


def _half(power: int) -> float:
    return float(f'5e{power - 1}')


def _float(digits: str, power: int) -> float:
    value = float(f'{digits}e{power}')
    if not math.isfinite(value) or (value == 0 and float(digits) != 0):
        raise ValueError('beyond all numbers')
    return value


def _split(mantissa: str, mark: str | None) -> tuple[str, str]:
    """Digits before and after the decimal mark."""
    mantissa = mantissa.strip()
    kinds = sorted(set(mantissa) & set('.,'), key=mantissa.rfind)
    decimal = kinds[-1] if len(kinds) == 2 or len(re.findall('[.,]', mantissa)) == 1 else None
    if _AMBIGUOUS.fullmatch(mantissa) and decimal != (mark or '.'):
        if mark != '.':
            either = mantissa.replace(',', '.'), re.sub('[.,]', '', mantissa)
            raise ValueError(f'{either[0]} or {either[1]}: write it without a mark of thousands')
        decimal = None
    whole, fraction = mantissa.rsplit(decimal, 1) if decimal else (mantissa, '')
    if (whole and not whole.isdigit() and not _GROUPS.fullmatch(whole)) or not (fraction or '0').isdigit():
        raise ValueError('not one number')
    return re.sub("[.,' ]", '', whole) or '0', fraction
