"""``pesfp.assess``: judge descriptors against labels, learn rankings from them, recalibrate Xi."""

from __future__ import annotations

from aiida.engine import ExitCode, ToContext, WorkChain, if_
from aiida.orm import Dict, StructureData

from aiida_pesfp.assessment.classes import ClassSettings
from aiida_pesfp.assessment.features import DescriptorExpression
from aiida_pesfp.assessment.matching import METHODS
from aiida_pesfp.assessment.models import LEARNERS
from aiida_pesfp.assessment.scores import ScoreSettings
from aiida_pesfp.calculations.assessment import (
    calibrate,
    calibration_parameters,
    evaluate,
    featurise,
    judge,
    learn,
    match_labels,
    training_parameters,
)
from aiida_pesfp.data.assessment import AssessmentData, RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.labels import LabelsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.workflows.screen import ScreenWorkChain

_KEYS = ('sets', 'score', 'expressions', 'models', 'calibration')
#: Labelled materials are scanned whatever their band gap and elements, also those like another, which have own labels.
_NO_CRITERIA = {
    'minimum_band_gap': None,
    'maximum_energy_above_hull': None,
    'allow_transition_metals': True,
    'duplicates': 'keep',
}


def validate_evaluation(node, _) -> str | None:
    """Validator of an input port: the error message, if any."""
    values = node.get_dict()
    unknown = sorted(set(values) - set(_KEYS))
    if unknown:
        return f'unknown parameter {unknown[0]!r}: known are {", ".join(_KEYS)}'
    if not values.get('sets'):
        return 'no set of labels is described: sets = {name: {classes: {good: ..., bad: ...}}}'
    try:
        for entry in values['sets'].values():
            ClassSettings.from_dict(entry.get('classes', {}))
            wrong = sorted(set(entry.get('match_by', ())) - set(METHODS))
            if wrong:
                return f'unknown way {wrong[0]!r} to match labels: take some of {", ".join(METHODS)}'
        ScoreSettings.from_dict(values.get('score', {}))
        for text in values.get('expressions', ()):
            DescriptorExpression(text)
        for kind, feature_set in _models(values):
            training_parameters({'kind': kind, 'feature_set': feature_set, 'training': _training(values)})
        calibration_parameters({k: v for k, v in (values.get('calibration') or {}).items() if k != 'sets'})
    except AssessmentError as error:
        return str(error)
    for name in (*_learn_from(values), *(values.get('calibration') or {}).get('sets', ())):
        if name not in values['sets']:
            return f'there is no set {name!r} of labels: described are {", ".join(values["sets"])}'
    return None


def _validate_sets(inputs, _) -> str | None:
    if 'parameters' not in inputs or 'labels' not in inputs:
        return None  # has its own message
    described, given = set(inputs['parameters']['sets']), set(inputs['labels'])
    if described != given:
        return f'the parameters describe the sets {sorted(described)}, labels are given for {sorted(given)}'
    unknown = sorted(set(inputs.get('descriptors', {})) - set(inputs.get('structures', {})))
    if unknown:
        return f'descriptors {unknown[0]!r} belong to no structure'
    missing = sorted(set(inputs.get('structures', {})) - set(inputs.get('descriptors', {})))
    if missing and not inputs.get('screen'):
        return f'there are no descriptors of {missing[0]!r}: give them, or the inputs `screen` of a scan'
    return None


