"""The probability that a material conducts well at room temperature: models by descriptors, composition, or both.

Run ``python benchmarks/probability.py FOLDER/*/0.5/assessment.json`` on what ``assess.py`` left, the first that of the
reference. Each model predicts materials whose group it has not seen: nested cross-validation by groups, see
``aiida_pesfp/assessment/validation.py``. Good conductors are above 1e-4 S/cm.
"""

import argparse
import json
import warnings
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from labelled import SETS, crystal_of, files_of
from matminer.featurizers import composition as of_composition
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.assessment.classes import class_weights
from aiida_pesfp.assessment.differences import compare, resampled_by_cluster
from aiida_pesfp.assessment.features import LEAST_FREE_VOLUME
from aiida_pesfp.assessment.models import TrainingSet
from aiida_pesfp.assessment.scores import MEMBERSHIP
from aiida_pesfp.assessment.validation import (
    brier_score,
    groups_of,
    log_loss,
    nested_predictions,
    reliability,
)
from aiida_pesfp.settings.assessment import ClassSettings, ScoreSettings, TrainingSettings

#: Sets with conductivities at room temperature, in the order in which a material counts.
SETS_USED = ('obelix', 'obelix_disordered', 'laskowski2023')
GOOD = ClassSettings(good=1e-4, bad=1e-4, temperature=300.0)
SETTINGS = ScoreSettings(resamples=4000)
CONSTANT = 'probability by share of good ones'
LOWER = ('mpe', 'barrier_joint', 'barrier_3d')
VOLUMES = ('fv_connected', 'fv_disconnected', 'fv_joint')


@dataclass
class Materials:
    """What is known of the materials: (n,) names and groups, weights, and name of a potential -> its entries."""

    names: list[str]
    structures: list[Structure]
    groups: list[int]
    good: np.ndarray
    bad: np.ndarray
    entries: dict[str, list[dict | None]]


def read(paths: list[Path], pooled: bool) -> Materials:
    """The materials of the first assessment; those of one formula and group count once.

    :param pooled: take all sets, each with the classes of its temperature.
    """
    contents = [json.loads(path.read_text()) for path in paths]
    first, found, structures = contents[0]['sets'], {}, {}
    for name in first if pooled else SETS_USED:
        files = files_of(name) if SETS[name].structures else {}
        for key, material in first[name]['materials'].items():
            scanned = paths[0].parent / (SETS[name].scans or name) / 'structures' / f'{key}.json'
            read = partial(crystal_of, name, files[key]) if key in files else partial(Structure.from_file, scanned)
            structures[f'{name} {key}'] = read()
            found[f'{name} {key}'] = name, key, material
    groups = dict(zip(structures, groups_of(structures, 'Li')))
    kept = {(groups[label], found[label][2]['formula']): label for label in reversed(found)}
    labels = [label for label in found if label in set(kept.values())]
    own = [(found[label][2]['good_weight'], found[label][2]['bad_weight']) for label in labels]
    weights = np.array(own if pooled else [weights_of(found[label][2]) for label in labels])
    entries = {
        content['potential']: [
            content['sets'].get(name, {'materials': {}})['materials'].get(key)
            for name, key, _ in map(found.get, labels)
        ]
        for content in contents
    }
    return Materials(
        labels, [structures[label] for label in labels], [groups[label] for label in labels], *weights.T, entries
    )


def weights_of(material: dict) -> tuple[float, float]:
    """Probabilities that its conductivity is above the threshold and below, mean over its measurements."""
    found = []
    for one in material['values']:
        if one['limit']:
            found.append((float(one['limit'] == '>'), float(one['limit'] == '<')))
        else:
            found.append(class_weights(one['conductivity'], one['error'], GOOD))
    return tuple(np.mean(found, axis=0))


def surface_features(entries: list[dict | None], remark: str) -> tuple[list[str], np.ndarray]:
    """Names and values of the features of scans; NaN where there is none."""
    names = [*LOWER, *(f'log10 {name}' for name in VOLUMES)]
    rows = [
        [one[name] for name in LOWER] + [np.log10(max(one[name], LEAST_FREE_VOLUME)) for name in VOLUMES]
        if one
        else [np.nan] * len(names)
        for one in entries
    ]
    return [f'{name}, {remark}' for name in names], np.array(rows, dtype=float)


def composition_features(structures: list[Structure]) -> tuple[list[str], np.ndarray]:
    """Those of Ward et al., npj Comput. Mater. 2, 16028 (2016)."""
    featurizers = (
        of_composition.ElementProperty.from_preset('magpie'),
        of_composition.Stoichiometry(),
        of_composition.ValenceOrbital(),
    )
    names = [label for one in featurizers for label in one.feature_labels()]
    rows = [
        [value for one in featurizers for value in one.featurize(structure.composition.element_composition)]
        for structure in structures
    ]
    return names, np.array(rows, dtype=float)


def rankings(materials: Materials) -> dict[str, np.ndarray]:
    """Ranking by numbers that need no training -> (n,) values; Xi of the first assessment is the reference."""
    found = {}
    for name, entries in materials.entries.items():
        if all(entries):
            found[f'{name}: xi'] = np.array([one['xi'] for one in entries])
    return found | {'random': np.random.default_rng(0).random(len(materials.names))}


