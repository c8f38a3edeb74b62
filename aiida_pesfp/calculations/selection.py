"""Calculation functions of a screening: which structures are scanned, and how they rank."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict, StructureData
from pymatgen.core import Element

from aiida_pesfp.crystals.duplicates import KnownStructures
from aiida_pesfp.data.assessment import RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.fingerprint.quantities import NAMES, rank_key

#: Criteria and their defaults, those of the paper (Sec. II B).
DEFAULT_CRITERIA = {
    'species': 'Li',
    'minimum_band_gap': 0.5,
    'maximum_energy_above_hull': 0.05,
    'allow_transition_metals': False,
    'missing_properties': 'keep',
    'duplicates': 'similar',
}
#: Criteria with a few possible values.
_CHOICES = {'missing_properties': ('keep', 'reject'), 'duplicates': ('similar', 'identical', 'keep')}


def validate_criteria(node, _) -> str | None:
    """Validator of an input port: the error message, if any."""
    for key, value in node.get_dict().items():
        if key not in DEFAULT_CRITERIA:
            return f'unknown criterion {key!r}: known are {", ".join(DEFAULT_CRITERIA)}'
        if key in _CHOICES and value not in _CHOICES[key]:
            return f'{key} is {value!r}: take {" or ".join(map(repr, _CHOICES[key]))}'
    return None


@calcfunction
def reject(criteria: Dict, properties: Dict, **structures: StructureData) -> Dict:
    """Structures that are not scanned: key -> stage, reason and uuid (Sec. II B of the paper).

    Among equal structures, the one with most known properties is scanned, or else the first.

    :param criteria: any of :data:`DEFAULT_CRITERIA`; None switches a limit off. ``duplicates`` says which structures
        are equal: ``similar`` ones, such as those from different sources
        (:class:`~aiida_pesfp.crystals.duplicates.KnownStructures`), only ``identical`` ones, or none (``keep``).
    :param properties: key -> ``band_gap`` (eV) and ``energy_above_hull`` (eV/atom), as far as they are known.
    """
    chosen, properties = DEFAULT_CRITERIA | criteria.get_dict(), properties.get_dict()
    similar, identical, rejected = KnownStructures(), {}, {}
    for key in sorted(structures, key=lambda key: -len(properties.get(key, {}))):
        structure = structures[key]
        reason = _reason(structure, properties.get(key, {}), chosen)
        if reason is None:
            other = None
            if chosen['duplicates'] == 'similar':
                other = similar.add(key, structure.get_pymatgen_structure())
            elif chosen['duplicates'] == 'identical':
                other = identical.setdefault(structure.base.caching.compute_hash(), key)
            reason = f'the same structure as {other}' if other not in (None, key) else None
        if reason is not None:
            rejected[key] = {'stage': 'filter', 'reason': reason, 'uuid': structure.uuid}
    return Dict(rejected)


@calcfunction
def rank(**descriptors: DescriptorsData) -> Dict:
    """The ranking: ``rows`` from the best to the worst, by Xi, then connected free volume, then percolation energy."""
    rows = [_row(key, node) for key, node in descriptors.items()]
    return Dict({'rows': sorted(rows, key=_best_first)})


@calcfunction
def rank_by_model(model: RankingModelData, features: Dict, **descriptors: DescriptorsData) -> Dict:
    """The ranking by a model: as :func:`rank`, but by the ``score`` of the model, the highest first.

    A structure without a score comes last, with the reason as ``score_error``.

    :param features: of :func:`~aiida_pesfp.calculations.assessment.featurise`; empty if the model needs none.
    :raises AssessmentError: if no structure has a score.
    """
    ranking, rows = model.to_model(), []
    for key, node in descriptors.items():
        other = features.get_dict().get(key)
        row = _row(key, node) | {'score': None, 'score_error': None}
        try:
            others = None if other is None else [other]
            row['score'] = float(ranking.rank_values([node.get_dict()], others)[0])
        except AssessmentError as error:
            row['score_error'] = str(error)
        rows.append(row)
    if all(row['score'] is None for row in rows):
        raise AssessmentError(f'the model ranks no structure: {rows[0]["score_error"]}')
    rows.sort(key=lambda row: (row['score'] is None, -(row['score'] or 0.0), *_best_first(row)))
    return Dict({'rows': rows, 'model': {'uuid': model.uuid, 'kind': model.kind}})


def _row(key: str, node: DescriptorsData) -> dict:
    return {
        'key': key,
        **{name: node.get(name) for name in ('formula', *NAMES)},
        'descriptors': node.uuid,
        'structure': node.get('structure_uuid'),
    }


def _best_first(row: dict) -> tuple:
    return *rank_key(row), row['key']


@calcfunction
def collect_rejected(filtered: Dict, lost: Dict, **failures: Dict) -> Dict:
    """All structures without a result: those of the filter, those whose scan failed, and those whose job was lost.

    :param filtered: result of :func:`reject`.
    :param lost: key -> reason, for structures of jobs that ended without a report.
    :param failures: ``failures`` of scan calculations.
    """
    rejected = filtered.get_dict()
    for node in failures.values():
        for key, failure in node.get_dict().items():
            rejected[key] = {'stage': 'scan', 'reason': failure['error'], 'error_type': failure['error_type']}
    for key, reason in lost.get_dict().items():
        rejected.setdefault(key, {'stage': 'scan', 'reason': reason, 'error_type': 'JobLost'})
    return Dict(rejected)


def _reason(structure: StructureData, properties: dict, criteria: dict) -> str | None:
    """Why a structure is not scanned; None if it is."""
    if not all(structure.pbc):
        return f'periodic along {sum(structure.pbc)} of 3 lattice vectors'
    if structure.has_vacancies or structure.is_alloy:
        return f'a site of {structure.get_formula()} is partly occupied or shared'
    symbols = structure.get_symbols_set()
    if criteria['species'] not in symbols:
        return f'no {criteria["species"]} among its elements ({", ".join(sorted(symbols))})'
    metals = sorted(symbol for symbol in symbols if Element(symbol).is_transition_metal)
    if metals and not criteria['allow_transition_metals']:
        return f'transition metals ({", ".join(metals)})'
    for name, unit, limit, is_too in (
        ('band_gap', 'eV', criteria['minimum_band_gap'], float.__lt__),
        ('energy_above_hull', 'eV/atom', criteria['maximum_energy_above_hull'], float.__gt__),
    ):
        words = name.replace('_', ' ')
        if limit is None:
            continue
        if properties.get(name) is None:
            if criteria['missing_properties'] == 'reject':
                return f'its {words} is not known'
        elif is_too(float(properties[name]), float(limit)):
            return f'{words} of {properties[name]} {unit}, the limit is {limit}'
    return None
