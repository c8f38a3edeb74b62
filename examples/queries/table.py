"""All scanned structures as a pandas table, written to a file: ``verdi run examples/queries/table.py table.csv``."""

import sys

import pandas

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.fingerprint.quantities import rank_key
from aiida_pesfp.queries.descriptors import newest, rows_of
from aiida_pesfp.queries.nodes import stored
from aiida_pesfp.tables.table import write_table


def to_pandas() -> pandas.DataFrame:
    """One row for each structure, potential and settings, the best first, with what is known from records and fits.

    The index is the PK.
    """
    rows = sorted(rows_of(newest(stored(DescriptorsData))), key=rank_key)
    return pandas.DataFrame(rows).set_index('pk')


def main():
    """Write the table and print its head."""
    table = to_pandas()
    if len(sys.argv) > 1:
        write_table(table.reset_index().to_dict('records'), sys.argv[1])
    print(table[['label', 'formula', 'xi_calibrated', 'xi', 'mpe', 'band_gap', 'potential_name']].head(10).to_string())


if __name__ == '__main__':
    main()
