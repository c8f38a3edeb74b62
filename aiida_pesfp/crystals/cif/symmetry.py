"""Which symmetry operations a CIF block states: those it lists, and those of the settings that its names can mean.

The names are those of spglib's table of 530 settings, with older and shorter forms, and of the further settings of
gemmi's table, such as C -1. A name that several settings share means all of them.
"""

import functools
import re
from collections import defaultdict
from dataclasses import dataclass

import gemmi
import numpy as np
import spglib
from pymatgen.core import Lattice, Structure
from scipy.spatial import cKDTree

from aiida_pesfp.crystals.cif.tags import texts, value
from aiida_pesfp.errors import InconsistentFile, UnreadableStructure

OPERATIONS = ('_symmetry_equiv_pos_as_xyz', '_space_group_symop_operation_xyz', '_space_group_symop_magn_operation_xyz')
CENTRINGS = ('_space_group_symop_magn_centering_xyz',)
HALL = ('_symmetry_space_group_name_Hall', '_space_group_name_Hall')
HERMANN_MAUGUIN = (
    *('_symmetry_space_group_name_H-M', '_symmetry_space_group_name_H-M_full', '_symmetry_space_group_name_H_M'),
    *('_space_group_name_H-M_alt', '_space_group_name_H-M_full', '_space_group_name_H-M', '_space_group_name_H_M'),
    '_space_group_name_H-M_ref',
)
NUMBER = ('_symmetry_Int_Tables_number', '_space_group_IT_number', '_symmetry_IT_number')
AXES = ('_space_group_IT_coordinate_system_code',)
#: A lattice has a symmetry if this keeps its metric tensor to the relative accuracy ``LOOSE``. Of the settings of a
#: name, those count that keep it to ``STRICT``, if any does: an angle of 90.1 degrees tells a monoclinic axis.
STRICT, LOOSE = 1e-4, 1e-2
#: How databases mark the choice of origin (1 or 2) or of axes (hexagonal or rhombohedral) at the end of a name.
_MARKS = {'1': ('s', ':s'), '2': ('z', ':z'), 'H': ('h',), 'R': ('r',)}


@dataclass(frozen=True)
class Setting:
    """A space group in one choice of axes and origin.

    :param name: Hermann-Mauguin name, with the choice of axes or origin after a colon.
    :param hall: Hall symbol, which determines the operations.
    :param common: whether it is one of the 530.
    """

    name: str
    number: int
    choice: str
    hall: str
    common: bool = False

    @property
    def operations(self) -> tuple[gemmi.Op, ...]:
        """All operations, centring included."""
        return tuple(gemmi.symops_from_hall(self.hall))


#: One way to read the symmetry of a block: what in the file says so, for messages, and the operations.
Symmetry = tuple[str, tuple[gemmi.Op, ...]]


def symmetries(block: gemmi.cif.Block, lattice: Lattice) -> tuple[list[Symmetry], bool, list[str]]:
    """The symmetries that a block can mean, whether it contradicts itself about them, and what is doubtful.

    Operations that the block lists count. If there are none, or they do not belong to the group that it names, the
    settings of that name come too, as far as the cell has their symmetry.

    :raises InconsistentFile: if names exclude each other, or none of the symmetries is one of the cell.
    :raises UnreadableStructure: if the block lists no operations and its names are unknown, or an operation is none.
    """
    listed = _listed(block)
    named, doubts = _named(block)
    if not listed and named is None:
        if doubts:
            raise UnreadableStructure(f'{doubts[0]}: list its operations')
        doubts.append('no symmetry is given: its atoms were taken for the whole cell')
        return [('no symmetry (P 1)', (gemmi.Op('x,y,z'),))], True, doubts
    deviations = {one: _deviation(lattice, one.operations) for one in named or ()}
    limit = STRICT if min(deviations.values(), default=0) < STRICT else LOOSE
    fitting = [one for one, deviation in deviations.items() if deviation < limit]
    choices = [(one.name, one.operations) for one in fitting]
    if not listed:
        if not choices:
            names = ', '.join(one.name for one in named)
            raise InconsistentFile(f'the cell does not have the symmetry of the space group that is named ({names})')
        return choices, False, doubts
    number, complete = _kind_of(listed, lattice)
    alone = f'the one listed operation ({listed[0].triplet()})'
    origin = f'{len(listed)} listed operations' if len(listed) > 1 else alone
    if _deviation(lattice, listed) > LOOSE:
        raise InconsistentFile(f'the cell does not have the symmetry of its {origin}: correct either')
    if named is None:
        if not complete:
            raise InconsistentFile(f'the {origin} are not a group: some are missing')
        return [(origin, listed)], False, doubts
    if complete and number in {None, *(one.number for one in named)}:
        if fitting and not any(set(map(_key, one.operations)) == set(map(_key, listed)) for one in fitting):
            doubts.append(f'the {origin} are another setting than {" or ".join(one.name for one in named)}, and count')
        return [(origin, listed)], False, doubts
    return [(origin, listed), *choices], True, doubts


