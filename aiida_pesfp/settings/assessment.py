"""Settings of an assessment (arXiv:2411.06804, Sec. II B and Appendix C)."""

from typing import Literal

from ase.data import chemical_symbols
from pydantic.dataclasses import dataclass

from aiida_pesfp.errors import AssessmentError, LabelError
from aiida_pesfp.settings.base import Settings, setting
from aiida_pesfp.settings.diffusion import check_charge
from aiida_pesfp.settings.units import MEASURES, SCALED

#: What a column of a table of labels can mean.
ROLES = ('id', 'series', 'composition', 'space_group', 'structure', 'temperature', 'conductivity', 'diffusion', 'error')
_TEMPERATURE = MEASURES['temperature'].limits
#: Before a unit: the column holds logarithms.
LOGARITHMS = ('log10', 'ln')
#: Roles that tell which material a row is about: ways to find its structure.
MATCHING_METHODS = ('id', 'composition', 'structure')
#: Features of a ranking model: of the surface, of matminer, or both.
FEATURE_SETS = ('pes', 'matminer', 'both')
#: Kinds of ranking models that can be trained; coefficients of a monotone one have the signs that physics gives them.
TRAINABLE = ('logistic_l1', 'logistic_l2', 'logistic_monotone', 'catboost')


class AssessmentSettings(Settings):
    """Settings whose errors are those of an assessment."""

    ERROR = AssessmentError


@dataclass(frozen=True)
class TableFormat(AssessmentSettings):
    """What the columns of a table of labels mean.

    ``id``, ``composition``, ``space_group`` (number, symbol) and ``structure`` (pymatgen's JSON) identify the material;
    ``series`` marks the rows of one experiment at several temperatures; ``conductivity`` or ``diffusion`` is the value,
    ``error`` its standard error. The density of the mobile ion converts diffusion coefficients to conductivities.
    A unit such as ``log10 S/cm`` or ``ln S/cm`` says that value and error are logarithms, ``1e-4 S/cm`` a power of ten.
    """

    columns: dict = setting('role of each column -> its name')
    unit: str = setting(f'unit of value, error: {", ".join(unit for name in SCALED for unit in MEASURES[name].units)}')
    temperature: float | None = setting('temperature of all rows, if no column has it', None, **_TEMPERATURE)
    temperature_unit: Literal['header', 'K', 'C'] = setting(
        "unit of the column of temperatures; header: as its name says, 'T (K)' or 'T (°C)'", 'header'
    )
    species: str = setting('the mobile ion', 'Li')
    ignore: list[str] = setting('columns, or patterns such as mp_*, that are not read, nor compared with others', [])
    charge: float | None = setting('charge of the mobile ion, if its element has several', None, unit='e', ge=-8, le=8)

    def __post_init__(self):
        roles, measure = set(self.columns), MEASURES[self.quantity]
        for role in self.columns:
            if role not in ROLES:
                raise LabelError(f'unknown role {role!r} of a column: known are {", ".join(ROLES)}')
        if ('conductivity' in roles) == ('diffusion' in roles):
            raise LabelError('exactly one column must be named as conductivity or diffusion')
        if not roles & {*MATCHING_METHODS}:
            raise LabelError('no column identifies the material: name one as id, composition or structure')
        if measure.factor(self.plain_unit) is None:
            known = (
                f'{", ".join(measure.units)}, each with {" or ".join(map(repr, LOGARITHMS))} before it for logarithms'
            )
            raise LabelError(f'unknown unit {self.unit!r} of a {self.quantity}: known are {known}')
        if ('temperature' in roles) == (self.temperature is not None):
            raise LabelError('give the temperature once: as a column, or one for all rows (K)')
        if self.species not in chemical_symbols[1:]:
            raise LabelError(f'the species {self.species[:20]!r} is not the symbol of a chemical element')
        check_charge(self.species, self.charge)

    @property
    def quantity(self) -> str:
        """``conductivity`` or ``diffusion``."""
        return 'conductivity' if 'conductivity' in self.columns else 'diffusion'

    @property
    def scale(self) -> str | None:
        """``log10`` or ``ln`` if value and error are logarithms."""
        first = self.unit.partition(' ')[0]
        return first if first in LOGARITHMS else None

    @property
    def plain_unit(self) -> str:
        """The unit without that of logarithms."""
        return self.unit.removeprefix(self.scale or '').strip()


@dataclass(frozen=True)
class ClassSettings(AssessmentSettings):
    """What makes a good and a bad conductor."""

    good: float = setting('sigma+: conductors above this are good', unit='S/cm', gt=0, le=100)
    bad: float = setting('sigma-: conductors below this are bad', unit='S/cm', gt=0, le=100)
    temperature: float = setting('temperature of sigma+ and sigma-', 300.0, **_TEMPERATURE)
    # As in the middle panel of Fig. 3.
    good_temperature: float | None = setting('temperature of sigma+, if it differs', None, **_TEMPERATURE)
    # The paper takes 100 %.
    relative_error: float = setting('standard error over value where a label has none', 1.0, ge=0, le=1000)
    floor: float | None = setting(
        'raise lower values to this; without it, values that are not positive and have no error are excluded',
        None, unit='S/cm', gt=0, le=100,
    )  # fmt: skip
    tolerance: float = setting(
        'a measurement this close to the temperature needs no extrapolation', 10.0, unit='K', ge=0, le=1000
    )

    def __post_init__(self):
        if self.good_temperature is None and not self.good >= self.bad:
            raise AssessmentError(f'good = {self.good:g} S/cm is below bad = {self.bad:g} S/cm: exchange them')

    def clip(self, value: float) -> float:
        """The value, raised to the floor if there is one."""
        return value if self.floor is None else max(value, self.floor)


@dataclass(frozen=True)
class ScoreSettings(AssessmentSettings):
    """How a ranking is scored."""

    maximum_false_positive_rate: float = setting(  # 10 % in the paper
        'the score is the area under the ROC curve up to this rate', 0.1, gt=0, le=1
    )
    resamples: int = setting('number of bootstrap resamples', 1000, ge=2, le=10**6)
    seed: int = setting('seed of the random numbers', 0, ge=0)


@dataclass(frozen=True)
class TrainingSettings(AssessmentSettings):
    """How a ranking model is trained."""

    kind: Literal[*TRAINABLE] = setting('kind of the ranking model', 'logistic_l2')
    feature_set: Literal[*FEATURE_SETS] = setting('features', 'pes')
    regularisation: float = setting('C of scikit-learn: smaller values shrink coefficients more', 1.0, gt=0, le=1e6)
    iterations: int = setting('number of trees of CatBoost', 200, gt=0, le=10**5)
    depth: int = setting('depth of the trees', 4, gt=0, le=16)
    seed: int = setting('seed of the random numbers', 0, ge=0)
    leave_out: Literal['composition', 'relatives'] = setting(
        'what a model has not seen when it predicts a material: its composition (as the paper), or all its relatives, '
        'with the same elements beside the ion or the same framework of others',
        'composition',
    )
