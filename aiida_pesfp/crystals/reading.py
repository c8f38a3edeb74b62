"""What a file says of one structure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ase import Atoms
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp.crystals.checks import check_cell, check_packing, doubts_of_occupancies, sound
from aiida_pesfp.errors import PartialOccupancy, StructureError, UnreadableStructure, one_line, shortened


@dataclass(frozen=True)
class Reading:
    """One structure of a file, or the reason why there is none.

    :param doubts: what may be wrong with the structure; nothing that contradicts the file.
    :param id: identifier that the file gives to the structure.
    :param properties: ``band_gap`` (eV) and ``energy_above_hull`` (eV/atom) as they stand in the file, if they do.
    """

    structure: Structure | None = None
    error: StructureError | None = None
    doubts: tuple[str, ...] = ()
    id: str | None = None
    properties: dict = field(default_factory=dict)


def attempt(make: Callable[[], tuple[Structure, tuple[str, ...]]], **fields) -> Reading:
    """The reading of one structure. An error becomes a part of it.

    :param make: returns the structure and doubts. Parsers raise all kinds of errors on malformed files.
    """
    try:
        structure, doubts = make()
        structure = sound(structure)
        doubts = (*doubts, *check_packing(structure), *doubts_of_occupancies(structure))
        return Reading(structure, doubts=tuple(shortened(doubts)), **fields)
    except Exception as error:
        return Reading(error=as_ours(error), **fields)


def as_ours(error: Exception) -> StructureError:
    """The error of a parser, which may be of any kind, as one of ours."""
    if isinstance(error, StructureError):
        return error
    texts = {PermissionError: 'no permission to read the file', MemoryError: 'reading it takes too much memory'}
    return UnreadableStructure(texts.get(type(error), f'cannot be read as a crystal structure ({one_line(error)})'))


def from_atoms(atoms: Atoms) -> Structure:
    """A structure of ASE's atoms, without constraints, velocities and the like.

    :raises UnreadableStructure: if an atom is none.
    :raises PartialOccupancy: if a site is not full, as occupancies of a CIF, which ASE keeps, or a column ``occ`` say.
    """
    check_cell(atoms.cell.array, atoms.pbc)
    if (atoms.numbers < 1).any():  # SIESTA's ghosts have negative ones
        raise UnreadableStructure('it has ghosts or dummies: leave out what is no atom')
    kept = atoms.info.get('occupancy')
    sites = [list(site.values()) for site in kept.values()] if isinstance(kept, dict) else []
    columns = [array.astype(float) for name, array in atoms.arrays.items() if 'occ' in name.lower()]
    if any(site != [1] for site in sites) or any((column != 1).any() for column in columns):
        raise PartialOccupancy('it has partly occupied sites: give a CIF for --orderings, or an ordered approximant')
    return AseAtomsAdaptor.get_structure(Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True))
