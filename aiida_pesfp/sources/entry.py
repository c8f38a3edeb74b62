"""One structure of a source."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from pymatgen.core import Structure

from aiida_pesfp.crystals.reading import attempt
from aiida_pesfp.errors import ImplausibleValue, StructureError, UnreadableStructure
from aiida_pesfp.settings.units import MEASURES


@dataclass(frozen=True)
class Entry:
    """A structure with the data of its source, or the reason why there is no structure.

    :param source: ``folder``, ``materials_project`` or ``optimade``; the ``database`` is what is behind it.
    :param id: of the structure in its source; ``name`` is a short one for people.
    :param content: the structure in the format of the source, which the ending of ``filename`` determines.
    :param index: number of the structure in ``content``, which may hold several.
    :param band_gap: eV; ``energy_above_hull`` is in eV/atom.
    :param url: web page of the structure.
    :param error: why there is no structure.
    :param doubts: what may be wrong with the structure.
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
    doubts: tuple[str, ...] = ()

    @classmethod
    def from_answer(cls, source: str, id: str, make: Callable[[], tuple], numbers: dict, **fields) -> Self:
        """An entry from the answer of a provider, with pymatgen's JSON of the structure as content.

        :param make: makes the structure and doubts from the answer. If it fails, the entry has the error instead.
        :param numbers: ``band_gap`` and ``energy_above_hull`` as in the answer; not a number is an error too.
        """
        try:
            fields |= {name: number(value, name) for name, value in numbers.items()}
        except StructureError as error:
            return cls(source, id, error=str(error))
        reading = attempt(make)
        if reading.error is not None:
            return cls(source, id, error=str(reading.error))
        content = json.dumps(reading.structure.as_dict()).encode()
        return cls(source, id, id, reading.structure, 'structure.json', content, doubts=reading.doubts, **fields)


def number(value, what: str) -> float | None:
    """A property from a source, if it has one; :class:`UnreadableStructure` if it is no number that can be right.

    :param what: ``band_gap`` (eV) or ``energy_above_hull`` (eV/atom).
    """
    if value is None or value == '':
        return None
    try:
        found = float(value)
        MEASURES[what].check(found)
    except (TypeError, ValueError, OverflowError, ImplausibleValue) as error:
        reason = error if isinstance(error, ImplausibleValue) else 'not a number'
        raise UnreadableStructure(f'{what} = {value!r} is {reason}: correct it, or leave it out') from None
    return found
