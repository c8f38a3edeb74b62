"""Xi's parameters for another potential or ion, found from labelled materials."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.special import expit

from aiida_pesfp.assessment.features import free_volume
from aiida_pesfp.assessment.scores import ScoreSettings, check_classes, partial_area, resampled_weights
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.settings.descriptors import XiParameters

#: What can be found; the cuts always are.
VARIABLE = ('slope', 'threshold')
SLOPES = (2.0, 5.0, 10.0, 20.0, 50.0)
#: Cuts that are tried: beyond, a free volume is one in a thousand or all.
CUTS = tuple(np.linspace(-3.0, 0.0, 61).round(2).tolist())
#: Xi above which a structure is taken seriously: both free volumes are at their cuts or beyond (Sec. II B).
PROMISING = 0.25
_SAME = 1e-9


@dataclass(frozen=True)
class LabelledSet:
    """Materials of one set of labels.

    :param name: of the set.
    :param descriptors: (n) of the materials.
    :param good: (n,) weights as good conductors.
    :param bad: (n,) as bad ones.
    """

    name: str
    descriptors: list[dict]
    good: np.ndarray
    bad: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """What :func:`calibrate` finds.

    :param start: the parameters before.
    :param parameters: those found.
    :param errors: standard deviation of each found parameter over bootstrap resamples.
    :param intervals: that hold 68.3 % of its values there.
    :param before: score with the parameters given, mean over sets.
    :param after: with those found, on the materials that they were found from, and so too good.
    :param optimism: by how much: mean over resamples of the score on the resample less that on all materials, both with
        the parameters found from the resample (Efron 1983; Harrell, Regression Modeling Strategies, 5.3.5).
    :param sets: name -> ``before``, ``after``, ``separation_before`` and ``separation_after`` of each set.
    """

    start: XiParameters
    parameters: XiParameters
    errors: dict[str, float]
    intervals: dict[str, list[float]]
    before: float
    after: float
    optimism: float
    sets: dict[str, dict[str, float]]

    @property
    def corrected(self) -> float:
        """The score to expect of other materials."""
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

    The order of structures hardly changes if both cuts move by the same amount, so that a score of the ranking alone
    leaves them open. What is sought is the highest mean of the score and of the separation: the share of the good
    conductors less that of the bad ones with Xi above 0.25, which the paper takes seriously. With several sets, it is
    the mean over them. It is a step function; of all parameters that reach its maximum, those in the middle are taken.

    :param start: the parameters before, and those that are not varied.
    :param vary: ``slope`` and ``threshold``, if they are to be found besides the two cuts.
    :param thresholds: of free volumes that are tried, eV; each must be in the spectrum.
    :param cuts: that are tried for either free volume.
    :raises AssessmentError: if a class of a set has fewer than two materials, or a threshold is not in the spectrum.
    """
    unknown = sorted(set(vary) - set(VARIABLE))
    if unknown:
        raise AssessmentError(f'{unknown[0]!r} cannot be varied: besides the cuts, that is {", ".join(VARIABLE)}')
    if not sets:
        raise AssessmentError('there is no set of labels to calibrate with')
    for entry in sets:
        check_classes(entry.good, entry.bad)
    draws = [
        np.concatenate(
            [np.ones((1, len(entry.good))), resampled_weights(len(entry.good), replace(settings, seed=seed))]
        )
        for seed, entry in enumerate(sets, start=settings.seed)
    ]
    slopes = SLOPES if 'slope' in vary else (start.slope,)
    # Column 0 is the materials as they are, the others are the resamples.
    best = np.full((len(draws[0]), 7), -np.inf)
    for threshold in thresholds if 'threshold' in vary else (start.threshold,):
        for slope in slopes:
            candidates = np.array([(threshold, c, d, slope) for c in cuts for d in cuts])
            values, separations = _scores(sets, draws, candidates, settings)
            objective = (values + separations) / 2
            chosen, column = _middle_of_best(objective, candidates), np.arange(len(best))
            own = np.column_stack(
                [objective[chosen, column], values[chosen, column], values[chosen, 0], candidates[chosen]]
            )
            better = own[:, 0] > best[:, 0] + _SAME
            best[better] = own[better]
    return _summary(sets, draws, best, start, ('connected_cut', 'disconnected_cut', *vary), settings)


def _summary(sets, draws, best, start: XiParameters, varied, settings: ScoreSettings) -> Calibration:
    names = ('threshold', 'connected_cut', 'disconnected_cut', 'slope')
    parameters = XiParameters(*map(float, best[0, 3:]))
    resampled = best[1:][np.isfinite(best[1:, 0])]
    errors, intervals = {}, {}
    for name in varied:
        values = resampled[:, 3 + names.index(name)]
        errors[name] = float(values.std(ddof=1))
        intervals[name] = np.percentile(values, [15.87, 84.13]).tolist()
    both = np.array([[getattr(p, name) for name in names] for p in (start, parameters)])
    per_set = {}
    for entry, draw in zip(sets, draws):
        values, separations = _scores([entry], [draw[:1]], both, settings)
        per_set[entry.name] = {
            **dict(zip(('before', 'after'), values[:, 0].tolist())),
            **dict(zip(('separation_before', 'separation_after'), separations[:, 0].tolist())),
        }
    before, after = (float(np.mean([values[when] for values in per_set.values()])) for when in ('before', 'after'))
    optimism = float((resampled[:, 1] - resampled[:, 2]).mean())
    return Calibration(start, parameters, errors, intervals, before, after, optimism, per_set)


def _scores(sets, draws, candidates: np.ndarray, settings: ScoreSettings) -> tuple[np.ndarray, np.ndarray]:
    """(candidates, draws) scores and separations, the means over the sets; -inf where a class was not drawn."""
    limit = settings.maximum_false_positive_rate
    scores, separations = np.zeros((2, len(candidates), len(draws[0])))
    for entry, draw in zip(sets, draws):
        good, bad = entry.good * draw, entry.bad * draw
        logarithms = {t: _logarithms(entry.descriptors, t) for t in np.unique(candidates[:, 0])}
        connected, disconnected = np.stack([logarithms[t] for t in candidates[:, 0]], axis=1)
        slope = candidates[:, 3:]
        rankings = expit(slope * (connected - candidates[:, 1:2])) * expit(slope * (disconnected - candidates[:, 2:3]))
        for row, ranking in zip(scores, rankings):
            row += partial_area(ranking, good, bad, limit) / len(sets)
        taken = (rankings > PROMISING).astype(float)
        with np.errstate(invalid='ignore'):
            separations += (taken @ (good / good.sum(axis=1, keepdims=True)).T) / len(sets)
            separations -= (taken @ (bad / bad.sum(axis=1, keepdims=True)).T) / len(sets)
    return tuple(np.where(np.isfinite(values), values, -np.inf) for values in (scores, separations))


def _logarithms(descriptors: list[dict], threshold: float) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(divide='ignore'):
        return tuple(
            np.log10([free_volume(entry, kind, threshold) for entry in descriptors])
            for kind in ('connected', 'disconnected')
        )


def _middle_of_best(values: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """(draws,) the candidate with the highest score; of several, the one nearest to their centre."""
    chosen = np.empty(values.shape[1], dtype=int)
    for column, scores in enumerate(values.T):
        best = np.flatnonzero(scores >= scores.max() - _SAME)
        distances = np.linalg.norm(candidates[best] - candidates[best].mean(axis=0), axis=1)
        chosen[column] = best[np.argmin(distances)]
    return chosen
