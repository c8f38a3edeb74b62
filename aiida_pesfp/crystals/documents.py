"""Structures from JSON: pymatgen, Materials Project, JARVIS, NOMAD, OPTIMADE (https://www.optimade.org) and ASE."""

import json
import re
from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.io.jsonio import object_hook
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.checks import check_cell, sound
from aiida_pesfp.crystals.cif.reader import crystals_of
from aiida_pesfp.crystals.facts import check_document
from aiida_pesfp.crystals.reading import Reading, attempt, from_atoms
from aiida_pesfp.crystals.species import element_of
from aiida_pesfp.errors import InvalidCell, UnreadableStructure

#: Fields of a structure (OPTIMADE v1, Sec. "Structures Entries").
FIELDS = (
    *('lattice_vectors', 'cartesian_site_positions', 'species', 'species_at_sites', 'nperiodic_dimensions'),
    *('dimension_types', 'structure_features', 'assemblies'),
    *('nsites', 'nelements', 'elements', 'elements_ratios', 'chemical_formula_reduced'),
    *('chemical_formula_descriptive', 'chemical_formula_hill'),
)
#: Keys under which databases keep the crystal (the last one of a calculation), its identifier, and its properties.
_CRYSTALS = ('structure', 'atoms', 'attributes', 'output')
_IDS = ('material_id', 'jid', 'entry_id', 'task_id', 'id')
_PROPERTIES = {
    'band_gap': ('band_gap', 'bandgap', 'optb88vdw_bandgap'),  # eV
    'energy_above_hull': ('energy_above_hull', 'e_above_hull', 'ehull'),  # eV/atom
}
#: Keys of lists of structures in an answer.
_LISTS = ('data', 'response', 'structures', 'entries')


def read_documents(text: str) -> list[Reading]:
    """All structures of a JSON document, or of one document a line; one that cannot be read has the reason.

    :raises UnreadableStructure: if it is not JSON.
    """
    try:
        contents = [_load(text)]
    except UnreadableStructure:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not re.fullmatch(r'\s*\{.*\}\s*', lines[0]):
            raise
        contents = lines
    return [reading for content in contents for reading in _readings(content)]


def _readings(content) -> list[Reading]:
    """The structures of a document, or of the line that it is."""
    try:
        content = _load(content) if isinstance(content, str) else content
    except UnreadableStructure as error:
        return [Reading(error=error)]
    return [_read(document, name) for name, document in _documents(content)]


def _load(text: str) -> object:
    try:
        return json.loads(text, object_hook=_decoded)
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableStructure(f'the file is not JSON ({error})') from error


def _decoded(found: dict) -> object:
    """A part of a document with ASE's arrays; pymatgen's hook would import what is named. Some write JSON in JSON."""
    for key in _CRYSTALS:
        if isinstance(text := found.get(key), str) and text.lstrip().startswith('{'):
            found[key] = _load(text)
    return object_hook(found)


def _documents(content, name: str | None = None) -> Iterator[tuple[str | None, object]]:
    """What should be a structure with its data, and the name that it has in the document."""
    if isinstance(content, str) and content.lstrip().startswith('{'):
        content = _load(content)
    if isinstance(content, list):
        parts = [(None, part) for part in content]
    elif not isinstance(content, dict) or _crystal(content) is not None:
        parts = None
    elif isinstance(content.get('ids'), list | np.ndarray):  # a database of ASE
        parts = [(None, content.get(str(row))) for row in content['ids']]
    elif any(isinstance(content.get(key), list | dict) for key in _LISTS):
        parts = [(None, next(content[key] for key in _LISTS if isinstance(content.get(key), list | dict)))]
    else:
        dictionaries = content and all(isinstance(part, dict | Atoms) for part in content.values())
        parts = list(content.items()) if dictionaries else None
    if parts is None:
        yield name, content
    else:
        for key, part in parts:
            yield from _documents(part, key or name)


