"""Parameters of Xi for another potential or ion, from labelled materials."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.special import expit

from aiida_pesfp.assessment.features import SPECTRA, free_volume
from aiida_pesfp.assessment.scores import MEMBERSHIP, check_classes, partial_area, resampled_weights
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.fingerprint.quantities import PROMISING
from aiida_pesfp.settings.assessment import ScoreSettings
from aiida_pesfp.settings.descriptors import XiParameters

#: Parameters that can be varied besides the two cuts, which always are.
VARIABLE = ('slope', 'threshold')
SLOPES = (2.0, 5.0, 10.0, 20.0, 50.0)
#: Cuts to try; beyond them a free volume is below one in a thousand, or the whole cell.
CUTS = tuple(np.linspace(-3.0, 0.0, 61).round(2).tolist())
#: Columns of the array of trials.
_CUTS = ('connected_cut', 'disconnected_cut')
_NAMES = ('threshold', *_CUTS, 'slope')
_SAME = 1e-9
#: With fewer conductors of a class, the result depends on which these are.
FEW = 10


@dataclass(frozen=True)
class LabelledSet:
    """Materials of one set of labels: (n) descriptors, (n,) weights as good and as bad conductors."""

    name: str
    descriptors: list[dict]
    good: np.ndarray
    bad: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """Result of :func:`calibrate`.

    :param start: the parameters before.
    :param errors: standard deviation of each varied parameter over bootstrap resamples; the ``intervals`` contain
        68.3 % of its values.
    :param before: score with the parameters before, mean over sets.
    :param after: score with the best parameters on the materials used to find them, and so too high.
    :param optimism: estimate of this excess: mean over resamples of the score on the resample less that on all
        materials, both with the parameters from the resample (Efron 1983; Harrell, Regression Modeling Strategies,
        5.3.5).
    :param sets: name -> ``before``, ``after``, ``separation_before`` and ``separation_after`` of each set.
    :param doubts: reasons not to trust the parameters, in sentences.
    """

    start: XiParameters
    parameters: XiParameters
    errors: dict[str, float]
    intervals: dict[str, list[float]]
    before: float
    after: float
    optimism: float
    sets: dict[str, dict[str, float]]
    doubts: list[str]

    @property
    def corrected(self) -> float:
        """The score to expect for other materials."""
        return self.after - self.optimism

    def as_dict(self) -> dict:
        """Of plain JSON types."""
        return asdict(self) | {'corrected': self.corrected}


def calibrate(
    sets: list[LabelledSet],
    start: XiParameters = XiParameters(),
    vary: tuple[str, ...] = (),
    settings: ScoreSettings = ScoreSettings(resamples=200),
    thresholds: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7),
    cuts: tuple[float, ...] = CUTS,
) -> Calibration:
    """Search the parameters of Xi (Eq. 4) on a grid.

    The score of a ranking alone does not determine the cuts, because the order of structures hardly changes if both
    cuts move by the same amount. The objective is the mean of the score and of the separation: the share of the good
    conductors less that of the bad ones with Xi above 0.25, which the paper takes as promising. With several sets, it
    is the mean over them. It is a step function; if several parameters reach its maximum, the central ones win.

    :param start: the parameters before, and the values of those that are not varied.
    :param vary: of :data:`VARIABLE`, besides the two cuts.
    :param thresholds: of free volumes to try, eV.
    :raises AssessmentError: if a class of a set has fewer than two materials, or a threshold is not in the spectrum.
    """
    for name in vary:
        if name not in VARIABLE:
            raise AssessmentError(f'{name!r} cannot be varied: besides the cuts, that is {", ".join(VARIABLE)}')
    if not sets:
        raise AssessmentError('there is no set of labels to calibrate with')
    draws = []
    for seed, entry in enumerate(sets, start=settings.seed):
        check_classes(entry.good, entry.bad)
        resampled = resampled_weights(len(entry.good), replace(settings, seed=seed))
        draws.append(np.concatenate([np.ones((1, len(entry.good))), resampled]))
    # Row 0 is for the materials as they are, the others for the resamples: objective, own score, score on all, trial.
    best = np.full((len(draws[0]), 3 + len(_NAMES)), -np.inf)
    for threshold in thresholds if 'threshold' in vary else (start.threshold,):
        for slope in SLOPES if 'slope' in vary else (start.slope,):
            trials = np.array([(threshold, c, d, slope) for c in cuts for d in cuts])
            values, separations = _scores(sets, draws, trials, settings)
            objective = (values + separations) / 2
            chosen = _middle_of_best(objective, trials), np.arange(len(best))
            own = np.column_stack([objective[chosen], values[chosen], values[chosen[0], 0], trials[chosen[0]]])
            better = own[:, 0] > best[:, 0] + _SAME
            best[better] = own[better]
    tried = {'connected_cut': cuts, 'disconnected_cut': cuts, 'slope': SLOPES, 'threshold': thresholds}
    return _summary(sets, draws, best, start, {name: tried[name] for name in (*_CUTS, *vary)}, settings)


def _summary(sets, draws, best, start: XiParameters, tried: dict, settings: ScoreSettings) -> Calibration:
    parameters = XiParameters(*map(float, best[0, 3:]))
    resampled = best[1:][np.isfinite(best[1:, 0])]
    errors, intervals = {}, {}
    for name in tried:
        values = resampled[:, 3 + _NAMES.index(name)]
        errors[name] = float(values.std(ddof=1))
        intervals[name] = np.percentile(values, [15.87, 84.13]).tolist()
    both = np.array([[getattr(entry, name) for name in _NAMES] for entry in (start, parameters)])
    names = ('before', 'after', 'separation_before', 'separation_after')
    scores = (_scores([entry], [draw[:1]], both, settings).ravel().tolist() for entry, draw in zip(sets, draws))
    per_set = {entry.name: dict(zip(names, values)) for entry, values in zip(sets, scores)}
    before, after = (float(np.mean([values[when] for values in per_set.values()])) for when in names[:2])
    optimism = float((resampled[:, 1] - resampled[:, 2]).mean())
    doubts = [*_few(sets), *_edges(parameters, intervals, tried), *_no_gain(before, after, optimism)]
    return Calibration(start, parameters, errors, intervals, before, after, optimism, per_set, doubts)


def _few(sets) -> Iterator[str]:
    for entry in sets:
        for name, weights in (('good', entry.good), ('bad', entry.bad)):
            if (number := int((weights > MEMBERSHIP).sum())) < FEW:
                reason = f'with fewer than {FEW}, another material more or less can change the result'
                yield f'{entry.name} has {number} {name} conductors: {reason}'


def _no_gain(before: float, after: float, optimism: float) -> Iterator[str]:
    if after <= before:
        yield f'the score, {after:.3f}, is not better than with the parameters before, {before:.3f}'
    elif after - optimism <= before:
        expected = f'the score to expect for other materials, {after - optimism:.3f}'
        yield f'{expected}, is not better than with the parameters before, {before:.3f}: they change what is promising'


def _edges(parameters: XiParameters, intervals: dict[str, list[float]], tried: dict) -> Iterator[str]:
    for name, values in tried.items():
        least, greatest = min(values), max(values)
        value, (lower, upper) = getattr(parameters, name), intervals[name]
        edge = f'the edge of what was tried, {least:g} to {greatest:g}: the best may lie beyond'
        if value in (least, greatest):
            yield f'{name} = {value:g} is at {edge}'
        elif lower <= least or upper >= greatest:
            yield f'the interval of {name} reaches {edge}'


def _scores(sets, draws, trials: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """(2, trials, draws) scores and separations, means over the sets; -inf if a class was not drawn."""
    scores, separations = found = np.zeros((2, len(trials), len(draws[0])))
    for entry, draw in zip(sets, draws):
        good, bad = entry.good * draw, entry.bad * draw
        logarithms = {t: _logarithms(entry.descriptors, t) for t in np.unique(trials[:, 0])}
        connected, disconnected = np.stack([logarithms[t] for t in trials[:, 0]], axis=1)
        slope = trials[:, 3:]
        rankings = expit(slope * (connected - trials[:, 1:2])) * expit(slope * (disconnected - trials[:, 2:3]))
        for row, ranking in zip(scores, rankings):
            row += partial_area(ranking, good, bad, settings.maximum_false_positive_rate) / len(sets)
        promising = (rankings > PROMISING).astype(float)
        with np.errstate(invalid='ignore'):
            separations += (promising @ (good / good.sum(axis=1, keepdims=True)).T) / len(sets)
            separations -= (promising @ (bad / bad.sum(axis=1, keepdims=True)).T) / len(sets)
    return np.where(np.isfinite(found), found, -np.inf)


def _logarithms(descriptors: list[dict], threshold: float) -> np.ndarray:
    """(2, n) log10 of the connected and the disconnected free volumes."""
    with np.errstate(divide='ignore'):
        return np.log10([[free_volume(entry, kind, threshold) for entry in descriptors] for kind in SPECTRA])


def _middle_of_best(values: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """(draws,) the trial with the highest value; of several, the one nearest to their centre."""
    chosen = []
    for scores in values.T:
        best = np.flatnonzero(scores >= scores.max() - _SAME)
        distances = np.linalg.norm(trials[best] - trials[best].mean(axis=0), axis=1)
        chosen.append(best[np.argmin(distances)])
    return np.array(chosen)
