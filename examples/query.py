"""Ask the provenance graph: ``verdi run examples/query.py``."""

from aiida.orm import CalcJobNode, QueryBuilder, StructureData
from tabulate import tabulate

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.potential import PotentialData


def top_candidates(minimum_xi: float = 0.25) -> list[tuple]:
    """PK, formula, Xi and MPE (eV) of all descriptors with a Xi above the paper's limit, the best first."""
    query = QueryBuilder().append(
        DescriptorsData,
        filters={'attributes.xi': {'>': minimum_xi}},
        project=['id', 'attributes.formula', 'attributes.xi', 'attributes.mpe'],
    )
    return sorted(map(tuple, query.all()), key=lambda row: -row[2])


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


def of_composition(formula: str) -> list[tuple]:
    """PK, Xi, MPE (eV) and potential of all descriptors of one composition (a reduced formula)."""
    query = QueryBuilder().append(
        DescriptorsData,
        filters={'attributes.formula': formula},
        project=['id', 'attributes.xi', 'attributes.mpe', 'attributes.potential_name'],
    )
    return sorted(map(tuple, query.order_by({DescriptorsData: 'id'}).all()))


def main():
    """Print the answers to three questions."""
    candidates = top_candidates()
    print('Candidates with Xi > 0.25:')
    print(tabulate(candidates, ('PK', 'formula', 'Xi', 'MPE/eV'), floatfmt=('', '', '.4f', '.3f')))
    if not candidates:
        print('none yet: verdi run examples/screen.py')
        return
    pk, formula, *_ = candidates[0]
    name, sha256, calculation, structure = origin(pk)
    print(f'\nWhich potential produced the first of them? {name} (SHA-256 {sha256[:12]}...), in the calculation')
    print(f'{calculation} of the structure {structure}. Its whole history: verdi node graph generate {pk}')
    print(f'\nAll descriptors of {formula}:')
    print(tabulate(of_composition(formula), ('PK', 'Xi', 'MPE/eV', 'potential'), floatfmt=('', '.4f', '.3f', '')))


if __name__ == '__main__':
    main()
