"""Which structures are the same."""

import operator
from collections import defaultdict

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure


class KnownStructures:
    """Recognises a structure that was added before, from whatever source it comes.

    Two structures with one reduced formula are the same if pymatgen's ``StructureMatcher`` maps one onto the other,
    whatever cell was chosen; or, if only ``identical`` ones count, if their cells and sites are equal.
    """

    def __init__(self, identical: bool = False):
        self._by_formula: dict[str, list[tuple[str, Structure]]] = defaultdict(list)
        self._are_same = operator.eq if identical else StructureMatcher().fit

    def add(self, name: str, structure: Structure) -> str | None:
        """Name of the known structure that is the same as this one. If there is none, this one becomes known."""
        others = self._by_formula[structure.composition.reduced_formula]
        for other, known in others:
            if self._are_same(known, structure):
                return other
        others.append((name, structure))
        return None
