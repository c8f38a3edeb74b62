"""Rankings as CSV are opened in spreadsheets."""

import csv
import io

from aiida.orm import Group, StructureData

from aiida_pesfp.data.descriptors import DescriptorsData
from tests.helpers.crystals import rock_salt


def test_no_label_is_a_formula(aiida_pesfp, tmp_path):
    structure = StructureData(pymatgen=rock_salt('Li', 'Cl', 5.2), label='=HYPERLINK("http://x","y")').store()
    Group('csv-group').store().add_nodes(structure)
    content = {'xi': -0.3, 'mpe': 0.2, 'fv_connected': 0.1, 'fv_disconnected': 0.2, 'species': 'Li', 'formula': 'LiCl'}
    content |= {'spectrum': {'thresholds': [0.5], 'connected': [0.1], 'disconnected': [0.2]}, 'potential_name': '@x'}
    DescriptorsData(content | {'structure_uuid': structure.uuid}, label=structure.label).store()
    path = tmp_path / 'top.csv'
    aiida_pesfp('export', 'ranking', 'csv-group', '-o', str(path))
    for text in (path.read_text(), aiida_pesfp('rank', 'csv-group', '--format', 'csv')):
        (row,) = csv.DictReader(io.StringIO(text))
        assert row['label'] == "'" + structure.label
        assert row['potential_name'] == "'@x"
        assert row['xi'] == '-0.3'
