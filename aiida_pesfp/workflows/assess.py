"""``pesfp.assess``: score descriptors against labels, train ranking models, recalibrate Xi."""

from aiida.engine import ExitCode, ToContext, WorkChain, if_
from aiida.orm import Dict, Str, StructureData
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from aiida_pesfp.assessment.features import DescriptorExpression
from aiida_pesfp.assessment.matching import check_methods
from aiida_pesfp.calculations import assessment as steps
from aiida_pesfp.calculations.ports import validator_by
from aiida_pesfp.data.assessment import AssessmentData, RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.labels import LabelsData
from aiida_pesfp.data.merge_tree import MergeTreeData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.settings.assessment import TRAINABLE, ClassSettings, ScoreSettings, TrainingSettings
from aiida_pesfp.workflows.overrides import check_overrides
from aiida_pesfp.workflows.screen import ScreenWorkChain

#: All labelled materials are scanned, duplicates too: they have labels of their own.
_NO_CRITERIA = dict.fromkeys(('minimum_band_gap', 'maximum_energy_above_hull'))
_NO_CRITERIA |= {'allow_transition_metals': True, 'duplicates': 'keep'}


def check_parameters(values: dict) -> None:
    """Raise an error unless the parameters describe an assessment, without a word that is not understood."""
    anything, sets = FieldInfo(annotation=JsonValue, description='see the help'), values.get('sets')
    if not (sets and isinstance(sets, dict)):
        raise ValueError('no set of labels is described: sets = {name: {classes: {good: ..., bad: ...}}}')
    known = {
        'sets': {name: {'classes': ClassSettings.limits(), 'match_by': anything} for name in sets},
        'score': ScoreSettings.limits(),
        'expressions': anything,
        'models': dict.fromkeys(('train_on', 'kinds', 'feature_sets'), anything)
        | {'training': TrainingSettings.limits()},
        'calibration': dict.fromkeys(('sets', 'vary', 'thresholds', 'cuts', 'start', 'score'), anything),
    }
    check_overrides({key: value for key, value in values.items() if value is not None}, known)
    calibration = dict(values.get('calibration') or {})
    chosen = [*calibration.pop('sets', ()), *([_train_on(values)] if values.get('models') else [])]
    for entry in sets.values():
        ClassSettings.from_dict(entry.get('classes', {}))
        check_methods(entry.get('match_by', ()))
    for text in values.get('expressions', ()):
        DescriptorExpression(text)
    for training in _trainings(values).values():
        TrainingSettings.from_dict(training)
    steps.calibration_parameters(calibration)
    if unknown := [name for name in chosen if name not in sets]:
        raise ValueError(f'there is no set {unknown[0]!r} of labels: described are {", ".join(sets)}')


def _check(inputs) -> None:
    described, given = set(inputs['parameters']['sets']), set(inputs['labels'])
    if described != given:
        raise ValueError(f'the parameters describe the sets {sorted(described)}, labels are given for {sorted(given)}')
    structures, descriptors = set(inputs.get('structures', {})), set(inputs.get('descriptors', {}))
    if descriptors - structures:
        raise ValueError(f'descriptors {min(descriptors - structures)!r} belong to no structure')
    if structures - descriptors and not inputs.get('screen'):
        missing = min(structures - descriptors)
        raise ValueError(f'there are no descriptors of {missing!r}: give them, or the inputs `screen` of a scan')


