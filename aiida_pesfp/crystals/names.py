"""Names of structures that are safe as names of folders and as keys of AiiDA, made of any label."""

import itertools
import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable

#: No name is longer.
LONGEST = 60
#: Windows keeps these for devices.
_DEVICES = re.compile(r'con|prn|aux|nul|(com|lpt)\d', re.IGNORECASE)

#: Names of other inputs of calculation functions that take structures, or what belongs to them, by these names.
RESERVED = frozenset([
    'assessment', 'calibration_of_xi', 'criteria', 'earlier', 'features', 'filtered', 'groups', 'labels',
    'matches', 'model', 'names', 'other', 'others', 'parameters', 'progress', 'properties', 'ranking',
    'species', 'structure',
])  # fmt: skip


def unique_names(labels: Iterable[str], folders: bool = False) -> list[str]:
    """Safe names of some labels, no two of them alike, in the order of the labels.

    :param folders: names of folders, see :func:`folder_name`, and not keys.
    """
    names: list[str] = []
    for label in labels:
        names.append((folder_name if folders else safe_name)(label, names))
    return names


def safe_name(label: str, taken: Collection[str] = ()) -> str:
    """A name made of ASCII letters, digits and single underscores that begins with a letter and is not taken.

    >>> safe_name('β-Li₃N')
    'beta_Li3N'

    A name that is safe and free stays as it is. Names that differ only in case count as one, as in some file systems.
    """
    name = re.sub(r'[\W_]+', '_', _plain(label), flags=re.ASCII).strip('_')[:LONGEST].strip('_')
    if not name[:1].isalpha() or _DEVICES.fullmatch(name) or keyword.iskeyword(name) or name in RESERVED:
        name = f's_{name}'[:LONGEST].strip('_')
    return _free(name, taken)


def folder_name(label: str, taken: Collection[str] = ()) -> str:
    """As :func:`safe_name`, for a folder: hyphens and dots inside stay, and it may begin with a digit.

    >>> folder_name('β-Li₃N')
    'beta-Li3N'
    """
    name = re.sub(r'[^\w.-]+', '_', _plain(label), flags=re.ASCII)[:LONGEST].strip('_.-')
    reserved = _DEVICES.fullmatch(name.partition('.')[0]) or name.lower().endswith(('.json', '.partial'))
    return _free(safe_name(label) if reserved or not name else name, taken)


def _free(name: str, taken: Collection[str]) -> str:
    used = {other.lower() for other in taken}
    suffixes = itertools.chain([''], (f'_{number}' for number in itertools.count(2)))
    names = (name[: LONGEST - len(suffix)].rstrip('_.-') + suffix for suffix in suffixes)
    return next(one for one in names if one.lower() not in used)


def _plain(label: str) -> str:
    return ''.join(map(_ascii, unicodedata.normalize('NFKD', label[: 4 * LONGEST])))


def _ascii(character: str) -> str:
    """ASCII for one character: the last word of a letter's name, such as alpha; nothing for an accent."""
    if character.isascii():
        return character
    if unicodedata.combining(character):
        return ''
    letter, found, name = unicodedata.name(character, '').partition(' LETTER ')
    if not found:
        return f'u{ord(character):x}' if character.isalpha() else '_'
    word = name.split(' WITH ')[0].split()[-1]
    return word.capitalize() if ' CAPITAL' in letter or letter.endswith('CAPITAL') else word.lower()
