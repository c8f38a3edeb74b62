"""Calculation functions of an evaluation: labels, matches, scores, models, calibration."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import Dict, SinglefileData, StructureData

from aiida_pesfp.assessment import features as feature_sets
from aiida_pesfp.assessment.calibration import LabelledSet
from aiida_pesfp.assessment.calibration import calibrate as find_parameters
from aiida_pesfp.assessment.classes import ClassSettings
from aiida_pesfp.assessment.judgement import judge_rankings
from aiida_pesfp.assessment.labels import TableFormat, carrier_density, primitive_cell, read_table
from aiida_pesfp.assessment.matching import Candidates, match
from aiida_pesfp.assessment.models import (
    LEARNERS,
    RankingModel,
    TrainingSet,
    TrainingSettings,
    predict_others,
    train,
)
from aiida_pesfp.assessment.scores import ScoreSettings, score
from aiida_pesfp.data.assessment import AssessmentData, RankingModelData
from aiida_pesfp.data.descriptors import GRID_SETTINGS, DescriptorsData
from aiida_pesfp.data.labels import LabelsData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.settings.descriptors import XiParameters


@calcfunction
def read_labels(table: SinglefileData, form: Dict) -> LabelsData:
    """Labels from a CSV file.

    :param form: the fields of :class:`~aiida_pesfp.assessment.labels.TableFormat`.
    :raises LabelError: if nothing can be read, with the reason.
    """
    chosen = TableFormat.from_dict(form.get_dict())
    with table.as_path() as path:
        return LabelsData.from_table(read_table(path, chosen), chosen)


@calcfunction
def label_structures(labels: LabelsData, primitive: Dict) -> dict:
    """The structures of a table that has them, by keys ``row_N``, to be scanned.

    :param primitive: ``reduce``: to primitive cells (default), see
        :func:`~aiida_pesfp.assessment.labels.primitive_cell`.
    :raises AssessmentError: if the table has none.
    """
    structures = labels.to_table().structures
    if not structures:
        raise AssessmentError('the table of labels has no structures')
    reduce = bool(primitive.get_dict().get('reduce', True))
    found = {}
    for row, structure in structures.items():
        chosen = primitive_cell(structure) if reduce else structure
        chosen.remove_oxidation_states()
        found[f'row_{row}'] = StructureData(pymatgen=chosen, label=f'row_{row}')
    return found


@calcfunction
def match_labels(labels: LabelsData, parameters: Dict, **structures: StructureData) -> Dict:
    """Which structure each measurement belongs to.

    :param parameters: ``match_by``, a list of ``id``, ``composition`` and ``structure``, tried in this order.
    :returns: ``rows`` (row -> key), ``unmatched``, ``unlabelled``, and of each structure ``formulas`` and
        ``carrier_densities`` (1/cm^3).
    """
    table = labels.to_table()
    crystals = {key: node.get_pymatgen() for key, node in structures.items()}
    names = {key: [node.label] for key, node in structures.items() if node.label}
    methods = tuple(parameters.get_dict().get('match_by', ('id',)))
    found = match(table.measurements, Candidates(crystals, names), methods, table.structures)
    return Dict(
        {
            'rows': {str(row): key for row, key in found.rows.items()},
            'unmatched': found.unmatched,
            'unlabelled': found.unlabelled,
            'formulas': {key: crystal.composition.reduced_formula for key, crystal in crystals.items()},
            'carrier_densities': {key: carrier_density(crystal, labels.species) for key, crystal in crystals.items()},
        }
    )


@calcfunction
def evaluate(labels: LabelsData, matches: Dict, parameters: Dict, **descriptors: DescriptorsData) -> AssessmentData:
    """Scores of the rankings by each descriptor, by Xi, and by any expressions.

    :param matches: of :func:`match_labels`.
    :param parameters: ``classes``, the fields of :class:`~aiida_pesfp.assessment.classes.ClassSettings`; ``score``,
        those of :class:`~aiida_pesfp.assessment.scores.ScoreSettings`; ``expressions``, a list.
    :param descriptors: by the keys of the structures.
    :raises AssessmentError: if a class has fewer than two materials, or descriptors do not fit together.
    """
    values = parameters.get_dict()
    classes = ClassSettings.from_dict(values.get('classes', {}))
    settings = ScoreSettings.from_dict(values.get('score', {}))
    origin = _common_origin(descriptors)
    if origin['species'] not in (None, labels.species):
        raise AssessmentError(f'labels are of {labels.species}, descriptors of {origin["species"]}')
    tables = {key: node.get_dict() for key, node in descriptors.items()}
    found = judge_rankings(
        labels.to_table().measurements,
        {int(row): key for row, key in matches['rows'].items()},
        matches['carrier_densities'],
        tables,
        classes,
        settings,
        tuple(values.get('expressions', ())),
    )
    for key, material in found['materials'].items():
        material |= {'formula': matches['formulas'][key], 'descriptors': descriptors[key].uuid}
        material |= {name: tables[key].get(name) for name in NAMES}
    excluded = {
        'unreadable_rows': labels.base.attributes.get('excluded'),
        'unmatched_rows': matches['unmatched'],
        'structures_without_labels': matches['unlabelled'],
        **{name: found.pop(name) for name in ('rows_without_a_conductivity', 'structures_without_descriptors')},
    }
    return AssessmentData(origin | found | {'excluded': excluded})


@calcfunction
def featurise(**structures: StructureData) -> Dict:
    """Features of composition and structure by matminer: key -> name -> value, None where there is none."""
    found = {}
    for key, node in structures.items():
        values = feature_sets.matminer_features(node.get_pymatgen())
        found[key] = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return Dict(found)


@calcfunction
def learn(evaluation: AssessmentData, parameters: Dict, features: Dict, **descriptors: DescriptorsData) -> dict:
    """Learn a ranking model from labelled materials, and judge it by leaving each composition out.

    :param evaluation: whose materials and weights are learned from.
    :param parameters: ``kind`` of :data:`~aiida_pesfp.assessment.models.LEARNERS`; ``feature_set``, ``pes`` (default),
        ``matminer`` or ``both``; ``training``, the fields of :class:`~aiida_pesfp.assessment.models.TrainingSettings`.
    :param features: of :func:`featurise`; empty if the model does without.
    :param descriptors: of the materials.
    :returns: ``model``, a :class:`~aiida_pesfp.data.assessment.RankingModelData`, and ``predictions``, a Dict with the
        leave-one-out ``score`` and ``values``.
    """
    kind, feature_set, settings = training_parameters(parameters.get_dict())
    training = _training_set(evaluation, feature_set, features, descriptors)
    model = train(kind, training, feature_set, settings)
    values = predict_others(kind, training, training, feature_set, settings)
    found = score(values, training.good, training.bad, ScoreSettings.from_dict(evaluation['score_settings']))
    content = {'feature_set': feature_set, 'training': asdict(settings), 'leave_one_out': found.as_dict()}
    return {
        'model': RankingModelData.from_model(model, **_origin(evaluation), **content),
        'predictions': Dict({'score': found.as_dict(), 'values': dict(zip(training.keys, values.tolist()))}),
    }


@calcfunction
def judge(
    evaluation: AssessmentData,
    judged: AssessmentData,
    parameters: Dict,
    features: Dict,
    **descriptors: DescriptorsData,
) -> Dict:
    """Learn from one set of labels and judge on another (Appendix C); no composition judged was learned from.

    :param evaluation: learned from.
    :param judged: predicted, and scored by its own labels.
    :param parameters: as of :func:`learn`.
    :param descriptors: of the materials of both.
    :returns: ``score`` and ``values``.
    """
    _check_same_origin([evaluation, judged], 'a model judges only what it was made for')
    kind, feature_set, settings = training_parameters(parameters.get_dict())
    training = _training_set(evaluation, feature_set, features, descriptors)
    others = _training_set(judged, feature_set, features, descriptors)
    if training.names != others.names:
        raise AssessmentError('the two sets have different features: describe all surfaces alike')
    values = predict_others(kind, training, others, feature_set, settings)
    found = score(values, others.good, others.bad, ScoreSettings.from_dict(judged['score_settings']))
    return Dict({'score': found.as_dict(), 'values': dict(zip(others.keys, values.tolist()))})


@calcfunction
def calibrate(parameters: Dict, **sets) -> RankingModelData:
    """Find the parameters of Xi for the potential and the ion of labelled materials.

    :param parameters: ``vary``, a list of ``slope`` and ``threshold``; ``thresholds`` (eV) and ``cuts`` that are tried;
        ``start``, the fields of ``XiParameters``; ``score``, those of ``ScoreSettings``.
    :param sets: name -> ``evaluation``, an AssessmentData, and ``descriptors``, those of its materials by their keys.
    :raises AssessmentError: if they do not fit together, or a class is too small.
    """
    values = calibration_parameters(parameters.get_dict())
    evaluations = [nodes['evaluation'] for nodes in sets.values()]
    _check_same_origin(evaluations, 'calibrate for each by itself')
    labelled = []
    for name, nodes in sets.items():
        keys = list(nodes['evaluation']['materials'])
        tables = [nodes['descriptors'][key].get_dict() for key in keys]
        labelled.append(LabelledSet(name, tables, *nodes['evaluation'].weights(keys)))
    found = find_parameters(labelled, **values)
    content = {'calibration': found.as_dict(), 'score': found.corrected}
    return RankingModelData.from_model(RankingModel.from_xi(found.parameters), **_origin(evaluations[0]), **content)


def training_parameters(values: dict) -> tuple[str, str, TrainingSettings]:
    """Kind, feature set and settings of a model to learn.

    :raises AssessmentError: naming what is wrong.
    """
    kind, feature_set = values.get('kind', 'logistic_l2'), values.get('feature_set', 'pes')
    if kind not in LEARNERS:
        raise AssessmentError(f'unknown kind {kind!r} of a model to learn: take one of {", ".join(LEARNERS)}')
    if feature_set not in feature_sets.FEATURE_SETS:
        raise AssessmentError(f'unknown features {feature_set!r}: take one of {", ".join(feature_sets.FEATURE_SETS)}')
    try:
        return kind, feature_set, TrainingSettings(**values.get('training', {}))
    except TypeError as error:
        raise AssessmentError(f'the settings of the training have an unknown key: {error}') from error


def calibration_parameters(values: dict) -> dict:
    """Arguments of :func:`aiida_pesfp.assessment.calibration.calibrate`.

    :raises AssessmentError: naming what is wrong.
    """
    unknown = sorted(set(values) - {'vary', 'thresholds', 'cuts', 'start', 'score'})
    if unknown:
        raise AssessmentError(f'unknown parameter {unknown[0]!r} of a calibration')
    try:
        start = XiParameters(**values.get('start', {}))
    except TypeError as error:
        raise AssessmentError(f'start: {error}') from error
    chosen = {name: tuple(values[name]) for name in ('vary', 'thresholds', 'cuts') if name in values}
    return chosen | {'start': start, 'settings': ScoreSettings.from_dict({'resamples': 200} | values.get('score', {}))}


def _common_origin(descriptors: dict[str, DescriptorsData]) -> dict:
    """Ion and potential of all descriptors, which must be the same. Of several names of one potential the first."""
    if not descriptors:
        raise AssessmentError('there are no descriptors to judge')
    first_key, first = next(iter(descriptors.items()))
    for key, node in descriptors.items():
        if _made_for(node) != _made_for(first):
            raise AssessmentError(
                f'the descriptors of {key} are of {_described(node)}, those of {first_key} of {_described(first)}: '
                'judge each potential and each ion by itself'
            )
        different = _different_grid(node, first)
        if different:
            raise AssessmentError(
                f'the descriptors of {key} are of a scan with {different[0]}, those of {first_key} of one with '
                f'{different[1]}: scan all structures alike'
            )
        settings, others = node.get('settings'), first.get('settings')
        if settings != others:
            raise AssessmentError(
                f'the descriptors of {key} have the settings {settings}, those of {first_key} {others}: describe all '
                'surfaces alike with pesfp.describe, which needs no new scan'
            )
    return _origin(first)


def _made_for(node: Dict) -> tuple:
    """A potential is known by its content: it may have had another name when it was stored again."""
    return node.get('species'), node.get('potential_sha256')


def _described(node: Dict) -> str:
    sha256 = str(node.get('potential_sha256'))[:12]
    return f'{node.get("species")} by the potential {node.get("potential_name")} (SHA-256 {sha256}...)'


def _different_grid(node: Dict, other: Dict) -> tuple[str, str] | None:
    """The first setting of the scan's grid in which two nodes differ, as it is in each."""
    for name in GRID_SETTINGS:
        if node.get(name) != other.get(name):
            return f'{name} = {node.get(name)} A', f'{name} = {other.get(name)} A'
    return None


