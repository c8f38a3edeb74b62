"""Structures in the format of OPTIMADE (https://www.optimade.org)."""

from pymatgen.core import Structure

from aiida_pesfp.crystals.checks import sound
from aiida_pesfp.crystals.facts import check_document
from aiida_pesfp.crystals.species import element_of
from aiida_pesfp.errors import UnreadableStructure

#: Fields of a structure (OPTIMADE v1, Sec. "Structures Entries").
FIELDS = (
    *('lattice_vectors', 'cartesian_site_positions', 'species', 'species_at_sites', 'nperiodic_dimensions'),
    *('dimension_types', 'structure_features', 'assemblies'),
    *('nsites', 'nelements', 'elements', 'elements_ratios', 'chemical_formula_reduced'),
    *('chemical_formula_descriptive', 'chemical_formula_hill'),
)
#: Features whose structure is not the one that its sites show.
_UNUSABLE = {
    'implicit_atoms': 'some of its atoms have no site',
    'assemblies': 'some of its sites exclude each other',
    'unknown_positions': 'some of its atoms have no position',
    'site_attachments': 'some of its sites stand for several atoms',
}


def from_optimade(attributes: dict) -> tuple[Structure, tuple[str, ...]]:
    """The structure of an entry, and doubts. (optimade's adapter refuses an entry for any unusual field.)

    :raises StructureError: if the entry does not describe a whole crystal, or contradicts itself.
    """
    _check_features(attributes)
    lattice, positions, names = (
        _numbers(attributes, 'lattice_vectors', 3),
        _numbers(attributes, 'cartesian_site_positions', None),
        attributes.get('species_at_sites'),
    )
    if not isinstance(names, list) or len(names) != len(positions):
        length = len(names) if isinstance(names, list) else 'no'
        raise UnreadableStructure(f'it has {len(positions)} positions and {length} species_at_sites')
    compositions, doubts = _compositions(attributes.get('species'), names)
    occupied = [index for index, name in enumerate(names) if compositions[name]]
    if len(occupied) < len(names):
        doubts = (*doubts, f'{len(names) - len(occupied)} of its {len(names)} sites are vacancies, which are left out')
    structure = Structure(
        lattice,
        [compositions[names[index]] for index in occupied],
        [positions[index] for index in occupied],
        coords_are_cartesian=True,
    )
    structure = sound(structure)
    listed, sites = len(names), attributes.get('nsites')
    if isinstance(sites, int) and sites != listed:
        raise UnreadableStructure(f'the entry says nsites = {sites}, and lists {listed}')
    if 'disorder' in (attributes.get('structure_features') or []) and structure.is_ordered:
        raise UnreadableStructure('the entry has disorder, its sites have none: their occupancies are lost')
    return structure, (*doubts, *check_document(attributes | {'nsites': len(occupied)}, structure))


def _check_features(attributes: dict) -> None:
    """Refuse what is not a three-dimensional crystal whose atoms are its sites."""
    periodic = attributes.get('nperiodic_dimensions')
    directions = attributes.get('dimension_types')
    if isinstance(directions, list) and directions != [1, 1, 1]:
        periodic = sum(one == 1 for one in directions)
    if periodic not in (3, None):
        raise UnreadableStructure(f'periodic along {periodic} of 3 lattice vectors')
    features = attributes.get('structure_features') or []
    found = [name for name in _UNUSABLE if name in features]
    found += ['assemblies'] if attributes.get('assemblies') and 'assemblies' not in found else []
    if found:
        raise UnreadableStructure(f'the entry has {found[0]}: {_UNUSABLE[found[0]]}')


def _numbers(attributes: dict, field: str, length: int | None) -> list[list[float]]:
    """Vectors of three numbers, none of which is missing."""
    rows = attributes.get(field)
    if not isinstance(rows, list) or not rows or (length is not None and len(rows) != length):
        raise UnreadableStructure(f'the entry has no {field}')
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 3 or not all(type(value) in (int, float) for value in row):
            raise UnreadableStructure(f'{field}: number {index} is {str(row)[:60]}, not three numbers')
    return rows


def _compositions(species: list | None, names: list) -> tuple[dict[str, dict[str, float]], tuple[str, ...]]:
    """Occupancies by the names of species, and doubts. Vacancies count for nothing."""
    if not species:
        found = {name: {element_of(name)[0]: 1.0} for name in names}
        return found, ('the entry has no species: they are read from species_at_sites',)
    compositions = {}
    for one in species:
        symbols, concentrations = one['chemical_symbols'], one['concentration']
        if any(one.get('attached') or ()):
            raise UnreadableStructure(f'the species {one["name"]} has atoms attached, which have no position')
        if len(symbols) != len(concentrations):
            raise UnreadableStructure(f'the species {one["name"]} has not one concentration for each symbol')
        shares = [(symbol, share) for symbol, share in zip(symbols, concentrations) if symbol != 'vacancy' and share]
        composition = {element_of(symbol)[0]: _whole(share) for symbol, share in shares}
        if compositions.setdefault(one['name'], composition) != composition:
            raise UnreadableStructure(f'the entry describes its species {one["name"]} twice')
    unknown = sorted({str(name) for name in names} - set(compositions))
    if unknown:
        raise UnreadableStructure(f'the entry does not describe its species {", ".join(unknown[:5])}')
    return compositions, ()


def _whole(share: float) -> float:
    """A concentration; 1 if it is 1 but for rounding."""
    return 1.0 if abs(share - 1) < 1e-4 else float(share)
