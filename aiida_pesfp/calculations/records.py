"""From records to structures, with provenance."""

from __future__ import annotations

from typing import NamedTuple

from aiida.engine import calcfunction
from aiida.orm import StructureData

from aiida_pesfp.data.record import RecordData
from aiida_pesfp.errors import UnreadableStructure
from aiida_pesfp.queries.structures import stored_record, structure_of
from aiida_pesfp.sources.entry import Entry


@calcfunction
def structure_of_record(record: RecordData) -> StructureData:
    """The structure of a record."""
    structure = StructureData(pymatgen=record.to_structure())
    structure.label = record.label
    return structure


class Imported(NamedTuple):
    """A stored record, the structure made from it, and whether the structure is new."""

    record: RecordData
    structure: StructureData
    new: bool


def import_entry(entry: Entry) -> Imported:
    """Store an entry and make its structure, unless both are stored already.

    :raises UnreadableStructure: if it has no structure that AiiDA can hold; then nothing is stored.
    """
    if entry.error is not None:
        raise UnreadableStructure(entry.error)
    new = RecordData.from_entry(entry)
    record = stored_record(new)
    structure = record and structure_of(record)
    if structure is not None:
        return Imported(record, structure, new=False)
    if record is None:
        try:
            StructureData(pymatgen=new.to_structure())
        except Exception as error:  # pymatgen knows more kinds of sites than AiiDA, with errors of all types
            reason = ' '.join(str(error).split())[:200]
            raise UnreadableStructure(f'cannot be kept as a StructureData ({reason})') from error
        record = new.store()
    return Imported(record, structure_of_record(record), new=True)
