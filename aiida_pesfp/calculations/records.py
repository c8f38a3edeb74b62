"""From a record to its structure, with provenance."""

from aiida.engine import calcfunction
from aiida.orm import StructureData

from aiida_pesfp.data.record import RecordData


@calcfunction
def structure_of_record(record: RecordData) -> StructureData:
    """The structure of a record."""
    structure = StructureData(pymatgen=record.to_structure())
    structure.label = record.label
    return structure