def _origin(node: Dict) -> dict:
    return {name: node.get(name) for name in ('species', 'potential_name', 'potential_sha256', *GRID_SETTINGS)}


def _check_same_origin(evaluations: list[AssessmentData], way_out: str) -> None:
    for other in evaluations[1:]:
        if _made_for(other) != _made_for(evaluations[0]):
            raise AssessmentError(
                f'one evaluation is of {_described(evaluations[0])}, another of {_described(other)}: {way_out}'
            )
        different = _different_grid(evaluations[0], other)
        if different:
            raise AssessmentError(
                f'one evaluation is of scans with {different[0]}, another of scans with {different[1]}: '
                'scan all structures alike'
            )


def _training_set(evaluation: AssessmentData, feature_set: str, features: Dict, descriptors) -> TrainingSet:
    materials = evaluation['materials']
    others, rows = features.get_dict(), []
    for key in materials:
        other = others.get(key)
        if other is not None:
            other = {name: math.nan if value is None else value for name, value in other.items()}
        rows.append(feature_sets.select_features(feature_set, descriptors[key].get_dict(), other))
    names = list(rows[0])
    different = [key for key, row in zip(materials, rows) if list(row) != names]
    if different:
        raise AssessmentError(f'{different[0]} has other features than the rest: describe all surfaces alike')
    matrix = np.array([[row[name] for name in names] for row in rows], dtype=float)
    keys = list(materials)
    return TrainingSet(keys, [materials[key]['formula'] for key in keys], names, matrix, *evaluation.weights(keys))
