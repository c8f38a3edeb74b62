"""Which structures are the same."""

from collections import defaultdict

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

#: Relative difference of volumes above which crystals are not the same: 0.7 % in each length, as between measurement
#: and a good relaxation. ``StructureMatcher`` scales volumes, but bottlenecks follow them.
SAME_VOLUME = 0.02


class KnownStructures:
    """Recognises a structure that was added before, from whatever source it comes.

    Two structures with one reduced formula are the same if their volumes per atom are, by :data:`SAME_VOLUME`, and
    pymatgen's ``StructureMatcher`` maps one onto the other, whatever cell was chosen; or, if only ``identical`` ones
    count, if their cells and sites are equal. Those that are the same as a third one need not be the same as each
    other: the order in which they are added decides which ones are known.
    """

    def __init__(self, identical: bool = False):
        self._by_formula: dict[str, list[tuple[str, Structure]]] = defaultdict(list)
        self._identical, self._matcher = identical, StructureMatcher()

    def add(self, name: str, structure: Structure) -> str | None:
        """Name of the known structure that is the same as this one. If there is none, this one becomes known."""
        others = self._by_formula[structure.composition.reduced_formula]
        for other, known in others:
            if self._are_same(known, structure):
                return other
        others.append((name, structure))
        return None

    def _are_same(self, one: Structure, other: Structure) -> bool:
        if self._identical:
            return one == other
        volumes = [structure.volume / structure.composition.num_atoms for structure in (one, other)]
        return max(volumes) <= (1 + SAME_VOLUME) * min(volumes) and self._matcher.fit(one, other)
