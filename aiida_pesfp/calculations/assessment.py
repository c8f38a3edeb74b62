"""Calculation functions of an assessment: labels, matches, scores, ranking models, calibration."""

import math
from dataclasses import asdict, replace

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import Dict, SinglefileData, Str, StructureData

from aiida_pesfp.assessment.calibration import LabelledSet
from aiida_pesfp.assessment.calibration import calibrate as find_parameters
from aiida_pesfp.assessment.comparable import difference
from aiida_pesfp.assessment.comparison import compare_assessments, compare_materials, names_of, rank_materials
from aiida_pesfp.assessment.features import compared_rankings, matminer_features, select_features
from aiida_pesfp.assessment.labels import carrier_density, read_table
from aiida_pesfp.assessment.matching import match
from aiida_pesfp.assessment.models import RankingModel, TrainingSet, predict_others, train
from aiida_pesfp.assessment.scores import score, score_rankings
from aiida_pesfp.assessment.validation import constant, groups_of, nested_predictions, quality_of, shrunk
from aiida_pesfp.data.assessment import AssessmentData, RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.labels import LabelsData
from aiida_pesfp.errors import AssessmentError, some_of
from aiida_pesfp.fingerprint.quantities import NAMES, XI_CALIBRATED
from aiida_pesfp.settings.assessment import ClassSettings, ScoreSettings, TableFormat, TrainingSettings
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.scan import SCAN_SETTINGS


@calcfunction
def read_labels(table: SinglefileData, form: Dict) -> LabelsData:
    """Read labels from a CSV file.

    :param form: the fields of :class:`~aiida_pesfp.settings.assessment.TableFormat`.
    :raises LabelError: if nothing can be read, with the reason.
    """
    chosen = TableFormat.from_dict(form.get_dict())
    with table.as_path() as path:
        return LabelsData.from_table(read_table(path, chosen), chosen)


@calcfunction
def structures_of_labels(labels: LabelsData) -> dict:
    """The structures in a table of labels, by keys ``row_N``, ready for a scan.

    :raises AssessmentError: if the table has none.
    """
    structures = labels.to_table().structures
    if not structures:
        raise AssessmentError('the table of labels has no structures')
    for structure in structures.values():
        structure.remove_oxidation_states()
    return {f'row_{row}': StructureData(pymatgen=one, label=f'row_{row}') for row, one in structures.items()}


@calcfunction
def match_labels(labels: LabelsData, parameters: Dict, **structures: StructureData) -> Dict:
    """Find the structure of each measurement.

    :param parameters: ``match_by``, a list of ``id``, ``composition`` and ``structure``, tried in this order.
    :returns: that of :func:`~aiida_pesfp.assessment.matching.match`, with the ``formulas`` and ``carrier_densities``
        (1/cm^3) of the structures.
    """
    crystals = {key: node.get_pymatgen() for key, node in structures.items()}
    names = {key: [node.label] for key, node in structures.items() if node.label}
    found = match(labels.to_table(), crystals, names, tuple(parameters.get_dict().get('match_by', ('id',))))
    found['rows'] = {str(row): key for row, key in found['rows'].items()}
    found['formulas'] = {key: crystal.composition.reduced_formula for key, crystal in crystals.items()}
    found['carrier_densities'] = {key: carrier_density(one, labels.species) for key, one in crystals.items()}
    return Dict(found)


