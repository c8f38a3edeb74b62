"""One structure of a source."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from pymatgen.core import Structure

from aiida_pesfp.errors import UnreadableStructure


@dataclass(frozen=True)
class Entry:
    """A structure and what its source says of it, or the reason why there is no structure.

    :param source: ``folder``, ``materials_project`` or ``optimade``.
    :param id: of the structure in its source.
    :param name: short name for people; by default the ``id``.
    :param filename: name of ``content``, whose ending says its format.
    :param content: the structure as the source has it.
    :param index: number of the structure in ``content``, which may hold several.
    :param database: name of the database behind the source.
    :param database_version: its version, if the source knows.
    :param band_gap: eV.
    :param energy_above_hull: eV/atom.
    :param url: where a person can look at it.
    :param error: why there is no structure.
    """

    source: str
    id: str
    name: str | None = None
    structure: Structure | None = None
    filename: str | None = None
    content: bytes | None = None
    index: int = 0
    database: str | None = None
    database_version: str | None = None
    band_gap: float | None = None
    energy_above_hull: float | None = None
    url: str | None = None
    error: str | None = None

    @classmethod
    def from_answer(cls, make: Callable[[], Structure], source: str, id: str, **fields) -> Entry:
        """An entry whose content is pymatgen's JSON of the structure.

        :param make: makes the structure of what the provider sent; whatever it raises is the entry's error.
        :param fields: further fields of the entry.
        """
        try:
            structure = make()
            content = json.dumps(structure.as_dict()).encode()
        except Exception as error:  # a provider can send anything
            reason = ' '.join(str(error).split())[:200]
            text = f'holds no crystal structure that can be read ({type(error).__name__}: {reason})'
            return cls(source, id, error=text)
        return cls(source, id, id, structure, 'structure.json', content, **fields)


def number(value, what: str) -> float | None:
    """A number that a source gave, or None if it gave none.

    :raises UnreadableStructure: if it is something else.
    """
    if value is None or value == '':
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UnreadableStructure(f'{what} = {value!r} is not a number') from None