def probabilities(materials: Materials) -> dict[str, np.ndarray]:
    """Model -> (n,) probabilities of good conductors, by models that have not seen the group."""
    reference, entries = next(iter(materials.entries.items()))
    surfaces = {name: surface_features(entries, name) for name, entries in materials.entries.items()}
    composition = composition_features(materials.structures)
    models = {
        CONSTANT.removeprefix('probability by '): (['x'], np.zeros((len(entries), 1))),
        f'{reference}: xi': (['xi'], np.log10([[max(one['xi'], 1e-9)] for one in entries])),
    }
    models |= {f'surface, {name}': features for name, features in surfaces.items()}
    if len(surfaces) > 1:
        models['all surfaces'] = _joined(*surfaces.values())
    models |= {'composition': composition, 'composition and surface': _joined(surfaces[reference], composition)}
    found = {}
    for name, (names, values) in models.items():
        training = TrainingSet(materials.names, materials.groups, names, values, materials.good, materials.bad)
        found[f'probability by {name}'] = nested_predictions(training, TrainingSettings('logistic_monotone'))
    # With labels of other materials nothing can be learned: a score above that of random ones would be a leak.
    others = np.random.default_rng(1).permutation(len(materials.names))
    training = replace(training, good=materials.good[others], bad=materials.bad[others])
    return found | {'control: labels exchanged': nested_predictions(training, TrainingSettings('logistic_monotone'))}


def _joined(*features: tuple[list[str], np.ndarray]) -> tuple[list[str], np.ndarray]:
    return [name for names, _ in features for name in names], np.concatenate([values for _, values in features], axis=1)


def quality(probable: dict[str, np.ndarray], materials: Materials) -> list[tuple]:
    """Rows: Brier score, its difference from that of the constant with 95 % over draws of groups, and log loss."""
    good, bad, draws = materials.good, materials.bad, resampled_by_cluster(materials.groups, SETTINGS)
    squares = {name: good * (1 - values) ** 2 + bad * values**2 for name, values in probable.items()}
    constant, rows = squares[CONSTANT], []
    for name, values in probable.items():
        drawn = (draws @ (squares[name] - constant)) / (draws @ (good + bad))
        interval = '{:+.3f} to {:+.3f}'.format(*np.percentile(drawn, [2.5, 97.5]))
        score = brier_score(values, good, bad)
        bins = '; '.join(f'{one.predicted:.2f}, {one.observed:.2f}' for one in reliability(values, good, bad))
        rows.append(
            (
                name,
                score,
                f'{score - brier_score(probable[CONSTANT], good, bad):+.3f}',
                interval,
                log_loss(values, good, bad),
                bins,
            )
        )
    return sorted(rows, key=lambda row: row[1])


def draw(path: Path, probable: dict[str, np.ndarray], materials: Materials) -> None:
    """Reliability diagram of the models."""
    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout='constrained')
    axes.plot([0, 1], [0, 1], color='grey', lw=0.8)
    for (name, values), marker in zip(probable.items(), cycle('osd^v<>ph')):
        bins = reliability(values, materials.good, materials.bad)
        x, y = zip(*((one.predicted, one.observed) for one in bins))
        axes.plot(x, y, marker=marker, ms=5, lw=1, label=name.removeprefix('probability by '))
    axes.set(
        xlabel='predicted probability of a good conductor', ylabel='share of good conductors', xlim=(0, 1), ylim=(0, 1)
    )
    axes.legend(fontsize=8, loc='upper left', bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=120)


def main():
    """Print a table of the rankings, and one of what the probabilities are worth."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('assessments', nargs='+', type=Path, metavar='FOLDER/assessment.json')
    words = 'all sets of labels, each with the classes of its temperature, not 1e-4 S/cm at room temperature'
    parser.add_argument('--pooled', action='store_true', help=words)
    parser.add_argument('--figure', type=Path, help='write a reliability diagram here')
    arguments = parser.parse_args()
    materials = read(arguments.assessments, arguments.pooled)
    good, bad = materials.good, materials.bad
    kinds = f'{(good > MEMBERSHIP).sum()} good, {(bad > MEMBERSHIP).sum()} bad'
    print(f'{len(good)} materials, {kinds}, {len(set(materials.groups))} groups')
    ranked, probable = rankings(materials), probabilities(materials)
    reference, rows = next(iter(ranked)), []
    for one in compare(ranked | probable, reference, good, bad, list(map(str, materials.groups)), SETTINGS):
        interval, paired, difference = f'{one.lower:.2f} to {one.upper:.2f}', one.difference, ('reference', '', None)
        if paired:
            difference = f'{paired.value:+.2f}', f'{paired.lower:+.2f} to {paired.upper:+.2f}', paired.p_corrected
        rows.append((one.ranking, one.score, interval, *difference, *one.precision))
    heads = ('', 'score', '95 %', 'difference', '95 %', 'p', 'first 10', 'first 20')
    print(tabulate(rows, heads, floatfmt=('', '.2f', '', '', '', '.2g', '.2f', '.2f')))
    print('\nprobabilities, and the share of good conductors in five bins of equal size: predicted, found')
    heads = ('', 'Brier', 'difference', '95 %', 'log loss', 'five bins')
    print(tabulate(quality(probable, materials), heads, floatfmt=('', '.3f', '', '', '.3f', '')))
    if arguments.figure:
        draw(arguments.figure, probable, materials)


if __name__ == '__main__':
    main()
