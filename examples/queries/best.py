"""The best structures, with activation energies: ``verdi run examples/queries/best.py [MINIMUM_XI]``."""

import sys

from aiida.orm import QueryBuilder, StructureData
from tabulate import tabulate

from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.descriptors import DescriptorsData


def best_structures(minimum_xi: float = 0.25) -> list[tuple]:
    """PK, formula, Xi and MPE (eV) of all descriptors with a Xi above the paper's limit, the best first."""
    query = QueryBuilder().append(
        DescriptorsData,
        filters={'attributes.xi': {'>': float(minimum_xi)}},
        project=['id', 'attributes.formula', 'attributes.xi', 'attributes.mpe'],
    )
    return sorted(map(tuple, query.all()), key=lambda row: -row[2])


def with_activation_energies(minimum_xi: float = 0.25, maximum_activation_energy: float = 10.0) -> list[tuple]:
    """Formula, Xi, activation energy and its error (eV), conductivity at 300 K (S/cm), the lowest barrier first.

    A structure and what was computed of it meet in the graph: its descriptors and its Arrhenius fits are both its
    descendants. Each pair of descriptors and fit is a row.
    """
    query = QueryBuilder().append(StructureData, tag='structure')
    query.append(
        DescriptorsData,
        with_ancestors='structure',
        filters={'attributes.xi': {'>': float(minimum_xi)}},
        project=['id', 'attributes.formula', 'attributes.xi'],
    )
    numbers = ('activation_energy', 'activation_energy_error', 'conductivity_300K')
    query.append(
        ArrheniusData,
        with_ancestors='structure',
        filters={'attributes.activation_energy': {'<': float(maximum_activation_energy)}},
        project=['id', *(f'attributes.{name}' for name in numbers)],
    )
    # A structure made of another, such as a supercell, leads to the same pair again.
    pairs = {(row[0], row[3]): (*row[1:3], *row[4:]) for row in query.all()}
    return sorted(pairs.values(), key=lambda row: row[2])


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
