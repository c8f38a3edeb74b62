"""Structures from files: CIF, POSCAR, extended XYZ, pymatgen or ASE JSON."""

import itertools
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import ase.io
from ase import Atoms
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp import errors
from aiida_pesfp.crystals.checks import check_cell
from aiida_pesfp.crystals.cif import crystals_of
from aiida_pesfp.crystals.duplicates import KnownStructures
from aiida_pesfp.crystals.text import read_text
from aiida_pesfp.errors import StructureError, UnreadableStructure, one_line

SUFFIXES = ('.cif', '.vasp', '.poscar', '.xyz', '.extxyz', '.json')


@dataclass(frozen=True)
class NamedStructure:
    """One structure of a request, or the reason why there is none or it cannot be used.

    :param name: unique in the request; names the results.
    :param source: the file as given, with ``#k`` for the k-th structure of a file that holds several.
    """

    name: str
    source: str
    structure: Structure | None
    error: StructureError | None = None


def read_named_structures(paths: list[Path]) -> list[NamedStructure]:
    """All structures in the files, and in the structure files of the folders, in the order given.

    A file that cannot be read and a structure that is identical to an earlier one are in the list with an error.
    """
    found, known = [], KnownStructures(identical=True)
    for path in structure_files(paths):
        try:
            structures = read_structures(path)
        except StructureError as error:
            found.append(NamedStructure(_unique_name(path.stem, found), str(path), None, error))
            continue
        for index, structure in enumerate(structures):
            label, source = file_label(path), str(path)
            if len(structures) > 1:
                label, source = f'{path.stem}_{index}', f'{path}#{index}'
            earlier = known.add(source, structure)
            error = earlier and errors.DuplicateStructure(f'the same structure as {earlier}, which has the result')
            found.append(NamedStructure(_unique_name(label, found), source, structure, error))
    return found


def read_structures(path: Path) -> list[Structure]:
    """All structures of one file.

    :raises UnreadableStructure: if the file holds none.
    :raises InvalidCell: if one has no three-dimensional periodic cell.
    """
    try:
        with warnings.catch_warnings(action='ignore'):  # pymatgen warns of every rounded coordinate
            structures = _parse(path)
    except StructureError:
        raise
    except Exception as error:  # parsers raise all kinds of errors on malformed files
        raise UnreadableStructure(f'cannot be read as a crystal structure ({one_line(error)})') from error
    if not structures:
        raise UnreadableStructure('contains no structure')
    return structures


def structure_files(paths: list[Path]) -> list[Path]:
    """The files among the paths and the structure files in the folders among them, in order."""
    files = []
    for path in paths:
        if path.is_dir():
            known = (file for file in path.iterdir() if file.suffix.lower() in SUFFIXES or _is_poscar(file))
            files += sorted(filter(Path.is_file, known))
        else:
            files.append(path)
    return files


def _is_poscar(path: Path) -> bool:
    return path.name.upper().startswith(('POSCAR', 'CONTCAR'))


def file_label(path: Path) -> str:
    """Name of a file without its ending; ``POSCAR.Li2O`` becomes ``POSCAR_Li2O``."""
    return path.name.replace('.', '_') if _is_poscar(path) else path.stem


def _parse(path: Path) -> list[Structure]:
    if not path.is_file():
        raise UnreadableStructure('no such file')
    if path.suffix.lower() == '.cif':
        return _from_cif(path)
    if path.suffix.lower() in ('.vasp', '.poscar') or _is_poscar(path):
        return [_from_atoms(atoms) for atoms in ase.io.read(path, index=':', format='vasp')]
    if path.suffix.lower() == '.json':
        content = json.loads(path.read_text())
        entries = content if isinstance(content, list) else [content]
        if all(isinstance(entry, dict) and 'lattice' in entry and 'sites' in entry for entry in entries):
            for entry in entries:
                check_cell(entry['lattice']['matrix'], entry['lattice'].get('pbc', (True,) * 3))
            return [Structure.from_dict(entry) for entry in entries]
    return [_from_atoms(atoms) for atoms in ase.io.read(path, index=':')]


def _from_cif(path: Path) -> list[Structure]:
    return [read()[0] for read in crystals_of(read_text(path))]


def _from_atoms(atoms: Atoms) -> Structure:
    check_cell(atoms.cell.array, atoms.pbc)
    # Without constraints, velocities and the like.
    bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    return AseAtomsAdaptor.get_structure(bare)


def _unique_name(stem: str, others: list[NamedStructure]) -> str:
    taken = {other.name for other in others}
    names = itertools.chain([stem], (f'{stem}_{number}' for number in itertools.count(2)))
    return next(name for name in names if name not in taken)