@calcfunction
def assess(
    labels: LabelsData,
    matches: Dict,
    parameters: Dict,
    calibration_of_xi: RankingModelData | None = None,
    **descriptors: DescriptorsData,
) -> AssessmentData:
    """Score the rankings by each descriptor, by Xi, and by any expressions, and compare them with Xi.

    :param matches: of :func:`match_labels`.
    :param parameters: ``classes``, the fields of :class:`~aiida_pesfp.settings.assessment.ClassSettings`; ``score``,
        those of :class:`~aiida_pesfp.settings.assessment.ScoreSettings`; ``expressions``, a list.
    :param calibration_of_xi: whose cuts make ``xi_calibrated``, which is compared too.
    :raises AssessmentError: if a class has fewer than two materials, or descriptors are not comparable.
    """
    values = parameters.get_dict()
    origin = _common_origin(descriptors)
    if origin['species'] not in (None, labels.species):
        raise AssessmentError(f'labels are of {labels.species}, descriptors of {origin["species"]}')
    tables = {key: node.get_dict() for key, node in descriptors.items()}
    classes, score_settings = (
        settings.from_dict(values.get(name, {}))
        for name, settings in (('classes', ClassSettings), ('score', ScoreSettings))
    )
    expressions = tuple(values.get('expressions', ()))
    found = score_rankings(
        labels.to_table().measurements,
        {int(row): key for row, key in matches['rows'].items()},
        matches['carrier_densities'],
        tables,
        classes,
        score_settings,
        expressions,
    )
    rankings = compared_rankings(expressions) | _calibrated(calibration_of_xi, tables)
    ranked = rank_materials(rankings, {key: tables[key] for key in found['materials']})
    for key, material in found['materials'].items():
        material |= {'formula': matches['formulas'][key], 'descriptors': descriptors[key].uuid}
        material |= {'structure': tables[key].get('structure_uuid')} | ranked[key]
        material |= {name: tables[key].get(name) for name in (*NAMES, 'error')}  # error: of an ensemble of orderings
    try:
        comparison = compare_materials(found['materials'], labels.species, score_settings, classes.temperature)
    except AssessmentError as error:
        comparison = {'error': str(error)}  # the scores are worth having
    if calibration_of_xi is not None:
        comparison['calibration'] = f'{calibration_of_xi.label}<{calibration_of_xi.pk}>'
    excluded = {
        'unreadable_rows': labels.base.attributes.get('excluded'),
        'unmatched_rows': matches['unmatched'],
        'structures_without_labels': matches['unlabelled'],
        **{name: found.pop(name) for name in ('rows_without_a_conductivity', 'structures_without_descriptors')},
    }
    others = {'comparison': comparison, 'excluded': excluded, 'doubts': matches['doubts']}
    return AssessmentData(origin | found | others)


@calcfunction
def compare(parameters: Dict, **assessments: AssessmentData) -> Dict:
    """Compare the rankings of several assessments of the same labels, on the structures that all have.

    :param parameters: ``order``, the keys of the assessments, of which the first has the reference; ``score``, the
        fields of :class:`~aiida_pesfp.settings.assessment.ScoreSettings`.
    :returns: that of :func:`~aiida_pesfp.assessment.comparison.compare_assessments`.
    :raises AssessmentError: if they cannot be compared, with the reason and the way out.
    """
    contents = {key: assessments[key].get_dict() for key in parameters['order']}
    for name, content in contents.items():
        if unknown := [key for key, one in content['materials'].items() if one.get('structure') is None]:
            words = f'{name} has structures that are not known ({some_of(unknown, 3)})'
            raise AssessmentError(f'{words}: run `aiida-pesfp assess` again')
        content['materials'] = {one['structure']: {'key': key} | one for key, one in content['materials'].items()}
    names, keys = names_of(contents), {}
    settings = ScoreSettings.from_dict(parameters.get_dict().get('score', {}))
    found = compare_assessments({names[key]: content for key, content in contents.items()}, settings)
    for content in reversed(contents.values()):
        keys |= {structure: one['key'] for structure, one in content['materials'].items()}
    found['missing'] = {
        name: {keys[one]: why for one, why in those.items()} for name, those in found['missing'].items()
    }
    found['left_out'] = {name: [keys[one] for one in those] for name, those in found['left_out'].items()}
    return Dict(found)


@calcfunction
def featurise(**structures: StructureData) -> Dict:
    """Features of composition and structure by matminer: key -> name -> value, None where there is none."""
    found = {key: matminer_features(node.get_pymatgen()) for key, node in structures.items()}
    for values in found.values():
        values.update((name, None) for name, value in values.items() if not math.isfinite(value))
    return Dict(found)


