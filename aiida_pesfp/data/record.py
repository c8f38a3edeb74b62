"""Node of a record: one entry of a database or one file."""

import hashlib
import tempfile
from pathlib import Path
from typing import Self

from aiida.orm import Dict
from pymatgen.core import Structure

from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.data.required import RequiredAttributes
from aiida_pesfp.sources.entry import Entry


class RecordData(RequiredAttributes, Dict):
    """One entry of a database or one file, from which a structure comes.

    Attributes: ``source`` (``folder``, ``materials_project``, ``optimade``), ``id`` in it, ``database`` and its
    ``database_version``, ``formula`` (reduced), ``band_gap`` (eV), ``energy_above_hull`` (eV/atom), ``url``,
    ``filename``, ``index`` and ``sha256`` of the source's own structure file, which is in the repository. Unknown
    properties are None.
    """

    _REQUIRED = ('source', 'id', 'formula', 'filename', 'sha256')
    _MAKER = 'from_entry'

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """An unstored node of an entry that has a structure."""
        names = ('source', 'id', 'database', 'database_version', 'band_gap', 'energy_above_hull', 'url')
        content = {name: getattr(entry, name) for name in (*names, 'filename', 'index')}
        content['formula'] = entry.structure.composition.reduced_formula
        content['sha256'] = hashlib.sha256(entry.content).hexdigest()
        node = cls(content, label=(entry.name or entry.id)[:255])
        node.base.repository.put_object_from_bytes(entry.content, entry.filename)
        return node

    def to_structure(self) -> Structure:
        """The structure, without oxidation states and properties of sites."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self['filename']
            path.write_bytes(self.base.repository.get_object_content(self['filename'], mode='rb'))
            reading = read_file(path)[self['index']]
        if reading.error is not None:
            raise reading.error
        reading.structure.remove_oxidation_states()
        return reading.structure
