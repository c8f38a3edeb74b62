"""From what a source says to structures, with provenance."""

from __future__ import annotations

from dataclasses import dataclass

from aiida.engine import calcfunction
from aiida.orm import CalcFunctionNode, QueryBuilder, StructureData

from aiida_pesfp.data.record import RecordData
from aiida_pesfp.errors import UnreadableStructure
from aiida_pesfp.sources.entry import Entry


@calcfunction
def structure_of_record(record: RecordData) -> StructureData:
    """The structure of a record."""
    structure = StructureData(pymatgen=record.to_structure())
    structure.label = record.label
    return structure


@dataclass(frozen=True)
class Taken:
    """A record in the graph, the structure that comes from it, and whether they were not there before."""

    record: RecordData
    structure: StructureData
    new: bool


def take(entry: Entry) -> Taken:
    """Store an entry and make its structure, unless the same was done before.

    :raises UnreadableStructure: if it has no structure that AiiDA can hold; then nothing is stored.
    """
    if entry.error is not None:
        raise UnreadableStructure(entry.error)
    record = RecordData.from_entry(entry)
    found = record.find_stored()
    structure = found and _made_before(found)
    if structure is not None:
        return Taken(found, structure, new=False)
    if found is None:
        try:
            StructureData(pymatgen=record.to_structure())
        except Exception as error:  # pymatgen knows more kinds of sites than AiiDA, with errors of all types
            reason = ' '.join(str(error).split())[:200]
            raise UnreadableStructure(f'cannot be kept as a StructureData ({reason})') from error
        found = record.store()
    return Taken(found, structure_of_record(found), new=True)


def _made_before(record: RecordData) -> StructureData | None:
    query = QueryBuilder().append(RecordData, filters={'id': record.pk}, tag='record')
    query.append(CalcFunctionNode, with_incoming='record', tag='function', filters={'attributes.exit_status': 0})
    return query.append(StructureData, with_incoming='function').first(flat=True)