@functools.cache
def _settings() -> tuple[dict[str, list[Setting]], dict[int, list[Setting]], dict[str, Setting]]:
    """Settings by the plain forms of their names, by number and by plain Hall symbol."""
    by_name, by_number, by_hall = defaultdict(list), defaultdict(list), {}
    rows = []
    for hall_number in range(1, 531):
        row = spglib.get_spacegroup_type(hall_number)
        short = row.international.split(' = ')[-1]
        rows.append((row.number, row.international_full, short, row.choice, row.hall_symbol, True))
    for row in gemmi.spacegroup_table():
        choice = '' if row.ext == '\0' else row.ext
        if not row.hm.endswith(('a', 'a)')) or 'a' in row.hm[:-2]:  # C 2 2 2a and the like are names of its own
            rows.append((row.number, row.hm, row.hm, choice, row.hall, False))
    for number, full, short, choice, hall, common in rows:
        if (plain := _plain_hall(hall)) in by_hall:
            setting = by_hall[plain]
        else:
            name = short.replace('_', '') + (f':{choice}' if choice else '')
            setting = by_hall[plain] = Setting(name, number, choice, hall, common)
            by_number[number].append(setting)
        for form in {form for name in (full, short) for form in _forms(name, number if common else 0, choice)}:
            if setting not in by_name[form]:
                by_name[form].append(setting)
    return by_name, by_number, by_hall


def _forms(name: str, number: int, choice: str) -> set[str]:
    """The plain forms in which a setting is written."""
    forms = {name}
    if 3 <= number <= 15:  # C 1 2/c 1 is C 2/c for short, whatever its axis
        forms.add(' '.join(part for part in name.split() if part != '1'))
    if number >= 200:  # before 1935, F m -3 m was F m 3 m
        forms |= {form.replace('-3', '3') for form in forms}
    if 'e' in name:  # before 1992, C m c e was C m c a
        forms |= {form.replace('e', letter) for form in forms for letter in 'abc'}
    forms = {_plain(form) for form in forms}
    marks = [f':{choice}'.lower(), *_MARKS.get(choice, ())] if choice else []
    return forms | {form + mark for form in forms for mark in marks}


def _plain(name: str) -> str:
    """A name without blanks, underscores, small print and remarks in brackets; P2(1)/c is P 21/c."""
    name = re.sub(r'\((\d)\)', r'\1', name)
    return re.sub(r'<[^>]*>|\(.*?\)|[\s_~]', '', name.lower())


def _plain_hall(symbol: str) -> str:
    return ' '.join(symbol.replace('_', ' ').lower().split()).replace('"', "'")


def _listed(block: gemmi.cif.Block) -> tuple[gemmi.Op, ...]:
    """The operations that a block lists, each once, with the centrings of magnetic files."""
    found, centrings = (list(map(_operation, texts(block, tags))) for tags in (OPERATIONS, CENTRINGS))
    found = [(centring * operation).wrap() for centring in centrings for operation in found] or found
    return tuple({_key(one): one for one in found}.values())


def _operation(triplet: str) -> gemmi.Op:
    parts = triplet.strip().strip('\'"').replace(' ', '').split(',')
    try:
        operation = gemmi.Op(','.join(parts[:3])).wrap()
        if abs(operation.det_rot()) != gemmi.Op.DEN**3:
            raise ValueError('it changes volumes')
    except ValueError as error:
        raise UnreadableStructure(f'{triplet!r} is not a symmetry operation ({error})') from error
    return operation