class AssessWorkChain(WorkChain):
    """Assess descriptors on labelled materials (arXiv:2411.06804, Sec. II B and Appendix C)."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input_namespace('labels', valid_type=LabelsData, dynamic=True, help='Sets of labels, by name.')
        words = 'Structures to which labels are matched.'
        spec.input_namespace('structures', valid_type=StructureData, dynamic=True, help=words)
        words = 'Their descriptors, by the same keys. Missing ones are computed.'
        spec.input_namespace('descriptors', valid_type=DescriptorsData, dynamic=True, required=False, help=words)
        words = (
            '`sets`: name -> `classes` (of ClassSettings) and `match_by`; `score` (of ScoreSettings); '
            '`expressions`, rankings to score besides the descriptors; `models`: `train_on` (a set), `kinds`, '
            '`feature_sets`, `training`; `calibration`: `sets`, `vary` and the like, see `pesfp.assessment.calibrate`.'
        )
        spec.input('parameters', valid_type=Dict, validator=validator_by(check_parameters), help=words)
        words = 'Its cuts of Xi make a ranking that is compared with the others.'
        spec.input('calibration_of_xi', valid_type=RankingModelData, required=False, help=words)
        words = 'Code, potential and parameters of the scans, if descriptors are missing.'
        options = {'required': False, 'populate_defaults': False, 'help': words}
        own = ('structures', 'properties', 'criteria', 'model')
        spec.expose_inputs(ScreenWorkChain, namespace='screen', exclude=own, namespace_options=options)
        spec.inputs.validator = validator_by(_check)
        scans = if_(cls.any_missing)(cls.scan, cls.collect_scans)
        spec.outline(scans, cls.assess, cls.train_models, cls.calibrate, cls.finish)
        spec.output_namespace('matches', valid_type=Dict, dynamic=True, help='The structure of each label.')
        spec.output_namespace('assessments', valid_type=AssessmentData, dynamic=True, help='Scores, by set of labels.')
        spec.output_namespace('models', valid_type=RankingModelData, dynamic=True, help='Trained models.')
        spec.output_namespace('predictions', dynamic=True, help='By model and set: score and values.')
        spec.output('calibration', valid_type=RankingModelData, required=False, help='Xi, recalibrated.')
        spec.output_namespace('descriptors', valid_type=DescriptorsData, dynamic=True, help='Those computed here.')
        spec.output_namespace('pes', valid_type=PesData, dynamic=True, help='Their surfaces.')
        spec.output_namespace('trees', valid_type=MergeTreeData, dynamic=True, help='Or the merge trees of these.')
        spec.output('rejected', valid_type=Dict, required=False, help='Structures that could not be scanned, and why.')
        spec.exit_code(310, 'ERROR_NO_DESCRIPTORS', message='No structure has descriptors, see `rejected`.')
        spec.exit_code(320, 'ERROR_ALL_SETS_FAILED', message='No set of labels could be assessed: {reasons}')
        spec.exit_code(330, 'ERROR_INCOMPLETE', message='Some parts failed, the rest is complete: {reasons}')

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
        """Collect the results of the screening."""
        outputs = self.ctx.screening.outputs
        for name in ('pes', 'trees', 'descriptors', 'rejected'):
            if name in outputs:
                self.out(name, outputs[name])
        self.ctx.descriptors.update(getattr(outputs, 'descriptors', {}))
        return None if self.ctx.descriptors else self.exit_codes.ERROR_NO_DESCRIPTORS

    def assess(self) -> ExitCode | None:
        """Match and score each set. A failed set does not affect the others."""
        values, self.ctx.assessments = self.inputs.parameters.get_dict(), {}
        common = {key: values[key] for key in ('score', 'expressions') if key in values}
        calibration = self.inputs.get('calibration_of_xi')
        for name, labels in self.inputs.labels.items():
            own = values['sets'][name]
            ways = Dict({'match_by': own['match_by']} if 'match_by' in own else {})
            try:
                matches = steps.match_labels(labels, ways, **self.inputs.structures)
                self.out(f'matches.{name}', matches)
                matched, number = len(matches['rows']), labels.base.attributes.get('number_of_measurements')
                self.report(f'set {name}: {matched} of {number} labels have a structure; scoring the rankings')
                parameters = Dict(common | {'classes': own.get('classes', {})})
                found = steps.assess(labels, matches, parameters, calibration, **self.ctx.descriptors)
            except AssessmentError as error:
                self._failed(f'set {name}', error)
                continue
            self.ctx.assessments[name] = found
            self.out(f'assessments.{name}', found)
        if not self.ctx.assessments:
            return self.exit_codes.ERROR_ALL_SETS_FAILED.format(reasons='; '.join(self.ctx.failures))
        return None

    def train_models(self) -> None:
        """Train each model on one set and score it on all."""
        values = self.inputs.parameters.get_dict()
        trainings, source = _trainings(values), _train_on(values)
        if source not in self.ctx.assessments:
            return
        keys = {key for node in self.ctx.assessments.values() for key in node['materials']}
        structures, features, groups = {key: self.inputs.structures[key] for key in sorted(keys)}, Dict({}), Dict({})
        if any(training['feature_set'] != 'pes' for training in trainings.values()):
            features = steps.featurise(**structures)
        if any(training.get('leave_out') == 'relatives' for training in trainings.values()):
            groups = steps.group_relatives(Str(self.inputs.labels[source].species), **structures)
        own, descriptors = self.ctx.assessments[source], self._descriptors_of(source)
        for position, (label, training) in enumerate(trainings.items(), start=1):
            self.report(f'training model {position} of {len(trainings)}: {label}')
            parameters = Dict(training)
            try:
                found = steps.train_model(own, parameters, features, groups, **descriptors)
                self.out(f'models.{label}', found['model'])
                self.out(f'predictions.{label}.{source}', found['predictions'])
                for name, other in self.ctx.assessments.items():
                    if name != source:
                        both = descriptors | self._descriptors_of(name)
                        predictions = steps.predict(own, other, parameters, features, groups, **both)
                        self.out(f'predictions.{label}.{name}', predictions)
            except AssessmentError as error:
                self._failed(f'model {label}', error)

    def calibrate(self) -> None:
        """Find the parameters of Xi."""
        values = self.inputs.parameters.get_dict().get('calibration')
        if values is None:
            return
        sets = {
            name: {'assessment': self.ctx.assessments[name], 'descriptors': self._descriptors_of(name)}
            for name in values.pop('sets', self.ctx.assessments)
            if name in self.ctx.assessments
        }
        try:
            self.out('calibration', steps.calibrate(Dict(values), **sets))
        except AssessmentError as error:
            self._failed('calibration', error)

    def finish(self) -> ExitCode | None:
        """Report what failed, if anything."""
        if self.ctx.failures:
            return self.exit_codes.ERROR_INCOMPLETE.format(reasons='; '.join(self.ctx.failures))
        return None

    def _descriptors_of(self, name: str) -> dict[str, DescriptorsData]:
        return {key: self.ctx.descriptors[key] for key in self.ctx.assessments[name]['materials']}

    def _failed(self, what: str, error: AssessmentError) -> None:
        self.ctx.failures.append(f'{what}: {error}')
        self.report(f'{what}: {error}')


def _train_on(values: dict) -> str:
    """Name of the set on which models are trained; by default the first."""
    return (values.get('models') or {}).get('train_on', next(iter(values['sets'])))


def _trainings(values: dict) -> dict[str, dict]:
    """Label of each model to train -> its parameters."""
    models = values.get('models') or {'kinds': ()}
    return {
        f'{kind}_{feature_set}': {**models.get('training', {}), 'kind': kind, 'feature_set': feature_set}
        for kind in models.get('kinds', TRAINABLE)
        for feature_set in models.get('feature_sets', ('pes',))
    }
