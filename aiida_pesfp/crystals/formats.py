"""Structures of one file, in any of the formats that people have them in."""

import io
import itertools
import re
import unicodedata
import warnings
from pathlib import Path

import ase.io

from aiida_pesfp.crystals import espresso
from aiida_pesfp.crystals.cif.reader import crystals_of
from aiida_pesfp.crystals.documents import read_documents
from aiida_pesfp.crystals.poscar import VECTOR, read_poscar
from aiida_pesfp.crystals.reading import Reading, as_ours, attempt, from_atoms
from aiida_pesfp.crystals.xyz import read_xyz
from aiida_pesfp.errors import PartialOccupancy, UnreadableStructure
from aiida_pesfp.text import COMPRESSIONS, read_text

ENDINGS = {
    **dict.fromkeys(('.cif', '.mcif'), 'cif'),
    **dict.fromkeys(('.vasp', '.poscar', '.contcar'), 'poscar'),
    **dict.fromkeys(('.xyz', '.extxyz'), 'xyz'),
    **dict.fromkeys(('.json', '.jsonl', '.ndjson'), 'json'),
}
_NAMES = '(poscar|contcar|chgcar|aeccar|locpot|elfcar)'
_POSCAR = re.compile(rf'^{_NAMES}|[._-]{_NAMES}([._-]|$)', re.IGNORECASE)
#: Rather than the name of a folder.
_FORMULA = re.compile(r'(?=.*[a-z\d])(?:[A-Z][a-z]?[\d.]*)+')
#: What ASE knows that lists all atoms of a cell with their elements, and no occupancies. Others may lack symmetry
#: (SHELX, CRYSTAL), elements (LAMMPS) or occupancies (PDB, XTL).
WHOLE = {
    *('xsf', 'cube', 'gen', 'dftb', 'aims', 'aims-output', 'castep-cell', 'castep-castep', 'espresso-in'),
    *('espresso-out', 'vasp-out', 'vasp-xml', 'vasp-xdatcar', 'siesta-xv', 'struct_out', 'gpaw-out', 'traj', 'db'),
}
#: What precedes a list of atoms, and its lines, in formats of which ASE reads as many as a count says, no more.
_LISTS = {
    'espresso-in': (r'(?im)^\s*ATOMIC_POSITIONS\b.*$', r'(?!K_P|CELL_|ATOMIC_|ADDIT)[A-Za-z][\w+-]*(\s+\S+){3,}'),
    'xsf': (r'(?m)^\s*PRIMCOORD\b.*\n.*$', rf'\w+\s+{VECTOR}.*'),
}


def format_of(path: Path) -> str | None:
    """The format that a file has by its name: ``a.cif``, ``a.CIF.gz``, ``a.cif.txt``, ``POSCAR_a``, ``a_CONTCAR``."""
    name, ending = _plain(path)
    return ENDINGS.get(ending.lower()) or ('poscar' if _POSCAR.search(name) else None)


def file_label(path: Path) -> str:
    """Name of a file without its endings; ``POSCAR.Li2O`` becomes ``POSCAR_Li2O``."""
    name, ending = _plain(path)
    if ending.lower() not in ENDINGS and _POSCAR.search(name):
        return name.replace('.', '_')
    return name.removesuffix(ending)


def plain_name(name: str) -> str:
    """How a table may write the name of a file or structure: without folders and ending, whatever case and signs.

    It has one underscore for all else than letters and digits, and no zeros around a whole number: spreadsheets write
    1234.0 for 001234. What stands before a slash is no folder if it is a formula: LiI/Al2O3 has two phases.
    """
    *folders, last = re.split(r'[\\/]', unicodedata.normalize('NFKC', name).strip())
    stem, ending = _plain(Path(last))
    stem = stem.removesuffix(ending) if ending.lower() in ENDINGS else stem
    stem = re.sub(r'^0*(\d+)(?:\.0*)?$', r'\1', stem)
    phases = any(map(_FORMULA.fullmatch, folders)) and not format_of(Path(last))
    return re.sub(r'[\W_]+', '_', '_'.join([*folders, stem] if phases else [stem]).casefold()).strip('_')


