"""Where a number comes from: ``verdi run examples/queries/origin.py PK``, the PK of any node."""

import sys

from aiida.orm import CalcJobNode, Node, QueryBuilder, StructureData, load_node
from tabulate import tabulate

from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.data.record import RecordData

#: What a number comes from -> the attributes that are shown.
KINDS = {
    RecordData: ('source', 'id', 'database', 'database_version', 'url'),
    StructureData: (),
    PotentialData: ('name', 'sha256'),
    CalcJobNode: ('process_label',),
}


def behind(pk: int, kind: type[Node]) -> list[tuple]:
    """PK, label and attributes of the nodes of one of :data:`KINDS` from which a node of any kind comes.

    The way back may be long: from a conductivity it is trajectory, supercell, relaxed structure, structure, record. A
    query on ancestors takes it in one step.
    """
    query = QueryBuilder().append(Node, filters={'id': pk}, tag='number')
    project = ['id', 'label', *(f'attributes.{name}' for name in KINDS[kind])]
    return sorted(set(map(tuple, query.append(kind, with_descendants='number', project=project).all())))


def origin(pk: int) -> tuple:
    """Name and SHA-256 of the potential of a surface or descriptors, PK of the scan, and label of the structure."""
    ((_, _, name, sha256),) = behind(pk, PotentialData)
    return name, sha256, behind(pk, CalcJobNode)[-1][0], behind(pk, StructureData)[-1][1]


def main():
    """Print what is behind each node."""
    for pk in map(int, sys.argv[1:]):
        node = load_node(pk)
        print(f'{type(node).__name__}<{pk}> {node.label}')
        for kind, names in KINDS.items():
            print(tabulate(behind(pk, kind), (kind.__name__, 'label', *names)), end='\n\n')


if __name__ == '__main__':
    main()