def _crystal(document: dict) -> dict | Atoms | None:
    """The part of a document that describes a crystal, if any."""
    parts = [document, *(document.get(key) for key in _CRYSTALS)]
    parts += [part.get('structure') for part in parts if isinstance(part, dict)]
    if atoms := next((part for part in parts if isinstance(part, Atoms)), None):
        return atoms
    parts = [part for part in parts if isinstance(part, dict)]
    return next((part for keys, _ in _READERS for part in parts if keys <= set(part)), None)


def _read(document, name: str | None) -> Reading:
    if isinstance(document, Atoms):
        return attempt(lambda: (from_atoms(document), ()), id=name)
    if not isinstance(document, dict):
        return Reading(error=_unknown(document), id=name)
    stated = _stated(document)
    identifier = name or next((str(stated[key]) for key in _IDS if isinstance(stated.get(key), str)), None)
    known = {key: stated[key] for keys in _PROPERTIES.values() for key in keys if stated.get(key) not in (None, 'na')}
    properties = {name: next((known[key] for key in keys if key in known), None) for name, keys in _PROPERTIES.items()}
    return attempt(lambda: from_document(document), id=identifier, properties=properties)


def from_document(document: dict) -> tuple[Structure, tuple[str, ...]]:
    """The crystal that a document of a database describes, and doubts.

    :raises StructureError: if there is none, or the document contradicts itself.
    """
    crystal = _crystal(document)
    if crystal is None:
        raise _unknown(document)
    if isinstance(crystal, Atoms):
        structure, doubts = from_atoms(crystal), ()
    else:
        structure, doubts = next(reader for keys, reader in _READERS if keys <= set(crystal))(crystal)
    if 'species_at_sites' in crystal:  # such an entry has been compared with its own statements
        return structure, doubts
    return structure, (*doubts, *check_document(_stated(document), structure))


def _stated(document: dict) -> dict:
    """All that a document says beside its crystal; entries of pymatgen and rows of ASE keep some a level below."""
    levels = [document.get(key) for key in ('data', 'key_value_pairs')]
    return {key: value for level in levels if isinstance(level, dict) for key, value in level.items()} | document


def _unknown(document) -> UnreadableStructure:
    known = 'pymatgen, the Materials Project, JARVIS, OPTIMADE or ASE'
    return UnreadableStructure(f'is no structure of {known}: {str(document)[:60]}')


def _from_pymatgen(crystal: dict) -> tuple[Structure, tuple[str, ...]]:
    """A structure of pymatgen, without properties of sites: they can name any class, which pymatgen would import."""
    stated = crystal['lattice']
    lengths, angles = ([stated.get(key) for key in keys] for keys in (('a', 'b', 'c'), ('alpha', 'beta', 'gamma')))
    matrix = stated['matrix'] if 'matrix' in stated else Lattice.from_parameters(*lengths, *angles).matrix
    check_cell(matrix, stated.get('pbc', (True,) * 3))
    lattice = Lattice(matrix)
    _check_parameters([*lengths, *angles], lattice)
    sites = [_site(index, site, lattice, 'matrix' in stated) for index, site in enumerate(crystal['sites'])]
    structure = Structure.from_dict({'lattice': {'matrix': matrix}, 'sites': sites})
    return structure, tuple(check_document({'volume': stated.get('volume')}, structure))


def _check_parameters(stated: list[float | None], lattice: Lattice) -> None:
    """Raise :class:`InvalidCell` if lengths (A) or angles (degrees) of a document are not those of its vectors."""
    for name, value, found in zip(('a', 'b', 'c', 'alpha', 'beta', 'gamma'), stated, lattice.parameters):
        if value is not None and not np.isclose(value, found, rtol=1e-2):
            raise InvalidCell(
                f'the document says {name} = {value}, its lattice vectors have {found:.4f}: correct either'
            )


