"""Node of a table of labels."""

import json
from dataclasses import asdict
from typing import Self

from aiida.common.exceptions import ValidationError
from aiida.orm import Data
from pymatgen.core import Structure

from aiida_pesfp.assessment.labels import LabelTable, Measurement
from aiida_pesfp.data.required import attribute
from aiida_pesfp.settings.assessment import TableFormat


class LabelsData(Data):
    """Measured or simulated conductivities or diffusion coefficients.

    Attributes: ``measurements`` with the fields of :class:`~aiida_pesfp.assessment.labels.Measurement`, ``excluded``
    rows with their reasons, ``notes`` on how the table was understood, ``number_of_measurements``, ``species``,
    ``quantity``. The structures of a table that has them are in the repository.
    """

    _STRUCTURES = 'structures.json'

    @classmethod
    def from_table(cls, table: LabelTable, form: TableFormat) -> Self:
        """An unstored node of a table."""
        node = cls()
        content = {'species': form.species, 'quantity': form.quantity, 'charge': form.charge}
        content |= {'measurements': [asdict(entry) for entry in table.measurements], 'excluded': table.excluded}
        content['notes'] = table.notes
        node.base.attributes.set_many(content | {'number_of_measurements': len(table.measurements)})
        if table.structures:
            text = json.dumps({str(row): structure.as_dict() for row, structure in table.structures.items()})
            node.base.repository.put_object_from_bytes(text.encode(), cls._STRUCTURES)
        return node

    species = attribute('species', 'Symbol of the mobile ion.')

    def to_table(self) -> LabelTable:
        """The table."""
        attributes = self.base.attributes
        structures = {}
        if self._STRUCTURES in self.base.repository.list_object_names():
            content = json.loads(self.base.repository.get_object_content(self._STRUCTURES))
            structures = {int(row): Structure.from_dict(entry) for row, entry in content.items()}
        told = [{'told': tuple(map(tuple, entry.get('told', ())))} for entry in attributes.get('measurements')]
        measurements = [Measurement(**entry | one) for entry, one in zip(attributes.get('measurements'), told)]
        return LabelTable(measurements, attributes.get('excluded'), structures, attributes.get('notes'))

    def _validate(self) -> bool:
        super()._validate()
        if not self.base.attributes.get('measurements', None):
            raise ValidationError('a LabelsData needs measurements: make it with LabelsData.from_table')
        return True
