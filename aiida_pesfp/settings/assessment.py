"""Settings of an assessment (arXiv:2411.06804, Sec. II B and Appendix C)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.settings.base import NOT_NEGATIVE, POSITIVE, Settings, setting

#: Ways to find the structure of a label.
MATCHING_METHODS = ('id', 'composition', 'structure')
FEATURE_SETS = ('pes', 'matminer', 'both')
#: Kinds of ranking models that can be trained.
TRAINABLE = ('logistic_l1', 'logistic_l2', 'catboost')


class AssessmentSettings(Settings):
    """Settings whose errors are those of an assessment."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From a dictionary of plain JSON types. A missing key has its default.

        :raises AssessmentError: naming the key, its value and what is allowed.
        """
        try:
            return super().from_dict(values)
        except ValueError as error:
            raise AssessmentError(str(error)) from error


@dataclass(frozen=True)
class ClassSettings(AssessmentSettings):
    """What makes a good and a bad conductor."""

    good: float = setting('sigma+: conductors above this are good', unit='S/cm', limit=POSITIVE)
    bad: float = setting('sigma-: conductors below this are bad', unit='S/cm', limit=POSITIVE)
    temperature: float = setting('temperature of sigma+ and sigma-', 300.0, unit='K', limit=POSITIVE)
    good_temperature: float | None = setting(  # the middle panel of Fig. 3
        'temperature of sigma+, if it differs', None, unit='K', limit=POSITIVE
    )
    relative_error: float = setting(  # the paper takes 100 %
        'standard error over value where a label has no error', 1.0, limit=NOT_NEGATIVE
    )
    floor: float | None = setting(
        'raise lower values to this; without it, values that are not positive and have no error are excluded',
        None, unit='S/cm', limit=POSITIVE,
    )  # fmt: skip
    tolerance: float = setting(
        'a measurement this close to the temperature needs no extrapolation', 10.0, unit='K', limit=NOT_NEGATIVE
    )

    def __post_init__(self):
        super().__post_init__()
        if self.good_temperature is None and not self.good >= self.bad:
            raise AssessmentError(f'good = {self.good:g} S/cm is below bad = {self.bad:g} S/cm: exchange them')

    def clip(self, value: float) -> float:
        """The value, raised to the floor if there is one."""
        return value if self.floor is None else max(value, self.floor)


@dataclass(frozen=True)
class ScoreSettings(AssessmentSettings):
    """How a ranking is scored."""

    maximum_false_positive_rate: float = setting(  # 10 % in the paper
        'the score is the area under the ROC curve up to this rate', 0.1, limit=POSITIVE
    )
    resamples: int = setting('number of bootstrap resamples', 1000, limit=POSITIVE)
    seed: int = setting('seed of the random numbers', 0, limit=NOT_NEGATIVE)

    def __post_init__(self):
        super().__post_init__()
        if self.maximum_false_positive_rate > 1:
            raise AssessmentError(f'maximum_false_positive_rate = {self.maximum_false_positive_rate} is above 1')
        if self.resamples < 2:
            raise AssessmentError(f'resamples = {self.resamples}: the bootstrap needs at least two')


@dataclass(frozen=True)
class TrainingSettings(AssessmentSettings):
    """How a ranking model is trained."""

    kind: str = setting('kind of the ranking model', 'logistic_l2', choices=TRAINABLE)
    feature_set: str = setting('features', 'pes', choices=FEATURE_SETS)
    regularisation: float = setting('C of scikit-learn: smaller values shrink coefficients more', 1.0, limit=POSITIVE)
    iterations: int = setting('number of trees of CatBoost', 200, limit=POSITIVE)
    depth: int = setting('depth of the trees', 4, limit=POSITIVE)
    seed: int = setting('seed of the random numbers', 0, limit=NOT_NEGATIVE)
