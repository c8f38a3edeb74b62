"""Which structure a measurement was made on."""

from collections import defaultdict
from functools import cache

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from aiida_pesfp.assessment.labels import LabelTable, Measurement
from aiida_pesfp.crystals.formats import plain_name
from aiida_pesfp.crystals.statements import check_row
from aiida_pesfp.errors import InconsistentFile, LabelError
from aiida_pesfp.settings.assessment import MATCHING_METHODS

#: Tolerance for the space group, A: published coordinates are rounded.
SYMMETRY_TOLERANCE = 0.01


def match(
    table: LabelTable,
    structures: dict[str, Structure],
    names: dict[str, list[str]] | None = None,
    methods: tuple[str, ...] = ('id',),
) -> dict:
    """Find the structure of each measurement.

    :param structures: by key.
    :param names: key -> further names of the structure.
    :param methods: of :data:`~aiida_pesfp.settings.assessment.MATCHING_METHODS`, tried in this order; the first that
        finds a structure decides. If it finds several, the measurement stays unmatched.
    :returns: ``rows``, row of a measurement -> key of its structure; ``unmatched``, with ``row``, ``id`` and ``reason``
        of every measurement without a structure, or whose row is of another crystal; ``doubts``, likewise where it
        may be; ``unlabelled``, keys of the structures without a measurement.
    :raises LabelError: if a method is unknown.
    """
    check_methods(methods)
    index, rows, unmatched, doubts = _Index(structures, names or {}), {}, [], []
    check = cache(lambda told, key: check_row(told, structures[key]))
    for measurement in table.measurements:
        own = table.structures.get(measurement.row)
        found = next(filter(None, (getattr(index, f'by_{method}')(measurement, own) for method in methods)), [])
        about = {'row': measurement.row, 'id': measurement.id or measurement.formula}
        reason = f'no structure of the same {" or ".join(methods)} among the {len(structures)} given'
        if len(found) == 1:
            try:
                told = check(measurement.told, found[0])
                doubts += [about | {'reason': one} for one in told]
                rows[measurement.row] = found[0]
                continue
            except InconsistentFile as error:
                reason = f'it is not {found[0]}: {error}'
        elif found:
            reason = f'several structures fit: {", ".join(found)}'
        unmatched.append(about | {'reason': reason})
    unlabelled = [key for key in structures if key not in rows.values()]
    return {'rows': rows, 'unmatched': unmatched, 'doubts': doubts, 'unlabelled': unlabelled}


def check_methods(methods: tuple[str, ...]) -> None:
    """Raise :class:`~aiida_pesfp.errors.LabelError` if a method is unknown."""
    for method in methods:
        if method not in MATCHING_METHODS:
            raise LabelError(f'unknown method {method!r} to match labels: take some of {", ".join(MATCHING_METHODS)}')


class _Index:
    """Finds structures by what a measurement tells."""

    def __init__(self, structures: dict[str, Structure], names: dict[str, list[str]]):
        self._structures, self._matcher = structures, StructureMatcher()
        self._by_name, self._by_formula = defaultdict(list), defaultdict(list)
        self._space_group = cache(lambda key: structures[key].get_space_group_info(SYMMETRY_TOLERANCE)[1])
        for key, structure in structures.items():
            own = {key, *names.get(key, ())}
            # A blank in front: no name is the plain form of another one.
            for name in {name.strip() for name in own} | {f' {plain_name(name)}' for name in own}:
                self._by_name[name].append(key)
            self._by_formula[structure.composition.reduced_formula].append(key)

    def by_id(self, measurement: Measurement, _) -> list[str]:
        """Structures whose key or name is the id; if there is none, by :func:`plain_name`."""
        own, plain = measurement.id or '', plain_name(measurement.id or '')
        return self._by_name.get(own) or (self._by_name.get(f' {plain}', []) if plain else [])

    def by_composition(self, measurement: Measurement, _) -> list[str]:
        """Structures of the same reduced formula and, if the row has one, space group."""
        group = measurement.space_group
        same = self._by_formula.get(measurement.formula, [])
        return [key for key in same if group is None or self._space_group(key) == group]

    def by_structure(self, _, structure: Structure | None) -> list[str]:
        """The structure most similar to that of the row, among those that ``StructureMatcher`` calls the same."""
        same = self._by_formula.get(structure.composition.reduced_formula, []) if structure else ()
        found = {key: self._matcher.get_rms_dist(structure, self._structures[key]) for key in same}
        distances = {key: both[0] for key, both in found.items() if both is not None}
        return [min(distances, key=distances.get)] if distances else []