def _site(index: int, site: dict, lattice: Lattice, oriented: bool) -> dict:
    """A site with its place and species only; ``xyz`` must agree with ``abc`` if the lattice is oriented."""
    place = site['abc'] if 'abc' in site else lattice.get_fractional_coords(site['xyz'])
    if oriented and 'abc' in site and 'xyz' in site:
        difference = np.subtract(place, lattice.get_fractional_coords(site['xyz']))
        if np.linalg.norm(lattice.get_cartesian_coords(difference - np.rint(difference))) > 0.1:
            raise UnreadableStructure(f'site {index} has abc = {site["abc"]} and xyz = {site["xyz"]}: these differ')
    keys = ('element', 'occu', 'oxidation_state')
    species = [{key: one[key] for key in keys if one.get(key) is not None} for one in site['species']]
    species = [one | {'element': element_of(one['element'])[0]} for one in species]
    return {'species': species, 'abc': list(place)}


def _from_jarvis(crystal: dict) -> tuple[Structure, tuple[str, ...]]:
    check_cell(crystal['lattice_mat'], (True,) * 3)
    lattice, cartesian = Lattice(crystal['lattice_mat']), crystal.get('cartesian')
    _check_parameters([*crystal.get('abc', [None] * 3), *crystal.get('angles', [None] * 3)], lattice)
    if not isinstance(cartesian, bool):
        raise UnreadableStructure('it does not say whether its coords are Cartesian: add cartesian, true or false')
    elements = [element_of(one)[0] for one in crystal['elements']]
    return Structure(lattice, elements, crystal['coords'], coords_are_cartesian=cartesian), ()


def _from_nomad(crystal: dict) -> tuple[Structure, tuple[str, ...]]:
    """An entry of NOMAD, which has the fields of OPTIMADE in metres."""
    fields = ('lattice_vectors', 'cartesian_site_positions')
    angstrom = {field: (1e10 * np.array(crystal[field], dtype=float)).tolist() for field in fields}
    return from_optimade(crystal | angstrom)


def _from_cif(document: dict) -> tuple[Structure, tuple[str, ...]]:
    blocks = crystals_of(document['cif'])
    if len(blocks) != 1:
        raise UnreadableStructure(f'its CIF describes {len(blocks)} crystals, not one')
    return blocks[0]()


def _from_row(row: dict) -> tuple[Structure, tuple[str, ...]]:
    """A row of a database of ASE."""
    cell, periodic = row.get('cell', np.zeros((3, 3))), row.get('pbc', False)
    return from_atoms(Atoms(numbers=row['numbers'], positions=row['positions'], cell=cell, pbc=periodic)), ()


def from_optimade(attributes: dict) -> tuple[Structure, tuple[str, ...]]:
    """The structure of an entry, and doubts. (optimade's adapter refuses an entry for any unusual field.)

    :raises StructureError: if the entry does not describe a whole crystal, or contradicts itself.
    """
    _check_features(attributes)
    names, vectors = attributes.get('species_at_sites'), []
    if not isinstance(names, list):
        raise UnreadableStructure('the entry has no species_at_sites')
    for field, length in (('lattice_vectors', 3), ('cartesian_site_positions', len(names))):
        try:
            vectors.append(np.array(attributes.get(field), dtype=float).reshape(length, 3))
        except (TypeError, ValueError) as error:
            raise UnreadableStructure(f'{field}: there are not {length} vectors of three numbers') from error
    compositions, doubts = _compositions(attributes.get('species'), names)
    occupied = [index for index, name in enumerate(names) if compositions[name]]
    if len(occupied) < len(names):
        doubts = (*doubts, f'{len(names) - len(occupied)} of its {len(names)} sites are vacancies, which are left out')
    lattice, positions, species = vectors[0], vectors[1][occupied], [compositions[names[index]] for index in occupied]
    structure = sound(Structure(lattice, species, positions, coords_are_cartesian=True))
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


#: Keys of the formats, and their readers.
_READERS = (
    ({'lattice', 'sites'}, _from_pymatgen),
    ({'lattice_mat', 'coords', 'elements'}, _from_jarvis),
    ({'lattice_vectors', 'cartesian_site_positions', 'cell_volume'}, _from_nomad),
    ({'lattice_vectors', 'cartesian_site_positions'}, from_optimade),
    ({'numbers', 'positions'}, _from_row),
    ({'cif'}, _from_cif),
)
