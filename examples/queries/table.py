"""All scanned structures as a pandas table, written to a file: ``verdi run examples/queries/table.py table.csv``."""

import sys

import pandas

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.queries.descriptors import newest, rows_of
from aiida_pesfp.queries.nodes import stored
from aiida_pesfp.tables.table import write_table


def to_pandas() -> pandas.DataFrame:
    """One row for each structure, potential and settings, with what is known from records and fits; index is the PK."""
    rows = rows_of(newest(stored(DescriptorsData)))
    return pandas.DataFrame(rows).set_index('pk').sort_values('xi', ascending=False)


def main():
    """Write the table and print its head."""
    table = to_pandas()
    if len(sys.argv) > 1:
        write_table(table.reset_index().to_dict('records'), sys.argv[1])
    print(table[['label', 'formula', 'xi', 'mpe', 'band_gap', 'potential_name']].head(10).to_string())


if __name__ == '__main__':
    main()
