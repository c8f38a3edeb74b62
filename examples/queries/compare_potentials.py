"""Two potentials on the same structures.

``verdi run examples/queries/compare_potentials.py sevennet-0 chgnet-0.3.0``
"""

import sys

from aiida.orm import QueryBuilder
from scipy.stats import spearmanr
from tabulate import tabulate

from aiida_pesfp.data.descriptors import DescriptorsData


def on_the_same_structures(first: str, second: str) -> list[tuple]:
    """Formula, Xi and MPE (eV) of the first, Xi and MPE of the second potential, of each structure that both have.

    If a potential has several results for a structure, the newest wins. Compare only scans on the same grid: if there
    are others, add a filter on ``attributes.spacing``.
    """

    def results(name):
        query = QueryBuilder().append(
            DescriptorsData,
            filters={'attributes.potential_name': name},
            project=[f'attributes.{key}' for key in ('structure_uuid', 'formula', 'xi', 'mpe')],
        )
        return {structure: values for structure, *values in query.order_by({DescriptorsData: 'id'}).all()}

    one, other = results(first), results(second)
    return [(*one[structure], *other[structure][1:]) for structure in one if structure in other]


def main():
    """Print the table and how well the two agree on the order."""
    first, second = sys.argv[1:3]
    rows = on_the_same_structures(first, second)
    heads = ('formula', f'Xi {first}', 'MPE/eV', f'Xi {second}', 'MPE/eV')
    print(tabulate(rows, heads, floatfmt=('', '.4f', '.3f', '.4f', '.3f')))
    if len(rows) > 2:
        print(f'rank correlation of Xi: {spearmanr([row[1] for row in rows], [row[3] for row in rows]).statistic:.2f}')


if __name__ == '__main__':
    main()