class AssessWorkChain(WorkChain):
    """Judge descriptors against labelled materials (arXiv:2411.06804, Sec. II B and Appendix C)."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input_namespace('labels', valid_type=LabelsData, dynamic=True, help='Sets of labels, by name.')
        spec.input_namespace(
            'structures', valid_type=StructureData, dynamic=True, help='Structures that labels are matched to.'
        )
        spec.input_namespace(
            'descriptors',
            valid_type=DescriptorsData,
            dynamic=True,
            required=False,
            help='Their descriptors, by the same keys. Those missing are computed.',
        )
        spec.input(
            'parameters',
            valid_type=Dict,
            validator=validate_evaluation,
            help='`sets`: name -> `classes` (of ClassSettings) and `match_by`; `score` (of ScoreSettings); '
            '`expressions`, rankings to judge besides the descriptors; `models`: `learn_from` (a set), `kinds`, '
            '`feature_sets`, `training`; `calibration`: `sets`, `vary` and the like, see `pesfp.assessment.calibrate`.',
        )
        spec.expose_inputs(
            ScreenWorkChain,
            namespace='screen',
            exclude=('structures', 'properties', 'criteria', 'model'),
            namespace_options={
                'required': False,
                'populate_defaults': False,
                'help': 'Code, potential and parameters of the scans, if descriptors are missing.',
            },
        )
        spec.inputs.validator = _validate_sets
        spec.outline(
            if_(cls.any_missing)(cls.scan, cls.collect_scans),
            cls.evaluate,
            cls.learn,
            cls.calibrate,
            cls.finish,
        )
        spec.output_namespace('matches', valid_type=Dict, dynamic=True, help='Which label belongs to which structure.')
        spec.output_namespace('evaluations', valid_type=AssessmentData, dynamic=True, help='Scores, by set of labels.')
        spec.output_namespace('models', valid_type=RankingModelData, dynamic=True, help='Models learned.')
        spec.output_namespace('predictions', dynamic=True, help='By model and set: score and values.')
        spec.output('calibration', valid_type=RankingModelData, required=False, help='Xi, recalibrated.')
        spec.output_namespace('descriptors', valid_type=DescriptorsData, dynamic=True, help='Those computed here.')
        spec.output_namespace('pes', valid_type=PesData, dynamic=True, help='Their surfaces.')
        spec.output('rejected', valid_type=Dict, required=False, help='Structures that could not be scanned, and why.')
        spec.exit_code(310, 'ERROR_NO_DESCRIPTORS', message='No structure has descriptors, see `rejected`.')
        spec.exit_code(320, 'ERROR_ALL_SETS_FAILED', message='No set of labels could be evaluated: {reasons}')
        spec.exit_code(330, 'ERROR_INCOMPLETE', message='Some parts failed, the others are there: {reasons}')

    def any_missing(self) -> bool:
        """Whether structures have to be scanned."""
        self.ctx.failures = []
        self.ctx.descriptors = dict(self.inputs.get('descriptors', {}))
        return bool(set(self.inputs.structures) - set(self.ctx.descriptors))

    def scan(self) -> ToContext:
        """Scan the structures without descriptors."""
        inputs = self.exposed_inputs(ScreenWorkChain, namespace='screen')
        chosen = {key: node for key, node in self.inputs.structures.items() if key not in self.ctx.descriptors}
        inputs |= {'structures': chosen, 'criteria': Dict(_NO_CRITERIA)}
        node = self.submit(ScreenWorkChain, **inputs)
        self.report(f'launching ScreenWorkChain<{node.pk}> for {len(chosen)} structures')
        return ToContext(screening=node)

    def collect_scans(self) -> ExitCode | None:
        """Take what the screening found."""
        outputs = self.ctx.screening.outputs
        for name in ('pes', 'descriptors'):
            for key, node in getattr(outputs, name, {}).items():
                self.out(f'{name}.{key}', node)
                if name == 'descriptors':
                    self.ctx.descriptors[key] = node
        if 'rejected' in outputs:
            self.out('rejected', outputs.rejected)
        return None if self.ctx.descriptors else self.exit_codes.ERROR_NO_DESCRIPTORS

    def evaluate(self) -> ExitCode | None:
        """Match and score each set. One that cannot be scored costs the others nothing."""
        values, self.ctx.evaluations = self.inputs.parameters.get_dict(), {}
        for name, labels in self.inputs.labels.items():
            own = values['sets'][name]
            common = {key: values[key] for key in ('score', 'expressions') if key in values}
            try:
                matches = match_labels(
                    labels, Dict({k: own[k] for k in ('match_by',) if k in own}), **self.inputs.structures
                )
                self.out(f'matches.{name}', matches)
                parameters = Dict(common | {'classes': own.get('classes', {})})
                found = evaluate(labels, matches, parameters, **self.ctx.descriptors)
            except AssessmentError as error:
                self._failed(f'set {name}', error)
                continue
            self.ctx.evaluations[name] = found
            self.out(f'evaluations.{name}', found)
        if not self.ctx.evaluations:
            return self.exit_codes.ERROR_ALL_SETS_FAILED.format(reasons='; '.join(self.ctx.failures))
        return None

    def learn(self) -> None:
        """Learn each model from one set and judge it on all."""
        values = self.inputs.parameters.get_dict()
        source = next(iter(_learn_from(values)), None)
        if source not in self.ctx.evaluations:
            return
        features = Dict({})
        if any(feature_set != 'pes' for _, feature_set in _models(values)):
            keys = {key for node in self.ctx.evaluations.values() for key in node['materials']}
            features = featurise(**{key: self.inputs.structures[key] for key in sorted(keys)})
        for kind, feature_set in _models(values):
            label = f'{kind}_{feature_set}'
            parameters = Dict({'kind': kind, 'feature_set': feature_set, 'training': _training(values)})
            try:
                self._learn_one(source, label, parameters, features)
            except AssessmentError as error:
                self._failed(f'model {label}', error)

    def calibrate(self) -> None:
        """Find Xi's parameters."""
        values = self.inputs.parameters.get_dict().get('calibration')
        if values is None:
            return
        names = [name for name in values.get('sets', self.ctx.evaluations) if name in self.ctx.evaluations]
        sets = {
            name: {
                'evaluation': self.ctx.evaluations[name],
                'descriptors': self._descriptors_of(self.ctx.evaluations[name]),
            }
            for name in names
        }
        try:
            parameters = Dict({key: value for key, value in values.items() if key != 'sets'})
            self.out('calibration', calibrate(parameters, **sets))
        except AssessmentError as error:
            self._failed('calibration', error)

    def finish(self) -> ExitCode | None:
        """Say what is missing, if anything."""
        if self.ctx.failures:
            return self.exit_codes.ERROR_INCOMPLETE.format(reasons='; '.join(self.ctx.failures))
        return None

    def _learn_one(self, source: str, label: str, parameters: Dict, features: Dict) -> None:
        learned_from = self.ctx.evaluations[source]
        found = learn(learned_from, parameters, features, **self._descriptors_of(learned_from))
        self.out(f'models.{label}', found['model'])
        self.out(f'predictions.{label}.{source}', found['predictions'])
        for name, judged in self.ctx.evaluations.items():
            if name != source:
                both = self._descriptors_of(learned_from) | self._descriptors_of(judged)
                self.out(f'predictions.{label}.{name}', judge(learned_from, judged, parameters, features, **both))

    def _descriptors_of(self, evaluation: AssessmentData) -> dict[str, DescriptorsData]:
        return {key: self.ctx.descriptors[key] for key in evaluation['materials']}

    def _failed(self, what: str, error: AssessmentError) -> None:
        self.ctx.failures.append(f'{what}: {error}')
        self.report(f'{what}: {error}')


def _learn_from(values: dict) -> list[str]:
    """Name of the set that models are learned from, if any."""
    models = values.get('models') or {}
    return [models.get('learn_from', next(iter(values['sets'])))] if models else []


def _models(values: dict) -> list[tuple[str, str]]:
    models = values.get('models')
    if not models:
        return []
    return [(k, f) for k in models.get('kinds', LEARNERS) for f in models.get('feature_sets', ('pes',))]


def _training(values: dict) -> dict:
    return (values.get('models') or {}).get('training', {})