@calcfunction
def group_relatives(species: Str, **structures: StructureData) -> Dict:
    """The group of each structure by its key, see :func:`~aiida_pesfp.assessment.validation.groups_of`."""
    crystals = {key: node.get_pymatgen() for key, node in structures.items()}
    return Dict(dict(zip(crystals, groups_of(crystals, species.value))))


@calcfunction
def train_model(
    assessment: AssessmentData, parameters: Dict, features: Dict, groups: Dict, **descriptors: DescriptorsData
) -> dict:
    """Train a ranking model on labelled materials, and score it by leaving out each composition or group in turn.

    :param assessment: its materials and weights are the training set.
    :param parameters: the fields of :class:`~aiida_pesfp.settings.assessment.TrainingSettings`.
    :param features: of :func:`featurise`; empty if the model does not use them.
    :param groups: of :func:`group_relatives`; empty if compositions are left out.
    :returns: ``model``, a :class:`~aiida_pesfp.data.assessment.RankingModelData`, and ``predictions``, a Dict with the
        ``score`` and ``values`` of materials that were left out, and what these are worth as probabilities: ``brier``
        and ``log_loss``, those of models without features (``share``), and ``reliability`` in bins.
    """
    settings = TrainingSettings.from_dict(parameters.get_dict())
    training = _training_set(assessment, settings, features, groups, descriptors)
    model = train(training, _settings_of(training, settings))
    found = _predictions(training, training, settings, assessment)
    content = {'feature_set': settings.feature_set, 'training': asdict(settings), 'left_out': found['score']}
    return {'model': RankingModelData.from_model(model, **_origin(assessment), **content), 'predictions': found}


@calcfunction
def predict(
    assessment: AssessmentData,
    other: AssessmentData,
    parameters: Dict,
    features: Dict,
    groups: Dict,
    **descriptors: DescriptorsData,
) -> Dict:
    """Train on one set of labels and score on another (Appendix C). No composition, or group, is in both.

    The parameters are as for :func:`train_model`, with features and descriptors of the materials of both.

    :param other: its materials are predicted, and scored by its own labels.
    :returns: as the ``predictions`` of :func:`train_model`.
    """
    _common_origin({'the training set': assessment, 'the other set': other})
    settings = TrainingSettings.from_dict(parameters.get_dict())
    training, others = (_training_set(node, settings, features, groups, descriptors) for node in (assessment, other))
    return _predictions(training, others, settings, other)


@calcfunction
def calibrate(parameters: Dict, **sets) -> RankingModelData:
    """Find the parameters of Xi for the potential and the ion of labelled materials.

    :param parameters: ``vary``, a list of ``slope`` and ``threshold``; ``thresholds`` (eV) and ``cuts`` to try;
        ``start``, the fields of ``XiParameters``; ``score``, those of ``ScoreSettings``.
    :param sets: name -> ``assessment``, an AssessmentData, and ``descriptors`` of its materials by their keys.
    :raises AssessmentError: if the sets are not comparable, or a class is too small.
    """
    values = calibration_parameters(parameters.get_dict())
    origin = _common_origin({name: nodes['assessment'] for name, nodes in sets.items()})
    labelled = []
    for name, nodes in sets.items():
        tables = [nodes['descriptors'][key].get_dict() for key in nodes['assessment']['materials']]
        settings = tables[0].get('settings', {})
        labelled.append(LabelledSet(name, tables, *nodes['assessment'].weights()))
    found = find_parameters(labelled, **values)
    content = {'calibration': found.as_dict(), 'score': found.corrected}
    content['settings'] = {name: settings[name] for name in ('neighbours', 'smearing') if name in settings}
    return RankingModelData.from_model(RankingModel.from_xi(found.parameters), **origin, **content)


