"""Structures from files (CIF, POSCAR, extended XYZ, pymatgen or ASE JSON), and which of them are the same.

Both sides of the package read structures, so this module imports neither aiida nor torch.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import ase.io
from ase import Atoms
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifParser

from aiida_pesfp.errors import (
    DuplicateStructure,
    InvalidCell,
    OverlappingAtoms,
    StructureError,
    UnreadableStructure,
)
from aiida_pesfp.fingerprint.checks import check_cell

SUFFIXES = ('.cif', '.vasp', '.poscar', '.xyz', '.extxyz', '.json')


@dataclass(frozen=True)
class Record:
    """One structure of a request, or the reason why there is none.

    :param name: unique in the request; names the results.
    :param source: the file as given, with ``#k`` for the k-th structure of a file that holds several.
    """

    name: str
    source: str
    structure: Structure | None
    error: StructureError | None = None


def read_all(paths: list[Path]) -> list[Record]:
    """One record for each structure in the files, and in the structure files of the folders, in the order given.

    A file that cannot be read and a structure that was there before become records with an error.
    """
    records = []
    for path in structure_files(paths):
        try:
            structures = read(path)
        except StructureError as error:
            records.append(Record(_unique_name(path.stem, records), str(path), None, error))
            continue
        for index, structure in enumerate(structures):
            several = len(structures) > 1
            name = _unique_name(f'{path.stem}_{index}' if several else stem(path), records)
            source = f'{path}#{index}' if several else str(path)
            records.append(Record(name, source, structure, _duplicate(structure, records)))
    return records


def read(path: Path) -> list[Structure]:
    """All structures of one file.

    :raises UnreadableStructure: if it holds none.
    :raises InvalidCell: if one has no three-dimensional periodic cell.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # pymatgen reports every rounded coordinate
            structures = _parse(path)
    except StructureError:
        raise
    except Exception as error:  # the parsers raise anything that a malformed file can provoke
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise UnreadableStructure(f'cannot be read as a crystal structure ({reason[:200]})') from error
    if not structures:
        raise UnreadableStructure('holds no structure')
    return structures


class KnownStructures:
    """Recognises a structure that was there before, from whatever source it comes.

    Two structures are the same if they have the same reduced formula and pymatgen's ``StructureMatcher`` maps one onto
    the other: whatever cell was chosen, scaled to the same volume, within its default tolerances.
    """

    def __init__(self):
        self._by_formula: dict[str, list[tuple[str, Structure]]] = defaultdict(list)
        self._matcher = StructureMatcher()

    def add(self, name: str, structure: Structure) -> str | None:
        """The name of the structure that is the same as this one, or None, and this one is known from now on."""
        others = self._by_formula[structure.composition.reduced_formula]
        for other, known in others:
            if self._matcher.fit(known, structure):
                return other
        others.append((name, structure))
        return None


def structure_files(paths: list[Path]) -> list[Path]:
    """The files among the paths, and the structure files of the folders among them, in order."""
    files = []
    for path in paths:
        if path.is_dir():
            files += sorted(entry for entry in path.iterdir() if entry.is_file() and _is_structure_file(entry))
        else:
            files.append(path)
    return files


def _is_structure_file(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES or _is_poscar(path)


def _is_poscar(path: Path) -> bool:
    return path.suffix.lower() in ('.vasp', '.poscar') or path.name.upper().startswith(('POSCAR', 'CONTCAR'))


def stem(path: Path) -> str:
    """Name of a file without its ending; ``POSCAR.Li2O`` and ``POSCAR_Li2O`` keep what tells them apart."""
    return path.name.replace('.', '_') if path.name.upper().startswith(('POSCAR', 'CONTCAR')) else path.stem


def _parse(path: Path) -> list[Structure]:
    if not path.is_file():
        raise UnreadableStructure('there is no such file')
    if path.suffix.lower() == '.cif':
        return _from_cif(path)
    if _is_poscar(path):
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
    try:
        return CifParser(path).parse_structures(primitive=False, on_error='raise')
    except ValueError as error:
        if 'ccupanc' in str(error):  # the parser adds up the occupancies of atoms with the same coordinates
            raise OverlappingAtoms('several atoms lie on one place, whose occupancies sum to more than 1') from error
        if 'ingular matrix' in str(error):
            raise InvalidCell('the cell has no volume: correct its lengths and angles') from error
        raise


def _from_atoms(atoms: Atoms) -> Structure:
    check_cell(atoms.cell.array, atoms.pbc)
    # Constraints, velocities and the like have no meaning for a scan.
    bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    return AseAtomsAdaptor.get_structure(bare)


def _unique_name(stem: str, records: list[Record]) -> str:
    taken = {record.name for record in records}
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f'{stem}_{number}'
    return name


def _duplicate(structure: Structure, records: list[Record]) -> DuplicateStructure | None:
    for record in records:
        if record.structure is not None and record.error is None and record.structure == structure:
            return DuplicateStructure(f'the same structure as {record.source}: treated there only')
    return None
