"""The best structures, with activation energies: ``verdi run examples/queries/best.py [MINIMUM_XI]``."""

import sys

from aiida.orm import QueryBuilder, StructureData
from tabulate import tabulate

from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.queries.descriptors import newest


def best_structures(minimum_xi: float = 0.25) -> list[tuple]:
    """PK, formula, Xi and MPE (eV) of the structures with a Xi above the paper's limit, the best first.

    A structure has a row for each potential and settings with which it was scanned: its newest result.
    """
    found = newest(QueryBuilder().append(DescriptorsData).all(flat=True))
    rows = [(node.pk, node.get('formula'), node.xi, node.mpe) for node in found if node.xi > float(minimum_xi)]
    return sorted(rows, key=lambda row: -row[2])


def with_activation_energies(minimum_xi: float = 0.25, maximum_activation_energy: float = 10.0) -> list[tuple]:
    """Formula, Xi, activation energy and its error (eV), conductivity at 300 K (S/cm), the lowest barrier first.

    Fits are descendants of the structure of the descriptors, which ``structure_uuid`` names.
    """
    query = QueryBuilder().append(
        DescriptorsData,
        filters={'attributes.xi': {'>': float(minimum_xi)}},
        project=[f'attributes.{name}' for name in ('structure_uuid', 'formula', 'xi')],
    )
    numbers = ('activation_energy', 'activation_energy_error', 'conductivity_300K')
    rows = []
    for structure, formula, xi in query.all():
        fits = QueryBuilder().append(StructureData, filters={'uuid': structure}, tag='structure')
        fits.append(
            ArrheniusData,
            with_ancestors='structure',
            filters={'attributes.activation_energy': {'<': float(maximum_activation_energy)}},
            project=[f'attributes.{name}' for name in numbers],
        )
        rows += [(formula, xi, *fit) for fit in fits.distinct().all()]
    return sorted(rows, key=lambda row: row[2])


def main():
    """Print both tables."""
    minimum = float(sys.argv[1]) if len(sys.argv) > 1 else 0.25
    print(f'Xi > {minimum:g}:')
    print(tabulate(best_structures(minimum), ('PK', 'formula', 'Xi', 'MPE/eV'), floatfmt=('', '', '.4f', '.3f')))
    fits = with_activation_energies(minimum)
    if fits:
        print('\nof these with an activation energy:')
        heads = ('formula', 'Xi', 'E_A/eV', '+-', 'S/cm at 300 K')
        print(tabulate(fits, heads, floatfmt=('', '.4f', '.3f', '.3f', '.2e')))


if __name__ == '__main__':
    main()
