"""Structures of OPTIMADE entries (https://www.optimade.org)."""

import gemmi
import numpy as np
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.checks import sound
from aiida_pesfp.crystals.cif.symmetry import is_whole
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


def from_optimade(attributes: dict) -> tuple[Structure, tuple[str, ...]]:
    """The structure of an entry, and doubts. (optimade's adapter refuses an entry for any unusual field.)

    :raises StructureError: if the entry does not describe a whole crystal, or contradicts itself.
    """
    _check_features(attributes)
    names = attributes.get('species_at_sites')
    if not isinstance(names, list):
        raise UnreadableStructure('the entry has no species_at_sites')
    matrix = vectors(attributes.get('lattice_vectors'), 3, 'lattice_vectors')
    positions = vectors(attributes.get('cartesian_site_positions'), len(names), 'cartesian_site_positions')
    compositions, doubts = _compositions(attributes.get('species'), names)
    occupied = [index for index, name in enumerate(names) if compositions[name]]
    if len(occupied) < len(names):
        doubts = (*doubts, f'{len(names) - len(occupied)} of its {len(names)} sites are vacancies, which are left out')
    species = [compositions[names[index]] for index in occupied]
    structure = sound(Structure(matrix, species, positions[occupied], coords_are_cartesian=True))
    if (fractions := attributes.get('fractional_site_positions')) is not None:
        fractions = vectors(fractions, len(names), 'fractional_site_positions')
        if differ(structure.lattice, fractions, positions):
            raise UnreadableStructure('its fractional_site_positions and cartesian_site_positions differ')
    for one in attributes.get('space_group_symmetry_operations_xyz') or []:
        if not is_whole(structure, (gemmi.Op(one),)):
            raise UnreadableStructure(f'its sites are not all of its cell: {one} makes more of them. List all')
    if attributes.get('nsites') not in (None, len(names)):
        raise UnreadableStructure(f'the entry says nsites = {attributes["nsites"]}, and lists {len(names)}')
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
    if (span := attributes.get('site_coordinate_span')) not in (None, 'unit_cell'):
        raise UnreadableStructure(f'its site_coordinate_span is {span}: give all sites of the unit cell')
    found = [*(attributes.get('structure_features') or []), *(['assemblies'] if attributes.get('assemblies') else [])]
    if unknown := [one for one in found if one != 'disorder']:
        raise UnreadableStructure(f'the entry has {unknown[0]}: its sites are not its atoms, one by one')


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
        what = f'the species {one["name"]} has a concentration'
        composition = {element_of(symbol)[0]: occupancy(share, what) for symbol, share in shares}
        if compositions.setdefault(one['name'], composition) != composition:
            raise UnreadableStructure(f'the entry describes its species {one["name"]} twice')
    unknown = sorted({str(name) for name in names} - set(compositions))
    if unknown:
        raise UnreadableStructure(f'the entry does not describe its species {", ".join(unknown[:5])}')
    return compositions, ()


def occupancy(share: object, what: str) -> float:
    """An occupancy; 1 if it is 1 but for rounding."""
    if not (isinstance(share, int | float) and 0 < share < 1.001):  # NaN neither
        raise UnreadableStructure(f'{what} of {share!r}: give a number above 0, up to 1')
    return 1.0 if abs(share - 1) < 1e-4 else float(share)


def vectors(values: object, count: int, name: str) -> np.ndarray:
    """(count, 3) numbers."""
    try:
        return np.array(values, dtype=float).reshape(count, 3)
    except (TypeError, ValueError) as error:
        raise UnreadableStructure(f'{name}: there are not {count} vectors of three numbers') from error


def differ(lattice: Lattice, fractions: np.ndarray, positions: np.ndarray) -> bool:
    """Whether fractional and Cartesian positions (A) are not the same."""
    apart = fractions - lattice.get_fractional_coords(positions)
    return (np.linalg.norm(lattice.get_cartesian_coords(apart - np.rint(apart)), axis=-1) > 0.1).any()
