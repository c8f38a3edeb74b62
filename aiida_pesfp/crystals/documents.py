"""Structures from JSON: pymatgen, Materials Project, JARVIS, OQMD, NOMAD, OPTIMADE and ASE."""

import json
import re
from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.io.jsonio import object_hook
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.checks import check_cell
from aiida_pesfp.crystals.cif.reader import crystals_of
from aiida_pesfp.crystals.facts import check_document, check_same
from aiida_pesfp.crystals.optimade import differ, from_optimade, occupancy, vectors
from aiida_pesfp.crystals.reading import Reading, attempt, from_atoms
from aiida_pesfp.crystals.species import element_of
from aiida_pesfp.errors import InvalidCell, StructureError, UnreadableStructure

#: Keys under which databases keep the crystal (the last one of a calculation), its identifier, and its properties.
_CRYSTALS = ('structure', 'atoms', 'attributes', 'output')
_IDS = ('material_id', 'jid', 'entry_id', 'task_id', 'id')
_PROPERTIES = {
    'band_gap': ('band_gap', 'bandgap', 'optb88vdw_bandgap'),  # eV
    'energy_above_hull': ('energy_above_hull', 'e_above_hull', 'ehull'),  # eV/atom
}
#: Keys of entries that describe a crystal in many places, and what of them is read.
_INSTEAD = {
    'aurl': 'AFLOW: download its structure, CONTCAR.relax.vasp',
    **dict.fromkeys(('archive', 'run', 'processing_logs'), 'NOMAD: download its structure as a CIF'),
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
    identifier = name or next((str(stated[key]) for key in _IDS if type(stated.get(key)) in (str, int)), None)
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
    stated = _stated(document)
    if stated is not crystal and isinstance(stated.get('cif'), str) and 'cif' not in crystal:
        doubts = (*doubts, *_check_cif(stated, structure))
    return structure, (*doubts, *check_document(stated, structure))


def _check_cif(document: dict, structure: Structure) -> list[str]:
    """Refuse a structure that is another one than the CIF beside it describes; a CIF that cannot be read is a doubt."""
    try:
        other, _ = _from_cif(document)
    except StructureError as error:
        return [f'its CIF cannot be read: {error}']
    check_same(other, structure)
    return []


def _stated(document: dict) -> dict:
    """All that a document says beside its crystal; entries of pymatgen and rows of ASE keep some a level below."""
    levels = [document.get(key) for key in ('data', 'key_value_pairs')]
    stated = {key: value for level in levels if isinstance(level, dict) for key, value in level.items()} | document
    is_oqmd = {'unit_cell', 'sites'} <= set(document)
    return {'e_above_hull': document.get('stability'), 'formula': document.get('name')} | stated if is_oqmd else stated


def _unknown(document) -> UnreadableStructure:
    for key, instead in _INSTEAD.items() if isinstance(document, dict) else ():
        if key in document:
            return UnreadableStructure(f'it is an entry of {instead}')
    known = 'pymatgen, the Materials Project, JARVIS, OQMD, OPTIMADE or ASE'
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
    places = {key: vectors(site[key], 1, f'{key} of site {index}')[0] for key in ('abc', 'xyz') if key in site}
    if oriented and len(places) == 2 and differ(lattice, places['abc'], places['xyz']):
        raise UnreadableStructure(f'site {index} has abc = {site["abc"]} and xyz = {site["xyz"]}: these differ')
    place = places['abc'] if 'abc' in places else lattice.get_fractional_coords(places['xyz'])
    species = [
        {'element': element_of(one['element'])[0], 'occu': occupancy(one.get('occu'), f'site {index} has occu')}
        | {key: one[key] for key in ('oxidation_state',) if one.get(key) is not None}
        for one in site['species']
    ]
    return {'species': species, 'abc': list(place)}


def _from_oqmd(crystal: dict) -> tuple[Structure, tuple[str, ...]]:
    """An answer of OQMD, in which a site is a text such as ``Li @ 0 0.333 0.5``."""
    check_cell(matrix := vectors(crystal['unit_cell'], 3, 'unit_cell'), (True,) * 3)
    names, places = zip(*(site.split('@') for site in crystal['sites']))
    places = vectors([place.split() for place in places], len(names), 'sites')
    doubt = 'OQMD gives coordinates with three digits: atoms off their places are so by rounding'
    return Structure(matrix, [element_of(name.strip())[0] for name in names], places), (doubt,)


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


#: Keys of the formats, and their readers.
_READERS = (
    ({'lattice', 'sites'}, _from_pymatgen),
    ({'lattice_mat', 'coords', 'elements'}, _from_jarvis),
    ({'unit_cell', 'sites'}, _from_oqmd),
    ({'lattice_vectors', 'cartesian_site_positions', 'cell_volume'}, _from_nomad),
    ({'lattice_vectors', 'cartesian_site_positions'}, from_optimade),
    ({'numbers', 'positions'}, _from_row),
    ({'cif'}, _from_cif),
)
