"""Whether the atoms of a CIF block are those that its other lists name: of bonds, of displacements, of elements."""

import re
from collections import defaultdict
from contextlib import suppress

import gemmi
from pymatgen.core import Structure

from aiida_pesfp.crystals.cif.atoms import Atom
from aiida_pesfp.crystals.cif.tags import tags_of, texts
from aiida_pesfp.crystals.species import element_of
from aiida_pesfp.errors import InconsistentFile, UnreadableStructure

#: Columns of labels, such as _atom_site_aniso_label and _geom_bond_atom_site_label_1.
LABELS = re.compile('_(atom_site|geom)_.+label')
#: A listed bond is one of the crystal within this, A, or this part of its length. What is longer is no bond, A.
CLOSE, EXPANSION, LONGEST = 0.05, 0.02, 10.0


def check_lists(block: gemmi.cif.Block, atoms: list[Atom], structure: Structure, complete: bool) -> list[str]:
    """What other lists of a block name and the crystal lacks, as a doubt.

    :param complete: whether a formula says that all atoms are there.
    :raises InconsistentFile: if they name more atoms and nothing says that none is lost, or other distances.
    """
    symbols = texts(block, ('_atom_site_type_symbol',))
    listed = {_forms(text)[0] for text in texts(block, ('_atom_site_label',)) or symbols}
    named = texts(block, tuple(tag for tag in tags_of(block) if LABELS.match(tag)))
    lost = {label for label in named if listed.isdisjoint(_forms(label))}
    elements = {atom.element for atom in atoms}
    for symbol in set(texts(block, ('_atom_type_symbol',))).difference(symbols):
        with suppress(UnreadableStructure):  # a vacancy, a group of atoms
            lost |= {element_of(symbol, elements)[0]} - elements
    _check_bonds(block, atoms, structure)
    if not lost:
        return []
    objection = f'it names {", ".join(sorted(lost))}, which the list of its atoms lacks'
    if not complete:
        raise InconsistentFile(f'{objection}: add these atoms, or give the formula')
    return [f'{objection} and its formula does not need']


def _forms(label: str) -> tuple[str, str]:
    """A label without brackets, as it is and without the mark of an image: o1_555 and o1 of O(1)_555; O1#2, O1*."""
    plain = re.sub(r'[()\s]', '', label).lower()
    return plain, re.split(r'[_#^*$\'"]', plain)[0]


def _check_bonds(block: gemmi.cif.Block, atoms: list[Atom], structure: Structure) -> None:
    """Refuse a crystal in which most of the bonds that are listed are no distances of such atoms."""
    there, missing, by_label = 0, [], defaultdict(list)
    for atom in atoms:
        by_label[_forms(atom.label)[0]].append(atom)
    for row in block.find('_geom_bond_', ['atom_site_label_1', 'atom_site_label_2', 'distance']):
        names, length = [row.str(0), row.str(1)], gemmi.cif.as_number(row[2])
        first, second = (next(filter(None, map(by_label.get, _forms(name))), []) for name in names)
        if not (len(first) == 1 and second and 0 < length < LONGEST):  # NaN neither
            continue
        center = structure.lattice.get_cartesian_coords(first[0].position)
        shell = structure.get_neighbors_in_shell(center, length, max(CLOSE, EXPANSION * length))
        if any(second[0].element in site.species for site in shell):
            there += 1
        else:
            missing.append(f'{"-".join(names)} {length:g} A')
    if len(missing) > there:
        some = ', '.join(missing[:3])
        raise InconsistentFile(f'most bonds that it lists are no distances of its atoms ({some}): correct either')
