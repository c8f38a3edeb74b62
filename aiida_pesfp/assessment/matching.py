"""Which structure a measurement was made on."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_pesfp.assessment.labels import Measurement
from aiida_pesfp.errors import LabelError

#: Tolerance for the space group, A: published coordinates are rounded.
SYMMETRY_TOLERANCE = 0.01


@dataclass(frozen=True)
class Matches:
    """Result of :func:`match`.

    :param rows: row of a measurement -> key of its structure.
    :param unmatched: ``row``, ``id`` and ``reason`` of every measurement without a structure.
    :param unlabelled: keys of the structures without a measurement.
    """

    rows: dict[int, str]
    unmatched: list[dict]
    unlabelled: list[str]


class Candidates:
    """The structures that measurements are matched to.

    :param structures: by key.
    :param names: key -> further names of the structure, such as an identifier in a database.
    """

    def __init__(self, structures: dict[str, Structure], names: dict[str, list[str]] | None = None):
        self.structures = structures
        self.by_name: dict[str, list[str]] = {}
        self.by_formula: dict[str, list[str]] = {}
        self._space_groups: dict[str, int] = {}
        self._matcher = StructureMatcher()
        for key, structure in structures.items():
            for name in {_plain(name) for name in (key, *(names or {}).get(key, ()))}:
                self.by_name.setdefault(name, []).append(key)
            self.by_formula.setdefault(structure.composition.reduced_formula, []).append(key)

    def by_id(self, measurement: Measurement, _) -> list[str]:
        """Structures whose key or name is the id, up to punctuation."""
        return self.by_name.get(_plain(measurement.id), []) if measurement.id else []

    def by_composition(self, measurement: Measurement, _) -> list[str]:
        """Structures of the same reduced formula and, where the row says it, space group."""
        same = self.by_formula.get(measurement.formula, [])
        if measurement.space_group is None:
            return same
        return [key for key in same if self._space_group(key) == measurement.space_group]

    def by_structure(self, measurement: Measurement, structure: Structure | None) -> list[str]:
        """The structure most like that of the row, if ``StructureMatcher`` says that they are the same."""
        if structure is None:
            return []
        distances = {}
        for key in self.by_formula.get(structure.composition.reduced_formula, []):
            found = self._matcher.get_rms_dist(structure, self.structures[key])
            if found is not None:
                distances[key] = found[0]
        return [min(distances, key=distances.get)] if distances else []

    def _space_group(self, key: str) -> int:
        if key not in self._space_groups:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                analyzer = SpacegroupAnalyzer(self.structures[key], symprec=SYMMETRY_TOLERANCE)
                self._space_groups[key] = analyzer.get_space_group_number()
        return self._space_groups[key]


METHODS: dict[str, Callable] = {
    'id': Candidates.by_id,
    'composition': Candidates.by_composition,
    'structure': Candidates.by_structure,
}


def match(
    measurements: list[Measurement],
    candidates: Candidates,
    methods: tuple[str, ...] = ('id',),
    own_structures: dict[int, Structure] | None = None,
) -> Matches:
    """Find the structure of each measurement.

    :param methods: of :data:`METHODS`, tried in this order; the first that finds something decides. Where it
        finds several structures, the measurement stays unmatched, as nobody can tell which it belongs to.
    :param own_structures: of the measurements, by row, for the method ``structure``.
    """
    for method in methods:
        if method not in METHODS:
            raise LabelError(f'unknown way {method!r} to match labels: take some of {", ".join(METHODS)}')
    rows, unmatched = {}, []
    for measurement in measurements:
        own = (own_structures or {}).get(measurement.row)
        found = next(filter(None, (METHODS[method](candidates, measurement, own) for method in methods)), [])
        if len(found) == 1:
            rows[measurement.row] = found[0]
            continue
        reason = (
            f'several structures fit: {", ".join(found)}'
            if found
            else f'no structure of the same {" or ".join(methods)} among the {len(candidates.structures)} given'
        )
        unmatched.append({'row': measurement.row, 'id': measurement.id or measurement.formula, 'reason': reason})
    labelled = set(rows.values())
    return Matches(rows, unmatched, [key for key in candidates.structures if key not in labelled])


def _plain(name: str) -> str:
    """Keys of AiiDA hold no hyphens: ``mp-2530`` and ``mp_2530`` are one."""
    return re.sub(r'\W+', '_', name.strip()).lower()
