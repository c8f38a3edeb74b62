"""Which structures are the same."""

from collections import defaultdict

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from aiida_pesfp.crystals.canonical import canonical_cell

#: Relative difference of volumes above which crystals are not the same: 0.7 % in each length, as between measurement
#: and a good relaxation. ``StructureMatcher`` scales volumes, but bottlenecks follow them.
SAME_VOLUME = 0.02
#: Largest differences of coordinates, as a part of the cell, and of occupancies of the same disordered crystal.
_SAME_PLACE, _SAME_OCCUPANCY = 0.01, 0.005


class KnownStructures:
    """Recognises a structure that was added before, from whatever source it comes.

    Two structures with one composition are the same if their volumes per atom are, by :data:`SAME_VOLUME`, and
    pymatgen's ``StructureMatcher`` maps one onto the other, whatever cell was chosen; or, if only ``identical`` ones
    count, if their cells and sites are equal. Those that are the same as a third one need not be the same as each
    other: the order in which they are added decides which ones are known. Disordered crystals are the same if so are
    their canonical cells: the matcher confuses sites that are as close as those that exclude each other.
    """

    def __init__(self, identical: bool = False):
        self._by_elements: dict[str, list[tuple[str, Structure]]] = defaultdict(list)
        self._identical, self._matcher = identical, StructureMatcher()

    def add(self, name: str, structure: Structure) -> str | None:
        """Name of the known structure that is the same as this one. If there is none, this one becomes known."""
        others = self._by_elements[structure.composition.chemical_system]
        for other, known in others:
            if self._are_same(known, structure):
                return other
        others.append((name, structure))
        return None

    def _are_same(self, one: Structure, other: Structure) -> bool:
        if self._identical:
            return one == other
        volumes = [structure.volume / structure.composition.num_atoms for structure in (one, other)]
        if max(volumes) > (1 + SAME_VOLUME) * min(volumes) or one.is_ordered != other.is_ordered:
            return False
        return self._matcher.fit(one, other) if one.is_ordered else _are_one_cell(one, other)


def _are_one_cell(one: Structure, other: Structure) -> bool:
    """Whether the canonical cells of disordered crystals have the same sites with the same occupancies."""
    if not one.composition.fractional_composition.almost_equals(other.composition.fractional_composition, atol=0.005):
        return False
    first, second = canonical_cell(one), canonical_cell(other)
    if len(first) != len(second) or not np.allclose(first.lattice.abc, second.lattice.abc, rtol=SAME_VOLUME):
        return False
    shifts = (first.frac_coords - second.frac_coords + 0.5) % 1 - 0.5
    occupancies = ((a.species.element_composition, b.species.element_composition) for a, b in zip(first, second))
    same = all(a.almost_equals(b, rtol=0, atol=_SAME_OCCUPANCY) for a, b in occupancies)
    return same and bool((np.abs(shifts) < _SAME_PLACE).all())