def _named(block: gemmi.cif.Block) -> tuple[list[Setting] | None, list[str]]:
    """The settings that all names in a block can mean, None without a known name, and what is doubtful."""
    by_name, by_number, by_hall = _settings()
    said, doubts = {}, []
    for tags, table, plain in ((HALL, by_hall, _plain_hall), (HERMANN_MAUGUIN, by_name, _plain)):
        for text in texts(block, tags):
            meant = table.get(plain(text))
            if meant is None and table is by_hall:
                meant = _of_hall(text)
            if meant is None:
                doubts.append(f'the space group {text!r} is not known')
            else:
                said[text] = [meant] if isinstance(meant, Setting) else meant
    number = value(block, NUMBER)
    if number is not None:
        if number not in by_number:
            doubts.append(f'there is no space group number {number:g}')
        else:
            said[f'number {number:g}'] = by_number[number]
    if not said:
        return None, doubts
    common = [one for one in next(iter(said.values())) if all(one in others for others in said.values())]
    if not common:
        raise InconsistentFile(f'its names of the space group exclude each other: {", ".join(said)}')
    if len(said) == 1 and number in by_number:
        common = [one for one in common if one.common]
    for code in texts(block, AXES):
        common = [one for one in common if one.choice.lower() == code.lower()] or common
    return common, doubts


def _of_hall(symbol: str) -> Setting | None:
    """The setting of a Hall symbol that is in no table, such as one with a shifted origin or without blanks."""
    try:
        operations = gemmi.symops_from_hall(symbol.replace('_', ' '))
    except (RuntimeError, ValueError):
        return None
    rotations, translations = as_arrays(tuple(operations))
    found = spglib.get_spacegroup_type_from_symmetry(rotations, translations)
    own = set(map(_key, operations))
    known = _settings()[1].get(found.number, []) if found else []
    same = (one for one in known if set(map(_key, one.operations)) == own)
    return next(same, found and Setting(symbol, found.number, '', symbol.replace('_', ' ')))


def as_arrays(operations: tuple[gemmi.Op, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3, 3) integer rotations and (n, 3) fractional translations."""
    rotations = np.array([one.rot for one in operations]) // gemmi.Op.DEN
    return rotations.astype('intc'), np.array([one.tran for one in operations]) / gemmi.Op.DEN


def is_whole(structure: Structure, operations: tuple[gemmi.Op, ...]) -> bool:
    """Whether operations take each site to one of the same species, within 0.1 A."""
    places, kinds = structure.frac_coords, np.array([hash(site.species) for site in structure])
    sites = cKDTree(places % 1 % 1, boxsize=1)
    for rotation, translation in zip(*as_arrays(operations)):
        images = places @ rotation.T + translation
        _, nearest = sites.query(images % 1 % 1)
        apart = images - places[nearest]
        distances = np.linalg.norm((apart - np.rint(apart)) @ structure.lattice.matrix, axis=1)
        if (distances > 0.1).any() or (kinds[nearest] != kinds).any():
            return False
    return True


def _kind_of(operations: tuple[gemmi.Op, ...], lattice: Lattice) -> tuple[int | None, bool]:
    """The number of the space group that operations generate, and whether they are all of its operations."""
    group = gemmi.GroupOps(list(operations))
    group.add_missing_elements()
    rotations, translations = as_arrays(tuple(group))
    found = spglib.get_spacegroup_type_from_symmetry(rotations, translations, lattice.matrix)
    # gemmi looks at the rotations only
    closed = len({_key(first * second) for first in operations for second in operations}) == len(operations)
    return found and found.number, len(rotations) == len(operations) and closed


def _deviation(lattice: Lattice, operations: tuple[gemmi.Op, ...]) -> float:
    """The largest relative change of the metric tensor of a lattice by rotations."""
    metric = lattice.matrix @ lattice.matrix.T
    rotations, _ = as_arrays(operations)
    turned = np.swapaxes(rotations, -1, -2) @ metric @ rotations
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    return float((np.abs(turned - metric) / scale).max())


def _key(operation: gemmi.Op) -> str:
    return operation.wrap().triplet()
