"""Calculation functions of a screening: which structures are scanned, and how they rank."""

import operator

from aiida.engine import calcfunction
from aiida.orm import Dict, StructureData
from pymatgen.core import Element

from aiida_pesfp.assessment.calibrated import BY_VOLUMES
from aiida_pesfp.assessment.consensus import consensus
from aiida_pesfp.crystals.duplicates import KnownStructures
from aiida_pesfp.data.assessment import RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.fingerprint.quantities import NAMES, XI_CALIBRATED, rank_key, stopped_early
from aiida_pesfp.settings.screen import Criteria

#: Type of the error of a structure that has no result because of the jobs, not by its own fault.
LOST = 'JobLost'


@calcfunction
def reject(criteria: Dict, properties: Dict, earlier: Dict, **structures: StructureData) -> Dict:
    """Structures that are not scanned: key -> stage, reason and uuid (Sec. II B of the paper).

    Among equal structures, the one with most known properties is scanned, then the one closest to the hull, then the
    one of the smallest volume per atom, or else the first: names do not matter.

    :param criteria: see :class:`~aiida_pesfp.settings.screen.Criteria`; similar structures are those that
        :class:`~aiida_pesfp.crystals.duplicates.KnownStructures` finds.
    :param properties: key -> ``band_gap`` (eV) and ``energy_above_hull`` (eV/atom), as far as they are known.
    :param earlier: ``keys`` of those structures that were scanned before: others that are the same are left out.
    """
    chosen, properties = Criteria.from_dict(criteria.get_dict()), properties.get_dict()
    before = earlier.get('keys', [])
    similar, identical, rejected = KnownStructures(), {}, {}
    order = {key: place for place, key in enumerate(structures)}

    def merit(key: str) -> tuple:
        known, node = properties.get(key, {}), structures[key]
        return -len(known), known.get('energy_above_hull', 0.0), round(node.get_cell_volume() / len(node.sites), 6)

    for key in (*before, *sorted(structures.keys() - before, key=lambda key: (merit(key), order[key]))):
        structure, other = structures[key], None
        reason = None if key in before else _reason(structure, properties.get(key, {}), chosen)
        if reason is None and chosen.duplicates == 'similar':
            other = similar.add(key, structure.get_pymatgen_structure())
        elif reason is None and chosen.duplicates == 'identical':
            other = identical.setdefault(structure.base.caching.compute_hash(), key)
        if other not in (None, key):
            reason = f'the same structure as {structures[other].label or other}'
        if reason is not None and key not in before:
            rejected[key] = {'stage': 'filter', 'reason': reason, 'uuid': structure.uuid}
    return Dict(rejected)


@calcfunction
def rank(**descriptors: DescriptorsData) -> Dict:
    """The ranking without a calibration: ``rows`` from the best to the worst, by free volumes."""
    return Dict({'rows': sorted(_rows(descriptors), key=_place), 'ranked_by': BY_VOLUMES})


@calcfunction
def rank_by_model(model: RankingModelData, features: Dict, **descriptors: DescriptorsData) -> Dict:
    """The ranking by a model: as :func:`rank`, but by the ``score`` of the model, the highest first.

    If the model is a calibration of Xi, the score is ``xi_calibrated``. Structures whose scan stopped early come after
    the others, and those without a score last, with the reason as ``score_error``.

    :param features: of :func:`~aiida_pesfp.calculations.assessment.featurise`; empty if the model needs none.
    :raises AssessmentError: if no structure has a score.
    """
    ranking, others, rows = model.to_model(), features.get_dict(), _rows(descriptors)
    for row in rows:
        found, other = descriptors[row['key']].get_dict(), others.get(row['key'])
        row |= {'score': None, 'score_error': None}
        try:
            if problem := model.mismatch(found):
                raise AssessmentError(problem)
            row['score'] = float(ranking.rank_values([found], None if other is None else [other])[0])
        except AssessmentError as error:
            row['score_error'] = str(error)
        if model.kind == 'xi':
            row[XI_CALIBRATED.name] = row['score']
    if all(row['score'] is None for row in rows):
        raise AssessmentError(f'the model ranks no structure: {rows[0]["score_error"]}')
    rows.sort(key=_place)
    words = f'{XI_CALIBRATED.name}, the cuts' if model.kind == 'xi' else 'score, the model'
    ranked_by = f'{words} {model.label}<{model.pk}>'
    return Dict({'rows': rows, 'ranked_by': ranked_by, 'model': {'uuid': model.uuid, 'kind': model.kind}})


