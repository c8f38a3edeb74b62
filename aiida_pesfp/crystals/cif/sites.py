"""The crystal of a list of atoms and symmetry operations."""

from collections import defaultdict
from dataclasses import dataclass

import gemmi
import numpy as np
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.checks import MOST_ATOMS
from aiida_pesfp.crystals.cif.atoms import MOST_OVERFULL, Atom
from aiida_pesfp.crystals.cif.symmetry import as_arrays
from aiida_pesfp.errors import OverlappingAtoms, UnreadableStructure

#: Images of atoms that are this close are one site, A.
SAME_SITE = 0.01
#: Two images of a full site that are closer are one atom whose coordinates are inexact, or two half atoms, A.
TOO_CLOSE = 0.5
#: Shifts of coordinates to their special positions that nobody needs to hear of.
ROUNDING = 1e-4


@dataclass(frozen=True)
class Crystal:
    """A crystal that atoms and operations give.

    :param blur: element -> by how many atoms its count in the cell may be off, as occupancies have few digits.
    :param counted: whether the file says of each atom how many the cell has, and this is so.
    :param miscounted: what the file says of how many atoms of a kind the cell has, if it is not so.
    """

    structure: Structure
    blur: dict[str, float]
    counted: bool
    doubts: list[str]
    miscounted: str | None = None


def build(lattice: Lattice, atoms: list[Atom], operations: tuple[gemmi.Op, ...]) -> Crystal:
    """The crystal of the atoms of a list. Those at one place share a site.

    A position that is special but for its last digit (0.333 for 1/3) is made exact.

    :raises UnreadableStructure: if there are too many atoms.
    :raises OverlappingAtoms: if atoms at one place are more than one, or images of a full site nearly coincide.
    """
    rotations, translations = as_arrays(operations)
    doubts, counts, blur = [], [], defaultdict(float)
    fillings: list[dict[str, float]] = []
    places = np.empty((0, 3))
    for atom in atoms:
        position = _special(lattice, atom, rotations, translations)
        moved = np.abs(position - atom.position).max()
        if moved > ROUNDING:
            doubts.append(f'{atom.label}: put at a special position, as it has few digits')
        images = rotations @ position + translations
        # Positions of a whole list stay as they are: they may turn out to be lengths.
        images = _distinct(lattice, images % 1 if len(operations) > 1 else images)
        _check_images(lattice, atom, images)
        if len(places) + len(images) > MOST_ATOMS:
            raise UnreadableStructure(f'the cell has more than {MOST_ATOMS} atoms')
        counts.append(len(images))
        blur[atom.element] += len(images) * atom.blur
        for image in images:
            near = np.flatnonzero(_distances(lattice, image, places) < SAME_SITE)
            if len(near):
                filling = fillings[near[0]]
            else:
                places, filling = np.vstack([places, image]), defaultdict(float)
                fillings.append(filling)
            filling[atom.element] += _fill(atom)
    for place, filling in zip(places, fillings, strict=True):
        total = sum(filling.values())
        if total > MOST_OVERFULL:
            where = ', '.join(f'{x:.3f}' for x in place)
            raise OverlappingAtoms(
                f'several atoms ({", ".join(filling)}) share one site at ({where}), '
                f'whose occupancies sum to more than 1 ({total:.3g})'
            )
        if total > 1:
            filling.update({element: part / total for element, part in filling.items()})
            if total > 1.001:
                doubts.append(f'{", ".join(filling)} on one site: occupancies that sum to {total:.3f} were taken for 1')
    structure = Structure(lattice, [dict(one) for one in fillings], places).get_sorted_structure()
    counted = max(counts) > 1 and counts == [atom.multiplicity for atom in atoms]
    miscounted = _miscounted(atoms, counts, len(operations))
    return Crystal(structure, dict(blur), counted, list(dict.fromkeys(doubts)), miscounted)


def _miscounted(atoms: list[Atom], counts: list[int], order: int) -> str | None:
    """How the numbers of atoms contradict those that the file gives. Some programs write the order of the site."""
    given = [(atom, count) for atom, count in zip(atoms, counts, strict=True) if atom.multiplicity]
    wrong = [(atom, count) for atom, count in given if atom.multiplicity != count]
    if not wrong or all(atom.multiplicity * count == order for atom, count in given):
        return None
    atom, count = wrong[0]
    return f'the file says that the cell has {atom.multiplicity} atoms {atom.label}, its symmetry gives {count}'


def _fill(atom: Atom) -> float:
    return 1.0 if atom.occupancy is None else atom.occupancy


def _special(lattice: Lattice, atom: Atom, rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
    """The nearest position that is special, if it is the same within the digits; else the position as it is."""
    images = rotations @ atom.position + translations
    images -= np.rint(images - atom.position)
    offsets = np.linalg.norm((images - atom.position) @ lattice.matrix, axis=1)
    # An image moves at most as far as its atom; twice for both, and the axes add up.
    reach = 2 * float(atom.accuracy @ np.array(lattice.abc))
    mean = images[offsets <= reach].mean(axis=0)
    return mean if (np.abs(mean - atom.position) <= atom.accuracy * 1.01).all() else atom.position


def _distinct(lattice: Lattice, images: np.ndarray) -> np.ndarray:
    """The first of those (n, 3) images that are the same place."""
    apart = images[:, None] - images[None]
    apart -= np.rint(apart)
    same = np.linalg.norm(apart @ lattice.matrix, axis=-1) < SAME_SITE
    return images[np.argmax(same, axis=1) == np.arange(len(images))]


def _check_images(lattice: Lattice, atom: Atom, images: np.ndarray) -> None:
    """Refuse images of one atom that cannot all be there."""
    distances = _distances(lattice, images[0], images)
    cluster = distances < TOO_CLOSE
    # What is partly occupied may be split over places that near each other.
    if cluster.sum() > 1 and _fill(atom) * MOST_OVERFULL > 1:
        nearest = np.sort(distances[cluster])[1]
        raise OverlappingAtoms(
            f'{cluster.sum()} images of atom {atom.label} are within {nearest:.3f} A of each other: '
            'give its coordinates with more digits, or its occupancy'
        )


def _distances(lattice: Lattice, place: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Distances (A) of (n, 3) places from one, of nearest images in fractional coordinates: exact for close ones."""
    apart = places - place
    return np.linalg.norm((apart - np.rint(apart)) @ lattice.matrix, axis=-1)
