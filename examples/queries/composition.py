"""All results for a composition: ``verdi run examples/queries/composition.py Li2Te``."""

import sys

from aiida.orm import QueryBuilder
from tabulate import tabulate

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.queries.descriptors import newest

#: Columns of the table.
HEADS = {'headers': ('PK', 'structure', 'Xi', 'MPE/eV', 'potential', 'spacing/A'), 'floatfmt': ('', '', '.4f', '.3f')}


def of_composition(formula: str) -> list[tuple]:
    """PK, label, Xi, MPE (eV), potential and grid spacing (A) of all that was scanned of a composition.

    :param formula: a reduced formula. Of several results for one structure, potential and settings, the newest counts.
    """
    query = QueryBuilder().append(DescriptorsData, filters={'attributes.formula': formula})
    return [
        (node.pk, node.label, node.xi, node.mpe, *map(node.get, ('potential_name', 'spacing')))
        for node in newest(query.all(flat=True))
    ]


def main():
    """Print the table."""
    for formula in sys.argv[1:]:
        print(formula)
        print(tabulate(of_composition(formula), **HEADS))


if __name__ == '__main__':
    main()
