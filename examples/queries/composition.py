"""All results for a composition: ``verdi run examples/queries/composition.py Li2Te``."""

import sys

from aiida.orm import QueryBuilder
from tabulate import tabulate

from aiida_pesfp.data.descriptors import DescriptorsData


def of_composition(formula: str) -> list[tuple]:
    """PK, Xi, MPE (eV) and potential of all descriptors of one composition (a reduced formula)."""
    query = QueryBuilder().append(
        DescriptorsData,
        filters={'attributes.formula': formula},
        project=['id', 'attributes.xi', 'attributes.mpe', 'attributes.potential_name'],
    )
    return sorted(map(tuple, query.order_by({DescriptorsData: 'id'}).all()))


def main():
    """Print the table."""
    for formula in sys.argv[1:]:
        print(formula)
        print(tabulate(of_composition(formula), ('PK', 'Xi', 'MPE/eV', 'potential'), floatfmt=('', '.4f', '.3f', '')))


if __name__ == '__main__':
    main()