@calcfunction
def rank_by_consensus(names: Dict, **rankings: Dict) -> Dict:
    """The rows of the first ranking in the order on which all agree best (:func:`~aiida_pesfp.assessment.consensus`).

    Each row has what the consensus says of it, and of each potential ``NAME:place``, ``NAME:xi``,
    ``NAME:xi_calibrated`` and ``NAME:mpe`` (eV).

    :param names: ``names``: pairs of the link label of a ranking and the name of its potential, the first of all first.
    """
    found = {name: rankings[label]['rows'] for label, name in names['names']}
    by_name = {name: {row['key']: row for row in rows} for name, rows in found.items()}
    ordered, agreement = consensus({name: [row['key'] for row in rows] for name, rows in found.items()})
    own = next(iter(by_name.values()))
    rows = []
    for agreed in ordered:
        key, places = agreed.pop('key'), agreed.pop('places')
        row = own[key] | agreed
        for name in (name for name in by_name if key in by_name[name]):
            row |= {f'{name}:{column}': by_name[name][key][column] for column in ('xi', XI_CALIBRATED.name, 'mpe')}
            row[f'{name}:place'] = places.get(name)
        rows.append(row)
    ranked_by = f'the mean of the places by {" and ".join(by_name)}'
    return Dict({'rows': rows, 'ranked_by': ranked_by, 'potentials': list(by_name), 'agreement': agreement})


def _rows(descriptors: dict[str, DescriptorsData]) -> list[dict]:
    return [
        {'key': key, **{name: node.get(name) for name in ('formula', *NAMES)}, XI_CALIBRATED.name: None}
        | {'descriptors': node.uuid, 'structure': node.get('structure_uuid')}
        for key, node in descriptors.items()
    ]


def _place(row: dict) -> tuple:
    """What sorts rows: their score, if a model has ranked them, and the free volumes."""
    by_score = ()
    if 'score' in row:
        by_score = (row['score'] is None, stopped_early(row), -(row['score'] or 0.0))
    return *by_score, *rank_key(row), row['key']


@calcfunction
def merge_rankings(**rankings: Dict) -> Dict:
    """One ranking of several that were made alike, of different structures.

    :raises AssessmentError: if they were not made alike.
    """
    found = [ranking.get_dict() for ranking in rankings.values()]
    about = [{name: value for name, value in ranking.items() if name != 'rows'} for ranking in found]
    if differing := next((one for one in about if one != about[0]), None):
        raise AssessmentError(f'some rank by {about[0]["ranked_by"]}, others by {differing["ranked_by"]}')
    return Dict({'rows': sorted((row for ranking in found for row in ranking['rows']), key=_place)} | about[0])


@calcfunction
def merge_rejected(others: Dict, **rejected: Dict) -> Dict:
    """The structures without a result of several screenings, and others: key -> stage and reason."""
    merged = others.get_dict()
    for name, node in rejected.items():
        # An ordering may have the key of a structure of another shard.
        merged |= {key if key not in merged else f'{key}_of_{name}': entry for key, entry in node.get_dict().items()}
    return Dict(merged)


@calcfunction
def collect_rejected(filtered: Dict, others: Dict, **failures: Dict) -> Dict:
    """All structures without a result: those of the filter, and those whose scan failed or was lost.

    :param filtered: result of :func:`reject`.
    :param others, failures: as of :func:`collect_failures`.
    """
    failed = {
        key: {'stage': 'scan', 'reason': failure['error'], 'error_type': failure['error_type']}
        for node in (others, *failures.values())
        for key, failure in node.get_dict().items()
    }
    return Dict(filtered.get_dict() | failed)


@calcfunction
def collect_failures(others: Dict, **failures: Dict) -> Dict:
    """All structures that have no result, with ``error_type`` and ``error``, in one dictionary.

    :param others: those that are not in ``failures`` of a scan calculation.
    """
    return Dict({key: failure for node in (others, *failures.values()) for key, failure in node.get_dict().items()})


def _reason(structure: StructureData, properties: dict, criteria: Criteria) -> str | None:
    """Why a structure is not scanned; None if it is."""
    if not all(structure.pbc):
        return f'periodic along {sum(structure.pbc)} of 3 lattice vectors'
    symbols = structure.get_symbols_set()
    if criteria.species not in (None, *symbols):
        return f'no {criteria.species} among its elements ({", ".join(sorted(symbols))})'
    metals = sorted(symbol for symbol in symbols if Element(symbol).is_transition_metal)
    if metals and not criteria.allow_transition_metals:
        return f'transition metals ({", ".join(metals)})'
    for name, unit, limit, is_too in (
        ('band_gap', 'eV', criteria.minimum_band_gap, operator.lt),
        ('energy_above_hull', 'eV/atom', criteria.maximum_energy_above_hull, operator.gt),
    ):
        words, value = name.replace('_', ' '), properties.get(name)
        if limit is not None and value is None and criteria.missing_properties == 'reject':
            return f'its {words} is not known'
        if limit is not None and value is not None and is_too(value, limit):
            return f'{words} of {value} {unit}, the limit is {limit}'
    return None
