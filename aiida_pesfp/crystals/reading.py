"""What a file says of one structure."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp.crystals.checks import check_cell, doubts_of_occupancies, sound
from aiida_pesfp.errors import PartialOccupancy, StructureError, UnreadableStructure, one_line


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
        return Reading(structure, doubts=(*doubts, *doubts_of_occupancies(structure)), **fields)
    except StructureError as error:
        return Reading(error=error, **fields)
    except MemoryError:
        return Reading(error=UnreadableStructure('reading it takes too much memory'), **fields)
    except Exception as error:
        return Reading(error=unreadable(error), **fields)


def unreadable(error: Exception) -> UnreadableStructure:
    """The error of a parser as one of ours."""
    text = one_line(error) if str(error).strip() else type(error).__name__
    return UnreadableStructure(f'cannot be read as a crystal structure ({text})')


def from_atoms(atoms: Atoms) -> Structure:
    """A structure of ASE's atoms, without constraints, velocities and the like."""
    check_cell(atoms.cell.array, atoms.pbc)
    if not _is_full(atoms):
        raise PartialOccupancy('it has partly occupied sites: give an ordered approximant of the structure')
    return AseAtomsAdaptor.get_structure(Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True))


def _is_full(atoms: Atoms) -> bool:
    """Whether all sites are full, as ASE keeps the occupancies of a CIF or a column of such a name."""
    kept = atoms.info.get('occupancy')
    sites = kept.values() if isinstance(kept, dict) else ()
    columns = [array for name, array in atoms.arrays.items() if name.lower().startswith('occ')]
    return all(list(site.values()) == [1] for site in sites if isinstance(site, dict)) and all(
        bool(np.all(np.asarray(column, dtype=float) == 1)) for column in columns
    )