def calibration_parameters(values: dict) -> dict:
    """Arguments of :func:`aiida_pesfp.assessment.calibration.calibrate`.

    :raises AssessmentError: naming what is wrong.
    """
    for name in values:
        if name not in ('vary', 'thresholds', 'cuts', 'start', 'score'):
            raise AssessmentError(f'unknown parameter {name!r} of a calibration')
    try:
        start = XiParameters.from_dict(values.get('start', {}))
    except ValueError as error:
        raise AssessmentError(f'start: {error}') from error
    chosen = {name: tuple(values[name]) for name in ('vary', 'thresholds', 'cuts') if name in values}
    return chosen | {'start': start, 'settings': ScoreSettings.from_dict({'resamples': 200} | values.get('score', {}))}


def _origin(node: Dict) -> dict:
    return {name: node.get(name) for name in ('species', 'potential_name', 'potential_sha256', *SCAN_SETTINGS)}


def _common_origin(nodes: dict[str, Dict]) -> dict:
    """Ion, potential and grid of all nodes, which must be the same. If the potential has several names, the first."""
    if not nodes:
        raise AssessmentError('there is nothing to assess')
    if stopped := [name for name, node in nodes.items() if node.get('stopped_early')]:
        way_out = 'scan them again without stop_below'
        raise AssessmentError(f'scans stopped early and gave estimates only ({some_of(stopped, 3)}): {way_out}')
    first, *others = nodes
    for name in others:
        found = difference(nodes[name], nodes[first])
        if found:
            raise AssessmentError(f'{name} and {first} {found}')
    return _origin(nodes[first])


def _calibrated(calibration: RankingModelData | None, tables: dict[str, dict]) -> dict:
    """The ranking by Xi with the cuts of a calibration, if there is one.

    :raises AssessmentError: if it was made for other scans.
    """
    if calibration is None:
        return {}
    if found := calibration.mismatch(next(iter(tables.values()))):
        raise AssessmentError(found)
    model = calibration.to_model()
    return {XI_CALIBRATED.name: lambda table: float(model.rank_values([table])[0])}


def _predictions(training: TrainingSet, others: TrainingSet, settings, assessment) -> Dict:
    """Of materials that are left out, by models with all features and by models with none."""

    def predicted(one: TrainingSet, other: TrainingSet, kind: str) -> np.ndarray:
        own = replace(settings, kind=kind)
        # Folds with alike shares of good conductors: a large group that is left out alone moves the intercept.
        if one is other and settings.leave_out == 'relatives':
            return nested_predictions(one, own)
        return predict_others(one, other, _settings_of(one, own))

    values = predicted(training, others, settings.kind)
    without = constant(training)
    constants = predicted(without, without if training is others else constant(others), 'logistic_monotone')
    found = score(values, others.good, others.bad, ScoreSettings.from_dict(assessment['score_settings']))
    content = {'score': asdict(found), 'values': dict(zip(others.keys, values.tolist()))}
    return Dict(content | quality_of(values, constants, others.good, others.bad))


def _settings_of(training: TrainingSet, settings: TrainingSettings) -> TrainingSettings:
    """Those with which a model is trained: the shrinkage is chosen where relatives are left out."""
    return shrunk(training, settings) if settings.leave_out == 'relatives' else settings


def _training_set(assessment: AssessmentData, settings, features: Dict, groups: Dict, descriptors) -> TrainingSet:
    materials, others = assessment['materials'], features.get_dict()
    keys = list(materials)
    rows = [select_features(settings.feature_set, descriptors[key].get_dict(), others.get(key)) for key in keys]
    names = list(rows[0])
    for key, row in zip(keys, rows):
        if list(row) != names:
            raise AssessmentError(f'{key} has other features than the rest: describe all surfaces alike')
    matrix = np.array([[row[name] for name in names] for row in rows], dtype=float)
    together = [groups[key] if settings.leave_out == 'relatives' else materials[key]['formula'] for key in keys]
    return TrainingSet(keys, together, names, matrix, *assessment.weights())
