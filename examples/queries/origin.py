"""Where a number comes from: ``verdi run examples/queries/origin.py PK``, the PK of any node."""

import sys

from aiida.orm import CalcJobNode, Node, QueryBuilder, StructureData, load_node
from tabulate import tabulate

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.data.record import RecordData


def origin(descriptors_pk: int) -> tuple:
    """Name and SHA-256 of the potential behind a number, the PK of the calculation, and the label of the structure."""
    query = (
        QueryBuilder()
        .append(DescriptorsData, filters={'id': descriptors_pk}, tag='descriptors', project='attributes.structure_uuid')
        .append(CalcJobNode, with_outgoing='descriptors', tag='scan', project=['id'])
        .append(PotentialData, with_outgoing='scan', project=['attributes.name', 'attributes.sha256'])
    )
    structure_uuid, calculation, name, sha256 = query.one()
    structure = QueryBuilder().append(StructureData, filters={'uuid': structure_uuid}, project='label')
    return name, sha256, calculation, structure.first(flat=True)


def records_behind(pk: int) -> list[tuple]:
    """PK, source, id, database, its version and URL of the records from which a node of any kind comes.

    From a conductivity the way back is trajectory, supercell, relaxed structure, structure, record; a query on
    ancestors takes it in one step. A scan has several structures as inputs: the attribute ``structure_uuid`` of a
    surface or of descriptors says which one is theirs.
    """
    own = load_node(pk).base.attributes.get('structure_uuid', None)
    names = ('source', 'id', 'database', 'database_version', 'url')
    query = QueryBuilder().append(Node, filters={'uuid': own} if own else {'id': pk}, tag='number')
    query.append(RecordData, with_descendants='number', project=['id', *(f'attributes.{name}' for name in names)])
    return sorted(set(map(tuple, query.all())))


def main():
    """Print what is behind each node."""
    for pk in map(int, sys.argv[1:]):
        node = load_node(pk)
        print(f'{type(node).__name__}<{pk}> {node.label}')
        if isinstance(node, DescriptorsData):
            name, sha256, calculation, structure = origin(pk)
            print(f'computed with {name} (SHA-256 {sha256[:12]}...) in {calculation} from the structure {structure}')
        print(tabulate(records_behind(pk), ('record', 'source', 'id', 'database', 'version', 'URL')))


if __name__ == '__main__':
    main()
