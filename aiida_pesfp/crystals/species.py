"""The element that a text means, in whatever format it stands."""

import re
from collections.abc import Collection

from pymatgen.core import Element

from aiida_pesfp.errors import UnreadableStructure

#: Hydrogen by the names of its isotopes.
ISOTOPES = {'D': 'H', 'T': 'H'}
ELEMENTS = {element.symbol for element in Element} - set(ISOTOPES)
#: ``Li``, ``7Li``, ``LI``, ``Li1``, ``Li+``, ``Fe3+``, ``O-1.5``, ``Fe(3+)``, ``Li_sv``, ``Li_sv/0123abcd``.
_SPECIES = re.compile(r'\d{0,3}([A-Za-z]{1,2})(?:\(?[\d.]*[+-]?[\d.]*\)?|(?:_\w+)?(?:/\w+)?)')


def element_of(text: str, known: Collection[str] = ()) -> tuple[str, str | None]:
    """The element of a species, and what is doubtful about it. Deuterium and tritium are hydrogen.

    :param known: the elements of the formula, if there is one, which decide what an ambiguous text means: CO may be
        cobalt or a group of two atoms.
    :raises UnreadableStructure: if it is no element, or may be several.
    """
    match = _SPECIES.fullmatch(text.strip())
    letters = match[1] if match else ''
    symbol = ISOTOPES.get(letters, letters.title())
    capitals = letters != symbol and len(letters) == 2 and symbol not in known and set(letters) < ELEMENTS
    return _choose(text, letters, [symbol, *letters] if capitals else [symbol], known, sure=False)


def charge_of(text: str) -> float | None:
    """The charge that a species has, as in ``Li+``, ``Fe3+``, ``O-1.5`` or ``Fe(3+)``; None without one."""
    match = re.fullmatch(r'\d{0,3}[A-Za-z]{1,2}\(?([\d.]*)([+-])([\d.]*)\)?', text.strip())
    if not match or (match[1] and match[3]):
        return None
    number = float(match[1] or match[3] or 1)
    return number if match[2] == '+' else -number


def element_of_label(text: str, known: Collection[str] = ()) -> tuple[str, str | None]:
    """As :func:`element_of`, of the label of an atom, which may go on: CA1 may be Ca or C, but OW is O.

    A word such as Wat is an element only if the formula has it.
    """
    match = re.match(r'\d*([A-Za-z]+)', text)
    letters = match[1] if match else ''
    if re.fullmatch('[A-Z][a-z]{2,}', letters) and letters[0] not in known and letters[:2] not in known:
        letters = ''
    choices = dict.fromkeys([letters[:2].title(), letters[:1].upper(), *(['H'] if letters == 'D' else [])])
    return _choose(text, letters, list(choices), known, sure=letters.startswith(letters[:2].title()))


def _choose(text: str, letters: str, choices: list[str], known: Collection[str], sure: bool) -> tuple[str, str | None]:
    choices = [one for one in choices if one in ELEMENTS]
    choices = [one for one in choices if one in known] or choices
    if not choices:
        raise UnreadableStructure(f'{text!r} is no element: name the element, and leave out dummies and vacancies')
    if len(choices) > 1 and not sure:
        raise UnreadableStructure(f'{text!r} may be {" or ".join(choices)}: write the symbol of the element')
    return choices[0], None if letters == choices[0] else f'{text}: taken for {choices[0]}'