def _plain(path: Path) -> tuple[str, str]:
    """A name without the endings of compression and of text, and its last ending."""
    name = path.name
    for ending in (*COMPRESSIONS, '.txt'):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name, Path(name).suffix


def read_file(path: Path) -> list[Reading]:
    """All structures of one file, at least one; one that cannot be read is in the list with the reason."""
    try:
        with warnings.catch_warnings(action='ignore'):  # pymatgen warns of every rounded coordinate
            return _parse(path) or [Reading(error=UnreadableStructure('contains no structure'))]
    except Exception as error:  # parsers raise all kinds of errors on malformed files
        return [Reading(error=as_ours(error))]


def _parse(path: Path) -> list[Reading]:
    if not path.is_file():
        raise UnreadableStructure('no such file' if not path.exists() else 'is not a regular file')
    kind = format_of(path) or _kind_by_ase(path)
    if kind in _READERS:
        return _READERS[kind](read_text(path))
    source = path
    if kind == 'castep-cell' and 'MIXTURE' in read_text(path).upper():  # ASE overlooks it
        raise PartialOccupancy('it has mixtures of atoms: give a CIF for --orderings, or an ordered approximant')
    if kind == 'espresso-in':
        source = io.StringIO(espresso.for_ase(read_text(path)))
    if kind == 'cube' and re.match(r'(?:.*\n){3}\s*-', read_text(path)):
        raise UnreadableStructure('it has lengths in Angstrom, by its negative counts: give them in Bohr')
    try:
        atoms = ase.io.read(source, index=':', format=kind, do_not_split_by_at_sign=True)
    except (AssertionError, IndexError) as error:
        raise UnreadableStructure(f'its count of atoms is not that of its lines, read as {kind}: correct it') from error
    if kind in _LISTS:
        _check_lists(read_text(path), kind, sum(map(len, atoms)))
    return [attempt(lambda one=one: (from_atoms(one), ())) for one in atoms]


def _check_lists(text: str, kind: str, count: int) -> None:
    """Refuse atoms that ASE has not read, and species of Quantum ESPRESSO that no atom has."""
    begin, atom = _LISTS[kind]
    text = re.sub('[!#].*', '', text)
    names = []
    for after in re.split(begin, text)[1:]:
        lines = filter(None, map(str.strip, after.splitlines()))
        names += [line.split()[0] for line in itertools.takewhile(re.compile(atom).fullmatch, lines)]
    if len(names) != count:
        raise UnreadableStructure(f'it lists {len(names)} atoms, its count is {count}: correct either')
    if kind == 'espresso-in':
        rows = re.split(r'(?im)^\s*ATOMIC_SPECIES\b.*$', text)[-1].splitlines()
        rows = itertools.takewhile(re.compile(r'\S+\s+\d\S*\s+\S+').fullmatch, filter(None, map(str.strip, rows)))
        if unused := sorted({row.split()[0] for row in rows} - set(names)):
            raise UnreadableStructure(f'it has no atoms of its species {", ".join(unused)}: add them, or remove these')


def _kind_by_ase(path: Path) -> str:
    """One of our formats or one of :data:`WHOLE`, as ASE knows it by its name or content."""
    try:
        kind = ase.io.formats.filetype(str(path))  # the ending of the name, if it does not know it
    except ase.io.formats.UnknownFileTypeError:
        kind = None
    if path.name.startswith('geometry') and path.suffix == '.next_step':
        kind = 'aims'
    if kind not in ase.io.formats.ioformats:
        known = ', '.join(ENDINGS)
        raise UnreadableStructure(f'its name has none of the endings {known}, and ASE does not know it')
    kind = {'vasp': 'poscar', 'extxyz': 'xyz', 'runnerdata': 'LAMMPS or RuNNer data'}.get(kind, kind)
    if kind not in _READERS and kind not in WHOLE:
        words = f'files of the kind {kind} may lack symmetry, elements or occupancies'
        raise UnreadableStructure(f'{words}: make a CIF of it, with all that the file says')
    return kind


_READERS = {
    'cif': lambda text: [attempt(read) for read in crystals_of(text)],
    'poscar': lambda text: [attempt(lambda: read_poscar(text))],
    'xyz': read_xyz,
    'json': read_documents,
}
