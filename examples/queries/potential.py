"""Everything computed with one potential: ``verdi run examples/queries/potential.py sevennet-0``."""

import sys

from aiida.orm import Data, ProcessNode, QueryBuilder
from tabulate import tabulate

from aiida_pesfp.data.potential import PotentialData


def computed_with(name: str) -> list[tuple]:
    """Process, its PK, kind, PK and label of all data that come from calculations with a potential.

    :param name: of the potential. Replace the filter by ``attributes.sha256`` to be sure of its content.
    """
    query = QueryBuilder().append(PotentialData, filters={'attributes.name': name}, tag='potential')
    # Jobs have the potential as their input; what is computed further comes from their results.
    query.append(Data, with_ancestors='potential', tag='data', project=['node_type', 'id', 'label'])
    # Calculations create their outputs; workchains only return what their calculations have created.
    made_by = {'edge_filters': {'type': 'create'}, 'project': ['attributes.process_label', 'id']}
    query.append(ProcessNode, with_outgoing='data', **made_by)
    rows = [
        (label, process, kind.rstrip('.').split('.')[-1], pk, name) for kind, pk, name, label, process in query.all()
    ]
    return sorted(rows, key=lambda row: (row[1], row[3]))


def main():
    """Print the table."""
    for name in sys.argv[1:]:
        print(tabulate(computed_with(name), ('process', 'PK', 'output', 'PK', 'label')))


if __name__ == '__main__':
    main()
