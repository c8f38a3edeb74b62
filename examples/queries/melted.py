"""Conductivities that are invalid because the framework melted: ``verdi run examples/queries/melted.py``."""

from aiida.orm import QueryBuilder
from tabulate import tabulate

from aiida_pesfp.data.conductivity import ConductivityData


def flagged(flag: str = 'framework_diffuses') -> list[tuple]:
    """PK, temperature (K), conductivity (S/cm) and reason of all conductivities with a flag.

    :param flag: ``framework_diffuses`` means melted; others are in ``aiida_pesfp.transport.flags``.
    """
    query = QueryBuilder().append(
        ConductivityData,
        filters={f'attributes.flags.{flag}': True},
        project=['id', 'attributes.temperature', 'attributes.conductivity', f'attributes.remarks.{flag}'],
    )
    return sorted(map(tuple, query.all()))


def main():
    """Print the table."""
    print(tabulate(flagged(), ('PK', 'T/K', 'S/cm', 'why'), floatfmt=('', 'g', '.3g', '')))


if __name__ == '__main__':
    main()
