"""Inputs of rankings and ranking models: expressions of descriptors, and vectors of features."""

import warnings
from collections.abc import Iterable
from functools import partial

import numpy as np
from pymatgen.core import Structure

from aiida_pesfp.errors import AssessmentError, ExpressionError, NoValue
from aiida_pesfp.expressions import Expression
from aiida_pesfp.fingerprint.quantities import BY_NAME, NAMES, QUANTITIES

#: Lower free volumes are raised to this in features, which are logarithms: about one point of a small cell.
LEAST_FREE_VOLUME = 1e-5
#: Free volumes of the spectrum at any of its thresholds: ``connected(0.3)``.
SPECTRA = ('connected', 'disconnected')
#: Ranks structures of a potential without a calibration, see :func:`aiida_pesfp.fingerprint.quantities.rank_key`.
FREE_VOLUMES = 'fv_connected * fv_disconnected'


class DescriptorExpression(Expression):
    """A number of each structure from its quantities, ``connected(t)`` and ``disconnected(t)``.

    t is a threshold (eV) of the spectrum.

    :raises ExpressionError: if the text contains anything else.
    """

    _CONSTANTS = int | float

    def __init__(self, text: str):
        super().__init__(text, NAMES, SPECTRA)

    def __call__(self, descriptors: dict) -> float:
        """Its value for one structure.

        :raises ExpressionError: if it has none, with the reason.
        """
        for name in sorted(self.names):
            if descriptors.get(name) is None:
                raise NoValue(f'the descriptors have no {name!r}: describe the surface again')
        return float(self.value(descriptors | {kind: partial(free_volume, descriptors, kind) for kind in SPECTRA}))


def free_volume(descriptors: dict, kind: str, threshold: float) -> float:
    """Free volume of one of :data:`SPECTRA` at a threshold, eV.

    :raises ExpressionError: if the spectrum does not have the threshold.
    """
    thresholds = descriptors['spectrum']['thresholds']
    at = np.flatnonzero(np.isclose(thresholds, threshold, atol=1e-6))
    if not len(at):
        known = ', '.join(f'{value:g}' for value in thresholds)
        raise ExpressionError(f'no free volume at {threshold:g} eV: the spectrum has {known}')
    return descriptors['spectrum'][kind][at[0]]


def standard_rankings(descriptors: dict) -> list[str]:
    """Expressions that rank by each descriptor alone, the higher the better: quantities and free volumes (Fig. 3).

    :param descriptors: of one structure; all others have the same thresholds.
    """
    free_volumes = [f'{kind}({t:g})' for kind in SPECTRA for t in descriptors['spectrum']['thresholds']]
    known = (one for one in QUANTITIES if not one.in_spectrum and descriptors.get(one.name) is not None)
    return [*(one.ranking for one in known), *free_volumes]


def compared_rankings(expressions: Iterable[str] = ()) -> dict[str, DescriptorExpression]:
    """Rankings that are compared with Xi: one of each quantity, and the product of the free volumes.

    Free volumes at each threshold are not among them: of so many, some are always better by chance.

    :param expressions: further rankings.
    """
    texts = [*(one.ranking for one in QUANTITIES if not one.in_spectrum), FREE_VOLUMES, *expressions]
    return {text: DescriptorExpression(text) for text in texts}


def pes_features(descriptors: dict) -> dict[str, float]:
    """Quantities that are features, such as the MPE (eV), and the logarithms of all free volumes (Appendix C)."""
    spectrum = descriptors['spectrum']
    features = {one.name: descriptors[one.name] for one in QUANTITIES if one.feature and one.name in descriptors}
    for kind in SPECTRA:
        for threshold, value in zip(spectrum['thresholds'], spectrum[kind]):
            features[f'log10 {kind}({threshold:g})'] = float(np.log10(max(value, LEAST_FREE_VOLUME)))
    return features


def direction(name: str) -> int:
    """Whether a feature promises faster ions if it is higher (1) or lower (-1), or nobody knows (0).

    :param name: of a quantity or of a free volume of the spectrum; what follows a comma is a remark.
    """
    bare = name.partition(',')[0].removeprefix('log10 ')
    if bare.partition('(')[0] in SPECTRA:
        return 1
    known = {'higher': 1, 'lower': -1}
    return known[BY_NAME[bare].better] if bare in BY_NAME else 0


def matminer_features(structure: Structure) -> dict[str, float]:
    """Features of composition and structure by matminer, without downloads; NaN if one has no value.

    Ward et al., npj Comput. Mater. 2, 16028 (2016); Ward et al., Comput. Mater. Sci. 152, 60 (2018).

    :raises AssessmentError: if matminer is not installed.
    """
    try:
        from matminer.featurizers import composition as of_composition
        from matminer.featurizers import structure as of_structure
    except ImportError as error:
        raise AssessmentError('matminer is not installed: pip install "aiida-pesfp[models]"') from error
    features = {}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        symmetry = ['spacegroup_num', 'crystal_system_int', 'n_symmetry_ops']
        for featurizer, subject in (
            (of_composition.ElementProperty.from_preset('magpie'), structure.composition),
            (of_composition.Stoichiometry(), structure.composition),
            (of_composition.ValenceOrbital(), structure.composition),
            (of_structure.DensityFeatures(), structure),
            (of_structure.GlobalSymmetryFeatures(symmetry), structure),
            (of_structure.StructuralComplexity(), structure),
        ):
            features |= dict(zip(featurizer.feature_labels(), map(float, featurizer.featurize(subject))))
    return features


def select_features(which: str, descriptors: dict | None, other: dict[str, float] | None) -> dict[str, float]:
    """The features of one structure: one of :data:`~aiida_pesfp.settings.assessment.FEATURE_SETS`.

    :param other: of :func:`matminer_features`, for ``matminer`` and ``both``.
    :raises AssessmentError: if the features of matminer are needed but missing.
    """
    features = pes_features(descriptors) if which != 'matminer' else {}
    if which != 'pes':
        if other is None:
            raise AssessmentError('this model needs the features of matminer, which were not computed')
        features |= {name: np.nan if value is None else value for name, value in other.items()}
    return features
